"""Functions on dates and times, and the writing of numbers, in the formats of .NET."""

from datetime import UTC, datetime
from decimal import Decimal

from guardship.playbooks.expressions.arguments import number, text, whole_number
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.evaluate import Scope
from guardship.playbooks.expressions.locales import locale_called
from guardship.playbooks.expressions.times import (
    TICKS_PER_DAY,
    TICKS_PER_SECOND,
    Moment,
    add_months,
    from_zone,
    read_by_pattern,
    read_moment,
    ticks_of,
    to_zone,
    write_moment,
    zone_called,
)
from guardship.playbooks.expressions.values import EvaluationFailed, Value

_UNITS = {
    "second": TICKS_PER_SECOND,
    "minute": 60 * TICKS_PER_SECOND,
    "hour": 3600 * TICKS_PER_SECOND,
    "day": TICKS_PER_DAY,
    "week": 7 * TICKS_PER_DAY,
}


def _moment(function: str, value: Value) -> Moment:
    return read_moment(function, text(function, value), locale_called("en-US"))


def _written(function: str, moment: Moment, form: Value, locale: Value = "en-US") -> str:
    return write_moment(moment, "o" if form is None else text(function, form), locale_called(text(function, locale)))


def shifted(function: str, moment: Moment, count: Value, unit: Value, sign: int = 1) -> Moment:
    amount, name = whole_number(function, count) * sign, text(function, unit).lower().removesuffix("s")
    if name == "month":
        return add_months(moment, amount)
    if name == "year":
        return add_months(moment, 12 * amount)
    if name not in _UNITS:
        known = "Second, Minute, Hour, Day, Week, Month, Year"
        raise EvaluationFailed(f"The template language function '{function}' does not know the time unit '{unit}'; it takes {known}.")
    return moment.plus(amount * _UNITS[name])


def utc_now(scope: Scope, form: Value = None) -> Value:
    return _written("utcNow", Moment(scope.now_ticks(), True), form)


def ticks(value: Value) -> Value:
    return _moment("ticks", value).ticks


def day_of_month(value: Value) -> Value:
    return _moment("dayOfMonth", value).parts().day


def day_of_week(value: Value) -> Value:
    return _moment("dayOfWeek", value).parts().isoweekday() % 7


def day_of_year(value: Value) -> Value:
    return _moment("dayOfYear", value).parts().timetuple().tm_yday


def start_of_day(value: Value, form: Value = None) -> Value:
    moment = _moment("startOfDay", value)
    return _written("startOfDay", moment.plus(-(moment.ticks % TICKS_PER_DAY)), form)


def start_of_hour(value: Value, form: Value = None) -> Value:
    moment = _moment("startOfHour", value)
    return _written("startOfHour", moment.plus(-(moment.ticks % _UNITS["hour"])), form)


def start_of_month(value: Value, form: Value = None) -> Value:
    moment = _moment("startOfMonth", value)
    here = moment.parts()
    return _written("startOfMonth", Moment(ticks_of(datetime(here.year, here.month, 1, tzinfo=UTC)), moment.is_utc), form)


def format_date_time(value: Value, form: Value = None, locale: Value = "en-US") -> Value:
    return _written("formatDateTime", _moment("formatDateTime", value), form, locale)


def parse_date_time(value: Value, locale: Value = "en-US", form: Value = None) -> Value:
    known = locale_called(text("parseDateTime", locale))
    given = text("parseDateTime", value)
    moment = (
        read_moment("parseDateTime", given, known)
        if form is None
        else read_by_pattern("parseDateTime", given, text("parseDateTime", form), known)
    )
    return write_moment(Moment(moment.ticks, False), "o", known)


def date_difference(start: Value, end: Value) -> Value:
    span = _moment("dateDifference", end).ticks - _moment("dateDifference", start).ticks
    sign, rest = ("-" if span < 0 else ""), abs(span)
    days, rest = divmod(rest, TICKS_PER_DAY)
    seconds, fraction = divmod(rest, TICKS_PER_SECOND)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{sign}{f'{days}.' if days else ''}{clock}{f'.{fraction:07d}' if fraction else ''}"


def _adding(name: str, unit: str) -> Entry:
    def perform(value: Value, count: Value, form: Value = None) -> Value:
        amount = number(name, count)
        moved = _moment(name, value).plus(int(Decimal(str(amount)) * _UNITS[unit]))
        return _written(name, moved, form)

    return Entry(name, 2, 3, perform)


def add_to_time(value: Value, count: Value, unit: Value, form: Value = None) -> Value:
    return _written("addToTime", shifted("addToTime", _moment("addToTime", value), count, unit), form)


def subtract_from_time(value: Value, count: Value, unit: Value, form: Value = None) -> Value:
    return _written("subtractFromTime", shifted("subtractFromTime", _moment("subtractFromTime", value), count, unit, -1), form)


def get_future_time(scope: Scope, count: Value, unit: Value, form: Value = None) -> Value:
    return _written("getFutureTime", shifted("getFutureTime", Moment(scope.now_ticks(), True), count, unit), form)


def get_past_time(scope: Scope, count: Value, unit: Value, form: Value = None) -> Value:
    return _written("getPastTime", shifted("getPastTime", Moment(scope.now_ticks(), True), count, unit, -1), form)


def convert_from_utc(value: Value, zone: Value, form: Value = None) -> Value:
    return _written("convertFromUtc", to_zone(_moment("convertFromUtc", value), zone_called(text("convertFromUtc", zone))), form)


def convert_to_utc(value: Value, zone: Value, form: Value = None) -> Value:
    moment = _moment("convertToUtc", value)
    there = zone_called(text("convertToUtc", zone))
    return _written("convertToUtc", moment if moment.is_utc else from_zone(moment, there), form)


def convert_time_zone(value: Value, source: Value, target: Value, form: Value = None) -> Value:
    moment = _moment("convertTimeZone", value)
    if not moment.is_utc:
        moment = from_zone(moment, zone_called(text("convertTimeZone", source)))
    return _written("convertTimeZone", to_zone(moment, zone_called(text("convertTimeZone", target))), form)


TABLE = (
    Entry("utcNow", 0, 1, utc_now, needs_scope=True),
    Entry("ticks", 1, 1, ticks),
    Entry("dayOfMonth", 1, 1, day_of_month),
    Entry("dayOfWeek", 1, 1, day_of_week),
    Entry("dayOfYear", 1, 1, day_of_year),
    Entry("startOfDay", 1, 2, start_of_day),
    Entry("startOfHour", 1, 2, start_of_hour),
    Entry("startOfMonth", 1, 2, start_of_month),
    Entry("formatDateTime", 1, 3, format_date_time),
    Entry("parseDateTime", 1, 3, parse_date_time),
    Entry("dateDifference", 2, 2, date_difference),
    _adding("addDays", "day"),
    _adding("addHours", "hour"),
    _adding("addMinutes", "minute"),
    _adding("addSeconds", "second"),
    Entry("addToTime", 3, 4, add_to_time),
    Entry("subtractFromTime", 3, 4, subtract_from_time),
    Entry("getFutureTime", 2, 3, get_future_time, needs_scope=True),
    Entry("getPastTime", 2, 3, get_past_time, needs_scope=True),
    Entry("convertFromUtc", 2, 3, convert_from_utc),
    Entry("convertToUtc", 2, 3, convert_to_utc),
    Entry("convertTimeZone", 3, 4, convert_time_zone),
)
