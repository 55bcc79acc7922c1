"""From an intent to a connector's request, and from what comes back to an answer for the engine."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from guardship.clock import from_micros
from guardship.playbooks.connector import CallContext, CallFailed, ConnectorRequest
from guardship.playbooks.definition import Outside
from guardship.playbooks.events import Call
from guardship.playbooks.expressions.values import text_of
from guardship.playbooks.turn import Run

_HTTP_OPTIONS = ("authentication", "cookie", "operationOptions")


def request_of(call: Call, deed: Outside) -> ConnectorRequest:
    inputs: dict[str, Any] = call.inputs if isinstance(call.inputs, dict) else {}
    folded = {name.lower(): value for name, value in inputs.items()}
    is_http = "uri" in folded
    path = text_of(folded.get("uri" if is_http else "path"))
    segments = {} if is_http else segments_of(deed, path)
    headers = folded.get("headers")
    queries = folded.get("queries")
    return ConnectorRequest(
        operation=call.operation,
        method=text_of(folded.get("method", deed.operation.method)).upper(),
        path=path,
        segments=segments,
        queries=queries if isinstance(queries, dict) else {},
        headers={name: text_of(value) for name, value in headers.items()} if isinstance(headers, dict) else {},
        body=folded.get("body"),
        options={name: folded[name.lower()] for name in _HTTP_OPTIONS if name.lower() in folded},
    )


def segments_of(deed: Outside, path: str) -> dict[str, str]:
    """The values in the path, decoded as often as the definition encoded them."""
    match = deed.operation.pattern.fullmatch(path)
    if match is None:
        raise CallFailed("InvalidPath", f"the path {path} does not fit {deed.operation.path}: one of its values is empty or holds a slash")
    values: dict[str, str] = {}
    for (name, value), times in zip(match.groupdict().items(), deed.encodings, strict=True):
        for _ in range(times):
            value = unquote(value)
        values[name] = value
    return values


def context_of(call: Call, run: Run, connection: Mapping[str, Any]) -> CallContext:
    return CallContext(
        run_id=run.run_id,
        run_number=run.number,
        playbook_id=run.playbook_id,
        playbook_name=run.playbook_name,
        action_key=call.key,
        attempt=call.attempt,
        idempotency_key=call.idempotency_key,
        deadline=from_micros(call.deadline_at),
        actor=f"playbook {run.playbook_name}, run {run.number}",
        incident_id=run.correlation.get("incident_id"),
        alert_id=run.correlation.get("alert_id"),
        connection=connection,
    )
