"""Containment: what is in force, the plan, isolate, prove, extend, release."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import select

from guardship.api.access import DoorsHere, Reader, Responder, who
from guardship.api.doors import Doors
from guardship.cloud.arm import Actor, ActorKind
from guardship.containment import isolations, way_back
from guardship.containment.isolation import Plan, demand_open
from guardship.containment.isolations import OPEN_STATES, Isolation
from guardship.identity import audit
from guardship.identity.sessions import Caller
from guardship.ids import new_id

router = APIRouter(tags=["containment"])


class IsolationOut(BaseModel):
    isolation_id: str
    number: int
    account: str
    machine_id: str
    machine_name: str
    state: str
    opened_at: datetime
    opened_by: dict[str, Any]
    incident_id: str | None
    run_id: str | None
    lease_ends_at: datetime
    new_connections_blocked: str
    live_sessions_cut: str
    metadata_service_blocked: str
    verified_at: datetime | None = Field(description="The last look of the probes.")
    contained_at: datetime | None = Field(description="The first look that proved it.")
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None
    problem: str | None
    is_simulated: bool
    can_cut_sessions: bool = False
    can_restart: bool = False


class WriteOut(BaseModel):
    write_id: str
    sort: str
    state: str
    kind: str
    resource_id: str
    group_before: str
    group_after: str
    actor: dict[str, Any]
    sent_at: datetime
    ended_at: datetime | None
    problem: str | None


class ProbeOut(BaseModel):
    finding: str
    name: str
    target: str
    result: str
    detail: str
    at: datetime


class UndoOut(BaseModel):
    resource_id: str
    group_now: str
    group_restored: str


class IsolationDetail(IsolationOut):
    writes: list[WriteOut]
    probes: list[ProbeOut]
    release_restores: list[UndoOut]
    extends_by_seconds: float


class StepOut(BaseModel):
    interface: str
    address: str
    group_before: str
    group_after: str
    is_closed_after: bool
    way_left_open: str | None


class PlanOut(BaseModel):
    machine_name: str
    machine_id: str
    is_protected: bool
    denies_metadata: bool
    steps: list[StepOut]


class IsolateIn(BaseModel):
    machine: str
    reason: str = Field(min_length=1, max_length=1000)
    incident_id: str | None = None


class ReasonIn(BaseModel):
    reason: str = Field(min_length=1, max_length=1000)
    is_forced: bool = False


@router.get("/isolations")
def list_isolations(
    doors: DoorsHere, caller: Reader, open_only: bool = False, limit: int = Query(100, ge=1, le=1000)
) -> list[IsolationOut]:
    query = select(Isolation).order_by(Isolation.opened_at.desc()).limit(limit)
    if open_only:
        query = query.where(Isolation.state.in_(OPEN_STATES))
    with doors.database.reading() as session:
        return [IsolationOut(**isolation_facts(row, doors)) for row in session.scalars(query)]


@router.get("/isolations/plan")
def plan(machine: str, doors: DoorsHere, caller: Reader) -> PlanOut:
    """What an isolation would change; nothing is written."""
    found = doors.clouds.only().isolator.plan(machine)
    return _plan(found)


@router.get("/isolations/{isolation_id}")
def get_isolation(isolation_id: str, doors: DoorsHere, caller: Reader) -> IsolationDetail:
    with doors.database.reading() as session:
        row = isolations.get(session, isolation_id)
        writes = isolations.writes_of(session, isolation_id)
        probes = isolations.probes_of(session, isolation_id)
    now = {write.resource_id.lower(): _group(write.after) for write in writes if write.after}
    restores = [
        UndoOut(resource_id=undo.resource_id, group_now=now.get(undo.resource_id.lower(), ""), group_restored=_group(undo.body))
        for undo in way_back.undo_of(writes)
    ]
    return IsolationDetail(
        **isolation_facts(row, doors),
        writes=[_write(write) for write in writes],
        probes=[ProbeOut.model_validate(probe, from_attributes=True) for probe in probes],
        release_restores=restores,
        extends_by_seconds=doors.lease.total_seconds(),
    )


@router.post("/isolations", status_code=201)
def isolate(body: IsolateIn, doors: DoorsHere, caller: Responder) -> IsolationOut:
    """Isolate a machine; a protected one, or one above the caps, waits for approval (409 with the approval's id)."""
    actor = _actor(caller, body.reason, body.incident_id)
    isolation_id = doors.clouds.only().isolator.isolate(body.machine, actor=actor, idempotency_key=new_id("req"))
    with doors.database.reading() as session:
        return IsolationOut(**isolation_facts(isolations.get(session, isolation_id), doors))


@router.post("/isolations/{isolation_id}/release")
def release(isolation_id: str, body: ReasonIn, doors: DoorsHere, caller: Responder) -> IsolationOut:
    """Put back exactly what was; refused, unless forced, when somebody else has changed an interface since, or others would open too."""
    with doors.database.reading() as session:
        row = isolations.get(session, isolation_id)
    _release(doors, row, body, caller)
    with doors.database.reading() as session:
        return IsolationOut(**isolation_facts(isolations.get(session, isolation_id), doors))


@router.post("/machines/{machine}/release")
def release_machine(machine: str, body: ReasonIn, doors: DoorsHere, caller: Responder) -> IsolationOut:
    """As above, by the machine's name."""
    with doors.database.reading() as session:
        row = isolations.isolation_of(session, machine)
    _release(doors, row, body, caller)
    with doors.database.reading() as session:
        return IsolationOut(**isolation_facts(isolations.get(session, row.isolation_id), doors))


@router.post("/isolations/{isolation_id}/verify")
def verify(isolation_id: str, doors: DoorsHere, caller: Responder) -> IsolationDetail:
    """Probe again now."""
    with doors.database.reading() as session:
        row = isolations.get(session, isolation_id)
    doors.clouds.named(row.account).verification.verify(isolation_id)
    return get_isolation(isolation_id, doors, caller)


@router.post("/isolations/{isolation_id}/end-sessions")
def end_sessions(isolation_id: str, body: ReasonIn, doors: DoorsHere, caller: Responder) -> IsolationDetail:
    """Restart the machine, which ends the sessions inside it and loses what is in its memory; then probe again."""
    with doors.database.reading() as session:
        row = demand_open(session, isolation_id)
    cloud = doors.clouds.named(row.account)
    actor = _actor(caller, body.reason, row.incident_id)
    cloud.connectivity.end_sessions(cloud.provider.machine(row.machine_id), actor=actor)
    with doors.database.transaction() as session:
        detail = {"isolation_id": isolation_id, "reason": body.reason}
        audit.record(session, who=who(caller), act="machine.restarted", subject=row.machine_id, at=doors.clock.now(), detail=detail)
    cloud.verification.verify(isolation_id)
    return get_isolation(isolation_id, doors, caller)


@router.post("/isolations/{isolation_id}/extend", status_code=202)
def extend(isolation_id: str, body: ReasonIn, doors: DoorsHere, caller: Responder) -> dict[str, str]:
    """Ask for a longer lease; another person approves."""
    approval = doors.leases.ask_to_extend(isolation_id, by=who(caller), person=caller.person, reason=body.reason)
    return {"approval_id": approval.approval_id}


def _release(doors: Doors, row: Isolation, body: ReasonIn, caller: Caller) -> None:
    actor = _actor(caller, body.reason, row.incident_id)
    doors.clouds.named(row.account).isolator.release(row.machine_id, actor=actor, isolation_id=row.isolation_id, is_forced=body.is_forced)


def _actor(caller: Caller, reason: str, incident_id: str | None) -> Actor:
    kind = ActorKind.USER if caller.user_id else ActorKind.SYSTEM
    return Actor(kind, caller.name, incident_id=incident_id, reason=reason, person=caller.person)


def isolation_facts(row: Isolation, doors: Doors) -> dict[str, Any]:
    cloud = doors.clouds.by_name.get(row.account)
    names = set(IsolationOut.model_fields) - {"can_cut_sessions", "can_restart"}
    facts = {name: getattr(row, name) for name in names}
    return facts | {"can_restart": cloud is not None and row.state in OPEN_STATES}


def _write(write: isolations.WriteRow) -> WriteOut:
    names = set(WriteOut.model_fields) - {"group_before", "group_after"}
    facts = {name: getattr(write, name) for name in names}
    return WriteOut(**facts, group_before=_group(write.before), group_after=_group(write.after or write.body))


def _group(interface: dict[str, Any] | None) -> str:
    group = ((interface or {}).get("properties") or {}).get("networkSecurityGroup") or {}
    return str(group.get("id") or "").rpartition("/")[2]


def _plan(found: Plan) -> PlanOut:
    return PlanOut(
        machine_name=found.machine.name,
        machine_id=found.machine.machine_id,
        is_protected=found.is_protected,
        denies_metadata=found.denies_metadata,
        steps=[
            StepOut(
                interface=step.interface.name,
                address=step.interface.address,
                group_before=step.group_before.rpartition("/")[2],
                group_after=step.group_after.rpartition("/")[2],
                is_closed_after=step.is_closed_after,
                way_left_open=step.way_left_open,
            )
            for step in found.steps
        ],
    )
