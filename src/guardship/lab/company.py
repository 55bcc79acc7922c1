"""The small company the lab boots: a jump host, two web machines and a database in two subnets, and who is outside.

`front-nsg` stands on the interfaces of the front subnet, `data-nsg` on the data subnet, `IsolatedNetwork-NSG` on nobody: the
article's runbook assigns it. That one also denies the metadata service by its tag, which a plain deny-all would leave open.
"""

import uuid
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Any

from guardship.lab.world import GROUP_PATH, LOCATION, Body, World, new_etag

NETWORK_PATH = f"{GROUP_PATH}/providers/Microsoft.Network"
COMPUTE_PATH = f"{GROUP_PATH}/providers/Microsoft.Compute"
VNET = f"{NETWORK_PATH}/virtualNetworks/company-vnet"
WATCHER = "NetworkWatcher_westeurope"
VNET_PREFIXES = ("10.1.0.0/16", "fd00:10:1::/48")
PROTECTED_TAG = "guardship:protected"
ISOLATED_GROUP = "IsolatedNetwork-NSG"

TARGET = "web-1"
ATTACKER = "attacker"
CLIENTS = "clients"
ATTACKER_ADDRESSES = ("203.0.113.66", "fd00:bad::66")
CLIENT_ADDRESSES = ("198.51.100.20", "fd00:c1::20")
MORE_CLIENT_ADDRESSES = ("198.51.100.21", "198.51.100.22")
SSH_PORT, HTTP_PORT, DATABASE_PORT, DNS_PORT, ECHO_PORT = 22, 80, 5432, 53, 9007

_NAMESPACE = uuid.UUID("9a0d5a1e-0000-4000-8000-6c6162000001")


@dataclass(frozen=True, slots=True)
class Host:
    """One network namespace: who it is and what it offers."""

    name: str
    addresses: tuple[str, ...]  # with IPv4 first; clients own several
    offers: frozenset[str]
    is_outside: bool = False


@dataclass(frozen=True, slots=True)
class _Seed:
    name: str
    address: str
    address6: str
    subnet: str
    group: str | None
    role: str
    offers: frozenset[str]
    is_protected: bool = False


_MACHINES = (
    _Seed("jump-1", "10.1.1.4", "fd00:10:1:1::4", "front", "front-nsg", "jump host", frozenset({"ssh"}), is_protected=True),
    _Seed("web-1", "10.1.1.10", "fd00:10:1:1::10", "front", "front-nsg", "web", frozenset({"ssh", "http", "echo"})),
    _Seed("web-2", "10.1.1.11", "fd00:10:1:1::11", "front", "front-nsg", "web", frozenset({"ssh", "http", "echo"})),
    _Seed("db-1", "10.1.2.4", "fd00:10:1:2::4", "data", None, "database", frozenset({"ssh", "database", "echo"})),
)
_SUBNETS = {"front": ("10.1.1.0/24", "fd00:10:1:1::/64", None), "data": ("10.1.2.0/24", "fd00:10:1:2::/64", "data-nsg")}


def hosts(*, with_ipv6: bool) -> tuple[Host, ...]:
    """Every namespace of the lab; the machines first."""
    inside = [Host(seed.name, _family(with_ipv6, seed.address, seed.address6), seed.offers) for seed in _MACHINES]
    attacker = Host(ATTACKER, _family(with_ipv6, *ATTACKER_ADDRESSES), frozenset({"http", "echo"}), is_outside=True)
    clients = Host(
        CLIENTS, (*_family(with_ipv6, *CLIENT_ADDRESSES), *MORE_CLIENT_ADDRESSES), frozenset({"http", "echo", "dns"}), is_outside=True
    )
    return (*inside, attacker, clients)


def build_world(*, with_ipv6: bool) -> World:
    resources = [_watcher(), *_groups(), _network(with_ipv6=with_ipv6)]
    for seed in _MACHINES:
        resources.extend((_machine(seed), _interface(seed, with_ipv6=with_ipv6)))
    return World(resources)


def stable_uuid(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))


