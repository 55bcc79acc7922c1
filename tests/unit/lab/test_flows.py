"""Liveness of real loopback connections; that a cut kills them is proved in tests/flows."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from guardship.lab.channel import Message
from guardship.lab.flows import Flows

Talk = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def report_while(talk: Talk) -> list[Message]:
    """What is told of one accepted connection while `talk` goes on at the other end."""
    flows = Flows()
    accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accepted.put(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    _, client = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    writer = await accepted.get()
    forget = flows.open(writer, is_inbound=True)
    talking = asyncio.ensure_future(talk(client))
    found = await flows.report()
    talking.cancel()
    forget()
    assert await flows.report() == []
    for end in (client, writer):
        end.transport.abort()
    server.close()
    await server.wait_closed()
    return found


async def chatter(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.01)


async def silence(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(10)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    await asyncio.sleep(10)


async def reset(writer: asyncio.StreamWriter) -> None:
    at_once = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    await hang_up(writer)


@pytest.mark.parametrize(
    ("talk", "evidence"), [(chatter, "payload is acknowledged or received"), (silence, "silent, but a keep-alive was answered")]
)
def test_a_connection_whose_path_is_open_is_live(talk: Talk, evidence: str) -> None:
    (flow,) = asyncio.run(report_while(talk))
    assert (flow["live"], flow["evidence"]) == (True, evidence)


@pytest.mark.parametrize("end", [hang_up, reset])
def test_a_connection_that_was_ended_is_not_live(end: Talk) -> None:
    assert [flow for flow in asyncio.run(report_while(end)) if flow["live"]] == []
