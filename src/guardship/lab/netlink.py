"""Netlink without any binary: links, addresses and routes, and nftables transactions whose acknowledgements are read.

Written by hand on the standard library, because the lab asks little of it and asks it often: encoding a swap takes microseconds,
it works while an asyncio loop runs in the same thread, and a transaction that the kernel refuses raises instead of being silent.
A socket belongs to the network namespace of the thread that opens it.
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network

from guardship.errors import Fault, GuardshipError

NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND, NLM_F_REPLACE = 1, 4, 0x200, 0x400, 0x800, 0x100
NLA_F_NESTED = 0x8000
NLMSG_ERROR = 2
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_RECEIVE_BYTES = 1 << 18
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLMSGERR_ATTR_MSG = 1
NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12

RTM_NEWLINK, RTM_DELLINK, RTM_SETLINK, RTM_NEWADDR, RTM_DELADDR, RTM_NEWROUTE, RTM_DELROUTE = 16, 17, 19, 20, 21, 24, 25
IFF_UP = 1
IFA_F_NODAD = 0x02
RTNH_F_ONLINK = 4
RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RTN_UNICAST = 254, 4, 0, 253, 1
ADDRESS_BYTES = {4: socket.AF_INET, 6: socket.AF_INET6}

NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 0x10, 0x11
NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, NFT_MSG_NEWCHAIN, NFT_MSG_DELCHAIN, NFT_MSG_NEWRULE, NFT_MSG_DELRULE = 0, 2, 3, 5, 6, 8
NFPROTO_INET = 1


class NetlinkRefused(GuardshipError):
    """The kernel said no; `number` is the errno."""

    code = "lab.netlink_refused"
    fault = Fault.INTERNAL

    def __init__(self, what: str, number: int, detail: str = "") -> None:
        reason = f": {detail}" if detail else ""
        super().__init__(f"the kernel refused to {what}: {os.strerror(number)}{reason}")
        self.number = number


def attribute(kind: int, content: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(content), kind) + content + b"\0" * (-len(content) % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | NLA_F_NESTED, b"".join(parts))


def text(kind: int, content: str) -> bytes:
    return attribute(kind, content.encode() + b"\0")


def number32(kind: int, content: int) -> bytes:
    return attribute(kind, struct.pack("=I", content))


def big32(kind: int, content: int) -> bytes:
    return attribute(kind, struct.pack(">I", content & 0xFFFFFFFF))


class _Socket:
    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.bind((0, 0))
        for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, size, 1 << 20)
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(SOL_NETLINK, option, 1)
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _exchange(self, what: str, content: bytes, last: int) -> None:
        """Send, then read every answer: the kernel has queued them all when `send` returns."""
        self._socket.send(content)
        acknowledged = False
        while True:
            try:
                answer = self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            for sequence, number, detail in _errors(answer):
                if number:
                    self._drain()
                    raise NetlinkRefused(what, number, detail)
                acknowledged = acknowledged or sequence == last
        if not acknowledged:
            raise NetlinkRefused(what, errno.ENOMSG, "no acknowledgement came")

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT)


class Routes(_Socket):
    """Links, addresses and routes of the network namespace this was opened in."""

    def __init__(self) -> None:
        super().__init__(NETLINK_ROUTE)

    def add_veth(self, name: str, *, peer: str, peer_pid: int) -> None:
        peer_link = struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0) + text(3, peer) + number32(19, peer_pid)
        info = nested(18, text(1, "veth"), nested(2, nested(1, peer_link)))
        self._ask(
            f"add the link {name}", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0) + text(3, name) + info
        )

    def set_up(self, name: str) -> None:
        link = struct.pack("=BBHiII", 0, 0, 0, socket.if_nametoindex(name), IFF_UP, IFF_UP)
        self._ask(f"raise the link {name}", RTM_NEWLINK, 0, link)

    def delete_link(self, name: str) -> None:
        self._ask(f"delete the link {name}", RTM_DELLINK, 0, struct.pack("=BBHiII", 0, 0, 0, socket.if_nametoindex(name), 0, 0))

    def add_address(self, address: str, name: str) -> None:
        self._address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, address, name)

    def delete_address(self, address: str, name: str) -> None:
        self._address(RTM_DELADDR, 0, address, name)

    def add_route(self, destination: str, name: str, *, gateway: str | None = None) -> None:
        self._route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, destination, name, gateway)

    def delete_route(self, destination: str, name: str) -> None:
        self._route(RTM_DELROUTE, 0, destination, name, None)

    def _address(self, kind: int, flags: int, address: str, name: str) -> None:
        host, _, length = address.partition("/")
        found = ip_address(host)
        scope = RT_SCOPE_LINK if found.is_link_local and found.version == 6 else RT_SCOPE_UNIVERSE
        head = struct.pack(
            "=BBBBI", ADDRESS_BYTES[found.version], int(length or found.max_prefixlen), IFA_F_NODAD, scope, socket.if_nametoindex(name)
        )
        local = attribute(2, found.packed) if found.version == 4 else b""
        self._ask(f"set the address {address} of {name}", kind, flags, head + attribute(1, found.packed) + local)

    def _route(self, kind: int, flags: int, destination: str, name: str, gateway: str | None) -> None:
        network = ip_network(destination)
        scope = RT_SCOPE_UNIVERSE if gateway or network.version == 6 else RT_SCOPE_LINK
        route_flags = RTNH_F_ONLINK if gateway else 0
        head = struct.pack(
            "=BBBBBBBBI",
            ADDRESS_BYTES[network.version],
            network.prefixlen,
            0,
            0,
            RT_TABLE_MAIN,
            RTPROT_STATIC,
            scope,
            RTN_UNICAST,
            route_flags,
        )
        parts = [attribute(1, network.network_address.packed)] if network.prefixlen else []
        parts.append(number32(4, socket.if_nametoindex(name)))
        if gateway:
            parts.append(attribute(5, ip_address(gateway).packed))
        self._ask(f"set the route to {destination}", kind, flags, head + b"".join(parts))

    def _ask(self, what: str, kind: int, flags: int, content: bytes) -> None:
        sequence = self._next()
        message = _HEADER.pack(_HEADER.size + len(content), kind, NLM_F_REQUEST | NLM_F_ACK | flags, sequence, 0) + content
        self._exchange(what, message, sequence)


class Transaction:
    """What one nftables commit will do, in order; nothing happens before `Tables.commit`."""

    def __init__(self, table: str) -> None:
        self._table = table
        self.steps: list[tuple[int, int, bytes]] = []

    def add_table(self) -> None:
        self._step(NFT_MSG_NEWTABLE, NLM_F_CREATE, text(1, self._table) + big32(2, 0))

    def delete_table(self) -> None:
        self._step(NFT_MSG_DELTABLE, 0, text(1, self._table))

    def add_chain(self, name: str) -> None:
        self._step(NFT_MSG_NEWCHAIN, NLM_F_CREATE, text(1, self._table) + text(3, name))

    def add_hook(self, name: str, hook: int, *, is_accepting: bool) -> None:
        content = (
            text(1, self._table) + text(3, name) + nested(4, big32(1, hook), big32(2, 0)) + big32(5, int(is_accepting)) + text(7, "filter")
        )
        self._step(NFT_MSG_NEWCHAIN, NLM_F_CREATE, content)

    def delete_chain(self, name: str) -> None:
        self._step(NFT_MSG_DELCHAIN, 0, text(1, self._table) + text(3, name))

    def empty_chain(self, name: str) -> None:
        self._step(NFT_MSG_DELRULE, 0, text(1, self._table) + text(2, name))

    def add_rule(self, chain: str, expressions: Sequence[bytes]) -> None:
        content = text(1, self._table) + text(2, chain) + nested(4, *expressions)
        self._step(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, content)

    def _step(self, kind: int, flags: int, content: bytes) -> None:
        self.steps.append((kind, flags, content))


class Tables(_Socket):
    """The nftables of the network namespace this was opened in."""

    def __init__(self) -> None:
        super().__init__(NETLINK_NETFILTER)

    def commit(self, transaction: Transaction) -> None:
        """All steps or none; raises what the kernel says against it."""
        if not transaction.steps:
            return
        parts = [self._edge(NFNL_MSG_BATCH_BEGIN)]
        last = 0
        for at, (kind, flags, content) in enumerate(transaction.steps, start=1):
            last = self._next()
            acknowledge = NLM_F_ACK if at == len(transaction.steps) else 0
            parts.append(_message(kind | NFNL_SUBSYS_NFTABLES << 8, flags | acknowledge, last, NFPROTO_INET, 0, content))
        parts.append(self._edge(NFNL_MSG_BATCH_END))
        self._exchange("change the packet filter", b"".join(parts), last)

    def _edge(self, kind: int) -> bytes:
        return _message(kind, 0, self._next(), 0, NFNL_SUBSYS_NFTABLES, b"")


def _message(kind: int, flags: int, sequence: int, family: int, subsystem: int, content: bytes) -> bytes:
    body = struct.pack(">BBH", family, 0, subsystem) + content
    return _HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST | flags, sequence, 0) + body


def _errors(answer: bytes) -> Iterable[tuple[int, int, str]]:
    """(sequence, errno or 0, the kernel's own words) of each acknowledgement in one datagram."""
    offset = 0
    while offset + _HEADER.size <= len(answer):
        length, kind, _, sequence, _ = _HEADER.unpack_from(answer, offset)
        if kind == NLMSG_ERROR:
            (number,) = struct.unpack_from("=i", answer, offset + _HEADER.size)
            yield sequence, -number, _words(answer[offset + _HEADER.size + 4 + _HEADER.size : offset + length])
        offset += max(_HEADER.size, (length + 3) & ~3)


def _words(content: bytes) -> str:
    offset = 0
    while offset + 4 <= len(content):
        length, kind = _ATTRIBUTE.unpack_from(content, offset)
        if kind & 0x3FFF == NLMSGERR_ATTR_MSG:
            return content[offset + 4 : offset + length].rstrip(b"\0").decode(errors="replace")
        offset += max(4, (length + 3) & ~3)
    return ""
