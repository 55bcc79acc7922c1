"""Whether a machine's interface is closed, by its effective rules: pure, so that it can be asked before a write as well as after.

An interface is *closed* when no packet passes, in or out, of which a rule that allows speaks: witnesses stand in the internet, in the
machine's own network and on both sides of every edge of a prefix or port range that a rule names. A rule that allows a tag or group
whose addresses we do not know is taken for open to all, one that denies it for nothing. Narrow ways that a rule leaves open on purpose
(a forensics host, a bastion's subnet) do not make it open.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network
from itertools import product

from guardship.cloud.azure.network import (
    ANY,
    PLATFORM_TAGS,
    Access,
    Direction,
    Network,
    Packet,
    PortRange,
    SecurityRule,
    Space,
    is_anywhere,
    is_meant,
    is_unknown,
    judge,
    judge_by_group,
    network_of,
    prefixes_of,
)

NARROW_PREFIX_LENGTH = 25
"""From this IPv4 prefix length on, a rule's peer is one place, not a network."""

_NARROW_PREFIX_LENGTH_6 = 120
_INTERNET_WITNESSES = ("192.0.2.77", "198.51.100.201", "2001:db8:77::9")
_COMMON_PORTS = (22, 53, 80, 443, 3389, 8080, 40_000)
_PROTOCOLS = ("Tcp", "Udp", "Icmp")
_WITH_PORTS = ("Tcp", "Udp")
_OWN_PORT = 40_000
_LAST_PORT = 65_535

Rules = tuple[SecurityRule, ...]


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
    return _way(view) is None


def open_way(view: InterfaceView) -> Packet | None:
    """A packet that passes, if there is one: the evidence that the interface is not closed."""
    found = _way(view)
    return None if found is None else found[0]


def told_way(view: InterfaceView) -> str | None:
    """That packet for people, with the rules that let it pass."""
    found = _way(view)
    if found is None:
        return None
    packet, names = found
    way = f"{packet.direction} {packet.protocol} {packet.source} to {packet.destination}:{packet.destination_port}"
    return f"{way}, allowed by {' and '.join(names)}" if names else way


def denies_metadata(view: InterfaceView) -> bool:
    """Whether the rules shut the metadata service, which a plain deny-all leaves reachable."""
    for address in view.addresses:
        if ":" in address:
            continue
        packet = Packet(Direction.OUTBOUND, "Tcp", address, "169.254.169.254", _OWN_PORT, 80)
        if judge(view.subnet_rules, view.interface_rules, packet, view.space).is_allowed:
            return False
    return True


def shut_door(before: InterfaceView, after: InterfaceView, ports: Iterable[int]) -> int | None:
    """A TCP port at which some witness reaches the interface before a change and not after it."""
    for own in before.addresses:
        for port, peer in product(sorted(ports), _peers(before, own, Direction.INBOUND, tuple(before.rules()))):
            packet = Packet(Direction.INBOUND, "Tcp", peer, own, _OWN_PORT, port)
            was, will_be = (judge(view.subnet_rules, view.interface_rules, packet, view.space).is_allowed for view in (before, after))
            if was and not will_be:
                return port
    return None


def _way(view: InterfaceView) -> tuple[Packet, list[str]] | None:
    """A packet that passes every group there is, and the names of the rules that say so; defaults only where no other does."""
    for direction in Direction:
        groups = [_deciding(rules, direction, view.space) for rules in (view.subnet_rules, view.interface_rules) if rules is not None]
        for packet in _witnesses(view, direction, groups):
            verdicts = [judge_by_group(rules, packet, view.space) for rules in groups]
            if all(verdict.is_allowed for verdict in verdicts):
                rules = [verdict.rule for verdict in verdicts if verdict.rule is not None]
                return packet, [rule.name for rule in rules if not rule.is_default] or [rule.name for rule in rules]
    return None


def _deciding(rules: Rules, direction: Direction, space: Space) -> Rules:
    """The rules of a direction that can decide: up to the first that speaks of every packet, each taken with caution."""
    found = []
    for rule in rules:
        if rule.direction is direction:
            found.append(_with_caution(rule, space))
            if _speaks_of_all(found[-1]):
                break
    return tuple(found)


def _with_caution(rule: SecurityRule, space: Space) -> SecurityRule:
    """Nobody knows who the addresses of an unknown tag or group are: allowed, they may be anybody."""
    if rule.access is Access.DENY:
        return rule
    sides = ((rule.sources, rule.source_groups), (rule.destinations, rule.destination_groups))
    sources, destinations = (
        (ANY,) if any(is_unknown(word, space) for word in words) or any(group not in space.members for group in groups) else words
        for words, groups in sides
    )
    return replace(rule, sources=sources, destinations=destinations)


