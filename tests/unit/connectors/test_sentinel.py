"""Sentinel's operations over real incidents, which real alerts have opened."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.asking import ask, probe, reason_of, request_for
from tests.unit.connectors.test_azure_automation import context
from tests.unit.detection.rooms import ADDRESS, Detection, detecting

from guardship.connectors.acting import Acting
from guardship.connectors.published_operations import shipped
from guardship.connectors.sentinel import Sentinel, classified, tags_of
from guardship.detection import incidents
from guardship.detection.alerts import Alert, raise_alert
from guardship.detection.incident_triggers import incident_arm_id
from guardship.detection.incidents import Incident
from guardship.playbooks.connector import ConnectorResponse


@dataclass
class Soc:
    detection: Detection
    end: Acting
    alert: Alert

    @property
    def arm_id(self) -> str:
        return incident_arm_id(self.alert.incident_id, ADDRESS)

    def ask(self, operation: str, body: Any = None, *, key: str = "ab" * 32, **segments: str) -> ConnectorResponse:
        return ask(self.end, request_for("azuresentinel", operation, body, places=segments), context(key))

    @property
    def incident(self) -> Incident:
        with self.detection.database.reading() as session:
            return incidents.get_incident(session, self.alert.incident_id)

    def lines(self, kind: str) -> list[str]:
        with self.detection.database.reading() as session:
            return [entry.text for entry in incidents.timeline(session, self.alert.incident_id) if entry.kind == kind]


@pytest.fixture
def soc(tmp_path: Path) -> Iterator[Soc]:
    with detecting(tmp_path) as detection:
        with detection.database.transaction() as session:
            alert = raise_alert(session, detection.finding(), detection.context, at=detection.clock.now())
        yield Soc(detection, Sentinel(detection.database, ADDRESS, detection.clock).back_end(), alert)


def test_a_comment_stands_on_the_timeline_once_however_often_the_call_is_made(soc: Soc) -> None:
    body = {"incidentArmId": soc.arm_id, "message": "<p>looked at</p>"}
    first, again = soc.ask("add_comment", body), soc.ask("add_comment", body)
    assert first.status_code == 201
    assert first.body["properties"] == {"message": "<p>looked at</p>"}
    assert again.body == first.body
    assert soc.lines("comment") == ["<p>looked at</p>"]
    assert soc.ask("add_comment", body, key="cd" * 32).body["name"] != first.body["name"]


def test_a_probe_finds_the_comment_of_its_own_call_alone(soc: Soc) -> None:
    request = request_for("azuresentinel", "add_comment", {"incidentArmId": soc.arm_id, "message": "m"})
    assert probe(soc.end, request) is None
    done = ask(soc.end, request)
    assert probe(soc.end, request) == done
    assert probe(soc.end, request, context("cd" * 32)) is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"message": "m"}, "incidentArmId: field required"),
        ({"incidentArmId": "", "message": "m"}, "incidentArmId: it names no incident"),
        ("text", "body: an object is needed, with incidentArmId, message"),
    ],
)
def test_a_comment_without_what_it_needs_names_the_field(soc: Soc, body: Any, field: str) -> None:
    assert reason_of(soc.ask("add_comment", body)) == field


def test_an_empty_comment_is_refused(soc: Soc) -> None:
    assert "message" in reason_of(soc.ask("add_comment", {"incidentArmId": soc.arm_id, "message": " "}))


def test_an_incident_that_is_not_there_is_a_404(soc: Soc) -> None:
    answer = soc.ask("add_comment", {"incidentArmId": "/subscriptions/S/Incidents/inc_none", "message": "m"})
    assert answer.status_code == 404
    assert "inc_none" in answer.body["error"]["message"]


def test_an_update_changes_what_it_names_and_answers_the_incident(soc: Soc) -> None:
    body = {
        "IncidentArmId": soc.arm_id,
        "severity": "high",
        "status": "Active",
        "owner": "ada@example.org",
        "ownerAction": "Assign",
        "tagsToAdd": {"TagsToAdd": [{"Tag": "vip"}, {"Tag": "web"}]},
    }
    answer = soc.ask("update_incident", body)
    assert answer.body["id"] == soc.arm_id
    assert answer.body["properties"]["owner"]["userPrincipalName"] == "ada@example.org"
    assert (soc.incident.severity, soc.incident.status, soc.incident.tags) == ("High", "Active", ["vip", "web"])
    soc.ask(
        "update_incident", {"incidentArmId": soc.arm_id, "tagsToRemove": [{"Tag": "VIP"}], "ownerAction": "Unassign", "status": "noChange"}
    )
    assert (soc.incident.status, soc.incident.tags, soc.incident.owner) == ("Active", ["web"], None)


def test_closing_takes_the_classification_with_its_reason(soc: Soc) -> None:
    said = {"ClassificationAndReason": "FalsePositive - IncorrectAlertLogic", "ClassificationReasonText": "the nightly backup"}
    assert soc.ask("update_incident", {"incidentArmId": soc.arm_id, "status": "Closed", "classification": said}).status_code == 200
    incident = soc.incident
    assert (incident.status, incident.classification, incident.classification_reason) == ("Closed", "FalsePositive", "IncorrectAlertLogic")
    assert incident.classification_comment == "the nightly backup"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"severity": "Critical"}, "severity: Critical is none of"),
        ({"status": "Done"}, "status: Done is none of"),
        ({"tagsToAdd": 3}, "tagsToAdd: tags are an array"),
        ({"status": "Closed", "classification": {"ClassificationAndReason": "Maybe"}}, "classification.ClassificationAndReason: Maybe"),
        ({"status": "Closed"}, "classification"),
    ],
)
def test_a_wrong_update_names_the_field_and_changes_nothing(soc: Soc, body: dict[str, Any], field: str) -> None:
    before = (soc.incident.severity, soc.incident.status, soc.incident.tags)
    assert field in reason_of(soc.ask("update_incident", {"incidentArmId": soc.arm_id, "owner": "ada", **body}))
    assert (soc.incident.severity, soc.incident.status, soc.incident.tags) == before
    assert soc.incident.owner is None


def test_an_incident_is_opened_by_hand(soc: Soc) -> None:
    answer = soc.ask(
        "create_incident", {"title": "Seen by the night watch", "severity": "Low", "tags": ["night"], "owner": {"email": "ada@example.org"}}
    )
    assert answer.status_code == 201
    properties = answer.body["properties"]
    assert (properties["title"], properties["severity"], properties["incidentNumber"]) == (
        "Seen by the night watch",
        "Low",
        soc.incident.number + 1,
    )
    assert properties["owner"]["assignedTo"] == "ada@example.org"
    assert reason_of(soc.ask("create_incident", {"severity": "Low"})) == "title: field required"
    assert "severity" in reason_of(soc.ask("create_incident", {"title": "x", "severity": "worst"}))


def test_a_relation_stands_on_the_timeline(soc: Soc) -> None:
    body = {"incidentArmId": soc.arm_id, "relatedResourceId": "/subscriptions/S/bookmarks/B1"}
    assert soc.ask("create_relation", body).body["properties"] == {"relatedResourceId": "/subscriptions/S/bookmarks/B1"}
    assert soc.lines("relation") == ["Related /subscriptions/S/bookmarks/B1"]
    assert "relatedResourceId" in reason_of(soc.ask("create_relation", {**body, "relatedResourceId": "B1"}))


def test_an_alert_leads_to_its_incident_in_the_shape_of_the_trigger(soc: Soc) -> None:
    answer = soc.ask("get_incident_of_alert", alert=soc.alert.alert_id)
    assert answer.body["id"] == soc.arm_id
    assert answer.body["properties"]["incidentNumber"] == soc.incident.number
    assert answer.body["properties"]["relatedEntities"][0]["properties"]["hostName"] == "web-1"
    assert soc.ask("get_incident_of_alert", alert="alrt_none").status_code == 404


def test_the_older_paths_name_an_incident_by_alert_or_by_number(soc: Soc) -> None:
    case = soc.ask("get_case", alert=soc.alert.alert_id).body["properties"]
    assert case == case | {"CaseNumber": soc.incident.number, "RelatedAlertIds": [soc.alert.alert_id], "Severity": "Medium"}
    by_number = {"identifier": "Incident", "number": str(soc.incident.number)}
    assert soc.ask("comment_case", {"Value": "seen"}, **by_number).status_code == 200
    assert soc.ask("set_case_severity", severity="High", **by_number).body["properties"]["Severity"] == "High"
    soc.ask("add_case_labels", {"Labels": [{"Label": "vip"}]}, identifier="alert", number=soc.alert.alert_id)
    soc.ask("set_case_status", {"CloseReasonText": "done"}, status="Closed", **by_number)
    assert soc.lines("comment") == ["seen"]
    assert (soc.incident.status, soc.incident.classification, soc.incident.tags) == ("Closed", "Undetermined", ["vip"])


@pytest.mark.parametrize(
    ("operation", "body", "segments", "field"),
    [
        ("get_case", None, {"alert": ""}, "404"),
        ("comment_case", {}, {"identifier": "Incident", "number": "1"}, "Value"),
        ("comment_case", {"Value": "v"}, {"identifier": "Bookmark", "number": "1"}, "identifier: Bookmark"),
        ("set_case_status", {}, {"status": "Gone", "identifier": "Incident", "number": "1"}, "status: Gone"),
        ("set_case_severity", None, {"severity": "Worst", "identifier": "Incident", "number": "1"}, "severity: Worst"),
        ("add_case_labels", {}, {"identifier": "Incident", "number": "1"}, "Labels"),
    ],
)
def test_a_wrong_older_call_names_the_field(soc: Soc, operation: str, body: Any, segments: dict[str, str], field: str) -> None:
    answer = soc.ask(operation, body, **segments)
    if field == "404":
        assert answer.status_code == 404
    else:
        assert field in reason_of(answer)


def test_every_operation_of_sentinel_has_a_back_end_here(soc: Soc) -> None:
    assert not [one.name for one in shipped()["azuresentinel"].operations if soc.end.missing(one.name, {})]


def test_tags_come_in_three_forms() -> None:
    assert tags_of(["a", {"Tag": "b"}, {"labelName": "c"}], "tags") == ["a", "b", "c"]
    assert tags_of({"TagsToAdd": [{"Tag": "a"}]}, "tags") == ["a"]
    assert tags_of(None, "tags") == []


def test_a_classification_may_have_no_reason() -> None:
    assert classified({"ClassificationAndReason": "Undetermined"}) == ("Undetermined", None, None)
    assert classified({}) == (None, None, None)
