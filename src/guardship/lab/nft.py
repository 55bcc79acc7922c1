"""The few nftables expressions the filter is made of, encoded for netlink.

Keys and operators are the kernel's numbers (linux/netfilter/nf_tables.h). What is compared is loaded into register 1 first.
Each is encoded once: a swap is made of the same few again and again.
"""

import struct
from functools import cache, lru_cache

from guardship.cloud.azure.network import Network
from guardship.lab.netlink import attribute, big32, nested, text

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
STATE_INVALID, STATE_ESTABLISHED, STATE_RELATED = 1, 2, 4

_REGISTER_VERDICT, _REGISTER = 0, 1
_EQUAL, _NOT_EQUAL = 0, 1
_META_IIFNAME, _META_OIFNAME, _META_NFPROTO, _META_L4PROTO = 6, 7, 15, 16
_CT_STATE, _CT_DIRECTION, _CT_PROTO_SRC, _CT_PROTO_DST = 0, 1, 11, 12
_CT_ADDRESS = {(4, True): 19, (4, False): 20, (6, True): 21, (6, False): 22}
_NFPROTO = {4: 2, 6: 10}
_ORIGINAL = 0
_NAME_BYTES = 16
_ACCEPT, _DROP, _JUMP, _RETURN = 1, 0, -3, -5


def _expression(name: str, *parts: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *parts))


def _value(kind: int, content: bytes) -> bytes:
    return nested(kind, attribute(1, content))


def _verdict(number: int, chain: str = "") -> bytes:
    parts = [big32(1, number)]
    if chain:
        parts.append(text(2, chain))
    return _expression("immediate", big32(1, _REGISTER_VERDICT), nested(2, nested(2, *parts)))


ACCEPT = _verdict(_ACCEPT)
DROP = _verdict(_DROP)
RETURN = _verdict(_RETURN)
COUNTER = _expression("counter", attribute(1, struct.pack(">Q", 0)), attribute(2, struct.pack(">Q", 0)))


@cache
def jump(chain: str) -> bytes:
    return _verdict(_JUMP, chain)


def _meta(key: int) -> bytes:
    return _expression("meta", big32(2, key), big32(1, _REGISTER))


def _ct(key: int, direction: int | None = None) -> bytes:
    side = b"" if direction is None else attribute(3, bytes([direction]))
    return _expression("ct", big32(1, _REGISTER), big32(2, key), side)


def _compare(content: bytes, operator: int = _EQUAL) -> bytes:
    return _expression("cmp", big32(1, _REGISTER), big32(2, operator), _value(3, content))


def _mask(mask: bytes, flip: bytes) -> bytes:
    return _expression("bitwise", big32(1, _REGISTER), big32(2, _REGISTER), big32(3, len(mask)), _value(4, mask), _value(5, flip))


@cache
def came_by(link: str) -> tuple[bytes, ...]:
    return _meta(_META_IIFNAME), _compare(link.encode().ljust(_NAME_BYTES, b"\0"))


@cache
def leaves_by(link: str) -> tuple[bytes, ...]:
    return _meta(_META_OIFNAME), _compare(link.encode().ljust(_NAME_BYTES, b"\0"))


@cache
def protocol_is(number: int) -> tuple[bytes, ...]:
    return _meta(_META_L4PROTO), _compare(bytes([number]))


@cache
def family_is(family: int) -> tuple[bytes, ...]:
    return _meta(_META_NFPROTO), _compare(bytes([_NFPROTO[family]]))


@cache
def is_original() -> tuple[bytes, ...]:
    return _ct(_CT_DIRECTION), _compare(b"\0")


@cache
def is_reply() -> tuple[bytes, ...]:
    return _ct(_CT_DIRECTION), _compare(b"\1")


@cache
def state_is(state: int) -> tuple[bytes, ...]:
    return _ct(_CT_STATE), _mask(struct.pack("=I", state), bytes(4)), _compare(bytes(4), _NOT_EQUAL)


@lru_cache(maxsize=4096)
def address_in(network: Network, *, is_source: bool, is_inside: bool = True) -> tuple[bytes, ...]:
    """The address that opened the flow, whichever way this packet goes."""
    load = _ct(_CT_ADDRESS[network.version, is_source], _ORIGINAL)
    compare = _compare(network.network_address.packed, _EQUAL if is_inside else _NOT_EQUAL)
    if network.prefixlen == network.max_prefixlen:
        return load, compare
    return load, _mask(network.netmask.packed, bytes(len(network.netmask.packed))), compare


@lru_cache(maxsize=4096)
def port_in(first: int, last: int, *, is_source: bool) -> tuple[bytes, ...]:
    load = _ct(_CT_PROTO_SRC if is_source else _CT_PROTO_DST, _ORIGINAL)
    low, high = struct.pack(">H", first), struct.pack(">H", last)
    if first == last:
        return load, _compare(low)
    return load, _expression("range", big32(1, _REGISTER), big32(2, _EQUAL), _value(3, low), _value(4, high))
