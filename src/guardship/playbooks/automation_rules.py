"""Automation rules: which alerts and incidents start which playbooks. Off until somebody switches one on; publishing a playbook never does.

Whether a rule answers alerts or incidents, its playbook's trigger says. A condition that is empty holds for every one, and all conditions
of a rule must hold. Rules are looked at by their order, and each that fits starts its playbook.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import ForeignKey, Integer, String, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.clock import Clock
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.ids import new_id
from guardship.storage.database import Database
from guardship.storage.schema import Base, Json, Moment

SEVERITIES = ("High", "Medium", "Low", "Informational")


class AutomationRule(Base):
    __tablename__ = "playbooks_automation_rule"

    rule_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    order: Mapped[int] = mapped_column("position", Integer)
    is_enabled: Mapped[bool]
    conditions: Mapped[Any] = mapped_column(Json)
    playbook_id: Mapped[str] = mapped_column(ForeignKey("playbooks_playbook.playbook_id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    changed_at: Mapped[datetime] = mapped_column(Moment)
    changed_by: Mapped[str] = mapped_column(String(120))


class BadCondition(GuardshipError):
    code = "playbooks.bad_condition"
    fault = Fault.BAD_INPUT


class NameTaken(GuardshipError):
    code = "playbooks.rule_name_taken"
    fault = Fault.CONFLICT


@dataclass(frozen=True, slots=True)
class Conditions:
    """Patterns with `*` are allowed in all but severities; they ignore case. Analytics rules go by id or name, entities by any value."""

    severities: tuple[str, ...] = ()
    analytics_rules: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wrong = [severity for severity in self.severities if severity not in SEVERITIES]
        if wrong:
            raise BadCondition(f"{wrong[0]} is no severity", hint=f"severities are {', '.join(SEVERITIES)}")

    def hold(self, alert: Mapping[str, Any]) -> bool:
        """Whether an alert or incident fits, as the payload of `AlertRaised` or `IncidentCreated` carries it."""
        if self.severities and alert.get("severity") not in self.severities:
            return False
        return (
            _any_fits(self.analytics_rules, _all_of(alert, "rule_id", "rule_name", "rule_ids", "rule_names"))
            and _any_fits(self.products, _all_of(alert, "product", "products"))
            and _any_fits(self.entities, _entity_values(alert))
            and _any_fits(self.tags, alert.get("tags") or ())
        )

    def as_json(self) -> dict[str, list[str]]:
        return {
            "severities": list(self.severities),
            "analytics_rules": list(self.analytics_rules),
            "products": list(self.products),
            "entities": list(self.entities),
            "tags": list(self.tags),
        }

    @staticmethod
    def of(document: Mapping[str, Any]) -> "Conditions":
        return Conditions(
            **{name: tuple(document.get(name) or ()) for name in ("severities", "analytics_rules", "products", "entities", "tags")}
        )


def _any_fits(patterns: tuple[str, ...], values: Iterable[Any]) -> bool:
    if not patterns:
        return True
    folded = [str(value).casefold() for value in values if value is not None]
    return any(fnmatchcase(value, pattern.casefold()) for pattern in patterns for value in folded)


def _all_of(payload: Mapping[str, Any], *names: str) -> list[Any]:
    """An alert has one rule and product, an incident those of all its alerts."""
    found: list[Any] = []
    for name in names:
        value = payload.get(name)
        found.extend(value if isinstance(value, list) else [value])
    return found


def _entity_values(alert: Mapping[str, Any]) -> list[str]:
    """Every text in the alert's entities, and the name of the compromised one."""
    values = [str(alert.get("compromised_entity") or "")]
    for entity in alert.get("entities") or ():
        values.extend(value for name, value in entity.items() if isinstance(value, str) and name not in ("$id", "Type"))
    return values


@dataclass(frozen=True, slots=True)
class NewRule:
    name: str
    playbook_id: str
    conditions: Conditions = field(default_factory=Conditions)
    order: int = 100


class AutomationRules:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, rule: NewRule, *, by: str) -> AutomationRule:
        """A rule that is off."""
        now = self._clock.now()
        row = AutomationRule(
            rule_id=new_id("arul"),
            name=rule.name,
            order=rule.order,
            is_enabled=False,
            conditions=rule.conditions.as_json(),
            playbook_id=rule.playbook_id,
            created_at=now,
            changed_at=now,
            changed_by=by,
        )
        with self._database.transaction() as session:
            _demand_free_name(session, row)
            session.add(row)
            _demand_playbook(session, row)
        return row

    def change(self, rule_id: str, rule: NewRule, *, by: str) -> AutomationRule:
        with self._database.transaction() as session:
            row = _find(session, rule_id)
            with session.no_autoflush:
                row.name, row.order, row.playbook_id = rule.name, rule.order, rule.playbook_id
                _demand_free_name(session, row)
            row.conditions = rule.conditions.as_json()
            row.changed_at, row.changed_by = self._clock.now(), by
            _demand_playbook(session, row)
        return row

    def switch(self, rule_id: str, *, on: bool, by: str) -> AutomationRule:
        with self._database.transaction() as session:
            row = _find(session, rule_id)
            row.is_enabled, row.changed_at, row.changed_by = on, self._clock.now(), by
        return row

    def delete(self, rule_id: str) -> None:
        with self._database.transaction() as session:
            session.delete(_find(session, rule_id))

    def get(self, rule_id: str) -> AutomationRule:
        with self._database.reading() as session:
            return _find(session, rule_id)

    def all(self) -> list[AutomationRule]:
        with self._database.reading() as session:
            return list(session.scalars(select(AutomationRule).order_by(AutomationRule.order, AutomationRule.name)).all())

    def fitting(self, alert: Mapping[str, Any]) -> list[AutomationRule]:
        """The rules that are on and fit this alert, in their order."""
        return [row for row in self.all() if row.is_enabled and Conditions.of(row.conditions).hold(alert)]


def would_have_caught(conditions: Conditions, alerts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Ids of the past alerts, given as payloads, that a rule with these conditions would have answered."""
    return [str(alert["alert_id"]) for alert in alerts if conditions.hold(alert)]


def _find(session: Session, rule_id: str) -> AutomationRule:
    row = session.get(AutomationRule, rule_id)
    if row is None:
        raise NotFound("automation rule", rule_id)
    return row


def _demand_free_name(session: Session, row: AutomationRule) -> None:
    query = select(AutomationRule.rule_id).where(AutomationRule.name == row.name, AutomationRule.rule_id != row.rule_id)
    if session.scalar(query) is not None:
        raise NameTaken(f"there is an automation rule called {row.name} already")


def _demand_playbook(session: Session, row: AutomationRule) -> None:
    """The database itself says whether the playbook is there: `library` looks at rules, so rules do not look at `library`."""
    playbook_id = row.playbook_id
    try:
        session.flush()
    except IntegrityError as error:
        raise NotFound("playbook", playbook_id) from error
