"""What a cloud can tell us of its machines and do to their network; Azure and the lab share one implementation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from guardship.cloud.resource_id import ResourceId
from guardship.cloud.security_rules import SecurityRule, Space
from guardship.cloud.writes import Actor
from guardship.errors import Fault, GuardshipError

Body = dict[str, Any]


class AmbiguousMachine(GuardshipError):
    """A name that several machines bear."""

    code = "cloud.ambiguous_machine"
    fault = Fault.CONFLICT


@dataclass(frozen=True, slots=True)
class Machine:
    machine_id: str  # the lower-cased ARM id
    name: str
    resource_id: ResourceId
    group: str
    location: str
    os: str
    tags: Mapping[str, str]
    interface_ids: tuple[ResourceId, ...]


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface as read, with its whole body for the way back."""

    resource_id: ResourceId
    name: str
    etag: str
    group_id: str | None
    subnet_id: str
    address: str
    body: Body

    @property
    def addresses(self) -> tuple[str, ...]:
        parts = self.body["properties"].get("ipConfigurations") or ()
        return tuple(str(part["properties"]["privateIPAddress"]) for part in parts if part["properties"].get("privateIPAddress"))


@dataclass(frozen=True, slots=True)
class EffectiveRules:
    """The rules an interface stands under: None where there is no group."""

    subnet: tuple[SecurityRule, ...] | None
    interface: tuple[SecurityRule, ...] | None
    space: Space
    subnet_group_id: str | None
    interface_group_id: str | None


class CloudProvider(Protocol):
    def machines(self) -> list[Machine]: ...

    def machine(self, name: str) -> Machine:
        """By name or ARM id; raises NotFound, or AmbiguousMachine."""
        ...

    def interfaces_of(self, machine: Machine) -> list[Interface]: ...

    def interface(self, interface_id: str) -> Interface: ...

    def group(self, group_id: str) -> Body: ...

    def subnet(self, subnet_id: str) -> Body: ...

    def assign_group(self, interface: Interface, group_id: str | None, *, actor: Actor, idempotency_key: str | None = None) -> Body:
        """Write what was read with one field changed, only if nobody changed it since; the body afterwards."""
        ...

    def effective_rules(self, interface: Interface) -> EffectiveRules: ...
