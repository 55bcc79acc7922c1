"""What an ARM write would change for whom: each interface it touches, with its effective rules before and after.

Reads through the gate's own reader, which nobody observes; every resource is read at most once for a write.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from guardship.cloud.arm import NetworkWrite, Reader, WriteKind
from guardship.cloud.azure.network import SecurityRule, Space, rules_of
from guardship.cloud.resource_id import ResourceId
from guardship.containment.exposure import InterfaceView, is_closed
from guardship.errors import Fault, GuardshipError

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Effect:
    """One interface as it is and as the write would leave it; `body` is the interface as read."""

    before: InterfaceView
    after: InterfaceView
    body: Body


class Surroundings:
    def __init__(self, arm: Reader) -> None:
        self._arm = arm
        self._read: dict[str, Body | None] = {}
        self._listed: dict[str, list[Body]] = {}

    def get(self, resource_id: str) -> Body | None:
        """The resource, or None when there is no such thing."""
        key = resource_id.lower()
        if key not in self._read:
            try:
                self._read[key] = self._arm.get(resource_id)
            except GuardshipError as error:
                if error.fault is not Fault.NOT_FOUND:
                    raise
                self._read[key] = None
        return self._read[key]

    def interfaces(self, near: ResourceId) -> list[Body]:
        return self._list(f"/subscriptions/{near.subscription}/providers/Microsoft.Network/networkInterfaces")

    def machines(self, near: ResourceId) -> list[Body]:
        return self._list(f"/subscriptions/{near.subscription}/providers/Microsoft.Compute/virtualMachines")

    def know(self, bodies: Iterable[Body]) -> None:
        """Resources that were read already."""
        self._read.update((str(body["id"]).lower(), body) for body in bodies)

    def look_up(self, resource_ids: Iterable[str]) -> None:
        """Read all of these side by side, those that there are."""
        missing = {each.lower(): each for each in resource_ids if each and each.lower() not in self._read}
        if missing:
            with ThreadPoolExecutor(max_workers=len(missing), thread_name_prefix="look") as pool:
                list(pool.map(self.get, missing.values()))

    def _list(self, path: str) -> list[Body]:
        if path not in self._listed:
            self._listed[path] = self._arm.list(path)
            self.know(self._listed[path])
        return self._listed[path]

    def interfaces_of(self, machine_id: str) -> list[Body]:
        """Those of the machine that there are; none when the machine is gone."""
        properties = (self.get(machine_id) or {}).get("properties") or {}
        wanted = (properties.get("networkProfile") or {}).get("networkInterfaces") or ()
        self.look_up(id_in(each) for each in wanted)
        return [body for each in wanted if (body := self.get(id_in(each)))]

    def open_interfaces(self, machine_id: str) -> tuple[str, ...] | None:
        """Names of the machine's interfaces that let something through; None when it has no interface any more."""
        found = self.interfaces_of(machine_id)
        self.look_up(each for interface in found for each in decides_over(interface))
        return tuple(str(each.get("name") or each["id"]) for each in found if not is_closed(self.view(each))) if found else None

    def view(self, interface: Body) -> InterfaceView:
        properties = interface.get("properties") or {}
        subnet_id = subnet_of(interface)
        return InterfaceView(
            interface_id=str(interface["id"]),
            machine_id=id_in(properties.get("virtualMachine")).lower(),
            addresses=addresses_of(interface),
            group_id=id_in(properties.get("networkSecurityGroup")),
            subnet_id=subnet_id,
            interface_rules=self.group_rules(id_in(properties.get("networkSecurityGroup"))),
            subnet_rules=self.group_rules(self.group_of_subnet(subnet_id)),
            space=self.space(subnet_id),
        )

    def group_rules(self, group_id: str) -> tuple[SecurityRule, ...] | None:
        body = self.get(group_id) if group_id else None
        return None if body is None else rules_of(body)

    def group_of_subnet(self, subnet_id: str) -> str:
        body = self.get(subnet_id) if subnet_id else None
        return id_in(((body or {}).get("properties") or {}).get("networkSecurityGroup"))

    def space(self, subnet_id: str) -> Space:
        network_id = subnet_id.rpartition("/subnets/")[0]
        body = self.get(network_id) if network_id else None
        prefixes = (((body or {}).get("properties") or {}).get("addressSpace") or {}).get("addressPrefixes") or ()
        return Space(prefixes=tuple(prefixes))


