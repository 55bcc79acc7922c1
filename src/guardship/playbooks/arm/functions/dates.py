"""Functions of templates on dates. A moment keeps the form it was written in, unless another is asked for."""

import re
from decimal import Decimal

from guardship.playbooks.arm.place import Deployment
from guardship.playbooks.arm.symbols import ArmFailed
from guardship.playbooks.expressions.arguments import text, whole_number
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.locales import locale_called
from guardship.playbooks.expressions.times import (
    EPOCH_TICKS,
    TICKS_PER_SECOND,
    Moment,
    add_months,
    read_by_pattern,
    read_moment,
    ticks_of,
    write_moment,
)
from guardship.playbooks.expressions.values import Value

_COMPACT = "yyyyMMdd'T'HHmmss'Z'"
_SECONDS = "yyyy'-'MM'-'dd'T'HH':'mm':'ssK"
_FORMS = (
    (re.compile(r"\d{8}T\d{6}Z"), _COMPACT),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"), "u"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ?"), _SECONDS),
    (re.compile(r"\d{4}-\d\d-\d\d"), "yyyy-MM-dd"),
)
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)
_UNITS = {"weeks": 604_800, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}


def _read(function: str, value: Value) -> tuple[Moment, str]:
    """The moment, and the form it is written in; an unusual one becomes the round-trip form (a guess)."""
    written = text(function, value)
    form = next((form for pattern, form in _FORMS if pattern.fullmatch(written)), "o")
    locale = locale_called("en-US")
    if form == _COMPACT:
        return Moment(read_by_pattern(function, written, "yyyyMMddTHHmmssZ", locale).ticks, True), form
    return read_moment(function, written, locale), form


def _written(moment: Moment, form: Value, otherwise: str) -> str:
    return write_moment(moment, otherwise if form is None else text("format", form), locale_called("en-US"))


def date_time_add(base: Value, duration: Value, form: Value = None) -> Value:
    """`dateTimeAdd('2020-04-07 14:53:14Z', '-PT1H')`; years and months go by the calendar."""
    moment, own_form = _read("dateTimeAdd", base)
    match = _DURATION.fullmatch(text("dateTimeAdd", duration).strip())
    found = {name: given for name, given in match.groupdict().items() if given and name != "sign"} if match else {}
    if match is None or not found:
        raise ArmFailed(f"The template function 'dateTimeAdd' expects a duration, not '{duration}'.", hint="such as P1D, -PT9H or P3Y")
    sign = -1 if match["sign"] == "-" else 1
    moved = add_months(moment, sign * (12 * int(found.get("years", 0)) + int(found.get("months", 0))))
    seconds = sum((Decimal(given) * _UNITS[name] for name, given in found.items() if name in _UNITS), Decimal(0))
    moved = moved.plus(sign * int(seconds * TICKS_PER_SECOND))
    moved.parts()  # outside the years 1 to 9999 is refused
    return _written(moved, form, own_form)


def date_time_from_epoch(seconds: Value) -> Value:
    moment = Moment(EPOCH_TICKS + whole_number("dateTimeFromEpoch", seconds) * TICKS_PER_SECOND, True)
    return _written(moment, None, _SECONDS)


def date_time_to_epoch(value: Value) -> Value:
    return (_read("dateTimeToEpoch", value)[0].ticks - EPOCH_TICKS) // TICKS_PER_SECOND


def utc_now(deployment: Deployment, form: Value = None) -> Value:
    return _written(Moment(ticks_of(deployment.now), True), form, _COMPACT)


TABLE = (
    Entry("dateTimeAdd", 2, 3, date_time_add),
    Entry("dateTimeFromEpoch", 1, 1, date_time_from_epoch),
    Entry("dateTimeToEpoch", 1, 1, date_time_to_epoch),
    Entry("utcNow", 0, 1, utc_now, needs_scope=True),
)
