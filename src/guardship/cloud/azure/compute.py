"""Machines, interfaces and groups of Azure, or of the lab, over ARM."""

import copy
from collections.abc import Mapping
from typing import Any

from guardship.cloud.arm import ArmClient, ArmError
from guardship.cloud.azure.network import Space, rules_of
from guardship.cloud.provider import AmbiguousMachine, Body, EffectiveRules, Interface, Machine
from guardship.cloud.resource_id import ResourceId
from guardship.cloud.writes import Actor
from guardship.errors import NotFound

_MACHINES = "/providers/Microsoft.Compute/virtualMachines"
_INTERFACES = "/providers/Microsoft.Network/networkInterfaces"


class AzureProvider:
    def __init__(self, arm: ArmClient) -> None:
        self._arm = arm
        self._subscription = f"/subscriptions/{arm.endpoint.subscription_id}"

    def machines(self) -> list[Machine]:
        return [machine_of(body) for body in self._arm.list(self._subscription + _MACHINES)]

    def machine(self, name: str) -> Machine:
        if "/" in name:
            return machine_of(self._read(ResourceId.parse(name), "machine"))
        wanted = name.lower()
        found = [body for body in self._arm.list(self._subscription + _MACHINES) if wanted in _names(body)]
        if not found:
            raise NotFound("machine", name, hint="the cloud account has no machine of this name")
        if len(found) > 1:
            ids = ", ".join(str(body["id"]) for body in found)
            raise AmbiguousMachine(f"{len(found)} machines are called {name}", hint=f"say which by its id: {ids}")
        return machine_of(found[0])

    def interfaces_of(self, machine: Machine) -> list[Interface]:
        return [interface_of(self._read(interface_id, "network interface")) for interface_id in machine.interface_ids]

    def interface(self, interface_id: str) -> Interface:
        return interface_of(self._read(ResourceId.parse(interface_id), "network interface"))

    def group(self, group_id: str) -> Body:
        return self._read(ResourceId.parse(group_id), "network security group")

    def subnet(self, subnet_id: str) -> Body:
        return self._read(ResourceId.parse(subnet_id), "subnet")

    def assign_group(self, interface: Interface, group_id: str | None, *, actor: Actor, idempotency_key: str | None = None) -> Body:
        body = copy.deepcopy(interface.body)
        if group_id is None:
            body["properties"].pop("networkSecurityGroup", None)
        else:
            body["properties"]["networkSecurityGroup"] = {"id": group_id}
        return self._arm.put(body, actor=actor, etag=interface.etag, idempotency_key=idempotency_key)

    def effective_rules(self, interface: Interface) -> EffectiveRules:
        subnet = self.subnet(interface.subnet_id)
        subnet_group_id = group_id_of(subnet)
        network_id = ResourceId.parse(interface.subnet_id).parent
        network = self._read(network_id, "virtual network") if network_id else {}
        subnet_rules = rules_of(self.group(subnet_group_id)) if subnet_group_id else None
        interface_rules = rules_of(self.group(interface.group_id)) if interface.group_id else None
        used = {
            group for rule in (*(subnet_rules or ()), *(interface_rules or ())) for group in (*rule.source_groups, *rule.destination_groups)
        }
        space = Space(prefixes_of(network), self._members(used) if used else {})
        return EffectiveRules(subnet_rules, interface_rules, space, subnet_group_id, interface.group_id)

    def _members(self, used: set[str]) -> dict[str, tuple[str, ...]]:
        """Who is in the application groups that rules name."""
        members: dict[str, tuple[str, ...]] = {}
        for body in self._arm.list(self._subscription + _INTERFACES):
            for part in body["properties"].get("ipConfigurations") or ():
                for group in part["properties"].get("applicationSecurityGroups") or ():
                    key = str(group["id"]).lower()
                    if key in used:
                        members[key] = (*members.get(key, ()), str(part["properties"].get("privateIPAddress")))
        return members

    def _read(self, resource_id: ResourceId, thing: str) -> Body:
        try:
            return self._arm.get(str(resource_id))
        except ArmError as error:
            if error.status == 404:
                raise NotFound(thing, str(resource_id)) from error
            raise


def machine_of(body: Mapping[str, Any]) -> Machine:
    resource_id = ResourceId.parse(str(body["id"]))
    properties: Mapping[str, Any] = body["properties"]
    interfaces = (properties.get("networkProfile") or {}).get("networkInterfaces") or ()
    disk = (properties.get("storageProfile") or {}).get("osDisk") or {}
    return Machine(
        machine_id=resource_id.key,
        name=str(body["name"]),
        resource_id=resource_id,
        group=resource_id.group,
        location=str(body.get("location") or ""),
        os=str(disk.get("osType") or ""),
        tags={str(name): str(value) for name, value in (body.get("tags") or {}).items()},
        interface_ids=tuple(ResourceId.parse(str(part["id"])) for part in interfaces),
    )


def interface_of(body: Body) -> Interface:
    configurations: list[Body] = body["properties"].get("ipConfigurations") or []
    primary = next((part for part in configurations if part["properties"].get("primary")), configurations[0] if configurations else None)
    details: Mapping[str, Any] = primary["properties"] if primary else {}
    return Interface(
        resource_id=ResourceId.parse(str(body["id"])),
        name=str(body["name"]),
        etag=str(body.get("etag") or ""),
        group_id=group_id_of(body),
        subnet_id=str((details.get("subnet") or {}).get("id") or ""),
        address=str(details.get("privateIPAddress") or ""),
        body=body,
    )


def group_id_of(body: Mapping[str, Any]) -> str | None:
    """Of an interface or a subnet, as ARM wrote it."""
    group = (body.get("properties") or {}).get("networkSecurityGroup")
    return str(group["id"]) if group else None


def prefixes_of(network: Mapping[str, Any]) -> tuple[str, ...]:
    """The address space the tag VirtualNetwork stands for: the network's own and its peers'."""
    properties: Mapping[str, Any] = network.get("properties") or {}
    spaces = [properties.get("addressSpace") or {}]
    peerings = properties.get("virtualNetworkPeerings") or ()
    spaces.extend((peering.get("properties") or {}).get("remoteAddressSpace") or {} for peering in peerings)
    return tuple(str(prefix) for space in spaces for prefix in space.get("addressPrefixes") or ())


def _names(body: Mapping[str, Any]) -> set[str]:
    computer = ((body.get("properties") or {}).get("osProfile") or {}).get("computerName")
    return {str(body["name"]).lower(), str(computer or "").lower()} - {""}
