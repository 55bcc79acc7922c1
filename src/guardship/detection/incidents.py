"""Incidents: alerts that belong together, joined by a strong identifier they share, or by one rule naming exactly the same things.

Every join states its reason on the timeline. Every change appends a row to SecurityIncident.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, Integer, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.clock import azure_time
from guardship.detection.classification import REASONS, Classification, closed_as
from guardship.detection.entities import Identity
from guardship.detection.log_rows import ask_for_rows
from guardship.detection.severity import Severity
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.ids import new_id
from guardship.storage.schema import Base, Json, Moment

WINDOW = timedelta(hours=24)


class IncidentStatus(StrEnum):
    NEW = "New"
    ACTIVE = "Active"
    CLOSED = "Closed"


class Incident(Base):
    __tablename__ = "detection_incident"

    incident_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, unique=True)
    title: Mapped[str] = mapped_column(String(256))
    description: Mapped[str] = mapped_column(Text, default="")
    severity: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    owner: Mapped[str | None] = mapped_column(String(200))
    classification: Mapped[str | None] = mapped_column(String(40))
    classification_reason: Mapped[str | None] = mapped_column(String(40))
    classification_comment: Mapped[str | None] = mapped_column(Text)
    alert_ids: Mapped[list[str]] = mapped_column(Json)
    rule_ids: Mapped[list[str]] = mapped_column(Json)
    tactics: Mapped[list[str]] = mapped_column(Json)
    techniques: Mapped[list[str]] = mapped_column(Json)
    products: Mapped[list[str]] = mapped_column(Json)
    tags: Mapped[list[str]] = mapped_column(Json)
    first_activity_at: Mapped[datetime] = mapped_column(Moment)
    last_activity_at: Mapped[datetime] = mapped_column(Moment)
    last_alert_at: Mapped[datetime] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    modified_at: Mapped[datetime] = mapped_column(Moment)
    modified_by: Mapped[str] = mapped_column(String(200))
    closed_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (Index("ix_detection_incident_open", "status", "last_alert_at"),)


class IncidentIdentity(Base):
    """By what an incident is recognised when the next alert comes."""

    __tablename__ = "detection_incident_identity"

    incident_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    key: Mapped[str] = mapped_column(String(500), primary_key=True)
    alert_id: Mapped[str] = mapped_column(String(40))

    __table_args__ = (Index("ix_detection_incident_identity_key", "key"),)


class IncidentEntry(Base):
    """One line of the timeline: an alert that joined, a change of status, a comment, an act of ours."""

    __tablename__ = "detection_incident_entry"

    entry_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    incident_id: Mapped[str] = mapped_column(String(40), index=True)
    at: Mapped[datetime] = mapped_column(Moment)
    kind: Mapped[str] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(200), default="")
    verdict: Mapped[str] = mapped_column(String(40), default="")
    details: Mapped[dict[str, Any] | None] = mapped_column(Json)


class BadIncidentChange(GuardshipError):
    code = "incident.bad_change"
    fault = Fault.BAD_INPUT


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """What an incident needs to know of an alert."""

    alert_id: str
    number: int
    title: str
    description: str
    severity: Severity
    rule_id: str
    product: str
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    entities_digest: str
    identities: tuple[Identity, ...]
    started_at: datetime
    ended_at: datetime
    raised_at: datetime

    def join_keys(self) -> dict[str, str]:
        """Each key it can be joined by, with the reason in words."""
        found = {identity.key: f"shares {identity.key.split('|', 1)[1]}" for identity in self.identities if identity.is_strong}
        if self.rule_id and self.identities:
            found[f"same|{self.rule_id}|{self.entities_digest}"] = "the same rule named the same entities"
        return found


class Grouping:
    """Puts the alerts of one transaction into incidents; many alerts cost two queries."""

    def __init__(self, session: Session, address: WorkspaceAddress, *, window: timedelta = WINDOW) -> None:
        self._session = session
        self._address = address
        self._window = window
        self._next_number = (session.scalar(select(func.max(Incident.number))) or 0) + 1
        self._by_key: dict[str, Incident] = {}
        self._kept: set[tuple[str, str]] = set()
        self._touched: dict[str, Incident] = {}
        self.opened: list[Incident] = []

    def look_up(self, alerts: Sequence[AlertFacts], *, at: datetime) -> None:
        """Find the open incidents that any of these alerts could join."""
        keys = sorted({key for alert in alerts for key in alert.join_keys()})
        for start in range(0, len(keys), 500):
            query = (
                select(IncidentIdentity.key, Incident)
                .join(Incident, Incident.incident_id == IncidentIdentity.incident_id)
                .where(
                    IncidentIdentity.key.in_(keys[start : start + 500]),
                    Incident.status != IncidentStatus.CLOSED,
                    Incident.last_alert_at >= at - self._window,
                )
                .order_by(Incident.created_at)
            )
            for key, incident in self._session.execute(query):
                self._by_key.setdefault(key, incident)
                self._kept.add((incident.incident_id, key))

    def place(self, alert: AlertFacts) -> Incident:
        """The incident this alert joins, or a new one."""
        keys = alert.join_keys()
        joined = next(((self._by_key[key], reason) for key, reason in keys.items() if key in self._by_key), None)
        incident, reason = joined if joined else (self._open(alert), "opened the incident")
        if joined:
            _absorb(incident, alert)
        for key in keys:
            self._by_key.setdefault(key, incident)
            if (incident.incident_id, key) not in self._kept:
                self._kept.add((incident.incident_id, key))
                self._session.add(IncidentIdentity(incident_id=incident.incident_id, key=key, alert_id=alert.alert_id))
        text = f"Alert {alert.number}: {alert.title} ({reason})"
        self._session.add(
            _entry(incident.incident_id, "alert", text, at=alert.raised_at, source=alert.product, details={"alert_id": alert.alert_id})
        )
        self._touched[incident.incident_id] = incident
        return incident

    def finish(self, *, at: datetime) -> None:
        """Ask for one row of SecurityIncident for each incident that changed."""
        ask_for_rows(self._session, "SecurityIncident", [log_row(incident, self._address) for incident in self._touched.values()], at=at)

    def _open(self, alert: AlertFacts) -> Incident:
        incident = Incident(
            incident_id=new_id("inc"),
            number=self._next_number,
            title=alert.title,
            description=alert.description,
            severity=alert.severity,
            status=IncidentStatus.NEW,
            alert_ids=[alert.alert_id],
            rule_ids=[alert.rule_id] if alert.rule_id else [],
            tactics=list(alert.tactics),
            techniques=list(alert.techniques),
            products=[alert.product],
            tags=[],
            first_activity_at=alert.started_at,
            last_activity_at=alert.ended_at,
            last_alert_at=alert.raised_at,
            created_at=alert.raised_at,
            modified_at=alert.raised_at,
            modified_by="guardship",
        )
        self._next_number += 1
        self._session.add(incident)
        self.opened.append(incident)
        return incident


def _absorb(incident: Incident, alert: AlertFacts) -> None:
    """JSON columns are given anew: a list changed in place would not be written."""
    incident.alert_ids = [*incident.alert_ids, alert.alert_id]
    incident.rule_ids = _with_new(incident.rule_ids, [alert.rule_id] if alert.rule_id else [])
    incident.tactics = _with_new(incident.tactics, alert.tactics)
    incident.techniques = _with_new(incident.techniques, alert.techniques)
    incident.products = _with_new(incident.products, [alert.product])
    incident.severity = Severity.worst(Severity(incident.severity), alert.severity)
    incident.first_activity_at = min(incident.first_activity_at, alert.started_at)
    incident.last_activity_at = max(incident.last_activity_at, alert.ended_at)
    incident.last_alert_at = incident.modified_at = alert.raised_at
    incident.modified_by = "guardship"


def _with_new(known: list[str], more: Iterable[str]) -> list[str]:
    return [*known, *(item for item in dict.fromkeys(more) if item not in known)]


def tags_of_incidents(session: Session, incident_ids: Collection[str]) -> dict[str, list[str]]:
    found = session.execute(select(Incident.incident_id, Incident.tags).where(Incident.incident_id.in_(incident_ids)))
    return {row.incident_id: row.tags for row in found}


def get_incident(session: Session, incident_id: str) -> Incident:
    found = session.get(Incident, incident_id)
    if found is None:
        raise NotFound("incident", incident_id)
    return found


def newest_incidents(session: Session, *, limit: int = 100, status: IncidentStatus | None = None) -> list[Incident]:
    query = select(Incident).order_by(Incident.number.desc()).limit(limit)
    return list(session.scalars(query if status is None else query.where(Incident.status == status)))


def timeline(session: Session, incident_id: str) -> list[IncidentEntry]:
    query = select(IncidentEntry).where(IncidentEntry.incident_id == incident_id).order_by(IncidentEntry.at, IncidentEntry.entry_id)
    return list(session.scalars(query))


def note(
    session: Session,
    incident_id: str,
    kind: str,
    text: str,
    *,
    at: datetime,
    source: str = "",
    verdict: str = "",
    details: dict[str, Any] | None = None,
) -> IncidentEntry:
    """A line on the timeline: what we or a person did, and what came of it."""
    entry = _entry(get_incident(session, incident_id).incident_id, kind, text, at=at, source=source, verdict=verdict, details=details)
    session.add(entry)
    return entry


def _entry(
    incident_id: str, kind: str, text: str, *, at: datetime, source: str = "", verdict: str = "", details: dict[str, Any] | None = None
) -> IncidentEntry:
    return IncidentEntry(
        entry_id=new_id("entr"), incident_id=incident_id, kind=kind, text=text, at=at, source=source, verdict=verdict, details=details
    )


def set_status(
    session: Session,
    incident_id: str,
    status: IncidentStatus,
    *,
    by: str,
    at: datetime,
    address: WorkspaceAddress,
    classification: Classification | None = None,
    reason: str | None = None,
    comment: str | None = None,
) -> Incident:
    """Closing asks what it turned out to be; opening again forgets that."""
    incident = get_incident(session, incident_id)
    if status is IncidentStatus.CLOSED:
        _classify(incident, classification, reason, comment)
        incident.closed_at = at
    else:
        incident.classification = incident.classification_reason = incident.classification_comment = None
        incident.closed_at = None
    incident.status = status
    is_closed = status is IncidentStatus.CLOSED
    said = closed_as(classification, incident.classification_reason, comment) if is_closed and classification else f"Status {status}"
    _changed(session, incident, said, by=by, at=at, address=address, details=_verdict(incident) if is_closed else None)
    return incident


def _verdict(incident: Incident) -> dict[str, Any]:
    return {name: getattr(incident, name) for name in ("classification", "classification_reason", "classification_comment")}


def _classify(incident: Incident, classification: Classification | None, reason: str | None, comment: str | None) -> None:
    if classification is None:
        raise BadIncidentChange("an incident is closed with a classification", hint=f"one of {', '.join(Classification)}")
    allowed = REASONS[classification]
    if reason is not None and reason not in allowed:
        raise BadIncidentChange(f"{reason} is no reason for {classification}", hint=f"one of {', '.join(allowed)}" if allowed else None)
    incident.classification = classification
    incident.classification_reason = reason or next(iter(allowed), None)
    incident.classification_comment = comment


def set_owner(session: Session, incident_id: str, owner: str | None, *, by: str, at: datetime, address: WorkspaceAddress) -> Incident:
    incident = get_incident(session, incident_id)
    incident.owner = owner
    _changed(session, incident, f"Owner {owner or 'nobody'}", by=by, at=at, address=address)
    return incident


def set_tags(session: Session, incident_id: str, tags: Sequence[str], *, by: str, at: datetime, address: WorkspaceAddress) -> Incident:
    incident = get_incident(session, incident_id)
    incident.tags = list(dict.fromkeys(tags))
    _changed(session, incident, f"Tags {', '.join(incident.tags) or 'none'}", by=by, at=at, address=address)
    return incident


def _changed(
    session: Session,
    incident: Incident,
    text: str,
    *,
    by: str,
    at: datetime,
    address: WorkspaceAddress,
    details: dict[str, Any] | None = None,
) -> None:
    incident.modified_at, incident.modified_by = at, by
    session.add(_entry(incident.incident_id, "change", text, at=at, source=by, details=details))
    ask_for_rows(session, "SecurityIncident", [log_row(incident, address)], at=at)


def log_row(incident: Incident, address: WorkspaceAddress) -> dict[str, Any]:
    """The incident as a row of SecurityIncident."""
    owner = {"objectId": None, "email": None, "assignedTo": incident.owner, "userPrincipalName": None}
    return {
        "TimeGenerated": azure_time(incident.modified_at),
        "IncidentName": incident.incident_id,
        "IncidentNumber": incident.number,
        "Title": incident.title,
        "Description": incident.description or "",
        "Severity": incident.severity,
        "Status": incident.status,
        "Classification": incident.classification or "",
        "ClassificationReason": incident.classification_reason or "",
        "ClassificationComment": incident.classification_comment or "",
        "Owner": owner,
        "ProviderName": "Guardship",
        "ProviderIncidentId": str(incident.number),
        "FirstActivityTime": azure_time(incident.first_activity_at),
        "LastActivityTime": azure_time(incident.last_activity_at),
        "CreatedTime": azure_time(incident.created_at),
        "ClosedTime": azure_time(incident.closed_at) if incident.closed_at else None,
        "FirstModifiedTime": azure_time(incident.created_at),
        "LastModifiedTime": azure_time(incident.modified_at),
        "ModifiedBy": incident.modified_by,
        "IncidentUrl": address.incident_url(incident.incident_id),
        "AlertIds": incident.alert_ids,
        "BookmarkIds": [],
        "RelatedAnalyticRuleIds": incident.rule_ids,
        "Comments": [],
        "Tasks": [],
        "Labels": [{"labelName": tag, "labelType": "User"} for tag in incident.tags],
        "AdditionalData": {
            "alertsCount": len(incident.alert_ids),
            "bookmarksCount": 0,
            "commentsCount": 0,
            "alertProductNames": incident.products,
            "tactics": incident.tactics,
            "techniques": incident.techniques,
        },
    }
