"""Network security groups as nftables rules: two chains a group and three an interface, changed by one transaction at a time.

Allow is `return`, deny is `drop`: "both must allow" is two jumps in a row. Rules look at the *original* direction of a flow.
- `cutting`: every packet is judged by today's rules; for packets in reply direction the in and out chains change places. A swap of
  one interface's group cuts its live flows at once.
- `azure`: what is established stays; rules are asked for the first packet of a flow only, as Azure does it.
The metadata service lies on the fabric itself: packets to it pass the input hook, where only rules by a platform tag are asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import product

from guardship.cloud.azure.network import (
    METADATA_ADDRESS,
    PLATFORM_ADDRESS,
    PLATFORM_TAGS,
    Access,
    Direction,
    Network,
    PortRange,
    SecurityRule,
    Space,
    is_anywhere,
    is_internet,
    names_tag,
    network_of,
    prefixes_of,
)
from guardship.lab import nft
from guardship.lab.netlink import Tables, Transaction

TABLE = "fabric"
HOOK_INPUT, HOOK_FORWARD, HOOK_OUTPUT = 1, 2, 3
FORWARD, INPUT, OUTPUT = "fabric_forward", "fabric_input", "fabric_output"
_PROTOCOLS: Mapping[str, tuple[int, ...]] = {
    "tcp": (nft.TCP,),
    "udp": (nft.UDP,),
    "icmp": (nft.ICMP, nft.ICMPV6),
    "esp": (50,),
    "ah": (51,),
}

Rule = tuple[bytes, ...]
Chains = dict[str, tuple[Rule, ...]]


class TrackingMode(StrEnum):
    CUTTING = "cutting"
    AZURE = "azure"


@dataclass(frozen=True, slots=True)
class Group:
    """A network security group as the filter needs it."""

    group_id: str  # lower-cased
    rules: tuple[SecurityRule, ...]


@dataclass(frozen=True, slots=True)
class Port:
    """One interface on the fabric and the groups it stands under."""

    link: str
    subnet_group: str | None
    interface_group: str | None


class PacketFilter:
    """The rules loaded in this network namespace, and the difference to those wanted."""

    def __init__(self, tables: Tables, mode: TrackingMode) -> None:
        self._tables = tables
        self._mode = mode
        self._loaded: Chains = {}
        self._compiled: dict[str, tuple[Group, Space, Chains]] = {}

    def load(self, groups: Mapping[str, Group], ports: tuple[Port, ...], space: Space) -> None:
        """Make these the rules in force; one transaction, so a packet meets the old rules or the new ones."""
        wanted: Chains = {}
        for group in groups.values():
            wanted |= self._chains_of(group, space)
        wanted |= interface_chains(ports, self._mode)
        transaction = Transaction(TABLE)
        if not self._loaded:
            transaction.add_table()
            for name, hook in ((INPUT, HOOK_INPUT), (OUTPUT, HOOK_OUTPUT), (FORWARD, HOOK_FORWARD)):
                transaction.add_hook(name, hook, is_accepting=name == OUTPUT)
        for name in wanted.keys() - self._loaded.keys() - {FORWARD, INPUT, OUTPUT}:
            transaction.add_chain(name)
        for name, rules in wanted.items():
            if self._loaded.get(name) == rules:
                continue
            if name in self._loaded:
                transaction.empty_chain(name)
            for rule in rules:
                transaction.add_rule(name, rule)
        gone = self._loaded.keys() - wanted.keys()
        for name in gone:
            transaction.empty_chain(name)
        for name in gone:
            transaction.delete_chain(name)
        self._tables.commit(transaction)
        self._loaded = wanted

    def _chains_of(self, group: Group, space: Space) -> Chains:
        known = self._compiled.get(group.group_id)
        if known is None or known[:2] != (group, space):
            known = (group, space, group_chains(group, space))
            self._compiled[group.group_id] = known
        return known[2]


def group_chains(group: Group, space: Space) -> Chains:
    """A group's chains. They are there whether or not an interface uses them, so that a swap is a jump."""
    return {
        chain_of(group.group_id, "in"): _group_chain(group, Direction.INBOUND, space),
        chain_of(group.group_id, "out"): _group_chain(group, Direction.OUTBOUND, space),
        chain_of(group.group_id, "platform"): _platform_chain(group, space),
    }


def interface_chains(ports: tuple[Port, ...], mode: TrackingMode) -> Chains:
    """Which groups stand at each interface, and the hooks that send packets there."""
    chains: Chains = {}
    for port in ports:
        chains[f"if_{port.link}_in"] = _jumps(port.subnet_group, port.interface_group, "in")
        chains[f"if_{port.link}_out"] = _jumps(port.interface_group, port.subnet_group, "out")
        chains[f"if_{port.link}_platform"] = _jumps(port.interface_group, port.subnet_group, "platform")
    chains[FORWARD] = tuple(_forward(ports, mode))
    chains[INPUT] = tuple(_input(ports, mode))
    chains[OUTPUT] = tuple(_output(ports, mode))
    return chains


def chain_of(group_id: str, side: str) -> str:
    """Named by a hash: two resource groups may hold the same name."""
    return f"nsg_{sha256(group_id.encode()).hexdigest()[:12]}_{side}"


def _jumps(first: str | None, second: str | None, side: str) -> tuple[Rule, ...]:
    return tuple((nft.jump(chain_of(group, side)),) for group in (first, second) if group)


def _group_chain(group: Group, direction: Direction, space: Space) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for rule in group.rules:
        if rule.direction is direction:
            rules.extend((*match, *_verdict(rule.access)) for match in match_expressions(rule, space))
    return (*rules, _verdict(Access.DENY))


