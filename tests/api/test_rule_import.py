"""Automation rules of Azure come in as rules of ours, off, for playbooks that are here."""

import json
from typing import Any

import httpx


def template(playbook: str) -> str:
    action = {
        "actionType": "LogicApp",
        "logicAppResourceId": f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Logic/workflows/{playbook}",
    }
    rules = [{"propertyJPath": "Severity", "propertyType": "String", "operator": "Equals", "expectedValue": "High"}]
    sources = [{"eventSource": "Alerts", "ruleSets": [{"rules": rules}]}]
    properties: dict[str, Any] = {"isEnabled": True, "sources": sources, "actions": [action]}
    return json.dumps(
        {"$schema": "x", "resources": [{"type": "Microsoft.Security/automations", "name": f"answer {playbook}", "properties": properties}]}
    )


def test_an_imported_rule_is_off_and_bound_to_the_playbook_of_that_name(api: httpx.Client) -> None:
    actions = {"A": {"type": "Compose", "inputs": 1, "runAfter": {}}}
    triggers = {"manual": {"type": "Request", "inputs": {}}}
    (draft,) = api.post(
        "playbooks", json={"name": "Imported answer", "document": json.dumps({"triggers": triggers, "actions": actions})}
    ).json()
    made = api.post("automation-rules/import", json={"document": template("Imported answer")}).raise_for_status().json()
    (rule,) = made["rules"]
    assert (rule["is_enabled"], rule["playbook_id"], rule["conditions"]["severities"]) == (False, draft["playbook_id"], ["High"])
    again = api.post("automation-rules/import", json={"document": template("Imported answer")}).json()
    assert again["rules"] == []
    assert "already" in again["remarks"][0]


def test_a_rule_for_a_playbook_that_is_not_here_says_which(api: httpx.Client) -> None:
    made = api.post("automation-rules/import", json={"document": template("Nowhere")}).json()
    assert made["rules"] == []
    assert "no playbook called Nowhere" in made["remarks"][0]


def test_a_document_without_rules_is_refused(api: httpx.Client) -> None:
    answer = api.post("automation-rules/import", json={"document": "{}"})
    assert answer.status_code == 400
    assert "no automation rule" in answer.json()["detail"]
