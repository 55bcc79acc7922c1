"""What stands in a run's journal, what happens to a run, and what the engine wants done.

`Event` is a row of the journal. A `Happening` is handed to `engine.advance`, with the moment and sixteen random bytes drawn for it. A
`Command` leaves the engine; a command for the outside is carried out only after the events that came with it are committed.
Moments are whole microseconds since 1970.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

import orjson

from guardship.errors import Fault
from guardship.playbooks.expressions.values import EvaluationFailed, Value, plain
from guardship.storage.blobs import MOST_BYTES

ENGINE_VERSION = 1
WAITS_FOR_APPROVAL = "WaitsForApproval"  # the code of an action whose call is held


PAYLOADS = ("inputs", "outputs", "items", "value", "trigger")
_PAYLOADS = frozenset(PAYLOADS)
_dumps = orjson.dumps


class EventKind(StrEnum):
    __hash__ = str.__hash__  # an enum's own is Python code, and these are looked up for every event

    RUN_ACCEPTED = "RunAccepted"
    CONTAINER_OPENED = "ContainerOpened"
    UNTIL_CHECKED = "UntilChecked"
    ACTION_STARTED = "ActionStarted"
    ACTION_ENDED = "ActionEnded"
    RETRY_PLANNED = "RetryPlanned"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    VARIABLE_SET = "VariableSet"
    WAIT_OPENED = "WaitOpened"
    MESSAGE_TAKEN = "MessageTaken"
    TIMER_FIRED = "TimerFired"
    CANCEL_ASKED = "CancelAsked"
    RUN_CLAIMED = "RunClaimed"
    RUN_ENDED = "RunEnded"


class Event(NamedTuple):
    """`body` holds plain values; on disk `inputs`, `outputs`, `items`, `value` and `trigger` become payload references."""

    kind: EventKind
    key: str
    at: int
    body: dict[str, Any]
    seed: bytes | None = None
    encoded: dict[str, bytes] | None = None  # the payloads in `body` as JSON


class NotKeepable(EvaluationFailed):
    """A result that cannot be kept; whatever made it fails with the code."""


class OutputNotJson(NotKeepable):
    """Too deep, a cycle, text that is no Unicode, a number that is none."""

    code = "OutputNotJson"


class PayloadTooLarge(NotKeepable):
    code = "PayloadTooLarge"
    fault = Fault.TOO_LARGE


def encode_payloads(body: dict[str, Any]) -> dict[str, bytes] | None:
    """The payloads of a body as JSON; exact decimals in them become plain numbers, in `body` too."""
    encoded: dict[str, bytes] = {}
    for name, value in body.items():
        if name in _PAYLOADS:
            try:
                is_input = name == "outputs" and "inputs" in encoded and value is body["inputs"]  # as Compose gives it
                encoded[name] = encoded["inputs"] if is_input else _dumps(value)
            except (TypeError, RecursionError):
                encoded[name] = _encode_with_decimals(body, name)
            if len(encoded[name]) > MOST_BYTES:
                raise PayloadTooLarge(f"The {name} have {len(encoded[name])} bytes as JSON, the most that is kept are {MOST_BYTES}.")
    return encoded or None


def _encode_with_decimals(body: dict[str, Any], name: str) -> bytes:
    try:
        made = orjson.dumps(body[name], default=plain)
    except (TypeError, RecursionError) as error:
        raise OutputNotJson(f"The {name} cannot be kept as JSON: {error}.") from error
    body[name] = orjson.loads(made)
    return made


@dataclass(frozen=True, slots=True)
class Call:
    key: str
    action: str
    connector: str
    operation: str
    inputs: Value
    attempt: int
    idempotency_key: str
    deadline_at: int
    has_effect: bool
    asks_first: bool = False  # after a crash: ask the target whether it was done
    approval_id: str | None = None  # what the call has waited for
    poll: str | None = None  # where the answer of a call that was accepted is to be had


@dataclass(frozen=True, slots=True)
class SetTimer:
    key: str
    due_at: int
    approval_id: str | None = None  # whose answer brings it forward


@dataclass(frozen=True, slots=True)
class DropTimer:
    key: str


@dataclass(frozen=True, slots=True)
class OpenCallback:
    key: str
    token_hash: bytes
    expires_at: int


@dataclass(frozen=True, slots=True)
class PartingCall:
    """A last word to somebody who is not waited for any more: said once, its answer is not looked at."""

    key: str
    action: str
    inputs: Value
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Respond:
    status_code: int
    headers: dict[str, str]
    body: Value


@dataclass(frozen=True, slots=True)
class AbortCall:
    key: str


Command: TypeAlias = Call | SetTimer | DropTimer | OpenCallback | PartingCall | Respond | AbortCall


@dataclass(frozen=True, slots=True)
class Begin:
    at: int
    seed: bytes


@dataclass(frozen=True, slots=True)
class Resumed:
    """The run was loaded from its journal: whatever is open and not waiting was lost with a process."""

    at: int
    seed: bytes


@dataclass(frozen=True, slots=True)
class Held:
    """The call waits for a person, until this moment at the latest."""

    approval_id: str
    until: int


@dataclass(frozen=True, slots=True)
class Failure:
    code: str
    message: str
    may_retry: bool = False
    is_timeout: bool = False
    is_unknown: bool = False
    held: Held | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    at: int
    seed: bytes
    key: str
    attempt: int
    status_code: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: Value = None
    failure: Failure | None = None
    was_probed: bool = False
    is_final: bool = False  # a webhook's call: nobody will call back, this is the answer


@dataclass(frozen=True, slots=True)
class CalledBack:
    """Somebody called the address that an action gave them."""

    at: int
    seed: bytes
    key: str
    message_id: str
    sender: str
    status_code: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    queries: dict[str, str] = field(default_factory=dict)
    body: Value = None


@dataclass(frozen=True, slots=True)
class TimerFired:
    at: int
    seed: bytes
    key: str
    due_at: int


@dataclass(frozen=True, slots=True)
class CancelAsked:
    at: int
    seed: bytes
    by: str
    reason: str
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """A person says what became of a call whose outcome is unknown: done, again, or failed."""

    at: int
    seed: bytes
    key: str
    choice: str
    by: str
    message_id: str = ""


Happening: TypeAlias = Begin | Resumed | Answered | CalledBack | TimerFired | CancelAsked | Decided
