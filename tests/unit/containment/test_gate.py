"""The gate beyond one machine with one interface: shared writes, several interfaces, answers that never come, machines that are gone."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.databases import opened_in
from tests.unit.containment.small_arm import CLOSED, DENY, MACHINES, NETWORK, SUBNET, SmallArm, interface_id, rule

from guardship.clock import SystemClock
from guardship.cloud.arm import Actor, ActorKind, ArmClient, ArmUnreachable
from guardship.cloud.arm_endpoint import ArmEndpoint, Secret
from guardship.cloud.azure.compute import AzureProvider
from guardship.containment import isolations
from guardship.containment.consent import WriteHeld
from guardship.containment.guardrails import GroupNotClosed, NeverCut, Policy
from guardship.containment.held_writes import HeldWrites
from guardship.containment.isolation import Isolator, Shared, StillIsolated
from guardship.containment.isolations import Finding, Isolation, ProbeRow, State, WriteRow, WriteState
from guardship.containment.leases import Leases
from guardship.containment.ledger import Ledger
from guardship.containment.verification import Probe, Question, Verification
from guardship.errors import GuardshipError
from guardship.identity import approvals, audit
from guardship.storage.outbox import Outbox

CLOCK = SystemClock()
MARA = Actor(ActorKind.USER, "mara", reason="seen")
NO_CAP = Policy(cap_count=50, cap_percent=100)


class House:
    def __init__(
        self, folder: Path, machines: dict[str, tuple[str, ...]], *, tags: dict[str, dict[str, str]] | None = None, policy: Policy = NO_CAP
    ) -> None:
        self.cloud = SmallArm(machines, tags or {})
        self.database = opened_in(folder, "g.db")
        (folder / "isolations").mkdir()
        self.ledger = Ledger(self.database, CLOCK, policy, folder=folder / "isolations", account="a", endpoint={}, closed_group_id=CLOSED)
        endpoint = ArmEndpoint("https://management.azure.com", "t", "s", "c", Secret("x"))
        self.arm = ArmClient(endpoint, self.ledger, CLOCK, transport=httpx.MockTransport(self.cloud), sleep=lambda _: None)
        self.isolator = Isolator(self.database, AzureProvider(self.arm), self.arm, self.ledger)
        self.outbox = Outbox(self.database, CLOCK)
        self.outbox.subscribe("ApprovalAnswered", HeldWrites(self.database, lambda _: self.arm).on_answer)

    def isolate(self, machine: str = "web-1") -> str:
        return self.isolator.isolate(machine, actor=MARA, idempotency_key="k")

    def release(self, machine: str = "web-1") -> str:
        return self.isolator.release(machine, actor=MARA)

    def close_subnet(self, group: str = CLOSED) -> Any:
        body = {"id": SUBNET, "properties": {"addressPrefix": "10.1.1.0/24", "networkSecurityGroup": {"id": group}}}
        return self.arm.call("PUT", SUBNET, actor=MARA, body=body)

    def put_group(self, machine: str, number: int, group: str) -> None:
        body = self.arm.get(interface_id(machine, number))
        body["properties"]["networkSecurityGroup"] = {"id": f"{NETWORK}/networkSecurityGroups/{group}"}
        self.arm.put(body, actor=replace(MARA, name="jonas"))

    def states(self) -> dict[str, str]:
        with self.database.reading() as session:
            return {row.machine_name: str(row.state) for row in session.scalars(select(Isolation).order_by(Isolation.number))}

    def row(self, isolation_id: str) -> Isolation:
        with self.database.reading() as session:
            return isolations.get(session, isolation_id)

    def approve(self, approval_id: str) -> None:
        with self.database.transaction() as session:
            approvals.answer(session, approval_id, is_approved=True, by="user jonas", reason="yes", at=CLOCK.now())
        self.outbox.deliver_due()

    def age_writes(self) -> None:
        """As if every write had been sent two minutes ago."""
        with self.database.transaction() as session:
            for row in session.scalars(select(WriteRow)):
                row.sent_at -= timedelta(minutes=2)


class Silent:
    """A prober to whom nothing answers but its control."""

    def probe(self, machine_id: str, *, avoid: frozenset[str]) -> list[Probe]:
        return [Probe(question, machine_id, question is Question.CONTROL, "") for question in Question]


Build = Callable[..., House]


@pytest.fixture
def house(tmp_path: Path) -> Build:
    return lambda machines, **given: House(tmp_path, machines, **given)


def test_a_subnet_write_counts_every_machine_it_would_cut_and_asks_once(house: Build) -> None:
    found = house(dict.fromkeys(("a", "b", "c", "d"), ("open",)), policy=Policy(cap_count=3, cap_percent=100))
    with pytest.raises(WriteHeld, match="add 4; the cap is 3") as held:
        found.close_subnet()
    assert found.cloud.writes == []
    with pytest.raises(WriteHeld) as again:
        found.close_subnet()
    assert again.value.approval_id == held.value.approval_id, "one question for the whole write"
    found.approve(held.value.approval_id)
    assert found.states() == dict.fromkeys("abcd", State.ISOLATED)


def test_each_machine_of_a_shared_write_has_its_own_isolation_file_and_end(house: Build) -> None:
    found = house({"a": ("open",), "b": ("open",)})
    assert found.close_subnet().status == 200
    assert found.states() == {"a": "isolated", "b": "isolated"}
    with pytest.raises(Shared, match="what isolates a isolates b too"):
        found.release("a")
    assert found.states() == {"a": "isolated", "b": "isolated"}
    found.isolator.release("a", actor=MARA, is_forced=True)
    assert found.states() == {"a": "released", "b": "released"}, "the subnet is open again, for both"
    assert found.cloud.group_of("a") == "open"


def test_two_protected_machines_are_both_named(house: Build) -> None:
    tags = {name: {"guardship:protected": "true"} for name in ("a", "b")}
    with pytest.raises(WriteHeld, match="a, b are protected"):
        house({"a": ("open",), "b": ("open",), "c": ("open",)}, tags=tags).close_subnet()


def test_all_interfaces_go_and_come_back_also_one_that_was_closed_before(house: Build) -> None:
    found = house({"web-1": ("open", "other-closed")})
    isolation_id = found.isolate()
    assert [found.cloud.group_of("web-1", number) for number in (0, 1)] == ["IsolatedNetwork-NSG"] * 2
    found.release()
    assert [found.cloud.group_of("web-1", number) for number in (0, 1)] == ["open", "other-closed"]
    assert found.row(isolation_id).state == State.RELEASED


def test_a_machine_that_was_closed_before_is_released_with_a_word_about_it(house: Build) -> None:
    found = house({"web-1": ("other-closed",)})
    isolation_id = found.isolate()
    found.release()
    row = found.row(isolation_id)
    assert (row.state, found.cloud.group_of("web-1")) == (State.RELEASED, "other-closed")
    assert row.problem is not None
    assert "still let nothing through" in row.problem


def test_one_interface_opened_by_another_hand_is_drift_and_both_are_the_end(house: Build) -> None:
    found = house({"web-1": ("open", "open")})
    isolation_id = found.isolate()
    found.put_group("web-1", 0, "open")
    assert found.row(isolation_id).state == State.DRIFTED
    found.put_group("web-1", 1, "open")
    assert found.row(isolation_id).state == State.RELEASED


def test_an_interface_isolated_again_is_not_back(house: Build) -> None:
    found = house({"web-1": ("open", "open")})
    isolation_id = found.isolate()
    found.put_group("web-1", 0, "open")
    found.put_group("web-1", 0, "IsolatedNetwork-NSG")
    found.put_group("web-1", 1, "open")
    assert found.row(isolation_id).state == State.DRIFTED, "the first interface is closed again"


def test_opening_the_closed_group_makes_every_isolation_in_it_drift(house: Build) -> None:
    found = house({"a": ("open",), "b": ("open",)})
    found.isolate("a")
    found.isolate("b")
    hole = {key: value for key, value in rule("hole", 90, "Inbound", "Allow").items() if key != "name"}
    found.arm.call("PUT", f"{CLOSED}/securityRules/hole", actor=MARA, body=hole)
    assert found.states() == {"a": "drifted", "b": "drifted"}


def test_any_hand_is_refused_a_closed_group_that_is_not_closed(house: Build) -> None:
    found = house({"web-1": ("open",)})
    found.cloud.put(CLOSED, {"securityRules": [rule("to-the-cloud", 90, "Outbound", "Allow", to="AzureCloud"), *DENY]})
    with pytest.raises(GroupNotClosed, match=r"would leave web-1 a way: .* allowed by to-the-cloud"):
        found.put_group("web-1", 0, "IsolatedNetwork-NSG")
    with pytest.raises(GroupNotClosed, match="allowed by to-the-cloud"):
        found.isolate()
    assert (found.cloud.writes, found.states()) == ([], {})


def test_a_group_that_lost_its_rules_is_refused_to_a_job(house: Build) -> None:
    found = house({"web-1": ("open",)})
    found.cloud.put(CLOSED, {"securityRules": []})
    with pytest.raises(GroupNotClosed, match="AllowVnet"):
        found.put_group("web-1", 0, "IsolatedNetwork-NSG")
    assert found.states() == {}


def test_rules_that_isolated_are_taken_away_again(house: Build) -> None:
    found = house({"web-1": ("open",)})
    group = f"{NETWORK}/networkSecurityGroups/open"
    for name, direction in (("cut-out", "Outbound"), ("cut-in", "Inbound")):
        body = {key: value for key, value in rule(name, 90, direction, "Deny").items() if key != "name"}
        found.arm.call("PUT", f"{group}/securityRules/{name}", actor=MARA, body=body)
    assert found.states() == {"web-1": "isolated"}
    found.release()
    assert found.states() == {"web-1": "released"}
    assert "cut-in" not in found.cloud.rules_of(group)


def test_an_approved_machine_is_isolated_on_all_its_interfaces(house: Build) -> None:
    found = house({"web-1": ("open", "open")}, tags={"web-1": {"guardship:protected": "true"}})
    with pytest.raises(WriteHeld) as held:
        found.isolate()
    found.approve(held.value.approval_id)
    assert [found.cloud.group_of("web-1", number) for number in (0, 1)] == ["IsolatedNetwork-NSG"] * 2
    assert found.states() == {"web-1": "isolated"}


def test_an_approved_write_that_arm_refuses_is_failed_and_says_why(house: Build) -> None:
    found = house({"web-1": ("open",)}, tags={"web-1": {"guardship:protected": "true"}})
    with pytest.raises(WriteHeld) as held:
        found.isolate()
    found.cloud.fail = lambda _: httpx.Response(403, json={"error": {"code": "AuthorizationFailed", "message": "not yours"}})
    found.approve(held.value.approval_id)
    with found.database.reading() as session:
        first = session.scalars(select(WriteRow).order_by(WriteRow.sent_at)).first()
    assert first is not None
    assert (first.state, first.problem) == (WriteState.FAILED, "AuthorizationFailed: not yours")


def _lose_the_answer(cloud: SmallArm, *, is_carried_out: bool) -> None:
    def fail(request: httpx.Request) -> httpx.Response | None:
        if is_carried_out:
            cloud.fail = lambda _: None
            cloud(request)
            cloud.fail = fail
        raise httpx.ReadError("gone", request=request)

    cloud.fail = fail


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_a_write_without_an_answer_stays_open_until_the_cloud_was_asked(
    house: Build, monkeypatch: pytest.MonkeyPatch, is_carried_out: bool
) -> None:
    found = house({"web-1": ("open",)})
    monkeypatch.setattr("guardship.cloud.arm_retry.Pauses.after_fault", lambda *_: 1000.0)
    _lose_the_answer(found.cloud, is_carried_out=is_carried_out)
    with pytest.raises(ArmUnreachable):
        found.isolate()
    assert found.states() == {"web-1": "applying"}, "not known is neither done nor failed"
    found.cloud.fail = lambda _: None
    assert found.ledger.reconcile(found.arm) == (1 if is_carried_out else 0)
    found.age_writes()
    found.ledger.reconcile(found.arm)
    assert found.states() == {"web-1": "isolated" if is_carried_out else "failed"}


def test_while_the_cloud_is_down_nothing_is_settled(house: Build) -> None:
    found = house({"web-1": ("open",)})
    found.cloud.fail = lambda _: httpx.Response(503, json={})
    with pytest.raises(GuardshipError):
        found.isolate()
    found.age_writes()

    class Down:
        def get(self, path: str) -> dict[str, Any]:
            raise ArmUnreachable("down")

        def list(self, path: str) -> list[dict[str, Any]]:
            raise ArmUnreachable("down")

    with pytest.raises(ArmUnreachable):
        found.ledger.reconcile(Down())
    assert found.states() == {"web-1": "applying"}


def test_a_release_that_does_not_go_through_says_so(house: Build) -> None:
    found = house({"web-1": ("open", "open")})
    isolation_id = found.isolate()
    found.cloud.fail = lambda request: httpx.Response(409, json={}) if "nic0" in request.url.path else None
    with pytest.raises(GuardshipError):
        found.release()
    row = found.row(isolation_id)
    assert (row.state, row.problem) == (State.DRIFTED, "the release failed: ARM answered 409"), "the other interface is open"
    found.cloud.fail = lambda _: None
    found.release()
    assert found.row(isolation_id).state == State.RELEASED


def test_a_machine_that_is_gone_can_be_released(house: Build) -> None:
    found = house({"web-1": ("open",)})
    isolation_id = found.isolate()
    found.cloud.drop(f"{MACHINES}/web-1")
    found.cloud.drop(interface_id("web-1"))
    found.release("web-1")
    row = found.row(isolation_id)
    assert (row.state, row.ended_by) == (State.RELEASED, "user mara")


def test_a_machine_that_is_gone_while_its_interface_stays_is_opened(house: Build) -> None:
    found = house({"web-1": ("open",)})
    found.isolate()
    found.cloud.drop(f"{MACHINES}/web-1")
    found.release("web-1")
    assert found.cloud.group_of("web-1") == "open"


def test_the_file_of_an_isolation_keeps_what_its_last_write_left(house: Build, tmp_path: Path) -> None:
    found = house({"web-1": ("open", "open")})
    found.isolate()
    undo = json.loads(next((tmp_path / "isolations").glob("*.json")).read_text())["undo"]
    assert [each["left"]["properties"]["networkSecurityGroup"]["id"] for each in undo] == [CLOSED, CLOSED]


def test_still_isolated_names_what_is_left() -> None:
    assert "nic0 is closed" in str(StillIsolated("web-1", "nic0 is closed"))


def test_a_lease_that_cannot_release_tries_again_and_asks_a_person(house: Build) -> None:
    found = house({"web-1": ("open",)}, policy=Policy(cap_count=50, cap_percent=100, lease=timedelta(seconds=-1)))
    isolation_id = found.isolate()
    leases = Leases(
        found.database,
        CLOCK,
        Policy(releases_by_itself=True),
        lambda _, machine, actor, isolation_id, with_others: found.isolator.release(machine, actor=actor, isolation_id=isolation_id),
    )
    found.cloud.fail = lambda _: httpx.Response(409, json={})
    leases.look()
    with found.database.reading() as session:
        assert [each.kind for each in approvals.waiting(session, at=CLOCK.now())] == ["containment.lease_end"]
    found.cloud.fail = lambda _: None
    assert leases.look() == 0, "not at once"
    with found.database.transaction() as session:
        isolations.get(session, isolation_id).lease_asked_at = CLOCK.now() - timedelta(minutes=2)
    leases.look()
    assert found.row(isolation_id).state == State.RELEASED


def test_the_first_proof_keeps_its_time_and_the_end_withdraws_what_still_waits(house: Build) -> None:
    found = house({"web-1": ("open",)})
    isolation_id = found.isolate()
    verification = Verification(found.database, CLOCK, Silent())
    verification.verify(isolation_id)
    first = found.row(isolation_id)
    verification.verify(isolation_id)
    again = found.row(isolation_id)
    assert first.contained_at == first.verified_at
    assert again.contained_at == first.contained_at
    assert again.verified_at != first.verified_at

    leases = Leases(found.database, CLOCK, NO_CAP, lambda *_, **__: None)
    leases.ask_to_extend(isolation_id, by="user mara", reason="not done yet")
    found.release()
    with found.database.reading() as session:
        assert approvals.waiting(session, at=CLOCK.now()) == []


def test_old_looks_are_forgotten_but_never_the_last(house: Build) -> None:
    found = house({"web-1": ("open",)})
    now = CLOCK.now()
    with found.database.transaction() as session:
        for number, days in enumerate((3, 2, 2)):
            probe = {"finding": "control", "name": "control", "target": "x", "result": "open", "detail": "", "isolation_id": "isol_1"}
            session.add(ProbeRow(probe_id=f"prob_{number}", at=now - timedelta(days=days), **probe))
    with found.database.transaction() as session:
        assert isolations.prune_probes(session, at=now) == 1
        assert {row.probe_id for row in isolations.probes_of(session, "isol_1")} == {"prob_1", "prob_2"}


def test_a_simulated_cloud_is_known_as_one(house: Build) -> None:
    found = house({"web-1": ("open",)})
    row = found.row(found.isolate())
    assert row.is_simulated is False
    assert row.new_connections_blocked == Finding.NOT_VERIFIED


@pytest.mark.parametrize(("port", "is_ours"), [("24443", True), ("24000-24500", True), ("24443,24080", True), ("443", False)])
def test_no_rule_shuts_a_port_by_which_agents_reach_us(house: Callable[..., House], port: str, is_ours: bool) -> None:
    policy = Policy(cap_count=50, cap_percent=100, own_addresses=frozenset({"10.1.1.5"}), own_ports=frozenset({24080, 24443}))
    found = house({"web-1": ("open",), "web-2": ("open",)}, policy=policy)
    deny = rule("no-agents", 99, "Inbound", "Deny")["properties"] | {"destinationPortRanges": port.split(",")}
    deny.pop("destinationPortRange")
    path = f"{NETWORK}/networkSecurityGroups/open/securityRules/no-agents"
    if is_ours:
        with pytest.raises(NeverCut, match=r"web-1 is never cut off: .* would no longer be reached"):
            found.arm.call("PUT", path, actor=MARA, body={"properties": deny})
        assert found.cloud.writes == []
    else:
        assert found.arm.call("PUT", path, actor=MARA, body={"properties": deny}).status < 300


def test_why_somebody_asked_is_told_to_who_approves_and_in_the_audit_log(house: Build) -> None:
    found = house({"web-1": ("open",), "web-2": ("open",)}, policy=Policy(cap_count=1, cap_percent=100))
    found.isolate("web-1")
    with pytest.raises(WriteHeld) as held:
        found.isolate("web-2")
    found.release("web-1")
    with found.database.reading() as session:
        assert approvals.get(session, held.value.approval_id).detail["reason"] == MARA.reason
        told = {entry.act: entry.detail.get("reason") for entry in audit.entries(session)}
    assert MARA.reason
    assert told == dict.fromkeys(told, MARA.reason)
    assert set(told) == {"containment.isolates", "approval.asked", "containment.releases"}
