"""A connector whose operations are published data, and the ways they are carried out here: its back ends.

`lab` acts on our own stores, `azure` calls the real service, `replay` answers from a recording. The connection chooses by its parameter
`back_end`; without one, the service where the connection holds what opens it, else the lab. What no back end has fails with its name, and
`what_cannot_run` tells it before anything is published.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from guardship.connectors.published_operations import Published
from guardship.connectors.recordings import append, record_of
from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    ConnectorRequest,
    ConnectorResponse,
    ConnectorSet,
    Operation,
    Probing,
    TriggerOffer,
)
from guardship.playbooks.definition import Outside, Workflow

LAB, AZURE, REPLAY = "lab", "azure", "replay"


class BackEnd(Protocol):
    """One way to carry out operations of one connector. One that is `Probing` too can tell what was done before a crash."""

    def missing(self, operation: str, connection: Mapping[str, Any]) -> str | None:
        """Why it cannot carry this out, in words that show the way out; None where it can."""
        ...

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse: ...


class PublishedConnector:
    def __init__(self, published: Published, back_ends: Mapping[str, BackEnd] | None = None, *, recordings: Path | None = None) -> None:
        """`recordings` is the folder where a connection that says `record` has its answers written down."""
        self.name = published.name
        self.title = published.title
        self.operations: tuple[Operation, ...] = published.operations
        self.triggers: tuple[TriggerOffer, ...] = published.triggers
        self._back_ends = dict(back_ends or {})
        self._recording = recordings / f"{self.name}.jsonl" if recordings else None

    @classmethod
    def of_operations(
        cls, name: str, title: str, operations: Sequence[Operation], back_ends: Mapping[str, BackEnd] | None = None
    ) -> "PublishedConnector":
        """A custom connector, whose operations come from its Swagger document."""
        made = cls(Published(name.lower(), title), back_ends)
        made.operations = tuple(operations)
        return made

    def missing(self, operation: str, connection: Mapping[str, Any]) -> str | None:
        """Why this operation cannot run here with this connection; None where it can."""
        return self._chosen(operation, connection)[1]

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        response = await self._end(request, context).call(request, context)
        if self._recording is not None and context.connection.get("record") is True:
            operation = next((one for one in self.operations if one.name == request.operation), None)
            await asyncio.to_thread(append, self._recording, record_of(self.name, request, response, context.connection, operation))
        return response

    async def probe(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse | None:
        end = self._end(request, context)
        return await end.probe(request, context) if isinstance(end, Probing) else None

    def _end(self, request: ConnectorRequest, context: CallContext) -> BackEnd:
        end, reason = self._chosen(request.operation, context.connection)
        if end is None:
            raise CallFailed("UnsupportedOperation", f"{self.name} cannot carry out {request.method} {request.path} here: {reason}")
        return end

    def _chosen(self, operation: str, connection: Mapping[str, Any]) -> tuple[BackEnd | None, str | None]:
        wanted = str(connection.get("back_end") or "").lower()
        if wanted and wanted not in self._back_ends:
            known = ", ".join(sorted(self._back_ends)) or "none"
            return None, f"the connection asks for the back end {wanted}, and there are: {known}"
        reasons = []
        for name in [wanted] if wanted else [AZURE, LAB]:
            end = self._back_ends.get(name)
            reason = end.missing(operation, connection) if end else None
            if end and reason is None:
                return end, None
            if reason:
                reasons.append(reason)
        return None, "; ".join(reasons) or "no back end of ours has it; a connection with back_end replay answers from a recording"


@dataclass(frozen=True, slots=True)
class CannotRun:
    """An action whose operation has no back end here."""

    action: str
    connector: str
    operation: str
    reason: str


def what_cannot_run(
    workflow: Workflow, connectors: ConnectorSet, parameters_of: Callable[[str], Mapping[str, Any]] = lambda name: {}
) -> list[CannotRun]:
    """What would fail with `UnsupportedOperation`, told before the playbook is published."""
    found = []
    for action in workflow.actions.values():
        for call in _calls_of(action.deed):
            connector = connectors.get(call.connector)
            reason = (
                connector.missing(call.operation.name, parameters_of(call.connector)) if isinstance(connector, PublishedConnector) else None
            )
            if reason is not None:
                found.append(CannotRun(action.name, call.connector, call.operation.name, reason))
    return found


def _calls_of(deed: object) -> Iterable[Outside]:
    """The call an action makes: its own, or the one by which it gives its address away and waits."""
    for call in (deed, getattr(deed, "subscribe", None)):
        if isinstance(call, Outside):
            yield call
