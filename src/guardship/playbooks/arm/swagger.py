"""The operations of a custom connector, from its Swagger 2.0.

`{"host": "api.example.org", "basePath": "/v1", "paths": {"/users/{id}": {"get": {"operationId": "GetUser", "parameters": [{"name": "id",
"in": "path", "required": true, "type": "string"}]}}}}`.
"""

from collections.abc import Mapping
from typing import Any

from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.found import FoundOperation, FoundParameter

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


def operations_of(swagger: Any) -> tuple[FoundOperation, ...]:
    paths = field_of(swagger, "paths") if isinstance(swagger, dict) else None
    found = []
    for path, item in paths.items() if isinstance(paths, dict) else ():
        if not isinstance(item, dict):
            continue
        shared = field_of(item, "parameters")
        for method, operation in item.items():
            if method.lower() in _METHODS and isinstance(operation, dict):
                found.append(_operation(method.upper(), path, operation, shared, swagger))
    return tuple(found)


def service_uri(swagger: Any) -> str:
    if not isinstance(swagger, dict) or not isinstance(host := field_of(swagger, "host"), str):
        return ""
    schemes = field_of(swagger, "schemes")
    scheme = "https" if not isinstance(schemes, list) or not schemes or "https" in schemes else str(schemes[0])
    return f"{scheme}://{host}{str(field_of(swagger, 'basePath') or '').rstrip('/')}"


def _operation(method: str, path: str, operation: dict[str, Any], shared: Any, swagger: Mapping[str, Any]) -> FoundOperation:
    own = field_of(operation, "parameters")
    named: dict[tuple[str, str], FoundParameter] = {}  # an operation's own parameter replaces one of the path
    for written in [*(shared if isinstance(shared, list) else ()), *(own if isinstance(own, list) else ())]:
        made = _parameter(written, swagger)
        if made is not None:
            named[made.place, made.name] = made
    summary = str(field_of(operation, "summary") or field_of(operation, "description") or "")
    called = str(field_of(operation, "operationId") or f"{method} {path}")
    return FoundOperation(called, method, path, tuple(named.values()), summary)


def _parameter(written: Any, swagger: Mapping[str, Any]) -> FoundParameter | None:
    if isinstance(written, dict) and isinstance(reference := written.get("$ref"), str):
        known = field_of(swagger, "parameters")
        written = field_of(known, reference.rpartition("/")[2]) if isinstance(known, dict) else None
    if not isinstance(written, dict):
        return None
    schema = field_of(written, "schema")
    kind = field_of(written, "type") or (field_of(schema, "type", "object") if isinstance(schema, dict) else "")
    summary = str(field_of(written, "x-ms-summary") or field_of(written, "description") or "")
    return FoundParameter(
        str(field_of(written, "name", "")), str(field_of(written, "in", "")), str(kind), field_of(written, "required") is True, summary
    )