def _speaks_of_all(rule: SecurityRule) -> bool:
    has_ports = rule.source_ports or rule.destination_ports
    is_any = all(any(is_anywhere(word) for word in words) for words in (rule.sources, rule.destinations))
    return rule.protocol == ANY and not has_ports and is_any


def _witnesses(view: InterfaceView, direction: Direction, groups: Sequence[Rules]) -> Iterator[Packet]:
    """Packets that the allowing rules of one group speak of: the group with the fewest, for a packet has to pass them all."""
    everything = SecurityRule("", 0, direction, Access.ALLOW, ANY, (ANY,), (ANY,))
    allowing = min(([rule for rule in rules if rule.access is Access.ALLOW] for rules in groups), key=len, default=[everything])
    rules = tuple(rule for group in groups for rule in group)
    ports = _points((each for rule in rules for each in rule.destination_ports), _COMMON_PORTS)
    own_ports = _points((each for rule in rules for each in rule.source_ports), (_OWN_PORT,))
    protocols = dict.fromkeys((*_PROTOCOLS, *(rule.protocol for rule in rules if rule.protocol != ANY)))
    for own in view.addresses:
        peers = _peers(view, own, direction, rules)
        for rule in allowing:
            theirs = [peer for peer in peers if is_meant(_peer_words(rule), peer, view.space)]
            pairs = list(product(_within(ports, rule.destination_ports), _within(own_ports, rule.source_ports)))
            for peer, protocol in product(theirs, protocols if rule.protocol == ANY else (rule.protocol,)):
                source, destination = (peer, own) if direction is Direction.INBOUND else (own, peer)
                for port, own_port in pairs if protocol in _WITH_PORTS else ((0, 0),):
                    yield Packet(direction, protocol, source, destination, own_port, port)


def _points(ranges: Iterable[PortRange], common: Iterable[int]) -> list[int]:
    """Ports to try: the common ones, and both sides of every edge."""
    edges = {port for each in ranges for port in (each.first - 1, each.first, each.last, each.last + 1)}
    return [*common, *sorted(port for port in edges.difference(common) if 0 <= port <= _LAST_PORT)]


def _within(ports: Iterable[int], ranges: tuple[PortRange, ...]) -> list[int]:
    return [port for port in ports if not ranges or any(port in each for each in ranges)]


def _peer_words(rule: SecurityRule) -> tuple[str, ...]:
    return rule.sources if rule.direction is Direction.INBOUND else rule.destinations


def _peers(view: InterfaceView, own: str, direction: Direction, rules: Rules) -> list[str]:
    """Who may be at the other end: the internet, the machine's network, both sides of every edge of a prefix; no narrow place."""
    known = [rule for rule in rules if rule.direction is direction]
    named = [network for rule in known for word in _peer_words(rule) for network in prefixes_of(word, view.space) or ()]
    inside = [peer for prefix in view.space.prefixes for peer in _inside(prefix)]
    candidates = dict.fromkeys((*_INTERNET_WITNESSES, *inside, *(peer for network in named for peer in _edges(network))))
    narrow = _narrow_places(known)
    version = ip_address(own).version
    return [
        peer
        for peer in candidates
        if (address := ip_address(peer)).version == version
        and peer != own
        and peer not in PLATFORM_TAGS.values()
        and not any(address in network for network in narrow)
    ]


def _inside(prefix: str) -> Iterator[str]:
    """A few addresses spread over a prefix: a packet from there is easier to read than one from its edge."""
    network = ip_network(prefix, strict=False)
    for share in (3, 7, 11, 13):
        yield str(network[network.num_addresses * share // 17])


def _edges(network: Network) -> Iterator[str]:
    first, last = int(network.network_address), int(network.broadcast_address)
    for number in (first - 1, first, last, last + 1):
        if 0 <= number < 2**network.max_prefixlen:
            yield str(type(network.network_address)(number))


def _narrow_places(rules: Iterable[SecurityRule]) -> list[Network]:
    """The places that rules allow one by one; those that make up a network together are none."""
    words = {word for rule in rules if rule.access is Access.ALLOW for word in _peer_words(rule) if not is_anywhere(word)}
    named = [network for word in words if (network := network_of(word)) is not None]
    narrow4 = [each for each in named if isinstance(each, IPv4Network) and each.prefixlen >= NARROW_PREFIX_LENGTH]
    narrow6 = [each for each in named if isinstance(each, IPv6Network) and each.prefixlen >= _NARROW_PREFIX_LENGTH_6]
    places4 = (each for each in collapse_addresses(narrow4) if each.prefixlen >= NARROW_PREFIX_LENGTH)
    places6 = (each for each in collapse_addresses(narrow6) if each.prefixlen >= _NARROW_PREFIX_LENGTH_6)
    return [*places4, *places6]
