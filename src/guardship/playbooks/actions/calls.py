"""Actions that call the outside: ApiConnection with a connector's operation, Http.

The operation is found by the path as it was written, with every `@{…}` taken as one value, so that what the values hold cannot change
which operation is meant.
"""

import re
from typing import Any

from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.connector import Connector, Operation
from guardship.playbooks.definition import Outside, Path, RetryPolicy
from guardship.playbooks.expressions.evaluate import Evaluate
from guardship.playbooks.expressions.parser import parse_template
from guardship.playbooks.expressions.syntax import Call, ExpressionSyntax, Mixed, Node

_CONNECTION = re.compile(r"@\{?parameters\('\$connections'\)\??\['(?P<key>(?:[^']|'')+)'\]", re.IGNORECASE)
_RUNTIME_OPTIONS = ("contenttransfer", "paginationpolicy")
_ENCODERS = ("encodeuricomponent", "uricomponent")


def read_http(document: dict[str, Any], path: Path, reading: Reading) -> Outside | None:
    place = (*path, "inputs")
    inputs = reading.object(field_of(document, "inputs"), place, what="the inputs of Http")
    return read_http_call(document, inputs, place, reading, what="Http")


def read_http_call(document: dict[str, Any], inputs: dict[str, Any], place: Path, reading: Reading, *, what: str) -> Outside | None:
    """`document` is the action or trigger the call belongs to."""
    for name in ("method", "uri"):
        if not isinstance(field_of(inputs, name), str):
            reading.problem(place, f"{what} needs {name}", "InvalidDefinition")
            return None
    connector = reading.connectors.get("http")
    if connector is None:
        reading.problem(place, f"the type {what} cannot run here: no http connector is set up", "UnsupportedAction")
        return None
    operation = _http_operation(connector, str(field_of(inputs, "method")))
    evaluate = reading.tree(inputs, place)
    retry = read_retry_policy(field_of(inputs, "retryPolicy"), (*place, "retryPolicy"), reading)
    static = read_static_result(document, place[:-1], reading)
    options = _options(document)
    return Outside("http", operation, evaluate, None, (), retry, static, follows_accepted=_follows(document, inputs), options=options)


def _follows(document: dict[str, Any], inputs: dict[str, Any]) -> bool:
    given = f"{field_of(document, 'operationOptions', '')} {field_of(inputs, 'operationOptions', '')}"
    return "disableasyncpattern" not in given.lower()


def _options(document: dict[str, Any]) -> dict[str, Any]:
    """What an action says of transfer and paging, beside its inputs."""
    runtime = field_of(document, "runtimeConfiguration")
    found = runtime.items() if isinstance(runtime, dict) else ()
    return {name.lower(): value for name, value in found if name.lower() in _RUNTIME_OPTIONS and isinstance(value, dict)}


def _http_operation(connector: Connector, method: str) -> Operation:
    """The operation of this method; a method that is an expression gets the one that is safe for all."""
    wanted = method.upper()
    found = next((operation for operation in connector.operations if operation.method == wanted), None)
    return found or next(operation for operation in connector.operations if operation.method == "POST")


def connection_key(name: Any) -> str | None:
    match = _CONNECTION.match(name) if isinstance(name, str) else None
    return match["key"].replace("''", "'") if match else None


def read_api_connection(document: dict[str, Any], path: Path, reading: Reading, *, method: str = "get") -> Outside | None:
    """`method` is the one that is meant where none is written."""
    place = (*path, "inputs")
    inputs = reading.object(field_of(document, "inputs"), place, what="the inputs of ApiConnection")
    host = field_of(inputs, "host")
    connection = field_of(host, "connection") if isinstance(host, dict) else None
    key = connection_key(field_of(connection, "name")) if isinstance(connection, dict) else None
    if key is None and isinstance(connection, dict):
        key = field_of(connection, "referenceName")
    connector = connector_of(key, (*place, "host"), reading)
    evaluate = reading.tree(inputs, place)
    if connector is None:
        return None
    written = field_of(inputs, "path")
    method = str(field_of(inputs, "method", method))
    found = _operation_of(connector, method, written) if isinstance(written, str) else None
    if found is None:
        known = ", ".join(f"{operation.method.lower()} {operation.path}" for operation in connector.operations)
        message = f"the connector {connector.name} has no operation {method.lower()} {written}"
        reading.problem((*place, "path"), message, "UnsupportedOperation", hint=f"it has {known}" if known else None)
        return None
    operation, encodings = found
    retry = read_retry_policy(field_of(inputs, "retryPolicy"), (*place, "retryPolicy"), reading)
    static = read_static_result(document, path, reading)
    follows, options = _follows(document, inputs), _options(document)
    return Outside(connector.name, operation, evaluate, key, encodings, retry, static, follows_accepted=follows, options=options)


