"""The lab where namespaces are refused: the same answers from rules alone, and never without the label."""

import time
from collections.abc import Iterator

import pytest
from tests.unit.lab.laboratory import Laboratory

from guardship.cloud.arm import Actor, ActorKind
from guardship.cloud.azure.compute import AzureProvider
from guardship.cloud.azure.connectivity import Connectivity

ACTOR = Actor(ActorKind.USER, "tester")


@pytest.fixture(params=["cutting", "azure"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("simulated"), mode=request.param, simulated=True) as lab:
        yield lab


def test_a_simulated_lab_plays_the_story_and_labels_everything(lab: Laboratory) -> None:
    assert lab.ready["data_plane"] == "simulated"
    assert lab.events[0]["event"] == "simulated"
    assert lab.events[0]["why"]
    lab.attack()
    arm = lab.client()
    provider, connectivity = AzureProvider(arm), Connectivity(arm)
    machine, targets = provider.machine("web-1"), connectivity.probe_targets()
    assert targets
    assert targets.is_simulated
    before = connectivity.check(str(machine.resource_id), targets.tcp.address, targets.tcp.port, "Tcp")
    assert (before.reachable, before.is_simulated) == (True, True)
    provider.assign_group(provider.interfaces_of(machine)[0], str(lab.ready["isolated_group"]), actor=ACTOR)
    assert not connectivity.check(str(machine.resource_id), targets.tcp.address, targets.tcp.port, "Tcp").reachable
    assert not connectivity.check(str(machine.resource_id), "169.254.169.254", 80, "Http").reachable
    assert not connectivity.check(targets.inbound_from, lab.address("web-1"), 80, "Tcp").reachable
    flows = connectivity.live_flows(machine)
    assert flows
    assert all(flow.is_simulated for flow in flows)
    is_cutting = lab.ready["mode"] == "cutting"
    assert [flow.is_live for flow in flows] == [not is_cutting]
    time.sleep(0.1)
    assert bool([event for event in lab.events if event["event"] == "last_packet"]) is is_cutting