def effects_of(write: NetworkWrite, around: Surroundings) -> list[Effect]:
    """What the write means for each interface; empty when it touches none."""
    match write.kind:
        case WriteKind.INTERFACE:
            return _of_interface(write, around)
        case WriteKind.SUBNET:
            return _of_subnets(write, around, {str(write.resource_id).lower(): write.body})
        case WriteKind.NETWORK:
            subnets = ((write.body or {}).get("properties") or {}).get("subnets") or ()
            named = {f"{write.resource_id}/subnets/{subnet.get('name')}".lower(): subnet for subnet in subnets}
            return _of_subnets(write, around, named)
        case WriteKind.GROUP:
            rules = rules_of(write.body) if write.method == "PUT" and write.body else None
            return _of_group(str(write.resource_id), rules, write, around)
        case WriteKind.RULE:
            group_id = str(write.resource_id).rpartition("/")[0].rpartition("/")[0]
            return _of_group(group_id, _rules_with(group_id, write, around), write, around)


def id_in(reference: Mapping[str, Any] | None) -> str:
    return str((reference or {}).get("id") or "")


def decides_over(interface: Body) -> list[str]:
    """Ids of the resources that say what an interface may do: its group, its subnet, its network."""
    subnet_id = subnet_of(interface)
    return [id_in((interface.get("properties") or {}).get("networkSecurityGroup")), subnet_id, subnet_id.rpartition("/subnets/")[0]]


def addresses_of(interface: Body) -> tuple[str, ...]:
    configurations = (interface.get("properties") or {}).get("ipConfigurations") or ()
    return tuple(address for each in configurations if (address := (each.get("properties") or {}).get("privateIPAddress")))


def subnet_of(interface: Body) -> str:
    configurations = (interface.get("properties") or {}).get("ipConfigurations") or ()
    return next((found for each in configurations if (found := id_in((each.get("properties") or {}).get("subnet")))), "")


def _of_interface(write: NetworkWrite, around: Surroundings) -> list[Effect]:
    body = around.get(str(write.resource_id))
    if body is None or write.method != "PUT" or write.body is None:
        return []
    before = around.view(body)
    wanted = dict(write.body)
    group_id = id_in((wanted.get("properties") or {}).get("networkSecurityGroup"))
    subnet_id = subnet_of(wanted) or before.subnet_id
    after = replace(
        before,
        group_id=group_id,
        subnet_id=subnet_id,
        interface_rules=around.group_rules(group_id),
        subnet_rules=around.group_rules(around.group_of_subnet(subnet_id)),  # one thing in one file
        space=around.space(subnet_id),
    )
    return [Effect(before, after, body)]


def _of_subnets(write: NetworkWrite, around: Surroundings, subnets: Mapping[str, Any]) -> list[Effect]:
    effects = []
    for interface in around.interfaces(write.resource_id):
        before = around.view(interface)
        key = before.subnet_id.lower()
        if key not in subnets or write.method == "DELETE":
            continue
        group_id = id_in(((subnets[key] or {}).get("properties") or {}).get("networkSecurityGroup"))
        effects.append(Effect(before, replace(before, subnet_rules=around.group_rules(group_id)), interface))
    return effects


def _of_group(group_id: str, rules: tuple[SecurityRule, ...] | None, write: NetworkWrite, around: Surroundings) -> list[Effect]:
    key, effects = group_id.lower(), []
    for interface in around.interfaces(write.resource_id):
        before = around.view(interface)
        on_interface = before.group_id.lower() == key
        on_subnet = around.group_of_subnet(before.subnet_id).lower() == key
        if not (on_interface or on_subnet):
            continue
        after = replace(
            before,
            interface_rules=rules if on_interface else before.interface_rules,
            subnet_rules=rules if on_subnet else before.subnet_rules,
        )
        effects.append(Effect(before, after, interface))
    return effects


def _rules_with(group_id: str, write: NetworkWrite, around: Surroundings) -> tuple[SecurityRule, ...] | None:
    group = around.get(group_id)
    if group is None:
        return None
    name = write.resource_id.name.lower()
    properties = dict(group.get("properties") or {})
    kept = [rule for rule in properties.get("securityRules") or () if str(rule.get("name", "")).lower() != name]
    if write.method == "PUT" and write.body is not None:
        kept.append({"name": write.resource_id.name, **write.body})
    return rules_of({**group, "properties": {**properties, "securityRules": kept}})
