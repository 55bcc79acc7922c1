"""Analytics rules: what ships, what people add, on and off, and how each is doing."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from guardship.api.access import Admin, DoorsHere, Reader, who
from guardship.detection import rules
from guardship.detection.rules import Rule
from guardship.identity import audit

router = APIRouter(tags=["analytics rules"])


class RuleOut(BaseModel):
    rule_id: str
    name: str
    is_enabled: bool
    is_shipped: bool
    severity: str
    frequency_seconds: float
    changed_at: datetime
    changed_by: str
    last_run_at: datetime | None
    last_run_seconds: float | None
    last_match_at: datetime | None
    last_error: str | None
    alert_count: int


class RuleDetail(RuleOut):
    definition: dict[str, Any]


class RuleIn(BaseModel):
    """`definition` is a rule in Sentinel's published form: name, query, severity, queryFrequency, entityMappings …"""

    definition: dict[str, Any]


class RuleSwitch(BaseModel):
    is_enabled: bool
    frequency_seconds: float | None = Field(None, ge=1)


@router.get("/analytics-rules")
def list_rules(doors: DoorsHere, caller: Reader) -> list[RuleOut]:
    with doors.database.reading() as session:
        return [_out(row) for row in rules.all_rules(session)]


@router.get("/analytics-rules/{rule_id}")
def get_rule(rule_id: str, doors: DoorsHere, caller: Reader) -> RuleDetail:
    with doors.database.reading() as session:
        return RuleDetail.model_validate(rules.get_rule(session, rule_id), from_attributes=True)


@router.post("/analytics-rules", status_code=201)
def create_rule(body: RuleIn, doors: DoorsHere, caller: Admin) -> RuleDetail:
    """Keep a new rule, switched off; its query is checked first."""
    return _save(body, None, doors, who(caller))


@router.put("/analytics-rules/{rule_id}")
def replace_rule(rule_id: str, body: RuleIn, doors: DoorsHere, caller: Admin) -> RuleDetail:
    return _save(body, rule_id, doors, who(caller))


@router.put("/analytics-rules/{rule_id}/switch")
def switch_rule(rule_id: str, body: RuleSwitch, doors: DoorsHere, caller: Admin) -> RuleOut:
    at = doors.clock.now()
    with doors.database.transaction() as session:
        row = rules.set_enabled(session, rule_id, body.is_enabled, by=who(caller), at=at, frequency_seconds=body.frequency_seconds)
        audit.record(session, who=who(caller), act="analytics_rule.switched", subject=rule_id, at=at, detail=body.model_dump())
        return _out(row)


@router.delete("/analytics-rules/{rule_id}", status_code=204)
def remove_rule(rule_id: str, doors: DoorsHere, caller: Admin) -> None:
    at = doors.clock.now()
    with doors.database.transaction() as session:
        rules.remove_rule(session, rule_id)
        audit.record(session, who=who(caller), act="analytics_rule.removed", subject=rule_id, at=at)


def _save(body: RuleIn, rule_id: str | None, doors: DoorsHere, by: str) -> RuleDetail:
    at = doors.clock.now()
    problems = doors.search.check(str(body.definition.get("query", "")))
    if problems:
        raise problems[0]
    with doors.database.transaction() as session:
        row = rules.save_rule(session, body.definition, by=by, at=at, rule_id=rule_id)
        session.flush()
        audit.record(session, who=by, act="analytics_rule.saved", subject=row.rule_id, at=at)
        return RuleDetail.model_validate(row, from_attributes=True)


def _out(row: Rule) -> RuleOut:
    return RuleOut.model_validate(row, from_attributes=True)
