"""One type to another, in DuckDB's words: null where it cannot be, never an error, and strings are never null.

Two traps kept out: DuckDB rounds where Kusto truncates (3.7 and '12.5' to a whole number), and its cast to TIMESTAMP drops `+02:00`.
"""

from guardship.workspace.kql import sql_trees as sql
from guardship.workspace.kql.functions.entry import Function, Sql
from guardship.workspace.kql.sql_trees import Tree
from guardship.workspace.kql.types import BOOL, DATETIME, DYNAMIC, GUID, INT, LONG, NUMBERS, REAL, STRING, TIMESPAN, WHOLE, KqlType

_DAY, _HOUR, _MINUTE, _SECOND = 864_000_000_000, 36_000_000_000, 600_000_000, 10_000_000
_WHOLE_TEXT = r"\s*(?:[+-]?\d{1,19}|0[xX][0-9a-fA-F]{1,16})\s*"
_REAL_TEXT = r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*"
_ISO_TEXT = r"\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?\s*(?:[zZ]|[+-]\d{2}(?::?\d{2})?)?\s*"
_OTHER_FORMS = (
    "%m-%d-%Y",
    "%m/%d/%Y",
    "%m.%d.%Y",
    "%m-%d-%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d %b %Y",
    "%d %b %Y %H:%M:%S",
    "%d %B %Y",
    "%a, %d %b %Y %H:%M:%S",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%Y%m%d",
)
_SPAN_TEXT = r"\s*(-?)(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?\s*"


def convert(value: Sql, to: KqlType) -> Tree:
    """The value as another type; the binder has already refused what Kusto refuses."""
    if value.type is to:
        return value.copy
    if value.type is DYNAMIC and to is not STRING:
        return _from_dynamic(value, to)
    match to:
        case KqlType.STRING:
            return to_string(value)
        case KqlType.INT | KqlType.LONG:
            return _to_whole(value, to)
        case KqlType.REAL:
            return _to_real(value)
        case KqlType.BOOL:
            return _to_bool(value)
        case KqlType.DATETIME:
            return _to_datetime(value)
        case KqlType.TIMESPAN:
            return _to_timespan(value)
        case _:
            return sql.try_cast_to(value.copy, to)


def to_string(value: Sql) -> Tree:
    """Never null."""
    shown = _shown(value)
    return sql.coalesce(shown, sql.text("")) if value.is_nullable or value.type is DYNAMIC else shown


def _shown(value: Sql) -> Tree:
    match value.type:
        case KqlType.STRING:
            return value.copy
        case KqlType.DATETIME:
            return datetime_text(value.copy)
        case KqlType.TIMESPAN:
            return timespan_text(value)
        case KqlType.REAL:
            return _real_text(value)
        case KqlType.DYNAMIC:
            scalar = sql.call("json_extract_string", value.copy, sql.text("$"))
            return sql.case((sql.equal(sql.call("json_type", value.copy), sql.text("NULL")), sql.text("")), default=scalar)
        case _:
            return sql.cast_to(value.copy, STRING)


def datetime_text(tree: Tree) -> Tree:
    return sql.joined_text(sql.call("strftime", tree, sql.text("%Y-%m-%dT%H:%M:%S.%f")), sql.text("0Z"))


def _real_text(value: Sql) -> Tree:
    """1.0 prints as 1; NaN and Infinity have Kusto's spelling."""
    plain = sql.call("regexp_replace", sql.call("upper", sql.cast_to(value.copy, STRING)), sql.text(r"\.0$"), sql.text(""))
    infinite = sql.case((sql.greater(value.copy, sql.cast_to(sql.small(0), REAL)), sql.text("Infinity")), default=sql.text("-Infinity"))
    return sql.case(
        (sql.call("isnan", value.copy), sql.text("NaN")),
        (sql.call("isinf", value.copy), infinite),
        default=plain,
    )


def timespan_text(value: Sql) -> Tree:
    size = sql.call("abs", value.copy)
    days = sql.divide_whole(size, sql.number(_DAY))
    rest = sql.modulo(size.copy(), sql.number(_DAY))
    clock = sql.call(
        "printf",
        sql.text("%02d:%02d:%02d"),
        sql.divide_whole(rest, sql.number(_HOUR)),
        sql.divide_whole(sql.modulo(size.copy(), sql.number(_HOUR)), sql.number(_MINUTE)),
        sql.divide_whole(sql.modulo(size.copy(), sql.number(_MINUTE)), sql.number(_SECOND)),
    )
    fraction = sql.modulo(size.copy(), sql.number(_SECOND))
    zero = sql.number(0)
    return sql.joined_text(
        sql.case((sql.less(value.copy, zero), sql.text("-")), default=sql.text("")),
        sql.case((sql.greater(days, zero.copy()), sql.call("printf", sql.text("%d."), days.copy())), default=sql.text("")),
        clock,
        sql.case((sql.greater(fraction, zero.copy()), sql.call("printf", sql.text(".%07d"), fraction.copy())), default=sql.text("")),
    )


