"""Runs playbooks: accepts triggers, takes turns, calls connectors, wakes what waited, and goes on after a crash.

All turns live in one event loop; `accept`, `cancel` and `decide` may be called from any thread and return after the commit.
"""

import asyncio
from asyncio import AbstractEventLoop, Task
from collections.abc import Callable, Coroutine
from concurrent.futures import Future as ThreadFuture
from functools import partial
from time import monotonic
from typing import Any

from guardship.clock import Clock, to_micros
from guardship.errors import GuardshipError
from guardship.playbooks.calls import Caller, ConnectionParameters
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.dispatch.boundary import Dispatch
from guardship.playbooks.dispatch.local import LocalDispatch
from guardship.playbooks.draws import Draws
from guardship.playbooks.engine import Step, advance
from guardship.playbooks.events import (
    Answered,
    Begin,
    Call,
    Event,
    EventKind,
    Happening,
    PartingCall,
    Respond,
    Resumed,
    SetTimer,
    TimerFired,
)
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.firing import Firing, Playbooks
from guardship.playbooks.journal import Accepted, Append, Journal
from guardship.playbooks.journal_sql import LEASE_SECONDS
from guardship.playbooks.journal_writer import JournalUnavailable, settling
from guardship.playbooks.messages import Messages
from guardship.playbooks.new_runs import new_run
from guardship.playbooks.projection import Projection
from guardship.playbooks.rounds import every
from guardship.playbooks.run import Fresh, Run
from guardship.playbooks.slots import Slots, at_once
from guardship.playbooks.state import RunState, apply
from guardship.playbooks.taking_up import TakingUp
from guardship.playbooks.timers import Timers
from guardship.playbooks.turn import Turn
from guardship.playbooks.waiters import Waiters
from guardship.telemetry import get_log

FLUSH_SECONDS = 0.5
SWEEP_SECONDS = 10.0
SAFE_SECONDS = LEASE_SECONDS - 5.0

log = get_log("runner")


