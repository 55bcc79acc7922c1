"""The shipped rules against rows that fire them and rows that must not."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.detection.rooms import START, Detection

from guardship.clock import iso
from guardship.detection.alerts import Alert
from guardship.detection.rules import set_enabled
from guardship.detection.shipped_rules import import_shipped

GUESSING = "rule_ssh-password-guessing-then-session"
MANY = "rule_ssh-password-guessing-many-machines"
WINDOWS = "rule_windows-password-guessing-then-logon"
ATTACKER = "203.0.113.66"


def arm(detection: Detection, rule_id: str) -> None:
    with detection.database.transaction() as session:
        import_shipped(session, at=START)
        set_enabled(session, rule_id, True, by="ada", at=START, frequency_seconds=2)


def fail(detection: Detection, count: int, *, source: str = ATTACKER, computer: str = "web-1") -> None:
    for number in range(count):
        detection.say(f"Failed password for invalid user admin from {source} port {51000 + number} ssh2", computer=computer)


def accept(detection: Detection, *, source: str = ATTACKER, how: str = "password", port: int = 51544) -> None:
    detection.say(f"Accepted {how} for deploy from {source} port {port} ssh2")


def test_guessing_and_then_a_session_is_one_high_alert_with_machine_address_and_account(detection: Detection) -> None:
    arm(detection, GUESSING)
    fail(detection, 5)
    accept(detection)
    (alert,) = detection.run()
    assert (alert.severity, alert.compromised_entity) == ("High", "web-1")
    assert [entity["Type"] for entity in alert.entities] == ["host", "ip", "account"]
    assert alert.description == f"{ATTACKER} failed 5 times to sign in to web-1 and then got a session as deploy."
    assert alert.details == {"FailedSignIns": 5}


def test_the_same_session_is_not_raised_again_and_the_next_one_is(detection: Detection) -> None:
    arm(detection, GUESSING)
    fail(detection, 5)
    accept(detection)
    detection.run()
    assert detection.run(after_seconds=2) == []
    accept(detection, port=51999)
    assert len(detection.run(after_seconds=2)) == 1


@pytest.mark.parametrize(
    ("guesses", "guesser", "computer"), [(4, ATTACKER, "web-1"), (9, "198.51.100.7", "web-1"), (9, ATTACKER, "web-2")], ids=str
)
def test_no_alert_for_few_guesses_or_guesses_of_another_or_on_another(
    detection: Detection, guesses: int, guesser: str, computer: str
) -> None:
    arm(detection, GUESSING)
    fail(detection, guesses, source=guesser, computer=computer)
    accept(detection)
    assert detection.run() == []


def test_no_alert_for_a_session_before_the_guesses_or_long_after(detection: Detection) -> None:
    arm(detection, GUESSING)
    accept(detection)
    detection.clock.advance(timedelta(seconds=1))
    fail(detection, 9)
    assert detection.run() == []
    detection.clock.advance(timedelta(minutes=11))
    accept(detection)
    assert detection.run() == []


def test_guessing_without_a_session_is_no_alert(detection: Detection) -> None:
    arm(detection, GUESSING)
    fail(detection, 50)
    assert detection.run() == []


def test_one_address_guessing_on_three_machines_is_a_medium_alert(detection: Detection) -> None:
    arm(detection, MANY)
    for computer in ("web-1", "web-2"):
        fail(detection, 5, computer=computer)
    assert detection.run() == []
    fail(detection, 5, computer="jump-1")
    (alert,) = detection.run(after_seconds=2)
    assert (alert.severity, alert.compromised_entity, alert.details["Machines"]) == ("Medium", ATTACKER, ["jump-1", "web-1", "web-2"])
    fail(detection, 5, computer="db-1")
    assert detection.run(after_seconds=2) == []


def logons(detection: Detection, failures: int, **success: Any) -> list[Alert]:
    row = {"TimeGenerated": iso(detection.clock.now()), "Computer": "dc-1.nordhafen.example", "LogonType": 3, "IpAddress": ATTACKER}
    failed = {**row, "EventID": 4625, "TargetUserName": "Ada"}
    worked = {**row, "EventID": 4624, "TargetUserName": "ada", "TargetDomainName": "NORDHAFEN", **success}
    detection.workspace.ingest.ingest("SecurityEvent", [failed] * failures + [worked])
    return detection.run()


def test_failed_windows_logons_and_then_one_that_works_is_a_high_alert(detection: Detection) -> None:
    arm(detection, WINDOWS)
    (alert,) = logons(detection, 10)
    assert alert.entities[0] == {"$id": "1", "Type": "host", "HostName": "dc-1", "DnsDomain": "nordhafen.example"}
    assert alert.entities[2] == {"$id": "3", "Type": "account", "Name": "ada", "NTDomain": "NORDHAFEN"}


@pytest.mark.parametrize("success", [{"LogonType": 5}, {"TargetUserName": "DC-1$"}, {"IpAddress": "-"}, {"TargetUserName": "bo"}], ids=str)
def test_other_windows_logons_are_no_alert(detection: Detection, success: dict[str, Any]) -> None:
    arm(detection, WINDOWS)
    assert logons(detection, 12, **success) == []


def test_few_failed_windows_logons_are_no_alert(detection: Detection) -> None:
    arm(detection, WINDOWS)
    assert logons(detection, 9) == []
