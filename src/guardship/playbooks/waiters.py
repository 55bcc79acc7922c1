"""Who waits for a run: for its end, or for what its Response action says. All of it in the event loop's thread."""

import asyncio
from asyncio import Future, get_running_loop
from collections.abc import Awaitable, Callable

from guardship.playbooks.events import Respond

MOST_ENDS_REMEMBERED = 1000


class Waiters:
    def __init__(self) -> None:
        self._ends: dict[str, list[Future[str]]] = {}
        self._responses: dict[str, Future[Respond]] = {}
        self._ended: dict[str, str] = {}  # of the last runs, for who asks right after

    async def end(self, run_id: str, *, is_known: bool, look_up: Callable[[], Awaitable[str | None]]) -> str:
        """The status the run ends with; a run that is not `is_known` to be under way is looked up."""
        waiting: Future[str] = get_running_loop().create_future()
        self._ends.setdefault(run_id, []).append(waiting)
        if not is_known:
            status = self._ended.get(run_id) or await look_up()
            if status is not None:
                self._ends.pop(run_id, None)
                return status
        return await waiting

    def ended(self, run_id: str, status: str) -> None:
        self._ended[run_id] = status
        if len(self._ended) > MOST_ENDS_REMEMBERED:
            del self._ended[next(iter(self._ended))]
        for waiting in self._ends.pop(run_id, ()):
            if not waiting.done():
                waiting.set_result(status)

    def expect_response(self, run_id: str) -> None:
        """What the run says from now on is kept for `response`."""
        self._responses[run_id] = get_running_loop().create_future()

    async def response(self, run_id: str, timeout_seconds: float) -> Respond | None:
        """What the run's Response action says, or None when it says nothing in time."""
        waiting = self._responses.setdefault(run_id, get_running_loop().create_future())
        try:
            return await asyncio.wait_for(asyncio.shield(waiting), timeout_seconds)
        except TimeoutError:
            return None
        finally:
            self._responses.pop(run_id, None)

    def responded(self, run_id: str, response: Respond) -> None:
        waiting = self._responses.get(run_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(response)
