"""An alert as the triggers of playbooks know it: the whole `triggerBody()` of each, in the shape that is published.

Defender's trigger carries lists and objects; Sentinel's carries the same as strings of JSON. Times have seven digits.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from guardship.clock import azure_time
from guardship.detection.entities import Entity
from guardship.detection.workspace_address import WorkspaceAddress

VENDOR = "Guardship"


@dataclass(frozen=True, slots=True)
class AlertText:
    """The alert's own values, as the shapes below print them."""

    alert_id: str
    alert_type: str
    title: str
    description: str
    severity: str
    status: str
    product: str
    component: str
    tactics: list[str]
    entities: list[Entity]
    compromised_entity: str
    azure_resource_id: str | None
    started_at: datetime
    ended_at: datetime
    raised_at: datetime
    properties: dict[str, str]
    remediation_steps: list[str]
    query: str


def security_center_alert(alert: AlertText, address: WorkspaceAddress) -> dict[str, Any]:
    """`/Microsoft.Security/Alert/subscribe`, Defender's alert."""
    log_analytics = {
        "Type": "LogAnalytics",
        "WorkspaceId": address.workspace_id,
        "WorkspaceSubscriptionId": address.subscription_id,
        "WorkspaceResourceGroup": address.resource_group,
        "AgentId": "",
    }
    azure = [{"Type": "AzureResource", "AzureResourceId": alert.azure_resource_id}] if alert.azure_resource_id else []
    return {
        "VendorName": VENDOR,
        "AlertType": alert.alert_type,
        "StartTimeUtc": azure_time(alert.started_at),
        "EndTimeUtc": azure_time(alert.ended_at),
        "ProcessingEndTime": azure_time(alert.raised_at),
        "TimeGenerated": azure_time(alert.raised_at),
        "IsIncident": False,
        "Severity": alert.severity,
        "Status": alert.status,
        "ProductName": alert.product,
        "ProductComponentName": alert.component,
        "SystemAlertId": alert.alert_id,
        "CompromisedEntity": alert.compromised_entity,
        "Intent": ",".join(alert.tactics) or "Unknown",
        "AlertDisplayName": alert.title,
        "Description": alert.description,
        "RemediationSteps": alert.remediation_steps,
        "ExtendedProperties": {"compromised host": alert.compromised_entity, **alert.properties},
        "AlertUri": address.alert_url(alert.alert_id),
        "AzureResourceId": alert.azure_resource_id or "",
        "Entities": alert.entities,
        "ResourceIdentifiers": [*azure, log_analytics],
    }


def sentinel_alert(alert: AlertText, address: WorkspaceAddress) -> dict[str, Any]:
    """`/subscribe`, Sentinel's alert."""
    properties = {"Query": alert.query, **alert.properties}
    return {
        "WorkspaceSubscriptionId": address.subscription_id,
        "WorkspaceResourceGroup": address.resource_group,
        "WorkspaceId": address.workspace_id,
        "SystemAlertId": alert.alert_id,
        "ProviderAlertId": alert.alert_id,
        "AlertDisplayName": alert.title,
        "AlertType": alert.alert_type,
        "Severity": alert.severity,
        "Description": alert.description,
        "TimeGenerated": azure_time(alert.raised_at),
        "StartTimeUtc": azure_time(alert.started_at),
        "EndTimeUtc": azure_time(alert.ended_at),
        "ProductName": alert.product,
        "Entities": json.dumps(alert.entities, ensure_ascii=False),
        "ExtendedProperties": json.dumps(properties, ensure_ascii=False),
        "ExtendedLinks": "[]",
        "AlertUri": address.alert_url(alert.alert_id),
    }