def rule_body(group_id: str, name: str, given: Body) -> Body:
    """A rule as ARM answers it, from the fields that were stated."""
    lists = ("sourceAddressPrefixes", "sourcePortRanges", "destinationAddressPrefixes", "destinationPortRanges")
    properties: Body = {"provisioningState": "Succeeded", **given, **{field: given.get(field) or [] for field in lists}}
    return {
        "name": name,
        "id": f"{group_id}/securityRules/{name}",
        "etag": new_etag(),
        "type": "Microsoft.Network/networkSecurityGroups/securityRules",
        "properties": properties,
    }


def group_body(name: str, rules: list[Body], *, group_id: str | None = None) -> Body:
    group_id = group_id or f"{NETWORK_PATH}/networkSecurityGroups/{name}"
    return {
        "id": group_id,
        "name": name,
        "type": "Microsoft.Network/networkSecurityGroups",
        "location": LOCATION,
        "etag": new_etag(),
        "tags": {},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": stable_uuid(group_id),
            "securityRules": [rule_body(group_id, str(rule["name"]), rule["properties"]) for rule in rules],
            "defaultSecurityRules": _default_rules(group_id),
        },
    }


def _family(with_ipv6: bool, address: str, address6: str) -> tuple[str, ...]:
    return (address, address6) if with_ipv6 else (address,)


def _rule(
    name: str,
    priority: int,
    direction: str,
    access: str,
    *,
    protocol: str = "*",
    source: str = "*",
    destination: str = "*",
    port: str = "*",
) -> Body:
    return {
        "name": name,
        "properties": {
            "protocol": protocol,
            "access": access,
            "direction": direction,
            "priority": priority,
            "sourceAddressPrefix": source,
            "sourcePortRange": "*",
            "destinationAddressPrefix": destination,
            "destinationPortRange": port,
        },
    }


