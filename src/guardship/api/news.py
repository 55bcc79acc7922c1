"""What has changed, told to every open page and progress display over server-sent events.

An item says what kind of thing changed and which; whoever cares asks for it. A listener that falls 500 items behind is told to
read everything anew.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

from guardship.clock import Clock, iso

MOST_WAITING = 500
KEEP_ALIVE_SECONDS = 15.0
REREAD = {"kind": "reread", "id": ""}


class News:
    """A place to tell and to listen; `tell` may be called from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Queue[dict[str, Any] | None]]] = set()
        self._lock = threading.Lock()

    def tell(self, kind: str, thing_id: str, **facts: Any) -> None:
        item = {"kind": kind, "id": thing_id, "at": iso(self._clock.now()), **facts}
        with self._lock:
            listeners = list(self._listeners)
        for loop, waiting in listeners:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_put, waiting, item)

    async def listen(self) -> AsyncIterator[dict[str, Any] | None]:
        """Items as they come; None where nothing came for a while; ends with `close`."""
        waiting: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        entry = (asyncio.get_running_loop(), waiting)
        with self._lock:
            self._listeners.add(entry)
        try:
            while True:
                try:
                    item = await asyncio.wait_for(waiting.get(), KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    yield None
                    continue
                if item is None:
                    return
                yield item
        finally:
            with self._lock:
                self._listeners.discard(entry)

    def close(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for loop, waiting in listeners:
            if not loop.is_closed():
                loop.call_soon_threadsafe(waiting.put_nowait, None)


def _put(waiting: "asyncio.Queue[dict[str, Any] | None]", item: dict[str, Any]) -> None:
    if waiting.qsize() >= MOST_WAITING:
        while not waiting.empty():
            waiting.get_nowait()
        item = REREAD
    waiting.put_nowait(item)
