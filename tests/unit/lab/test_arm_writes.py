import copy
from typing import Any

import pytest

from guardship.cloud.azure.network import rules_of
from guardship.cloud.resource_id import ResourceId
from guardship.lab import arm_writes
from guardship.lab.arm_writes import Refused
from guardship.lab.company import ISOLATED_GROUP, NETWORK_PATH, VNET, build_world
from guardship.lab.world import Body, World

NIC = ResourceId.parse(f"{NETWORK_PATH}/networkInterfaces/web-1-nic")
GROUP = ResourceId.parse(f"{NETWORK_PATH}/networkSecurityGroups/front-nsg")


@pytest.fixture
def world() -> World:
    return build_world(with_ipv6=True)


def held(world: World, resource_id: ResourceId | str) -> Body:
    body = world.find(str(resource_id))
    assert body
    return copy.deepcopy(body)


def without_etags(body: Any) -> Any:
    if isinstance(body, dict):
        return {name: without_etags(value) for name, value in body.items() if name != "etag"}
    return [without_etags(value) for value in body] if isinstance(body, list) else body


def test_fields_the_server_owns_survive_a_put_that_leaves_them_out(world: World) -> None:
    before = held(world, NIC)
    asked = copy.deepcopy(before)
    for name in ("virtualMachine", "macAddress", "provisioningState", "resourceGuid", "primary", "dnsSettings", "enableIPForwarding"):
        del asked["properties"][name]
    for name in ("name", "type", "etag"):
        del asked[name]
    asked["properties"]["dnsSettings"] = {"dnsServers": []}
    for part in asked["properties"]["ipConfigurations"]:
        del part["type"]
        del part["etag"]
        for name in ("provisioningState", "primary", "privateIPAddressVersion", "privateIPAllocationMethod"):
            del part["properties"][name]
    assert without_etags(arm_writes.interface(world, NIC, asked)) == without_etags(before)


def test_of_a_group_only_its_id_is_kept(world: World) -> None:
    asked = held(world, NIC)
    group = held(world, f"{NETWORK_PATH}/networkSecurityGroups/{ISOLATED_GROUP}")
    asked["properties"]["networkSecurityGroup"] = {**group, "id": group["id"].upper()}
    written = arm_writes.interface(world, NIC, asked)
    assert written["properties"]["networkSecurityGroup"] == {"id": group["id"]}


def test_an_interface_put_without_a_group_has_none(world: World) -> None:
    asked = held(world, NIC)
    del asked["properties"]["networkSecurityGroup"]
    assert "networkSecurityGroup" not in arm_writes.interface(world, NIC, asked)["properties"]


def test_every_write_has_a_new_etag(world: World) -> None:
    assert arm_writes.interface(world, NIC, held(world, NIC))["etag"] != held(world, NIC)["etag"]


def in_subnet(subnet: str, address: str | None = None) -> Body:
    properties: Body = {"subnet": {"id": f"{VNET}/subnets/{subnet}"}} | ({"privateIPAddress": address} if address else {})
    return {"ipConfigurations": [{"name": "a", "properties": properties}]}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"networkSecurityGroup": {"id": f"{NETWORK_PATH}/networkSecurityGroups/none"}}, "InvalidResourceReference"),
        ({"ipConfigurations": []}, "InvalidRequestFormat"),
        (in_subnet("none"), "InvalidResourceReference"),
        (in_subnet("data", "10.1.2.4"), "PrivateIPAddressInUse"),
        (in_subnet("data", "10.1.2.400"), None),
    ],
)
def test_an_interface_that_cannot_be_is_refused(world: World, change: Body, code: str | None) -> None:
    asked = held(world, NIC)
    asked["properties"].update(change)
    with pytest.raises((Refused, ValueError)) as refused:
        arm_writes.interface(world, NIC, asked)
    assert getattr(refused.value, "code", None) == code


def test_a_rule_is_added_changed_and_removed_within_its_group(world: World) -> None:
    rule = GROUP.child("securityRules", "allow-rdp")
    given = {
        "priority": 200,
        "direction": "Inbound",
        "access": "Allow",
        "protocol": "Tcp",
        "sourceAddressPrefix": "*",
        "destinationAddressPrefix": "*",
    }
    added = arm_writes.security_rule(world, rule, {"properties": {**given, "destinationPortRange": "3389"}})
    world.put(added)
    assert {found.name for found in rules_of(added)} >= {"allow-rdp", "allow-http"}
    assert held(world, rule)["properties"]["destinationPortRange"] == "3389"
    removed = arm_writes.security_rule(world, rule, None)
    assert "allow-rdp" not in {found.name for found in rules_of(removed)}


@pytest.mark.parametrize("change", [{"priority": 99}, {"priority": 100}, {"direction": "Up"}, {"destinationPortRange": "x"}])
def test_a_rule_that_cannot_be_is_refused(world: World, change: Body) -> None:
    given = {"priority": 300, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "destinationPortRange": "1"}
    with pytest.raises(Refused):
        arm_writes.security_rule(world, GROUP.child("securityRules", "r"), {"properties": {**given, **change}})


def test_a_rule_that_a_put_of_its_group_does_not_change_keeps_its_etag(world: World) -> None:
    before = held(world, GROUP)
    after = arm_writes.security_group(world, GROUP, before)
    assert [rule["etag"] for rule in after["properties"]["securityRules"]] == [
        rule["etag"] for rule in before["properties"]["securityRules"]
    ]
    assert without_etags(after) == without_etags(before)


def test_a_subnet_put_with_its_prefix_and_a_group_alone_keeps_the_rest(world: World) -> None:
    asked = {"properties": {"addressPrefix": "10.1.1.0/24", "networkSecurityGroup": {"id": str(GROUP)}}}
    written = arm_writes.subnet(world, ResourceId.parse(f"{VNET}/subnets/front"), asked)
    front = next(part for part in written["properties"]["subnets"] if part["name"] == "front")
    assert front["properties"]["addressPrefixes"] == ["10.1.1.0/24", "fd00:10:1:1::/64"]
    assert front["properties"]["networkSecurityGroup"] == {"id": str(GROUP)}


@pytest.mark.parametrize(
    ("subnets", "code"),
    [
        ([], "InUseSubnetCannotBeDeleted"),
        ([{"name": "front", "properties": {"addressPrefix": "192.168.0.0/24"}}], "NetcfgInvalidSubnet"),
        ([{"name": "front", "properties": {}}], "InvalidRequestFormat"),
    ],
)
def test_a_network_that_cannot_be_is_refused(world: World, subnets: list[Body], code: str) -> None:
    asked = held(world, VNET)
    asked["properties"]["subnets"] = subnets
    with pytest.raises(Refused) as refused:
        arm_writes.network(world, ResourceId.parse(VNET), asked)
    assert refused.value.code == code


def test_a_network_put_as_it_was_read_stays_as_it_is(world: World) -> None:
    before = held(world, VNET)
    assert without_etags(arm_writes.network(world, ResourceId.parse(VNET), before)) == without_etags(before)
