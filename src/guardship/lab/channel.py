"""The line between the lab and one of its machines: JSON lines over a socket pair, questions with answers and news without.

The machines' system log also leaves by it, as a real one's leaves by the host and not by the network that may be cut.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
_LINE_LIMIT = 1 << 20


class ChannelClosed(ConnectionError):
    """The other side is gone."""


class Channel:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._number = 0
        self._answering: set[asyncio.Task[None]] = set()

    @staticmethod
    async def over(connection: socket.socket) -> "Channel":
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=_LINE_LIMIT)
        return Channel(reader, writer)

    def tell(self, message: Message) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def ask(self, message: Message, *, seconds: float = 10.0) -> Message:
        self._number += 1
        number = self._number
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self.tell({**message, "ask": number})
            return await asyncio.wait_for(answer, seconds)
        finally:
            self._waiting.pop(number, None)

    async def listen(self, answer: Callable[[Message], Awaitable[Message]], news: Callable[[Message], None]) -> None:
        """Until the other side hangs up; questions are answered beside each other."""
        while line := await self._reader.readline():
            message: Message = json.loads(line)
            if "answer" in message:
                waiting = self._waiting.get(int(message["answer"]))
                if waiting and not waiting.done():
                    waiting.set_result(message)
            elif "ask" in message:
                task = asyncio.create_task(self._answer(message, answer))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            else:
                news(message)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ChannelClosed("the machine is gone"))

    def close(self) -> None:
        self._writer.close()

    async def _answer(self, message: Message, answer: Callable[[Message], Awaitable[Message]]) -> None:
        self.tell({**await answer(message), "answer": message["ask"]})
