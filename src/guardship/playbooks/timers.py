"""Fires what is due: sleeps until the earliest timer row, marks it fired in the commit that wakes its run."""

import asyncio
from collections.abc import Callable

from guardship.clock import Clock, to_micros
from guardship.errors import GuardshipError
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.journal import Journal
from guardship.telemetry import get_log

POLL_SECONDS = 0.5

log = get_log("timers")


class Timers:
    def __init__(self, journal: Journal, clock: Clock, fault_points: FaultPoints, wake: Callable[[str], None]) -> None:
        self._journal = journal
        self._clock = clock
        self._fault_points = fault_points
        self._wake = wake
        self._changed = asyncio.Event()
        self._next_due = 0

    def is_set(self, due_at: int) -> None:
        """A timer was committed; an earlier one than all others shortens the sleep."""
        if not self._next_due or due_at < self._next_due:
            self._changed.set()

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
                try:
                    await asyncio.wait_for(self._changed.wait(), pause)
                except TimeoutError:
                    continue

    async def _fire(self) -> float:
        """Fire what is due; the seconds until there may be more, 0 for at once."""
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
