"""Release with the server dead, by the file that lies beside the isolation; and the server's word about it at its next start."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.flows.company import Company

from guardship.cli.release import BadFile, NotReleased, ServerRuns, release_offline
from guardship.cloud.arm import Actor, ActorKind
from guardship.settings import Settings


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with Company(tmp_path) as company:
        yield company


def group_of(company: Company, machine: str) -> str:
    arm = company.lab.client()
    found = arm.get(company.lab.machine(machine))
    interface = arm.get(found["properties"]["networkProfile"]["networkInterfaces"][0]["id"])
    arm.close()
    return str((interface["properties"].get("networkSecurityGroup") or {}).get("id") or "").rpartition("/")[2]


def test_a_dead_server_can_be_released_from_and_finds_out(company: Company, tmp_path: Path) -> None:
    before = group_of(company, "web-1")
    isolation = company.post("isolations", {"machine": "web-1", "reason": "to be released by hand"})
    settings = Settings(home=company.server.home)
    file = next((company.server.home / "isolations").glob("*web-1.json"))
    with pytest.raises(ServerRuns):
        release_offline(settings, Path(file.name), "why not")
    assert group_of(company, "web-1") == "IsolatedNetwork-NSG"

    company.server.kill()
    assert "1 resource put back" in release_offline(settings, Path(file.name), "the server is dead")
    assert group_of(company, "web-1") == before

    company.restart()
    found = company.get(f"isolations/{isolation['isolation_id']}")
    assert (found["state"], found["ended_by"], found["end_reason"]) == ("released", "offline release", "the server is dead")
    acts = [entry["act"] for entry in company.get("audit")]
    assert {"containment.offline_release", "containment.offline_released", "containment.ended"} <= set(acts)


def test_what_somebody_else_changed_meanwhile_is_released_by_force_alone(company: Company, tmp_path: Path) -> None:
    before = group_of(company, "web-1")
    company.post("isolations", {"machine": "web-1", "reason": "to be released by hand"})
    company.server.kill()
    with closing(company.lab.client()) as arm:
        machine = arm.get(company.lab.machine("web-1"))
        interface = arm.get(machine["properties"]["networkProfile"]["networkInterfaces"][0]["id"])
        interface["properties"]["enableIPForwarding"] = True
        arm.put(interface, actor=Actor(ActorKind.USER, "stranger"))
    settings, file = Settings(home=company.server.home), next((company.server.home / "isolations").glob("*web-1.json"))
    with pytest.raises(NotReleased, match="changed by somebody else"):
        release_offline(settings, Path(file.name), "the server is dead")
    assert group_of(company, "web-1") == "IsolatedNetwork-NSG"
    assert "put back" in release_offline(settings, Path(file.name), "I know them", is_forced=True)
    assert group_of(company, "web-1") == before
    assert "put back" in release_offline(settings, Path(file.name), "once more"), "what is back already is nobody else's change"


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"nothing\.json"):
        release_offline(Settings(home=tmp_path), Path("nothing.json"), "")
