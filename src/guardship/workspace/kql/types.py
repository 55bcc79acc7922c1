"""Kusto's scalar types, and how they meet in an expression."""

from enum import StrEnum


class KqlType(StrEnum):
    BOOL = "bool"
    INT = "int"
    LONG = "long"
    REAL = "real"
    DECIMAL = "decimal"
    STRING = "string"
    DATETIME = "datetime"
    TIMESPAN = "timespan"
    GUID = "guid"
    DYNAMIC = "dynamic"


BOOL, INT, LONG, REAL = KqlType.BOOL, KqlType.INT, KqlType.LONG, KqlType.REAL
DECIMAL, STRING, DATETIME = KqlType.DECIMAL, KqlType.STRING, KqlType.DATETIME
TIMESPAN, GUID, DYNAMIC = KqlType.TIMESPAN, KqlType.GUID, KqlType.DYNAMIC

WHOLE = frozenset({INT, LONG})
NUMBERS = frozenset({INT, LONG, REAL, DECIMAL})
ORDERED = frozenset({INT, LONG, REAL, DECIMAL, DATETIME, TIMESPAN})

ALIASES = {
    "boolean": BOOL,
    "date": DATETIME,
    "double": REAL,
    "time": TIMESPAN,
    "uuid": GUID,
    "uniqueid": GUID,
    "int32": INT,
    "int64": LONG,
}

_NAMED = {kind.value: kind for kind in KqlType} | ALIASES
_WIDTH = {INT: 0, LONG: 1, REAL: 2, DECIMAL: 3}


def type_named(name: str) -> KqlType | None:
    return _NAMED.get(name)


def widest(left: KqlType, right: KqlType) -> KqlType:
    """The type of an arithmetic result of two numbers."""
    return left if _WIDTH[left] >= _WIDTH[right] else right


def common(types: list[KqlType]) -> KqlType | None:
    """The one type that values of all these types can take, as in `iff` and `coalesce`; None where there is none."""
    distinct = set(types)
    if len(distinct) == 1:
        return types[0]
    if distinct <= NUMBERS:
        result = types[0]
        for other in types[1:]:
            result = widest(result, other)
        return result
    return None
