"""What is read of each kind of resource."""

from typing import Any

import pytest
from tests.unit.playbooks.arm.templates import read, workflow

from guardship.playbooks.arm.found import FoundCondition, FoundSource, FoundStep
from guardship.playbooks.arm.resources import built_in_roles
from guardship.playbooks.arm.swagger import operations_of, service_uri

API = "[concat(subscription().id, '/providers/Microsoft.Web/locations/', resourceGroup().location, '/managedApis/AzureSentinel')]"
GROUP = "/subscriptions/S/resourceGroups/G"


def test_a_workflow_keeps_its_state_tags_and_identity() -> None:
    connections = {"$connections": {"value": {"sentinel_1": {"id": API, "connectionName": "[toLower('S')]"}}}}
    resource = workflow(
        {},
        properties={"state": "Disabled", "parameters": connections},
        tags={"hidden-SentinelTemplateName": "[concat('Block', '-IP')]"},
        identity={"type": "SystemAssigned"},
        location="[resourceGroup().location]",
        kind="Stateful",
    )
    one = read({"resources": [resource]}).workflows[0]
    assert (one.is_enabled, one.kind, one.location) == (False, "Stateful", "westeurope")
    assert (one.tags, one.identity) == ({"hidden-SentinelTemplateName": "Block-IP"}, {"type": "SystemAssigned"})
    entry = one.parameters["$connections"]["sentinel_1"]
    assert entry["id"].endswith("/locations/westeurope/managedApis/AzureSentinel")
    assert entry["connectionName"] == "s"


def test_a_connection_names_its_connector_and_takes_no_secret_over() -> None:
    values = {
        "server": "https://x",
        "name": "[parameters('Name')]",
        "password": "p4ss",
        "token:clientSecret": "x",
        "site": "[parameters('Missing')]",
        "folder": "[variables('v')]",
        "empty": "",
        "wrong": "[concat(]",
    }
    properties = {"displayName": "[parameters('Name')]", "api": {"id": API}, "parameterValues": values}
    template = {
        "parameters": {"Name": {"type": "string", "defaultValue": "pb"}, "Missing": {"type": "string"}},
        "resources": [{"type": "MICROSOFT.WEB/CONNECTIONS", "name": "[parameters('Name')]", "properties": properties}],
    }
    found = read(template)
    assert found.problems == []
    one = found.connections[0]
    assert (one.name, one.connector, one.display_name, one.values) == ("pb", "azuresentinel", "pb", {"server": "https://x", "name": "pb"})
    assert one.asked == ("password", "token:clientSecret", "site", "folder", "empty", "wrong")
    assert "p4ss" not in repr(found)


SWAGGER = {
    "swagger": "2.0",
    "host": "api.example.org",
    "basePath": "/v1/",
    "schemes": ["http", "https"],
    "parameters": {"limit": {"name": "limit", "in": "query", "type": "integer", "description": "At most"}},
    "paths": {
        "/users/{id}": {
            "parameters": [{"name": "id", "in": "path", "type": "string", "required": True}],
            "get": {
                "operationId": "GetUser",
                "summary": "Get a user",
                "parameters": [
                    {"$ref": "#/parameters/limit"},
                    {"name": "body", "in": "body", "schema": {"type": "object"}},
                    {"$ref": "#/parameters/none"},
                ],
            },
            "DELETE": {"description": "Remove it"},
            "x-note": {},
        },
        "/broken": [],
    },
}


def test_a_custom_connector_lists_its_operations() -> None:
    resource = {"type": "Microsoft.Web/customApis", "name": "c", "properties": {"displayName": "C", "swagger": SWAGGER}}
    connector = read({"resources": [resource]}).custom_connectors[0]
    assert (connector.display_name, connector.service_uri) == ("C", "https://api.example.org/v1")
    get, delete = connector.operations
    assert (get.operation_id, get.method, get.path, get.summary) == ("GetUser", "GET", "/users/{id}", "Get a user")
    assert [(one.name, one.place, one.kind, one.is_required, one.summary) for one in get.parameters] == [
        ("id", "path", "string", True, ""),
        ("limit", "query", "integer", False, "At most"),
        ("body", "body", "object", False, ""),
    ]
    assert (delete.operation_id, delete.method, [one.name for one in delete.parameters]) == ("DELETE /users/{id}", "DELETE", ["id"])


def test_a_custom_connector_may_be_described_elsewhere() -> None:
    properties = {"backendService": {"serviceUrl": "https://b"}, "apiDefinitions": {"originalSwaggerUrl": "https://s"}}
    connector = read({"resources": [{"type": "Microsoft.Web/customApis", "name": "c", "properties": properties}]}).custom_connectors[0]
    assert (connector.service_uri, connector.swagger_uri, connector.operations) == ("https://b", "https://s", ())
    assert (operations_of(None), service_uri({}), service_uri({"host": "h", "schemes": ["http"]})) == ((), "", "http://h")


