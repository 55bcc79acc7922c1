"""What the ledger makes of an answer: taken, lost, late, refused after it was done, and one interface of several."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.unit.containment.small_arm import CLOSED, MACHINES, SmallArm, interface_id
from tests.unit.containment.test_gate import CLOCK, MARA, House, Silent

from guardship.cloud.arm import Actor, ArmError, ArmUnreachable
from guardship.containment import isolations
from guardship.containment.guardrails import Policy
from guardship.containment.isolations import State, WriteRow, WriteState
from guardship.containment.leases import Leases
from guardship.containment.verification import Verification
from guardship.errors import GuardshipError
from guardship.identity import approvals

OPERATION = "/subscriptions/s/operations/1"
ENDED_LEASE = Policy(cap_count=50, cap_percent=100, lease=timedelta(seconds=-1))
PROTECTED = {"web-1": {"guardship:protected": "true"}}

Build = Callable[..., House]


@pytest.fixture
def house(tmp_path: Path) -> Build:
    return lambda machines, **given: House(tmp_path, machines, **given)


def undo_file(found: House) -> Any:
    return json.loads(next(found.ledger.outcomes._files.folder.glob("*.json")).read_text())["undo"]


def writes(found: House) -> list[tuple[str, str]]:
    with found.database.reading() as session:
        return [(row.sort, row.state) for row in session.scalars(select(WriteRow).order_by(WriteRow.sent_at, WriteRow.write_id))]


def closed(found: House) -> dict[str, Any]:
    """The interface as it is, in the closed group."""
    body = found.arm.get(interface_id("web-1"))
    body["properties"]["networkSecurityGroup"] = {"id": CLOSED}
    return body


def carry_out(cloud: SmallArm, request: httpx.Request) -> None:
    fail, cloud.fail = cloud.fail, lambda _: None
    cloud(request)
    cloud.fail = fail


def answer_after_it_was_done(cloud: SmallArm, *statuses: int) -> None:
    """The first PUT is carried out; the answers are these, whatever was done."""
    left = list(statuses)

    def fail(request: httpx.Request) -> httpx.Response | None:
        if len(left) == len(statuses):
            carry_out(cloud, request)
        return httpx.Response(left.pop(0), json={}) if left else None

    cloud.fail = fail


def take_only(cloud: SmallArm, ends: str, *, is_carried_out: bool = False) -> None:
    """Every write is taken, and its operation ends like this."""

    def fail(request: httpx.Request) -> httpx.Response:
        if is_carried_out:
            carry_out(cloud, request)
        cloud.put(OPERATION, {"provisioningState": ends})
        return httpx.Response(201, headers={"Azure-AsyncOperation": f"https://management.azure.com{OPERATION}"}, json={})

    cloud.fail = fail


def test_a_gateway_that_gives_up_on_what_was_done_leaves_an_isolation(house: Build) -> None:
    found = house({"web-1": ("open",)})
    answer_after_it_was_done(found.cloud, 502)
    found.isolate()
    assert (found.states(), found.cloud.group_of("web-1")) == ({"web-1": "isolated"}, "IsolatedNetwork-NSG")


def test_a_refusal_after_a_gateway_gave_up_is_not_known_until_the_cloud_was_asked(house: Build) -> None:
    found = house({"web-1": ("open",)})
    answer_after_it_was_done(found.cloud, 502, 409)
    with pytest.raises(ArmError):
        found.isolate()
    assert found.states() == {"web-1": "applying"}
    assert found.ledger.reconcile(found.arm) == 1
    assert found.states() == {"web-1": "isolated"}


def test_a_machine_that_a_lost_write_has_cut_is_taken_up_with_its_way_back(house: Build) -> None:
    found = house({"web-1": ("open",)}, tags=PROTECTED)
    with found.database.transaction() as session:
        approval = approvals.ask(
            session,
            kind="containment.isolate",
            subject=f"{MACHINES}/web-1".lower(),
            title="",
            detail={"write_id": ""},
            by="m",
            at=CLOCK.now(),
        )
    found.approve(approval.approval_id)
    answer_after_it_was_done(found.cloud, 409)
    with pytest.raises(ArmError):
        found.isolate()
    assert (found.states(), found.cloud.group_of("web-1")) == ({"web-1": "failed"}, "IsolatedNetwork-NSG")
    found.isolate()  # nobody need approve it again: it is cut
    found.release()
    assert found.cloud.group_of("web-1") == "open"


def test_a_machine_that_another_hand_has_cut_is_taken_up_as_it_was_found(house: Build) -> None:
    found = house({"web-1": ("IsolatedNetwork-NSG",)})
    isolation_id = found.isolate()
    assert (found.states(), writes(found)) == ({"web-1": "isolated"}, [("isolates", "done")])
    found.release()
    assert (found.row(isolation_id).state, found.cloud.group_of("web-1")) == (State.RELEASED, "IsolatedNetwork-NSG")
    assert "still let nothing through" in str(found.row(isolation_id).problem)


def test_taken_is_not_done(house: Build) -> None:
    found = house({"web-1": ("open",)})
    take_only(found.cloud, "Succeeded", is_carried_out=True)
    response = found.arm.call("PUT", interface_id("web-1"), actor=MARA, body=closed(found))
    assert (found.states(), writes(found)) == ({"web-1": "applying"}, [("isolates", "sent")])
    found.arm.wait(response)
    assert found.states() == {"web-1": "isolated"}
    found.arm.wait(response)
    assert writes(found) == [("isolates", "done")], "told twice, done once"


def test_a_word_that_comes_after_the_end_changes_nothing(house: Build) -> None:
    found = house({"web-1": ("open",)})
    isolation_id = found.isolate()
    with found.database.reading() as session:
        (write,) = isolations.writes_of(session, isolation_id)
    found.ledger.outcomes.not_known(write.write_id, "late")
    found.ledger.outcomes.failed(write.write_id, "late")
    found.ledger.outcomes.release_broke_off(isolation_id, "late")
    row = found.row(isolation_id)
    assert (writes(found), row.state, row.problem) == ([("isolates", "done")], State.ISOLATED, None)


def test_an_isolation_whose_operation_fails_has_failed(house: Build) -> None:
    found = house({"web-1": ("open",)})
    take_only(found.cloud, "Failed")
    with pytest.raises(ArmError, match="OperationFailed"):
        found.isolate()
    assert (found.states(), found.cloud.group_of("web-1")) == ({"web-1": "failed"}, "open")


def test_an_operation_that_fails_after_it_was_carried_out_leaves_an_isolation(house: Build) -> None:
    found = house({"web-1": ("open",)})
    take_only(found.cloud, "Failed", is_carried_out=True)
    with pytest.raises(ArmError, match="OperationFailed"):
        found.isolate()
    assert found.states() == {"web-1": "isolated"}


def test_a_failed_operation_whose_resource_cannot_be_read_is_not_known(house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    found = house({"web-1": ("open",)})
    take_only(found.cloud, "Failed")
    read = SmallArm._read

    def refuse(cloud: SmallArm, key: str) -> httpx.Response:
        return httpx.Response(403, json={}) if OPERATION in cloud._things and "nic0" in key else read(cloud, key)

    monkeypatch.setattr(SmallArm, "_read", refuse)
    with pytest.raises(ArmError, match="OperationFailed"):
        found.isolate()
    assert found.states() == {"web-1": "applying"}


def test_a_release_whose_operation_fails_keeps_the_isolation_and_its_way_back(house: Build) -> None:
    found = house({"web-1": ("open",)})
    isolation_id = found.isolate()
    take_only(found.cloud, "Failed")
    with pytest.raises(ArmError):
        found.release()
    row = found.row(isolation_id)
    assert (row.state, found.cloud.group_of("web-1"), len(undo_file(found))) == (State.ISOLATED, "IsolatedNetwork-NSG", 1)
    assert row.problem == "the release failed: OperationFailed: the operation failed"
    found.cloud.fail = lambda _: None
    found.release()
    assert (found.row(isolation_id).state, undo_file(found)) == (State.RELEASED, [])


def test_what_the_cloud_is_still_at_is_not_settled(house: Build) -> None:
    found = house({"web-1": ("open",)})
    take_only(found.cloud, "Succeeded")
    body = closed(found)
    found.arm.call("PUT", interface_id("web-1"), actor=MARA, body=body)
    found.age_writes()
    found.cloud.put(interface_id("web-1"), body["properties"] | {"provisioningState": "Updating"})
    assert (found.ledger.reconcile(found.arm), found.states()) == (0, {"web-1": "applying"})
    found.cloud.put(interface_id("web-1"), body["properties"])
    assert (found.ledger.reconcile(found.arm), found.states()) == (1, {"web-1": "isolated"})


def test_a_release_that_the_cloud_calls_failed_is_not_believed(house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    found = house({"web-1": ("open",)})
    isolation_id = found.isolate()
    before = next(iter(undo_file(found)))["body"]["properties"]
    monkeypatch.setattr("guardship.cloud.arm_retry.Pauses.after_fault", lambda *_: 1000.0)

    def lose(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("gone", request=request)

    found.cloud.fail = lose
    with pytest.raises(ArmUnreachable):
        found.release()
    assert found.row(isolation_id).state == State.RELEASING, "an answer is missing"
    found.cloud.put(interface_id("web-1"), {**before, "provisioningState": "Failed"})
    found.age_writes()
    assert found.ledger.reconcile(found.arm) == 1
    assert found.row(isolation_id).state == State.ISOLATED


def test_a_second_interface_that_cannot_be_closed_is_named(house: Build) -> None:
    found = house({"web-1": ("open", "open")})
    found.cloud.fail = lambda request: httpx.Response(403, json={}) if "nic1" in request.url.path else None
    with pytest.raises(ArmError):
        found.isolate()
    with found.database.reading() as session:
        row = isolations.isolation_of(session, "web-1")
    assert (row.state, row.problem) == (State.DRIFTED, "still open: web-1-nic1")
    Verification(found.database, CLOCK, Silent()).verify(row.isolation_id)
    assert found.row(row.isolation_id).contained_at is None, "the probes ask one of its addresses"
    found.cloud.fail = lambda _: None
    found.isolate()
    again = found.row(row.isolation_id)
    assert (again.state, again.problem) == (State.ISOLATED, None)


def test_a_runbook_that_moves_one_interface_of_two_has_not_isolated_the_machine(house: Build) -> None:
    found = house({"web-1": ("open", "open")})
    found.put_group("web-1", 1, "IsolatedNetwork-NSG")
    assert found.states() == {"web-1": "drifted"}
    found.put_group("web-1", 0, "IsolatedNetwork-NSG")
    assert found.states() == {"web-1": "isolated"}


def test_a_machine_that_cannot_be_looked_at_is_not_isolated_yet(house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    found = house({"web-1": ("open", "open")})
    read = SmallArm._read

    def refuse(cloud: SmallArm, key: str) -> httpx.Response:
        return httpx.Response(403, json={}) if cloud.writes and "nic1" in key else read(cloud, key)

    with monkeypatch.context() as patch:
        patch.setattr(SmallArm, "_read", refuse)
        found.put_group("web-1", 0, "IsolatedNetwork-NSG")
    assert found.states() == {"web-1": "applying"}
    found.ledger.reconcile(found.arm)
    assert found.states() == {"web-1": "drifted"}


def test_isolating_reads_nothing_more_for_its_look_at_the_machine(house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    found = house({"web-1": ("open", "open")})
    reads, read = [], SmallArm._read

    def count(cloud: SmallArm, key: str) -> httpx.Response:
        reads.append(len(cloud.writes))
        return read(cloud, key)

    monkeypatch.setattr(SmallArm, "_read", count)
    found.isolate()
    assert set(reads) == {0}, "all reads are before the first write"


def test_a_put_that_changes_more_than_the_group_is_sent(house: Build) -> None:
    found = house({"web-1": ("open",)})
    found.isolate()
    sent = len(found.cloud.writes)
    body = found.arm.get(interface_id("web-1"))
    assert found.arm.call("PUT", interface_id("web-1"), actor=MARA, body=body).status == 200
    assert len(found.cloud.writes) == sent, "what is there already is answered"
    asked = {**body, "tags": {"ir": "case-7"}, "properties": {**body["properties"], "enableIPForwarding": True}}
    found.arm.put(asked, actor=MARA)
    now = found.arm.get(interface_id("web-1"))
    assert (now["tags"], now["properties"]["enableIPForwarding"]) == ({"ir": "case-7"}, True)
    assert (found.states(), writes(found)[-1]) == ({"web-1": "isolated"}, ("neither", "done"))
    found.release()
    assert found.cloud.group_of("web-1") == "open"


def test_a_lease_asks_before_it_opens_other_machines_and_then_opens_all(house: Build) -> None:
    found = house({"a": ("open",), "b": ("open",)}, policy=ENDED_LEASE)
    found.close_subnet()
    leases = let_go(found)
    found.outbox.subscribe("ApprovalAnswered", leases.on_answer)
    leases.look()
    assert found.states() == {"a": "isolated", "b": "isolated"}
    with found.database.reading() as session:
        waiting = approvals.waiting(session, at=CLOCK.now())
    assert "The lease of a has ended: release it, and with it b?" in [each.title for each in waiting]
    found.approve(next(each for each in waiting if each.detail["machine"] == "a").approval_id)
    assert found.states() == {"a": "released", "b": "released"}
    with found.database.reading() as session:
        assert approvals.waiting(session, at=CLOCK.now()) == []


def test_a_shared_write_whose_answer_is_missing_counts_too(house: Build) -> None:
    found = house({"a": ("open",), "b": ("open",)})
    take_only(found.cloud, "Succeeded", is_carried_out=True)
    found.close_subnet()
    assert found.states() == {"a": "applying", "b": "applying"}
    with pytest.raises(GuardshipError, match="isolates b too"):
        found.release("a")


def test_a_release_that_breaks_off_on_the_way_has_drifted_and_its_lease_goes_on(house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    found = house({"web-1": ("open", "open")}, policy=ENDED_LEASE)
    isolation_id = found.isolate()
    back = len(found.cloud.writes) + 1
    read = SmallArm._read

    def refuse(cloud: SmallArm, key: str) -> httpx.Response:
        return httpx.Response(403, json={}) if len(cloud.writes) >= back else read(cloud, key)

    with monkeypatch.context() as patch:
        patch.setattr(SmallArm, "_read", refuse)
        with pytest.raises(ArmError):
            found.release()
    row = found.row(isolation_id)
    assert (row.state, found.cloud.group_of("web-1", 0), found.cloud.group_of("web-1", 1)) == (State.DRIFTED, "IsolatedNetwork-NSG", "open")
    assert str(row.problem).startswith("the release failed")
    let_go(found).look()
    assert found.row(isolation_id).state == State.RELEASED


def test_a_release_whose_answer_came_late_does_not_stay_under_way(house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    found = house({"web-1": ("open", "open")})
    isolation_id = found.isolate()
    monkeypatch.setattr("guardship.cloud.arm_retry.Pauses.after_fault", lambda *_: 1000.0)

    def lose(request: httpx.Request) -> httpx.Response:
        carry_out(found.cloud, request)
        raise httpx.ReadError("gone", request=request)

    found.cloud.fail = lose
    with pytest.raises(ArmUnreachable):
        found.release()
    assert found.row(isolation_id).state == State.RELEASING
    found.cloud.fail = lambda _: None
    assert found.ledger.reconcile(found.arm) == 1
    assert found.row(isolation_id).state == State.DRIFTED
    found.release()
    assert found.row(isolation_id).state == State.RELEASED


def test_a_lease_takes_up_a_release_that_nobody_goes_on_with_but_not_one_that_waits(house: Build) -> None:
    found = house({"web-1": ("open",)}, policy=ENDED_LEASE)
    isolation_id = found.isolate()
    with found.database.transaction() as session:
        isolations.get(session, isolation_id).state = State.RELEASING
        (write,) = isolations.writes_of(session, isolation_id)
        write.state = WriteState.SENT
    leases = let_go(found)
    assert leases.look() == 0, "the cloud has not answered yet"
    with found.database.transaction() as session:
        isolations.writes_of(session, isolation_id)[0].state = WriteState.DONE
    assert leases.look() == 1
    assert found.row(isolation_id).state == State.RELEASED


def test_a_release_by_another_hand_that_fails_does_not_forget_the_drift(house: Build) -> None:
    found = house({"web-1": ("open",)})
    isolation_id = found.isolate()
    found.ledger.outcomes.drifted(isolation_id, "web-1-nic0 was changed by somebody else")
    found.cloud.fail = lambda _: httpx.Response(403, json={})
    with pytest.raises(ArmError):
        found.put_group("web-1", 0, "open")
    row = found.row(isolation_id)
    assert (row.state, row.problem) == (State.DRIFTED, "web-1-nic0 was changed by somebody else")


def test_a_lease_lets_go_of_one_of_two_machines_of_a_name(house: Build) -> None:
    found = house({"web-1": ("open",)}, policy=ENDED_LEASE)
    isolation_id = found.isolate()
    other = f"{MACHINES.replace('/g/', '/h/')}/web-1"
    found.cloud.put(other, {"networkProfile": {"networkInterfaces": []}})
    let_go(found).look()
    assert found.row(isolation_id).state == State.RELEASED


def let_go(found: House) -> Leases:
    def release(account: str, machine_id: str, actor: Actor, *, isolation_id: str, with_others: bool) -> object:
        return found.isolator.release(machine_id, actor=actor, isolation_id=isolation_id, with_others=with_others)

    return Leases(found.database, CLOCK, Policy(releases_by_itself=True), release)
