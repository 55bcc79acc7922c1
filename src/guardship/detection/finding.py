"""What a rule or a source found, before it is an alert; and how rows of an answer become findings."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from guardship.detection.entities import Entity, compromised_entity, digest, entities_of
from guardship.detection.rules import RuleDefinition
from guardship.detection.severity import Severity
from guardship.workspace.kql.literals import parse_datetime

PRODUCT = "Guardship"
MOST_EVIDENCE_ROWS = 20

_PLACE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_START_COLUMNS = ("StartTime", "StartTimeUtc", "TimeGenerated")
_END_COLUMNS = ("EndTime", "EndTimeUtc", "TimeGenerated")

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    title: str
    severity: Severity
    entities: list[Entity]
    started_at: datetime
    ended_at: datetime
    rule_id: str = ""
    rule_name: str = ""
    description: str = ""
    product: str = PRODUCT
    component: str = "Analytics"
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    compromised: str = ""
    fingerprint: str = ""
    is_event: bool = False  # the fingerprint holds the moment of one event, so it never comes again
    evidence: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    remediation_steps: tuple[str, ...] = ()

    @property
    def entity_digest(self) -> str:
        return digest(self.entities)


def findings_of(rule: RuleDefinition, records: Sequence[Record], *, count: int, now: datetime) -> list[Finding]:
    """One finding for each row, or one for all of them, as the rule says; `count` rows matched, of which these may be a part."""
    is_part = count > len(records)
    if not is_triggered(rule, count) or (is_part and not records):
        return []
    groups = [[record] for record in records] if rule.alert_per_row else [list(records)]
    return [_finding(rule, group, now) for group in groups]


def is_triggered(rule: RuleDefinition, count: int) -> bool:
    match rule.trigger_operator:
        case "lt":
            return count < rule.trigger_threshold
        case "eq":
            return count == rule.trigger_threshold
        case "ne":
            return count != rule.trigger_threshold
        case _:
            return count > rule.trigger_threshold


def _finding(rule: RuleDefinition, records: list[Record], now: datetime) -> Finding:
    entities = entities_of(rule.entity_mappings, records)
    first: Record = records[0] if records else {}
    override = rule.alert_details
    starts = [moment for record in records if (moment := _moment(record, _START_COLUMNS))]
    ends = [moment for record in records if (moment := _moment(record, _END_COLUMNS))]
    fingerprint, is_event = _fingerprint(rule, records, entities)
    return Finding(
        title=_filled(override.get("alertDisplayNameFormat", rule.name), first)[:256],
        severity=_severity(override.get("alertSeverityColumnName"), first) or rule.severity,
        entities=entities,
        started_at=min(starts, default=now),
        ended_at=max(ends, default=now),
        rule_id=rule.rule_id,
        rule_name=rule.name,
        description=_filled(override.get("alertDescriptionFormat", rule.description), first),
        tactics=rule.tactics,
        techniques=rule.techniques,
        compromised=compromised_entity(entities),
        fingerprint=fingerprint,
        is_event=is_event,
        evidence={"Query": rule.query, "Rows": [dict(record) for record in records[:MOST_EVIDENCE_ROWS]], "RowCount": len(records)},
        details={name: first.get(column) for name, column in rule.custom_details.items()},
        remediation_steps=rule.remediation_steps,
    )


def _fingerprint(rule: RuleDefinition, records: list[Record], entities: list[Entity]) -> tuple[str, bool]:
    """By the columns the rule lists, else by what the rows name; without either, by the rows themselves."""
    if rule.fingerprint_columns:
        parts: list[object] = [[record.get(column) for column in rule.fingerprint_columns] for record in records]
        has_moment = any(_is_moment(record.get(column)) for record in records for column in rule.fingerprint_columns)
        return _hashed(rule.rule_id, parts), has_moment
    if entities:
        return _hashed(rule.rule_id, [digest(entities)]), False
    return _hashed(rule.rule_id, [dict(record) for record in records] if rule.alert_per_row else []), False


def _hashed(rule_id: str, parts: list[object]) -> str:
    text = json.dumps([rule_id, parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _is_moment(value: object) -> bool:
    return isinstance(value, str) and len(value) == 28 and value.endswith("Z") and value[10] == "T"


def _moment(record: Record, columns: Sequence[str]) -> datetime | None:
    for column in columns:
        value = record.get(column)
        if isinstance(value, str) and _is_moment(value):
            found = parse_datetime(value[:26] + "Z")
            return found.replace(tzinfo=UTC) if found else None
    return None


def _filled(form: str, record: Record) -> str:
    """`{{Computer}}` in a text becomes what the row says."""
    return _PLACE.sub(lambda match: str(record.get(match.group(1), "")), form).strip()


def _severity(column: str | None, record: Record) -> Severity | None:
    value = str(record.get(column, "")).lower() if column else ""
    return next((known for known in Severity if known.lower() == value), None)
