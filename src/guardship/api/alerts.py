"""Alerts, and a playbook tried on one of the past: exactly the trigger that the alert sent."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import select

from guardship.api.access import DoorsHere, Reader, Responder, who
from guardship.detection import alerts, incidents
from guardship.detection.alerts import Alert, AlertStatus
from guardship.errors import Fault, GuardshipError
from guardship.identity import audit

router = APIRouter(tags=["alerts"])


class AlertOut(BaseModel):
    alert_id: str
    number: int
    incident_id: str
    rule_id: str
    rule_name: str
    severity: str
    status: str
    product: str
    title: str
    description: str
    tactics: list[str]
    techniques: list[str]
    compromised_entity: str
    started_at: datetime
    ended_at: datetime
    raised_at: datetime
    repeat_count: int


class AlertDetail(AlertOut):
    azure_resource_id: str | None
    entities: list[dict[str, Any]]
    evidence: dict[str, Any]
    details: dict[str, Any]
    remediation_steps: list[str]
    payloads: dict[str, Any]


class AlertChange(BaseModel):
    status: AlertStatus


class RunIn(BaseModel):
    playbook_id: str


class StartedRun(BaseModel):
    run_id: str
    number: int


class TriggerRefused(GuardshipError):
    code = "alerts.trigger_refused"
    fault = Fault.CONFLICT

    def __init__(self, what: str) -> None:
        super().__init__(f"the playbook's trigger does not take {what}", hint="its conditions do not hold for it")


@router.get("/alerts")
def list_alerts(
    doors: DoorsHere,
    caller: Reader,
    severity: str | None = None,
    status: str | None = None,
    machine: str | None = None,
    limit: int = Query(200, ge=1, le=2000),
) -> list[AlertOut]:
    """Newest first."""
    query = select(Alert).order_by(Alert.number.desc()).limit(limit)
    for column, value in ((Alert.severity, severity), (Alert.status, status), (Alert.compromised_entity, machine)):
        if value is not None:
            query = query.where(column == value)
    with doors.database.reading() as session:
        return [AlertOut.model_validate(row, from_attributes=True) for row in session.scalars(query)]


@router.get("/alerts/{alert_id}")
def get_alert(alert_id: str, doors: DoorsHere, caller: Reader) -> AlertDetail:
    with doors.database.reading() as session:
        row = alerts.get_alert(session, alert_id)
        payloads = alerts.alert_payload(session, alert_id, doors.address)["triggers"]
    facts = {name: getattr(row, name) for name in AlertDetail.model_fields if name != "payloads"}
    return AlertDetail(**facts, payloads=payloads)


@router.patch("/alerts/{alert_id}")
def change_alert(alert_id: str, body: AlertChange, doors: DoorsHere, caller: Responder) -> AlertOut:
    at = doors.clock.now()
    with doors.database.transaction() as session:
        row = alerts.set_status(session, alert_id, body.status, at=at, address=doors.address)
        audit.record(session, who=who(caller), act="alert.status", subject=alert_id, at=at, detail={"status": body.status})
        return AlertOut.model_validate(row, from_attributes=True)


@router.post("/alerts/{alert_id}/runs", status_code=202)
def run_playbook(alert_id: str, body: RunIn, doors: DoorsHere, caller: Responder) -> StartedRun:
    """Run a playbook on this alert, as it would have been started when the alert was raised. No automation rule is needed."""
    at = doors.clock.now()
    with doors.database.reading() as session:
        payload = alerts.alert_payload(session, alert_id, doors.address)
    accepted = doors.triggering.run_on(body.playbook_id, payload, by=who(caller), person=caller.person)
    if accepted is None:
        raise TriggerRefused(f"alert {payload['number']}")
    with doors.database.transaction() as session:
        detail = {"run_id": accepted.run_id, "playbook_id": body.playbook_id}
        audit.record(session, who=who(caller), act="playbook.run_on_alert", subject=alert_id, at=at, detail=detail)
        text = f"{caller.display_name} started a playbook on alert {payload['number']}"
        incidents.note(session, payload["incident_id"], "run", text, at=at, source=f"run {accepted.number}", details=detail)
    return StartedRun(run_id=accepted.run_id, number=accepted.number)