@pytest.mark.parametrize(
    ("more", "scope"),
    [
        ({}, GROUP),
        ({"scope": "[concat('Microsoft.Network/frontDoors', '/', 'fd')]"}, f"{GROUP}/providers/Microsoft.Network/frontDoors/fd"),
        ({"scope": "[subscription().id]"}, "/subscriptions/S"),
        (
            {"type": "Microsoft.KeyVault/vaults/providers/roleAssignments", "name": "kv/Microsoft.Authorization/a"},
            f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv",
        ),
    ],
)
def test_a_role_assignment_tells_role_scope_and_principal(more: dict[str, Any], scope: str) -> None:
    role = "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '3e150937-b8fe-4cfb-8069-0eaf05ecd056')]"
    properties = {"roleDefinitionId": role, "principalId": "[reference('w', '2017-07-01', 'full').identity.principalId]"}
    resource = {"type": "Microsoft.Authorization/roleAssignments", "name": "a", "properties": properties, **more}
    found = read({"resources": [resource]})
    one = found.role_assignments[0]
    assert (one.name, one.role, one.scope) == ("a", "Microsoft Sentinel Responder", scope)
    assert one.principal == "<known after deployment: reference('w', '2017-07-01', 'full').identity.principalId>"
    assert (found.problems, len(found.needs_deployment)) == ([], 1)


def test_role_ids_are_written_once_and_whole() -> None:
    roles = built_in_roles()
    assert all(len(role_id) == 36 and role_id == role_id.lower() for role_id in roles)
    assert len(set(roles.values())) == len(roles)


def test_an_automation_of_defender_tells_what_starts_which_playbook() -> None:
    rule = {"propertyJPath": "Severity", "propertyType": "String", "expectedValue": "High", "operator": "Equals"}
    properties = {
        "isEnabled": True,
        "description": "High alerts",
        "scopes": [{"scopePath": "[subscription().id]"}],
        "sources": [{"eventSource": "Alerts", "ruleSets": [{"rules": [rule]}]}],
        "actions": [
            {
                "actionType": "LogicApp",
                "logicAppResourceId": "[resourceId('Microsoft.Logic/workflows', 'isolate')]",
                "uri": "[listCallbackURL(resourceId('Microsoft.Logic/workflows/triggers', 'isolate', 'manual'), '2016-06-01').value]",
            }
        ],
    }
    found = read({"resources": [{"type": "Microsoft.Security/automations", "name": "a", "properties": properties}]})
    one = found.automations[0]
    assert (one.name, one.display_name, one.kind, one.is_enabled, one.scopes) == (
        "a",
        "High alerts",
        "security",
        True,
        ("/subscriptions/S",),
    )
    assert one.sources == (FoundSource("Alerts", ((FoundCondition("Severity", "Equals", ("High",)),),)),)
    assert one.actions == (FoundStep("LogicApp", "isolate"),)
    assert found.problems == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Microsoft.SecurityInsights/automationRules", "r"),
        ("Microsoft.OperationalInsights/workspaces/providers/automationRules", "ws/Microsoft.SecurityInsights/r"),
    ],
)
def test_an_automation_rule_of_sentinel_tells_its_conditions_and_steps_in_order(kind: str, name: str) -> None:
    condition = {
        "conditionType": "Property",
        "conditionProperties": {"propertyName": "IncidentSeverity", "operator": "Equals", "propertyValues": ["High"]},
    }
    properties = {
        "displayName": "Isolate",
        "order": 3,
        "triggeringLogic": {"isEnabled": False, "triggersOn": "Incidents", "triggersWhen": "Updated", "conditions": [condition]},
        "actions": [
            {
                "order": 2,
                "actionType": "RunPlaybook",
                "actionConfiguration": {"logicAppResourceId": "/x/workflows/isolate", "tenantId": "T"},
            },
            {"order": 1, "actionType": "ModifyProperties", "actionConfiguration": {"severity": "High"}},
        ],
    }
    one = read({"resources": [{"type": kind, "name": name, "properties": properties}]}).automations[0]
    assert (one.name, one.display_name, one.kind, one.is_enabled, one.order, one.triggers_when) == (
        "r",
        "Isolate",
        "sentinel",
        False,
        3,
        "Updated",
    )
    assert one.sources == (FoundSource("Incidents", ((FoundCondition("IncidentSeverity", "Equals", ("High",)),),)),)
    assert one.actions == (FoundStep("ModifyProperties", None, {"severity": "High"}), FoundStep("RunPlaybook", "isolate"))


def test_everything_else_is_ignored_by_type_and_name() -> None:
    found = read({"resources": [{"type": "Microsoft.Insights/workbooks", "name": "[guid('a')]", "properties": {"x": "[nope()]"}}]})
    assert len(found.ignored) == 1
    assert found.ignored[0].startswith("Microsoft.Insights/workbooks ")
    assert found.problems == []