def _platform_chain(group: Group, space: Space) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for rule in group.rules:
        if rule.direction is Direction.OUTBOUND and any(names_tag(rule, tag) for tag in PLATFORM_TAGS):
            rules.extend((*match, *_verdict(rule.access)) for match in match_expressions(rule, space))
    return tuple(rules)


def _verdict(access: Access) -> Rule:
    return (nft.RETURN,) if access is Access.ALLOW else (nft.COUNTER, nft.DROP)


def _forward(ports: tuple[Port, ...], mode: TrackingMode) -> Iterator[Rule]:
    yield (*nft.state_is(nft.STATE_INVALID), nft.DROP)
    for protocol in (nft.ICMP, nft.ICMPV6):  # path MTU and unreachable errors belong to the flow they speak of
        yield (*nft.state_is(nft.STATE_RELATED), *nft.protocol_is(protocol), nft.ACCEPT)
    if mode is TrackingMode.AZURE:
        yield (*nft.state_is(nft.STATE_ESTABLISHED), nft.ACCEPT)
    for port in ports:
        yield (*nft.is_original(), *nft.came_by(port.link), nft.jump(f"if_{port.link}_out"))
    for port in ports:
        yield (*nft.is_original(), *nft.leaves_by(port.link), nft.jump(f"if_{port.link}_in"))
    if mode is TrackingMode.CUTTING:
        for port in ports:
            yield (*nft.is_reply(), *nft.leaves_by(port.link), nft.jump(f"if_{port.link}_out"))
            yield (*nft.is_reply(), *nft.came_by(port.link), nft.jump(f"if_{port.link}_in"))
    yield (nft.ACCEPT,)


def _input(ports: tuple[Port, ...], mode: TrackingMode) -> Iterator[Rule]:
    yield (*nft.came_by("lo"), nft.ACCEPT)
    for protocol in (nft.ICMPV6, nft.ICMP):  # neighbour discovery
        yield (*nft.protocol_is(protocol), nft.ACCEPT)
    yield (*nft.state_is(nft.STATE_INVALID), nft.DROP)
    if mode is TrackingMode.AZURE:
        yield (*nft.state_is(nft.STATE_ESTABLISHED), nft.ACCEPT)
    for port in ports:
        yield (*nft.came_by(port.link), nft.jump(f"if_{port.link}_platform"))
    for protocol, address, number in ((nft.TCP, METADATA_ADDRESS, 80), (nft.UDP, PLATFORM_ADDRESS, 53)):
        network = network_of(address)
        assert network is not None
        yield (
            *nft.protocol_is(protocol),
            *nft.address_in(network, is_source=False),
            *nft.port_in(number, number, is_source=False),
            nft.ACCEPT,
        )


def _output(ports: tuple[Port, ...], mode: TrackingMode) -> Iterator[Rule]:
    if mode is TrackingMode.CUTTING:
        for port in ports:
            yield (*nft.is_reply(), *nft.leaves_by(port.link), nft.jump(f"if_{port.link}_platform"))


def match_expressions(rule: SecurityRule, space: Space) -> Iterator[Rule]:
    """The ways in which a packet can match a rule, each a row of expressions; none for a rule that can match nothing."""
    sources = list(_address_ways(rule.sources, rule.source_groups, space, is_source=True))
    destinations = list(_address_ways(rule.destinations, rule.destination_groups, space, is_source=False))
    for protocol, (source_family, source), (destination_family, destination) in product(_protocol_ways(rule), sources, destinations):
        if source_family and destination_family and source_family != destination_family:
            continue
        ports = product(_port_ways(rule.source_ports, is_source=True), _port_ways(rule.destination_ports, is_source=False))
        for source_port, destination_port in ports:
            yield (*protocol, *source, *destination, *source_port, *destination_port)


def _protocol_ways(rule: SecurityRule) -> list[Rule]:
    """A port with protocol `*` means TCP and UDP; the protocol must stand before a port."""
    numbers = _PROTOCOLS.get(rule.protocol.lower())
    if numbers is None and rule.protocol != "*":
        return []
    if numbers is None:
        numbers = (nft.TCP, nft.UDP) if rule.source_ports or rule.destination_ports else None
    return [()] if numbers is None else [nft.protocol_is(number) for number in numbers]


def _address_ways(words: tuple[str, ...], groups: tuple[str, ...], space: Space, *, is_source: bool) -> Iterator[tuple[int | None, Rule]]:
    """(family the way holds for, expressions); no member of an application group, no way."""
    if any(is_anywhere(word) for word in words):
        yield None, ()
        return
    networks: list[Network] = []
    for word in words:
        if is_internet(word):
            yield from ((family, _outside(space, family, is_source=is_source)) for family in (4, 6))
        else:
            networks.extend(prefixes_of(word, space) or ())
    for group in groups:
        networks.extend(network for address in space.members.get(group, ()) if (network := network_of(address)))
    for network in dict.fromkeys(networks):
        yield network.version, nft.address_in(network, is_source=is_source)


def _outside(space: Space, family: int, *, is_source: bool) -> Rule:
    networks = [network for prefix in space.prefixes if (network := network_of(prefix)) and network.version == family]
    parts: list[bytes] = list(nft.family_is(family))
    for network in networks:
        parts.extend(nft.address_in(network, is_source=is_source, is_inside=False))
    return tuple(parts)


def _port_ways(ranges: tuple[PortRange, ...], *, is_source: bool) -> list[Rule]:
    return [nft.port_in(known.first, known.last, is_source=is_source) for known in ranges] or [()]
