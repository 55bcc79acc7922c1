"""An incident and its entities as playbooks get them."""

from typing import Any

from sqlalchemy import select
from tests.unit.detection.rooms import ADDRESS, START, Detection, arm_id

from guardship.detection.alerts import INCIDENT_CREATED, alerts_of_incident, payload_of_incident, raise_alerts
from guardship.detection.incident_triggers import entity_name, entity_triggers, related_entities
from guardship.detection.incidents import get_incident
from guardship.storage.outbox import OutboxEvent

HOST: dict[str, Any] = {"Type": "host", "HostName": "web-1"}
ACCOUNT: dict[str, Any] = {"Type": "account", "Name": "ada", "UPNSuffix": "example.org"}


def events(detection: Detection) -> list[dict[str, Any]]:
    with detection.database.reading() as session:
        query = select(OutboxEvent).where(OutboxEvent.kind == INCIDENT_CREATED)
        return [row.payload for row in session.scalars(query)]


def raised(detection: Detection, *findings: Any) -> list[Any]:
    with detection.database.transaction() as session:
        return raise_alerts(session, findings, detection.context, at=START)


def test_the_incident_trigger_has_the_published_shape(detection: Detection) -> None:
    (alert,) = raised(
        detection, detection.finding(entities=[HOST, ACCOUNT], evidence={"Query": "Syslog | take 1"}, tactics=("InitialAccess",))
    )
    (event,) = events(detection)
    trigger = event["triggers"]["sentinel_incident"]
    assert trigger["workspaceInfo"] == {"SubscriptionId": "S", "ResourceGroupName": "RG", "WorkspaceName": "guardship"}
    assert (trigger["objectSchemaType"], trigger["objectEventType"], trigger["workspaceId"]) == ("Incident", "Create", "W")
    place = trigger["object"]
    assert place["id"] == f"{ADDRESS.arm_id}/providers/Microsoft.SecurityInsights/Incidents/{alert.incident_id}"
    assert (place["name"], place["type"]) == (alert.incident_id, "Microsoft.SecurityInsights/Incidents")
    properties = place["properties"]
    assert (properties["title"], properties["severity"], properties["status"]) == ("Something", "Medium", "New")
    assert properties["owner"] == {"objectId": None, "email": None, "assignedTo": None, "userPrincipalName": None}
    assert properties["createdTimeUtc"] == "2026-11-24T03:14:00.0000000Z"
    assert properties["additionalData"]["alertsCount"] == 1
    assert properties["relatedAnalyticRuleIds"] == [f"{ADDRESS.arm_id}/providers/Microsoft.SecurityInsights/alertRules/rule_x"]
    assert properties["incidentUrl"] == f"https://p/incidents/{alert.incident_id}"
    (inner,) = properties["Alerts"]
    assert (inner["kind"], inner["properties"]["systemAlertId"]) == ("SecurityAlert", alert.alert_id)
    assert inner["properties"]["additionalData"] == {"Query": "Syslog | take 1"}
    host, account = properties["relatedEntities"]
    assert (host["kind"], host["properties"]) == ("Host", {"hostName": "web-1", "azureID": arm_id("web-1"), "friendlyName": "web-1"})
    assert account["properties"] == {"name": "ada", "upnSuffix": "example.org", "friendlyName": "ada"}


def test_an_incident_is_told_once_and_an_alert_that_joins_it_tells_nothing(detection: Detection) -> None:
    raised(detection, detection.finding(entities=[HOST]))
    raised(detection, detection.finding(entities=[HOST], title="Another"))
    assert len(events(detection)) == 1


def test_alerts_that_open_one_incident_together_are_all_in_it(detection: Detection) -> None:
    raised(detection, detection.finding(entities=[HOST]), detection.finding(entities=[HOST, ACCOUNT], title="Another"))
    (event,) = events(detection)
    assert [
        alert["properties"]["alertDisplayName"] for alert in event["triggers"]["sentinel_incident"]["object"]["properties"]["Alerts"]
    ] == [
        "Something",
        "Another",
    ]


def test_a_thing_that_several_alerts_name_is_one_entity() -> None:
    entities = [{"$id": "1", **HOST}, {"$id": "7", **HOST}, {"$id": "2", "Type": "process", "ProcessId": "4", "Host": {"$ref": "1"}}]
    assert [entity["kind"] for entity in related_entities(entities, ADDRESS)] == ["Host", "Process"]


def test_the_entity_trigger_keeps_the_names_of_the_alert_and_goes_by_kind() -> None:
    made = entity_triggers({"$id": "3", **ACCOUNT}, ADDRESS, incident_id=None)
    name = entity_name(ACCOUNT)
    assert made == {
        "sentinel_entity_account": {
            "IncidentArmID": None,
            "Entity": {
                "id": f"{ADDRESS.arm_id}/providers/Microsoft.SecurityInsights/Entities/{name}",
                "kind": "Account",
                "properties": {"Name": "ada", "UPNSuffix": "example.org"},
            },
        }
    }


def test_a_past_incident_gives_the_same_payload(detection: Detection) -> None:
    (alert,) = raised(detection, detection.finding(entities=[HOST]))
    with detection.database.reading() as session:
        again = payload_of_incident(get_incident(session, alert.incident_id), alerts_of_incident(session, alert.incident_id), ADDRESS)
    assert again == events(detection)[0]
