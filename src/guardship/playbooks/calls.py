"""From an intent to a connector's request, and from what comes back to an answer for the engine."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote

from guardship.clock import Clock, from_micros, to_micros
from guardship.playbooks.connector import CallContext, CallFailed, CallHeld, ConnectorRequest, ConnectorResponse, ConnectorSet, Probing
from guardship.playbooks.definition import Outside, Workflow
from guardship.playbooks.events import WAITS_FOR_APPROVAL, Call, Failure, Held
from guardship.playbooks.expressions.values import text_of
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.turn import Run
from guardship.telemetry import get_log

CALLS_AT_ONCE = 20  # on one connection

log = get_log("calls")

_HTTP_OPTIONS = ("authentication", "cookie", "operationOptions")


class ConnectionParameters(Protocol):
    def parameters(self, connector: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a call."""

    status_code: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    failure: Failure | None = None
    was_probed: bool = False


class Caller:
    """Calls connectors, some at once on each connection, each with its deadline; whatever they raise becomes an answer."""

    def __init__(self, connectors: ConnectorSet, connections: ConnectionParameters, clock: Clock, fault_points: FaultPoints) -> None:
        self._connectors = connectors
        self._connections = connections
        self._clock = clock
        self._fault_points = fault_points
        self._gates: dict[str, asyncio.Semaphore] = {}

    async def carry_out(self, run: Run, workflow: Workflow, call: Call) -> Came:
        action = workflow.action(call.action)
        deed = action.deed if action is not None and isinstance(action.deed, Outside) else None
        gate = self._gates.setdefault(f"{call.connector}/{deed.connection_key if deed else ''}", asyncio.Semaphore(CALLS_AT_ONCE))
        seconds = max((call.deadline_at - to_micros(self._clock.now())) / 1_000_000, 0.001)
        try:
            async with asyncio.timeout(seconds), gate:
                response, was_probed = await self._call(run, deed, call)
            self._fault_points.hit("call.after_send")
            headers = {str(name): str(value) for name, value in response.headers.items()}  # plain text: clients have types of their own
            return Came(response.status_code, headers, response.body, was_probed=was_probed)
        except CallFailed as error:
            return Came(failure=Failure(error.code, error.message, error.may_retry, is_unknown=error.is_unknown))
        except CallHeld as error:
            held = Held(error.approval_id, to_micros(error.until))
            return Came(failure=Failure(WAITS_FOR_APPROVAL, error.message, held=held))
        except TimeoutError:
            return Came(failure=Failure("ActionTimedOut", "the call was not answered before its deadline", is_timeout=True))
        except Exception as error:
            log.exception("calls.connector_fault", run_id=run.run_id, key=call.key, connector=call.connector)
            return Came(failure=Failure("ConnectorFault", f"{type(error).__name__}: {error}", is_unknown=True))

    async def _call(self, run: Run, deed: Outside | None, call: Call) -> tuple[ConnectorResponse, bool]:
        connector = self._connectors.get(call.connector)
        if connector is None or deed is None:
            raise CallFailed("UnknownConnector", f"there is no connector called {call.connector} any more")
        request = request_of(call, deed)
        context = context_of(call, run, self._connections.parameters(call.connector))
        if call.asks_first and isinstance(connector, Probing):
            known = await connector.probe(request, context)
            if known is not None:
                return known, True
        self._fault_points.hit("call.before_send")
        return await connector.call(request, context), False


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
        person=run.correlation.get("person"),
        approval_id=call.approval_id,
    )
