"""Isolate a machine by moving its network interfaces to a closed security group, and put it back.

The plan writes nothing. Every write goes through the gate, so the ledger has written down what an interface had before the first
change, and a release puts back exactly what was there. A release is refused when somebody else has changed an interface since.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from guardship.cloud.arm import Actor, ArmClient, ArmError
from guardship.cloud.provider import CloudProvider, Interface, Machine
from guardship.containment import guardrails, isolations, way_back
from guardship.containment.exposure import denies_metadata, told_way
from guardship.containment.guardrails import is_protected
from guardship.containment.isolations import OPEN_STATES, Isolation
from guardship.containment.ledger import Ledger
from guardship.containment.surroundings import Surroundings, decides_over, id_in
from guardship.containment.way_back import Undo
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.storage.database import Database

_SERVER_OWNED = {"etag", "provisioningState", "resourceGuid"}
_TRIES_ON_CONFLICT = 3


class NothingToIsolate(GuardshipError):
    code = "containment.nothing_to_isolate"
    fault = Fault.CONFLICT

    def __init__(self, machine: str) -> None:
        super().__init__(f"{machine} has no network interface")


class NotIsolated(GuardshipError):
    code = "containment.not_isolated"
    fault = Fault.CONFLICT

    def __init__(self, machine: str, *, ended: int | None = None) -> None:
        if ended is None:
            super().__init__(f"{machine} is not isolated")
        else:
            super().__init__(f"isolation {ended} of {machine} has ended", hint="if the machine is isolated again, act on that isolation")


class Drifted(GuardshipError):
    code = "containment.drifted"
    fault = Fault.CONFLICT

    def __init__(self, machine: str, interface: str) -> None:
        super().__init__(
            f"{interface} of {machine} was changed by somebody else since it was isolated",
            hint="look at it in the cloud; release with force to put back what it had before the isolation",
        )


class Shared(GuardshipError):
    code = "containment.shared"
    fault = Fault.CONFLICT

    def __init__(self, machine: str, others: list[str]) -> None:
        names = ", ".join(others)
        super().__init__(
            f"what isolates {machine} isolates {names} too: releasing it opens them",
            hint="release with force to open them all",
        )


class StillIsolated(GuardshipError):
    code = "containment.still_isolated"
    fault = Fault.CONFLICT

    def __init__(self, machine: str, left: str) -> None:
        super().__init__(f"{machine} is not released: {left}", hint="look at the isolation's writes; release again, with force if you must")


@dataclass(frozen=True, slots=True)
class Step:
    """One interface: what it has and what it will have."""

    interface: Interface
    group_before: str
    group_after: str
    is_closed_after: bool
    way_left_open: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    machine: Machine
    closed_group_id: str
    steps: tuple[Step, ...]
    is_protected: bool
    denies_metadata: bool


class Isolator:
    """Containment's own hand, on one cloud account, whose ledger observes `arm`."""

    def __init__(self, database: Database, provider: CloudProvider, arm: ArmClient, ledger: Ledger) -> None:
        self._database = database
        self._provider = provider
        self._arm = arm
        self._ledger = ledger
        self._closed_group_id = ledger.closed_group_id

    def plan(self, machine_name: str) -> Plan:
        """Every interface of the machine with its group before and after; nothing is written."""
        return self._plan(machine_name)[0]

    def _plan(self, machine_name: str) -> tuple[Plan, Surroundings]:
        machine = self._provider.machine(machine_name)
        interfaces = self._provider.interfaces_of(machine)
        if not interfaces:
            raise NothingToIsolate(machine.name)
        around = Surroundings(self._arm)
        around.know(interface.body for interface in interfaces)
        around.look_up([self._closed_group_id, *(each for interface in interfaces for each in decides_over(interface.body))])
        rules = around.group_rules(self._closed_group_id)
        if rules is None:
            raise guardrails.GroupNotClosed(
                f"there is no security group {self._closed_group_id}", hint="create it, or change the setting isolation_group"
            )
        steps, shuts_metadata = [], True
        for interface in interfaces:
            after = replace(around.view(interface.body), interface_rules=rules, group_id=self._closed_group_id)
            way = told_way(after)
            steps.append(Step(interface, interface.group_id or "", self._closed_group_id, way is None, way))
            shuts_metadata = shuts_metadata and denies_metadata(after)
        return Plan(machine, self._closed_group_id, tuple(steps), is_protected(machine.tags), shuts_metadata), around

    def isolate(self, machine_name: str, *, actor: Actor, idempotency_key: str) -> str:
        """Isolate and return the isolation's id; the same machine twice is the same isolation.

        Raises GroupNotClosed before anything is written when the group would leave a way open, WriteHeld when a person has to say yes.
        """
        for tries_left in reversed(range(_TRIES_ON_CONFLICT)):
            plan, around = self._plan(machine_name)
            for step in plan.steps:
                guardrails.refuse_open_group(plan.closed_group_id, plan.machine.name, step.way_left_open)
            try:
                with self._ledger.seen(around):
                    for step in plan.steps:
                        self._provider.assign_group(step.interface, plan.closed_group_id, actor=actor, idempotency_key=idempotency_key)
            except ArmError as error:
                if error.status == 412 and tries_left:  # somebody was faster: read and plan again
                    continue
                raise
            return self._opened(plan.machine.name, plan.machine.machine_id).isolation_id
        raise AssertionError("the last try either returned or raised")

    def release(
        self, machine_name: str, *, actor: Actor, isolation_id: str | None = None, is_forced: bool = False, with_others: bool = False
    ) -> str:
        """Put back what the isolation changed, newest first, and return its id.

        An `isolation_id` means that isolation and no other: once it has ended NotIsolated is raised, also where the machine is isolated
        again. Works by the stored writes, so also for a machine that the cloud has no more: what is gone counts as put back. Raises Shared
        when that opens other isolated machines, unless forced or agreed to by `with_others`, Drifted when somebody else has changed a
        resource since, StillIsolated when something could not be put back.
        """
        isolation = self._opened(machine_name, self._id_of(machine_name)) if isolation_id is None else self._still_open(isolation_id)
        with self._database.reading() as session:
            writes = isolations.writes_of(session, isolation.isolation_id)
            others = [each.machine_name for each in isolations.sharing(session, isolation.isolation_id)]
        if others and not (is_forced or with_others):
            raise Shared(isolation.machine_name, others)
        undo = way_back.undo_of(writes)
        set_by_us = {write.resource_id.lower(): write.after for write in writes if write.after is not None}
        around = Surroundings(self._arm)
        around.look_up(each.resource_id for each in undo)
        self._still_open(isolation.isolation_id)  # looked at after the resources, whose etags stop us if it ends from here on
        for each in undo:
            now = around.get(each.resource_id)
            if not is_forced and now is not None and has_drifted(set_by_us.get(each.resource_id.lower()), now):
                name = each.resource_id.rpartition("/")[2]
                self._ledger.outcomes.drifted(isolation.isolation_id, f"{name} was changed by somebody else")
                raise Drifted(isolation.machine_name, name)
        try:
            self._put_all_back(isolation, undo, around, actor)
        except GuardshipError as error:
            self._ledger.outcomes.release_broke_off(isolation.isolation_id, str(error))
            raise
        return isolation.isolation_id

    def _put_all_back(self, isolation: Isolation, undo: list[Undo], around: Surroundings, actor: Actor) -> None:
        gone = set()
        for each in undo:
            if around.get(each.resource_id) is None:
                gone.add(each.resource_id.lower())
            else:
                self._put_back(each, around, actor, isolation.isolation_id)
        if not self._ledger.outcomes.end_after_release(isolation.isolation_id, gone=gone, actor=actor):
            raise StillIsolated(isolation.machine_name, self._what_is_left(isolation.isolation_id))

    def _put_back(self, undo: Undo, around: Surroundings, actor: Actor, isolation_id: str) -> None:
        now = around.get(undo.resource_id) or {}
        key = way_back.release_key(isolation_id, undo.resource_id)
        response = self._arm.call(
            undo.method,
            undo.resource_id,
            actor=actor,
            body=undo.body,
            etag=str(now.get("etag") or "") or None,
            api_version=undo.api_version,
            idempotency_key=key,
        )
        self._arm.wait(response)

    def _id_of(self, machine_name: str) -> str:
        """The machine's id; of one that is gone from the cloud, as the isolations know it."""
        try:
            return self._provider.machine(machine_name).machine_id
        except NotFound:
            with self._database.reading() as session:
                known = isolations.open_by_name(session, machine_name)
            if known is None:
                raise
            return known.machine_id

    def _what_is_left(self, isolation_id: str) -> str:
        with self._database.reading() as session:
            writes = isolations.writes_of(session, isolation_id)
        unknown = [write for write in writes if write.state == isolations.WriteState.SENT]
        if unknown:
            return "the cloud has not answered yet; it is asked again within a minute"
        return ", ".join(sorted(each.rpartition("/")[2] for each in isolations.not_back(writes))) or "some of it is not back"

    def _still_open(self, isolation_id: str) -> Isolation:
        with self._database.reading() as session:
            return demand_open(session, isolation_id)

    def _opened(self, name: str, machine_id: str) -> Isolation:
        with self._database.reading() as session:
            found = isolations.open_isolation(session, machine_id)
        if found is None:
            raise NotIsolated(name)
        return found


def demand_open(session: Session, isolation_id: str) -> Isolation:
    """The isolation; raises NotIsolated when it has ended, also where the machine is isolated again by another one."""
    isolation = isolations.get(session, isolation_id)
    if isolation.state not in OPEN_STATES:
        raise NotIsolated(isolation.machine_name, ended=isolation.number)
    return isolation


def has_drifted(left_by_us: dict[str, Any] | None, now: dict[str, Any]) -> bool:
    """Whether a resource says something else than what our last write left; what the cloud itself keeps up to date does not count."""
    if left_by_us is None:
        return False
    theirs, ours = now.get("properties") or {}, left_by_us.get("properties") or {}
    if id_in(theirs.get("networkSecurityGroup")).lower() != id_in(ours.get("networkSecurityGroup")).lower():
        return True
    return bool(_essence(theirs) != _essence(ours))


def _essence(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _essence(inner) for name, inner in value.items() if name not in _SERVER_OWNED}
    if isinstance(value, list):
        return [_essence(inner) for inner in value]
    return value.lower() if isinstance(value, str) and value.startswith("/subscriptions/") else value
