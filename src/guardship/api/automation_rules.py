"""Automation rules: which alerts start which playbooks; off until switched on, and what each would have caught."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import select

from guardship.api.access import Admin, DoorsHere, Reader, who
from guardship.api.doors import Doors
from guardship.detection.alerts import Alert, payload_of
from guardship.detection.incidents import tags_of_incidents
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.identity import audit
from guardship.playbooks.automation_import import import_automation
from guardship.playbooks.automation_rules import AutomationRule, Conditions, NameTaken, NewRule, would_have_caught

router = APIRouter(tags=["automation rules"])

LOOK_BACK = timedelta(days=30)
_MOST_ALERTS = 5000


class ConditionsIO(BaseModel):
    """What is empty holds for every alert; all must hold. `*` stands for anything."""

    severities: list[str] = []
    analytics_rules: list[str] = []
    products: list[str] = []
    entities: list[str] = []
    tags: list[str] = []


class AutomationRuleOut(BaseModel):
    rule_id: str
    name: str
    order: int
    is_enabled: bool
    conditions: ConditionsIO
    playbook_id: str
    playbook_name: str
    changed_at: datetime
    changed_by: str


class AutomationRuleIn(BaseModel):
    name: str = Field(min_length=1, max_length=120)
    playbook_id: str
    conditions: ConditionsIO = ConditionsIO()
    order: int = 100


class SwitchIn(BaseModel):
    is_enabled: bool


class CaughtOut(BaseModel):
    """What the rule would have caught in the past 30 days."""

    alert_ids: list[str]
    looked_at: int
    since: datetime


class RulesImportIn(BaseModel):
    """`document` is a template with Microsoft.Security/automations or Microsoft.SecurityInsights/automationRules, as text."""

    document: str = Field(max_length=20_000_000)
    parameters: dict[str, Any] = {}


class RulesImportOut(BaseModel):
    """The rules that were made, all of them off, and in words what was not taken over."""

    rules: list[AutomationRuleOut]
    remarks: list[str]


class NothingToImport(GuardshipError):
    code = "automation_rules.nothing_to_import"
    fault = Fault.BAD_INPUT


@router.get("/automation-rules")
def list_rules(doors: DoorsHere, caller: Reader) -> list[AutomationRuleOut]:
    return [_out(row, doors) for row in doors.automation_rules.all()]


@router.post("/automation-rules", status_code=201)
def create_rule(body: AutomationRuleIn, doors: DoorsHere, caller: Admin) -> AutomationRuleOut:
    """Keep a rule that is off."""
    row = doors.automation_rules.create(_new(body), by=who(caller))
    _record(doors, who(caller), "automation_rule.created", row.rule_id, body.model_dump())
    return _out(row, doors)


@router.post("/automation-rules/import", status_code=201)
def import_rules(body: RulesImportIn, doors: DoorsHere, caller: Admin) -> RulesImportOut:
    """Make rules of ours from those of Azure, off, for the playbooks that are here by the same names."""
    checked = doors.library.check("", body.document, parameters=body.parameters)
    if not checked.automations:
        first = next((problem.message for problem in checked.problems), "it holds no automation")
        raise NothingToImport(f"there is no automation rule in this document: {first}", hint="export the rule from Azure as a template")
    made: list[AutomationRuleOut] = []
    remarks: list[str] = []
    for automation in checked.automations:
        imported = import_automation(automation)
        remarks.extend(imported.remarks)
        for rule in imported.rules:
            try:
                playbook_id = doors.library.named(rule.playbook_name).playbook_id
                row = doors.automation_rules.create(NewRule(rule.name, playbook_id, rule.conditions, rule.order), by=who(caller))
            except NotFound:
                remarks.append(f"{rule.name}: there is no playbook called {rule.playbook_name} here; import that first")
            except NameTaken as error:
                remarks.append(f"{rule.name}: {error}")
            else:
                _record(doors, who(caller), "automation_rule.imported", row.rule_id, rule.conditions.as_json())
                made.append(_out(row, doors))
    return RulesImportOut(rules=made, remarks=remarks)


@router.put("/automation-rules/{rule_id}")
def change_rule(rule_id: str, body: AutomationRuleIn, doors: DoorsHere, caller: Admin) -> AutomationRuleOut:
    row = doors.automation_rules.change(rule_id, _new(body), by=who(caller))
    _record(doors, who(caller), "automation_rule.changed", rule_id, body.model_dump())
    return _out(row, doors)


@router.put("/automation-rules/{rule_id}/switch")
def switch_rule(rule_id: str, body: SwitchIn, doors: DoorsHere, caller: Admin) -> AutomationRuleOut:
    """On: from now on such alerts start the playbook by themselves."""
    row = doors.automation_rules.switch(rule_id, on=body.is_enabled, by=who(caller))
    _record(doors, who(caller), "automation_rule.switched", rule_id, body.model_dump())
    return _out(row, doors)


@router.delete("/automation-rules/{rule_id}", status_code=204)
def remove_rule(rule_id: str, doors: DoorsHere, caller: Admin) -> None:
    doors.automation_rules.delete(rule_id)
    _record(doors, who(caller), "automation_rule.removed", rule_id, {})


@router.post("/automation-rules/backtest")
def backtest(body: ConditionsIO, doors: DoorsHere, caller: Reader) -> CaughtOut:
    """Which alerts of the past 30 days a rule with these conditions would have answered."""
    since = doors.clock.now() - LOOK_BACK
    with doors.database.reading() as session:
        rows = session.scalars(select(Alert).where(Alert.raised_at >= since).order_by(Alert.number.desc()).limit(_MOST_ALERTS)).all()
        tags = tags_of_incidents(session, {row.incident_id for row in rows})
        payloads = [payload_of(row, doors.address, tags[row.incident_id]) for row in rows]
    return CaughtOut(alert_ids=would_have_caught(Conditions.of(body.model_dump()), payloads), looked_at=len(payloads), since=since)


def _new(body: AutomationRuleIn) -> NewRule:
    return NewRule(body.name, body.playbook_id, Conditions.of(body.conditions.model_dump()), body.order)


def _out(row: AutomationRule, doors: Doors) -> AutomationRuleOut:
    return AutomationRuleOut(
        rule_id=row.rule_id,
        name=row.name,
        order=row.order,
        is_enabled=row.is_enabled,
        conditions=ConditionsIO(**row.conditions),
        playbook_id=row.playbook_id,
        playbook_name=doors.library.get(row.playbook_id).name,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
    )


def _record(doors: Doors, by: str, act: str, rule_id: str, detail: dict[str, Any]) -> None:
    with doors.database.transaction() as session:
        audit.record(session, who=by, act=act, subject=rule_id, at=doors.clock.now(), detail=detail)
