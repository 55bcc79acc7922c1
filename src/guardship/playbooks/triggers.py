"""Triggers of a definition: what starts a playbook, with its conditions, splitOn and limits.

Alert and incident subscriptions of connectors, Request with its signed address, Recurrence, what is asked again and again (Http,
ApiConnection), what calls us (HttpWebhook, ApiConnectionNotification, subscriptions of other connectors), and Batch.
"""

from collections.abc import Mapping
from typing import Any

from guardship.playbooks.actions.calls import connection_key, connector_of, read_api_connection, read_http_call
from guardship.playbooks.actions.conditions import read_condition
from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.connector import Connector, TriggerOffer
from guardship.playbooks.definition import BatchCriteria, Path, Trigger
from guardship.playbooks.expressions.evaluate import Evaluate
from guardship.playbooks.recurrence_reading import check_recurrence

REQUEST = "request"
MOST_TRIGGERS = 10
SUPPORTED = (
    "Request",
    "Manual",
    "Recurrence",
    "ApiConnection",
    "ApiConnectionWebhook",
    "ApiConnectionNotification",
    "Http",
    "HttpWebhook",
    "Batch",
)
_FOLDED = {kind.lower(): kind for kind in SUPPORTED}
MOST_RUNS = 100


def read_triggers(document: Any, reading: Reading) -> tuple[Trigger, ...]:
    listed = reading.object(document, ("triggers",), what="the triggers")
    if not listed:
        reading.problem(("triggers",), "the playbook has no trigger", "InvalidDefinition")
    if len(listed) > MOST_TRIGGERS:
        reading.problem(("triggers",), f"a playbook may have {MOST_TRIGGERS} triggers, this one has {len(listed)}", "TooManyTriggers")
    made = [_read(name, given, ("triggers", name), reading) for name, given in listed.items()]
    return tuple(trigger for trigger in made if trigger is not None)


def _read(name: str, document: Any, path: Path, reading: Reading) -> Trigger | None:
    given = reading.object(document, path, what="a trigger")
    written = str(field_of(given, "type", ""))
    kind = _FOLDED.get(written.lower())
    if kind is None:
        hint = f"supported are {', '.join(SUPPORTED)}"
        reading.problem((*path, "type"), f"the trigger type {written or '(none)'} is not supported", "UnsupportedTrigger", hint=hint)
        return None
    own = _source(kind, given, path, reading)
    if own is None:
        return None
    runtime = field_of(given, "runtimeConfiguration")
    split_on, correlation = field_of(given, "splitOn"), field_of(given, "correlation")
    tracking_id = field_of(correlation, "clientTrackingId") if isinstance(correlation, dict) else None
    runs, waiting = _concurrency(given, path, reading)
    return Trigger(
        name=name,
        kind=kind,
        conditions=_conditions(given, path, reading),
        split_on=reading.tree(split_on, (*path, "splitOn")) if split_on else None,
        tracking_id=reading.tree(tracking_id, (*path, "correlation", "clientTrackingId")) if tracking_id else None,
        runs_at_once=runs,
        most_waiting=waiting,
        hides_outputs="outputs" in _hidden(runtime),
        **own,
    )


def _source(kind: str, given: dict[str, Any], path: Path, reading: Reading) -> dict[str, Any] | None:
    """What is particular to this kind of trigger, by the names of its fields."""
    inputs = field_of(given, "inputs")
    fields: dict[str, Any] = inputs if isinstance(inputs, dict) else {}
    match kind:
        case "Request" | "Manual":
            return _request(given, fields, path, reading)
        case "Recurrence":
            return {"payload": "", "recurrence": _recurrence(given, path, reading, needed=True)}
        case "ApiConnectionWebhook" | "ApiConnectionNotification":
            return _subscription(kind, given, fields, path, reading)
        case "ApiConnection":
            call = read_api_connection(given, path, reading)
            every = _recurrence(given, path, reading, needed=True)
            return None if call is None else {"payload": "", "call": call, "recurrence": every, "connector": call.connector}
        case "Http":
            call = read_http_call(given, fields, (*path, "inputs"), reading, what="the Http trigger")
            every = _recurrence(given, path, reading, needed=True)
            return None if call is None else {"payload": "", "call": call, "recurrence": every}
        case "HttpWebhook":
            return _http_webhook(given, fields, path, reading)
        case _:
            return {"payload": "", "batches": _batches(fields, path, reading)}


