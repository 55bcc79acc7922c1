"""The state of a run: what its journal says, event by event. `apply` evaluates nothing and does no I/O.

`apply` takes the state over: it changes what it was given and returns it. What the engine counts besides (`open_counts`, `loops`,
`frames`) can be worked out again from the rest and is no part of the state's meaning.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from guardship.playbooks.definition import ENDED
from guardship.playbooks.events import Event, EventKind
from guardship.playbooks.expressions.values import Value


@dataclass(slots=True)
class Record:
    """One action, in one iteration of the loops round it."""

    status: str
    started_at: int
    ended_at: int | None = None
    code: str | None = None
    error: dict[str, Any] | None = None
    inputs: Value = None
    outputs: Value = None
    attempt: int = 0
    intent: dict[str, Any] | None = None  # of a call without a result: operation, recovery, key, deadline
    retries: int = 0  # since the call was made, or was last accepted
    poll: str | None = None  # where the answer of an accepted call is to be had
    wait: str | None = None  # timer, retry, approval, callback
    approval_id: str | None = None  # of a call that a person has to approve, until it has ended or is made for another reason

    @property
    def has_ended(self) -> bool:
        return self.ended_at is not None


@dataclass(slots=True)
class Container:
    kind: str
    opened_at: int
    branch: str | None = None
    items: list[Any] | None = None
    count: int = 0
    iteration: int = 0
    timeout_seconds: float = 0.0


@dataclass(slots=True)
class Loop:
    """How far a Foreach has come."""

    next_index: int = 0
    running: int = 0
    done: int = 0
    has_failed: bool = False
    has_timed_out: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One iteration of a loop, inside the iterations round it. `prefix` begins every key inside."""

    prefix: str
    loop: str
    index: int
    container_key: str
    parent: "Frame | None"


ROOT = Frame("", "", 0, "", None)


@dataclass(slots=True)
class RunState:
    run_id: str
    version: int = 0  # the next position in the journal
    status: str = "Waiting"
    trigger: dict[str, Any] = field(default_factory=dict)
    correlation: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Value] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    accepted_at: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    code: str | None = None
    error: dict[str, Any] | None = None
    outputs: Value = None
    open_counts: dict[tuple[str, str], int] = field(default_factory=dict, compare=False)
    loops: dict[str, Loop] = field(default_factory=dict, compare=False)
    frames: dict[str, Frame] = field(default_factory=dict, compare=False)

    @property
    def has_ended(self) -> bool:
        return self.ended_at is not None

    def frame(self, container_key: str, loop: str, index: int, parent: Frame) -> Frame:
        prefix = f"{container_key}[{index}]/"
        known = self.frames.get(prefix)
        if known is None:
            known = self.frames[prefix] = Frame(prefix, loop, index, container_key, parent)
        return known

    def frame_of(self, key: str) -> Frame:
        """The frame a key stands in: `Outer[0]/Inner[2]/Act` stands in iteration 2 of Inner in iteration 0 of Outer."""
        frame = ROOT
        position = 0
        while (slash := key.find("/", position)) >= 0:
            name, _, index = key[position:slash].partition("[")
            container_key = key[: position + len(name)]
            frame = self.frame(container_key, unquote(name), int(index[:-1]), frame)
            position = slash + 1
        return frame


def name_of(key: str) -> str:
    """The action's name in a key."""
    name = key.rpartition("/")[2]
    return unquote(name) if "%" in name else name


def apply(state: RunState, event: Event) -> RunState:
    _APPLY[event.kind](state, event)
    state.version += 1
    return state


def replay(state: RunState, events: Iterable[Event]) -> RunState:
    for event in events:
        apply(state, event)
    return state


def _accepted(state: RunState, event: Event) -> None:
    state.trigger = {"name": event.body["trigger_name"], "outputs": event.body["trigger"], "startTime": event.at}
    state.correlation = event.body.get("correlation") or {}
    state.accepted_at = event.at


def _begun(state: RunState, event: Event) -> None:
    if state.started_at is None:
        state.started_at = event.at
    if not state.has_ended:
        state.status = "Running"


