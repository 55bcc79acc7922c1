"""What a PUT means for each kind of network resource: from what was asked to what is stored.

Fields the server owns survive a PUT that leaves them out (the SDK and public playbooks leave out most of them). Nothing here
touches the world: a function returns the new body, or says by ARM's codes why it cannot be.
"""

import copy
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from guardship.cloud.azure.network import BadRule, rule_of
from guardship.cloud.resource_id import ResourceId, same_id
from guardship.lab.company import configuration_body, group_body, rule_body, stable_uuid
from guardship.lab.world import INTERFACE_TYPE, LOCATION, Body, World, new_etag

_PRIORITIES = range(100, 4097)
_FIRST_HOST = 4  # Azure keeps the first four addresses of a subnet


class Refused(Exception):
    """An ARM error: status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def interface(world: World, target: ResourceId, asked: Body) -> Body:
    """A NIC: its group, its subnets and addresses are the client's; identity and machine are the server's."""
    old = world.find(str(target)) or _new(target, "Microsoft.Network/networkInterfaces", asked)
    body = copy.deepcopy(old)
    given: Body = dict(asked.get("properties") or {})
    group = given.pop("networkSecurityGroup", None)
    configurations = given.pop("ipConfigurations", None)
    if not configurations:
        raise Refused(400, "InvalidRequestFormat", "A network interface needs at least one ipConfiguration.")
    owned = ("virtualMachine", "macAddress", "resourceGuid", "primary", "provisioningState", "networkSecurityGroup", "ipConfigurations")
    body["properties"] = {**body["properties"], **{name: value for name, value in given.items() if name not in owned}}
    applied = (old["properties"].get("dnsSettings") or {}).get("appliedDnsServers")
    if applied is not None:
        body["properties"]["dnsSettings"] = {**(body["properties"].get("dnsSettings") or {}), "appliedDnsServers": applied}
    body["properties"].pop("networkSecurityGroup", None)
    body["properties"]["ipConfigurations"] = _configurations(world, target, old, configurations)
    _refer(world, body["properties"], group)
    return _finished(body, old, asked)


def security_group(world: World, target: ResourceId, asked: Body) -> Body:
    old = world.find(str(target))
    rules = (asked.get("properties") or {}).get("securityRules") or []
    body = group_body(target.name, [{"name": rule.get("name"), "properties": _stated(rule)} for rule in rules], group_id=_id(old, target))
    body["location"] = asked.get("location") or LOCATION
    _check_rules(body["properties"]["securityRules"])
    if old:
        _keep_etags(body["properties"]["securityRules"], old["properties"]["securityRules"])
    return _finished(body, old or body, asked)


def security_rule(world: World, target: ResourceId, asked: Body | None) -> Body:
    """The whole group with one rule more, changed, or (None) less."""
    owner = target.parent
    group = world.find(str(owner))
    if owner is None or group is None:
        raise Refused(404, "ResourceNotFound", f"The resource {owner} was not found.")
    body = copy.deepcopy(group)
    rules: list[Body] = body["properties"]["securityRules"]
    others = [rule for rule in rules if str(rule["name"]).lower() != target.name.lower()]
    if asked is None:
        body["properties"]["securityRules"] = others
    else:
        body["properties"]["securityRules"] = [*others, rule_body(str(group["id"]), target.name, _stated(asked))]
        _check_rules(body["properties"]["securityRules"])
    body["etag"] = new_etag()
    return body


def network(world: World, target: ResourceId, asked: Body) -> Body:
    old = world.find(str(target)) or _new(target, "Microsoft.Network/virtualNetworks", asked)
    body = copy.deepcopy(old)
    given: Body = asked.get("properties") or {}
    prefixes = (given.get("addressSpace") or {}).get("addressPrefixes")
    if not prefixes:
        raise Refused(400, "InvalidRequestFormat", "A virtual network needs an addressSpace.")
    body["properties"]["addressSpace"] = {"addressPrefixes": [_prefix(prefix) for prefix in prefixes]}
    body["properties"]["subnets"] = []
    known = {str(part["name"]).lower(): part for part in old["properties"].get("subnets") or ()}
    for part in given.get("subnets") or ():
        name = str(part.get("name") or "")
        body["properties"]["subnets"].append(_subnet(world, body, name, part, known.get(name.lower())))
    _check_in_use(world, old, body)
    return _finished(body, old, asked)


def subnet(world: World, target: ResourceId, asked: Body | None) -> Body:
    """The whole network with one subnet more, changed, or (None) less."""
    owner = target.parent
    whole = world.find(str(owner))
    if owner is None or whole is None:
        raise Refused(404, "ResourceNotFound", f"The resource {owner} was not found.")
    body = copy.deepcopy(whole)
    parts: list[Body] = body["properties"]["subnets"]
    at = next((number for number, part in enumerate(parts) if str(part["name"]).lower() == target.name.lower()), len(parts))
    old = parts[at] if at < len(parts) else None
    parts[at : at + 1] = [] if asked is None else [_subnet(world, body, target.name, asked, old)]
    _check_in_use(world, whole, body)
    body["etag"] = new_etag()
    return body


def stored(world: World, target: ResourceId, asked: Body) -> Body:
    """Kinds without effect on packets are kept as they come."""
    old = world.find(str(target))
    body = {
        "id": _id(old, target),
        "name": target.name,
        "type": target.type,
        **{key: value for key, value in asked.items() if key != "etag"},
    }
    body["properties"] = {**(asked.get("properties") or {}), "provisioningState": "Succeeded"}
    body["etag"] = new_etag()
    return body


def _id(old: Body | None, target: ResourceId) -> str:
    return str(old["id"]) if old else str(target)


def _new(target: ResourceId, kind: str, asked: Body) -> Body:
    owned = {"provisioningState": "Succeeded", "resourceGuid": stable_uuid(target.key)}
    location = asked.get("location") or LOCATION
    return {"id": str(target), "name": target.name, "type": kind, "location": location, "etag": "", "tags": {}, "properties": owned}


def _finished(body: Body, old: Body, asked: Body) -> Body:
    body["tags"] = asked["tags"] if asked.get("tags") is not None else old.get("tags") or {}
    body["etag"] = new_etag()
    return body


def _refer(world: World, properties: Body, group: Any) -> None:
    """Only the id of a group is kept: the SDK sends the whole of it."""
    if not group:
        return
    found = world.find(str(group.get("id") or ""))
    if found is None:
        raise Refused(400, "InvalidResourceReference", f"Resource {group.get('id')} referenced by resource was not found.")
    properties["networkSecurityGroup"] = {"id": found["id"]}


def _configurations(world: World, target: ResourceId, old: Body, asked: list[Body]) -> list[Body]:
    known = {str(part["name"]).lower(): part for part in old["properties"].get("ipConfigurations") or ()}
    taken = set(_addresses(world)) - {str(part["properties"]["privateIPAddress"]) for part in known.values()}
    found = []
    for part in asked:
        body = _configuration(world, target, part, known.get(str(part.get("name") or "").lower()), taken)
        taken.add(str(body["properties"]["privateIPAddress"]))
        found.append(body)
    return found


def _configuration(world: World, target: ResourceId, asked: Body, old: Body | None, taken: set[str]) -> Body:
    given: Body = dict(asked.get("properties") or {})
    before: Body = old["properties"] if old else {}
    subnet_id = str((given.get("subnet") or before.get("subnet") or {}).get("id") or "")
    place = world.find(subnet_id)
    if place is None:
        raise Refused(
            400, "InvalidResourceReference", f"Resource {subnet_id or '(no subnet)'} referenced by resource {target} was not found."
        )
    version = str(given.get("privateIPAddressVersion") or before.get("privateIPAddressVersion") or "IPv4")
    stays = same_id(subnet_id, (before.get("subnet") or {}).get("id"))
    address = given.get("privateIPAddress") or (before.get("privateIPAddress") if stays else None)
    networks = [ip_network(prefix) for prefix in _prefixes_of(place) if (":" in prefix) == (version == "IPv6")]
    if not stays and address and not any(ip_address(address) in network for network in networks):
        address = None  # a dynamic address of the subnet it leaves
    if address is None:
        address = _free_address(networks, taken)
    elif str(address) in taken:
        raise Refused(400, "PrivateIPAddressInUse", f"The address {address} is in use.")
    elif not any(ip_address(address) in network for network in networks):
        raise Refused(400, "PrivateIPAddressNotInSubnet", f"The address {address} is not in subnet {subnet_id}.")
    body = copy.deepcopy(old) if old else configuration_body(str(target), str(asked.get("name") or "ipconfig1"), "", str(address))
    client_owned = {name: value for name, value in given.items() if name not in {"provisioningState", "primary"}}
    body["properties"] = {**body["properties"], **client_owned, "privateIPAddress": str(address), "subnet": {"id": place["id"]}}
    return body


def _free_address(networks: Iterable[Any], taken: set[str]) -> str:
    for space in networks:
        for number in range(_FIRST_HOST, min(space.num_addresses - 1, 4096)):
            if (address := str(space[number])) not in taken:
                return address
    raise Refused(400, "SubnetIsFull", "The subnet has no free address of this family.")


def _addresses(world: World) -> Iterable[str]:
    for body in world.of_type(INTERFACE_TYPE):
        for part in body["properties"].get("ipConfigurations") or ():
            yield str(part["properties"]["privateIPAddress"])


def _subnet(world: World, owner: Body, name: str, asked: Body, old: Body | None) -> Body:
    given: Body = dict(asked.get("properties") or {})
    prefixes = [str(prefix) for prefix in given.get("addressPrefixes") or ()] or (
        [str(given["addressPrefix"])] if given.get("addressPrefix") else []
    )
    if old and given.get("addressPrefix") == old["properties"].get("addressPrefix") and not given.get("addressPrefixes"):
        prefixes = _prefixes_of(old)
    if not name or not prefixes:
        raise Refused(400, "InvalidRequestFormat", "A subnet needs a name and an addressPrefix.")
    spaces = [ip_network(prefix) for prefix in owner["properties"]["addressSpace"]["addressPrefixes"]]
    for prefix in prefixes:
        found = ip_network(_prefix(prefix))
        if not any(found.version == space.version and found.subnet_of(space) for space in spaces):  # type: ignore[arg-type]  # same version
            raise Refused(400, "NetcfgInvalidSubnet", f"Subnet {name} ({prefix}) is not within the address space of the virtual network.")
    properties: Body = {**given, "provisioningState": "Succeeded", "addressPrefix": prefixes[0], "addressPrefixes": prefixes}
    properties.pop("networkSecurityGroup", None)
    _refer(world, properties, given.get("networkSecurityGroup"))
    identity = {"name": name, "id": f"{owner['id']}/subnets/{name}", "type": "Microsoft.Network/virtualNetworks/subnets"}
    kept = {key: old[key] for key in ("name", "id", "type")} if old else identity
    return {**kept, "etag": new_etag(), "properties": properties}


def _prefixes_of(part: Body) -> list[str]:
    properties = part["properties"]
    return [str(prefix) for prefix in properties.get("addressPrefixes") or [properties["addressPrefix"]]]


def _prefix(text: Any) -> str:
    try:
        return str(ip_network(str(text)))
    except ValueError as error:
        raise Refused(400, "InvalidAddressPrefixFormat", f"{text} is not an address prefix: {error}.") from error


def _check_in_use(world: World, old: Body, new: Body) -> None:
    gone = {str(part["id"]).lower() for part in old["properties"].get("subnets") or ()}
    gone -= {str(part["id"]).lower() for part in new["properties"]["subnets"]}
    for placement in world.placements():
        if placement.subnet_id in gone:
            raise Refused(400, "InUseSubnetCannotBeDeleted", f"Subnet {placement.subnet_id} is in use by {placement.interface_id}.")


def _stated(rule: Body) -> Body:
    given = dict(rule.get("properties") or {})
    given.pop("provisioningState", None)
    return given


def _check_rules(rules: list[Body]) -> None:
    seen: set[tuple[str, int]] = set()
    for rule in rules:
        try:
            found = rule_of(rule)
        except BadRule as error:
            raise Refused(400, "SecurityRuleInvalid", error.message) from error
        if not found.name:
            raise Refused(400, "InvalidRequestFormat", "A security rule needs a name.")
        if found.priority not in _PRIORITIES:
            raise Refused(
                400, "SecurityRuleInvalidPriority", f"Priority {found.priority} of rule {found.name} is not between 100 and 4096."
            )
        if (found.direction, found.priority) in seen:
            raise Refused(400, "SecurityRuleConflict", f"Rule {found.name} has the priority {found.priority} of another rule.")
        seen.add((found.direction, found.priority))


def _keep_etags(rules: list[Body], before: list[Body]) -> None:
    """A rule that a PUT of its group did not change keeps its etag."""
    known = {str(rule["name"]).lower(): rule for rule in before}
    for rule in rules:
        old = known.get(str(rule["name"]).lower())
        if old and old["properties"] == rule["properties"]:
            rule["etag"] = old["etag"]
