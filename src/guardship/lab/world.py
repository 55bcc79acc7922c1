"""The state of the pretend cloud, as data: ARM resources by lower-cased id, and what the packet filter needs to know of them.

Ids are compared without case and answered as created. Written only by `arm_writes`.
"""

import copy
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from guardship.cloud.azure.network import Space, rules_of
from guardship.cloud.resource_id import ResourceId
from guardship.lab.filter import Group

Body = dict[str, Any]

TENANT_ID = "7e4a0000-0000-4000-8000-000000000001"
SUBSCRIPTION_ID = "5a1e0000-0000-4000-8000-000000000001"
RESOURCE_GROUP = "AzureBootcamp"
LOCATION = "westeurope"
SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
GROUP_PATH = f"{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"

MACHINE_TYPE = "microsoft.compute/virtualmachines"
INTERFACE_TYPE = "microsoft.network/networkinterfaces"
GROUP_TYPE = "microsoft.network/networksecuritygroups"
NETWORK_TYPE = "microsoft.network/virtualnetworks"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a machine's interface stands: its addresses and the groups it is under."""

    interface_id: str
    machine: str
    addresses: tuple[str, ...]  # IPv4 first
    subnet_id: str
    subnet_group: str | None
    interface_group: str | None


class World:
    def __init__(self, resources: list[Body]) -> None:
        self._resources = {str(body["id"]).lower(): body for body in resources}
        self._start = copy.deepcopy(self._resources)

    def reset(self) -> None:
        """Everything as at the start, with new etags: whoever holds an old one must read again."""
        self._resources = copy.deepcopy(self._start)
        for body in self._resources.values():
            if "etag" in body:
                body["etag"] = new_etag()

    def find(self, resource_id: str) -> Body | None:
        """A resource, or a part of one (subnet, rule), as it lies here: not to be changed in place."""
        key = resource_id.lower().rstrip("/")
        if found := self._resources.get(key):
            return found
        parent, part = _part_of(key)
        if parent is None or (whole := self._resources.get(parent)) is None:
            return None
        return next((child for child in whole["properties"].get(part) or () if str(child["id"]).lower() == key), None)

    def put(self, body: Body) -> None:
        self._resources[str(body["id"]).lower()] = body

    def delete(self, resource_id: str) -> None:
        self._resources.pop(resource_id.lower(), None)

    def listing(self, scope: str, kind: str | None = None) -> list[Body]:
        """The whole resources below a subscription or group, in the order they were made."""
        below = scope.lower().rstrip("/") + "/"
        return [
            body for key, body in self._resources.items() if key.startswith(below) and kind in (None, str(body.get("type", "")).lower())
        ]

    def of_type(self, kind: str) -> Iterator[Body]:
        return (body for body in list(self._resources.values()) if str(body.get("type", "")).lower() == kind)

    def machine(self, name_or_id: str) -> Body | None:
        wanted = name_or_id.lower()
        return next((body for body in self.of_type(MACHINE_TYPE) if wanted in (str(body["name"]).lower(), str(body["id"]).lower())), None)

    def groups(self) -> dict[str, Group]:
        return {str(body["id"]).lower(): Group(str(body["id"]).lower(), rules_of(body)) for body in self.of_type(GROUP_TYPE)}

    def placements(self) -> tuple[Placement, ...]:
        found = []
        for interface in self.of_type(INTERFACE_TYPE):
            properties = interface["properties"]
            owner = (properties.get("virtualMachine") or {}).get("id")
            if not owner or not properties.get("ipConfigurations"):
                continue
            configurations = properties["ipConfigurations"]
            subnet_id = configurations[0]["properties"]["subnet"]["id"]
            subnet = self.find(subnet_id) or {"properties": {}}
            addresses = sorted((str(part["properties"]["privateIPAddress"]) for part in configurations), key=lambda text: ":" in text)
            found.append(
                Placement(
                    interface_id=str(interface["id"]).lower(),
                    machine=ResourceId.parse(owner).name,
                    addresses=tuple(addresses),
                    subnet_id=subnet_id.lower(),
                    subnet_group=group_id_of(subnet["properties"]),
                    interface_group=group_id_of(properties),
                )
            )
        return tuple(found)

    def space(self) -> Space:
        prefixes = [prefix for body in self.of_type(NETWORK_TYPE) for prefix in body["properties"]["addressSpace"]["addressPrefixes"]]
        members: dict[str, tuple[str, ...]] = {}
        for interface in self.of_type(INTERFACE_TYPE):
            for part in interface["properties"].get("ipConfigurations") or ():
                for group in part["properties"].get("applicationSecurityGroups") or ():
                    key = str(group["id"]).lower()
                    members[key] = (*members.get(key, ()), str(part["properties"]["privateIPAddress"]))
        return Space(tuple(prefixes), members)


def new_etag() -> str:
    return f'W/"{uuid.uuid4()}"'


def group_id_of(properties: Body) -> str | None:
    group = properties.get("networkSecurityGroup")
    return str(group["id"]).lower() if group else None


def _part_of(key: str) -> tuple[str | None, str]:
    for word, field in (("/subnets/", "subnets"), ("/securityrules/", "securityRules"), ("/defaultsecurityrules/", "defaultSecurityRules")):
        parent, found, name = key.rpartition(word)
        if found and "/" not in name:
            return parent, field
    return None, ""
