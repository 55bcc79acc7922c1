"""Orders that come late or twice: each acts on the isolation it was given for, or on nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from tests.unit.containment.small_arm import interface_id
from tests.unit.containment.test_gate import CLOCK, MARA, NO_CAP, House, Silent

from guardship.api import isolations as doorway
from guardship.api.isolations import ReasonIn
from guardship.cloud.arm import Actor
from guardship.containment import isolations, way_back
from guardship.containment.guardrails import Policy
from guardship.containment.isolation import NotIsolated
from guardship.containment.isolations import Finding, State, WriteState
from guardship.containment.leases import Leases
from guardship.containment.verification import VERIFIED, Probe, Verification
from guardship.errors import Fault, GuardshipError
from guardship.identity import approvals, audit
from guardship.identity.roles import Role
from guardship.identity.sessions import Caller
from guardship.server.connecting import end_released_by_hand
from guardship.storage.outbox import Event, Outbox, OutboxEvent

ADA = Caller("ada", "Ada", Role.RESPONDER, "user_1", person="user ada")
SEEN = ReasonIn(reason="seen")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, {"web-1": ("open",), "web-2": ("open",)}, policy=NO_CAP)


def test_an_order_for_an_isolation_that_has_ended_opens_no_later_one(house: House) -> None:
    old = house.isolate()
    house.release()
    new = house.isolate()
    with pytest.raises(NotIsolated, match="isolation 1 of web-1 has ended") as refused:
        doorway.release(old, ReasonIn(reason="an old tab", is_forced=True), doors_of(house), ADA)
    assert refused.value.fault is Fault.CONFLICT
    assert (house.row(new).state, house.cloud.group_of("web-1")) == (State.ISOLATED, "IsolatedNetwork-NSG")
    assert doorway.release(new, SEEN, doors_of(house), ADA).state == State.RELEASED


def test_a_machine_that_is_named_is_released_from_the_isolation_it_is_in(house: House) -> None:
    house.isolate()
    house.release()
    new = house.isolate()
    assert doorway.release_machine("web-1", SEEN, doors_of(house), ADA).isolation_id == new
    assert house.cloud.group_of("web-1") == "open"


def test_a_release_that_another_one_overtook_opens_no_later_isolation(house: House) -> None:
    """Another hand releases and isolates again after this release has begun to look at the cloud."""
    old = house.isolate()
    new: list[str] = []
    sharing = isolations.sharing

    def overtaken(*given: Any) -> Any:
        found = sharing(*given)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(isolations, "sharing", sharing)
            house.release()
            new.append(house.isolate())
        return found

    with pytest.MonkeyPatch.context() as patch, pytest.raises(NotIsolated, match="has ended"):
        patch.setattr(isolations, "sharing", overtaken)
        house.isolator.release("web-1", actor=MARA, isolation_id=old, is_forced=True)
    assert (house.row(old).state, house.row(new[0]).state) == (State.RELEASED, State.ISOLATED)
    assert house.cloud.group_of("web-1") == "IsolatedNetwork-NSG"


def test_what_has_ended_does_not_drift(house: House) -> None:
    isolation_id = house.isolate()
    house.release()
    house.ledger.outcomes.drifted(isolation_id, "somebody was there")
    assert house.row(isolation_id).state == State.RELEASED


def test_sessions_are_ended_only_where_the_isolation_is_open(house: House) -> None:
    isolation_id = house.isolate()
    house.release()
    with pytest.raises(NotIsolated, match="isolation 1 of web-1 has ended"):
        doorway.end_sessions(isolation_id, SEEN, doors_of(house), ADA)


def test_a_lease_opens_no_isolation_that_was_made_while_it_released_others(house: House) -> None:
    first, second = house.isolate("web-1"), house.isolate("web-2")
    end_lease(house, first, second)
    new: list[str] = []

    def meanwhile() -> None:
        house.release("web-2")
        new.append(house.isolate("web-2"))

    leases_of(house, meanwhile=[meanwhile], by_itself=True).look()
    assert (house.row(first).state, house.row(second).state) == (State.RELEASED, State.RELEASED)
    assert house.row(new[0]).state == State.ISOLATED


def test_a_lease_that_was_extended_meanwhile_is_not_ended(house: House) -> None:
    first, second = house.isolate("web-1"), house.isolate("web-2")
    end_lease(house, first, second)

    def meanwhile() -> None:
        with house.database.transaction() as session:
            isolations.get(session, second).lease_ends_at = CLOCK.now() + timedelta(hours=4)

    leases_of(house, meanwhile=[meanwhile], by_itself=True).look()
    assert (house.row(first).state, house.row(second).state) == (State.RELEASED, State.ISOLATED)
    assert waiting(house) == []


def test_a_yes_that_is_delivered_again_opens_no_later_isolation(house: House) -> None:
    old = house.isolate()
    end_lease(house, old)
    new: list[str] = []
    leases = leases_of(house)
    leases.look()
    (asked,) = waiting(house)

    def isolate_again() -> None:
        if not new:
            new.append(house.isolate())

    with answered_thrice(house, leases, asked, between=isolate_again):
        assert (house.row(old).state, house.row(old).problem) == (State.RELEASED, None)
        assert house.row(new[0]).state == State.ISOLATED


def test_an_approval_extends_once_and_the_next_one_again(house: House) -> None:
    isolation_id, leases = house.isolate(), leases_of(house)
    for hours in (4, 8):
        asked = leases.ask_to_extend(isolation_id, by="user ada", reason="more time")
        with answered_thrice(house, leases, asked.approval_id):
            row = house.row(isolation_id)
            assert row.lease_ends_at - row.opened_at == NO_CAP.lease + timedelta(hours=hours)
    with house.database.reading() as session:
        acts = [entry for entry in audit.entries(session, subject=isolation_id) if entry.act == "containment.extended"]
    assert [(entry.who, entry.detail["machine"]) for entry in acts] == [("user bob", "web-1")] * 2


def test_a_no_to_the_end_extends_once(house: House) -> None:
    isolation_id, leases = house.isolate(), leases_of(house)
    end_lease(house, isolation_id)
    leases.look()
    (asked,) = waiting(house)
    with answered_thrice(house, leases, asked, is_approved=False):
        left = house.row(isolation_id).lease_ends_at - CLOCK.now()
        assert timedelta(hours=3, minutes=59) < left <= timedelta(hours=4)


def test_an_extension_of_what_has_ended_changes_nothing(house: House) -> None:
    isolation_id, leases = house.isolate(), leases_of(house)
    asked = leases.ask_to_extend(isolation_id, by="user ada", reason="more time")
    with house.database.transaction() as session:
        approvals.answer(session, asked.approval_id, is_approved=True, by="user bob", reason="ok", at=CLOCK.now())
    house.release()
    before = house.row(isolation_id).lease_ends_at
    house.outbox.subscribe(approvals.ANSWERED, leases.on_answer)
    house.outbox.deliver_due()
    assert house.row(isolation_id).lease_ends_at == before


def test_a_look_at_a_machine_that_was_released_meanwhile_is_not_written_down(house: House) -> None:
    isolation_id = house.isolate()

    class Overtaken(Silent):
        def probe(self, machine_id: str, *, avoid: frozenset[str]) -> list[Probe]:
            house.release()
            return super().probe(machine_id, avoid=avoid)

    assert Verification(house.database, CLOCK, Overtaken()).verify(isolation_id) is None
    row = house.row(isolation_id)
    assert (row.state, row.new_connections_blocked, row.verified_at) == (State.RELEASED, Finding.NOT_VERIFIED, None)
    with house.database.reading() as session:
        assert isolations.probes_of(session, isolation_id) == []
        assert VERIFIED not in session.scalars(select(OutboxEvent.kind)).all()


def test_what_was_released_by_its_file_before_its_answer_came_has_been_released(house: House) -> None:
    """The server died before it knew whether its write arrived, and a person put the machine back."""
    isolation_id = house.isolate()
    with house.database.transaction() as session:
        isolations.get(session, isolation_id).state = State.APPLYING
        (write,) = isolations.writes_of(session, isolation_id)
        write.state, write.after = WriteState.SENT, None
    house.age_writes()
    access: Any = SimpleNamespace(name="a", arm=house.arm, ledger=house.ledger)
    end_released_by_hand(house.database, access)
    assert house.row(isolation_id).state == State.APPLYING, "nobody has released it"

    with house.database.transaction() as session:
        machine_id = isolations.get(session, isolation_id).machine_id
        detail = {"isolation_id": isolation_id, "reason": "production first"}
        audit.record(session, who=way_back.BY_HAND, act=way_back.RELEASED_OFFLINE, subject=machine_id, at=CLOCK.now(), detail=detail)
    body = house.arm.get(interface_id("web-1"))
    body["properties"]["networkSecurityGroup"]["id"] = body["properties"]["networkSecurityGroup"]["id"].replace(
        "IsolatedNetwork-NSG", "open"
    )
    house.cloud.put(body["id"], body["properties"])
    end_released_by_hand(house.database, access)
    house.ledger.reconcile(house.arm, is_starting=True)
    row = house.row(isolation_id)
    assert (row.state, row.ended_by, row.end_reason) == (State.RELEASED, way_back.BY_HAND, "production first")


def doors_of(house: House) -> Any:
    """As much of the doors as an order of an isolation opens."""
    cloud = SimpleNamespace(isolator=house.isolator)
    return SimpleNamespace(database=house.database, clouds=SimpleNamespace(named=lambda _: cloud, by_name={}), clock=CLOCK)


def leases_of(house: House, *, meanwhile: list[Callable[[], None]] | None = None, by_itself: bool = False) -> Leases:
    """`meanwhile` happens once, while the first release is under way."""
    left = list(meanwhile or ())

    def release(account: str, machine_id: str, actor: Actor, *, isolation_id: str, with_others: bool) -> object:
        released = house.isolator.release(machine_id, actor=actor, isolation_id=isolation_id, with_others=with_others)
        while left:
            left.pop()()
        return released

    return Leases(house.database, CLOCK, Policy(releases_by_itself=by_itself), release)


def end_lease(house: House, *isolation_ids: str) -> None:
    with house.database.transaction() as session:
        for isolation_id in isolation_ids:
            isolations.get(session, isolation_id).lease_ends_at = CLOCK.now() - timedelta(minutes=1)


def waiting(house: House) -> list[str]:
    with house.database.reading() as session:
        return [each.approval_id for each in approvals.waiting(session, at=CLOCK.now())]


@contextmanager
def answered_thrice(
    house: House, leases: Leases, approval_id: str, *, is_approved: bool = True, between: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """The answer is delivered again and again, because a later subscriber of the same event fails."""
    tries: list[str] = []

    def fail_twice(event: Event) -> None:
        tries.append(event.event_id)
        between()
        if len(tries) < 3:
            raise GuardshipError("the journal takes nothing more")

    outbox = Outbox(house.database, CLOCK)
    outbox.subscribe(approvals.ANSWERED, leases.on_answer)
    outbox.subscribe(approvals.ANSWERED, fail_twice)
    with house.database.transaction() as session:
        approvals.answer(session, approval_id, is_approved=is_approved, by="user bob", reason="ok", at=CLOCK.now())
    while len(tries) < 3:
        with house.database.transaction() as session:
            for row in session.scalars(select(OutboxEvent)):
                row.due_at = CLOCK.now()
        outbox.deliver_due()
    yield
