"""What goes on in a quiet company: pages are read, rows are asked for, an administrator signs in now and then."""

import asyncio
from collections.abc import Awaitable, Callable

from guardship.lab.channel import Message
from guardship.lab.company import ATTACKER, CLIENTS, DATABASE_PORT, HTTP_PORT, SSH_PORT, hosts
from guardship.lab.doors import ACCOUNTS

PAGE_SECONDS = 0.4
ROW_SECONDS = 0.7
SIGN_IN_SECONDS = 20.0
TELL_SECONDS = 1.0
_PATIENCE_SECONDS = 1.5

Tell = Callable[[Message], None]


class Traffic:
    """The ordinary connections one host opens, counted and told once a second."""

    def __init__(self, name: str, tell: Tell) -> None:
        self._name = name
        self._tell = tell
        self._answered = 0
        self._unanswered = 0
        self._running: list[asyncio.Task[None]] = []

    def start(self) -> None:
        addresses = {host.name: host.addresses[0] for host in hosts(with_ipv6=False)}
        if self._name == CLIENTS:
            for target in ("web-1", "web-2"):
                self._every(PAGE_SECONDS, _page, addresses[target], HTTP_PORT)
        elif self._name.startswith("web-"):
            self._every(ROW_SECONDS, _row, addresses["db-1"], DATABASE_PORT)
        elif self._name == "jump-1":
            for target in ("web-1", "web-2", "db-1"):
                self._every(SIGN_IN_SECONDS, _sign_in, addresses[target], SSH_PORT)
        if self._running and self._name != ATTACKER:
            self._running.append(asyncio.create_task(self._report()))

    def _every(self, seconds: float, act: Callable[[str, int], Awaitable[None]], address: str, port: int) -> None:
        self._running.append(asyncio.create_task(self._repeat(seconds, act, address, port)))

    async def _repeat(self, seconds: float, act: Callable[[str, int], Awaitable[None]], address: str, port: int) -> None:
        while True:
            try:
                await asyncio.wait_for(act(address, port), _PATIENCE_SECONDS)
                self._answered += 1
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                self._unanswered += 1
            await asyncio.sleep(seconds)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            if self._answered or self._unanswered:
                self._tell({"news": "traffic", "answered": self._answered, "unanswered": self._unanswered})
            self._answered = self._unanswered = 0


async def _converse(address: str, port: int, said: bytes, *, lines: int) -> None:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(said)
        for _ in range(lines):
            if not await reader.readline():
                raise ConnectionResetError(f"{address} hung up")
    finally:
        writer.transport.abort()


async def _page(address: str, port: int) -> None:
    await _converse(address, port, f"GET / HTTP/1.1\r\nHost: {address}\r\n\r\n".encode(), lines=1)


async def _row(address: str, port: int) -> None:
    await _converse(address, port, b"select 1\n", lines=1)


async def _sign_in(address: str, port: int) -> None:
    await _converse(address, port, f"deploy {ACCOUNTS['deploy']}\nuptime\n".encode(), lines=3)
