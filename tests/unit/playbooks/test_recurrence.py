from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from guardship.playbooks.expressions.values import EvaluationFailed
from guardship.playbooks.recurrence import anchor_of, first_due, missed, next_due
from guardship.playbooks.recurrence_reading import recurrence_of

ON = datetime(2026, 3, 2, 9, 30, 15, 250_000, tzinfo=UTC)  # a Monday


def dues(document: dict[str, Any], count: int, *, on: datetime = ON) -> list[str]:
    """The first moments of a recurrence that is switched on then."""
    recurrence = recurrence_of(document)
    anchor, due = anchor_of(recurrence, on), first_due(recurrence, on)
    found: list[str] = []
    while due is not None and len(found) < count:
        found.append(due.strftime("%Y-%m-%dT%H:%M:%SZ"))
        due = next_due(recurrence, anchor, due)
    return found


CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("at once, then every three hours", {"frequency": "Hour", "interval": 3}, ["2026-03-02T09:30:15Z", "2026-03-02T12:30:15Z"]),
    ("in any case, as text", {"frequency": "minute", "interval": "15"}, ["2026-03-02T09:30:15Z", "2026-03-02T09:45:15Z"]),
    (
        "a start time that is to come",
        {"frequency": "Day", "interval": 2, "startTime": "2026-03-05T08:00:00Z"},
        ["2026-03-05T08:00:00Z", "2026-03-07T08:00:00Z"],
    ),
    (
        "a start time long ago gives the rhythm",
        {"frequency": "Day", "interval": 3, "startTime": "2026-01-01T06:00:00Z"},
        ["2026-03-05T06:00:00Z", "2026-03-08T06:00:00Z"],
    ),
    (
        "a start time of the time zone",
        {"frequency": "Day", "interval": 1, "startTime": "2026-03-28T08:00:00", "timeZone": "W. Europe Standard Time"},
        ["2026-03-28T07:00:00Z", "2026-03-29T06:00:00Z", "2026-03-30T06:00:00Z"],
    ),
    (
        "hours and minutes of a day",
        {"frequency": "Day", "interval": 1, "schedule": {"hours": ["8", 17], "minutes": [0, 30]}},
        ["2026-03-02T17:00:00Z", "2026-03-02T17:30:00Z", "2026-03-03T08:00:00Z", "2026-03-03T08:30:00Z"],
    ),
    (
        "days of a week, every other week",
        {"frequency": "Week", "interval": 2, "schedule": {"weekDays": ["Monday", "Friday"], "hours": [12], "minutes": [0]}},
        ["2026-03-02T12:00:00Z", "2026-03-06T12:00:00Z", "2026-03-16T12:00:00Z"],
    ),
    (
        "the last day of a month",
        {"frequency": "Month", "interval": 1, "schedule": {"monthDays": [-1], "hours": [0], "minutes": [5]}},
        ["2026-03-31T00:05:00Z", "2026-04-30T00:05:00Z"],
    ),
    (
        "the first Monday of a month",
        {
            "frequency": "Month",
            "interval": 1,
            "schedule": {"monthlyOccurrences": [{"day": "Monday", "occurrence": 1}], "hours": [10], "minutes": [0]},
        },
        ["2026-03-02T10:00:00Z", "2026-04-06T10:00:00Z"],
    ),
    (
        "a month that is too short takes its last day",
        {"frequency": "Month", "interval": 1, "startTime": "2026-01-31T10:00:00Z"},
        ["2026-03-31T10:00:00Z", "2026-04-30T10:00:00Z", "2026-05-31T10:00:00Z"],
    ),
    (
        "a time the clock leaves out is the end of the gap",
        {"frequency": "Day", "interval": 1, "startTime": "2026-03-28T02:30:00", "timeZone": "W. Europe Standard Time"},
        ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
    ),
    (
        "a time that comes twice is taken the first time",
        {"frequency": "Day", "interval": 1, "startTime": "2026-10-24T02:30:00", "timeZone": "W. Europe Standard Time"},
        ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
    ),
    (
        "a day that never comes",
        {"frequency": "Month", "interval": 12, "startTime": "2026-02-01T00:00:00Z", "schedule": {"monthDays": [30]}},
        [],
    ),
]


@pytest.mark.parametrize(("name", "document", "expected"), CASES, ids=[case[0] for case in CASES])
def test_moments_of_a_recurrence(name: str, document: dict[str, Any], expected: list[str]) -> None:
    assert dues(document, max(len(expected), 1)) == expected


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"frequency": "Fortnight", "interval": 1}, "Fortnight"),
        ({"frequency": "Day", "interval": 0}, "1 to 500"),
        ({"frequency": "Month", "interval": 17}, "1 to 16"),
        ({"frequency": "Day", "interval": "x"}, "whole number"),
        ({"frequency": "Day", "interval": 1, "timeZone": "Middle Earth"}, "Middle Earth"),
        ({"frequency": "Day", "interval": 1, "startTime": "soon"}, "soon"),
        ({"frequency": "Day", "interval": 1, "schedule": {"hours": [24]}}, "0 to 23"),
        ({"frequency": "Week", "interval": 1, "schedule": {"weekDays": ["Someday"]}}, "Someday"),
    ],
)
def test_what_is_wrong_in_a_recurrence_is_named(document: dict[str, Any], reason: str) -> None:
    with pytest.raises(EvaluationFailed, match=reason):
        recurrence_of(document)


RECURRENCES = some.builds(
    lambda frequency, interval, zone, hours: {
        "frequency": frequency,
        "interval": interval,
        "timeZone": zone,
        **({"schedule": {"hours": hours, "minutes": [0, 30]}} if hours and frequency in ("Day", "Week") else {}),
    },
    some.sampled_from(["Second", "Minute", "Hour", "Day", "Week", "Month", "Year"]),
    some.just(1) | some.integers(1, 1),
    some.sampled_from(["UTC", "W. Europe Standard Time", "Eastern Standard Time", "Lord Howe Standard Time"]),
    some.lists(some.integers(0, 23), max_size=3),
)


@given(RECURRENCES, some.integers(0, 40_000_000), some.integers(0, 40_000_000))
def test_a_late_look_finds_the_same_moments(document: dict[str, Any], first: int, later: int) -> None:
    """The next moment after any time depends on that time alone: looking late shifts nothing."""
    recurrence = recurrence_of(document)
    anchor = anchor_of(recurrence, ON)
    here = ON + timedelta(seconds=first)
    due = next_due(recurrence, anchor, here)
    assert due is not None
    assert due > here
    between = here + (due - here) * (later % 100) / 100
    assert next_due(recurrence, anchor, between) == due
    following = next_due(recurrence, anchor, due)
    assert following is not None
    assert following > due


def test_moments_that_have_passed_are_counted() -> None:
    recurrence = recurrence_of({"frequency": "Hour", "interval": 1})
    anchor = anchor_of(recurrence, ON)
    count, last = missed(recurrence, anchor, anchor + timedelta(hours=1), anchor + timedelta(hours=5, minutes=10))
    assert (count, last) == (5, anchor + timedelta(hours=5))
