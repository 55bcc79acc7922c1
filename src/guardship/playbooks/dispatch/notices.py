"""News of a run by NOTIFY, to every process on its database: the one that holds the run's lease takes them at once.

They may be lost: the sweep finds what nobody was told of.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import psycopg

from guardship.storage.postgres import PostgresServer
from guardship.telemetry import get_log

CHANNEL = "guardship_run"
LONGEST_PAUSE_SECONDS = 5.0

log = get_log("dispatch")

AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]


async def connect(server: PostgresServer) -> AsyncConnection:
    return await psycopg.AsyncConnection.connect(**server.settings(), autocommit=True)


async def tell(connection: AsyncConnection, run_ids: Iterable[str]) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany("SELECT pg_notify(%s, %s)", [(CHANNEL, run_id) for run_id in run_ids])


async def listen(server: PostgresServer, hear: Callable[[str], object]) -> None:
    async with await connect(server) as connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        async for notice in connection.notifies():
            hear(notice.payload)


async def again_and_again(act: Callable[[], Coroutine[Any, Any, None]], name: str, away: tuple[type[Exception], ...]) -> None:
    """What `act` does may be broken off by a server that goes away, and is taken up again; other faults are ours, and end it."""
    pause, loop = 0.1, asyncio.get_running_loop()
    while True:
        begun = loop.time()
        try:
            await act()
        except away as error:
            log.warning("dispatch.unavailable", act=name, reason=str(error))
        except BaseExceptionGroup as group:
            known, unknown = group.split(away)
            if unknown is not None:
                raise
            log.warning("dispatch.unavailable", act=name, reason=str(known))
        if loop.time() - begun > LONGEST_PAUSE_SECONDS:
            pause = 0.1
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
