"""Cells of an answer as the doors print them: Kusto's JSON forms of each type."""

import json
import math
from collections.abc import Callable
from datetime import datetime

from guardship.workspace.kql.literals import datetime_text, timespan_text
from guardship.workspace.kql.types import KqlType

JsonCell = str | int | float | bool | None | list[object] | dict[str, object]


def printer_of(kind: KqlType) -> Callable[[object], JsonCell]:
    """The function that turns a cell of DuckDB's into what stands in JSON; a null string is the empty string."""
    return _PRINTERS.get(kind, _plain)


def _plain(cell: object) -> JsonCell:
    return cell if isinstance(cell, str | int | bool) else None


def _string(cell: object) -> JsonCell:
    return "" if cell is None else str(cell)


def _real(cell: object) -> JsonCell:
    if not isinstance(cell, float | int):
        return None
    if math.isnan(cell):
        return "NaN"
    if math.isinf(cell):
        return "Infinity" if cell > 0 else "-Infinity"
    return float(cell)


def _datetime(cell: object) -> JsonCell:
    return datetime_text(cell) if isinstance(cell, datetime) else None


def _timespan(cell: object) -> JsonCell:
    return timespan_text(cell) if isinstance(cell, int) else None


def _dynamic(cell: object) -> JsonCell:
    loaded: JsonCell = json.loads(cell) if isinstance(cell, str) else None
    return loaded


def _guid(cell: object) -> JsonCell:
    return None if cell is None else str(cell)


_PRINTERS: dict[KqlType, Callable[[object], JsonCell]] = {
    KqlType.STRING: _string,
    KqlType.REAL: _real,
    KqlType.DATETIME: _datetime,
    KqlType.TIMESPAN: _timespan,
    KqlType.DYNAMIC: _dynamic,
    KqlType.GUID: _guid,
    KqlType.DECIMAL: _guid,
}