class Runner:
    def __init__(
        self,
        journal: Journal,
        playbooks: Playbooks,
        connectors: ConnectorSet,
        connections: ConnectionParameters,
        clock: Clock,
        fault_points: FaultPoints,
        *,
        dispatch: Dispatch | None = None,
    ) -> None:
        self.worker = journal.worker_id()
        self._journal = journal
        self._playbooks = playbooks
        self._draws = Draws(clock)
        self.caller = Caller(connectors, connections, clock, fault_points)
        self._timers = Timers(journal, clock, fault_points, self._wake)
        self._clock = clock
        self._fault_points = fault_points
        self._dispatch: Dispatch = dispatch or LocalDispatch()
        self._held_until = monotonic() + SAFE_SECONDS  # whatever was leased before
        self._loop: AbstractEventLoop | None = None
        self._turns: dict[str, Turn] = {}
        self._fresh: dict[str, Fresh] = {}
        self._told: set[str] = set()  # those of the fresh that a message has come for
        self._dirty: set[Turn] = set()
        self._tasks: set[Task[None]] = set()
        self._loops: list[Task[None]] = []
        self._waiters = Waiters()
        self.slots = Slots(journal.open_runs)
        self._taking_up = TakingUp(journal, playbooks, self.slots, self.worker)
        self.messages = Messages(journal, self._wake, self._wake_soon)
        self._listeners: list[Callable[[str], None]] = []

    async def start(self) -> None:
        """Take what a process before this one left, then go on with what is new."""
        self._loop = asyncio.get_running_loop()
        self._journal.start()
        left = await self._journal.free_leftovers()
        if left:
            log.info("runner.recovering", runs=left)
        self._dispatch.start(self._take_turn, self._hear)
        await self._sweep()
        rounds = (self._timers.run(), every(FLUSH_SECONDS, self._flush), every(SWEEP_SECONDS, self._keep_at_it))
        self._loops = [self._loop.create_task(work) for work in rounds]

    async def stop(self, *, grace_seconds: float = 5.0) -> None:
        """Let calls end for a while; what is still under way is recovered at the next start."""
        self._dispatch.stop()
        for loop_task in self._loops:
            loop_task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        for turn in list(self._turns.values()):
            turn.flush()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._journal.stop)

    def listen(self, act: Callable[[str], None]) -> None:
        """Have `act(run_id)` called in the loop's thread after every commit of a run."""
        self._listeners.append(act)

    def accept(self, firing: Firing, *, dedup_key: str | None = None) -> Accepted:
        """From any thread; returns after the commit."""
        waiting: ThreadFuture[Accepted] = ThreadFuture()
        self._accept(firing, dedup_key, settling(waiting), None)
        return waiting.result(timeout=60)

    async def accept_soon(self, firing: Firing, *, dedup_key: str | None = None, wants_response: bool = False) -> Accepted:
        """The same in the event loop, without blocking it; who wants the run's response asks for it here, and then for `response`."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Accepted] = loop.create_future()
        run_id = self._accept(firing, dedup_key, settling(waiting), loop)
        if wants_response:
            self._waiters.expect_response(run_id)
        return await waiting

    def _accept(
        self, firing: Firing, dedup_key: str | None, settle: Callable[[Any, Exception | None], None], loop: AbstractEventLoop | None
    ) -> str:
        published = self._playbooks.published(firing.playbook_id)
        run_id = self._draws.run_id()
        new = new_run(run_id, firing, published, dedup_key)
        limit = at_once(published.workflow, new.trigger_name)
        acceptance = self._journal.accepting(new, published.workflow, self.worker)
        early: list[Turn] = []

        def done(accepted: Accepted | None, error: Exception | None) -> None:
            if accepted is not None and accepted.is_new:
                self._fault_points.hit("accept.after_commit")
                run = Run(run_id, accepted.number, firing.playbook_id, published.playbook_name, firing.priority, new.correlation)
                if early:
                    early[0].accepted(run)
                else:
                    self._begin_fresh(Fresh(run, published.workflow, acceptance.event, acceptance.is_sealed), in_loop=loop is not None)
            elif early:
                early[0].abandon()
            settle(accepted, error)

        self._journal.accept(acceptance, done, loop)
        if (
            limit is None
            and loop is not None
            and loop is self._loop
            and self._dispatch.begin_now(run_id, firing.priority, firing.playbook_id)
        ):
            # Worked out while the disk syncs; what it makes is queued after the acceptance, and fenced by it.
            self._fault_points.hit("dispatch.wake")
            run = Run(run_id, 0, firing.playbook_id, published.playbook_name, firing.priority, new.correlation)
            early.append(self._begin(Fresh(run, published.workflow, acceptance.event, acceptance.is_sealed), is_accepted=False))
        return run_id

    def _begin_fresh(self, fresh: Fresh, *, in_loop: bool) -> None:
        if in_loop:
            self._wake_fresh(fresh)
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake_fresh, fresh)

    def _wake_fresh(self, fresh: Fresh) -> None:
        self._fresh[fresh.run.run_id] = fresh
        self._fault_points.hit("dispatch.wake")
        self._dispatch.wake_here(fresh.run.run_id, fresh.run.priority, fresh.run.playbook_id)

    async def approval_answered(self, approval_id: str) -> None:
        await self._timers.answered(approval_id)  # back after the commit that wakes what waited for it

    async def wait_ended(self, run_id: str) -> str:
        """The status the run ended with."""
        is_known = run_id in self._turns or run_id in self._fresh
        look_up = partial(asyncio.to_thread, self._journal.ended_status, run_id)
        return await self._waiters.end(run_id, is_known=is_known, look_up=look_up)

    async def response(self, run_id: str, timeout_seconds: float) -> Respond | None:
        """What the run's Response action says, or None when it says nothing in time."""
        return await self._waiters.response(run_id, timeout_seconds)

    # ---- turns

    def _wake_soon(self, run_id: str) -> None:
        """From any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake, run_id)

    def _hear(self, run_id: str) -> bool:
        """Something has come for this run; False: it is not worked on here."""
        if (turn := self._turns.get(run_id)) is not None:
            self.spawn(self._take_news(turn))
        return turn is not None

    def _wake(self, run_id: str) -> None:
        if self._hear(run_id):
            return
        fresh = self._fresh.get(run_id)
        if fresh is not None:
            self._told.add(run_id)
            self._dispatch.wake_here(run_id, fresh.run.priority, fresh.run.playbook_id)
            return
        try:
            head = self._journal.head(run_id)
        except GuardshipError as error:
            log.warning("runner.unknown_run", run_id=run_id, reason=str(error))
            return
        self._fault_points.hit("dispatch.wake")
        self._dispatch.wake(run_id, head.priority, head.playbook_id)

    def _take_turn(self, run_id: str) -> None:
        fresh = self._fresh.pop(run_id, None)
        if fresh is None:
            self.spawn(self._resume(run_id))
        elif run_id in self._told:
            self._told.discard(run_id)
            self.spawn(self._begin_told(self._turn_of(fresh, is_accepted=True)))
        elif self.slots.take(fresh.run.playbook_id, run_id, at_once(fresh.workflow, fresh.event.body["trigger_name"])):
            self._begin(fresh)
        else:
            self._fresh[run_id] = fresh
            self._dispatch.finished(run_id)

    def _begin(self, fresh: Fresh, *, is_accepted: bool = True) -> Turn:
        turn = self._turn_of(fresh, is_accepted=is_accepted)
        turn.feed(Begin(*self.draw()))
        return turn

    async def _begin_told(self, turn: Turn) -> None:
        """A run that was told something while it stood in line, to stop perhaps: it hears that before it does anything."""
        try:
            await self._take_news(turn)
        except Exception:
            log.exception("runner.cannot_hear", run_id=turn.run.run_id)
            self.later(FLUSH_SECONDS, lambda: self.spawn(self._begin_told(turn)))
            return
        turn.feed(Begin(*self.draw()))

    def _turn_of(self, fresh: Fresh, *, is_accepted: bool) -> Turn:
        run_id = fresh.run.run_id
        projection = Projection(run_id, fresh.workflow, has_sealed=fresh.has_sealed)
        turn = Turn(self, fresh.run, fresh.workflow, apply(RunState(run_id), fresh.event), projection, 1, is_accepted=is_accepted)
        self._turns[run_id] = turn
        return turn

    async def _resume(self, run_id: str) -> None:
        taken = await self._taking_up.take_up(run_id)
        if taken is None:
            self._dispatch.finished(run_id)
            return
        loaded = taken.loaded
        turn = Turn(self, taken.run, taken.workflow, loaded.state, loaded.projection, taken.epoch)
        self._turns[run_id] = turn
        at, seed = self.draw()
        claimed = Event(EventKind.RUN_CLAIMED, "", at, {"worker_id": self.worker, "lease_epoch": taken.epoch})
        apply(turn.state, claimed)
        turn.note(claimed)
        for message in [message for message in loaded.messages if message.kind == "cancel"]:
            turn.take_message(message)
        turn.feed(Resumed(at, seed))
        for key, due_at in loaded.fired:
            turn.feed(TimerFired(*self.draw(), key, due_at))
        for message in loaded.messages:
            turn.take_message(message)
        turn.flush()
        self.spawn(self._take_news(turn))  # of what came while it was loaded nobody could tell it

    async def _take_news(self, turn: Turn) -> None:
        async with turn.moving():
            loaded_timers = await asyncio.to_thread(self._journal.fired_timers, turn.run.run_id)
            messages = await asyncio.to_thread(self._journal.messages, turn.run.run_id)
            if turn.is_over and (loaded_timers or messages):
                self._wake(turn.run.run_id)  # the turn was over before it could be told
            for key, due_at in loaded_timers:
                turn.feed(TimerFired(*self.draw(), key, due_at))
            for message in messages:
                turn.take_message(message)

    # ---- what turns need (see turn.Host)

    def draw(self) -> tuple[int, bytes]:
        return self._draws.next()

    def step(self, turn: Turn, happening: Happening) -> Step | str:
        try:
            return advance(turn.workflow, turn.state, happening)
        except Exception as error:
            log.exception("runner.engine_fault", run_id=turn.run.run_id)
            return f"{type(error).__name__}: {error}"

    def hit(self, point: str) -> None:
        self._fault_points.hit(point)

    def submit(self, append: Append, done: Callable[[Any, Exception | None], None]) -> None:
        if self._loop is None:
            raise JournalUnavailable("the runner is not started")
        self._journal.append(append, done, self._loop)

    def rows(self, turn: Turn, first_seq: int, events: list[Event]) -> tuple[list[tuple[Any, ...]], list[tuple[str, bytes]]]:
        return self._journal.encode(turn.run.run_id, turn.epoch, first_seq, events, turn.workflow, turn.projection)

    def spawn(self, work: Coroutine[Any, Any, None]) -> "Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def later(self, seconds: float, act: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, act)

    def respond(self, run_id: str, response: Respond) -> None:
        self._waiters.responded(run_id, response)

    def mark_dirty(self, turn: Turn) -> None:
        self._dirty.add(turn)

    def timer_set(self, timer: SetTimer) -> None:
        self._timers.is_set(timer)

    def committed(self, turn: Turn, append: Append) -> None:
        self._fault_points.hit("result.after_commit")
        for act in self._listeners:
            act(turn.run.run_id)
        for parent in append.answers:
            self._wake(parent[1])

    def over(self, turn: Turn) -> None:
        run_id = turn.run.run_id
        self._turns.pop(run_id, None)
        self._dirty.discard(turn)
        if turn.has_kept_its_end:
            self._waiters.ended(run_id, turn.state.status)
            if (following := self.slots.leave(turn.run.playbook_id, run_id)) is not None:
                wake = self._dispatch.wake_here if following in self._fresh else self._dispatch.wake
                wake(following, turn.run.priority, turn.run.playbook_id)
        self._dispatch.finished(run_id)

    def park(self, turn: Turn) -> None:
        """Only waits remain: give the run back, unless something has come in for it."""
        self.spawn(self._park(turn))

    async def _park(self, turn: Turn) -> None:
        self._fault_points.hit("turn.before_release")
        async with turn.moving():  # no news reaches a turn while it is given back: it would be lost with it
            if not turn.is_idle or turn.run.run_id not in self._turns:
                return
            if await self._journal.release(turn.run.run_id, turn.epoch):
                turn.is_over = True
                self.over(turn)
                return
        await self._take_news(turn)

    async def carry_out(self, turn: Turn, call: Call) -> None:
        """Call the connector and feed the answer; its faults are answers too. Who may have been replaced sends nothing more."""
        if self._journal.is_shared and monotonic() > self._held_until:
            turn.abandon()
            return
        came = await self.caller.carry_out(turn.run, turn.workflow, call)
        turn.calls.pop(call.key, None)
        at, seed = self.draw()
        turn.feed(Answered(at, seed, call.key, call.attempt, *came))

    def part(self, turn: Turn, parting: PartingCall) -> Coroutine[Any, Any, None]:
        return self.caller.part(turn.run, turn.workflow, parting)

    async def _flush(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for turn in dirty:
            turn.flush()

    async def _keep_at_it(self) -> None:
        asked_at = monotonic()
        await self._journal.renew(self.worker, [*self._turns, *self._fresh])
        self._held_until = asked_at + SAFE_SECONDS
        await self._sweep()

    async def _sweep(self) -> None:
        """Wake runs that nobody holds and that have something to do: a lost wake costs seconds, not a run."""
        for run_id, priority, playbook_id in await asyncio.to_thread(self._journal.waiting_work, to_micros(self._clock.now())):
            if run_id not in self._turns:
                self._dispatch.wake(run_id, priority, playbook_id)
