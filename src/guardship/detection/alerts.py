"""Alerts: one finding with severity, entities and evidence; raised together with its incident and the event that starts playbooks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, Integer, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.clock import azure_time, iso
from guardship.detection.entities import ResolveMachine, compromised_entity, digest, identities, numbered, with_machines
from guardship.detection.finding import Finding
from guardship.detection.incident_triggers import incident_payload
from guardship.detection.incidents import AlertFacts, Grouping, Incident, tags_of_incidents
from guardship.detection.log_rows import ask_for_rows
from guardship.detection.severity import Severity
from guardship.detection.triggers import VENDOR, AlertText, security_center_alert, sentinel_alert
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.errors import NotFound
from guardship.ids import new_id
from guardship.storage.outbox import publish
from guardship.storage.schema import Base, Json, Moment

ALERT_RAISED = "AlertRaised"
INCIDENT_CREATED = "IncidentCreated"


class AlertStatus(StrEnum):
    NEW = "New"
    IN_PROGRESS = "InProgress"
    RESOLVED = "Resolved"
    DISMISSED = "Dismissed"


class Alert(Base):
    __tablename__ = "detection_alert"

    alert_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, unique=True)
    incident_id: Mapped[str] = mapped_column(String(40), index=True)
    rule_id: Mapped[str] = mapped_column(String(120))
    rule_name: Mapped[str] = mapped_column(String(256))
    severity: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    product: Mapped[str] = mapped_column(String(200))
    component: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(String(256))
    description: Mapped[str] = mapped_column(Text)
    tactics: Mapped[list[str]] = mapped_column(Json)
    techniques: Mapped[list[str]] = mapped_column(Json)
    entities: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    compromised_entity: Mapped[str] = mapped_column(String(300))
    azure_resource_id: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime] = mapped_column(Moment)
    raised_at: Mapped[datetime] = mapped_column(Moment)
    last_seen_at: Mapped[datetime] = mapped_column(Moment)
    repeat_count: Mapped[int] = mapped_column(default=0)
    fingerprint: Mapped[str] = mapped_column(String(64))
    entity_digest: Mapped[str] = mapped_column(String(64))
    evidence: Mapped[dict[str, Any]] = mapped_column(Json)
    details: Mapped[dict[str, Any]] = mapped_column(Json)
    remediation_steps: Mapped[list[str]] = mapped_column(Json)

    __table_args__ = (
        Index("ix_detection_alert_fingerprint", "rule_id", "fingerprint"),
        Index("ix_detection_alert_entity_digest", "rule_id", "entity_digest"),
        Index("ix_detection_alert_raised_at", "raised_at"),
    )


@dataclass(frozen=True, slots=True)
class AlertContext:
    """What raising needs to know of the world: where we are, and which machine a host name is."""

    address: WorkspaceAddress
    resolve_machine: ResolveMachine = lambda name: None


def raise_alert(session: Session, finding: Finding, context: AlertContext, *, at: datetime) -> Alert:
    return raise_alerts(session, [finding], context, at=at)[0]


def raise_alerts(session: Session, findings: Sequence[Finding], context: AlertContext, *, at: datetime) -> list[Alert]:
    """Alerts, incidents, log rows and events of one transaction; a thousand at once cost little more than one each."""
    number = (session.scalar(select(func.max(Alert.number))) or 0) + 1
    resolve = _remembering(context.resolve_machine)
    alerts = [_alert(finding, number + offset, resolve, at) for offset, finding in enumerate(findings)]
    facts = [_facts(alert) for alert in alerts]
    grouping = Grouping(session, context.address)
    grouping.look_up(facts, at=at)
    for alert, fact in zip(alerts, facts, strict=True):
        incident = grouping.place(fact)
        alert.incident_id = incident.incident_id
        publish(session, f"alert:{alert.alert_id}", ALERT_RAISED, payload_of(alert, context.address, incident.tags), at=at)
    session.add_all(alerts)
    ask_for_rows(session, "SecurityAlert", [log_row(alert, context.address) for alert in alerts], at=at)
    grouping.finish(at=at)
    for incident in grouping.opened:
        own = [alert for alert in alerts if alert.incident_id == incident.incident_id]
        publish(session, f"incident:{incident.incident_id}", INCIDENT_CREATED, payload_of_incident(incident, own, context.address), at=at)
    session.flush()
    return alerts


def get_alert(session: Session, alert_id: str) -> Alert:
    found = session.get(Alert, alert_id)
    if found is None:
        raise NotFound("alert", alert_id)
    return found


def newest_alerts(session: Session, *, limit: int = 100) -> list[Alert]:
    return list(session.scalars(select(Alert).order_by(Alert.number.desc()).limit(limit)))


def alerts_of_incident(session: Session, incident_id: str) -> list[Alert]:
    return list(session.scalars(select(Alert).where(Alert.incident_id == incident_id).order_by(Alert.number)))


def set_status(session: Session, alert_id: str, status: AlertStatus, *, at: datetime, address: WorkspaceAddress) -> Alert:
    """A change of status appends a row to SecurityAlert; the newest of a SystemAlertId counts."""
    alert = get_alert(session, alert_id)
    alert.status = status
    ask_for_rows(session, "SecurityAlert", [log_row(alert, address, at=at)], at=at)
    return alert


def alert_payload(session: Session, alert_id: str, address: WorkspaceAddress) -> dict[str, Any]:
    """What the event says of the alert, as when it was raised: a playbook that is tried on a past alert gets exactly that."""
    alert = get_alert(session, alert_id)
    return payload_of(alert, address, tags_of_incidents(session, [alert.incident_id])[alert.incident_id])


def payload_of(alert: Alert, address: WorkspaceAddress, tags: Sequence[str]) -> dict[str, Any]:
    """`tags` are those of the incident the alert belongs to."""
    text = _text(alert)
    return {
        "alert_id": alert.alert_id,
        "number": alert.number,
        "incident_id": alert.incident_id,
        "rule_id": alert.rule_id,
        "rule_name": alert.rule_name,
        "severity": alert.severity,
        "product": alert.product,
        "title": alert.title,
        "tactics": alert.tactics,
        "techniques": alert.techniques,
        "entities": alert.entities,
        "compromised_entity": alert.compromised_entity,
        "raised_at": iso(alert.raised_at),
        "tags": list(tags),
        "triggers": {"security_center_alert": security_center_alert(text, address), "sentinel_alert": sentinel_alert(text, address)},
    }


def payload_of_incident(incident: Incident, alerts: Sequence[Alert], address: WorkspaceAddress) -> dict[str, Any]:
    """What the event says of an incident with these alerts, now as when it was opened."""
    return incident_payload(incident, [_text(alert) for alert in alerts], address, rule_names=[alert.rule_name for alert in alerts])


def _remembering(resolve_machine: ResolveMachine) -> ResolveMachine:
    """Asks for each name once, however many alerts name it."""
    known: dict[str, str | None] = {}

    def resolve(name: str) -> str | None:
        if name not in known:
            known[name] = resolve_machine(name)
        return known[name]

    return resolve


def _alert(finding: Finding, number: int, resolve_machine: ResolveMachine, at: datetime) -> Alert:
    entities = with_machines(numbered(finding.entities), resolve_machine)
    hosts = [entity for entity in entities if entity.get("AzureID")]
    return Alert(
        alert_id=new_id("alrt"),
        number=number,
        rule_id=finding.rule_id,
        rule_name=finding.rule_name,
        severity=finding.severity,
        status=AlertStatus.NEW,
        product=finding.product,
        component=finding.component,
        title=finding.title,
        description=finding.description,
        tactics=list(finding.tactics),
        techniques=list(finding.techniques),
        entities=entities,
        compromised_entity=finding.compromised or compromised_entity(entities),
        azure_resource_id=hosts[0]["AzureID"] if hosts else None,
        started_at=finding.started_at,
        ended_at=finding.ended_at,
        raised_at=at,
        last_seen_at=at,
        repeat_count=0,
        fingerprint=finding.fingerprint or digest(entities),
        entity_digest=digest(entities),
        evidence=finding.evidence,
        details=finding.details,
        remediation_steps=list(finding.remediation_steps),
    )


def _facts(alert: Alert) -> AlertFacts:
    return AlertFacts(
        alert_id=alert.alert_id,
        number=alert.number,
        title=alert.title,
        description=alert.description,
        severity=Severity(alert.severity),
        rule_id=alert.rule_id,
        product=alert.product,
        tactics=tuple(alert.tactics),
        techniques=tuple(alert.techniques),
        entities_digest=alert.entity_digest,
        identities=tuple(identity for entity in alert.entities for identity in identities(entity)),
        started_at=alert.started_at,
        ended_at=alert.ended_at,
        raised_at=alert.raised_at,
    )


def _text(alert: Alert) -> AlertText:
    return AlertText(
        alert_id=alert.alert_id,
        alert_type=alert.rule_id or alert.product,
        title=alert.title,
        description=alert.description,
        severity=alert.severity,
        status=alert.status,
        product=alert.product,
        component=alert.component,
        tactics=alert.tactics,
        entities=alert.entities,
        compromised_entity=alert.compromised_entity,
        azure_resource_id=alert.azure_resource_id,
        started_at=alert.started_at,
        ended_at=alert.ended_at,
        raised_at=alert.raised_at,
        properties={name: value if isinstance(value, str) else json.dumps(value) for name, value in alert.details.items()},
        remediation_steps=alert.remediation_steps,
        query=str(alert.evidence.get("Query", "")),
    )


def log_row(alert: Alert, address: WorkspaceAddress, *, at: datetime | None = None) -> dict[str, Any]:
    """The alert as a row of SecurityAlert."""
    text = _text(alert)
    return {
        "TimeGenerated": azure_time(at or alert.raised_at),
        "DisplayName": alert.title,
        "AlertName": alert.title,
        "AlertSeverity": alert.severity,
        "Description": alert.description,
        "ProviderName": alert.product,
        "VendorName": VENDOR,
        "VendorOriginalId": alert.alert_id,
        "SystemAlertId": alert.alert_id,
        "AlertType": text.alert_type,
        "AlertLink": address.alert_url(alert.alert_id),
        "ResourceId": alert.azure_resource_id or "",
        "CompromisedEntity": alert.compromised_entity,
        "StartTime": azure_time(alert.started_at),
        "EndTime": azure_time(alert.ended_at),
        "ProcessingEndTime": azure_time(alert.raised_at),
        "ProductName": alert.product,
        "ProductComponentName": alert.component,
        "IsIncident": False,
        "Status": alert.status,
        "Entities": json.dumps(alert.entities, ensure_ascii=False),
        "ExtendedProperties": json.dumps({"Query": text.query, **text.properties}, ensure_ascii=False),
        "ExtendedLinks": "[]",
        "RemediationSteps": json.dumps(alert.remediation_steps, ensure_ascii=False),
        "Tactics": ",".join(alert.tactics),
        "Techniques": ",".join(technique for technique in alert.techniques if "." not in technique),
        "SubTechniques": ",".join(technique for technique in alert.techniques if "." in technique),
        "WorkspaceSubscriptionId": address.subscription_id,
        "WorkspaceResourceGroup": address.resource_group,
    }
