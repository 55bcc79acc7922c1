"""Dates and times. A datetime is a TIMESTAMP in UTC, a timespan is ticks of 100 ns; weeks begin on Sunday."""

import re
from collections.abc import Callable

from sqlglot import exp

from guardship.workspace.kql import sql_trees as sql
from guardship.workspace.kql.functions.entry import Function, Sql
from guardship.workspace.kql.sql_trees import Tree
from guardship.workspace.kql.types import DATETIME, INT, LONG, STRING, TIMESPAN

TICKS_A_DAY = 864_000_000_000
_PARTS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond")
_FORMATS = {
    "yyyy": "%Y",
    "yy": "%y",
    "MM": "%m",
    "M": "%-m",
    "dd": "%d",
    "d": "%-d",
    "HH": "%H",
    "H": "%-H",
    "hh": "%I",
    "h": "%-I",
    "mm": "%M",
    "m": "%-M",
    "ss": "%S",
    "s": "%-S",
    "ffffff": "%f",
    "fff": "%g",
    "tt": "%p",
}
_RUN = re.compile(r"([A-Za-z%])\1*")


def shifted(moment: Tree, ticks: Tree) -> Tree:
    """A datetime plus a timespan; null outside the calendar, which for Kusto ends with year 9999."""
    return within_calendar(sql.add(moment, sql.call("to_microseconds", sql.divide_whole(ticks, sql.number(10)))))


def within_calendar(moment: Tree) -> Tree:
    first, last = (sql.cast_to(sql.text(text), DATETIME) for text in ("0001-01-01", "9999-12-31 23:59:59.999999"))
    return sql.case((exp.Between(this=moment, low=first, high=last), moment.copy()))


def difference(left: Tree, right: Tree) -> Tree:
    """A datetime less a datetime, in ticks."""
    return sql.multiply(sql.subtract(sql.call("epoch_us", left), sql.call("epoch_us", right)), sql.number(10))


def _start_of(unit: str) -> Callable[..., Tree]:
    def build(moment: Sql, offset: Sql | None = None) -> Tree:
        start = sql.call("date_trunc", sql.text(unit), moment.copy)
        return start if offset is None else _moved(start, unit, offset.copy)

    return build


def _start_of_week(moment: Sql, offset: Sql | None = None) -> Tree:
    """The Sunday before; DuckDB's weeks begin on Monday."""
    one_day = sql.call("to_days", sql.small(1))
    monday = sql.call("date_trunc", sql.text("week"), sql.add(moment.copy, one_day))
    start = sql.subtract(monday, one_day.copy())
    return start if offset is None else _moved(start, "week", offset.copy)


def _moved(start: Tree, unit: str, count: Tree) -> Tree:
    return within_calendar(sql.add(start, sql.call(f"to_{unit}s", sql.cast_to(count, INT))))


def _datetime_add(part: Sql, count: Sql, moment: Sql) -> Tree:
    return _moved(moment.copy, str(part.constant), count.copy)


def _datetime_diff(part: Sql, left: Sql, right: Sql) -> Tree:
    """How many ends of that part lie between, which is what DuckDB counts too; weeks are counted from Sundays."""
    if part.constant == "week":
        days = sql.call("date_diff", sql.text("day"), _start_of_week(right), _start_of_week(left))
        return sql.divide_whole(days, sql.number(7))
    return sql.call("date_diff", sql.text(str(part.constant)), right.copy, left.copy)


def _datetime_part(part: Sql, moment: Sql) -> Tree:
    return sql.cast_to(sql.call("date_part", sql.text(_DUCKDB_PARTS[str(part.constant).lower()]), moment.copy), INT)


_DUCKDB_PARTS = {
    "year": "year",
    "quarter": "quarter",
    "month": "month",
    "day": "day",
    "dayofyear": "doy",
    "hour": "hour",
    "minute": "minute",
    "second": "second",
}


def _part(unit: str) -> Callable[..., Tree]:
    return lambda moment: sql.cast_to(sql.call("date_part", sql.text(unit), moment.copy), INT)


def _day_of_week(moment: Sql) -> Tree:
    """Days since Sunday, as a timespan."""
    return sql.multiply(sql.cast_to(sql.call("date_part", sql.text("dow"), moment.copy), LONG), sql.number(TICKS_A_DAY))


def _from_unix(factor: int) -> Callable[..., Tree]:
    return lambda count: within_calendar(sql.call("make_timestamp", sql.multiply(count.copy, sql.number(factor))))


def _format_datetime(moment: Sql, form: Sql) -> Tree:
    return sql.call("strftime", moment.copy, sql.text(strftime_form(str(form.constant))))


def strftime_form(form: str) -> str:
    """Kusto's form in strftime's letters; the binder has checked that nothing else stands in it."""
    return _RUN.sub(lambda run: _FORMATS[run.group()], form)


def is_known_form(form: str) -> bool:
    return all(run.group() in _FORMATS for run in _RUN.finditer(form))


FUNCTIONS = (
    Function("startofday", "datetime long?", DATETIME, _start_of("day"), named="{0}", may_be_null=True),
    Function("startofmonth", "datetime long?", DATETIME, _start_of("month"), may_be_null=True),
    Function("startofyear", "datetime long?", DATETIME, _start_of("year"), may_be_null=True),
    Function("startofweek", "datetime long?", DATETIME, _start_of_week, may_be_null=True),
    Function("datetime_add", f"part:{','.join(_PARTS)} long datetime", DATETIME, _datetime_add, constants=(0,), may_be_null=True),
    Function("datetime_diff", f"part:{','.join(_PARTS)} datetime datetime", LONG, _datetime_diff, constants=(0,)),
    Function("datetime_part", f"part:{','.join(_DUCKDB_PARTS)} datetime", INT, _datetime_part, constants=(0,)),
    Function("dayofweek", "datetime", TIMESPAN, _day_of_week),
    Function("dayofmonth", "datetime", INT, _part("day")),
    Function("dayofyear", "datetime", INT, _part("doy")),
    Function("getmonth", "datetime", INT, _part("month")),
    Function("monthofyear", "datetime", INT, _part("month")),
    Function("getyear", "datetime", INT, _part("year")),
    Function("hourofday", "datetime", INT, _part("hour")),
    Function("unixtime_seconds_todatetime", "long", DATETIME, _from_unix(1_000_000), may_be_null=True),
    Function("unixtime_milliseconds_todatetime", "long", DATETIME, _from_unix(1_000), may_be_null=True),
    Function("unixtime_microseconds_todatetime", "long", DATETIME, _from_unix(1), may_be_null=True),
    Function("format_datetime", "datetime form", STRING, _format_datetime, constants=(1,), named="{0}"),
)
