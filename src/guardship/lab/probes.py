"""Whether a new connection gets through, tried from inside the machine that asks.

`answered` is true as soon as anything comes back, a refusal of the port included: then the path is open, whatever the port is.
"""

import asyncio
import secrets
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from guardship.lab.channel import Message

DEFAULT_SECONDS = 0.8
_DNS_NAME = b"\x07example\x07invalid\x00"


@dataclass(frozen=True, slots=True)
class Answer:
    answered: bool
    detail: str


class UnknownProtocol(ValueError):
    """A protocol nobody here speaks."""


async def probe(protocol: str, address: str, port: int, *, seconds: float = DEFAULT_SECONDS) -> Message:
    attempt = _ATTEMPTS.get(protocol.lower())
    if attempt is None:
        raise UnknownProtocol(protocol)
    started = time.perf_counter()
    try:
        found = await asyncio.wait_for(attempt(address, port), seconds)
    except TimeoutError:
        found = Answer(False, f"nothing came back within {seconds:g} s")
    except ConnectionRefusedError:
        found = Answer(True, "the destination refused the port: the path is open")
    except ConnectionResetError:
        found = Answer(True, "the destination reset the connection: the path is open")
    except OSError as error:
        found = Answer(False, error.strerror or str(error))
    return {"answered": found.answered, "detail": found.detail, "latency_ms": round((time.perf_counter() - started) * 1000, 3)}


async def _tcp(address: str, port: int) -> Answer:
    _, writer = await asyncio.open_connection(address, port)
    writer.transport.abort()
    return Answer(True, "connected")


async def _http(address: str, port: int) -> Answer:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        target = "/metadata/instance?api-version=2021-02-01"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {address}\r\nMetadata: true\r\nConnection: close\r\n\r\n".encode())
        line = await reader.readline()
    finally:
        writer.transport.abort()
    return Answer(bool(line), line.decode("latin-1").strip() or "closed without an answer")


async def _udp(address: str, port: int) -> Answer:
    word = secrets.token_bytes(8)
    answer = await _exchange(address, port, word)
    return Answer(answer == word, "the datagram came back")


async def _dns(address: str, port: int) -> Answer:
    number = secrets.token_bytes(2)
    answer = await _exchange(address, port, number + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0) + _DNS_NAME + struct.pack(">HH", 1, 1))
    return Answer(answer[:2] == number, "the name was resolved")


async def _exchange(address: str, port: int, datagram: bytes) -> bytes:
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        connection.setblocking(False)
        connection.connect((address, port))
        await loop.sock_sendall(connection, datagram)
        return await loop.sock_recv(connection, 2048)


_ATTEMPTS: Mapping[str, Callable[[str, int], Awaitable[Answer]]] = {"tcp": _tcp, "http": _http, "udp": _udp, "dns": _dns}
