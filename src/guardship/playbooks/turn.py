"""One run while it is worked on: what comes in goes through the engine, what comes out is committed, then carried out.

A turn holds the run's state in memory and lasts until the run ends or only waits remain. At most one append is under way; what happens
meanwhile is gathered for the next. A call with an effect leaves only when the commit of its intent is known.
"""

from asyncio import Lock, Task, TimerHandle
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, assert_never

import orjson

from guardship.playbooks.child_answers import answer_of
from guardship.playbooks.definition import Workflow
from guardship.playbooks.engine import Step
from guardship.playbooks.events import (
    AbortCall,
    Call,
    CalledBack,
    CancelAsked,
    Command,
    Decided,
    DropTimer,
    Event,
    EventKind,
    Happening,
    OpenCallback,
    PartingCall,
    Respond,
    SetTimer,
)
from guardship.playbooks.journal import Append, StaleLease
from guardship.playbooks.journal_reading import Message
from guardship.playbooks.journal_writer import JournalUnavailable
from guardship.playbooks.projection import Projection
from guardship.playbooks.run import Run
from guardship.playbooks.state import RunState, commands_open, open_waits
from guardship.telemetry import get_log

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
MOST_EVENTS_HELD = 200
ENGINE_FAULT = "EngineFault"

log = get_log("turn")

_WAITS = frozenset({EventKind.WAIT_OPENED, EventKind.RETRY_PLANNED, EventKind.OUTCOME_UNKNOWN})
_FORCES_COMMIT = _WAITS | {EventKind.RUN_ENDED}


class Host(Protocol):
    """What a turn needs of the runner."""

    def draw(self) -> tuple[int, bytes]: ...

    def step(self, turn: "Turn", happening: Happening) -> Step | str:
        """What the engine makes of it, or the fault it met."""
        ...

    def submit(self, append: Append, done: Callable[[Any, Exception | None], None]) -> None: ...

    def rows(self, turn: "Turn", first_seq: int, events: list[Event]) -> tuple[list[tuple[Any, ...]], list[tuple[str, bytes]]]: ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> "Task[None]": ...

    def later(self, seconds: float, act: Callable[[], object]) -> TimerHandle: ...

    def carry_out(self, turn: "Turn", call: Call) -> Coroutine[Any, Any, None]: ...

    def part(self, turn: "Turn", parting: PartingCall) -> Coroutine[Any, Any, None]: ...

    def respond(self, run_id: str, response: Respond) -> None: ...

    def mark_dirty(self, turn: "Turn") -> None: ...

    def timer_set(self, timer: SetTimer) -> None: ...

    def committed(self, turn: "Turn", append: Append) -> None: ...

    def over(self, turn: "Turn") -> None: ...

    def park(self, turn: "Turn") -> None: ...

    def hit(self, point: str) -> None: ...


