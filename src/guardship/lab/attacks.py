"""The attack: password guessing over real TCP, then a session that stays open and streams data out.

When the stream falls silent for a second, the time of its last payload byte is told: measured where the attacker receives it.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable

from guardship.lab.channel import Message
from guardship.lab.company import SSH_PORT
from guardship.lab.doors import ACCOUNTS

GUESSES = (
    *(["admin", "oracle", "test", "ubuntu", "git", "postgres", "pi", "guest", "backup", "www"]),
    *(["admin", "root", "support", "deploy"]),
)
WORDS = ("123456", "password", "letmein", "harbour", "qwerty", "welcome1", "changeme", "toor")
GUESS_SECONDS = 0.06
PACKETS_A_SECOND = 500
SILENCE_SECONDS = 1.0
GIVE_UP_SECONDS = 6.0
CONNECT_SECONDS = 2.0

Tell = Callable[[Message], None]


class Attack:
    """One attacker's act against one address; `tell` gets news as it goes."""

    def __init__(self, target: str, seed: int, tell: Tell) -> None:
        self._target = target
        self._random = random.Random(seed)  # noqa: S311 (which passwords are guessed)
        self._tell = tell

    async def play(self) -> None:
        self._tell({"news": "first_hostile_packet", "monotonic": time.monotonic(), "target": self._target})
        for number, user in enumerate(GUESSES, start=1):
            try:
                await self._guess(user, self._random.choice(WORDS))
            except (TimeoutError, OSError) as error:
                self._tell({"news": "attack_failed", "monotonic": time.monotonic(), "why": str(error) or "no answer", "guess": number})
                return
            self._tell({"news": "guess", "monotonic": time.monotonic(), "user": user, "count": number})
            await asyncio.sleep(GUESS_SECONDS)
        await self._steal()

    async def _guess(self, user: str, password: str) -> None:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(self._target, SSH_PORT), CONNECT_SECONDS)
        try:
            await asyncio.wait_for(reader.readline(), CONNECT_SECONDS)
            writer.write(f"{user} {password}\n".encode())
            await asyncio.wait_for(reader.readline(), CONNECT_SECONDS)
        finally:
            writer.transport.abort()

    async def _steal(self) -> None:
        loop = asyncio.get_running_loop()
        transport, session = await asyncio.wait_for(loop.create_connection(_Session, self._target, SSH_PORT), CONNECT_SECONDS)
        try:
            self._tell({"news": "session_opened", "monotonic": time.monotonic(), "user": "deploy", "source_port": session.source_port})
            await self._watch(session)
        finally:
            transport.abort()

    async def _watch(self, session: "_Session") -> None:
        while not session.is_closed:
            await asyncio.sleep(0.05)
            silence = time.monotonic() - session.last_at
            if silence >= SILENCE_SECONDS and not session.is_silent:
                session.is_silent = True
                self._tell({"news": "last_packet", "monotonic": session.last_at, "bytes": session.received})
            elif silence < SILENCE_SECONDS and session.is_silent:
                session.is_silent = False
                self._tell({"news": "session_resumed", "monotonic": session.last_at})
            if silence >= GIVE_UP_SECONDS:
                return
        if not session.is_silent:
            self._tell({"news": "last_packet", "monotonic": session.last_at, "bytes": session.received, "closed": True})


class _Session(asyncio.Protocol):
    def __init__(self) -> None:
        self.last_at = time.monotonic()
        self.received = 0
        self.source_port = 0
        self.is_closed = False
        self.is_silent = False
        self._asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.source_port = int(transport.get_extra_info("sockname")[1])
        transport.write(f"deploy {ACCOUNTS['deploy']}\nstream {PACKETS_A_SECOND}\n".encode())

    def data_received(self, data: bytes) -> None:
        self.last_at = time.monotonic()
        self.received += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True


class Attacker:
    """Plays one attack at a time."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._playing: asyncio.Task[None] | None = None

    async def start(self, target: str, seed: int) -> None:
        await self.stop()
        self._playing = asyncio.create_task(Attack(target, seed, self._tell).play())

    async def stop(self) -> None:
        if self._playing:
            self._playing.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await self._playing
        self._playing = None
