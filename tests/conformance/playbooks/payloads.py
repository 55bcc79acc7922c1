"""The whole of `triggerBody()` for each published trigger, as the reference prints it."""

import json
from typing import Any

T = "2026-11-24T03:14:05.1234560Z"
S = "5a1e0000-0000-4000-8000-000000000001"
VM = f"/subscriptions/{S}/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/web1"
WS = f"/subscriptions/{S}/resourceGroups/RG/providers/Microsoft.OperationalInsights/workspaces/soc"
WORKSPACE_ID = "9a7d0000-0000-4000-8000-000000000001"
INCIDENT = f"{WS}/providers/Microsoft.SecurityInsights/Incidents/I1"
NOBODY = {"objectId": None, "email": None, "assignedTo": None, "userPrincipalName": None}


def security_center_alert() -> dict[str, Any]:
    return {
        "VendorName": "Microsoft",
        "AlertType": "VM_SuspectProcess",
        "StartTimeUtc": T,
        "EndTimeUtc": T,
        "ProcessingEndTime": T,
        "TimeGenerated": T,
        "IsIncident": False,
        "Severity": "High",
        "Status": "New",
        "ProductName": "Microsoft Defender for Cloud",
        "ProductComponentName": "Servers",
        "SystemAlertId": "2517_4f1c2d",
        "CompromisedEntity": "web1",
        "Intent": "Execution",
        "AlertDisplayName": "Suspicious process",
        "Description": "Ran from /tmp",
        "RemediationSteps": ["Isolate it"],
        "ExtendedProperties": {"compromised host": "web1"},
        "AlertUri": "https://p/alerts/2517_4f1c2d",
        "AzureResourceId": VM,
        "Entities": [
            {"$id": "1", "Type": "host", "HostName": "web1", "AzureID": VM},
            {"$id": "2", "Type": "ip", "Address": "198.51.100.7"},
        ],
        "ResourceIdentifiers": [
            {"Type": "AzureResource", "AzureResourceId": VM},
            {
                "Type": "LogAnalytics",
                "WorkspaceId": WORKSPACE_ID,
                "WorkspaceSubscriptionId": S,
                "WorkspaceResourceGroup": "RG",
                "AgentId": "A",
            },
        ],
    }


def sentinel_alert() -> dict[str, Any]:
    entities = [{"Type": "account", "Name": "ada", "UPNSuffix": "example.org"}, {"Type": "ip", "Address": "198.51.100.7"}]
    return {
        "WorkspaceSubscriptionId": S,
        "WorkspaceResourceGroup": "RG",
        "WorkspaceId": WORKSPACE_ID,
        "SystemAlertId": "7c0d",
        "ProviderAlertId": "p-1",
        "AlertDisplayName": "Many failed logons",
        "AlertType": "RULE_7c0d",
        "Severity": "Medium",
        "Description": "20 failures",
        "TimeGenerated": T,
        "StartTimeUtc": T,
        "EndTimeUtc": T,
        "ProductName": "Azure Sentinel",
        "Entities": json.dumps(entities),
        "ExtendedProperties": json.dumps({"Query": "SecurityEvent | take 1", "Rows": "20"}),
        "ExtendedLinks": "[]",
        "AlertUri": "https://p/alerts/7c0d",
    }


def sentinel_incident() -> dict[str, Any]:
    alert = {
        "id": f"{WS}/providers/Microsoft.SecurityInsights/Entities/A1",
        "name": "A1",
        "type": "Microsoft.SecurityInsights/Entities",
        "kind": "SecurityAlert",
        "properties": {
            "systemAlertId": "7c0d",
            "alertDisplayName": "Many failed logons",
            "severity": "Medium",
            "tactics": ["InitialAccess"],
            "additionalData": {"Query": "SecurityEvent | take 1"},
        },
    }
    properties = {
        "title": "Many failed logons",
        "description": "d",
        "severity": "Medium",
        "status": "New",
        "owner": NOBODY,
        "labels": [{"labelName": "vip", "labelType": "User"}],
        "firstActivityTimeUtc": T,
        "lastActivityTimeUtc": T,
        "lastModifiedTimeUtc": T,
        "createdTimeUtc": T,
        "incidentNumber": 42,
        "additionalData": {
            "alertsCount": 1,
            "bookmarksCount": 0,
            "commentsCount": 0,
            "alertProductNames": ["Azure Sentinel"],
            "tactics": ["InitialAccess"],
            "techniques": ["T1110"],
        },
        "relatedAnalyticRuleIds": [f"{WS}/providers/Microsoft.SecurityInsights/alertRules/R1"],
        "incidentUrl": "https://p/incidents/I1",
        "providerName": "Azure Sentinel",
        "providerIncidentId": "42",
        "classification": None,
        "classificationReason": None,
        "classificationComment": None,
        "Alerts": [alert],
        "bookmarks": [],
        "comments": [],
        "relatedEntities": [
            _entity("E1", "Ip", {"address": "198.51.100.7", "friendlyName": "198.51.100.7"}),
            _entity("E2", "Host", {"hostName": "web1", "dnsDomain": "example.org", "azureID": VM}),
        ],
    }
    return {
        "eventUniqueId": "e1",
        "objectSchemaType": "Incident",
        "objectEventType": "Create",
        "workspaceInfo": {"SubscriptionId": S, "ResourceGroupName": "RG", "WorkspaceName": "soc"},
        "workspaceId": WORKSPACE_ID,
        "object": {
            "id": INCIDENT,
            "name": "I1",
            "etag": '"0"',
            "type": "Microsoft.SecurityInsights/Incidents",
            "properties": properties,
        },
        "incidentUpdates": {"updatedBy": {"name": None}, "updatedFields": [], "alerts": [], "tactics": [], "labels": [], "comments": []},
    }


def _entity(name: str, kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    place = f"{WS}/providers/Microsoft.SecurityInsights/Entities/{name}"
    return {"id": place, "name": name, "type": "Microsoft.SecurityInsights/Entities", "kind": kind, "properties": properties}


def sentinel_entity() -> dict[str, Any]:
    entity = _entity("E3", "Account", {"Name": "ada", "UPNSuffix": "example.org", "AadUserId": "u1"})
    return {"IncidentArmID": INCIDENT, "Entity": entity}


def recommendation() -> dict[str, Any]:
    return {
        "id": f"{VM}/providers/Microsoft.Security/assessments/N1",
        "name": "N1",
        "type": "Microsoft.Security/assessments",
        "properties": {
            "displayName": "Install updates",
            "resourceDetails": {"source": "Azure", "id": VM, "ResourceName": "web1"},
            "status": {"code": "Unhealthy", "cause": None, "description": None},
            "metadata": {"displayName": "Install updates", "description": "d", "remediationDescription": "r", "severity": "Medium"},
            "links": {"azurePortal": "portal/assessments/N1", "azurePortalUri": "portal/assessments/N1"},
        },
    }


_MADE = {
    "security_center_alert": security_center_alert,
    "sentinel_alert": sentinel_alert,
    "sentinel_incident": sentinel_incident,
    "recommendation": recommendation,
}


def published(payload: str) -> dict[str, Any] | None:
    """By the name a trigger gives it; an entity's may end in its kind."""
    make = sentinel_entity if payload.startswith("sentinel_entity") else _MADE.get(payload)
    return make() if make else None


def batch(name: str, item: Any) -> dict[str, Any]:
    content = {"batchName": name, "partitionName": "DEFAULT", "messageId": "m1", "content": item}
    return {"batchName": name, "partitionName": "DEFAULT", "items": [content]}
