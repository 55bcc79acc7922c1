"""Fires what is due: sleeps until the earliest timer row, marks it fired in the commit that wakes its run.

A timer that waits for an approval is brought forward by the answer. That may come while the timer is being written, so the last answers
are remembered.
"""

import asyncio
import contextlib
from collections.abc import Callable

from guardship.clock import Clock, to_micros
from guardship.errors import GuardshipError
from guardship.playbooks.events import SetTimer
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.journal import Journal
from guardship.telemetry import get_log

POLL_SECONDS = 0.5
MOST_ANSWERS_REMEMBERED = 1000

log = get_log("timers")


class Timers:
    def __init__(self, journal: Journal, clock: Clock, fault_points: FaultPoints, wake: Callable[[str], None]) -> None:
        self._journal = journal
        self._clock = clock
        self._fault_points = fault_points
        self._wake = wake
        self._changed = asyncio.Event()
        self._next_due = 0
        self._answers: dict[str, None] = {}
        self._early: set[str] = set()  # approvals that were answered before their timers were committed

    def is_set(self, timer: SetTimer) -> None:
        """A timer was committed; an earlier one than all others shortens the sleep."""
        if timer.approval_id in self._answers:
            self._early.add(timer.approval_id)
            self._changed.set()
        elif not self._next_due or timer.due_at < self._next_due:
            self._changed.set()

    async def answered(self, approval_id: str) -> None:
        """Wake what waits for this approval."""
        self._answers[approval_id] = None
        if len(self._answers) > MOST_ANSWERS_REMEMBERED:
            del self._answers[next(iter(self._answers))]
        for run_id in await self._journal.fire_answered(approval_id):
            self._wake(run_id)

    async def run(self) -> None:
        while True:
            try:
                pause = await self._fire()
            except GuardshipError as error:
                log.warning("timers.unavailable", reason=str(error))
                pause = POLL_SECONDS
            except Exception:  # whatever it is, no run may wait for ever because of it
                log.exception("timers.fault")
                pause = POLL_SECONDS
            if pause:
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):  # wait_for would lose a cancel that comes together with the change
                        await self._changed.wait()

    async def _fire(self) -> float:
        """Fire what is due; the seconds until there may be more, 0 for at once."""
        for approval_id in list(self._early):
            await self.answered(approval_id)
            self._early.discard(approval_id)
        due_at = await asyncio.to_thread(self._journal.next_due)
        self._next_due = due_at or 0
        now = to_micros(self._clock.now())
        if due_at is None:
            return POLL_SECONDS
        if due_at > now:
            return min((due_at - now) / 1_000_000, POLL_SECONDS)
        for run_id in await self._journal.fire_due():
            self._fault_points.hit("timer.after_fire")
            self._wake(run_id)
        return 0.0
