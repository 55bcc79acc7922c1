"""From an intent to a connector's request, and from what comes back to an answer for the engine."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from guardship.clock import Clock, from_micros, to_micros
from guardship.errors import GuardshipError
from guardship.playbooks.breakers import Breakers
from guardship.playbooks.connector import CallContext, CallFailed, CallHeld, ConnectorRequest, ConnectorResponse, ConnectorSet, Probing
from guardship.playbooks.definition import Outside, Webhook, Workflow, call_of
from guardship.playbooks.events import WAITS_FOR_APPROVAL, Call, Failure, Held, PartingCall
from guardship.playbooks.expressions.bounds import MOST_DEPTH, is_too_deep
from guardship.playbooks.expressions.values import text_of
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.run import Run
from guardship.telemetry import get_log

CALLS_AT_ONCE = 20  # on one connection
PARTING_SECONDS = 30

log = get_log("calls")

_NOT_OPTIONS = frozenset({"method", "uri", "path", "queries", "headers", "body", "retrypolicy"})


class ConnectionParameters(Protocol):
    def parameters(self, connector: str) -> Mapping[str, Any]: ...


class Came(NamedTuple):
    """What came of a call, in the order of the last fields of `Answered`."""

    status_code: int = 0
    headers: dict[str, str] = {}  # noqa: RUF012  # nobody writes into it
    body: Any = None
    failure: Failure | None = None
    was_probed: bool = False
    is_final: bool = False


class Caller:
    """Calls connectors, some at once on each connection, each with its deadline; whatever they raise becomes an answer."""

    def __init__(self, connectors: ConnectorSet, connections: ConnectionParameters, clock: Clock, fault_points: FaultPoints) -> None:
        self._connectors = connectors
        self._connections = connections
        self._clock = clock
        self._fault_points = fault_points
        self._gates: dict[str, asyncio.Semaphore] = {}
        self._breakers = Breakers(clock.monotonic)

    async def carry_out(self, run: Run, workflow: Workflow, call: Call) -> Came:
        action = workflow.action(call.action)
        return await self.carry_out_deed(run, call_of(action.deed) if action is not None else None, call)

    async def carry_out_deed(self, run: Run, deed: Outside | None, call: Call) -> Came:
        connection = connection_of(deed, call)
        left = self._breakers.seconds_left(connection)
        if left:
            message = f"{connection} failed again and again and is left alone for another {left:.0f} s"
            return Came(failure=Failure("ConnectionOpenCircuit", message, may_retry=True))
        came = await self._carry_out(run, deed, call, self._gates.setdefault(connection, asyncio.Semaphore(CALLS_AT_ONCE)))
        if self._breakers.done(connection, is_fault=_is_fault(came)):
            log.warning("calls.circuit_opened", connection=connection)
        return came

    async def _carry_out(self, run: Run, deed: Outside | None, call: Call, gate: asyncio.Semaphore) -> Came:
        seconds = max((call.deadline_at - to_micros(self._clock.now())) / 1_000_000, 0.001)
        try:
            async with asyncio.timeout(seconds), gate:
                response, was_probed = await self._call(run, deed, call)
            self._fault_points.hit("call.after_send")
            if is_too_deep(response.body):
                return Came(failure=Failure("AnswerTooDeep", f"the answer is nested more than {MOST_DEPTH} deep"))
            headers = {str(name): str(value) for name, value in response.headers.items()}  # plain text: clients have types of their own
            return Came(response.status_code, headers, response.body, was_probed=was_probed, is_final=response.is_final)
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

    async def part(self, run: Run, workflow: Workflow, parting: PartingCall) -> None:
        """Say it once; that it was not heard is logged and no more."""
        action = workflow.action(parting.action)
        deed = action.deed.unsubscribe if action is not None and isinstance(action.deed, Webhook) else None
        if deed is None:
            return
        deadline_at = to_micros(self._clock.now()) + PARTING_SECONDS * 1_000_000
        operation = deed.operation.name
        call = Call(parting.key, parting.action, deed.connector, operation, parting.inputs, 1, parting.idempotency_key, deadline_at, True)
        try:
            async with asyncio.timeout(PARTING_SECONDS):
                await self._call(run, deed, call)
        except (GuardshipError, TimeoutError) as error:
            log.warning("calls.not_parted", run_id=run.run_id, key=parting.key, reason=str(error) or "no answer in time")

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


def connection_of(deed: Outside | None, call: Call) -> str:
    """What calls share limits and faults by: the connection, or for plain HTTP the host."""
    uri = call.inputs.get("uri") if isinstance(call.inputs, dict) else None
    if isinstance(uri, str):
        return f"{call.connector}/{urlsplit(uri).netloc.lower()}"
    return f"{call.connector}/{deed.connection_key if deed and deed.connection_key else ''}"


def _is_fault(came: Came) -> bool:
    if came.failure is not None:
        return came.failure.held is None and (came.failure.may_retry or came.failure.is_timeout)
    return came.status_code >= 500


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
        options={name: value for name, value in folded.items() if name not in _NOT_OPTIONS} | dict(deed.options),
        poll=call.poll,
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
        priority=run.priority,
        depth=(run.correlation.get("parent") or {}).get("depth", 0),
        client_tracking_id=run.correlation.get("tracking_id"),
    )