def connector_of(key: str | None, path: Path, reading: Reading) -> Connector | None:
    """The connector behind a key of `$connections`; a key the value lacks falls back to the key without `_n`."""
    if not isinstance(key, str):
        reading.problem(path, "the action does not name a connection of $connections", "InvalidDefinition")
        return None
    use = reading.connections.get(key) or reading.connections.get(re.sub(r"[_-]\d+$", "", key))
    name = use.connector if use else re.sub(r"[_-]\d+$", "", key)
    connector = reading.connectors.get(name)
    if connector is None:
        nearest = reading.connectors.nearest(name)
        hint = f"did you mean {nearest}?" if nearest else None
        reading.problem(path, f"there is no connector called {name}", "UnknownConnector", hint=hint)
    return connector


def _operation_of(connector: Connector, method: str, written: str) -> tuple[Operation, tuple[int, ...]] | None:
    try:
        template = parse_template(written)
    except ExpressionSyntax:
        return None  # already reported by the check of the whole inputs
    parts = template.parts if isinstance(template, Mixed) else (template,) if isinstance(template, str) else ()
    if not parts:
        return None
    shape = "".join(part if isinstance(part, str) else "{}" for part in parts)
    encodings = tuple(_encoding_count(part) for part in parts if not isinstance(part, str))
    for operation in connector.operations:
        if operation.method.lower() == method.lower() and (match := operation.pattern.fullmatch(shape)):
            counts = iter(encodings)
            return operation, tuple(next(counts, 0) if "{}" in value else 0 for value in match.groups())
    return None


def _encoding_count(node: Node) -> int:
    count = 0
    while isinstance(node, Call) and node.name.lower() in _ENCODERS and len(node.arguments) == 1:
        count, node = count + 1, node.arguments[0]
    return count


def read_retry_policy(document: Any, path: Path, reading: Reading) -> RetryPolicy:
    if document is None:
        return RetryPolicy()
    given = reading.object(document, path, what="a retry policy")
    kind = str(field_of(given, "type", "exponential")).lower()
    if kind not in ("none", "fixed", "exponential", "default"):
        reading.problem((*path, "type"), f"there is no retry policy {kind}", "InvalidRetryPolicy", hint="none, fixed or exponential")
    if kind in ("none", "default"):
        return RetryPolicy(kind="none", count=0) if kind == "none" else RetryPolicy()
    count = field_of(given, "count", 4)
    if not isinstance(count, int) or not 1 <= count <= 90:
        reading.problem((*path, "count"), "a retry policy repeats 1 to 90 times", "InvalidRetryPolicy")
        count = 4
    interval = reading.duration(field_of(given, "interval"), (*path, "interval"), 7.0) or 7.0
    least = reading.duration(field_of(given, "minimumInterval"), (*path, "minimumInterval"), 5.0) or 5.0
    most = reading.duration(field_of(given, "maximumInterval"), (*path, "maximumInterval"), 3600.0) or 3600.0
    return RetryPolicy(kind, count, interval, least, most)


def read_static_result(document: dict[str, Any], path: Path, reading: Reading) -> Evaluate | None:
    """`runtimeConfiguration.staticResult`: the answer that is given without a call."""
    runtime = field_of(document, "runtimeConfiguration")
    chosen = field_of(runtime, "staticResult") if isinstance(runtime, dict) else None
    if not isinstance(chosen, dict) or str(field_of(chosen, "staticResultOptions", "")).lower() != "enabled":
        return None
    name = str(field_of(chosen, "name", ""))
    place = (*path, "runtimeConfiguration", "staticResult")
    result = field_of(reading.static_results, name)
    if result is None:
        reading.problem(place, f"there is no static result called {name}", "InvalidDefinition")
        return None
    return reading.tree(result, place)