def _default_rules(group_id: str) -> list[Body]:
    rows: tuple[tuple[Any, ...], ...] = (
        ("AllowVnetInBound", 65000, "Inbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
        ("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", "AzureLoadBalancer", "*"),
        ("DenyAllInBound", 65500, "Inbound", "Deny", "*", "*"),
        ("AllowVnetOutBound", 65000, "Outbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
        ("AllowInternetOutBound", 65001, "Outbound", "Allow", "*", "Internet"),
        ("DenyAllOutBound", 65500, "Outbound", "Deny", "*", "*"),
    )
    bodies = []
    for name, priority, direction, access, source, destination in rows:
        rule = _rule(name, priority, direction, access, source=source, destination=destination)
        body = rule_body(group_id, name, rule["properties"])
        body["id"] = f"{group_id}/defaultSecurityRules/{name}"
        body["type"] = "Microsoft.Network/networkSecurityGroups/defaultSecurityRules"
        bodies.append(body)
    return bodies


def _groups() -> list[Body]:
    return [
        group_body(
            "front-nsg",
            [
                _rule("allow-http", 100, "Inbound", "Allow", protocol="Tcp", port=str(HTTP_PORT)),
                _rule("allow-ssh", 110, "Inbound", "Allow", protocol="Tcp", port=str(SSH_PORT)),
                _rule("allow-echo", 120, "Inbound", "Allow", protocol="Udp", port=str(ECHO_PORT)),
            ],
        ),
        group_body(
            "data-nsg",
            [
                _rule("allow-database", 100, "Inbound", "Allow", protocol="Tcp", source="10.1.1.0/24", port=str(DATABASE_PORT)),
                _rule("allow-jump-host", 110, "Inbound", "Allow", protocol="Tcp", source="10.1.1.4/32", port=str(SSH_PORT)),
                _rule("deny-in", 4000, "Inbound", "Deny"),
            ],
        ),
        group_body(
            ISOLATED_GROUP,
            [
                _rule("deny-metadata", 100, "Outbound", "Deny", destination="AzurePlatformIMDS"),
                _rule("deny-in", 110, "Inbound", "Deny"),
                _rule("deny-out", 120, "Outbound", "Deny"),
            ],
        ),
    ]


def _watcher() -> Body:
    kind = "Microsoft.Network/networkWatchers"
    path = f"{NETWORK_PATH}/networkWatchers/{WATCHER}"
    return {
        "id": path,
        "name": WATCHER,
        "type": kind,
        "location": LOCATION,
        "etag": new_etag(),
        "properties": {"provisioningState": "Succeeded"},
    }


def _network(*, with_ipv6: bool) -> Body:
    subnets = []
    for name, (prefix, prefix6, group) in _SUBNETS.items():
        properties: Body = {
            "provisioningState": "Succeeded",
            "addressPrefix": prefix,
            "addressPrefixes": list(_family(with_ipv6, prefix, prefix6)),
        }
        if group:
            properties["networkSecurityGroup"] = {"id": f"{NETWORK_PATH}/networkSecurityGroups/{group}"}
        subnet_type = "Microsoft.Network/virtualNetworks/subnets"
        subnets.append({"name": name, "id": f"{VNET}/subnets/{name}", "etag": new_etag(), "type": subnet_type, "properties": properties})
    return {
        "id": VNET,
        "name": VNET.rpartition("/")[2],
        "type": "Microsoft.Network/virtualNetworks",
        "location": LOCATION,
        "etag": new_etag(),
        "tags": {},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": stable_uuid(VNET),
            "addressSpace": {"addressPrefixes": list(_family(with_ipv6, *VNET_PREFIXES))},
            "subnets": subnets,
        },
    }


def _machine(seed: _Seed) -> Body:
    tags = {"role": seed.role} | ({PROTECTED_TAG: "true"} if seed.is_protected else {})
    disk = {"id": f"{COMPUTE_PATH}/disks/{seed.name}-os", "storageAccountType": "Standard_LRS"}
    os_disk = {"name": f"{seed.name}-os", "osType": "Linux", "createOption": "FromImage", "managedDisk": disk}
    return {
        "id": f"{COMPUTE_PATH}/virtualMachines/{seed.name}",
        "name": seed.name,
        "type": "Microsoft.Compute/virtualMachines",
        "location": LOCATION,
        "etag": new_etag(),
        "tags": tags,
        "properties": {
            "vmId": stable_uuid(seed.name),
            "provisioningState": "Succeeded",
            "hardwareProfile": {"vmSize": "Standard_B1s"},
            "osProfile": {"computerName": seed.name, "adminUsername": "deploy"},
            "storageProfile": {"osDisk": os_disk, "dataDisks": []},
            "networkProfile": {
                "networkInterfaces": [{"id": f"{NETWORK_PATH}/networkInterfaces/{seed.name}-nic", "properties": {"primary": True}}]
            },
        },
    }


def _interface(seed: _Seed, *, with_ipv6: bool) -> Body:
    interface_id = f"{NETWORK_PATH}/networkInterfaces/{seed.name}-nic"
    octets = ip_interface(seed.address).packed
    properties: Body = {
        "provisioningState": "Succeeded",
        "resourceGuid": stable_uuid(interface_id),
        "macAddress": "00-0D-3A-" + "-".join(f"{octet:02X}" for octet in octets[1:]),
        "primary": True,
        "virtualMachine": {"id": f"{COMPUTE_PATH}/virtualMachines/{seed.name}"},
        "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
        "enableIPForwarding": False,
        "enableAcceleratedNetworking": False,
        "ipConfigurations": [
            configuration_body(interface_id, f"ipconfig{number}", f"{VNET}/subnets/{seed.subnet}", address)
            for number, address in enumerate(_family(with_ipv6, seed.address, seed.address6), start=1)
        ],
    }
    if seed.group:
        properties["networkSecurityGroup"] = {"id": f"{NETWORK_PATH}/networkSecurityGroups/{seed.group}"}
    return {
        "id": interface_id,
        "name": f"{seed.name}-nic",
        "type": "Microsoft.Network/networkInterfaces",
        "location": LOCATION,
        "etag": new_etag(),
        "tags": {},
        "properties": properties,
    }


def configuration_body(interface_id: str, name: str, subnet_id: str, address: str) -> Body:
    version = "IPv6" if ":" in address else "IPv4"
    return {
        "name": name,
        "id": f"{interface_id}/ipConfigurations/{name}",
        "etag": new_etag(),
        "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
        "properties": {
            "provisioningState": "Succeeded",
            "privateIPAddress": address,
            "privateIPAllocationMethod": "Dynamic",
            "primary": version == "IPv4",
            "privateIPAddressVersion": version,
            "subnet": {"id": subnet_id},
        },
    }
