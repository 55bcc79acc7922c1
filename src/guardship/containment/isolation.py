"""Isolate a machine by moving its network interfaces to a closed security group, and put it back.

The plan writes nothing. Every write goes through the gate, so the ledger has written down what an interface had before the first
change, and a release puts back exactly what was there. A release is refused when somebody else has changed an interface since.
"""

from dataclasses import dataclass, replace
from typing import Any

from guardship.cloud.arm import Actor, ArmClient, ArmError
from guardship.cloud.provider import CloudProvider, Interface, Machine
from guardship.containment import isolations
from guardship.containment.exposure import denies_metadata, is_closed, open_way
from guardship.containment.guardrails import is_protected
from guardship.containment.isolations import Isolation, State, Undo
from guardship.containment.surroundings import Surroundings, id_in
from guardship.errors import Fault, GuardshipError
from guardship.storage.database import Database

_SERVER_OWNED = {"etag", "provisioningState", "resourceGuid"}
_TRIES_ON_CONFLICT = 3


class NothingToIsolate(GuardshipError):
    code = "containment.nothing_to_isolate"
    fault = Fault.CONFLICT

    def __init__(self, machine: str) -> None:
        super().__init__(f"{machine} has no network interface")


class GroupNotClosed(GuardshipError):
    code = "containment.group_not_closed"
    fault = Fault.CONFLICT


class NotIsolated(GuardshipError):
    code = "containment.not_isolated"
    fault = Fault.CONFLICT

    def __init__(self, machine: str) -> None:
        super().__init__(f"{machine} is not isolated")


class Drifted(GuardshipError):
    code = "containment.drifted"
    fault = Fault.CONFLICT

    def __init__(self, machine: str, interface: str) -> None:
        super().__init__(
            f"{interface} of {machine} was changed by somebody else since it was isolated",
            hint="look at it in the cloud; release with force to put back what it had before the isolation",
        )


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
    """Containment's own hand, on one cloud account."""

    def __init__(self, database: Database, provider: CloudProvider, arm: ArmClient, *, closed_group_id: str) -> None:
        self._database = database
        self._provider = provider
        self._arm = arm
        self._closed_group_id = closed_group_id

    def plan(self, machine_name: str) -> Plan:
        """Every interface of the machine with its group before and after; nothing is written."""
        machine = self._provider.machine(machine_name)
        interfaces = self._provider.interfaces_of(machine)
        if not interfaces:
            raise NothingToIsolate(machine.name)
        around = Surroundings(self._arm)
        rules = around.group_rules(self._closed_group_id)
        if rules is None:
            raise GroupNotClosed(
                f"there is no security group {self._closed_group_id}", hint="create it, or change the setting isolation_group"
            )
        steps, shuts_metadata = [], True
        for interface in interfaces:
            after = replace(around.view(interface.body), interface_rules=rules, group_id=self._closed_group_id)
            way = open_way(after)
            steps.append(Step(interface, interface.group_id or "", self._closed_group_id, is_closed(after), _told(way)))
            shuts_metadata = shuts_metadata and denies_metadata(after)
        return Plan(machine, self._closed_group_id, tuple(steps), is_protected(machine.tags), shuts_metadata)

    def isolate(self, machine_name: str, *, actor: Actor, idempotency_key: str) -> str:
        """Isolate and return the isolation's id; the same machine twice is the same isolation.

        Raises GroupNotClosed before anything is written when the group would leave a way open, WriteHeld when a person has to say yes.
        """
        for tries_left in reversed(range(_TRIES_ON_CONFLICT)):
            plan = self.plan(machine_name)
            if way := next((step.way_left_open for step in plan.steps if not step.is_closed_after), None):
                raise GroupNotClosed(
                    f"{self._closed_group_id.rpartition('/')[2]} would leave {plan.machine.name} a way: {way}",
                    hint="make the group deny it",
                )
            try:
                for step in plan.steps:
                    self._provider.assign_group(step.interface, plan.closed_group_id, actor=actor, idempotency_key=idempotency_key)
            except ArmError as error:
                if error.status == 412 and tries_left:  # somebody was faster: read and plan again
                    continue
                raise
            return self._opened(plan.machine).isolation_id
        raise AssertionError("the last try either returned or raised")

    def release(self, machine_name: str, *, actor: Actor, is_forced: bool = False) -> str:
        """Put back what the isolation changed, newest first, and return its id."""
        machine = self._provider.machine(machine_name)
        isolation = self._opened(machine)
        with self._database.reading() as session:
            writes = isolations.writes_of(session, isolation.isolation_id)
        undo = isolations.undo_of(writes)
        set_by_us = {write.resource_id.lower(): write.after for write in writes if write.after is not None}
        around = Surroundings(self._arm)
        for each in undo:
            now = around.get(each.resource_id)
            if not is_forced and now is not None and has_drifted(set_by_us.get(each.resource_id.lower()), now):
                self._mark_drifted(isolation.isolation_id)
                raise Drifted(machine.name, each.resource_id.rpartition("/")[2])
        for each in undo:
            self._put_back(each, around, actor, isolation.isolation_id)
        return isolation.isolation_id

    def _put_back(self, undo: Undo, around: Surroundings, actor: Actor, isolation_id: str) -> None:
        if undo.method == "DELETE":
            return  # a group or subnet that was made for the isolation stays: removing it could break others that use it by now
        now = around.get(undo.resource_id) or {}
        self._provider.restore(
            undo.body, etag=str(now.get("etag") or ""), actor=actor, idempotency_key=f"release:{isolation_id}:{undo.resource_id}"
        )

    def _opened(self, machine: Machine) -> Isolation:
        with self._database.reading() as session:
            found = isolations.open_isolation(session, machine.machine_id)
        if found is None:
            raise NotIsolated(machine.name)
        return found

    def _mark_drifted(self, isolation_id: str) -> None:
        with self._database.transaction() as session:
            isolations.get(session, isolation_id).state = State.DRIFTED


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


def _told(packet: Any) -> str | None:
    if packet is None:
        return None
    return f"{packet.direction} {packet.protocol} {packet.source} to {packet.destination}:{packet.destination_port}"
