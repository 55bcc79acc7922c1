"""The TCP connections of one machine and whether payload is really getting through them.

The kernel's own count of acknowledged and received bytes decides, sampled twice inside the machine; connection tracking would count
dropped packets too. A connection on which nobody speaks is asked by a keep-alive, which takes a little over a second.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from guardship.clock import iso
from guardship.lab.channel import Message

WINDOW_SECONDS = 0.3
KEEP_ALIVE_SECONDS = 1.3
DEAD_AFTER_MILLISECONDS = 20_000
_INFO_BYTES = 192
_ESTABLISHED, _OVER = 1, {6, 7}  # over: TIME_WAIT, CLOSE
_PEER_ENDED = {8, 9, 11}  # CLOSE_WAIT, LAST_ACK, CLOSING: the peer's FIN counts as a byte received
_UNACKED, _ACKED, _RECEIVED, _SEGMENTS_IN = 24, 120, 128, 140


@dataclass(frozen=True, slots=True)
class _Count:
    state: int
    unacked: int
    acked: int
    received: int
    segments_in: int


class Flow:
    def __init__(self, connection: socket.socket, *, is_inbound: bool) -> None:
        self._socket = connection
        self.is_inbound = is_inbound
        self.opened_at = datetime.now(UTC)
        self.local = connection.getsockname()[:2]
        self.remote = connection.getpeername()[:2]

    def count(self) -> _Count | None:
        """None once the connection is closed."""
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES).ljust(_INFO_BYTES, b"\0")
        except (OSError, ValueError):
            return None
        if info[0] in _OVER:  # a reset counts as a segment that came in
            return None
        (unacked,) = struct.unpack_from("=I", info, _UNACKED)
        acked, received = struct.unpack_from("=QQ", info, _ACKED)
        (segments_in,) = struct.unpack_from("=I", info, _SEGMENTS_IN)
        received -= info[0] in _PEER_ENDED
        return _Count(info[0], unacked, acked, received, segments_in)


class Flows:
    def __init__(self) -> None:
        self._flows: dict[int, Flow] = {}

    def open(self, writer: asyncio.StreamWriter, *, is_inbound: bool) -> Callable[[], None]:
        """Watch a connection; call what comes back when it is closed."""
        connection: socket.socket = writer.get_extra_info("socket")
        for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_USER_TIMEOUT, DEAD_AFTER_MILLISECONDS)):
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        flow = Flow(connection, is_inbound=is_inbound)
        self._flows[id(flow)] = flow

        def forget() -> None:
            self._flows.pop(id(flow), None)

        return forget

    async def report(self) -> list[Message]:
        """Every open connection, each with `live` and the evidence for it."""
        started = time.monotonic()
        before = {key: (flow, count) for key, flow in self._flows.items() if (count := flow.count())}
        if not before:
            return []
        await asyncio.sleep(WINDOW_SECONDS)
        after = {key: flow.count() for key, (flow, _) in before.items()}
        if any(_is_silent(first, after[key]) for key, (_, first) in before.items()):
            await asyncio.sleep(KEEP_ALIVE_SECONDS - (time.monotonic() - started))
            after = {key: flow.count() for key, (flow, _) in before.items()}
        return [_told(flow, first, second) for key, (flow, first) in before.items() if (second := after[key])]


def _is_silent(before: _Count, after: _Count | None) -> bool:
    return after is not None and not _has_moved(before, after) and after.unacked == 0


def _has_moved(before: _Count, after: _Count) -> bool:
    return after.acked > before.acked or after.received > before.received


def _told(flow: Flow, before: _Count, after: _Count) -> Message:
    if _has_moved(before, after):
        is_live, evidence = True, "payload is acknowledged or received"
    elif after.unacked:
        is_live, evidence = False, "payload is sent and not acknowledged"
    elif after.state != _ESTABLISHED:
        is_live, evidence = False, "silent, and being closed"
    elif after.segments_in > before.segments_in:
        is_live, evidence = True, "silent, but a keep-alive was answered"
    else:
        is_live, evidence = False, "silent, and no keep-alive was answered"
    return {
        "protocol": "Tcp",
        "direction": "Inbound" if flow.is_inbound else "Outbound",
        "localAddress": flow.local[0],
        "localPort": flow.local[1],
        "remoteAddress": flow.remote[0],
        "remotePort": flow.remote[1],
        "openedAt": iso(flow.opened_at),
        "bytesSent": after.acked,
        "bytesReceived": after.received,
        "live": is_live,
        "evidence": evidence,
    }
