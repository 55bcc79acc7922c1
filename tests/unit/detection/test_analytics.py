"""Scheduled rules: when they run, which rows they see, and that no row is seen twice or missed."""

import threading
import time
from datetime import timedelta

import pytest
from tests.unit.detection.rooms import START, Detection

from guardship.clock import SystemClock, iso
from guardship.detection import analytics
from guardship.detection.alerts import Alert, newest_alerts
from guardship.detection.analytics import Scheduler
from guardship.detection.rules import Rule, get_rule, set_enabled


def rule_row(detection: Detection, rule_id: str) -> Rule:
    with detection.database.reading() as session:
        return get_rule(session, rule_id)


def raised(detection: Detection) -> list[Alert]:
    with detection.database.reading() as session:
        return newest_alerts(session)


def test_a_matching_row_raises_one_alert_and_no_second(detection: Detection) -> None:
    detection.arm()
    detection.say("alarm in the hall")
    first, again, later = detection.run(), detection.run(after_seconds=10), detection.run(after_seconds=10)
    assert [len(first), len(again), len(later)] == [1, 0, 0]
    assert first[0].compromised_entity == "web-1"


def test_a_rule_that_is_off_raises_nothing(detection: Detection) -> None:
    rule_id = detection.arm()
    with detection.database.transaction() as session:
        set_enabled(session, rule_id, False, by="ada", at=START)
    detection.say("alarm")
    assert detection.run() == []


def test_a_rule_runs_when_it_is_due_and_not_before(detection: Detection) -> None:
    detection.arm()
    detection.run()
    detection.say("alarm")
    assert detection.run(after_seconds=9) == []
    assert len(detection.run(after_seconds=1)) == 1


def test_a_rule_that_is_to_run_more_often_does_so_at_once(detection: Detection) -> None:
    rule_id = detection.arm(queryFrequency="300s", queryPeriod="300s")
    detection.run()
    with detection.database.transaction() as session:
        set_enabled(session, rule_id, True, by="ada", at=START, frequency_seconds=2)
    detection.say("alarm")
    assert len(detection.run(after_seconds=2)) == 1


def test_a_row_that_states_an_old_time_is_seen_when_it_arrives(detection: Detection) -> None:
    detection.arm()
    detection.run()
    detection.say("alarm", ago_seconds=3600)
    assert len(detection.run(after_seconds=10)) == 1


def test_rows_that_came_while_nobody_looked_are_not_missed(detection: Detection) -> None:
    detection.arm()
    detection.run()
    detection.say("alarm one", computer="web-1")
    detection.clock.advance(timedelta(hours=5))
    detection.say("alarm two", computer="web-2")
    assert sorted(alert.compromised_entity for alert in detection.run(after_seconds=3600)) == ["web-1", "web-2"]


def test_a_rule_that_looks_back_further_than_it_runs_sees_old_rows_with_new_ones(detection: Detection) -> None:
    query = "Syslog | where SyslogMessage has 'alarm' | summarize n = count() by Computer | where n >= 2"
    detection.arm(query=query, queryPeriod="60s")
    detection.say("alarm")
    assert detection.run() == []
    detection.clock.advance(timedelta(seconds=10))
    detection.say("alarm")
    assert len(detection.run()) == 1


def test_a_rule_that_is_switched_on_does_not_judge_what_lay_there_long_before(detection: Detection) -> None:
    detection.say("alarm long ago")
    detection.clock.advance(timedelta(hours=1))
    detection.arm()
    assert detection.run() == []


def test_a_query_that_fails_is_told_and_misses_nothing_once_it_is_mended(detection: Detection) -> None:
    rule_id = detection.arm(query="Syslog | where Nothing == 1")
    detection.say("alarm")
    assert detection.run() == []
    assert "no column called Nothing" in str(rule_row(detection, rule_id).last_error)
    detection.arm()
    assert len(detection.run(after_seconds=10)) == 1
    assert rule_row(detection, rule_id).last_error is None


def test_one_broken_rule_does_not_stop_the_others(detection: Detection) -> None:
    detection.arm(id="broken", query="Syslog | where Nothing == 1")
    detection.arm(id="whole")
    detection.say("alarm")
    assert [alert.rule_id for alert in detection.run()] == ["rule_whole"]


def test_a_definition_that_was_damaged_stops_that_rule_alone(detection: Detection) -> None:
    damaged = detection.arm(id="damaged")
    with detection.database.transaction() as session:
        get_rule(session, damaged).definition = {"name": "x"}
    detection.arm(id="whole")
    detection.say("alarm")
    assert [alert.rule_id for alert in detection.run()] == ["rule_whole"]
    assert "does not read" in str(rule_row(detection, damaged).last_error)


