"""News of a run by NOTIFY, to every process on its database: the one that holds the run's lease takes them at once.

They may be lost: the sweep finds what nobody was told of.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import psycopg

from guardship.errors import Fault, GuardshipError
from guardship.playbooks.rounds import every
from guardship.storage.postgres import PostgresServer

CHANNEL = "guardship_run"
PAUSE_SECONDS = 0.2

AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]


class DispatchAway(GuardshipError):
    """The sweep finds what could not be told meanwhile."""

    code = "playbooks.dispatch_away"
    fault = Fault.UNAVAILABLE


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


async def insist(act: Callable[[], Coroutine[Any, Any, None]], away: tuple[type[Exception], ...]) -> None:
    """What `act` does goes on until a server goes away, and is taken up again soon after; so it is after a fault of ours, with its trace."""

    async def once() -> None:
        try:
            await act()
        except away as error:
            raise DispatchAway(str(error)) from error

    await every(PAUSE_SECONDS, once)