def _to_whole(value: Sql, to: KqlType) -> Tree:
    if value.type is STRING:
        looks_whole = sql.call("regexp_full_match", value.copy, sql.text(_WHOLE_TEXT))
        return sql.case((looks_whole, sql.try_cast_to(sql.call("trim", value.copy), to)))
    if value.type is REAL:
        return sql.try_cast_to(sql.call("trunc", value.copy), to)
    return sql.try_cast_to(value.copy, to)


def _to_real(value: Sql) -> Tree:
    if value.type is STRING:
        looks_real = sql.call("regexp_full_match", value.copy, sql.text(_REAL_TEXT))
        return sql.case((looks_real, sql.try_cast_to(sql.call("trim", value.copy), REAL)))
    return sql.try_cast_to(value.copy, REAL)


def _to_bool(value: Sql) -> Tree:
    if value.type in NUMBERS:
        return sql.differ(value.copy, sql.cast_to(sql.small(0), value.type))
    word = sql.call("lower", sql.call("trim", value.copy))
    as_number = Sql(value.tree, STRING, is_nullable=False)
    return sql.case(
        (sql.equal(word, sql.text("true")), sql.true()),
        (sql.equal(word.copy(), sql.text("false")), sql.false()),
        default=sql.differ(_to_whole(as_number, LONG), sql.number(0)),
    )


def _to_datetime(value: Sql) -> Tree:
    from_iso = sql.call("regexp_full_match", value.copy, sql.text(_ISO_TEXT))
    with_zone = sql.cast_to(sql.try_cast_with_zone(sql.call("trim", value.copy)), DATETIME)
    has_digits = sql.call("regexp_matches", value.copy, sql.text(r"^\s*(?:\d|[A-Za-z]{3}, *\d)"))  # "infinity" is no time
    forms = sql.call("list_value", *(sql.text(form) for form in _OTHER_FORMS))
    return sql.case((from_iso, with_zone), (has_digits, sql.call("try_strptime", sql.call("trim", value.copy), forms)))


def _to_timespan(value: Sql) -> Tree:
    def part(group: int, factor: int) -> Tree:
        found = sql.call("regexp_extract", value.copy, sql.text(_SPAN_TEXT), sql.small(group))
        return sql.multiply(sql.coalesce(sql.try_cast_to(found, LONG), sql.number(0)), sql.number(factor))

    fraction = sql.call("rpad", sql.call("regexp_extract", value.copy, sql.text(_SPAN_TEXT), sql.small(6)), sql.small(7), sql.text("0"))
    size = sql.add(
        sql.add(sql.add(part(2, _DAY), part(3, _HOUR)), sql.add(part(4, _MINUTE), part(5, _SECOND))),
        sql.coalesce(sql.try_cast_to(fraction, LONG), sql.number(0)),
    )
    sign = sql.case((sql.call("starts_with", sql.call("trim", value.copy), sql.text("-")), sql.number(-1)), default=sql.number(1))
    return sql.case((sql.call("regexp_full_match", value.copy, sql.text(_SPAN_TEXT)), sql.multiply(size, sign)))


def _from_dynamic(value: Sql, to: KqlType) -> Tree:
    """By way of its text; an object or a list is neither number nor time and gives null."""
    text_of = Sql(to_string(value), STRING, is_nullable=False)
    if to in WHOLE:
        return sql.coalesce(_to_whole(text_of, to), sql.try_cast_to(sql.call("trunc", _to_real(text_of)), to))
    return convert(text_of, to)


def as_json(value: Sql) -> Tree:
    """How the value stands inside a dynamic; null stays SQL's null."""
    match value.type:
        case KqlType.DYNAMIC:
            return value.copy
        case KqlType.DATETIME | KqlType.TIMESPAN | KqlType.GUID:
            return sql.call("to_json", _shown(value))
        case _:
            return sql.call("to_json", value.copy)


def json_or_null(value: Sql) -> Tree:
    """As `as_json`, with JSON's own null, for places inside a list or bag."""
    return sql.coalesce(as_json(value), sql.cast_to(sql.text("null"), DYNAMIC))


_SOURCES = {
    STRING: "any",
    INT: "bool|number|string|dynamic",
    LONG: "bool|number|timespan|string|dynamic",
    REAL: "bool|number|string|dynamic",
    BOOL: "bool|number|string|dynamic",
    DATETIME: "datetime|string|dynamic",
    TIMESPAN: "timespan|string|dynamic",
    GUID: "string|dynamic",
}


def _converter(name: str, kind: KqlType) -> Function:
    def build(value: Sql) -> Tree:
        return convert(value, kind)

    return Function(name, _SOURCES[kind], kind, build, may_be_null=kind is not STRING, never_null=kind is STRING, named="{0}")


FUNCTIONS = (
    _converter("tostring", STRING),
    _converter("toint", INT),
    _converter("tolong", LONG),
    _converter("todouble", REAL),
    _converter("toreal", REAL),
    _converter("tobool", BOOL),
    _converter("toboolean", BOOL),
    _converter("todatetime", DATETIME),
    _converter("totimespan", TIMESPAN),
    _converter("toguid", GUID),
)
