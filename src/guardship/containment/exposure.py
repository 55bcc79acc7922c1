"""Whether a machine's interface is closed, by its effective rules: pure, so that it can be asked before a write as well as after.

An interface is *closed* when no packet of a set of witnesses passes, in or out: to and from the internet and the machine's own
network, over TCP, UDP and ICMP, at common ports and at the edge of every port range that a rule names. Narrow ways that a rule
leaves open on purpose (a forensics host, a bastion's subnet) do not make it open.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import product

from guardship.cloud.azure.network import Direction, Packet, SecurityRule, Space, is_anywhere, is_internet, judge, network_of

NARROW_PREFIX_LENGTH = 25
"""From this IPv4 prefix length on, a rule's peer is one place, not a network."""

_NARROW_PREFIX_LENGTH_6 = 120
_INTERNET_WITNESSES = ("192.0.2.77", "198.51.100.201", "2001:db8:77::9")
_COMMON_PORTS = (22, 53, 80, 443, 3389, 8080, 40_000)
_PROTOCOLS = ("Tcp", "Udp", "Icmp")


@dataclass(frozen=True, slots=True)
class InterfaceView:
    """An interface with all that decides over its packets. `machine_id` is the lower-cased id of its machine, empty if it has none."""

    interface_id: str
    machine_id: str
    addresses: tuple[str, ...]
    group_id: str
    subnet_id: str
    interface_rules: tuple[SecurityRule, ...] | None
    subnet_rules: tuple[SecurityRule, ...] | None
    space: Space

    def rules(self) -> Iterator[SecurityRule]:
        yield from self.interface_rules or ()
        yield from self.subnet_rules or ()


def is_closed(view: InterfaceView) -> bool:
    return open_way(view) is None


def open_way(view: InterfaceView) -> Packet | None:
    """A packet that passes, if there is one: the evidence that the interface is not closed."""
    return next(
        (packet for packet in _witnesses(view) if judge(view.subnet_rules, view.interface_rules, packet, view.space).is_allowed), None
    )


def denies_metadata(view: InterfaceView) -> bool:
    """Whether the rules shut the metadata service, which a plain deny-all leaves reachable."""
    for address in view.addresses:
        if ":" in address:
            continue
        packet = Packet(Direction.OUTBOUND, "Tcp", address, "169.254.169.254", 40_000, 80)
        if judge(view.subnet_rules, view.interface_rules, packet, view.space).is_allowed:
            return False
    return True


def shut_door(before: InterfaceView, after: InterfaceView, ports: Iterable[int]) -> int | None:
    """A TCP port at which some witness reaches the interface before a change and not after it."""
    for own in before.addresses:
        for port, peer in product(sorted(ports), _peers(before, own)):
            packet = Packet(Direction.INBOUND, "Tcp", peer, own, 40_000, port)
            was, will_be = (judge(view.subnet_rules, view.interface_rules, packet, view.space).is_allowed for view in (before, after))
            if was and not will_be:
                return port
    return None


def _witnesses(view: InterfaceView) -> Iterator[Packet]:
    ports = sorted({*_COMMON_PORTS, *_edges(view.rules())})
    for own in view.addresses:
        for peer, protocol in product(_peers(view, own), _PROTOCOLS):
            for port in ports if protocol != "Icmp" else (0,):
                yield Packet(Direction.INBOUND, protocol, peer, own, 40_000, port)
                yield Packet(Direction.OUTBOUND, protocol, own, peer, 40_000, port)


def _edges(rules: Iterable[SecurityRule]) -> Iterator[int]:
    for rule in rules:
        for ports in rule.destination_ports:
            yield from (ports.first, ports.last)


def _peers(view: InterfaceView, own: str) -> list[str]:
    version = ip_address(own).version
    candidates = [*_INTERNET_WITNESSES, *(peer for prefix in view.space.prefixes for peer in _inside(prefix))]
    narrow = [network for rule in view.rules() for word in (*rule.sources, *rule.destinations) if (network := _narrow(word))]
    return [
        peer
        for peer in candidates
        if ip_address(peer).version == version and peer != own and not any(ip_address(peer) in network for network in narrow)
    ]


def _inside(prefix: str) -> Iterator[str]:
    """A few addresses spread over a prefix, so that one of them lies outside the narrow places."""
    network = ip_network(prefix, strict=False)
    for share in (3, 7, 11, 13):
        yield str(network[network.num_addresses * share // 17])


def _narrow(word: str):  # type: ignore[no-untyped-def]  # an IPv4 or IPv6 network, or None
    if is_anywhere(word) or is_internet(word):
        return None
    network = network_of(word)
    if network is None:
        return None
    return network if network.prefixlen >= (NARROW_PREFIX_LENGTH if network.version == 4 else _NARROW_PREFIX_LENGTH_6) else None