def _opened(state: RunState, event: Event) -> None:
    _begun(state, event)
    body = event.body
    state.records[event.key] = Record("Running", event.at, inputs=body.get("inputs"))
    state.containers[event.key] = Container(
        kind=body["kind"],
        opened_at=event.at,
        branch=body.get("branch"),
        items=body.get("items"),
        count=body.get("count", 0),
        timeout_seconds=body.get("timeout_seconds", 0.0),
    )


def _checked(state: RunState, event: Event) -> None:
    if not event.body["satisfied"] and not event.body["limit_reached"]:
        state.containers[event.key].iteration = event.body["iteration"] + 1


def _started(state: RunState, event: Event) -> None:
    _begun(state, event)
    body = event.body
    record = state.records.get(event.key)
    if record is None:
        record = state.records[event.key] = Record("Running", event.at)
    record.wait = None
    record.attempt = body["attempt"]
    record.approval_id = body.get("approval_id")
    record.intent = body
    if "inputs" in body:
        record.inputs = body["inputs"]


def _ended(state: RunState, event: Event) -> None:
    body = event.body
    record = state.records.get(event.key)
    if record is None:
        _begun(state, event)
        record = state.records[event.key] = Record(body["status"], event.at)
    record.status = body["status"]
    record.ended_at = event.at
    record.code = body.get("code")
    record.error = body.get("error")
    record.intent = record.wait = None
    if "inputs" in body:
        record.inputs = body["inputs"]
    record.outputs = body.get("outputs")


def _retry_planned(state: RunState, event: Event) -> None:
    record = state.records[event.key]
    record.wait = "retry"
    record.attempt = event.body["next_attempt"] - 1  # a held call is the same attempt again
    record.approval_id = event.body.get("approval_id")
    if "poll" in event.body:
        record.poll, record.retries = event.body["poll"], 0
    elif record.approval_id is None:
        record.retries += 1


def _unknown(state: RunState, event: Event) -> None:
    state.records[event.key].wait = "approval"


def _variable(state: RunState, event: Event) -> None:
    state.variables[event.body["name"].casefold()] = event.body["value"]


def _wait_opened(state: RunState, event: Event) -> None:
    _begun(state, event)
    record = state.records.get(event.key)
    if record is None:
        record = state.records[event.key] = Record("Running", event.at, inputs=event.body.get("inputs"))
    record.wait = event.body["kind"]
    record.intent = None


def _nothing(state: RunState, event: Event) -> None:
    pass


def _run_ended(state: RunState, event: Event) -> None:
    _begun(state, event)
    state.status = event.body["status"]
    state.code = event.body.get("code")
    state.error = event.body.get("error")
    state.outputs = event.body.get("outputs")
    state.ended_at = event.at


_APPLY: dict[EventKind, Callable[[RunState, Event], None]] = {
    EventKind.RUN_ACCEPTED: _accepted,
    EventKind.CONTAINER_OPENED: _opened,
    EventKind.UNTIL_CHECKED: _checked,
    EventKind.ACTION_STARTED: _started,
    EventKind.ACTION_ENDED: _ended,
    EventKind.RETRY_PLANNED: _retry_planned,
    EventKind.OUTCOME_UNKNOWN: _unknown,
    EventKind.VARIABLE_SET: _variable,
    EventKind.WAIT_OPENED: _wait_opened,
    EventKind.MESSAGE_TAKEN: _nothing,
    EventKind.TIMER_FIRED: _nothing,
    EventKind.CANCEL_ASKED: _nothing,
    EventKind.RUN_CLAIMED: _nothing,
    EventKind.RUN_ENDED: _run_ended,
}


def open_waits(state: RunState) -> dict[str, str]:
    """Actions that wait for a timer, a retry or a person."""
    return {key: record.wait for key, record in state.records.items() if record.wait is not None and not record.has_ended}


def commands_open(state: RunState) -> list[str]:
    """Keys of calls with an intent and no result that nothing is waited for: after a crash these go through the recovery policies."""
    return [
        key for key, record in state.records.items() if record.intent is not None and record.wait is None and record.status not in ENDED
    ]
