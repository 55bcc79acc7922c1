"""The story's bookkeeping: what it counts as contained, as ended, and how it measures."""

from guardship.cli.progress import summary, verdict
from guardship.cli.story import Line, Story

VERIFIED = {"new_connections_blocked": "verified", "live_sessions_cut": "verified", "metadata_service_blocked": "verified"}


def told_until_the_run_ends(findings: dict[str, str]) -> tuple[Story, list[Line]]:
    lines: list[Line] = []
    story = Story("http://here", lines.append)
    story.take_news({"kind": "alert", "machine": "web-1", "raised_at": "2026-11-24T03:00:00Z"})  # an older one: not ours
    story.take_lab({"event": "first_hostile_packet", "at": "2026-11-24T03:00:10Z", "target": "10.1.1.10"})
    alert = {
        "kind": "alert",
        "machine": "web-1",
        "raised_at": "2026-11-24T03:00:12.5Z",
        "number": 7,
        "severity": "High",
        "incident_id": "inc_1",
    }
    story.take_news(alert)
    story.take_news({"kind": "run", "id": "run_1", "at": "2026-11-24T03:00:13Z", "status": "Running", "playbook": "P"})
    story.take_news({"kind": "isolation", "machine": "web-1", "state": "opened", "at": "2026-11-24T03:00:13.2Z", "by": "job"})
    story.take_news({"kind": "isolation", "machine": "web-1", "state": "verified", "at": "2026-11-24T03:00:14Z", **findings})
    story.take_news({"kind": "run", "id": "run_1", "at": "2026-11-24T03:00:14Z", "status": "Succeeded", "ended": True})
    return story, lines


def test_it_ends_contained_when_all_is_proved_and_the_mail_is_there() -> None:
    story, lines = told_until_the_run_ends(VERIFIED)
    ended = [story.has_ended]
    story.take_lab({"event": "last_packet", "at": "2026-11-24T03:00:13.1Z", "put_to_last_packet_ms": 1.5})
    story.take_lab({"event": "mail", "at": "2026-11-24T03:00:14Z", "subject": "s"})
    ended.append(story.has_ended)
    assert ended == [False, True]
    assert story.result.contained
    assert story.result.seconds == {"first_packet_to_alert": 2.5, "alert_to_last_packet": 0.6, "put_to_last_packet": 0.0015}
    assert (story.result.incident_url, story.result.run_url) == ("http://here/incidents/inc_1", "http://here/runs/run_1")
    assert next(line.what for line in lines) == "The attacker starts guessing passwords"
    assert any("1.5 ms" in text for text in summary(story))


def test_a_session_that_lives_on_ends_it_not_contained() -> None:
    story, _ = told_until_the_run_ends(VERIFIED | {"live_sessions_cut": "failed"})
    assert story.has_ended
    assert not story.result.contained
    assert "still live" in verdict(story)


def test_news_from_before_the_attack_is_not_this_story() -> None:
    story, lines = told_until_the_run_ends(VERIFIED)
    assert story.result.seconds["first_packet_to_alert"] == 2.5
    assert sum(line.what.startswith("Alert") for line in lines) == 1


def test_a_run_that_was_over_before_anybody_looked_is_told_whole() -> None:
    lines: list[Line] = []
    story = Story("http://here", lines.append)
    story.take_lab({"event": "first_hostile_packet", "at": "2026-11-24T03:00:10Z"})
    story.take_news({"kind": "run", "id": "run_9", "at": "2026-11-24T03:00:14Z", "status": "Succeeded", "ended": True, "playbook": "P"})
    assert [line.what for line in lines][1:] == ["Playbook P starts", "The run ended: Succeeded"]


def test_a_simulated_plane_is_said() -> None:
    lines: list[Line] = []
    story = Story("http://here", lines.append)
    story.take_lab({"event": "simulated", "at": "2026-11-24T03:00:00Z", "why": "the host refuses namespaces"})
    assert story.is_simulated
    assert "simulated" in lines[0].what
    assert any("simulated" in text for text in summary(story))


def test_a_playbook_that_waits_for_a_person_is_told() -> None:
    lines: list[Line] = []
    story = Story("http://here", lines.append)
    story.take_lab({"event": "first_hostile_packet", "at": "2026-11-24T03:00:10Z"})
    story.take_news(
        {"kind": "approval", "id": "appr_1", "at": "2026-11-24T03:00:13Z", "answer": "waiting", "title": "Isolate web-1: the cap is 1"}
    )
    story.take_news({"kind": "approval", "id": "appr_1", "at": "2026-11-24T03:00:15Z", "answer": "approved"})
    assert [(line.what, line.detail) for line in lines[1:]] == [
        ("A person is asked, in the console under Admin, Approvals", "Isolate web-1: the cap is 1")
    ]
