"""A small HTTP/1.1 server for the lab's ARM and metadata service: h11 reads, asyncio carries, TLS where a context is given.

The listening socket is opened by someone else, in the host's network namespace, and outlives `refuse_for`: while a door refuses, the
port stays bound and does not listen, so that clients meet a refused connection as they do when ARM is down.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import h11

BODY_LIMIT = 4 * 1024 * 1024
_READ_BYTES = 1 << 16
_BACKLOG = 512


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]  # names lower-cased
    headers: Mapping[str, str]  # names lower-cased
    body: bytes
    host: str  # as the client called us
    peer: str  # the client's address


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_lost: bool = False  # what was asked was done, and the answer does not reach the client


Answer = Callable[[Request], Awaitable[Reply]]


class TooLarge(Exception):
    """The body is beyond BODY_LIMIT."""


class HttpDoor:
    def __init__(self, listening: socket.socket, context: ssl.SSLContext | None, answer: Answer) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._context = context
        self._answer = answer
        self._connections: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        self._listening.listen(_BACKLOG)
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listening)
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def refuse_for(self, seconds: float) -> None:
        await self.close()
        self._listening.shutdown(socket.SHUT_RDWR)  # on Linux: out of LISTEN, still bound
        await asyncio.sleep(seconds)
        self.open()

    def _accept(self) -> None:
        """Not awaited: an accept that is cancelled as it succeeds would lose its socket."""
        try:
            connection, _ = self._listening.accept()
        except OSError:  # gone again, or no descriptor is free: the loop calls again
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.get_running_loop().create_task(self._converse(connection))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        task.add_done_callback(lambda _: connection.close())  # also of a conversation cancelled before its first step

    async def _converse(self, connection: socket.socket) -> None:
        reader = asyncio.StreamReader(limit=_READ_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=self._context)
        except (OSError, ssl.SSLError):
            connection.close()
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            with contextlib.suppress(OSError, h11.LocalProtocolError):
                await self._requests(reader, writer)
        finally:
            transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=_READ_BYTES)
        while True:
            try:
                request = await _read(parser, reader, peer)
            except (h11.RemoteProtocolError, TooLarge) as error:
                status = 413 if isinstance(error, TooLarge) else 400
                writer.write(_written(parser, Reply(status, b"", {"Connection": "close"})))
                await writer.drain()
                return
            if request is None:
                return
            reply = await self._answer(request)
            if reply.is_lost:
                return
            writer.write(_written(parser, reply))
            await writer.drain()
            if parser.our_state is not h11.DONE or parser.their_state is not h11.DONE:
                return
            parser.start_next_cycle()


async def _read(parser: h11.Connection, reader: asyncio.StreamReader, peer: str) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = parser.next_event()
        match event:
            case h11.NEED_DATA:
                parser.receive_data(await reader.read(_READ_BYTES))
            case h11.Request():
                head = event
            case h11.Data():
                body += event.data
                if len(body) > BODY_LIMIT:
                    raise TooLarge
            case h11.EndOfMessage() if head is not None:
                return _request(head, bytes(body), peer)
            case _:
                return None


def _request(head: h11.Request, body: bytes, peer: str) -> Request:
    path, _, query_text = head.target.decode("latin-1").partition("?")  # not urlsplit: `//subscriptions` is a path here, no host
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers}
    query = {name.lower(): value for name, value in parse_qsl(query_text, keep_blank_values=True)}
    return Request(head.method.decode("ascii"), path, query, headers, body, headers.get("host", "localhost"), peer)


def _written(parser: h11.Connection, reply: Reply) -> bytes:
    headers = [("Content-Length", str(len(reply.body))), *reply.headers.items()]
    head = parser.send(h11.Response(status_code=reply.status, headers=[(name.encode(), value.encode()) for name, value in headers]))
    if parser.their_state is h11.ERROR:
        return head or b""
    content = parser.send(h11.Data(reply.body)) if reply.body else b""
    return (head or b"") + (content or b"") + (parser.send(h11.EndOfMessage()) or b"")