def _request(given: dict[str, Any], fields: dict[str, Any], path: Path, reading: Reading) -> dict[str, Any]:
    reading.check({key: value for key, value in fields.items() if key.lower() not in ("body", "schema")}, (*path, "inputs"))
    schema, method = field_of(fields, "schema"), field_of(fields, "method")
    relative = field_of(fields, "relativePath")
    return {
        "payload": REQUEST,
        "method": method.upper() if isinstance(method, str) else None,
        "schema": schema if isinstance(schema, dict) and schema else None,
        "checks_schema": "enableschemavalidation" in str(field_of(given, "operationOptions", "")).lower(),
        "relative_path": relative.strip("/") if isinstance(relative, str) and relative.strip("/") else None,
    }


def _subscription(kind: str, given: dict[str, Any], fields: dict[str, Any], path: Path, reading: Reading) -> dict[str, Any] | None:
    """A subscription that alerts or incidents of ours answer, else one that the connector is told about."""
    place = (*path, "inputs")
    host = field_of(fields, "host")
    connection = field_of(host, "connection") if isinstance(host, dict) else None
    key = connection_key(field_of(connection, "name")) if isinstance(connection, dict) else None
    if key is None and isinstance(connection, dict):
        key = field_of(connection, "referenceName")
    connector = connector_of(key, (*place, "host"), reading)
    if connector is None:
        return None
    written = str(field_of(fields, "path", ""))
    offer = next((offer for offer in connector.triggers if _same_path(offer, written)), None)
    if offer is not None:
        reading.check({name: value for name, value in fields.items() if name.lower() != "body"}, place)
        return {"payload": offer.payload, "connector": connector.name}
    if kind == "ApiConnectionNotification":
        return _notification(given, fields, path, reading)
    if any(operation.path.lower().endswith("$subscriptions") or operation.method == "POST" for operation in connector.operations):
        call = read_api_connection(given, path, reading, method="post")
        return None if call is None else {"payload": REQUEST, "call": call, "connector": connector.name}
    _no_such_trigger(connector, written, (*place, "path"), reading)
    return None


def _same_path(offer: TriggerOffer, written: str) -> bool:
    """`/entity/@{encodeURIComponent('Account')}` is the path `/entity/Account`."""
    plain = written.lower()
    for before, behind in (("@{encodeuricomponent('", "')}"), ("@{uricomponent('", "')}")):
        plain = plain.replace(before, "").replace(behind, "") if before in plain else plain
    return offer.path.lower().rstrip("/") in (written.lower().rstrip("/"), plain.rstrip("/"))


def _no_such_trigger(connector: Connector, written: str, path: Path, reading: Reading) -> None:
    known = ", ".join(offer.path for offer in connector.triggers)
    message = f"the connector {connector.name} has no trigger {written}"
    reading.problem(path, message, "UnsupportedTrigger", hint=f"it has {known}" if known else None)


def _notification(given: dict[str, Any], fields: dict[str, Any], path: Path, reading: Reading) -> dict[str, Any] | None:
    """`subscribe` is told our address; what is `fetch`ed once it is called is the trigger's body."""
    calls = {}
    for name in ("subscribe", "fetch"):
        part = field_of(fields, name)
        if not isinstance(part, dict):
            reading.problem((*path, "inputs"), f"ApiConnectionNotification needs {name}", "InvalidDefinition")
            return None
        whole = {**given, "inputs": {**_flattened(part), "host": field_of(fields, "host")}}
        call = read_api_connection(whole, (*path, "inputs", name)[:-2], reading, method="post" if name == "subscribe" else "get")
        if call is None:
            return None
        calls[name] = call
    return {"payload": REQUEST, "call": calls["subscribe"], "fetch": calls["fetch"], "connector": calls["fetch"].connector}


def _flattened(part: Mapping[str, Any]) -> dict[str, Any]:
    """`pathTemplate: {template: "/x/{id}", parameters: {id: …}}` as a path with its values in place."""
    made = {name: value for name, value in part.items() if name.lower() != "pathtemplate"}
    template = field_of(part, "pathTemplate")
    if isinstance(template, dict):
        written = str(field_of(template, "template", ""))
        for name, value in (field_of(template, "parameters") or {}).items():
            written = written.replace(f"{{{name}}}", value if isinstance(value, str) else str(value))
        made["path"] = written
    return made


