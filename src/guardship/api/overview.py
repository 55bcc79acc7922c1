"""What needs a person now, what is in force, and how the past day went: one answer for the first page."""

from collections import Counter
from datetime import datetime, timedelta

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import select

from guardship.api.access import DoorsHere, Reader
from guardship.api.approvals import ApprovalOut
from guardship.api.incidents import IncidentOut
from guardship.api.isolations import IsolationOut, isolation_facts
from guardship.api.runs import RunOut
from guardship.containment.isolations import OPEN_STATES, Isolation
from guardship.detection.alerts import Alert
from guardship.detection.incidents import Incident, IncidentStatus
from guardship.detection.rules import Rule
from guardship.identity import approvals
from guardship.playbooks.run_rows import RunFilter

router = APIRouter(tags=["overview"])


class HourOut(BaseModel):
    """Alerts raised within one hour."""

    hour: datetime
    high: int
    medium: int
    low: int


class TroubledRule(BaseModel):
    rule_id: str
    name: str
    error: str
    since: datetime | None


class ResponseOut(BaseModel):
    """Medians of the past 30 days, in seconds; None where nothing happened. To contain: from the first write to the first proof."""

    detect_seconds: float | None
    contain_seconds: float | None
    proved_percent: float | None


class OverviewOut(BaseModel):
    now: datetime
    is_first_run: bool
    not_cut: list[IsolationOut]
    containments: list[IsolationOut]
    approvals: list[ApprovalOut]
    incidents: list[IncidentOut]
    troubled_rules: list[TroubledRule]
    alerts_by_hour: list[HourOut]
    runs: list[RunOut]
    run_counts: dict[str, int]
    response: ResponseOut
    set_aside_count: int


@router.get("/overview")
def overview(doors: DoorsHere, caller: Reader, hours: int = Query(24, ge=1, le=168)) -> OverviewOut:
    now = doors.clock.now()
    since = now - timedelta(hours=hours)
    with doors.database.reading() as session:
        opened = list(session.scalars(select(Isolation).where(Isolation.state.in_(OPEN_STATES)).order_by(Isolation.opened_at.desc())))
        incidents = session.scalars(
            select(Incident).where(Incident.status != IncidentStatus.CLOSED).order_by(Incident.last_activity_at.desc()).limit(20)
        ).all()
        alerts = list(session.execute(select(Alert.raised_at, Alert.severity).where(Alert.raised_at >= since)).tuples())
        rules = session.scalars(select(Rule).where(Rule.is_enabled, Rule.last_error.is_not(None))).all()
        waiting = approvals.waiting(session, at=now)
        has_any = session.scalar(select(Alert.alert_id).limit(1)) is not None
        past = list(session.scalars(select(Isolation).where(Isolation.opened_at >= now - timedelta(days=30))))
        detected = list(
            session.execute(select(Alert.started_at, Alert.raised_at).where(Alert.raised_at >= now - timedelta(days=30))).tuples()
        )
    runs = [RunOut(**run) for run in doors.runs.overview(RunFilter(since=since, limit=200))]
    out = [IsolationOut(**isolation_facts(row, doors)) for row in opened]
    return OverviewOut(
        now=now,
        is_first_run=not has_any and not past,
        not_cut=[each for each in out if each.live_sessions_cut == "failed" or each.new_connections_blocked == "failed"],
        containments=out,
        approvals=[ApprovalOut.model_validate(row, from_attributes=True) for row in waiting],
        incidents=[IncidentOut.model_validate(row, from_attributes=True) for row in incidents],
        troubled_rules=[
            TroubledRule(rule_id=row.rule_id, name=row.name, error=row.last_error or "", since=row.last_run_at) for row in rules
        ],
        alerts_by_hour=_by_hour(alerts, since, hours),
        runs=runs[:20],
        run_counts=dict(Counter(run.status for run in runs)),
        response=_response(detected, past),
        set_aside_count=len(doors.outbox.set_aside()),
    )


def _by_hour(alerts: list[tuple[datetime, str]], since: datetime, hours: int) -> list[HourOut]:
    first = since.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    counts = Counter((raised.replace(minute=0, second=0, microsecond=0), severity) for raised, severity in alerts)
    starts = [first + timedelta(hours=number) for number in range(hours)]
    return [
        HourOut(
            hour=hour, high=counts[hour, "High"], medium=counts[hour, "Medium"], low=counts[hour, "Low"] + counts[hour, "Informational"]
        )
        for hour in starts
    ]


def _response(detected: list[tuple[datetime, datetime]], past: list[Isolation]) -> ResponseOut:
    verified = [row for row in past if row.verified_at is not None]
    proved = [row for row in verified if row.new_connections_blocked == row.live_sessions_cut == "verified"]
    return ResponseOut(
        detect_seconds=_median([(raised - started).total_seconds() for started, raised in detected]),
        contain_seconds=_median([(row.contained_at - row.opened_at).total_seconds() for row in past if row.contained_at]),
        proved_percent=round(100 * len(proved) / len(verified), 1) if verified else None,
    )


def _median(values: list[float]) -> float | None:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else None
