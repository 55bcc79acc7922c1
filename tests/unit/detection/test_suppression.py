"""What counts as the same finding, and for how long a rule keeps silent."""

from datetime import timedelta

from tests.unit.detection.rooms import START, Detection

from guardship.detection.alerts import get_alert, newest_alerts


def test_the_same_entities_within_the_lookback_are_the_same_alert(detection: Detection) -> None:
    detection.arm(queryPeriod="60s")
    detection.say("alarm")
    (alert,) = detection.run()
    assert detection.run(after_seconds=10) == []
    with detection.database.reading() as session:
        known = get_alert(session, alert.alert_id)
    assert (known.repeat_count, known.last_seen_at) == (1, START + timedelta(seconds=10))


def test_after_a_quiet_lookback_the_same_entities_are_a_new_alert(detection: Detection) -> None:
    detection.arm(queryPeriod="60s")
    detection.say("alarm")
    detection.run()
    detection.run(after_seconds=120)
    detection.say("alarm")
    assert len(detection.run(after_seconds=10)) == 1


def test_a_fingerprint_with_the_moment_of_the_event_never_comes_again(detection: Detection) -> None:
    detection.arm(queryPeriod="1h", fingerprintColumns=["Computer", "TimeGenerated"])
    detection.say("alarm")
    assert len(detection.run()) == 1
    assert detection.run(after_seconds=1800) == []
    detection.say("alarm")
    assert len(detection.run(after_seconds=10)) == 1


def test_suppression_by_entities_keeps_silent_about_these_only(detection: Detection) -> None:
    detection.arm(suppressionDuration="1h")
    detection.say("alarm", computer="web-1")
    detection.run()
    detection.clock.advance(timedelta(minutes=30))
    detection.say("alarm", computer="web-1")
    detection.say("alarm", computer="web-2")
    assert [alert.compromised_entity for alert in detection.run()] == ["web-2"]
    detection.clock.advance(timedelta(minutes=31))
    detection.say("alarm", computer="web-1")
    assert [alert.compromised_entity for alert in detection.run()] == ["web-1"]


def test_suppression_by_rule_silences_the_whole_rule(detection: Detection) -> None:
    detection.arm(suppressionDuration="1h", suppressBy="rule")
    detection.say("alarm", computer="web-1")
    detection.say("alarm", computer="web-2")
    assert len(detection.run()) == 1
    detection.clock.advance(timedelta(minutes=30))
    detection.say("alarm", computer="web-3")
    assert detection.run() == []
    detection.clock.advance(timedelta(minutes=31))
    detection.say("alarm", computer="web-4")
    assert len(detection.run()) == 1


def test_suppression_that_is_switched_off_in_the_file_is_off(detection: Detection) -> None:
    detection.arm(suppressionDuration="1h", suppressionEnabled=False)
    detection.say("alarm")
    detection.run()
    detection.run(after_seconds=60)
    detection.say("alarm")
    assert len(detection.run(after_seconds=60)) == 1


def test_two_rows_that_name_nothing_are_two_findings(detection: Detection) -> None:
    detection.arm(entityMappings=[])
    detection.say("alarm one")
    detection.say("alarm two")
    assert len(detection.run()) == 2
    with detection.database.reading() as session:
        assert [alert.compromised_entity for alert in newest_alerts(session)] == ["", ""]
