"""An ARM in memory: one network, two subnets and any machines; it counts what it is sent and fails where a test says so."""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import httpx

SUBSCRIPTION = "/subscriptions/s"
GROUP = f"{SUBSCRIPTION}/resourceGroups/g"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
MACHINES = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"
CLOSED = f"{NETWORK}/networkSecurityGroups/IsolatedNetwork-NSG"
SUBNET = f"{NETWORK}/virtualNetworks/vnet/subnets/front"

Fail = Callable[[httpx.Request], httpx.Response | None]


def rule(name: str, priority: int, direction: str, access: str, *, to: str = "*") -> dict[str, Any]:
    ports = {"sourcePortRange": "*", "destinationPortRange": "*", "sourceAddressPrefix": "*", "destinationAddressPrefix": to}
    return {"name": name, "properties": {"priority": priority, "direction": direction, "access": access, "protocol": "*", **ports}}


DENY = [
    rule("in", 100, "Inbound", "Deny"),
    rule("out", 100, "Outbound", "Deny"),
    rule("metadata", 101, "Outbound", "Deny", to="AzurePlatformIMDS"),
]


class SmallArm:
    """`machines`: for each name the groups of its interfaces; `tags` by machine."""

    def __init__(self, machines: Mapping[str, tuple[str, ...]], tags: Mapping[str, Mapping[str, str]]) -> None:
        self._things: dict[str, dict[str, Any]] = {}
        self.fail: Fail = lambda _: None
        self.writes: list[str] = []
        self.put(f"{NETWORK}/virtualNetworks/vnet", {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}, "subnets": []})
        self.put(SUBNET, {"addressPrefix": "10.1.1.0/24"})
        for group, rules in {"IsolatedNetwork-NSG": DENY, "other-closed": DENY, "open": [rule("all", 100, "Inbound", "Allow")]}.items():
            self.put(f"{NETWORK}/networkSecurityGroups/{group}", {"securityRules": list(rules)})
        last = 4
        for name, groups in machines.items():
            interfaces = []
            for number, group in enumerate(groups):
                last += 1
                interfaces.append({"id": interface_id(name, number)})
                self.put(interface_id(name, number), _interface(name, last, group))
            self.put(f"{MACHINES}/{name}", {"networkProfile": {"networkInterfaces": interfaces}}, tags=tags.get(name, {}))

    def put(self, resource_id: str, properties: dict[str, Any], *, tags: Mapping[str, str] | None = None) -> dict[str, Any]:
        body = {"id": resource_id, "name": resource_id.rpartition("/")[2], "etag": f'W/"{uuid.uuid4()}"', "tags": dict(tags or {})}
        self._things[resource_id.lower()] = {**body, "properties": properties}
        return self._things[resource_id.lower()]

    def drop(self, resource_id: str) -> None:
        del self._things[resource_id.lower()]

    def group_of(self, machine: str, number: int = 0) -> str:
        properties = self._things[interface_id(machine, number).lower()]["properties"]
        return str((properties.get("networkSecurityGroup") or {}).get("id") or "").rpartition("/")[2]

    def rules_of(self, group: str) -> list[str]:
        return [each["name"] for each in self._things[group.lower()]["properties"]["securityRules"]]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if "oauth2" in path:
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        if request.method == "GET":
            return self._read(path.lower())
        if (failure := self.fail(request)) is not None:
            return failure
        return self._write(request, path)

    def _read(self, key: str) -> httpx.Response:
        if key in self._things:
            return httpx.Response(200, json=self._things[key])
        if key.startswith(f"{SUBSCRIPTION}/providers/"):
            kind = key.rpartition("/providers/")[2]
            found = [body for other, body in self._things.items() if other.rpartition("/providers/")[2].rpartition("/")[0] == kind]
            return httpx.Response(200, json={"value": found})
        return httpx.Response(404, json={"error": {"code": "ResourceNotFound", "message": key}})

    def _write(self, request: httpx.Request, path: str) -> httpx.Response:
        key, wanted = path.lower(), request.headers.get("if-match")
        known = self._things.get(key)
        if wanted and known and wanted not in ("*", known["etag"]):
            return httpx.Response(412, json={"error": {"code": "PreconditionFailed", "message": "stale"}})
        self.writes.append(f"{request.method} {path.rpartition('/')[2]}")
        group, _, name = key.partition("/securityrules/")
        if name:
            rules = self._things[group]["properties"]["securityRules"]
            rules[:] = [each for each in rules if each["name"].lower() != name]
        if request.method == "DELETE":
            self._things.pop(key, None)
            return httpx.Response(200, json={})
        body = json.loads(request.content)
        if name:
            self._things[group]["properties"]["securityRules"].append({"name": path.rpartition("/")[2], **body})
        return httpx.Response(200, json=self.put(path, body.get("properties") or {}, tags=body.get("tags")))


def interface_id(machine: str, number: int = 0) -> str:
    return f"{NETWORK}/networkInterfaces/{machine}-nic{number}"


def _interface(machine: str, last: int, group: str) -> dict[str, Any]:
    place = {"privateIPAddress": f"10.1.1.{last}", "subnet": {"id": SUBNET}}
    properties = {"virtualMachine": {"id": f"{MACHINES}/{machine}"}, "ipConfigurations": [{"name": "a", "properties": place}]}
    return properties | {"networkSecurityGroup": {"id": f"{NETWORK}/networkSecurityGroups/{group}"}}
