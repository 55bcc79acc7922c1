"""Which alerts belong together, why, and what people do with an incident."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.detection.rooms import ADDRESS, START, Detection

from guardship.detection.alerts import Alert, raise_alert
from guardship.detection.classification import Classification
from guardship.detection.incidents import (
    BadIncidentChange,
    IncidentStatus,
    get_incident,
    newest_incidents,
    note,
    set_owner,
    set_status,
    set_tags,
    timeline,
)
from guardship.detection.investigation import graph
from guardship.detection.severity import Severity
from guardship.errors import NotFound

WEB: dict[str, Any] = {"Type": "host", "HostName": "web-1"}
LAPTOP: dict[str, Any] = {"Type": "host", "HostName": "laptop"}
ATTACKER: dict[str, Any] = {"Type": "ip", "Address": "203.0.113.66"}
INSIDE: dict[str, Any] = {"Type": "ip", "Address": "10.0.0.4"}
ADA: dict[str, Any] = {"Type": "account", "Name": "ada"}


def raised(detection: Detection, *entities: dict[str, Any], **changes: Any) -> Alert:
    with detection.database.transaction() as session:
        return raise_alert(session, detection.finding(entities=list(entities), **changes), detection.context, at=detection.clock.now())


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ([WEB], [WEB], True),
        ([ATTACKER], [LAPTOP, ATTACKER], True),
        ([LAPTOP], [LAPTOP], False),
        ([INSIDE], [INSIDE], False),
        ([ADA], [ADA], False),
        ([{**ADA, "NTDomain": "N"}], [{**ADA, "NTDomain": "n"}], True),
        ([WEB], [ATTACKER], False),
        ([], [], False),
    ],
    ids=[
        "a machine",
        "an address outside",
        "a name alone",
        "an address inside",
        "an account's name",
        "with domain",
        "nothing",
        "no entities",
    ],
)
def test_alerts_join_by_a_strong_identifier_only(
    detection: Detection, first: list[dict[str, Any]], second: list[dict[str, Any]], together: bool
) -> None:
    one = raised(detection, *first, rule_id="rule_a")
    other = raised(detection, *second, rule_id="rule_b")
    assert (one.incident_id == other.incident_id) is together


def test_one_rule_naming_exactly_the_same_things_joins_too(detection: Detection) -> None:
    one, same = raised(detection, LAPTOP, rule_id="rule_a"), raised(detection, LAPTOP, rule_id="rule_a")
    other = raised(detection, LAPTOP, ADA, rule_id="rule_a")
    assert one.incident_id == same.incident_id != other.incident_id


def test_an_incident_that_was_closed_or_is_old_is_not_joined(detection: Detection) -> None:
    first = raised(detection, WEB)
    with detection.database.transaction() as session:
        set_status(
            session,
            first.incident_id,
            IncidentStatus.CLOSED,
            by="ada",
            at=START,
            address=ADDRESS,
            classification=Classification.TRUE_POSITIVE,
        )
    second = raised(detection, WEB)
    detection.clock.advance(timedelta(hours=25))
    third = raised(detection, WEB)
    assert len({first.incident_id, second.incident_id, third.incident_id}) == 3


def test_an_incident_takes_the_worst_of_its_alerts(detection: Detection) -> None:
    first = raised(detection, WEB, severity=Severity.LOW, tactics=("Discovery",), rule_id="rule_a")
    detection.clock.advance(timedelta(minutes=5))
    raised(detection, WEB, severity=Severity.HIGH, tactics=("Discovery", "Exfiltration"), rule_id="rule_b")
    with detection.database.reading() as session:
        incident = get_incident(session, first.incident_id)
        (newest,) = newest_incidents(session, status=IncidentStatus.NEW)
    assert (incident.severity, incident.tactics, incident.rule_ids) == ("High", ["Discovery", "Exfiltration"], ["rule_a", "rule_b"])
    assert len(incident.alert_ids) == 2
    assert newest.number == 1


def test_the_timeline_says_why_an_alert_joined_and_what_was_done(detection: Detection) -> None:
    alert = raised(detection, ATTACKER, rule_id="rule_a")
    raised(detection, ATTACKER, LAPTOP, rule_id="rule_b")
    with detection.database.transaction() as session:
        note(
            session,
            alert.incident_id,
            "isolated",
            "web-1 is cut off",
            at=START + timedelta(seconds=1),
            source="playbook",
            verdict="verified",
        )
    with detection.database.reading() as session:
        entries = timeline(session, alert.incident_id)
    assert [entry.text for entry in entries] == [
        "Alert 1: Something (opened the incident)",
        "Alert 2: Something (shares address=203.0.113.66)",
        "web-1 is cut off",
    ]
    assert (entries[2].kind, entries[2].source, entries[2].verdict) == ("isolated", "playbook", "verified")


def test_a_note_on_an_incident_that_is_not_there_is_refused(detection: Detection) -> None:
    with pytest.raises(NotFound), detection.database.transaction() as session:
        note(session, "inc_none", "comment", "hello", at=START)


def test_closing_asks_what_it_was_and_opening_forgets_it(detection: Detection) -> None:
    incident_id = raised(detection, WEB).incident_id
    with detection.database.transaction() as session:
        with pytest.raises(BadIncidentChange, match="closed with a classification"):
            set_status(session, incident_id, IncidentStatus.CLOSED, by="ada", at=START, address=ADDRESS)
        with pytest.raises(BadIncidentChange, match="no reason for FalsePositive"):
            set_status(
                session,
                incident_id,
                IncidentStatus.CLOSED,
                by="ada",
                at=START,
                address=ADDRESS,
                classification=Classification.FALSE_POSITIVE,
                reason="SuspiciousActivity",
            )
        closed = set_status(
            session,
            incident_id,
            IncidentStatus.CLOSED,
            by="ada",
            at=START,
            address=ADDRESS,
            classification=Classification.FALSE_POSITIVE,
            comment="a test",
        )
        assert (closed.classification_reason, closed.closed_at) == ("IncorrectAlertLogic", START)
        entry = timeline(session, incident_id)[-1]
        assert (entry.text, entry.source) == ("Closed as false positive, incorrect alert logic: a test", "ada")
        assert entry.details == {
            "classification": "FalsePositive",
            "classification_reason": "IncorrectAlertLogic",
            "classification_comment": "a test",
        }
        opened = set_status(session, incident_id, IncidentStatus.ACTIVE, by="ada", at=START, address=ADDRESS)
        assert (opened.classification, opened.closed_at) == (None, None)


def test_every_change_appends_a_row_to_security_incident(detection: Detection) -> None:
    alert = raised(detection, WEB)
    for owner in (True, False):
        detection.clock.advance(timedelta(seconds=1))
        at = detection.clock.now()
        with detection.database.transaction() as session:
            if owner:
                set_owner(session, alert.incident_id, "ada", by="bo", at=at, address=ADDRESS)
            else:
                set_tags(session, alert.incident_id, ["vip", "vip"], by="bo", at=at, address=ADDRESS)
    detection.outbox.deliver_due()
    query = """SecurityIncident | summarize n = count(), arg_max(LastModifiedTime, *) by IncidentNumber
    | project n, Status, Owner.assignedTo, Labels[0].labelName, AlertIds[0], AdditionalData.alertsCount, IncidentUrl"""
    (row,) = detection.workspace.search.run(query).rows
    assert row == [3, "New", "ada", "vip", alert.alert_id, 1, f"https://p/incidents/{alert.incident_id}"]


def test_the_graph_draws_each_thing_once_and_guesses_with_dashes(detection: Detection) -> None:
    access = {"tactics": ("InitialAccess",), "techniques": ("T1078",)}
    alert = raised(detection, WEB, ATTACKER, ADA, rule_id="rule_a", **access)
    raised(detection, WEB, ATTACKER, {**ADA, "NTDomain": "N"}, rule_id="rule_b", **access)
    with detection.database.reading() as session:
        drawn = graph(session, alert.incident_id)
    kinds = sorted(node.kind for node in drawn.nodes)
    assert kinds == ["account", "account", "address", "alert", "alert", "incident", "machine"]
    by_id = {node.node_id: node for node in drawn.nodes}
    edges = sorted((str(edge.kind), by_id[edge.source_id].kind, by_id[edge.target_id].kind) for edge in drawn.edges)
    assert edges.count(("signed_in_to", "address", "machine")) == 1
    assert edges.count(("signed_in_to", "account", "machine")) == 2
    assert edges.count(("possibly_same", "account", "account")) == 1
    assert edges.count(("contains", "incident", "alert")) == 2
    assert edges.count(("names", "alert", "machine")) == 2
