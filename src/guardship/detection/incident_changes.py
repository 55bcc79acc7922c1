"""What a person or a playbook does to an incident beside its status, owner and tags: open one by hand, judge it anew, comment, relate.

A comment or relation that carries a mark is written once, however often it is asked for: after a crash the same call comes again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardship.detection.incidents import (
    BadIncidentChange,
    Incident,
    IncidentEntry,
    IncidentStatus,
    get_incident,
    log_row,
    note,
)
from guardship.detection.log_rows import ask_for_rows
from guardship.detection.severity import Severity
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.errors import NotFound
from guardship.ids import new_id

COMMENT, RELATION = "comment", "relation"
MOST_COMMENT = 30_000


def open_by_hand(
    session: Session,
    title: str,
    severity: Severity,
    *,
    by: str,
    at: datetime,
    address: WorkspaceAddress,
    description: str = "",
    tags: Sequence[str] = (),
) -> Incident:
    """An incident that no alert has opened; alerts of the same things open their own."""
    if not title.strip():
        raise BadIncidentChange("an incident needs a title")
    incident = Incident(
        incident_id=new_id("inc"),
        number=(session.scalar(select(func.max(Incident.number))) or 0) + 1,
        title=title[:256],
        description=description,
        severity=severity,
        status=IncidentStatus.NEW,
        alert_ids=[],
        rule_ids=[],
        tactics=[],
        techniques=[],
        products=[],
        tags=list(dict.fromkeys(tags)),
        first_activity_at=at,
        last_activity_at=at,
        last_alert_at=at,
        created_at=at,
        modified_at=at,
        modified_by=by,
    )
    session.add(incident)
    session.flush()
    note(session, incident.incident_id, "change", "Opened by hand", at=at, source=by)
    ask_for_rows(session, "SecurityIncident", [log_row(incident, address)], at=at)
    return incident


def set_severity(session: Session, incident_id: str, severity: Severity, *, by: str, at: datetime, address: WorkspaceAddress) -> Incident:
    incident = get_incident(session, incident_id)
    incident.severity, incident.modified_at, incident.modified_by = severity, at, by
    note(session, incident_id, "change", f"Severity {severity}", at=at, source=by)
    ask_for_rows(session, "SecurityIncident", [log_row(incident, address)], at=at)
    return incident


def add_comment(session: Session, incident_id: str, text: str, *, by: str, at: datetime, mark: str) -> IncidentEntry:
    if not text.strip():
        raise BadIncidentChange("message: a comment needs a text")
    if len(text) > MOST_COMMENT:
        raise BadIncidentChange(f"message: a comment has at most {MOST_COMMENT:,} characters, this one has {len(text):,}")
    return marked(session, incident_id, COMMENT, mark) or note(
        session, incident_id, COMMENT, text, at=at, source=by, details={"mark": mark}
    )


def relate(session: Session, incident_id: str, resource_id: str, *, by: str, at: datetime, mark: str) -> IncidentEntry:
    details: dict[str, Any] = {"mark": mark, "related": resource_id}
    known = marked(session, incident_id, RELATION, mark)
    return known or note(session, incident_id, RELATION, f"Related {resource_id}", at=at, source=by, details=details)


def marked(session: Session, incident_id: str, kind: str, mark: str) -> IncidentEntry | None:
    """The line that carries this mark already."""
    query = select(IncidentEntry).where(IncidentEntry.incident_id == incident_id, IncidentEntry.kind == kind)
    return next((entry for entry in session.scalars(query) if (entry.details or {}).get("mark") == mark), None)


def incident_of_number(session: Session, number: int) -> Incident:
    found = session.scalars(select(Incident).where(Incident.number == number)).first()
    if found is None:
        raise NotFound("incident", str(number))
    return found
