"""What the machines offer on the network: a password door whose session streams, web pages, rows, names, and an echo.

The password door stands for sshd (the lab has one uid, so it can be no sshd). After its banner it reads one line
`user password`, answers `denied` or `welcome`, and in a session takes `stream N`: N packets a second until the line is dead.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any, cast

from guardship.lab.channel import Message
from guardship.lab.company import DATABASE_PORT, DNS_PORT, ECHO_PORT, HTTP_PORT, SSH_PORT
from guardship.lab.flows import Flows
from guardship.lab.system_log import sshd_row

ACCOUNTS = {"deploy": "harbour-42", "root": "k8Zq-unguessable-3Vw"}
BANNER = b"SSH-2.0-GuardshipLab\r\n"
PACKET = b"x" * 240
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Doors:
    """All that one machine offers; `log` takes rows of its system log."""

    def __init__(self, name: str, address: str, flows: Flows, log: Callable[[Message], None]) -> None:
        self._name = name
        self._address = address
        self._flows = flows
        self._log = log
        self._conversations: set[asyncio.StreamWriter] = set()
        self._open: list[asyncio.Server | asyncio.DatagramTransport] = []

    async def open(self, offers: frozenset[str], *, with_ipv6: bool) -> None:
        conversations: dict[str, tuple[int, Conversation]] = {
            "ssh": (SSH_PORT, self._password),
            "http": (HTTP_PORT, self._web),
            "database": (DATABASE_PORT, self._rows),
        }
        datagrams: dict[str, tuple[int, type[asyncio.DatagramProtocol]]] = {"dns": (DNS_PORT, Names), "echo": (ECHO_PORT, _Echo)}
        addresses = ["0.0.0.0", "::"] if with_ipv6 else ["0.0.0.0"]  # noqa: S104 (inside a namespace of its own)
        loop = asyncio.get_running_loop()
        for offer in sorted(offers):
            if offer in conversations:
                port, conversation = conversations[offer]
                self._open.append(await asyncio.start_server(self._watched(conversation), addresses, port, backlog=512))
                continue
            port, protocol = datagrams[offer]
            for address in addresses:
                transport, _ = await loop.create_datagram_endpoint(protocol, sock=_bound(address, port))
                self._open.append(transport)

    def end_sessions(self) -> None:
        for writer in list(self._conversations):
            writer.transport.abort()

    def log_line(self, message: str, *, number: int) -> None:
        self._log(sshd_row(self._name, self._address, message, number=number))

    def _watched(self, conversation: Conversation) -> Conversation:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                forget = self._flows.open(writer, is_inbound=True)
            except OSError:  # gone before we looked
                writer.transport.abort()
                return
            self._conversations.add(writer)
            try:
                with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, OSError):
                    await conversation(reader, writer)
            finally:
                forget()
                self._conversations.discard(writer)
                writer.transport.abort() if writer.is_closing() else writer.close()

        return hold

    async def _password(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, port = writer.get_extra_info("peername")[:2]
        number = 2000 + port % 30_000
        writer.write(BANNER)
        line = (await asyncio.wait_for(reader.readline(), 30)).decode("utf-8", "replace").split()
        if len(line) != 2:
            return
        user, password = line
        if ACCOUNTS.get(user) != password:
            known = "" if user in ACCOUNTS else "invalid user "
            self.log_line(f"Failed password for {known}{user} from {peer} port {port} ssh2", number=number)
            writer.write(b"denied\n")
            await writer.drain()
            return
        self.log_line(f"Accepted password for {user} from {peer} port {port} ssh2", number=number)
        self.log_line(f"pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)", number=number)
        writer.write(b"welcome\n")
        try:
            await self._session(reader, writer)
        finally:
            self.log_line(f"pam_unix(sshd:session): session closed for user {user}", number=number)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode("utf-8", "replace").split():
            if line[0] == "stream":
                await self._stream(writer, 1 / max(1, min(int(line[1]), 2000)))
                return
            writer.write(f"{' '.join(line)}: done\n".encode())

    async def _stream(self, writer: asyncio.StreamWriter, pause: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not writer.is_closing():
            writer.write(PACKET)
            await writer.drain()
            due = max(due + pause, loop.time() - pause)
            await asyncio.sleep(due - loop.time())

    async def _web(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        page = f"<h1>{self._name}</h1>\n".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(page) + page)
        await writer.drain()

    async def _rows(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await asyncio.wait_for(reader.readline(), 30):
            writer.write(b"row 1 of 1 for " + line)
            await writer.drain()


def _bound(address: str, port: int) -> socket.socket:
    is_ipv6 = ":" in address
    connection = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    connection.setblocking(False)
    if is_ipv6:
        connection.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    connection.bind((address, port))
    return connection


class _Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # it is one, though not a subclass


class _Echo(_Datagrams):
    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.transport.sendto(data, addr)


class Names(_Datagrams):
    """Answers every question with one A record, 198.51.100.20."""

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        answer = bytes.fromhex("c00c00010001000000 3c0004c6336414".replace(" ", ""))
        self.transport.sendto(data[:2] + bytes.fromhex("81800001000100000000") + data[12:] + answer, addr)
