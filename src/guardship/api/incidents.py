"""Incidents: the list, one with its timeline of alerts and our own acts, its graph, and what a person decides about it."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import and_, or_, select

from guardship.api.access import DoorsHere, Reader, Responder, who
from guardship.api.alerts import AlertOut, StartedRun, TriggerRefused
from guardship.api.isolations import IsolationOut, isolation_facts
from guardship.api.runs import RunOut, runs_of_incident
from guardship.containment.isolations import OPEN_STATES, Isolation
from guardship.detection import alerts, incidents, investigation
from guardship.detection.classification import Classification
from guardship.detection.incident_triggers import entity_name, entity_triggers
from guardship.detection.incidents import Incident, IncidentStatus
from guardship.errors import NotFound
from guardship.identity import audit

router = APIRouter(tags=["incidents"])


class IncidentOut(BaseModel):
    incident_id: str
    number: int
    title: str
    description: str
    severity: str
    status: str
    owner: str | None
    classification: str | None
    classification_reason: str | None
    classification_comment: str | None
    tactics: list[str]
    techniques: list[str]
    products: list[str]
    tags: list[str]
    alert_ids: list[str]
    first_activity_at: datetime
    last_activity_at: datetime
    created_at: datetime
    modified_at: datetime
    closed_at: datetime | None


class EntryOut(BaseModel):
    """A line of the timeline; `kind` says whether it is an alert, a change, a comment, or an act of ours (run, containment)."""

    entry_id: str
    at: datetime
    kind: str
    text: str
    source: str
    verdict: str
    details: dict[str, Any] | None


class EntityOut(BaseModel):
    kind: str
    label: str
    details: dict[str, Any]


class IncidentDetail(IncidentOut):
    alerts: list[AlertOut]
    timeline: list[EntryOut]
    entities: list[EntityOut]
    runs: list[RunOut]
    isolations: list[IsolationOut]


class NodeOut(BaseModel):
    node_id: str
    kind: str
    label: str
    details: dict[str, Any]
    first_at: datetime | None
    isolation: IsolationOut | None = None


class EdgeOut(BaseModel):
    """What was between two things, and when as far as an alert says; `step` numbers the way an attacker took."""

    source_id: str
    target_id: str
    kind: str
    at: datetime | None
    is_movement: bool
    step: int | None
    details: dict[str, Any]


class GraphOut(BaseModel):
    nodes: list[NodeOut]
    edges: list[EdgeOut]


class IncidentChange(BaseModel):
    """What is left out stays. Closing needs a classification."""

    status: IncidentStatus | None = None
    classification: Classification | None = None
    classification_reason: str | None = None
    classification_comment: str | None = Field(None, max_length=4000)
    owner: str | None = None
    tags: list[str] | None = None


class RunIn(BaseModel):
    """`entity` is the `name` of one of the incident's related entities, for playbooks that start from an entity."""

    playbook_id: str
    entity: str | None = None


class CommentIn(BaseModel):
    text: str = Field(min_length=1, max_length=10_000)


@router.get("/incidents")
def list_incidents(
    doors: DoorsHere, caller: Reader, status: IncidentStatus | None = None, limit: int = Query(200, ge=1, le=2000)
) -> list[IncidentOut]:
    """Newest first."""
    with doors.database.reading() as session:
        return [_out(row) for row in incidents.newest_incidents(session, limit=limit, status=status)]


@router.get("/incidents/{incident_id}")
def get_incident(incident_id: str, doors: DoorsHere, caller: Reader) -> IncidentDetail:
    with doors.database.reading() as session:
        row = incidents.get_incident(session, incident_id)
        graph = investigation.graph(session, incident_id)
        facts = {name: getattr(row, name) for name in IncidentOut.model_fields}
        return IncidentDetail(
            **facts,
            alerts=[AlertOut.model_validate(each, from_attributes=True) for each in alerts.alerts_of_incident(session, incident_id)],
            timeline=[EntryOut.model_validate(each, from_attributes=True) for each in incidents.timeline(session, incident_id)],
            entities=[
                EntityOut(kind=node.kind, label=node.label, details=dict(node.details))
                for node in graph.nodes
                if node.kind not in ("incident", "alert")
            ],
            runs=runs_of_incident(doors, incident_id),
            isolations=[IsolationOut(**isolation_facts(each, doors)) for each in _isolations(session, incident_id, graph)],
        )


