"""When a Recurrence is due: pure arithmetic over moments, so that a late look never shifts what comes after.

    {"frequency": "Week", "interval": 1, "startTime": "2024-01-01T08:00:00", "timeZone": "W. Europe Standard Time",
     "schedule": {"weekDays": ["Monday"], "hours": ["8", 17], "minutes": [0, 30]}}

Every moment is worked out from the anchor (the start time, or when the playbook was switched on), never from the one before. Days, weeks,
months and years keep the wall clock of the time zone; a time that a change of the clock leaves out is taken at the end of the gap, one
that comes twice at the first. Hours or minutes that a schedule does not give are the anchor's (guess: the documentation says it of hours).
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from enum import StrEnum
from zoneinfo import ZoneInfo

LONGEST_LOOK = timedelta(days=366 * 12)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Frequency(StrEnum):
    SECOND = "Second"
    MINUTE = "Minute"
    HOUR = "Hour"
    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"
    YEAR = "Year"


MOST_INTERVAL = {
    Frequency.SECOND: 9_999_999,
    Frequency.MINUTE: 72_000,
    Frequency.HOUR: 12_000,
    Frequency.DAY: 500,
    Frequency.WEEK: 71,
    Frequency.MONTH: 16,
    Frequency.YEAR: 1,
}
_SPANS = {Frequency.SECOND: timedelta(seconds=1), Frequency.MINUTE: timedelta(minutes=1), Frequency.HOUR: timedelta(hours=1)}


@dataclass(frozen=True, slots=True)
class Schedule:
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()  # 0 is Monday
    month_days: tuple[int, ...] = ()  # -1 is the last
    occurrences: tuple[tuple[int, int], ...] = ()  # weekday, which one in the month; -1 is the last


@dataclass(frozen=True, slots=True)
class Recurrence:
    frequency: Frequency
    interval: int
    zone: ZoneInfo
    start: datetime | None = None
    schedule: Schedule | None = None


def anchor_of(recurrence: Recurrence, switched_on_at: datetime) -> datetime:
    return recurrence.start or switched_on_at.replace(microsecond=0)


def first_due(recurrence: Recurrence, switched_on_at: datetime) -> datetime | None:
    """At once when nothing says otherwise; else the start time, or the next moment after it that is still to come."""
    anchor = anchor_of(recurrence, switched_on_at)
    if recurrence.schedule is None and anchor >= switched_on_at.replace(microsecond=0):
        return anchor
    return next_due(recurrence, anchor, max(anchor - timedelta(microseconds=1), switched_on_at))


def next_due(recurrence: Recurrence, anchor: datetime, after: datetime) -> datetime | None:
    """The first moment later than `after`; None when there is none within twelve years, such as on a 30 February."""
    if recurrence.schedule is not None and recurrence.frequency not in (Frequency.SECOND, Frequency.MINUTE):
        return _next_scheduled(recurrence, recurrence.schedule, anchor, after)
    span = _SPANS.get(recurrence.frequency)
    if span is None:
        return _next_on_the_wall(recurrence, anchor, after)
    whole = span * recurrence.interval
    return anchor + whole * max((after - anchor) // whole + 1, 0)


def missed(recurrence: Recurrence, anchor: datetime, due: datetime, now: datetime, *, most: int = 10_000) -> tuple[int, datetime]:
    """How many moments from `due` on have passed by `now`, and the last of them."""
    count, last = 1, due
    while count < most and (following := next_due(recurrence, anchor, last)) is not None and following <= now:
        count, last = count + 1, following
    return count, last


def _next_on_the_wall(recurrence: Recurrence, anchor: datetime, after: datetime) -> datetime:
    """Days to years without a schedule: the anchor's wall time, so many days or months on."""
    here = anchor.astimezone(recurrence.zone)
    days = {Frequency.DAY: 1, Frequency.WEEK: 7}.get(recurrence.frequency, 0) * recurrence.interval
    months = {Frequency.MONTH: 1, Frequency.YEAR: 12}.get(recurrence.frequency, 0) * recurrence.interval
    passed = (after - anchor).days
    step = max(passed // days if days else passed // (31 * months), 0)
    while True:
        moved = here.date() + timedelta(days=days * step) if days else _months_on(here.date(), months * step)
        found = _at(moved, here.time(), recurrence.zone)
        if found > after and found >= anchor:
            return found
        step += 1


def _months_on(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _at(day: date, clock: clock_time, zone: ZoneInfo) -> datetime:
    """That wall time in UTC; inside a gap of the clock the moment the gap ends."""
    local = datetime.combine(day, clock.replace(tzinfo=None, fold=0), zone)
    found = local.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return found
    return _end_of_gap(local, zone)


def _end_of_gap(local: datetime, zone: ZoneInfo) -> datetime:
    """The first minute after `local` that its zone has."""
    probe = local.replace(second=0, microsecond=0)
    for _ in range(24 * 60):
        probe += timedelta(minutes=1)
        found = probe.replace(tzinfo=zone).astimezone(UTC)
        if found.astimezone(zone).replace(tzinfo=None) == probe.replace(tzinfo=None):
            return found
    return local.astimezone(UTC)


def _next_scheduled(recurrence: Recurrence, schedule: Schedule, anchor: datetime, after: datetime) -> datetime | None:
    here = anchor.astimezone(recurrence.zone)
    floor = max(after, anchor - timedelta(microseconds=1))
    day = floor.astimezone(recurrence.zone).date()
    last = day + LONGEST_LOOK
    while day <= last:
        if _fits(recurrence, schedule, here.date(), day):
            for clock in _clocks(recurrence, schedule, here, day):
                found = _at(day, clock, recurrence.zone)
                if found > floor:
                    return found
        day += timedelta(days=1)
    return None


def _clocks(recurrence: Recurrence, schedule: Schedule, anchor: datetime, day: date) -> Iterator[clock_time]:
    second = anchor.second if recurrence.start is not None else 0
    hours: tuple[int, ...] = schedule.hours or (anchor.hour,)
    if recurrence.frequency is Frequency.HOUR:
        passed = (day - anchor.date()).days * 24
        hours = schedule.hours or tuple(hour for hour in range(24) if (passed + hour - anchor.hour) % recurrence.interval == 0)
    for hour in sorted(set(hours)):
        for minute in sorted(set(schedule.minutes or (anchor.minute,))):
            yield clock_time(hour, minute, second)


def _fits(recurrence: Recurrence, schedule: Schedule, anchor: date, day: date) -> bool:
    """Whether the schedule has this day."""
    interval = recurrence.interval
    match recurrence.frequency:
        case Frequency.HOUR:
            return not schedule.weekdays or day.weekday() in schedule.weekdays
        case Frequency.DAY:
            in_week = not schedule.weekdays or day.weekday() in schedule.weekdays
            return in_week and (day - anchor).days % interval == 0
        case Frequency.WEEK:
            monday, here = anchor - timedelta(days=anchor.weekday()), day - timedelta(days=day.weekday())
            return day.weekday() in (schedule.weekdays or (anchor.weekday(),)) and (here - monday).days // 7 % interval == 0
        case _:
            months = interval * (12 if recurrence.frequency is Frequency.YEAR else 1)
            if ((day.year - anchor.year) * 12 + day.month - anchor.month) % months:
                return False
            length = monthrange(day.year, day.month)[1]
            if schedule.occurrences:
                which, from_end = (day.day - 1) // 7 + 1, -((length - day.day) // 7 + 1)
                return any(day.weekday() == weekday and number in (which, from_end) for weekday, number in schedule.occurrences)
            days = schedule.month_days or (anchor.day,)
            return day.day in days or day.day - length - 1 in days
