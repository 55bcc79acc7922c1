"""A recurrence as it is written, checked when a playbook is read and worked out when its trigger is switched on."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from guardship.clock import from_micros
from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.definition import Path
from guardship.playbooks.expressions.locales import locale_called
from guardship.playbooks.expressions.times import EPOCH_TICKS, from_zone, read_moment, zone_called
from guardship.playbooks.expressions.values import EvaluationFailed, Value, text_of
from guardship.playbooks.recurrence import MOST_INTERVAL, WEEKDAYS, Frequency, Recurrence, Schedule

_FREQUENCIES = {frequency.lower(): frequency for frequency in Frequency}
_OCCURRENCES = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
_UTC = ZoneInfo("UTC")


def check_recurrence(document: Any, path: Path, reading: Reading) -> None:
    """What is plain text in it is checked at once; what is an expression when the trigger is switched on."""
    given = reading.object(document, path, what="a recurrence")
    for name in ("frequency", "interval"):
        if field_of(given, name) is None:
            reading.problem(path, f"a recurrence needs {name}", "InvalidRecurrence")
            return
    if not _has_expression(given):
        try:
            recurrence_of(given)
        except EvaluationFailed as error:
            reading.problem(path, error.message, "InvalidRecurrence")


def _has_expression(value: Any) -> bool:
    match value:
        case str():
            return "@" in value
        case dict():
            return any(_has_expression(inner) for inner in value.values())
        case list():
            return any(_has_expression(inner) for inner in value)
        case _:
            return False


def recurrence_of(value: Value) -> Recurrence:
    """Raises EvaluationFailed with what is wrong."""
    given = value if isinstance(value, dict) else {}
    frequency = _FREQUENCIES.get(text_of(field_of(given, "frequency")).lower())
    if frequency is None:
        known = ", ".join(Frequency)
        raise EvaluationFailed(f"A recurrence has no frequency '{text_of(field_of(given, 'frequency'))}'; there are {known}.")
    interval = _number(field_of(given, "interval"), "the interval")
    if not 1 <= interval <= MOST_INTERVAL[frequency]:
        raise EvaluationFailed(f"The interval of a recurrence by {frequency} is 1 to {MOST_INTERVAL[frequency]}, not {interval}.")
    zone = zone_called(text_of(field_of(given, "timeZone"))) if field_of(given, "timeZone") else _UTC
    schedule = field_of(given, "schedule")
    start = field_of(given, "startTime")
    return Recurrence(
        frequency,
        interval,
        zone,
        _start(text_of(start), zone) if start else None,
        _schedule(schedule) if isinstance(schedule, dict) and schedule else None,
    )


def _start(text: str, zone: ZoneInfo) -> datetime:
    """A time that names no zone is one of the recurrence's own."""
    moment = read_moment("startTime", text, locale_called("en-US"))
    if not moment.is_utc:
        moment = from_zone(moment, zone)
    return from_micros((moment.ticks - EPOCH_TICKS) // 10).astimezone(UTC)


def _number(value: Value, what: str) -> int:
    text = text_of(value)
    if isinstance(value, bool) or not text.lstrip("-").isdigit():
        raise EvaluationFailed(f"In a recurrence, {what} is a whole number, not '{text}'.")
    return int(text)


def _schedule(given: Mapping[str, Any]) -> Schedule:
    return Schedule(
        hours=_listed(given, "hours", lambda value: _within(value, 0, 23, "an hour")),
        minutes=_listed(given, "minutes", lambda value: _within(value, 0, 59, "a minute")),
        weekdays=_listed(given, "weekDays", _weekday),
        month_days=_listed(given, "monthDays", lambda value: _within(value, -31, 31, "a day of the month")),
        occurrences=_listed(given, "monthlyOccurrences", _occurrence),
    )


def _listed(given: Mapping[str, Any], name: str, read: Callable[[Any], Any]) -> tuple[Any, ...]:
    value = field_of(given, name)
    return tuple(read(each) for each in (value if isinstance(value, list) else [] if value is None else [value]))


def _within(value: Value, least: int, most: int, what: str) -> int:
    number = _number(value, what)
    if not least <= number <= most:
        raise EvaluationFailed(f"In a recurrence, {what} is {least} to {most}, not {number}.")
    return number


def _weekday(value: Value) -> int:
    name = text_of(value).lower()
    if name not in WEEKDAYS:
        raise EvaluationFailed(f"In a recurrence, '{text_of(value)}' is no day of the week.")
    return WEEKDAYS.index(name)


def _occurrence(value: Value) -> tuple[int, int]:
    """`{"day": "Monday", "occurrence": 1}`; -1 or Last is the last."""
    given = value if isinstance(value, dict) else {}
    weekday = _weekday(field_of(given, "day") or field_of(given, "dayOfWeek"))
    which = field_of(given, "occurrence", 1)
    number = _OCCURRENCES.get(text_of(which).lower())
    return weekday, _within(which, -5, 5, "an occurrence") if number is None else number
