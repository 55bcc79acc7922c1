"""How Azure judges a packet by network security groups: pure, shared by the lab's filter and by containment.

Priority decides, lowest first, first match wins, defaults come last. Inbound passes the subnet's group, then the interface's;
outbound the other way round; both must allow, no group allows. 168.63.129.16 and 169.254.169.254 are not subject to groups unless
a rule denies them by their tag, so a deny-all group leaves the metadata service reachable.
A service tag whose addresses we do not know never matches, and the verdict names the rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from guardship.cloud.security_rules import Access as Access
from guardship.cloud.security_rules import Direction as Direction
from guardship.cloud.security_rules import PortRange as PortRange
from guardship.cloud.security_rules import SecurityRule as SecurityRule
from guardship.cloud.security_rules import Space as Space
from guardship.errors import Fault, GuardshipError

METADATA_ADDRESS = "169.254.169.254"
PLATFORM_ADDRESS = "168.63.129.16"
PLATFORM_TAGS: Mapping[str, str] = {"azureplatformimds": METADATA_ADDRESS, "azureplatformdns": PLATFORM_ADDRESS}
"""The tags by which a rule can reach an address that is not subject to groups."""

ANY = "*"
_ANYWHERE = {"*", "any", "0.0.0.0/0", "::/0"}
_PORT_LIMIT = 65_535


class BadRule(GuardshipError):
    code = "cloud.bad_rule"
    fault = Fault.BAD_INPUT


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection, seen from the interface that is judged."""

    direction: Direction
    protocol: str
    source: str
    destination: str
    source_port: int = 0
    destination_port: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    access: Access
    rule: SecurityRule | None  # that decided; None where no group stands in the way
    uncertain: tuple[str, ...] = ()  # rules passed over because the addresses of their tag are not known

    @property
    def is_allowed(self) -> bool:
        return self.access is Access.ALLOW


Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _default(name: str, priority: int, direction: Direction, access: Access, source: str, destination: str) -> SecurityRule:
    return SecurityRule(name, priority, direction, access, ANY, (source,), (destination,), is_default=True)


DEFAULT_RULES: tuple[SecurityRule, ...] = (
    _default("AllowVnetInBound", 65000, Direction.INBOUND, Access.ALLOW, "VirtualNetwork", "VirtualNetwork"),
    _default("AllowAzureLoadBalancerInBound", 65001, Direction.INBOUND, Access.ALLOW, "AzureLoadBalancer", ANY),
    _default("DenyAllInBound", 65500, Direction.INBOUND, Access.DENY, ANY, ANY),
    _default("AllowVnetOutBound", 65000, Direction.OUTBOUND, Access.ALLOW, "VirtualNetwork", "VirtualNetwork"),
    _default("AllowInternetOutBound", 65001, Direction.OUTBOUND, Access.ALLOW, ANY, "Internet"),
    _default("DenyAllOutBound", 65500, Direction.OUTBOUND, Access.DENY, ANY, ANY),
)


def rules_of(group: Mapping[str, Any]) -> tuple[SecurityRule, ...]:
    """The rules of a network security group as ARM tells it, defaults included, in the order they are asked."""
    stated = [rule_of(rule) for rule in (group.get("properties") or {}).get("securityRules") or ()]
    return tuple(sorted((*stated, *DEFAULT_RULES), key=lambda rule: (rule.direction, rule.priority)))