def test_all_rows_make_one_alert_where_the_rule_says_so(detection: Detection) -> None:
    detection.arm(eventGroupingSettings={"aggregationKind": "SingleAlert"})
    detection.say("alarm", computer="web-1")
    detection.say("alarm", computer="web-2")
    (alert,) = detection.run()
    assert [entity["HostName"] for entity in alert.entities] == ["web-1", "web-2"]
    assert alert.evidence["RowCount"] == 2


@pytest.mark.parametrize(("operator", "threshold", "count"), [("gt", 1, 0), ("gt", 0, 1), ("lt", 2, 1), ("eq", 1, 1), ("ne", 1, 0)])
def test_the_trigger_counts_rows(detection: Detection, operator: str, threshold: int, count: int) -> None:
    detection.arm(triggerOperator=operator, triggerThreshold=threshold)
    detection.say("alarm")
    assert len(detection.run()) == count


def say_many(detection: Detection, count: int, *, prefix: str = "host") -> None:
    moment = iso(detection.clock.now())
    row = {"TimeGenerated": moment, "ProcessName": "sshd", "SyslogMessage": "alarm"}
    detection.workspace.ingest.ingest("Syslog", [row | {"Computer": f"{prefix}-{number}"} for number in range(count)])


@pytest.mark.parametrize("count", [1_500, 2_500])
def test_no_match_hides_behind_others(detection: Detection, count: int) -> None:
    rule_id = detection.arm()
    say_many(detection, count)
    assert len({alert.compromised_entity for alert in detection.run()}) == count
    assert rule_row(detection, rule_id).last_error is None
    assert detection.run(after_seconds=10) == []


def test_what_a_run_cannot_hold_is_left_to_the_next_which_follows_at_once(detection: Detection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analytics, "MOST_ROWS", 2_000)
    rule_id = detection.arm()
    detection.run()
    for prefix in ("a", "b", "c"):
        detection.clock.advance(timedelta(seconds=3))
        say_many(detection, 900, prefix=prefix)
    detection.clock.advance(timedelta(seconds=3))
    raised = detection.run()
    assert len(raised) < 2_700
    assert "follow" in str(rule_row(detection, rule_id).last_error)
    while rule_row(detection, rule_id).last_error and (more := detection.run()):
        raised += more
    assert len({alert.compromised_entity for alert in raised}) == len(raised) == 2_700


def test_a_match_beyond_all_bounds_keeps_the_place_and_says_so(detection: Detection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analytics, "MOST_ROWS", 1_000)
    rule_id = detection.arm(query="range x from 1 to 1500 step 1", entityMappings=[])
    assert len(detection.run()) == 1_000
    row = rule_row(detection, rule_id)
    assert "narrow the query" in str(row.last_error)
    assert row.seen_through == START - timedelta(seconds=10), "nothing counts as seen"


def test_one_alert_for_all_rows_counts_all_of_them(detection: Detection) -> None:
    detection.arm(eventGroupingSettings={"aggregationKind": "SingleAlert"})
    say_many(detection, 1_500)
    (alert,) = detection.run()
    assert alert.evidence["RowCount"] == 1_500


def test_the_health_of_a_rule_is_written_down(detection: Detection) -> None:
    rule_id = detection.arm()
    detection.say("alarm")
    detection.run()
    row = rule_row(detection, rule_id)
    assert (row.alert_count, row.last_run_at, row.last_match_at) == (1, START, START)
    assert row.next_due_at == START + timedelta(seconds=10)


def test_run_now_does_not_wait_for_the_schedule(detection: Detection) -> None:
    rule_id = detection.arm()
    detection.run()
    detection.say("alarm")
    assert len(detection.scheduler.run_now(rule_id)) == 1
    assert detection.scheduler.run_now("rule_unknown") == []


def test_the_scheduler_thread_raises_within_its_second(detection: Detection) -> None:
    clock = SystemClock()
    detection.arm(queryFrequency="1s", queryPeriod="14d")
    scheduler = Scheduler(detection.database, detection.workspace.search, detection.workspace.ingest, clock, detection.context)
    scheduler.start()
    try:
        began = time.monotonic()
        detection.say("alarm")
        while not raised(detection) and time.monotonic() - began < 10:
            threading.Event().wait(0.02)
    finally:
        scheduler.stop()
    assert len(raised(detection)) == 1
    assert time.monotonic() - began < 5
