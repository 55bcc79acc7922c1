"""Moments as ticks: 100 ns since the year 1, the only unit that keeps the seven digits Azure prints.

Reads `2018-03-15T13:27:36Z`, `03/15/2018 12:00:00`, `20 octobre 2010`; writes the standard and custom formats of .NET.
"""

import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from guardship.playbooks.expressions.locales import Locale
from guardship.playbooks.expressions.values import EvaluationFailed

TICKS_PER_SECOND = 10_000_000
TICKS_PER_DAY = 86_400 * TICKS_PER_SECOND
YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)
EPOCH_TICKS = 621_355_968_000_000_000
_ROUND_TRIP = "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK"

_ISO = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?", re.IGNORECASE
)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,7}))?)?\s*([AaPp][Mm])?")
_ZONE = re.compile(r"(?:\s*(Z|GMT|UTC|[+-]\d{2}:?\d{2}))$", re.IGNORECASE)
_TOKEN = re.compile(
    r"d{1,4}|f{1,7}|F{1,7}|g{1,2}|h{1,2}|H{1,2}|K|m{1,2}|M{1,4}|s{1,2}|t{1,2}|y{1,5}|z{1,3}|'[^']*'|\"[^\"]*\"|\\.|%|.", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Moment:
    ticks: int
    is_utc: bool  # False: a time of which nobody said where

    def parts(self) -> datetime:
        if not 0 <= self.ticks < 3_155_378_976_000_000_000:
            raise EvaluationFailed("The time is outside the years 1 to 9999.")
        return YEAR_ONE + timedelta(microseconds=self.ticks // 10)

    def plus(self, ticks: int) -> "Moment":
        return Moment(self.ticks + ticks, self.is_utc)


def ticks_of(moment: datetime) -> int:
    span = moment.astimezone(UTC) - YEAR_ONE
    return (span.days * 86_400 + span.seconds) * TICKS_PER_SECOND + span.microseconds * 10


def add_months(moment: Moment, months: int) -> Moment:
    here = moment.parts()
    count = here.year * 12 + here.month - 1 + months
    year, month = divmod(count, 12)
    if not 1 <= year <= 9999:
        raise EvaluationFailed("The time is outside the years 1 to 9999.")
    last_day = (datetime(year + (month == 11), (month + 1) % 12 + 1, 1, tzinfo=UTC) - timedelta(days=1)).day if year < 9999 else 28
    moved = here.replace(year=year, month=month + 1, day=min(here.day, last_day))
    return Moment(ticks_of(moved) + moment.ticks % 10, moment.is_utc)


def read_moment(function: str, text: str, locale: Locale) -> Moment:
    """A time in ISO form or in the locale's way of writing."""
    match = _ISO.fullmatch(text.strip())
    try:
        if match is not None:
            return _from_iso(match)
        found = _read_freely(text.strip(), locale)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise EvaluationFailed(f"In the function '{function}', the value provided for date time string '{text[:100]}' was not valid.")
    return found


def _from_iso(match: re.Match[str]) -> Moment:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    whole = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    ticks = ticks_of(whole) + (int(f"{fraction[:7]:0<7}") if fraction else 0)
    return Moment(ticks - _zone_ticks(zone), zone is not None)


def _zone_ticks(zone: str | None) -> int:
    if zone is None or zone[0] not in "+-":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return (minutes if zone[0] == "+" else -minutes) * 60 * TICKS_PER_SECOND


def _read_freely(text: str, locale: Locale) -> Moment | None:
    zone_match = _ZONE.search(text) if ":" in text else None
    zone = zone_match.group(1) if zone_match else None
    rest = text[: zone_match.start()] if zone_match else text
    clock = _CLOCK.search(rest)
    hour = minute = second = fraction = 0
    if clock is not None:
        rest = rest[: clock.start()] + " " + rest[clock.end() :]
        hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
        fraction = int(f"{clock[4]:0<7}") if clock[4] else 0
        if clock[5]:
            hour = hour % 12 + (12 if clock[5].lower() == "pm" else 0)
    named, numbers = None, []
    for word in re.findall(r"\d+|[^\W\d_]+\.?", rest):
        if word.isdigit():
            numbers.append(word)
        elif (month := _month_called(word, locale)) is not None:
            named = month
        elif word.lower().rstrip(".") not in _idle_words(locale):
            return None
    date = _date_of(numbers, named, locale)
    if date is None:
        return None
    ticks = ticks_of(datetime(*date, hour, minute, second, tzinfo=UTC)) + fraction
    return Moment(ticks - _zone_ticks(zone), zone is not None)


def _idle_words(locale: Locale) -> set[str]:
    return {word.lower().rstrip(".") for word in (*locale.days, *locale.short_days, "de", "t", "st", "nd", "rd", "th", "at")}


def _month_called(word: str, locale: Locale) -> int | None:
    folded = word.lower().rstrip(".")
    for names in (locale.months, locale.short_months):
        for index, name in enumerate(names):
            if name.lower().rstrip(".") == folded:
                return index + 1
    return None


def _date_of(numbers: list[str], named: int | None, locale: Locale) -> tuple[int, int, int] | None:
    if named is not None and len(numbers) == 2:
        day, year = (numbers[1], numbers[0]) if len(numbers[0]) == 4 else (numbers[0], numbers[1])
        return int(year), named, int(day)
    if named is None and len(numbers) == 3:
        if len(numbers[0]) == 4:
            return int(numbers[0]), int(numbers[1]), int(numbers[2])
        day, month = (numbers[0], numbers[1]) if locale.is_day_first else (numbers[1], numbers[0])
        written = int(numbers[2])
        century = 0 if written >= 100 else 2000 if written < 50 else 1900
        return written + century, int(month), int(day)
    return None


def standard_pattern(form: str, locale: Locale) -> str | None:
    """The custom pattern behind a format of one letter."""
    known = locale.patterns
    match form:
        case "d" | "D" | "t" | "T":
            return known[form]
        case "f" | "F":
            return f"{known['D']} {known['t' if form == 'f' else 'T']}"
        case "U":
            return f"{known['D']} {known['T']}"
        case "g" | "G":
            return f"{known['d']} {known['t' if form == 'g' else 'T']}"
        case "m" | "M":
            return known["M"]
        case "y" | "Y":
            return known["Y"]
        case "o" | "O":
            return _ROUND_TRIP
        case "r" | "R":
            return "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'"
        case "s":
            return "yyyy'-'MM'-'dd'T'HH':'mm':'ss"
        case "u":
            return "yyyy'-'MM'-'dd HH':'mm':'ss'Z'"
        case _:
            return None


def write_moment(moment: Moment, form: str, locale: Locale) -> str:
    pattern = form or "o"
    if len(pattern) == 1:
        known = standard_pattern(pattern, locale)
        if known is None:
            raise EvaluationFailed(f"The date format '{form}' is not valid.")
        pattern = known
    here = moment.parts()
    fraction = f"{moment.ticks % TICKS_PER_SECOND:07d}"
    if pattern == _ROUND_TRIP:  # what most ask for
        return f"{here.isoformat(timespec='seconds')[:19]}.{fraction}{'Z' if moment.is_utc else ''}"
    return "".join(_written(token, here, fraction, moment.is_utc, locale) for token in _TOKEN.findall(pattern))


def _written(token: str, here: datetime, fraction: str, is_utc: bool, locale: Locale) -> str:
    size = len(token)
    match token[0]:
        case "d":
            return (str(here.day), f"{here.day:02d}", locale.short_days[here.weekday()], locale.days[here.weekday()])[size - 1]
        case "M":
            return (str(here.month), f"{here.month:02d}", locale.short_months[here.month - 1], locale.months[here.month - 1])[size - 1]
        case "y":
            return str(here.year % 100) if size == 1 else f"{here.year % 100:02d}" if size == 2 else f"{here.year:0{size}d}"
        case "h":
            return f"{(here.hour % 12) or 12:0{size}d}"
        case "H":
            return f"{here.hour:0{size}d}"
        case "m":
            return f"{here.minute:0{size}d}"
        case "s":
            return f"{here.second:0{size}d}"
        case "f":
            return fraction[:size]
        case "F":
            return fraction[:size].rstrip("0")
        case "t":
            return locale.noon[here.hour >= 12][: 1 if size == 1 else None]
        case "g":
            return "A.D."
        case "K":
            return "Z" if is_utc else ""
        case "z":
            return ("+0", "+00", "+00:00")[size - 1]
        case "'" | '"':
            return token[1:-1]
        case "\\":
            return token[1:]
        case "%":
            return ""
        case _:
            return token


_READ = {
    "y": r"(?P<year>\d{2,4})",
    "d": r"(?P<day>\d{1,2})",
    "H": r"(?P<hour>\d{1,2})",
    "h": r"(?P<half>\d{1,2})",
    "m": r"(?P<minute>\d{1,2})",
    "s": r"(?P<second>\d{1,2})",
    "f": r"(?P<fraction>\d{1,7})",
    "F": r"(?P<fraction>\d{0,7})",
    "t": r"(?P<noon>[AaPp][Mm]?)",
    "K": r"(?P<zone>Z|[+-]\d\d:?\d\d)?",
    "z": r"(?P<zone>[+-]\d\d:?\d\d)",
}


def read_by_pattern(function: str, text: str, form: str, locale: Locale) -> Moment:
    pattern = (standard_pattern(form, locale) or form) if len(form) == 1 else form
    match = re.fullmatch("".join(_reading(token, locale) for token in _TOKEN.findall(pattern)), text.strip(), re.IGNORECASE)
    if match is None:
        raise EvaluationFailed(f"In the function '{function}', the date time string '{text[:100]}' does not have the format '{form}'.")
    found = {name: value for name, value in match.groupdict().items() if value}
    month = _month_called(found["name"], locale) or 1 if "name" in found else int(found.get("month", 1))
    hour = int(found.get("hour", 0))
    if "half" in found:
        hour = int(found["half"]) % 12 + (12 if found.get("noon", "a").lower().startswith("p") else 0)
    try:
        whole = datetime(
            int(found.get("year", 1)),
            month,
            int(found.get("day", 1)),
            hour,
            int(found.get("minute", 0)),
            int(found.get("second", 0)),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise EvaluationFailed(f"In the function '{function}', '{text[:100]}' is not a time: {error}.") from error
    return Moment(ticks_of(whole) + int(f"{found.get('fraction', '0'):0<7}") - _zone_ticks(found.get("zone")), "zone" in found)


def _reading(token: str, locale: Locale) -> str:
    if token[0] == "M":
        names = locale.months if len(token) == 4 else locale.short_months
        return rf"(?P<name>{'|'.join(map(re.escape, names))})" if len(token) > 2 else r"(?P<month>\d{1,2})"
    if token[0] == "d" and len(token) > 2:
        return rf"(?:{'|'.join(map(re.escape, (*locale.days, *locale.short_days)))})"
    if token[0] in _READ:
        return _READ[token[0]]
    if token[0] in "'\"":
        return re.escape(token[1:-1])
    return re.escape(token[1:] if token[0] == "\\" else "" if token == "%" else token)


@cache
def _windows_zones() -> dict[str, str]:
    with Path(__file__).with_name("windows_zones.toml").open("rb") as file:
        return {name.lower(): zone for name, zone in tomllib.load(file).items()}


@cache
def zone_called(name: str) -> ZoneInfo:
    """A zone by its Windows or IANA name."""
    try:
        return ZoneInfo(_windows_zones().get(name.lower(), name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise EvaluationFailed(f"The time zone id '{name}' is not known.") from error


def to_zone(moment: Moment, zone: ZoneInfo) -> Moment:
    """The wall clock there; the result says no more that it is UTC."""
    there = moment.parts().astimezone(zone).utcoffset() or timedelta()
    return Moment(moment.ticks + int(there.total_seconds()) * TICKS_PER_SECOND, False)


def from_zone(moment: Moment, zone: ZoneInfo) -> Moment:
    offset = moment.parts().replace(tzinfo=zone).utcoffset() or timedelta()
    return Moment(moment.ticks - int(offset.total_seconds()) * TICKS_PER_SECOND, True)
