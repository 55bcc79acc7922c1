"""The rules of a network security group as values, without a cloud's way of judging by them (see `azure/network`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Access(StrEnum):
    ALLOW = "Allow"
    DENY = "Deny"


class Direction(StrEnum):
    INBOUND = "Inbound"
    OUTBOUND = "Outbound"


@dataclass(frozen=True, slots=True)
class PortRange:
    first: int
    last: int

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last


@dataclass(frozen=True, slots=True)
class SecurityRule:
    """One rule; empty port tuples mean every port."""

    name: str
    priority: int
    direction: Direction
    access: Access
    protocol: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    source_ports: tuple[PortRange, ...] = ()
    destination_ports: tuple[PortRange, ...] = ()
    source_groups: tuple[str, ...] = ()
    destination_groups: tuple[str, ...] = ()
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Space:
    """What tags and application groups stand for around one interface."""

    prefixes: tuple[str, ...] = ()  # of the virtual network and what it is joined to
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # application group id, lower-cased -> addresses
