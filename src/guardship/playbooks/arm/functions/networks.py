"""Functions of templates on address ranges: `parseCidr`, `cidrSubnet`, `cidrHost`."""

from ipaddress import IPv4Network, IPv6Network, ip_network

from guardship.playbooks.arm.symbols import ArmFailed
from guardship.playbooks.expressions.arguments import text, whole_number
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.values import Value


def _network(function: str, value: Value) -> IPv4Network | IPv6Network:
    given = text(function, value)
    try:
        return ip_network(given, strict=False)
    except ValueError as error:
        raise ArmFailed(f"The template function '{function}' expects a range such as 10.0.0.0/16, not '{given[:80]}'.") from error


def parse_cidr(value: Value) -> Value:
    network = _network("parseCidr", value)
    first, last = _usable(network)
    made: dict[str, Value] = {"network": str(network.network_address), "netmask": str(network.netmask)}
    if isinstance(network, IPv4Network):
        made["broadcast"] = str(network.broadcast_address)
    made |= {"firstUsable": str(network[0] + first), "lastUsable": str(network[0] + last), "cidr": network.prefixlen}
    return made


def _usable(network: IPv4Network | IPv6Network) -> tuple[int, int]:
    """The first and the last offset a host may have; a version 6 range uses all but its first address (a guess)."""
    count = network.num_addresses
    if count <= 2:
        return 0, count - 1
    return 1, count - 2 if isinstance(network, IPv4Network) else count - 1


def cidr_subnet(value: Value, prefix: Value, index: Value) -> Value:
    network, size, number = _network("cidrSubnet", value), whole_number("cidrSubnet", prefix), whole_number("cidrSubnet", index)
    if not network.prefixlen <= size <= network.max_prefixlen:
        raise ArmFailed(f"A part of {network} has a prefix from {network.prefixlen} to {network.max_prefixlen}, not {size}.")
    if not 0 <= number < 1 << (size - network.prefixlen):
        raise ArmFailed(f"{network} has {1 << (size - network.prefixlen)} parts with the prefix {size}; there is none with index {number}.")
    return f"{network[0] + (number << (network.max_prefixlen - size))}/{size}"


def cidr_host(value: Value, index: Value) -> Value:
    """Index 0 is the first usable address."""
    network, number = _network("cidrHost", value), whole_number("cidrHost", index)
    first, last = _usable(network)
    if not 0 <= number <= last - first:
        raise ArmFailed(f"{network} has {last - first + 1} usable addresses; there is none with index {number}.")
    return str(network[0] + first + number)


TABLE = (Entry("parseCidr", 1, 1, parse_cidr), Entry("cidrSubnet", 3, 3, cidr_subnet), Entry("cidrHost", 2, 2, cidr_host))