@router.get("/incidents/{incident_id}/graph")
def get_graph(incident_id: str, doors: DoorsHere, caller: Reader) -> GraphOut:
    """The incident's alerts, what they name, what was between those, and the way an attacker took."""
    with doors.database.reading() as session:
        graph = investigation.graph(session, incident_id)
        isolated = {
            each.machine_name.lower(): IsolationOut(**isolation_facts(each, doors)) for each in _isolations(session, incident_id, graph)
        }
    nodes = [
        NodeOut(
            node_id=node.node_id,
            kind=node.kind,
            label=node.label,
            details=dict(node.details),
            first_at=node.first_at,
            isolation=isolated.get(node.label.lower()) if node.kind == "machine" else None,
        )
        for node in graph.nodes
    ]
    return GraphOut(nodes=nodes, edges=[EdgeOut.model_validate(edge, from_attributes=True) for edge in graph.edges])


@router.patch("/incidents/{incident_id}")
def change_incident(incident_id: str, body: IncidentChange, doors: DoorsHere, caller: Responder) -> IncidentOut:
    at, by, address = doors.clock.now(), who(caller), doors.address
    with doors.database.transaction() as session:
        if "owner" in body.model_fields_set:
            incidents.set_owner(session, incident_id, body.owner, by=by, at=at, address=address)
        if body.tags is not None:
            incidents.set_tags(session, incident_id, body.tags, by=by, at=at, address=address)
        if body.status is not None:
            incidents.set_status(
                session,
                incident_id,
                body.status,
                by=by,
                at=at,
                address=address,
                classification=body.classification,
                reason=body.classification_reason,
                comment=body.classification_comment,
            )
        detail = body.model_dump(exclude_unset=True, mode="json")
        audit.record(session, who=by, act="incident.changed", subject=incident_id, at=at, detail=detail)
        row = incidents.get_incident(session, incident_id)
        return _out(row)


@router.post("/incidents/{incident_id}/comments", status_code=201)
def comment(incident_id: str, body: CommentIn, doors: DoorsHere, caller: Responder) -> EntryOut:
    with doors.database.transaction() as session:
        incidents.get_incident(session, incident_id)
        entry = incidents.note(session, incident_id, "comment", body.text, at=doors.clock.now(), source=who(caller))
        return EntryOut.model_validate(entry, from_attributes=True)


@router.post("/incidents/{incident_id}/runs", status_code=202)
def run_playbook(incident_id: str, body: RunIn, doors: DoorsHere, caller: Responder) -> StartedRun:
    """Run a playbook on this incident, or on one of its entities, as its trigger gets it. No automation rule is needed."""
    at = doors.clock.now()
    with doors.database.reading() as session:
        incident = incidents.get_incident(session, incident_id)
        own = alerts.alerts_of_incident(session, incident_id)
        payload = alerts.payload_of_incident(incident, own, doors.address)
        if body.entity is not None:
            entity = next((each for each in payload["entities"] if entity_name(each) == body.entity), None)
            if entity is None:
                raise NotFound("entity", body.entity)
            payload["triggers"] = entity_triggers(entity, doors.address, incident_id=incident_id)
    accepted = doors.triggering.run_on(body.playbook_id, payload, by=who(caller), person=caller.person)
    if accepted is None:
        raise TriggerRefused(f"incident {incident.number}")
    with doors.database.transaction() as session:
        detail = {"run_id": accepted.run_id, "playbook_id": body.playbook_id}
        audit.record(session, who=who(caller), act="playbook.run_on_incident", subject=incident_id, at=at, detail=detail)
        text = f"{caller.display_name} started a playbook on the incident"
        incidents.note(session, incident_id, "run", text, at=at, source=f"run {accepted.number}", details=detail)
    return StartedRun(run_id=accepted.run_id, number=accepted.number)


def _isolations(session: Any, incident_id: str, graph: investigation.Graph) -> list[Isolation]:
    """The incident's own, and what is in force on its machines, whoever asked for it; the newest last."""
    machines = [str(node.details.get("AzureID")).lower() for node in graph.nodes if node.kind == "machine"]
    is_in_force = and_(Isolation.state.in_(OPEN_STATES), Isolation.machine_id.in_(machines))
    query = select(Isolation).where(or_(Isolation.incident_id == incident_id, is_in_force)).order_by(Isolation.opened_at)
    return list(session.scalars(query))


def _out(row: Incident) -> IncidentOut:
    return IncidentOut.model_validate(row, from_attributes=True)
