"""Which hosts and addresses playbooks may call: checked by name, and again on the address that is connected to."""

import ipaddress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from guardship.cloud.azure.network import PLATFORM_ADDRESS

_NAT64 = IPv6Network("64:ff9b::/96")
_V4_COMPATIBLE = IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class OutboundRules:
    """Which hosts may be called. `allowed_hosts` empty: all; an entry `.example.org` stands for the domain and all below it."""

    allowed_hosts: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()  # private ones that may be reached, such as 10.0.0.0/8
    ca_file: str | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "networks", tuple(ipaddress.ip_network(network) for network in self.allowed_networks))

    def refuse_host(self, host: str) -> str | None:
        """Why the host may not be called, or None."""
        folded = host.lower().rstrip(".")
        if not folded:
            return "the address names no host"
        if self.allowed_hosts and not any(_fits(entry.lower(), folded) for entry in self.allowed_hosts):
            return f"the host {host} is not among those that playbooks may call"
        try:
            return self.refuse_address(folded.strip("[]"))
        except ValueError:
            return None  # a name: judged by what it resolves to

    def refuse_address(self, address: str) -> str | None:
        found = _meant(ipaddress.ip_address(address))
        if str(found) == PLATFORM_ADDRESS:
            return f"the address {address} is the cloud platform's own, and playbooks may not call it"
        if found.is_global and not found.is_multicast:
            return None
        if any(found.version == network.version and found in network for network in self.networks):
            return None
        return f"the address {address} is private, and playbooks may not call it"


def _fits(entry: str, host: str) -> bool:
    return host == entry.lstrip(".") or (entry.startswith(".") and host.endswith(entry))


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, whichever way it is wrapped."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64 or (address in _V4_COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
