"""An alert, its rows, its event: in one transaction, and in exactly the shapes that are published."""

import json
import time
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.unit.detection.rooms import ADDRESS, START, Detection, arm_id

from guardship.detection.alerts import Alert, AlertStatus, alert_payload, get_alert, raise_alert, raise_alerts, set_status
from guardship.detection.incidents import set_tags
from guardship.detection.log_rows import LogRows
from guardship.detection.severity import Severity
from guardship.errors import NotFound
from guardship.playbooks.automation_rules import Conditions
from guardship.storage.outbox import Event, OutboxEvent

VM = arm_id("web-1")
ENTITIES: list[dict[str, Any]] = [
    {"Type": "host", "HostName": "web-1"},
    {"Type": "ip", "Address": "203.0.113.66"},
    {"Type": "account", "Name": "deploy"},
]


def raised(detection: Detection, **changes: Any) -> Alert:
    finding = detection.finding(entities=ENTITIES, **changes)
    with detection.database.transaction() as session:
        alert = raise_alert(session, finding, detection.context, at=START)
    detection.outbox.deliver_due()
    return alert


def test_the_defender_trigger_has_the_published_shape(detection: Detection) -> None:
    alert = raised(
        detection,
        severity=Severity.HIGH,
        tactics=("CredentialAccess",),
        details={"Tries": 8},
        remediation_steps=("Cut it off",),
        description="d",
    )
    numbered = [{"$id": "1", "Type": "host", "HostName": "web-1", "AzureID": VM}, {"$id": "2", **ENTITIES[1]}, {"$id": "3", **ENTITIES[2]}]
    assert detection.raised[0]["triggers"]["security_center_alert"] == {
        "VendorName": "Guardship",
        "AlertType": "rule_x",
        "StartTimeUtc": "2026-11-24T03:13:00.0000000Z",
        "EndTimeUtc": "2026-11-24T03:14:00.0000000Z",
        "ProcessingEndTime": "2026-11-24T03:14:00.0000000Z",
        "TimeGenerated": "2026-11-24T03:14:00.0000000Z",
        "IsIncident": False,
        "Severity": "High",
        "Status": "New",
        "ProductName": "Guardship",
        "ProductComponentName": "Analytics",
        "SystemAlertId": alert.alert_id,
        "CompromisedEntity": "web-1",
        "Intent": "CredentialAccess",
        "AlertDisplayName": "Something",
        "Description": "d",
        "RemediationSteps": ["Cut it off"],
        "ExtendedProperties": {"compromised host": "web-1", "Tries": "8"},
        "AlertUri": f"https://p/alerts/{alert.alert_id}",
        "AzureResourceId": VM,
        "Entities": numbered,
        "ResourceIdentifiers": [
            {"Type": "AzureResource", "AzureResourceId": VM},
            {"Type": "LogAnalytics", "WorkspaceId": "W", "WorkspaceSubscriptionId": "S", "WorkspaceResourceGroup": "RG", "AgentId": ""},
        ],
    }


def test_the_sentinel_trigger_carries_entities_and_properties_as_text(detection: Detection) -> None:
    alert = raised(detection, evidence={"Query": "Syslog | take 1"}, details={"Rows": "20"})
    trigger = detection.raised[0]["triggers"]["sentinel_alert"]
    assert json.loads(trigger.pop("Entities"))[1] == {"$id": "2", "Type": "ip", "Address": "203.0.113.66"}
    assert json.loads(trigger.pop("ExtendedProperties")) == {"Query": "Syslog | take 1", "Rows": "20"}
    assert trigger == {
        "WorkspaceSubscriptionId": "S",
        "WorkspaceResourceGroup": "RG",
        "WorkspaceId": "W",
        "SystemAlertId": alert.alert_id,
        "ProviderAlertId": alert.alert_id,
        "AlertDisplayName": "Something",
        "AlertType": "rule_x",
        "Severity": "Medium",
        "Description": "",
        "TimeGenerated": "2026-11-24T03:14:00.0000000Z",
        "StartTimeUtc": "2026-11-24T03:13:00.0000000Z",
        "EndTimeUtc": "2026-11-24T03:14:00.0000000Z",
        "ProductName": "Guardship",
        "ExtendedLinks": "[]",
        "AlertUri": f"https://p/alerts/{alert.alert_id}",
    }


