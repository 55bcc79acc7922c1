"""Values as they are written in a query: `1.5h`, `datetime(2026-11-24 03:14)`, `timespan(1.02:03:04)`, `dynamic({"a": [1, 2d]})`.

Dates follow Kusto: ISO first; with points, dashes or slashes and the year last it is month first; an offset is applied.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from guardship.errors import Span
from guardship.workspace.kql.errors import BrokenSyntax, Unsupported
from guardship.workspace.kql.tokens import Token, TokenKind, tokenize
from guardship.workspace.kql.types import BOOL, DATETIME, DYNAMIC, GUID, LONG, REAL, TIMESPAN, WHOLE, KqlType, type_named

T = TypeVar("T")

TICKS_A_SECOND = 10_000_000
TICKS_A_DAY = 86_400 * TICKS_A_SECOND

_UNITS = {
    "d": TICKS_A_DAY,
    "h": 3600 * TICKS_A_SECOND,
    "m": 60 * TICKS_A_SECOND,
    "s": TICKS_A_SECOND,
    "ms": TICKS_A_SECOND // 1000,
    "us": 10,
    "t": 1,
}
_UNIT_NAMES = {
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("m", "min", "minute", "minutes"), "m"),
    **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "milli", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("micro", "micros", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("tick", "ticks"), "t"),
}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([a-z]+)")
_CLOCK = re.compile(r"(-)?(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?")
_TIME = r"(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})(?:[-/.](\d{{1,2}}))?{_TIME}", re.IGNORECASE)
_MONTH_FIRST = re.compile(rf"(\d{{1,2}})[-/.](\d{{1,2}})[-/.](\d{{4}}){_TIME}", re.IGNORECASE)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})()()()()()")
_WORDED = re.compile(
    rf"(?:[A-Za-z]{{3,9}},\s*)?(\d{{1,2}})[\s-]([A-Za-z]{{3,9}})[\s-](\d{{4}}){_TIME.replace('(Z|', '(Z|GMT|UTC|')}", re.IGNORECASE
)
_MONTHS = {
    name: number
    for number, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1)
}


class FinerThanMicroseconds(ValueError):
    """A time with a seventh digit; what we store and compute holds six."""


def timespan_ticks(text: str) -> int:
    """Ticks of `1.5h`, `10m`, `3days`."""
    match = _SPAN.fullmatch(text)
    unit = _UNIT_NAMES.get(match.group(2)) if match else None
    if match is None or unit is None:
        raise ValueError(text)
    number = match.group(1)
    return int(number) * _UNITS[unit] if number.isdigit() else round(float(number) * _UNITS[unit])


def parse_timespan(text: str) -> int | None:
    """Ticks of what stands in `timespan(...)` or in a text given to totimespan; None when it is neither."""
    text = text.strip()
    if match := _CLOCK.fullmatch(text):
        sign, days, hours, minutes, seconds, fraction = match.groups()
        whole = (int(days or 0) * 24 + int(hours)) * 3600 + int(minutes) * 60 + int(seconds or 0)
        ticks = whole * TICKS_A_SECOND + int((fraction or "0").ljust(7, "0"))
        return -ticks if sign else ticks
    if re.fullmatch(r"-?\d+", text):
        return int(text) * TICKS_A_DAY
    try:
        return -timespan_ticks(text[1:].strip()) if text.startswith("-") else timespan_ticks(text)
    except ValueError:
        return None


def parse_datetime(text: str) -> datetime | None:
    """The UTC time, without a zone; None when the text is none. Raises when it is finer than a microsecond."""
    text = text.strip()
    if match := _YEAR_FIRST.fullmatch(text):
        year, month, day, *rest = match.groups()
    elif match := _MONTH_FIRST.fullmatch(text):
        month, day, year, *rest = match.groups()
    elif match := _COMPACT.fullmatch(text):
        year, month, day, *rest = match.groups()
    elif match := _WORDED.fullmatch(text):
        day, word, year, *rest = match.groups()
        month = str(_MONTHS.get(word[:3].lower(), 0))
    else:
        return None
    hour, minute, second, fraction, zone = rest
    digits = (fraction or "").ljust(7, "0")
    if digits[6] != "0":
        raise FinerThanMicroseconds(text)
    try:
        moment = datetime(int(year), int(month), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), int(digits[:6]), UTC)
        return (moment - _offset(zone)).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _offset(zone: str | None) -> timedelta:
    if not zone or zone.upper() in ("Z", "GMT", "UTC"):
        return timedelta(0)
    digits = zone[1:].replace(":", "")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -span if zone[0] == "-" else span


def literal_value(token: Token, span: Span) -> tuple[KqlType, object]:
    """Type and value of a literal token other than a string."""
    match token.kind:
        case TokenKind.LONG:
            return LONG, _whole(token.text, 64, span)
        case TokenKind.REAL:
            return REAL, float(token.text)
        case TokenKind.TIMESPAN:
            return TIMESPAN, timespan_ticks(token.text)
        case TokenKind.DYNAMIC:
            return DYNAMIC, dynamic_json(token.text, span)
        case _:
            return _typed(token, span)


def _typed(token: Token, span: Span) -> tuple[KqlType, object]:
    kind = type_named(token.type_name)
    assert kind is not None
    text = token.text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    if text == "null":
        return kind, None
    if kind is KqlType.DECIMAL:
        raise Unsupported("a decimal literal", span, "use real()")
    try:
        value = _parsed(kind, text, span)
    except FinerThanMicroseconds:
        raise Unsupported("a time finer than a microsecond", span, "write at most six digits after the second") from None
    except (ValueError, AttributeError):
        value = None
    if value is None:
        raise BrokenSyntax(f"{text!r} is no {kind}", span=span, hint=_FORMS.get(kind))
    return kind, value


_FORMS = {
    DATETIME: "write it as datetime(2026-11-24 03:14:05)",
    TIMESPAN: "write it as 1h, or timespan(1.02:03:04)",
    BOOL: "write true or false",
    GUID: "write it as guid(74be27de-1e4e-49d9-b579-fe0b331d3642)",
}


def _parsed(kind: KqlType, text: str, span: Span) -> object:
    match kind:
        case KqlType.DATETIME:
            return parse_datetime(text)
        case KqlType.TIMESPAN:
            return parse_timespan(text)
        case KqlType.GUID:
            return UUID(text)
        case KqlType.BOOL:
            return {"true": True, "false": False, "1": True, "0": False}.get(text.lower())
        case KqlType.REAL:
            return {"nan": math.nan, "+inf": math.inf, "inf": math.inf, "-inf": -math.inf}.get(text.lower()) or float(text)
        case _:
            return _whole(text, 32 if kind is KqlType.INT else 64, span) if kind in WHOLE else None


def _whole(text: str, bits: int, span: Span) -> int:
    number = int(text, 16) if text.lower().startswith(("0x", "-0x")) else int(text)
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise BrokenSyntax(f"{text} does not fit into {bits} bits", span=span)
    return number


def dynamic_json(text: str, span: Span) -> str | None:
    """JSON text of what stands in `dynamic(...)`: JSON, or JSON-like with KQL literals inside."""
    try:
        value = json.loads(text)
    except ValueError:
        value = _DynamicReader(text, span).whole()
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _DynamicReader:
    def __init__(self, text: str, span: Span) -> None:
        self._span = span
        self._tokens = tokenize(text)
        self._at = 0

    def whole(self) -> object:
        value = self._value()
        if self._tokens[self._at].kind is not TokenKind.END:
            raise self._broken()
        return value

    def _broken(self) -> BrokenSyntax:
        return BrokenSyntax("this dynamic literal is not JSON", span=self._span, hint='write it as dynamic(["a", 1])')

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _value(self) -> object:
        token = self._take()
        match token.kind:
            case TokenKind.STRING:
                return token.text
            case TokenKind.NAME if token.text in ("true", "false", "null"):
                return {"true": True, "false": False, "null": None}[token.text]
            case TokenKind.LONG | TokenKind.REAL | TokenKind.TIMESPAN | TokenKind.TYPED | TokenKind.DYNAMIC:
                return json_of(*literal_value(token, self._span))
        if token.text == "-" and self._tokens[self._at].kind in (TokenKind.LONG, TokenKind.REAL):
            number = self._value()
            return -number if isinstance(number, int | float) else number
        if token.text == "[":
            return self._list("]", self._value)
        if token.text == "{":
            return dict(self._list("}", self._pair))
        raise self._broken()

    def _list(self, close: str, item: Callable[[], T]) -> list[T]:
        values: list[T] = []
        while self._tokens[self._at].text != close:
            values.append(item())
            if self._tokens[self._at].text == ",":
                self._at += 1
            elif self._tokens[self._at].text != close:
                raise self._broken()
        self._at += 1
        return values

    def _pair(self) -> tuple[str, object]:
        key = self._take()
        if key.kind is not TokenKind.STRING or self._take().text != ":":
            raise self._broken()
        return key.text, self._value()


def json_of(kind: KqlType, value: object) -> object:
    """How a value of this type stands inside a dynamic."""
    match kind:
        case _ if value is None:
            return None
        case KqlType.DATETIME if isinstance(value, datetime):
            return datetime_text(value)
        case KqlType.TIMESPAN if isinstance(value, int):
            return timespan_text(value)
        case KqlType.DYNAMIC:
            return json.loads(str(value))
        case KqlType.GUID:
            return str(value)
        case _:
            return value


def datetime_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0") + "0Z"


def timespan_text(ticks: int) -> str:
    """`[-][d.]hh:mm:ss[.fffffff]`."""
    sign = "-" if ticks < 0 else ""
    days, rest = divmod(abs(ticks), TICKS_A_DAY)
    seconds, fraction = divmod(rest, TICKS_A_SECOND)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{sign}{f'{days}.' if days else ''}{text}{f'.{fraction:07}' if fraction else ''}"
