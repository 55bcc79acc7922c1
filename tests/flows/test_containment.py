"""Containment on the lab's real packets: the one gate, its guardrails, the proof, and the way back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.databases import opened_in
from tests.unit.lab.laboratory import Laboratory

from guardship.clock import SystemClock
from guardship.cloud.arm import Actor, ActorKind, ArmClient, ArmError
from guardship.cloud.azure.compute import AzureProvider
from guardship.cloud.azure.connectivity import Connectivity
from guardship.connectors.http import ArmDoor
from guardship.containment import isolations
from guardship.containment.arm_prober import ArmProber
from guardship.containment.guardrails import GroupNotClosed, NeverCut, Policy
from guardship.containment.held_writes import HeldWrites
from guardship.containment.isolation import Drifted, Isolator, NotIsolated
from guardship.containment.isolations import Finding, Sort, State, WriteState
from guardship.containment.leases import Leases
from guardship.containment.ledger import Ledger, WriteHeld
from guardship.containment.verification import Findings, Verification
from guardship.identity import approvals, audit
from guardship.playbooks.connector import CallContext, CallFailed
from guardship.storage.database import Database
from guardship.storage.outbox import Outbox

ACTOR = Actor(ActorKind.USER, "mara", reason="sessions of deploy")
CLOCK = SystemClock()


@pytest.fixture(scope="module", params=["cutting", "azure"])
def any_lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp(f"lab-{request.param}"), mode=request.param) as lab:
        yield lab


@dataclass
class House:
    """A database with containment around a reset lab."""

    lab: Laboratory
    database: Database
    folder: Path
    arm: ArmClient
    provider: AzureProvider
    isolator: Isolator
    verification: Verification
    outbox: Outbox
    ledger: Ledger

    def interface(self, name: str) -> dict[str, object]:
        return self.provider.interfaces_of(self.provider.machine(name))[0].body

    def isolate(self, name: str = "web-1", key: str = "k1") -> str:
        return self.isolator.isolate(name, actor=ACTOR, idempotency_key=key)

    def state(self, isolation_id: str) -> State:
        with self.database.reading() as session:
            return State(isolations.get(session, isolation_id).state)


def build(lab: Laboratory, tmp_path: Path, policy: Policy | None = None) -> House:
    database = opened_in(tmp_path, "g.db")
    folder = tmp_path / "isolations"
    folder.mkdir(exist_ok=True)
    group = str(lab.ready["isolated_group"])
    where = {"base_url": str(lab.ready["arm_url"])}
    ledger = Ledger(database, CLOCK, policy or Policy(), folder=folder, account="lab", endpoint=where, closed_group_id=group)
    arm = lab.client(observer=ledger)
    provider = AzureProvider(arm)
    isolator = Isolator(database, provider, arm, ledger)
    verification = Verification(database, CLOCK, ArmProber(provider, Connectivity(arm)))
    outbox = Outbox(database, CLOCK)
    outbox.subscribe("IsolationOpened", verification.on_isolation_opened)
    return House(lab, database, folder, arm, provider, isolator, verification, outbox, ledger)


@pytest.fixture
def house(any_lab: Laboratory, tmp_path: Path) -> House:
    any_lab.reset()
    return build(any_lab, tmp_path)


def essence(interface: dict[str, object]) -> str:
    """An interface without what the cloud gives anew at every write."""
    text = json.dumps({name: value for name, value in interface.items() if name != "etag"}, sort_keys=True)
    assert '"etag"' in json.dumps(interface)
    return text


def test_an_isolation_is_proved_and_a_release_puts_back_what_was(house: House) -> None:
    before = essence(house.interface("web-1"))
    isolation_id = house.isolate()
    findings = house.verification.verify(isolation_id)
    assert findings == Findings(Finding.VERIFIED, Finding.VERIFIED, Finding.VERIFIED)
    house.isolator.release("web-1", actor=ACTOR)
    assert house.state(isolation_id) is State.RELEASED
    assert essence(house.interface("web-1")) == before


def test_a_live_session_decides_the_finding_that_is_about_it(house: House) -> None:
    house.lab.attack()
    isolation_id = house.isolate()
    findings = house.verification.verify(isolation_id)
    assert findings is not None
    expected = Finding.VERIFIED if house.lab.ready["mode"] == "cutting" else Finding.FAILED
    assert (findings.new_connections_blocked, findings.live_sessions_cut) == (Finding.VERIFIED, expected)
    assert findings.is_contained == (expected is Finding.VERIFIED)


def test_isolating_twice_is_one_isolation_and_one_change(house: House) -> None:
    first = house.isolate(key="k1")
    assert house.isolate(key="k2") == first
    with house.database.reading() as session:
        writes = isolations.writes_of(session, first)
    assert [(write.sort, write.state) for write in writes] == [(Sort.ISOLATES, WriteState.DONE)]


def test_the_way_back_is_on_disk_before_the_request_leaves(house: House) -> None:
    before = house.interface("web-1")
    house.isolate()
    file = json.loads(next(house.folder.glob("*.json")).read_text())
    assert file["undo"][0]["method"] == "PUT"
    assert file["undo"][0]["body"]["properties"]["networkSecurityGroup"] == before["properties"]["networkSecurityGroup"]  # type: ignore[index]
    assert "secret" not in json.dumps(file).lower()


def test_a_write_of_any_other_hand_passes_the_same_gate(house: House) -> None:
    body = house.interface("web-1")
    body["properties"]["networkSecurityGroup"] = {"id": house.lab.ready["isolated_group"]}  # type: ignore[index]
    job = Actor(ActorKind.JOB, "IsolateVM", job_id="job_1", run_id="run_1")
    response = house.arm.call("PUT", f"//{str(body['id']).upper().lstrip('/')}", actor=job, body=body)
    assert response.status in (200, 201)
    with house.database.reading() as session:
        opened = isolations.open_isolation(session, house.provider.machine("web-1").machine_id)
    assert opened is not None
    assert (opened.run_id, opened.opened_by["job_id"]) == ("run_1", "job_1")


def test_a_write_that_changes_nothing_of_reach_opens_nothing(house: House) -> None:
    body = house.interface("web-1")
    body["tags"] = {"owner": "web team"}
    house.arm.put(body, actor=ACTOR)
    with house.database.reading() as session:
        assert isolations.open_isolation(session, house.provider.machine("web-1").machine_id) is None
        assert audit.entries(session)[0].act == "containment.neither"


def test_a_deny_all_rule_on_the_subnets_group_isolates_each_machine_in_it(any_lab: Laboratory, tmp_path: Path) -> None:
    any_lab.reset()
    house = build(any_lab, tmp_path, Policy(cap_count=9, cap_percent=100))
    group = "/subscriptions/" + house.arm.endpoint.subscription_id + "/resourceGroups/AzureBootcamp/providers/Microsoft.Network"
    group += "/networkSecurityGroups/data-nsg"
    house.arm.call("DELETE", f"{group}/securityRules/allow-database", actor=ACTOR)  # stands first: the front subnet would still come in
    for name, direction in (("cut-in", "Inbound"), ("cut-out", "Outbound")):
        rule = {
            "priority": 100,
            "direction": direction,
            "access": "Deny",
            "protocol": "*",
            "sourceAddressPrefix": "*",
            "sourcePortRange": "*",
        }
        rule |= {"destinationAddressPrefix": "*", "destinationPortRange": "*"}
        house.arm.call("PUT", f"{group}/securityRules/{name}", actor=ACTOR, body={"properties": rule})
    with house.database.reading() as session:
        opened = isolations.open_isolation(session, house.provider.machine("db-1").machine_id)
    assert opened is not None
    assert opened.machine_name == "db-1"


def test_a_group_with_a_way_left_open_is_refused_before_anything_is_written(house: House) -> None:
    group_id = str(house.lab.ready["isolated_group"])
    group = house.arm.get(group_id)
    for rule in group["properties"]["securityRules"]:
        rule["properties"]["priority"] += 100
    group["properties"]["securityRules"].insert(
        0,
        {
            "name": "hole",
            "properties": {
                "priority": 100,
                "direction": "Outbound",
                "access": "Allow",
                "protocol": "Tcp",
                "sourceAddressPrefix": "*",
                "sourcePortRange": "*",
                "destinationAddressPrefix": "Internet",
                "destinationPortRange": "4444",
            },
        },
    )
    house.arm.put(group, actor=ACTOR)
    with pytest.raises(GroupNotClosed, match=":4444, allowed by hole"):
        house.isolate()
    with house.database.reading() as session:
        assert isolations.open_isolation(session, house.provider.machine("web-1").machine_id) is None


def test_a_protected_machine_waits_for_a_person_and_then_goes(house: House) -> None:
    with pytest.raises(WriteHeld) as held:
        house.isolate("jump-1")
    assert essence(house.interface("jump-1"))
    held_writes = HeldWrites(house.database, lambda _: house.arm)
    house.outbox.subscribe("ApprovalAnswered", held_writes.on_answer)
    with house.database.transaction() as session:
        approvals.answer(session, held.value.approval_id, is_approved=True, by="user jonas", reason="seen", at=CLOCK.now())
    house.outbox.deliver_due()
    with house.database.reading() as session:
        opened = isolations.open_isolation(session, house.provider.machine("jump-1").machine_id)
    assert opened is not None
    assert opened.new_connections_blocked == Finding.VERIFIED
    assert house.isolate("jump-1") == opened.isolation_id, "whoever waited is answered from the open isolation"


def test_a_refused_approval_changes_nothing(house: House) -> None:
    before = essence(house.interface("jump-1"))
    with pytest.raises(WriteHeld) as held:
        house.isolate("jump-1")
    house.outbox.subscribe("ApprovalAnswered", HeldWrites(house.database, lambda _: house.arm).on_answer)
    with house.database.transaction() as session:
        approvals.answer(session, held.value.approval_id, is_approved=False, by="user jonas", reason="no", at=CLOCK.now())
    house.outbox.deliver_due()
    assert essence(house.interface("jump-1")) == before


def test_above_the_cap_the_next_machine_waits(house: House) -> None:
    house.isolate("web-1")
    with pytest.raises(WriteHeld, match="cap is 1"):
        house.isolate("web-2")
    house.isolator.release("web-1", actor=ACTOR)
    with pytest.raises(WriteHeld):
        house.isolate("web-2")
    assert house.isolate("web-1", key="again"), "the same machine again is not another one"


def test_ourselves_are_never_cut(any_lab: Laboratory, tmp_path: Path) -> None:
    any_lab.reset()
    address = any_lab.address("web-1")
    house = build(any_lab, tmp_path, Policy(own_addresses=frozenset({address})))
    with pytest.raises(NeverCut):
        house.isolate()


def test_a_release_is_refused_when_somebody_else_changed_the_interface(house: House) -> None:
    isolation_id = house.isolate()
    stranger = replace(ACTOR, name="stranger")
    lab_only = house.lab.client()
    body = house.interface("web-1")
    body["properties"]["enableIPForwarding"] = True  # type: ignore[index]
    lab_only.put(body, actor=stranger)
    with pytest.raises(Drifted):
        house.isolator.release("web-1", actor=ACTOR)
    assert house.state(isolation_id) is State.DRIFTED
    house.isolator.release("web-1", actor=ACTOR, is_forced=True)
    assert house.state(isolation_id) is State.RELEASED


def test_a_release_by_another_hand_ends_the_isolation(house: House) -> None:
    group = house.interface("web-1")["properties"]["networkSecurityGroup"]  # type: ignore[index]
    isolation_id = house.isolate()
    body = house.interface("web-1")
    body["properties"]["networkSecurityGroup"] = group  # type: ignore[index]
    house.arm.put(body, actor=replace(ACTOR, name="jonas"))
    assert house.state(isolation_id) is State.RELEASED
    with pytest.raises(NotIsolated):
        house.isolator.release("web-1", actor=ACTOR)


def test_a_machine_that_does_not_exist_is_named(house: House) -> None:
    with pytest.raises(Exception, match="web-9"):
        house.isolate("web-9")


def test_a_write_that_arm_refuses_opens_no_isolation(house: House) -> None:
    interface = house.provider.interfaces_of(house.provider.machine("web-1"))[0]
    with pytest.raises(ArmError):
        house.provider.assign_group(
            replace(interface, etag='W/"stale"'), str(house.lab.ready["isolated_group"]), actor=ACTOR, idempotency_key="k"
        )
    with house.database.reading() as session:
        assert isolations.open_isolation(session, house.provider.machine("web-1").machine_id) is None


def fault(house: House, kind: str, **given: float) -> None:
    mark = house.lab.mark()
    house.lab.order(do="fault", kind=kind, **given)
    house.lab.wait_for("fault", after=mark)


def test_an_operation_that_fails_neither_isolates_nor_releases(house: House) -> None:
    before = essence(house.interface("web-1"))
    fault(house, "fail_operation", count=1)
    with pytest.raises(ArmError, match="InternalServerError"):
        house.isolate()
    assert essence(house.interface("web-1")) == before
    with house.database.reading() as session:
        assert isolations.open_isolation(session, house.provider.machine("web-1").machine_id) is None
    isolation_id = house.isolate()
    fault(house, "fail_operation", count=1)
    with pytest.raises(ArmError, match="InternalServerError"):
        house.isolator.release("web-1", actor=ACTOR)
    assert house.state(isolation_id) is State.ISOLATED
    file = json.loads(sorted(house.folder.glob("*.json"))[-1].read_text())
    assert len(file["undo"]) == 1, "the way back is kept"
    house.isolator.release("web-1", actor=ACTOR)
    assert (house.state(isolation_id), essence(house.interface("web-1"))) == (State.RELEASED, before)


def test_an_isolation_is_applying_until_its_operation_is_over(house: House) -> None:
    body = house.interface("web-1")
    body["properties"]["networkSecurityGroup"] = {"id": house.lab.ready["isolated_group"]}  # type: ignore[index]
    fault(house, "operation_seconds", seconds=0.3)
    try:
        response = house.arm.call("PUT", str(body["id"]), actor=ACTOR, body=body)
        with house.database.reading() as session:
            opened = isolations.open_isolation(session, house.provider.machine("web-1").machine_id)
        assert opened is not None
        assert opened.state == State.APPLYING
        house.arm.wait(response)
        assert house.state(opened.isolation_id) is State.ISOLATED
    finally:
        fault(house, "operation_seconds", seconds=0)


def test_an_action_of_a_playbook_fails_with_the_operation_it_began(house: House) -> None:
    body = house.interface("web-1")
    body["properties"]["networkSecurityGroup"] = {"id": house.lab.ready["isolated_group"]}  # type: ignore[index]
    door = ArmDoor(lambda: house.arm)
    context = CallContext("run_1", 1, "play_1", "Isolate", "Put", 1, "key", CLOCK.now(), "playbook Isolate", None, None, {})
    url = f"https://management.azure.com/{body['id']}?api-version=2019-11-01"
    fault(house, "fail_operation", count=1)
    with pytest.raises(CallFailed, match="The operation failed"):
        door.call("PUT", url, body=body, headers={}, context=context)
    assert door.call("PUT", url, body=body, headers={}, context=context).status == 200
    with house.database.reading() as session:
        opened = isolations.open_isolation(session, house.provider.machine("web-1").machine_id)
    assert opened is not None
    assert opened.state == State.ISOLATED


def test_after_a_crash_between_intent_and_answer_the_cloud_is_asked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server died after the PUT left: the write is found in force, once."""

    def die(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(house.ledger, "after", die)
    with pytest.raises(SystemExit):
        house.isolate()
    monkeypatch.undo()
    assert house.ledger.reconcile(house.arm) == 0, "it may still be under way"
    assert house.ledger.reconcile(house.arm, is_starting=True) == 1
    with house.database.reading() as session:
        opened = isolations.open_isolation(session, house.provider.machine("web-1").machine_id)
    assert opened is not None
    assert opened.state == State.ISOLATED
    assert house.isolate(key="after the restart") == opened.isolation_id


def test_a_lease_asks_at_its_end_and_releases_where_policy_says_so(any_lab: Laboratory, tmp_path: Path) -> None:
    any_lab.reset()
    house = build(any_lab, tmp_path, Policy(lease=timedelta(seconds=-1)))
    isolation_id = house.isolate()
    asking = Leases(
        house.database,
        CLOCK,
        Policy(),
        lambda _, machine, actor, isolation_id, with_others: house.isolator.release(machine, actor=actor, isolation_id=isolation_id),
    )
    assert asking.look() == 1
    assert asking.look() == 0, "it asks once"
    assert house.state(isolation_id) is State.ISOLATED
    with house.database.transaction() as session:
        isolations.get(session, isolation_id).lease_asked_at = None
    releasing = Leases(
        house.database,
        CLOCK,
        Policy(releases_by_itself=True),
        lambda _, machine, actor, isolation_id, with_others: house.isolator.release(machine, actor=actor, isolation_id=isolation_id),
    )
    releasing.look()
    assert house.state(isolation_id) is State.RELEASED
