"""What keeps the server's clocks going."""

import asyncio
import threading

import pytest

from guardship.errors import GuardshipError
from guardship.server.living import THREADS, _every, give_threads


@pytest.mark.parametrize("error", [GuardshipError("known"), KeyError("unknown"), OSError("disk"), RuntimeError("x"), AttributeError("y")])
def test_a_tick_outlives_whatever_one_look_meets(error: Exception) -> None:
    async def watch() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        looks: list[int] = []

        def look() -> None:
            looks.append(1)
            if len(looks) == 1:
                raise error
            loop.call_soon_threadsafe(done.set)

        tick = asyncio.create_task(_every(0.01, look))
        await asyncio.wait_for(done.wait(), 5)
        tick.cancel()

    asyncio.run(watch())


def test_calls_that_wait_leave_threads_to_others() -> None:
    """All meet at one gate, which opens only when as many came as there are threads."""
    gate = threading.Barrier(THREADS, timeout=10)

    async def meet() -> None:
        give_threads(asyncio.get_running_loop())
        await asyncio.gather(*(asyncio.to_thread(gate.wait) for _ in range(THREADS)))

    asyncio.run(meet())
