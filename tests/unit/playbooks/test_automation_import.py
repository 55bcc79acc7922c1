import json
from datetime import UTC, datetime
from typing import Any

import pytest

from guardship.playbooks.arm.place import ArmPlace
from guardship.playbooks.automation_import import Imported, import_automation
from guardship.playbooks.automation_rules import Conditions
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.validation import check_document

LOGIC = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Logic/workflows/Isolate"


def imported(kind: str, properties: dict[str, Any]) -> Imported:
    document = json.dumps({"$schema": "x", "resources": [{"type": kind, "name": "rule-1", "properties": properties}]})
    checked = check_document("", document, ConnectorSet([]), parameters={}, place=ArmPlace(), now=datetime.now(UTC))
    return import_automation(checked.automations[0])


def defender(*rule_sets: list[dict[str, str]], **more: Any) -> Imported:
    sources = [{"eventSource": "Alerts", "ruleSets": [{"rules": rules} for rules in rule_sets]}]
    actions = [{"actionType": "LogicApp", "logicAppResourceId": LOGIC, "uri": "https://secret"}]
    return imported(
        "Microsoft.Security/automations", {"isEnabled": True, "sources": sources, "actions": actions, "description": "High alerts", **more}
    )


def rule(path: str, operator: str, value: str) -> dict[str, str]:
    return {"propertyJPath": path, "propertyType": "String", "operator": operator, "expectedValue": value}


def test_a_workflow_automation_of_defender_becomes_a_rule_for_its_playbook() -> None:
    made = defender([rule("Severity", "Equals", "High")], [rule("Severity", "Equals", "Medium")])
    assert made.remarks == ()
    (one,) = made.rules
    assert (one.name, one.playbook_name) == ("High alerts", "Isolate")
    assert one.conditions == Conditions(severities=("High", "Medium"))


def test_what_our_conditions_cannot_say_is_named() -> None:
    made = defender([rule("Severity", "Equals", "High"), rule("AlertDisplayName", "Contains", "ransom")])
    assert made.rules[0].conditions == Conditions(severities=("High",))
    assert made.remarks == ("High alerts: the condition AlertDisplayName Contains ransom is not taken over",)


def test_groups_that_ask_for_different_things_are_not_taken_over_and_said_to_be_wider() -> None:
    made = defender([rule("Severity", "Equals", "High")], [rule("CompromisedEntity", "Contains", "web")])
    assert made.rules[0].conditions == Conditions()
    assert "of which one must hold" in made.remarks[0]


def sentinel(conditions: list[dict[str, Any]], actions: list[dict[str, Any]] | None = None, when: str = "Created") -> Imported:
    run = {"order": 1, "actionType": "RunPlaybook", "actionConfiguration": {"logicAppResourceId": LOGIC, "tenantId": "T"}}
    logic = {"isEnabled": True, "triggersOn": "Incidents", "triggersWhen": when, "conditions": conditions}
    properties = {"displayName": "Answer", "order": 7, "triggeringLogic": logic, "actions": actions or [run]}
    return imported("Microsoft.SecurityInsights/automationRules", properties)


def condition(name: str, operator: str, *values: str) -> dict[str, Any]:
    return {
        "conditionType": "Property",
        "conditionProperties": {"propertyName": name, "operator": operator, "propertyValues": list(values)},
    }


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (condition("IncidentSeverity", "Equals", "High", "Medium"), Conditions(severities=("High", "Medium"))),
        (condition("IncidentRelatedAnalyticRuleIds", "Contains", "/x/alertRules/R1"), Conditions(analytics_rules=("R1",))),
        (condition("AlertProductNames", "Equals", "Azure Sentinel"), Conditions(products=("Azure Sentinel",))),
        (condition("IncidentLabel", "Contains", "vip"), Conditions(tags=("vip",))),
        (condition("HostName", "StartsWith", "web"), Conditions(entities=("web*",))),
        (condition("IPAddress", "Contains", "203.0.113"), Conditions(entities=("*203.0.113*",))),
    ],
)
def test_conditions_of_sentinel_as_ours(given: dict[str, Any], wanted: Conditions) -> None:
    made = sentinel([given])
    assert made.remarks == ()
    assert (made.rules[0].conditions, made.rules[0].order) == (wanted, 7)


@pytest.mark.parametrize(
    "given",
    [
        condition("IncidentTitle", "Contains", "x"),
        condition("IncidentSeverity", "NotEquals", "Low"),
        condition("IncidentSeverity", "Equals", "Critical"),
        {"conditionType": "PropertyChanged", "conditionProperties": {"propertyName": "IncidentStatus", "changeType": "ChangedTo"}},
    ],
)
def test_conditions_that_are_not_ours_are_remarked(given: dict[str, Any]) -> None:
    made = sentinel([given])
    assert made.rules[0].conditions == Conditions()
    assert len(made.remarks) == 1


def test_other_actions_and_updates_are_remarked() -> None:
    assign = {"order": 2, "actionType": "ModifyProperties", "actionConfiguration": {"severity": "High"}}
    run = {"order": 1, "actionType": "RunPlaybook", "actionConfiguration": {"logicAppResourceId": LOGIC}}
    made = sentinel([], [assign, run], when="Updated")
    assert len(made.rules) == 1
    assert made.remarks == (
        "Answer: the action ModifyProperties is not taken over",
        "Answer: it answers changes of incidents there, and new ones here",
    )
