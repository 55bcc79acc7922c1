"""Triggers of a definition: the alert subscriptions of connectors, and Request with its signed address."""

from typing import Any

from guardship.playbooks.actions.calls import connection_key, connector_of
from guardship.playbooks.actions.conditions import read_condition
from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.definition import Path, Trigger

REQUEST = "request"
SUPPORTED = ("ApiConnectionWebhook", "Request", "Manual")


def read_triggers(document: Any, reading: Reading) -> tuple[Trigger, ...]:
    listed = reading.object(document, ("triggers",), what="the triggers")
    if not listed:
        reading.problem(("triggers",), "the playbook has no trigger", "InvalidDefinition")
    made = [_read(name, given, ("triggers", name), reading) for name, given in listed.items()]
    return tuple(trigger for trigger in made if trigger is not None)


def _read(name: str, document: Any, path: Path, reading: Reading) -> Trigger | None:
    given = reading.object(document, path, what="a trigger")
    written = str(field_of(given, "type", ""))
    inputs = field_of(given, "inputs")
    fields: dict[str, Any] = inputs if isinstance(inputs, dict) else {}
    payload, connector = REQUEST, None
    match written.lower():
        case "apiconnectionwebhook":
            offered = _subscription(fields, path, reading)
            if offered is None:
                return None
            connector, payload = offered
        case "request" | "manual":
            pass
        case _:
            hint = f"supported are {', '.join(SUPPORTED)}"
            reading.problem((*path, "type"), f"the trigger type {written or '(none)'} is not supported", "UnsupportedTrigger", hint=hint)
            return None
    reading.check({key: value for key, value in fields.items() if key.lower() not in ("body", "schema")}, (*path, "inputs"))
    schema, method = field_of(fields, "schema"), field_of(fields, "method")
    runtime = field_of(given, "runtimeConfiguration")
    split_on = field_of(given, "splitOn")
    return Trigger(
        name=name,
        kind="Request" if payload == REQUEST else "ApiConnectionWebhook",
        payload=payload,
        connector=connector,
        method=method.upper() if isinstance(method, str) else None,
        schema=schema if isinstance(schema, dict) and schema else None,
        conditions=_conditions(given, path, reading),
        split_on=reading.tree(split_on, (*path, "splitOn")) if split_on else None,
        runs_at_once=_runs_at_once(given),
        hides_outputs="outputs" in _hidden(runtime),
    )


def _subscription(inputs: dict[str, Any], path: Path, reading: Reading) -> tuple[str, str] | None:
    place = (*path, "inputs")
    host = field_of(inputs, "host")
    connection = field_of(host, "connection") if isinstance(host, dict) else None
    key = connection_key(field_of(connection, "name")) if isinstance(connection, dict) else None
    connector = connector_of(key, (*place, "host"), reading)
    if connector is None:
        return None
    written = str(field_of(inputs, "path", ""))
    for offer in connector.triggers:
        if offer.path.lower().rstrip("/") == written.lower().rstrip("/"):
            return connector.name, offer.payload
    known = ", ".join(offer.path for offer in connector.triggers)
    message = f"the connector {connector.name} has no trigger {written}"
    reading.problem((*place, "path"), message, "UnsupportedTrigger", hint=f"it has {known}" if known else None)
    return None


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


def _runs_at_once(document: dict[str, Any]) -> int | None:
    if "singleinstance" in str(field_of(document, "operationOptions", "")).lower():
        return 1
    runtime = field_of(document, "runtimeConfiguration")
    concurrency = field_of(runtime, "concurrency") if isinstance(runtime, dict) else None
    runs = field_of(concurrency, "runs") if isinstance(concurrency, dict) else None
    return runs if isinstance(runs, int) else None


def _hidden(runtime: Any) -> set[str]:
    secure = field_of(runtime, "secureData") if isinstance(runtime, dict) else None
    listed = field_of(secure, "properties") if isinstance(secure, dict) else None
    return {str(name).lower() for name in listed} if isinstance(listed, list) else set()
