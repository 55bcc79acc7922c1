"""Analytics rules: a query on a schedule that raises alerts. Off until someone switches it on.

A rule is read from Sentinel's published form, in YAML, JSON or TOML:

    id: ssh-password-guessing-then-session
    name: Password guessing against a machine, then a session
    severity: High
    queryFrequency: 5m
    queryPeriod: 10m
    query: Syslog | where …
    entityMappings:
      - entityType: Host
        fieldMappings: [{identifier: HostName, columnName: Computer}]

Of our own are `fingerprintColumns` (what makes two rows the same finding) and frequencies down to 1 s.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.detection.entities import EntityMapping, FieldMapping
from guardship.detection.severity import Severity
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.ids import new_id
from guardship.storage.database import Database, after_commit
from guardship.storage.schema import Base, Json, Moment

CONTENT = Path(__file__).parent / "content"
SMALLEST_SECONDS = 1.0
DEFAULT_FREQUENCY_SECONDS = 300.0
LONGEST_LOOKBACK_SECONDS = 14 * 86_400.0
RULES_CHANGED = "detection.rules"


class Rule(Base):
    __tablename__ = "detection_rule"

    rule_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    name: Mapped[str] = mapped_column(String(256))
    is_enabled: Mapped[bool] = mapped_column(default=False)
    is_shipped: Mapped[bool] = mapped_column(default=False)
    severity: Mapped[str] = mapped_column(String(20))
    definition: Mapped[dict[str, Any]] = mapped_column(Json)
    frequency_seconds: Mapped[float]
    changed_at: Mapped[datetime] = mapped_column(Moment)
    changed_by: Mapped[str] = mapped_column(String(200))
    next_due_at: Mapped[datetime | None] = mapped_column(Moment)
    seen_through: Mapped[datetime | None] = mapped_column(Moment)  # rows received until then have been judged
    last_run_at: Mapped[datetime | None] = mapped_column(Moment)
    last_run_seconds: Mapped[float | None]
    last_match_at: Mapped[datetime | None] = mapped_column(Moment)
    last_error: Mapped[str | None] = mapped_column(Text)
    silent_until: Mapped[datetime | None] = mapped_column(Moment)
    alert_count: Mapped[int] = mapped_column(default=0)


class BadRule(GuardshipError):
    code = "rule.bad_definition"
    fault = Fault.BAD_INPUT


@dataclass(frozen=True, slots=True)
class RuleDefinition:
    name: str
    query: str
    severity: Severity
    description: str = ""
    frequency_seconds: float = DEFAULT_FREQUENCY_SECONDS
    lookback_seconds: float = DEFAULT_FREQUENCY_SECONDS
    trigger_operator: str = "gt"
    trigger_threshold: int = 0
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    entity_mappings: tuple[EntityMapping, ...] = ()
    custom_details: dict[str, str] = field(default_factory=dict)
    alert_details: dict[str, str] = field(default_factory=dict)  # alertDetailsOverride
    alert_per_row: bool = False
    fingerprint_columns: tuple[str, ...] = ()
    suppression_seconds: float = 0.0
    suppress_by: str = "entities"  # or rule: the whole rule keeps silent, as Sentinel's does
    remediation_steps: tuple[str, ...] = ()
    rule_id: str = ""


def rule_of(row: Rule) -> RuleDefinition:
    """The definition as the row holds it, with the frequency and severity that were set since."""
    from_file = definition_from(row.definition)
    return _with(from_file, rule_id=row.rule_id, frequency_seconds=row.frequency_seconds, severity=Severity(row.severity))


def _with(definition: RuleDefinition, **changes: Any) -> RuleDefinition:
    values = {name: getattr(definition, name) for name in RuleDefinition.__dataclass_fields__}
    return RuleDefinition(**{**values, **changes})


def definition_from(document: dict[str, Any]) -> RuleDefinition:
    """Reads the published form; what is missing or wrong is named."""
    for key in ("name", "query", "severity"):
        if not isinstance(document.get(key), str) or not document[key].strip():
            raise BadRule(f"the rule has no {key}")
    severity = next((known for known in Severity if known.lower() == document["severity"].lower()), None)
    if severity is None:
        raise BadRule(f"the severity {document['severity']!r} is not known", hint=f"one of {', '.join(Severity)}")
    frequency = _seconds(document, "queryFrequency", DEFAULT_FREQUENCY_SECONDS)
    lookback = _seconds(document, "queryPeriod", frequency)
    if not SMALLEST_SECONDS <= frequency <= LONGEST_LOOKBACK_SECONDS:
        raise BadRule(f"queryFrequency must be {SMALLEST_SECONDS:g} s or more, and 14 days at most")
    if not frequency <= lookback <= LONGEST_LOOKBACK_SECONDS:
        raise BadRule("queryPeriod must be queryFrequency or longer, and 14 days at most")
    grouping = _named_texts(document, "eventGroupingSettings")
    return RuleDefinition(
        name=document["name"].strip(),
        query=document["query"],
        severity=severity,
        description=str(document.get("description", "")).strip(),
        frequency_seconds=frequency,
        lookback_seconds=lookback,
        trigger_operator=_operator(document.get("triggerOperator", "gt")),
        trigger_threshold=_whole(document, "triggerThreshold"),
        tactics=_texts(document, "tactics"),
        techniques=_texts(document, "relevantTechniques") or _texts(document, "techniques"),
        entity_mappings=tuple(_mapping(entry) for entry in document.get("entityMappings") or []),
        custom_details=_named_texts(document, "customDetails"),
        alert_details=_named_texts(document, "alertDetailsOverride"),
        alert_per_row=grouping.get("aggregationKind") == "AlertPerResult",
        fingerprint_columns=_texts(document, "fingerprintColumns"),
        suppression_seconds=_seconds(document, "suppressionDuration", 0.0) if document.get("suppressionEnabled", True) else 0.0,
        suppress_by="rule" if document.get("suppressBy") == "rule" else "entities",
        remediation_steps=_texts(document, "remediationSteps"),
        rule_id=f"rule_{document['id']}" if document.get("id") else "",
    )


def _texts(document: dict[str, Any], key: str) -> tuple[str, ...]:
    given = document.get(key) or []
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise BadRule(f"{key} must be a list of texts")
    return tuple(given)


def _named_texts(document: dict[str, Any], key: str) -> dict[str, str]:
    """The texts of an object; what else stands in it is not ours."""
    given = document.get(key) or {}
    if not isinstance(given, dict):
        raise BadRule(f"{key} must be an object")
    return {name: value for name, value in given.items() if isinstance(value, str)}


def _whole(document: dict[str, Any], key: str) -> int:
    given = document.get(key, 0)
    if type(given) is not int:
        raise BadRule(f"{key} must be a whole number")
    return given


def _operator(word: str) -> str:
    known = {"gt": "gt", "greaterthan": "gt", "lt": "lt", "lessthan": "lt", "eq": "eq", "equal": "eq", "ne": "ne", "notequal": "ne"}
    found = known.get(str(word).lower())
    if found is None:
        raise BadRule(f"triggerOperator {word!r} is not known", hint="one of gt, lt, eq, ne")
    return found


def _mapping(entry: dict[str, Any]) -> EntityMapping:
    try:
        fields = tuple(FieldMapping(item["identifier"], item["columnName"]) for item in entry["fieldMappings"])
        return EntityMapping(entry["entityType"], fields)
    except (KeyError, TypeError) as error:
        raise BadRule("an entity mapping needs entityType and fieldMappings of identifier and columnName") from error


def _seconds(document: dict[str, Any], key: str, default: float) -> float:
    """`2s`, `5m`, `1h`, `1d`, `PT5M`, `P1D`, or a number of seconds."""
    given = document.get(key)
    if given is None:
        return default
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    seconds = duration_seconds(str(given))
    if seconds is None:
        raise BadRule(f"{key} {given!r} is no length of time", hint="write 5m, 1h or PT5M")
    return seconds


def duration_seconds(text: str) -> float | None:
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
    lowered = text.strip().lower()
    plain = lowered.removeprefix("p").replace("t", "") if lowered.startswith("p") else lowered
    total, number = 0.0, ""
    for letter in plain:
        if letter.isdigit() or letter == ".":
            number += letter
        elif letter in units and number:
            total += float(number) * units[letter]
            number = ""
        else:
            return None
    return total if plain and not number else None


def save_rule(session: Session, document: dict[str, Any], *, by: str, at: datetime, rule_id: str | None = None) -> Rule:
    """A new rule, switched off; or a new definition of one that is there, which keeps its switch."""
    definition = definition_from(document)
    wanted = rule_id or definition.rule_id or new_id("rule")
    row = session.get(Rule, wanted)
    if row is None:
        row = Rule(rule_id=wanted, is_enabled=False, is_shipped=False, alert_count=0)
        session.add(row)
    row.name, row.severity, row.definition = definition.name, definition.severity, document
    row.frequency_seconds, row.changed_at, row.changed_by = definition.frequency_seconds, at, by
    row.next_due_at = None
    _tell(session)
    session.flush()
    return row


def get_rule(session: Session, rule_id: str) -> Rule:
    found = session.get(Rule, rule_id)
    if found is None:
        raise NotFound("analytics rule", rule_id)
    return found


def all_rules(session: Session) -> list[Rule]:
    return list(session.scalars(select(Rule).order_by(Rule.name)))


def set_enabled(session: Session, rule_id: str, is_enabled: bool, *, by: str, at: datetime, frequency_seconds: float | None = None) -> Rule:
    """Switch a rule on or off. Switched on, it judges what arrives from its lookback before now on, not what lay there before."""
    row = get_rule(session, rule_id)
    if frequency_seconds is not None:
        if frequency_seconds < SMALLEST_SECONDS:
            raise BadRule(f"a rule runs every {SMALLEST_SECONDS:g} s at most")
        row.frequency_seconds, row.next_due_at = frequency_seconds, None
    if is_enabled and not row.is_enabled:
        row.next_due_at, row.seen_through, row.last_error = None, None, None
    row.is_enabled, row.changed_by, row.changed_at = is_enabled, by, at
    _tell(session)
    return row


def remove_rule(session: Session, rule_id: str) -> None:
    session.delete(get_rule(session, rule_id))
    _tell(session)


def _tell(session: Session) -> None:
    database: Database = session.info["database"]
    after_commit(session, lambda: database.tell(RULES_CHANGED))
