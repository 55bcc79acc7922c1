"""Rules of Azure that start playbooks, as automation rules of ours: off, like every new one.

A workflow automation of Defender for Cloud and an automation rule of Sentinel become one rule for each playbook they run. What our conditions
cannot say is named, and such a rule is wider than the one it was made from: a person looks at it before switching it on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guardship.playbooks.arm.found import FoundAutomation, FoundCondition, FoundSource
from guardship.playbooks.automation_rules import SEVERITIES, Conditions

_SEVERITIES = {severity.lower(): severity for severity in SEVERITIES}
_FIELDS = {
    "severity": "severities",
    "incidentseverity": "severities",
    "alertseverity": "severities",
    "incidentrelatedanalyticruleids": "analytics_rules",
    "alertanalyticruleids": "analytics_rules",
    "productname": "products",
    "alertproductnames": "products",
    "incidentlabel": "tags",
    "compromisedentity": "entities",
    "accountname": "entities",
    "accountupnsuffix": "entities",
    "hostname": "entities",
    "hostazureid": "entities",
    "ipaddress": "entities",
    "url": "entities",
    "filename": "entities",
    "filehashvalue": "entities",
}
_PATTERNS = {
    "equals": "{}",
    "contains": "*{}*",
    "startswith": "{}*",
    "beginswith": "{}*",
    "endswith": "*{}",
}
_RUNS_PLAYBOOK = ("logicapp", "runplaybook")


@dataclass(frozen=True, slots=True)
class ImportedRule:
    name: str
    playbook_name: str
    conditions: Conditions
    order: int


@dataclass(frozen=True, slots=True)
class Imported:
    """`remarks` say in words what was not taken over."""

    rules: tuple[ImportedRule, ...]
    remarks: tuple[str, ...]


def import_automation(automation: FoundAutomation) -> Imported:
    remarks: list[str] = []
    conditions = _conditions(automation, remarks)
    rules: list[ImportedRule] = []
    for step in automation.actions:
        if step.kind.lower() not in _RUNS_PLAYBOOK or not step.logic_app:
            remarks.append(f"{automation.display_name}: the action {step.kind or '(none)'} is not taken over")
            continue
        name = automation.display_name if not rules else f"{automation.display_name} ({step.logic_app})"
        rules.append(ImportedRule(name[:120], step.logic_app, conditions, automation.order or 100))
    if automation.triggers_when.lower() == "updated":
        remarks.append(f"{automation.display_name}: it answers changes of incidents there, and new ones here")
    return Imported(tuple(rules), tuple(remarks))


def _conditions(automation: FoundAutomation, remarks: list[str]) -> Conditions:
    """Several groups, of which one must hold, come to one list of values where they ask for the same single thing."""
    groups = [group for source in automation.sources for group in _groups(source)]
    if not groups:
        return Conditions()
    asked = [_fields_of(group, automation.display_name, remarks) for group in groups]
    if len(asked) == 1:
        return _made(asked[0])
    names = {frozenset(fields) for fields in asked}
    if len(names) == 1 and len(next(iter(names))) == 1:
        (name,) = next(iter(names))
        return _made({name: [value for fields in asked for value in fields[name]]})
    remarks.append(
        f"{automation.display_name}: it has {len(asked)} groups of conditions of which one must hold, and none of them is taken over"
    )
    return Conditions()


def _groups(source: FoundSource) -> Sequence[tuple[FoundCondition, ...]]:
    return [group for group in source.any_of if group]


def _fields_of(group: Sequence[FoundCondition], name: str, remarks: list[str]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for condition in group:
        field, values = _read(condition)
        if field is None or field in fields:  # a second condition of one kind would have to hold as well
            told = ", ".join(condition.values)
            remarks.append(f"{name}: the condition {condition.property} {condition.operator} {told} is not taken over".replace("  ", " "))
        else:
            fields[field] = values
    return fields


def _read(condition: FoundCondition) -> tuple[str | None, list[str]]:
    field = _FIELDS.get(condition.property.rsplit(".", 1)[-1].lower())
    pattern = _PATTERNS.get(condition.operator.lower())
    if field is None or pattern is None or not condition.values:
        return None, []
    if field == "severities":
        known = [_SEVERITIES.get(value.lower()) for value in condition.values]
        return ("severities", [each for each in known if each]) if pattern == "{}" and all(known) else (None, [])
    values = [value.rstrip("/").rsplit("/", 1)[-1] if field == "analytics_rules" else value for value in condition.values]
    if field in ("analytics_rules", "tags") and pattern == "*{}*":
        pattern = "{}"  # of a list: one of them is this
    return field, [pattern.format(value) for value in values]


def _made(fields: Mapping[str, list[str]]) -> Conditions:
    return Conditions.of({name: list(dict.fromkeys(values)) for name, values in fields.items()})