class Turn:
    def __init__(
        self,
        host: Host,
        run: Run,
        workflow: Workflow,
        state: RunState,
        projection: Projection,
        epoch: int,
        *,
        is_accepted: bool = True,  # else its acceptance is on the way, and nothing leaves before a commit
    ) -> None:
        self.run = run
        self.workflow = workflow
        self.state = state
        self.projection = projection
        self.epoch = epoch
        self.calls: dict[str, Task[None]] = {}
        self.is_over = False
        self.has_kept_its_end = False
        self._is_accepted = is_accepted
        self._host = host
        self._version = state.version  # as committed
        self._buffer: list[Event] = []
        self._held: list[Command] = []  # carried out after the commit of the buffer
        self._timers: dict[str, SetTimer | None] = {}
        self._taken: list[tuple[str, int, str]] = []
        self._callbacks: list[tuple[bytes, str, int]] = []
        self._response: Respond | None = None
        self._moving: Lock | None = None
        self._seen_messages: set[str] = set()
        self._deadlines: dict[str, int] = {}
        self._has_waited = any(record.wait for record in state.records.values())
        self._is_writing = False
        self._pause = FIRST_PAUSE_SECONDS

    def moving(self) -> Lock:
        """Held while news are given to the turn, and while the run is given back."""
        if self._moving is None:
            self._moving = Lock()
        return self._moving

    @property
    def is_idle(self) -> bool:
        return not (self.calls or self._buffer or self._held or self._is_writing or self.is_over or self.state.has_ended)

    def accepted(self, run: Run) -> None:
        """The run is in the journal, and has its number."""
        self.run = run
        self._is_accepted = True

    def note(self, event: Event) -> None:
        """An event that does not come from the engine, already applied to the state."""
        self._buffer.append(event)

    def feed(self, happening: Happening) -> None:
        if self.is_over or self.state.has_ended:
            return
        step = self._host.step(self, happening)
        if isinstance(step, str):
            self._fail(happening.at, step)
            return
        self._buffer.extend(step.events)
        must_write = len(self._buffer) >= MOST_EVENTS_HELD
        for event in step.events:
            kind = event.kind
            if kind in _FORCES_COMMIT:
                must_write = True
                self._has_waited = self._has_waited or kind in _WAITS
            elif kind is EventKind.ACTION_STARTED:
                self._deadlines[event.key] = event.body["deadline_at"]
            elif self._deadlines and kind is EventKind.ACTION_ENDED:
                self._deadlines.pop(event.key, None)
        for command in step.commands:
            self._sort(command)
            must_write = True
        if must_write:
            self.flush()
        elif self._buffer:
            self._host.mark_dirty(self)

    def _sort(self, command: Command) -> None:
        """Carry out what may go now, hold the rest for the commit."""
        match command:
            case Call() if not command.has_effect and self._is_accepted:
                self._begin(command)
            case Call() | PartingCall():
                self._held.append(command)
            case Respond():
                self._held.append(command)
                self._response = self._response or command
            case OpenCallback():
                self._callbacks.append((command.token_hash, command.key, command.expires_at))
            case SetTimer():
                self._timers[command.key] = command
                self._deadlines[command.key] = command.due_at
            case DropTimer():
                self._timers[command.key] = None
                self._deadlines.pop(command.key, None)
            case AbortCall():
                task = self.calls.pop(command.key, None)
                if task is not None:
                    task.cancel()
            case _:
                assert_never(command)

    def take_message(self, message: Message) -> None:
        if message.message_id in self._seen_messages:
            return
        self._seen_messages.add(message.message_id)
        at, seed = self._host.draw()
        position = self._version + len(self._buffer)
        self._taken.append((message.message_id, position, "taken"))
        if message.kind == "cancel":
            self.feed(CancelAsked(at, seed, message.sender, str(message.body.get("reason", "")), message.message_id))
        elif message.kind == "approval":
            self.feed(Decided(at, seed, message.key, str(message.body.get("choice", "")), message.sender, message.message_id))
        elif message.kind == "callback":
            self.feed(CalledBack(at, seed, message.key, message.message_id, message.sender, **_told(message.body)))
        self.flush()

    def _fail(self, at: int, reason: str, *, lost: Sequence[Event] = ()) -> None:
        """A fault of ours ends this run with a reason instead of being met again and again. Of what is `lost`, how it ended is told."""
        for task in self.calls.values():
            task.cancel()
        self.calls.clear()
        self._held.clear()
        for event in lost:
            if event.kind is EventKind.ACTION_ENDED:
                self._buffer.append(Event(event.kind, event.key, event.at, {"status": event.body["status"], "code": ENGINE_FAULT}))
        for key, record in self.state.records.items():
            if not record.has_ended:
                self._buffer.append(Event(EventKind.ACTION_ENDED, key, at, {"status": "Cancelled", "code": ENGINE_FAULT}))
        body: dict[str, Any] = {"status": "Failed", "code": ENGINE_FAULT, "error": {"code": ENGINE_FAULT, "message": reason}}
        self._buffer.append(Event(EventKind.RUN_ENDED, "", at, body))
        self.state.status, self.state.ended_at = "Failed", at
        self.state.code, self.state.error = ENGINE_FAULT, body["error"]
        self.flush()

    def flush(self) -> None:
        if self._is_writing or self.is_over or not (self._buffer or self._taken or self._timers):
            return
        events, self._buffer = self._buffer, []
        held, self._held = self._held, []
        timers, self._timers = self._timers, {}
        taken, self._taken = self._taken, []
        callbacks, self._callbacks = self._callbacks, []
        try:
            rows, blobs = self._host.rows(self, self._version, events)
            head = self._head()
        except (TypeError, ValueError, RecursionError) as error:
            log.exception("turn.not_writable", run_id=self.run.run_id)
            if self.state.code == ENGINE_FAULT:  # not even that: the next lease tries again, from what is written
                self.abandon()
                return
            self._taken, self._timers = taken, dict.fromkeys(timers)
            self._fail(self._host.draw()[0], f"what the run has done cannot be written down: {error}", lost=events)
            return
        actions = [row.values() for row in self.projection.take_touched()]
        forgets = self.state.has_ended and self.projection.has_sealed
        append = Append(self.run.run_id, self.epoch, self._version, rows, actions, timers, taken, head, blobs, forgets, callbacks)
        parent = self.run.correlation.get("parent")
        if parent and parent["waits"]:
            append.answers = answer_of(self.run, parent, self.state, self._response, self._host.draw()[0])
        self._write(append, held)

    def _head(self) -> tuple[Any, ...]:
        state = self.state
        status = state.status
        if self._has_waited and not state.has_ended and open_waits(state) and not commands_open(state):
            status = "Waiting"
        error = None if state.error is None else orjson.dumps(state.error).decode()
        due_at = min(self._deadlines.values()) if self._deadlines and not state.has_ended else None
        return (status, state.code, error, state.started_at, state.ended_at, due_at)

    def _write(self, append: Append, held: list[Command]) -> None:
        self._is_writing = True

        def done(version: Any, error: Exception | None) -> None:
            self._is_writing = False
            if self.is_over:
                return
            if error is None:
                self._pause = FIRST_PAUSE_SECONDS
                self._version = int(version)
                self._after_commit(append, held)
            elif isinstance(error, JournalUnavailable):
                self._write_later(append, held)
            elif isinstance(error, StaleLease) or self.state.code == ENGINE_FAULT:
                log.warning("run.lease_lost", run_id=self.run.run_id, reason=str(error))
                self.abandon()
            else:
                log.error("turn.refused", run_id=self.run.run_id, reason=str(error))
                self._fail(self._host.draw()[0], f"what the run has done could not be written down: {error}")

        if self.is_over:
            return
        try:
            self._host.hit("result.before_commit")
            self._host.submit(append, done)
        except JournalUnavailable:
            self._is_writing = False
            self._write_later(append, held)

    def _write_later(self, append: Append, held: list[Command]) -> None:
        self._is_writing = True  # nothing may overtake it
        self._host.later(self._pause, lambda: self._write(append, held))
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)

    def _after_commit(self, append: Append, held: list[Command]) -> None:
        self._host.committed(self, append)
        for timer in append.timers.values():
            if timer is not None:
                self._host.timer_set(timer)
        for command in held:
            if isinstance(command, Call):
                self._host.hit("intent.after_commit")
                self._begin(command)
            elif isinstance(command, PartingCall):
                self._host.spawn(self._host.part(self, command))
            elif isinstance(command, Respond):
                self._host.respond(self.run.run_id, command)
        if self._buffer or self._taken or self._timers:
            self.flush()
        elif self.state.has_ended:
            self.is_over = self.has_kept_its_end = True
            self._host.over(self)
        elif self.is_idle:
            self._host.park(self)

    def _begin(self, call: Call) -> None:
        if self.state.records[call.key].has_ended:
            return  # the run was ended meanwhile
        self.calls[call.key] = self._host.spawn(self._host.carry_out(self, call))

    def abandon(self) -> None:
        """Another has taken the run over: nothing more is written or sent."""
        self.is_over = True
        for task in self.calls.values():
            task.cancel()
        self.calls.clear()
        self._host.over(self)


def _told(body: dict[str, Any]) -> dict[str, Any]:
    """What a call of an address brought, by the names it has in `CalledBack`."""
    names = {"statusCode": "status_code", "headers": "headers", "queries": "queries", "body": "body"}
    return {name: body[written] for written, name in names.items() if written in body}
