"""An incident, and an entity of one, as Sentinel's triggers know them: the whole `triggerBody()` in the shape that is published.

Entities are named there by kind with properties in lower camel case (`hostName`, `azureID`); the trigger of a single entity keeps the
names the alert has (`HostName`).
"""

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from guardship.clock import azure_time
from guardship.detection.entities import Entity
from guardship.detection.incidents import Incident
from guardship.detection.triggers import AlertText
from guardship.detection.workspace_address import WorkspaceAddress

PROVIDER = "Microsoft.SecurityInsights"
_SPACE = uuid.UUID("3d7f6b1c-4a52-5d0e-9c11-6f2f1f2b7a10")
_KINDS = {
    "account": "Account",
    "host": "Host",
    "ip": "Ip",
    "url": "Url",
    "process": "Process",
    "file": "File",
    "filehash": "FileHash",
    "malware": "Malware",
    "dns": "DnsResolution",
    "registry-key": "RegistryKey",
    "registry-value": "RegistryValue",
    "azure-resource": "AzureResource",
    "security-group": "SecurityGroup",
    "cloud-application": "CloudApplication",
    "mailbox": "Mailbox",
    "mail-message": "MailMessage",
    "mail-cluster": "MailCluster",
}
_FRIENDLY = ("HostName", "Address", "Name", "Url", "DomainName", "Value", "ResourceId", "CommandLine", "ProcessId", "Key")
_LEADING = re.compile(r"^[A-Z]+(?=[A-Z][a-z])|^[A-Z]")


def incident_arm_id(incident_id: str, address: WorkspaceAddress) -> str:
    return f"{address.arm_id}/providers/{PROVIDER}/Incidents/{incident_id}"


def sentinel_incident(incident: Incident, alerts: Sequence[AlertText], address: WorkspaceAddress) -> dict[str, Any]:
    """`/incident-creation`."""
    return {
        "eventUniqueId": str(uuid.uuid5(_SPACE, f"{incident.incident_id}/created")),
        "objectSchemaType": "Incident",
        "objectEventType": "Create",
        "workspaceInfo": {
            "SubscriptionId": address.subscription_id,
            "ResourceGroupName": address.resource_group,
            "WorkspaceName": address.workspace_name,
        },
        "workspaceId": address.workspace_id,
        "object": {
            "id": incident_arm_id(incident.incident_id, address),
            "name": incident.incident_id,
            "etag": f'"{int(incident.modified_at.timestamp())}"',
            "type": f"{PROVIDER}/Incidents",
            "properties": _properties(incident, alerts, address),
        },
        "incidentUpdates": {
            "updatedBy": {"name": None},
            "updatedFields": [],
            "alerts": [],
            "tactics": [],
            "labels": [],
            "comments": [],
        },
    }


def _properties(incident: Incident, alerts: Sequence[AlertText], address: WorkspaceAddress) -> dict[str, Any]:
    owner = incident.owner
    return {
        "title": incident.title,
        "description": incident.description or "",
        "severity": incident.severity,
        "status": incident.status,
        "owner": {"objectId": None, "email": None, "assignedTo": owner, "userPrincipalName": owner if owner and "@" in owner else None},
        "labels": [{"labelName": tag, "labelType": "User"} for tag in incident.tags],
        "firstActivityTimeUtc": azure_time(incident.first_activity_at),
        "lastActivityTimeUtc": azure_time(incident.last_activity_at),
        "lastModifiedTimeUtc": azure_time(incident.modified_at),
        "createdTimeUtc": azure_time(incident.created_at),
        "incidentNumber": incident.number,
        "additionalData": {
            "alertsCount": len(incident.alert_ids),
            "bookmarksCount": 0,
            "commentsCount": 0,
            "alertProductNames": incident.products,
            "tactics": incident.tactics,
            "techniques": incident.techniques,
        },
        "relatedAnalyticRuleIds": [f"{address.arm_id}/providers/{PROVIDER}/alertRules/{rule_id}" for rule_id in incident.rule_ids],
        "incidentUrl": address.incident_url(incident.incident_id),
        "providerName": "Azure Sentinel",
        "providerIncidentId": str(incident.number),
        "classification": incident.classification,
        "classificationReason": incident.classification_reason,
        "classificationComment": incident.classification_comment,
        "Alerts": [_alert(alert, address) for alert in alerts],
        "bookmarks": [],
        "comments": [],
        "relatedEntities": related_entities((entity for alert in alerts for entity in alert.entities), address),
    }


