"""The loop that fires what is due."""

import asyncio

from guardship.clock import SystemClock
from guardship.playbooks.events import SetTimer
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.timers import Timers


class Empty:
    """A journal in which nothing is due for long."""

    def next_due(self) -> int:
        return 2**60


def test_a_timer_that_is_set_while_the_loop_is_stopped_does_not_keep_it_alive() -> None:
    async def work() -> bool:
        timers = Timers(Empty(), SystemClock(), FaultPoints(""), lambda _: None)  # type: ignore[arg-type]  # as much as the loop asks for
        loop = asyncio.create_task(timers.run())
        while not timers._next_due:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        timers.is_set(SetTimer("A", 1))
        loop.cancel()
        await asyncio.wait([loop], timeout=2)
        return loop.cancelled()

    assert asyncio.run(work())