def rule_of(body: Mapping[str, Any]) -> SecurityRule:
    name = str(body.get("name") or "")
    given: Mapping[str, Any] = body.get("properties") or {}
    try:
        return SecurityRule(
            name=name,
            priority=int(given["priority"]),
            direction=Direction(str(given["direction"]).capitalize()),
            access=Access(str(given["access"]).capitalize()),
            protocol=str(given.get("protocol") or ANY).capitalize(),
            sources=_stated(given, "sourceAddressPrefix", "sourceAddressPrefixes"),
            destinations=_stated(given, "destinationAddressPrefix", "destinationAddressPrefixes"),
            source_ports=_ports(_stated(given, "sourcePortRange", "sourcePortRanges")),
            destination_ports=_ports(_stated(given, "destinationPortRange", "destinationPortRanges")),
            source_groups=_group_ids(given, "sourceApplicationSecurityGroups"),
            destination_groups=_group_ids(given, "destinationApplicationSecurityGroups"),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadRule(f"security rule {name or '(without name)'} cannot be read: {error}") from error


def judge(subnet: Sequence[SecurityRule] | None, interface: Sequence[SecurityRule] | None, packet: Packet, space: Space) -> Verdict:
    """Whether a packet passes the rules of the subnet's and the interface's group (None: there is no such group)."""
    groups = (subnet, interface) if packet.direction is Direction.INBOUND else (interface, subnet)
    decided = Verdict(Access.ALLOW, None)
    uncertain: tuple[str, ...] = ()
    for rules in groups:
        if rules is None:
            continue
        decided = judge_by_group(rules, packet, space)
        uncertain += decided.uncertain
        if not decided.is_allowed:
            break
    return Verdict(decided.access, decided.rule, uncertain)


def judge_by_group(rules: Sequence[SecurityRule], packet: Packet, space: Space) -> Verdict:
    """The verdict of one group."""
    platform_tag = platform_tag_of(packet)
    uncertain: list[str] = []
    for rule in rules:
        if rule.direction is not packet.direction or (platform_tag and not names_tag(rule, platform_tag)):
            continue
        if has_unknown_tag(rule, space):
            uncertain.append(rule.name)
        if matches(rule, packet, space):
            return Verdict(rule.access, rule, tuple(uncertain))
    return Verdict(Access.ALLOW if platform_tag else Access.DENY, None, tuple(uncertain))


def platform_tag_of(packet: Packet) -> str | None:
    """The tag by which alone this packet can be judged, when it goes to an address of the platform."""
    if packet.direction is Direction.INBOUND:
        return None
    return next((tag for tag, address in PLATFORM_TAGS.items() if address == packet.destination), None)


def names_tag(rule: SecurityRule, tag: str) -> bool:
    return any(destination.lower() == tag for destination in rule.destinations)


def matches(rule: SecurityRule, packet: Packet, space: Space) -> bool:
    if not _protocol_matches(rule, packet.protocol):
        return False
    has_ports = packet.protocol.lower() in {"tcp", "udp"}
    if (rule.source_ports or rule.destination_ports) and not has_ports:
        return False
    return (
        _port_matches(rule.source_ports, packet.source_port)
        and _port_matches(rule.destination_ports, packet.destination_port)
        and _address_matches(rule.sources, rule.source_groups, ip_address(packet.source), space)
        and _address_matches(rule.destinations, rule.destination_groups, ip_address(packet.destination), space)
    )


def has_unknown_tag(rule: SecurityRule, space: Space) -> bool:
    return any(is_unknown(word, space) for word in (*rule.sources, *rule.destinations))


def is_unknown(word: str, space: Space) -> bool:
    """Whether it is a tag whose addresses we do not know."""
    return _networks_of(word, space) is None


def is_meant(words: tuple[str, ...], address: str, space: Space) -> bool:
    """Whether one of the words stands for the address."""
    return any(_word_matches(word, ip_address(address), space) for word in words)


def prefixes_of(word: str, space: Space) -> tuple[Network, ...] | None:
    """The networks an address word stands for; None for `*`, `Internet` (see `is_anywhere`, `is_internet`) and unknown tags."""
    return _networks_of(word, space) or None


def is_anywhere(word: str) -> bool:
    return word.lower() in _ANYWHERE


def is_internet(word: str) -> bool:
    return word.lower() == "internet"


@lru_cache(maxsize=4096)
def network_of(prefix: str) -> Network | None:
    try:
        return ip_network(prefix, strict=False)
    except ValueError:
        return None


def _networks_of(word: str, space: Space) -> tuple[Network, ...] | None:
    """As `prefixes_of`, but an empty tuple for `*` and `Internet`."""
    lowered = word.lower()
    if is_anywhere(lowered) or is_internet(lowered):
        return ()
    if lowered == "virtualnetwork":
        return tuple(network for prefix in space.prefixes if (network := network_of(prefix)))
    if lowered == "azureloadbalancer":
        return (ip_network(PLATFORM_ADDRESS),)
    if lowered in PLATFORM_TAGS:
        return (ip_network(PLATFORM_TAGS[lowered]),)
    network = network_of(word)
    return (network,) if network else None


def _address_matches(words: tuple[str, ...], groups: tuple[str, ...], address: Address, space: Space) -> bool:
    if any(str(address) in space.members.get(group, ()) for group in groups):
        return True
    return any(_word_matches(word, address, space) for word in words)


def _word_matches(word: str, address: Address, space: Space) -> bool:
    if is_anywhere(word):
        return True
    if is_internet(word):
        return not any(address in network for prefix in space.prefixes if (network := network_of(prefix)))
    return any(address in network for network in _networks_of(word, space) or ())


def _protocol_matches(rule: SecurityRule, protocol: str) -> bool:
    return rule.protocol == ANY or rule.protocol.lower() == protocol.lower()


def _port_matches(ranges: tuple[PortRange, ...], port: int) -> bool:
    return not ranges or any(port in known for known in ranges)


def _stated(given: Mapping[str, Any], one: str, many: str) -> tuple[str, ...]:
    words = [str(word) for word in given.get(many) or ()]
    if single := given.get(one):
        words.append(str(single))
    return tuple(dict.fromkeys(words))


def _group_ids(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(str(group["id"]).lower() for group in given.get(name) or ())


def _ports(words: tuple[str, ...]) -> tuple[PortRange, ...]:
    if not words or ANY in words:
        return ()
    return tuple(_port_range(word) for word in words)


def _port_range(word: str) -> PortRange:
    first, _, last = word.partition("-")
    found = PortRange(int(first), int(last or first))
    if not 0 <= found.first <= found.last <= _PORT_LIMIT:
        raise ValueError(f"port range {word} is not between 0 and {_PORT_LIMIT}")
    return found
