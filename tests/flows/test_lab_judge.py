"""The packet filter and the judge of `cloud/azure/network` say the same of every packet, for groups made up at random."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.hosts import cannot
from tests.unit.lab.laboratory import Laboratory

from guardship.cloud.arm import Actor, ActorKind
from guardship.cloud.azure.compute import AzureProvider
from guardship.cloud.azure.connectivity import Connectivity
from guardship.cloud.azure.network import Direction, Packet, judge

ACTOR = Actor(ActorKind.USER, "tester")
WORDS = ("*", "VirtualNetwork", "Internet", "10.1.1.0/24", "10.1.1.10/32", "10.1.2.4", "198.51.100.0/24", "fd00:10:1:1::/64", "fd00:c1::20")
PORTS = ("*", "22", "80", "1-100", "5000-6000", "9007")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("lab")) as lab:
        if lab.ready["data_plane"] != "packets" or not lab.ready["ipv6"]:
            cannot("this host refuses namespaces, or has no IPv6")
        yield lab


def some_rules(dice: random.Random) -> list[dict[str, Any]]:
    rules = []
    for number in range(dice.randint(1, 6)):
        properties = {
            "priority": 100 + number,
            "direction": dice.choice(["Inbound", "Outbound"]),
            "access": dice.choice(["Allow", "Deny"]),
            "protocol": dice.choice(["Tcp", "Udp", "*"]),
            "sourceAddressPrefixes": dice.sample(WORDS, dice.randint(1, 2)),
            "destinationAddressPrefixes": dice.sample(WORDS, dice.randint(1, 2)),
            "sourcePortRange": "*",
            "destinationPortRanges": dice.sample(PORTS, dice.randint(1, 2)),
        }
        rules.append({"name": f"r{number}", "properties": properties})
    return rules


@pytest.mark.parametrize("seed", range(8))
def test_the_filter_lets_through_what_the_judge_allows(lab: Laboratory, seed: int) -> None:
    dice = random.Random(seed)
    lab.reset()
    arm = lab.client()
    provider, connectivity = AzureProvider(arm), Connectivity(arm)
    group_id = f"{lab.network}/networkSecurityGroups/random-{seed}"
    arm.put({"id": group_id, "location": "westeurope", "properties": {"securityRules": some_rules(dice)}}, actor=ACTOR)
    web = provider.interfaces_of(provider.machine("web-1"))[0]
    provider.assign_group(web, group_id, actor=ACTOR)
    rules = provider.effective_rules(provider.interface(str(web.resource_id)))
    targets = connectivity.probe_targets()
    assert targets
    assert targets.tcp6
    inside, inside6 = lab.address("web-1"), lab.address("web-1", 6)
    jump, jump6 = lab.address("jump-1"), lab.address("jump-1", 6)
    out = lab.machine("web-1")
    probes = [
        (out, Packet(Direction.OUTBOUND, "Tcp", inside, targets.tcp.address, 50000, 80)),
        (out, Packet(Direction.OUTBOUND, "Udp", inside, targets.udp.address, 50000, 9007)),
        (out, Packet(Direction.OUTBOUND, "Tcp", inside6, targets.tcp6.address, 50000, 80)),
        (targets.inbound_from, Packet(Direction.INBOUND, "Tcp", targets.tcp.address, inside, 50000, 80)),
        (targets.inbound_from, Packet(Direction.INBOUND, "Tcp", targets.tcp.address, inside, 50000, 22)),
        (targets.inbound_from, Packet(Direction.INBOUND, "Udp", targets.udp.address, inside, 50000, 9007)),
        (targets.inbound_from, Packet(Direction.INBOUND, "Tcp", targets.tcp6.address, inside6, 50000, 80)),
        (lab.machine("jump-1"), Packet(Direction.INBOUND, "Tcp", jump, inside, 50000, 22)),
        (lab.machine("jump-1"), Packet(Direction.INBOUND, "Tcp", jump6, inside6, 50000, 80)),
    ]

    def passes(probe: tuple[str, Packet]) -> bool:
        source, packet = probe
        return connectivity.check(source, packet.destination, packet.destination_port, packet.protocol, seconds=0.35).reachable

    with ThreadPoolExecutor(len(probes)) as pool:
        found = list(pool.map(passes, probes))
    assert found == [judge(rules.subnet, rules.interface, packet, rules.space).is_allowed for _, packet in probes]