def _http_webhook(given: dict[str, Any], fields: dict[str, Any], path: Path, reading: Reading) -> dict[str, Any] | None:
    place = (*path, "inputs")
    subscribe, unsubscribe = field_of(fields, "subscribe"), field_of(fields, "unsubscribe")
    if not isinstance(subscribe, dict):
        reading.problem(place, "HttpWebhook needs subscribe, with a method and an uri", "InvalidDefinition")
        return None
    call = read_http_call(given, subscribe, (*place, "subscribe"), reading, what="HttpWebhook")
    parting = None
    if isinstance(unsubscribe, dict) and unsubscribe:
        parting = read_http_call(given, unsubscribe, (*place, "unsubscribe"), reading, what="HttpWebhook")
    return None if call is None else {"payload": REQUEST, "call": call, "unsubscribe": parting}


def _recurrence(given: dict[str, Any], path: Path, reading: Reading, *, needed: bool) -> Evaluate | None:
    document = field_of(given, "recurrence")
    place = (*path, "recurrence")
    if document is None:
        if needed:
            reading.problem(path, "the trigger needs a recurrence, with a frequency and an interval", "InvalidDefinition")
        return None
    check_recurrence(document, place, reading)
    return reading.tree(document, place)


def _batches(fields: dict[str, Any], path: Path, reading: Reading) -> dict[str, BatchCriteria]:
    place = (*path, "inputs", "configurations")
    listed = reading.object(field_of(fields, "configurations"), place, what="the configurations of a Batch trigger")
    if str(field_of(fields, "mode", "Inline")).lower() != "inline":
        reading.problem((*path, "inputs", "mode"), "only batches of mode Inline run here", "UnsupportedTrigger")
    made = {}
    for name, entry in listed.items():
        given = reading.object(entry, (*place, name), what="a batch")
        criteria = reading.object(field_of(given, "releaseCriteria"), (*place, name, "releaseCriteria"), what="releaseCriteria")
        count, size, every = (field_of(criteria, one) for one in ("messageCount", "batchSize", "recurrence"))
        if every is not None:
            check_recurrence(every, (*place, name, "releaseCriteria", "recurrence"), reading)
        if count is None and size is None and every is None:
            reading.problem((*place, name, "releaseCriteria"), "a batch needs messageCount, batchSize or recurrence", "InvalidDefinition")
        made[name] = BatchCriteria(
            count if isinstance(count, int) else None, size if isinstance(size, int) else None, every if isinstance(every, dict) else None
        )
    return made


def _conditions(document: dict[str, Any], path: Path, reading: Reading) -> tuple[Any, ...]:
    listed = field_of(document, "conditions", [])
    if not isinstance(listed, list):
        reading.problem((*path, "conditions"), "conditions are an array", "InvalidDefinition")
        return ()
    made = []
    for index, entry in enumerate(listed):
        place = (*path, "conditions", index)
        given = reading.object(entry, place, what="a trigger condition")
        made.append(read_condition(field_of(given, "expression"), (*place, "expression"), reading))
    return tuple(made)


def _concurrency(document: dict[str, Any], path: Path, reading: Reading) -> tuple[int | None, int | None]:
    """Runs at once, and how many may wait for that; 10 more than run unless it is said."""
    runtime = field_of(document, "runtimeConfiguration")
    concurrency = field_of(runtime, "concurrency") if isinstance(runtime, dict) else None
    runs = field_of(concurrency, "runs") if isinstance(concurrency, dict) else None
    waiting = field_of(concurrency, "maximumWaitingRuns") if isinstance(concurrency, dict) else None
    place = (*path, "runtimeConfiguration", "concurrency")
    if "singleinstance" in str(field_of(document, "operationOptions", "")).lower():
        if runs is not None:
            reading.problem(place, "a trigger is SingleInstance or has concurrency, not both", "InvalidDefinition")
        return 1, None  # what comes meanwhile does not start
    if runs is None:
        return None, None
    if not isinstance(runs, int) or not 1 <= runs <= MOST_RUNS:
        reading.problem((*place, "runs"), f"runs are 1 to {MOST_RUNS}, not {runs}", "InvalidDefinition")
        return None, None
    if waiting is not None and (not isinstance(waiting, int) or not 1 <= waiting <= MOST_RUNS):
        reading.problem((*place, "maximumWaitingRuns"), f"maximumWaitingRuns are 1 to {MOST_RUNS}, not {waiting}", "InvalidDefinition")
        waiting = None
    return runs, waiting or min(10 + runs, MOST_RUNS)


def _hidden(runtime: Any) -> set[str]:
    secure = field_of(runtime, "secureData") if isinstance(runtime, dict) else None
    listed = field_of(secure, "properties") if isinstance(secure, dict) else None
    return {str(name).lower() for name in listed} if isinstance(listed, list) else set()