def test_the_event_says_what_automation_rules_ask(detection: Detection) -> None:
    alert = raised(detection, severity=Severity.HIGH)
    event = detection.raised[0]
    wanted = {
        "alert_id": alert.alert_id,
        "number": 1,
        "incident_id": alert.incident_id,
        "rule_id": "rule_x",
        "rule_name": "X",
        "severity": "High",
        "product": "Guardship",
        "title": "Something",
        "tactics": [],
        "compromised_entity": "web-1",
        "raised_at": "2026-11-24T03:14:00.000000Z",
    }
    assert {key: event[key] for key in wanted} == wanted


def test_a_past_alert_gives_the_payload_it_had(detection: Detection) -> None:
    alert = raised(detection)
    with detection.database.reading() as session:
        assert alert_payload(session, alert.alert_id, ADDRESS) == detection.raised[0]


def test_an_alert_carries_the_tags_of_the_incident_it_joins(detection: Detection) -> None:
    first = raised(detection)
    with detection.database.transaction() as session:
        set_tags(session, first.incident_id, ["vip", "finance"], by="ada", at=START, address=ADDRESS)
    raised(detection)
    assert [alert["tags"] for alert in detection.raised] == [[], ["vip", "finance"]]
    assert Conditions(tags=("VIP",)).hold(detection.raised[1])
    with detection.database.reading() as session:
        assert alert_payload(session, first.alert_id, ADDRESS)["tags"] == ["vip", "finance"]


def test_an_alert_without_a_machine_of_ours_names_none(detection: Detection) -> None:
    finding = detection.finding(entities=[{"Type": "host", "HostName": "laptop"}])
    with detection.database.transaction() as session:
        raise_alert(session, finding, detection.context, at=START)
    detection.outbox.deliver_due()
    trigger = detection.raised[0]["triggers"]["security_center_alert"]
    assert (trigger["AzureResourceId"], trigger["CompromisedEntity"]) == ("", "laptop")
    assert [each["Type"] for each in trigger["ResourceIdentifiers"]] == ["LogAnalytics"]


def test_the_alert_is_a_row_of_security_alert(detection: Detection) -> None:
    alert = raised(detection, tactics=("A", "B"), techniques=("T1110", "T1110.001"))
    query = (
        "SecurityAlert | project SystemAlertId, AlertSeverity, CompromisedEntity, Tactics, Techniques, SubTechniques, IsIncident, StartTime"
    )
    rows = detection.workspace.search.run(query).rows
    assert rows == [[alert.alert_id, "Medium", "web-1", "A,B", "T1110", "T1110.001", False, "2026-11-24T03:13:00.0000000Z"]]


def test_a_row_that_is_delivered_twice_is_appended_once(detection: Detection) -> None:
    raised(detection)
    with detection.database.reading() as session:
        row = session.scalars(select(OutboxEvent).where(OutboxEvent.subject == "rows:SecurityAlert")).one()
    LogRows(detection.workspace.ingest).on_rows_due(Event(row.event_id, row.subject, row.kind, row.payload, row.written_at))
    assert detection.workspace.store.row_count("SecurityAlert") == 1


def test_a_change_of_status_appends_a_row(detection: Detection) -> None:
    alert = raised(detection)
    with detection.database.transaction() as session:
        set_status(session, alert.alert_id, AlertStatus.RESOLVED, at=detection.clock.now(), address=ADDRESS)
    detection.outbox.deliver_due()
    query = "SecurityAlert | summarize n = count(), arg_max(_TimeReceived, Status) by SystemAlertId | project n, Status"
    assert detection.workspace.search.run(query).rows == [[2, "Resolved"]]


def test_an_unknown_alert_is_named(detection: Detection) -> None:
    with detection.database.reading() as session, pytest.raises(NotFound):
        get_alert(session, "alrt_none")


def test_a_thousand_forged_alerts_are_raised_together(detection: Detection) -> None:
    asked: list[str] = []

    def resolve(name: str) -> str | None:
        asked.append(name)
        return arm_id(name)

    findings = [detection.finding(entities=[{"Type": "host", "HostName": f"web-{number % 50}"}]) for number in range(1000)]
    context = type(detection.context)(ADDRESS, resolve)
    began = time.monotonic()
    with detection.database.transaction() as session:
        alerts = raise_alerts(session, findings, context, at=START)
    assert time.monotonic() - began < 10
    assert [alert.number for alert in alerts] == list(range(1, 1001))
    assert len(asked) == 50
    with detection.database.reading() as session:
        events = session.scalar(select(func.count()).where(OutboxEvent.kind == "AlertRaised"))
    assert events == 1000
    assert len({alert.incident_id for alert in alerts}) == 50
