"""Rules in a template that start playbooks: workflow automations of Defender for Cloud, automation rules of Sentinel."""

from collections.abc import Mapping
from typing import Any

from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.found import FoundAutomation, FoundCondition, FoundSource, FoundStep
from guardship.playbooks.arm.resources import object_of, text_in


def read_security_automation(name: str, resource: Mapping[str, Any]) -> FoundAutomation:
    """`Microsoft.Security/automations`: sources with rule sets, and actions of the type LogicApp."""
    properties = object_of(resource, "properties")
    return FoundAutomation(
        name,
        text_in(properties, "description", name),
        "security",
        field_of(properties, "isEnabled", True) is not False,
        tuple(text_in(scope, "scopePath") for scope in _objects(properties, "scopes")),
        tuple(_source(source) for source in _objects(properties, "sources")),
        tuple(_step(action, action) for action in _objects(properties, "actions")),
    )


def _source(source: Mapping[str, Any]) -> FoundSource:
    groups = []
    for rule_set in _objects(source, "ruleSets"):
        rules = _objects(rule_set, "rules")
        groups.append(
            tuple(
                FoundCondition(text_in(rule, "propertyJPath"), text_in(rule, "operator"), (text_in(rule, "expectedValue"),))
                for rule in rules
            )
        )
    return FoundSource(text_in(source, "eventSource"), tuple(groups))


def read_automation_rule(name: str, resource: Mapping[str, Any], scope: str) -> FoundAutomation:
    """`Microsoft.SecurityInsights/automationRules`: when an incident or alert comes or changes, and steps in their order."""
    properties = object_of(resource, "properties")
    logic = object_of(properties, "triggeringLogic")
    conditions = tuple(
        _condition(object_of(condition, "conditionProperties"), text_in(condition, "conditionType"))
        for condition in _objects(logic, "conditions")
    )
    actions = sorted(_objects(properties, "actions"), key=lambda action: _whole(field_of(action, "order")))
    return FoundAutomation(
        name,
        text_in(properties, "displayName", name),
        "sentinel",
        field_of(logic, "isEnabled", True) is not False,
        (scope,) if scope else (),
        (FoundSource(text_in(logic, "triggersOn", "Incidents"), (conditions,) if conditions else ()),),
        tuple(_step(action, object_of(action, "actionConfiguration")) for action in actions),
        _whole(field_of(properties, "order")),
        text_in(logic, "triggersWhen", "Created"),
    )


def _condition(properties: Mapping[str, Any], kind: str) -> FoundCondition:
    """Of a property; of other kinds the kind stands for the property, and its settings are left to be read by a person."""
    values = field_of(properties, "propertyValues") or field_of(properties, "changeType") or ()
    listed = values if isinstance(values, list | tuple) else (values,)
    return FoundCondition(text_in(properties, "propertyName", kind), text_in(properties, "operator"), tuple(map(str, listed)))


def _step(action: Mapping[str, Any], settings: Mapping[str, Any]) -> FoundStep:
    """The address of a logic app holds its signature, so it is not taken over."""
    resource_id = text_in(settings, "logicAppResourceId")
    kept = {name: value for name, value in settings.items() if name.lower() not in ("uri", "actiontype", "logicappresourceid", "tenantid")}
    return FoundStep(text_in(action, "actionType"), resource_id.rstrip("/").rsplit("/", 1)[-1] or None, kept)


def _objects(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    listed = field_of(document, name)
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
