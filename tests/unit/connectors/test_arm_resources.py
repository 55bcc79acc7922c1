from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.unit.connectors.asking import ask, probe, reason_of, request_for
from tests.unit.containment.small_arm import MACHINES, NETWORK, interface_id
from tests.unit.containment.test_gate import House

from guardship.connectors.acting import Acting
from guardship.connectors.arm_resources import ArmResources
from guardship.containment.isolations import Isolation
from guardship.playbooks.connector import CallFailed, ConnectorRequest

PLACE = {"subscription": "s", "group": "g"}


def request(
    operation: str, body: Any = None, *, resource: str = "virtualMachines/web-1", provider: str = "Microsoft.Compute", **more: Any
) -> ConnectorRequest:
    return request_for("arm", operation, body, queries=more, provider=provider, resource=resource, places=PLACE)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, {"web-1": ("open",)})


@pytest.fixture
def end(house: House) -> Acting:
    return ArmResources(lambda: house.arm).back_end()


def test_a_resource_is_read_whatever_slashes_its_name_has(end: Acting) -> None:
    answer = ask(end, request("get_resource", **{"x-ms-api-version": "2023-07-01"}))
    assert answer.status_code == 200
    assert answer.body["id"] == f"{MACHINES}/web-1"


def test_a_resource_that_is_not_there_is_a_404(end: Acting) -> None:
    assert ask(end, request("get_resource", resource="virtualMachines/none")).status_code == 404


def test_a_write_goes_through_the_gate(house: House, end: Acting) -> None:
    """The ledger holds the isolation that this write makes, as if any other hand had made it."""
    nic = ask(end, request("get_resource", provider="Microsoft.Network", resource="networkInterfaces/web-1-nic0")).body
    nic["properties"]["networkSecurityGroup"] = {"id": f"{NETWORK}/networkSecurityGroups/IsolatedNetwork-NSG"}
    order = request("put_resource", nic, provider="Microsoft.Network", resource="networkInterfaces/web-1-nic0")
    assert probe(end, order) is None
    assert ask(end, order).status_code == 200
    assert house.cloud.group_of("web-1") == "IsolatedNetwork-NSG"
    with house.database.reading() as session:
        (isolation,) = session.scalars(select(Isolation))
    assert (isolation.run_id, isolation.machine_name) == ("run_1", "web-1")
    known = probe(end, order)
    assert known is not None
    assert known.body["id"] == interface_id("web-1")


def test_a_deployment_hides_what_it_changes_and_is_refused(end: Acting) -> None:
    order = request_for("arm", "put_deployment", {"properties": {"template": {}}}, deployment="d", places=PLACE)
    with pytest.raises(CallFailed, match="deployment"):
        ask(end, order)


def test_a_path_cannot_climb_out(end: Acting) -> None:
    with pytest.raises(CallFailed):
        ask(end, request("get_resource", resource="virtualMachines/../../x"))


def test_an_empty_value_and_a_body_that_is_none_are_named(end: Acting) -> None:
    assert reason_of(ask(end, request("get_resource", resource="/"))) == "resource: the path has no value for it"
    assert reason_of(ask(end, request("put_resource", "text"))) == "body: a resource is an object"


def test_without_a_cloud_the_call_may_be_tried_again() -> None:
    with pytest.raises(CallFailed) as caught:
        ask(ArmResources(lambda: None).back_end(), request("get_resource"))
    assert caught.value.may_retry
