"""A closed loop of users on one playbook: alert in by webhook, decision, call out to a sink; everything on loopback and bounded.

A user sends an alert, waits for the answer and, when the alert is High, for the sink to be called with its id; then sends the next. One
alert in five is Low and must not reach the sink.
"""

import asyncio
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web

BODY_BYTES = 1500
LOW_EVERY = 5
LATE_SECONDS = 1.0
ALERT_SECONDS = 20.0
MOST_SECONDS = 120.0


class Sink:
    """The called side: counts who called, and tells who waits."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: Counter[str] = Counter()
        self._waiting: dict[str, asyncio.Future[float]] = {}
        app = web.Application()
        app.router.add_post("/sink", self._take)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        address = self._runner.addresses[0]
        self.url = f"http://127.0.0.1:{address[1]}/sink"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._runner.cleanup()

    def expect(self, alert_id: str) -> "asyncio.Future[float]":
        self._waiting[alert_id] = asyncio.get_running_loop().create_future()
        return self._waiting[alert_id]

    def forget(self, alert_id: str) -> None:
        self._waiting.pop(alert_id, None)

    async def _take(self, request: web.Request) -> web.Response:
        alert_id = str((await request.json())["id"])
        self.calls[alert_id] += 1
        waiting = self._waiting.get(alert_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(time.perf_counter())
        return web.json_response({"ok": True})


@dataclass(slots=True)
class Came:
    """What came of a load."""

    acknowledged: int = 0
    end_to_end_ms: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    seconds: float = 0.0
    calls: int = 0
    wrong_calls: int = 0  # double, or for an alert that was Low

    @property
    def runs_per_second(self) -> float:
        return self.acknowledged / self.seconds if self.seconds else 0.0


def _alert(alert_id: str, callback: str, *, is_high: bool) -> dict[str, Any]:
    return {
        "id": alert_id,
        "severity": "High" if is_high else "Low",
        "alertDisplayName": "Suspicious process",
        "compromisedEntity": "VM1",
        "callback": callback,
        "body": "x" * BODY_BYTES,
    }


async def load(url: str, *, alerts: int, users: int) -> Came:
    came = Came()
    low: set[str] = set()
    async with Sink() as sink, ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=ALERT_SECONDS)) as session:
        numbers = iter(range(alerts))
        start = time.perf_counter()

        async def user() -> None:
            for number in numbers:
                if time.perf_counter() - start > MOST_SECONDS:
                    return
                await _send(url, session, sink, came, low, is_high=number % LOW_EVERY != 0)

        await asyncio.gather(*(user() for _ in range(users)))
        came.seconds = time.perf_counter() - start
        await asyncio.sleep(LATE_SECONDS)
        came.calls = sum(sink.calls.values())
        came.wrong_calls = came.calls - len(sink.calls) + sum(alert_id in low for alert_id in sink.calls)
    return came


async def _send(url: str, session: ClientSession, sink: Sink, came: Came, low: set[str], *, is_high: bool) -> None:
    alert_id = uuid.uuid4().hex
    called = sink.expect(alert_id) if is_high else None
    if not is_high:
        low.add(alert_id)
    started = time.perf_counter()
    try:
        async with session.post(url, json=_alert(alert_id, sink.url, is_high=is_high)) as response:
            await response.read()
            if response.status != 202:
                came.errors[str(response.status)] += 1
                return
        came.acknowledged += 1
        if called is not None:
            came.end_to_end_ms.append((await asyncio.wait_for(called, ALERT_SECONDS) - started) * 1000)
    except TimeoutError:
        came.missing += 1
    except ClientError as error:
        came.errors[type(error).__name__] += 1
    finally:
        sink.forget(alert_id)