def _alert(alert: AlertText, address: WorkspaceAddress) -> dict[str, Any]:
    return {
        "id": f"{address.arm_id}/providers/{PROVIDER}/Entities/{alert.alert_id}",
        "name": alert.alert_id,
        "type": f"{PROVIDER}/Entities",
        "kind": "SecurityAlert",
        "properties": {
            "systemAlertId": alert.alert_id,
            "alertDisplayName": alert.title,
            "friendlyName": alert.title,
            "description": alert.description,
            "severity": alert.severity,
            "status": alert.status,
            "productName": alert.product,
            "vendorName": "Guardship",
            "alertType": alert.alert_type,
            "alertLink": address.alert_url(alert.alert_id),
            "providerAlertId": alert.alert_id,
            "tactics": alert.tactics,
            "startTimeUtc": azure_time(alert.started_at),
            "endTimeUtc": azure_time(alert.ended_at),
            "timeGenerated": azure_time(alert.raised_at),
            "processingEndTime": azure_time(alert.raised_at),
            "resourceIdentifiers": [],
            "additionalData": {"Query": alert.query, **alert.properties},
        },
    }


def related_entities(entities: Iterable[Entity], address: WorkspaceAddress) -> list[dict[str, Any]]:
    """Each thing once, however many alerts name it."""
    found: dict[str, dict[str, Any]] = {}
    for entity in entities:
        made = _related(entity, address)
        found.setdefault(made["name"], made)
    return list(found.values())


def _related(entity: Entity, address: WorkspaceAddress) -> dict[str, Any]:
    name = entity_name(entity)
    own = {name: value for name, value in entity.items() if name not in ("$id", "Type") and not _is_reference(value)}
    label = next((str(own[field]) for field in _FRIENDLY if own.get(field)), "")
    properties = {_LEADING.sub(lambda match: match[0].lower(), field): value for field, value in own.items()}
    return {
        "id": f"{address.arm_id}/providers/{PROVIDER}/Entities/{name}",
        "name": name,
        "type": f"{PROVIDER}/Entities",
        "kind": _KINDS.get(str(entity.get("Type")), "Unknown"),
        "properties": properties | {"friendlyName": label},
    }


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and "$ref" in value


def entity_name(entity: Entity) -> str:
    """Stays the same for the same things said of it, in whichever alert."""
    said = {name: value for name, value in entity.items() if name != "$id" and not _is_reference(value)}
    return str(uuid.uuid5(_SPACE, json.dumps(said, sort_keys=True, default=str)))


def sentinel_entity(entity: Entity, address: WorkspaceAddress, *, incident_id: str | None) -> dict[str, Any]:
    """`/entity/{kind}`: the incident's id is null for one that was started outside an incident."""
    properties = {name: value for name, value in entity.items() if name not in ("$id", "Type") and not _is_reference(value)}
    name = entity_name(entity)
    kind = _KINDS.get(str(entity.get("Type")), "Unknown")
    return {
        "IncidentArmID": incident_arm_id(incident_id, address) if incident_id else None,
        "Entity": {"id": f"{address.arm_id}/providers/{PROVIDER}/Entities/{name}", "kind": kind, "properties": properties},
    }


def entity_triggers(entity: Entity, address: WorkspaceAddress, *, incident_id: str | None) -> dict[str, Any]:
    """The trigger that this entity starts, by its name: a playbook for accounts is not started with a host."""
    made = sentinel_entity(entity, address, incident_id=incident_id)
    return {f"sentinel_entity_{made['Entity']['kind'].lower()}": made}


def incident_payload(
    incident: Incident, alerts: Sequence[AlertText], address: WorkspaceAddress, *, rule_names: Sequence[str]
) -> dict[str, Any]:
    """What the event says of an incident, for automation rules and for the trigger."""
    entities: list[Entity] = [entity for alert in alerts for entity in alert.entities]
    return {
        "incident_id": incident.incident_id,
        "number": incident.number,
        "alert_ids": list(incident.alert_ids),
        "rule_ids": list(incident.rule_ids),
        "rule_names": list(dict.fromkeys(rule_names)),
        "severity": incident.severity,
        "products": list(incident.products),
        "title": incident.title,
        "tactics": incident.tactics,
        "entities": entities,
        "tags": list(incident.tags),
        "triggers": {"sentinel_incident": sentinel_incident(incident, alerts, address)},
    }
