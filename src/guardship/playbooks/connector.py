"""What a playbook can do: a connector has a name and operations; each operation says what a crash in its middle calls for.

Connectors live above this package; `server.py` hands them over as a `ConnectorSet`. `retry` may be called again with the same key,
`probe` is asked first whether it was done, `ask` waits for a person. A call never waits for a person itself: it raises `CallHeld`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

from guardship.errors import GuardshipError

DEFAULT_TIMEOUT_SECONDS = 7200.0


class Recovery(StrEnum):
    RETRY = "retry"
    PROBE = "probe"
    ASK = "ask"


@dataclass(frozen=True)
class Operation:
    """`path` is the published template: `/subscriptions/{subscription}/…/jobs`; `has_effect` is False for what only reads."""

    name: str
    method: str
    path: str
    recovery: Recovery
    has_effect: bool = True
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    summary: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        pieces = re.split(r"\{(\w+)\}", self.path.rstrip("/"))
        made = "".join(f"(?P<{piece}>[^/]+)" if index % 2 else re.escape(piece) for index, piece in enumerate(pieces))
        return re.compile(made + "/?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TriggerOffer:
    """A subscription path of a connector, and the name of the payload that an alert carries for it."""

    path: str
    payload: str
    title: str


@dataclass(frozen=True, slots=True)
class ConnectorRequest:
    operation: str
    method: str
    path: str
    segments: Mapping[str, str]  # the values in the path, decoded
    queries: Mapping[str, Any]
    headers: Mapping[str, str]
    body: Any
    options: Mapping[str, Any] = field(default_factory=dict)  # other inputs, by lower-case names: authentication, cookie
    poll: str | None = None  # the call was accepted before: ask here for its answer


@dataclass(frozen=True, slots=True)
class ConnectorResponse:
    status_code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    is_final: bool = False  # of an operation whose answer comes by a call of our address: it does not, this is all


@dataclass(frozen=True, slots=True)
class CallContext:
    run_id: str
    run_number: int
    playbook_id: str
    playbook_name: str
    action_key: str
    attempt: int
    idempotency_key: str
    deadline: datetime
    actor: str
    incident_id: str | None
    alert_id: str | None
    connection: Mapping[str, Any]  # parameters of the connection this action uses, unsealed
    person: str | None = None  # who started the run, if a person did
    approval_id: str | None = None  # what this call has waited for
    priority: int = 10
    depth: int = 0  # how many runs started each other before this one
    client_tracking_id: str | None = None

    @property
    def guid(self) -> str:
        """A GUID that stays the same over attempts and restarts, for targets that want one."""
        return guid_of(self.idempotency_key)


def guid_of(idempotency_key: str) -> str:
    figures = idempotency_key[:32]
    return f"{figures[:8]}-{figures[8:12]}-{figures[12:16]}-{figures[16:20]}-{figures[20:]}"


class CallFailed(GuardshipError):
    """A call that gave no answer. `may_retry` says whether the action's retry policy applies, `is_unknown` that it may have been done."""

    def __init__(self, code: str, message: str, *, may_retry: bool = False, is_unknown: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.may_retry = may_retry
        self.is_unknown = is_unknown


class CallHeld(GuardshipError):
    """A call that did nothing, for a person has to approve it. It is made again with this approval once that is answered, or at `until`."""

    code = "connector.call_held"

    def __init__(self, approval_id: str, message: str, *, until: datetime) -> None:
        super().__init__(message)
        self.approval_id = approval_id
        self.until = until


class Connector(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def operations(self) -> tuple[Operation, ...]: ...

    @property
    def triggers(self) -> tuple[TriggerOffer, ...]: ...

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse: ...


@runtime_checkable
class Probing(Protocol):
    """A connector that can tell whether a call was carried out before the process died: its answer, or None."""

    async def probe(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse | None: ...


class ConnectorSet:
    """Connectors by their published names."""

    def __init__(self, connectors: Iterable[Connector]) -> None:
        self._connectors = {connector.name.lower(): connector for connector in connectors}

    def get(self, name: str) -> Connector | None:
        return self._connectors.get(name.lower())

    def all(self) -> list[Connector]:
        return list(self._connectors.values())

    def nearest(self, name: str) -> str | None:
        close = get_close_matches(name.lower(), self._connectors, n=1, cutoff=0.7)
        return close[0] if close else None
