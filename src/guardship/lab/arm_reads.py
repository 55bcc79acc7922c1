"""What ARM answers about the lab's resources: one, a list by pages, the rules in effect, the company's surroundings."""

import copy
import re
from collections.abc import Mapping

from guardship.cloud.resource_id import ResourceId
from guardship.lab.company import ATTACKER, CLIENT_ADDRESSES, CLIENTS, DNS_PORT, ECHO_PORT, HTTP_PORT
from guardship.lab.operations import Operations
from guardship.lab.world import LOCATION, RESOURCE_GROUP, SUBSCRIPTION, SUBSCRIPTION_ID, TENANT_ID, Body, World, group_id_of

LAB_PROVIDER = "Guardship.Lab"
_CLAUSE = re.compile(r"(?P<field>[A-Za-z]+)\s+eq\s+'(?P<value>[^']*)'", re.IGNORECASE)
_PARTS = {"subnets": "subnets", "securityrules": "securityRules", "defaultsecurityrules": "defaultSecurityRules"}


class Reads:
    def __init__(self, world: World, operations: Operations, *, page_size: int = 100) -> None:
        self._world = world
        self._operations = operations
        self._page_size = page_size
        self._groups = {RESOURCE_GROUP.lower(): RESOURCE_GROUP}

    def add_group(self, name: str) -> Body:
        self._groups.setdefault(name.lower(), name)
        return self.group(name) or {}

    def group(self, name: str) -> Body | None:
        known = self._groups.get(name.lower())
        if known is None:
            return None
        path = f"{SUBSCRIPTION}/resourceGroups/{known}"
        kind = "Microsoft.Resources/resourceGroups"
        return {"id": path, "name": known, "type": kind, "location": LOCATION, "properties": {"provisioningState": "Succeeded"}}

    def groups(self) -> list[Body]:
        return [body for name in self._groups.values() if (body := self.group(name))]

    def resource(self, resource_id: str) -> Body | None:
        body = self._world.find(resource_id)
        return self.shown(body) if body else None

    def shown(self, body: Body) -> Body:
        """A copy, with `Updating` while an operation is under way."""
        shown = copy.deepcopy(body)
        if (state := self._operations.state_of(str(body["id"]))) and "properties" in shown:
            shown["properties"]["provisioningState"] = state
        return shown

    def listing(self, path: ResourceId, query: Mapping[str, str]) -> list[Body] | None:
        """The resources a collection path stands for; None when it is not one."""
        segments = path.segments
        lowered = [segment.lower() for segment in segments]
        if lowered[-1] == "resources":
            found = self._world.listing("/" + "/".join(segments[:-1]))
            return [_brief(body) for body in found if _passes(body, query.get("$filter", ""))]
        if lowered[-1] in _PARTS and (whole := self._world.find("/" + "/".join(segments[:-1]))):
            return [self.shown(part) for part in whole["properties"].get(_PARTS[lowered[-1]]) or ()]
        if "providers" in lowered and (len(segments) - lowered.index("providers")) == 3:
            at = lowered.index("providers")
            kind = "/".join(lowered[at + 1 :])
            return [self.shown(body) for body in self._world.listing("/" + "/".join(segments[:at]), kind)]
        return None

    def page(self, found: list[Body], address: str, query: Mapping[str, str]) -> Body:
        start = int(query.get("$skiptoken") or 0)
        answer: Body = {"value": found[start : start + self._page_size]}
        if start + self._page_size < len(found):
            kept = "".join(f"&{name}={value.replace(' ', '%20')}" for name, value in query.items() if name != "$skiptoken")
            answer["nextLink"] = f"{address}?$skiptoken={start + self._page_size}{kept}"
        return answer

    def effective_groups(self, interface: Body) -> Body:
        """The answer of effectiveNetworkSecurityGroups: each group with what it hangs on."""
        found = []
        for placement in self._world.placements():
            if placement.interface_id != str(interface["id"]).lower():
                continue
            ends = (
                (placement.subnet_group, "subnet", placement.subnet_id),
                (group_id_of(interface["properties"]), "networkInterface", interface["id"]),
            )
            for group_id, kind, holder in ends:
                if group_id and (group := self._world.find(group_id)):
                    found.append(_effective(group, kind, str(holder)))
        return {"value": found}


def subscription() -> Body:
    return {
        "id": SUBSCRIPTION,
        "subscriptionId": SUBSCRIPTION_ID,
        "tenantId": TENANT_ID,
        "displayName": "Guardship lab",
        "state": "Enabled",
        "subscriptionPolicies": {"spendingLimit": "Off"},
    }


def tenant() -> Body:
    return {"id": f"/tenants/{TENANT_ID}", "tenantId": TENANT_ID, "displayName": "Guardship lab", "defaultDomain": "lab.invalid"}


def providers() -> list[Body]:
    names = ("Microsoft.Compute", "Microsoft.Network", "Microsoft.Resources", LAB_PROVIDER)
    return [{"id": f"{SUBSCRIPTION}/providers/{name}", "namespace": name, "registrationState": "Registered"} for name in names]


def outside_host_id(name: str) -> str:
    return f"{SUBSCRIPTION}/providers/{LAB_PROVIDER}/outsideHosts/{name}"


def probe_targets(*, with_ipv6: bool) -> Body:
    """Lab only: who outside answers probes, and from where a probe can come in."""
    address, address6 = CLIENT_ADDRESSES
    return {
        "inboundFrom": outside_host_id(CLIENTS),
        "attacker": outside_host_id(ATTACKER),
        "tcp": {"address": address, "port": HTTP_PORT},
        "udp": {"address": address, "port": ECHO_PORT},
        "dns": {"address": address, "port": DNS_PORT},
        "tcp6": {"address": address6, "port": HTTP_PORT} if with_ipv6 else None,
    }


def _effective(group: Body, kind: str, holder: str) -> Body:
    rules = []
    for rule in (*group["properties"]["securityRules"], *group["properties"]["defaultSecurityRules"]):
        name = f"{'defaultSecurityRules' if '/defaultsecurityrules/' in str(rule['id']).lower() else 'securityRules'}/{rule['name']}"
        rules.append({"name": name, **rule["properties"]})
    return {"networkSecurityGroup": {"id": group["id"]}, "association": {kind: {"id": holder}}, "effectiveSecurityRules": rules}


def _brief(body: Body) -> Body:
    return {name: body[name] for name in ("id", "name", "type", "location", "tags") if name in body}


def _passes(body: Body, condition: str) -> bool:
    fields = {"name": "name", "resourcetype": "type", "location": "location"}
    for clause in _CLAUSE.finditer(condition):
        field = fields.get(clause["field"].lower())
        if field and str(body.get(field, "")).lower() != clause["value"].lower():
            return False
    return True
