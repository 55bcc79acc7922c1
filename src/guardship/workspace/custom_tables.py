"""Tables that come to be with their first rows: `<type>_CL`, with a column for each property, named by its type as published.

    {"user": "ada", "count": 3, "ok": true, "at": "2026-11-24T03:14:05Z"}   ->   user_s, count_d, ok_b, at_t

A property that comes with another type gets another column. What a table has grown to is kept as a file of the catalogue, so that it is
there again at the next start.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from guardship.errors import Fault, GuardshipError
from guardship.workspace.catalog import Catalog, LogColumn, LogTable
from guardship.workspace.duckdb_store import DuckDbStore
from guardship.workspace.ingest import Ingest, Ingested
from guardship.workspace.kql.types import BOOL, DATETIME, REAL, STRING, KqlType

MOST_COLUMNS = 500
LONGEST_NAME = 45  # of a property; longer ones are cut, as published
MEANING = "Sent with the row"

_TABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
_GUID = re.compile(r"\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?", re.IGNORECASE)
_AS_THEY_ARE = {"TimeGenerated": DATETIME, "Computer": STRING}


class BadCustomRows(GuardshipError):
    code = "ingest.bad_custom_rows"
    fault = Fault.BAD_INPUT


class CustomTables:
    def __init__(self, catalog: Catalog, store: DuckDbStore, ingest: Ingest, folder: Path) -> None:
        self._catalog = catalog
        self._store = store
        self._ingest = ingest
        self._folder = folder
        self._lock = Lock()

    def send(self, log_type: str, rows: Sequence[Any], *, time_field: str = "", batch_id: str = "") -> Ingested:
        """Rows of a kind, its table made or widened for them. With a `batch_id` the same rows sent again are written once."""
        if not _TABLE.fullmatch(log_type):
            raise BadCustomRows(f"Log-Type: {log_type or '(nothing)'} is no name of a table", hint="letters, digits and _, at most 100")
        named = [_named(number, row, time_field) for number, row in enumerate(rows)]
        table = self._grown(f"{log_type}_CL", named)
        if not batch_id:
            return self._ingest.ingest(table, named)
        by_id = {f"{batch_id}-{number}": row for number, row in enumerate(named)}
        missing = self._ingest.missing(table, list(by_id)) if by_id else []
        return self._ingest.ingest(table, [by_id[one] for one in missing], item_ids=missing)

    def _grown(self, name: str, rows: Sequence[Mapping[str, Any]]) -> str:
        with self._lock:
            known = self._catalog.tables.get(name)
            has = {column.name for column in known.columns} if known else set()
            wanted = {column: _type_of(column) for row in rows for column in row if column not in has}
            if known is not None and not wanted:
                return name
            kept = tuple(column for column in known.columns if column.meaning == MEANING) if known else ()
            columns = (*kept, *(LogColumn(column, kind, MEANING) for column, kind in wanted.items()))
            if len(columns) > MOST_COLUMNS:
                raise BadCustomRows(f"{name} would have {len(columns)} columns, and {MOST_COLUMNS} are the most")
            self._catalog.add(LogTable(name, f"Rows sent as {name.removesuffix('_CL')}", columns, None, "RestAPI", {}))
            self._store.refresh()
            self._keep(name, columns)
        return name

    def _keep(self, name: str, columns: Sequence[LogColumn]) -> None:
        lines = [f"name = {json.dumps(name)}", f"meaning = {json.dumps(self._catalog.table(name).meaning)}", 'source_system = "RestAPI"']
        lines += ["", "[example]", "", "[columns]"]
        lines += [f'{json.dumps(one.name)} = {{ type = "{one.type}", meaning = {json.dumps(one.meaning)} }}' for one in columns]
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._folder / f".{name}.draft"
        draft.write_text("\n".join([*lines, ""]), "utf-8")
        draft.replace(self._folder / f"{name}.toml")


def _named(number: int, row: Any, time_field: str) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise BadCustomRows(f"row {number}: a row is an object, this is a value of type {type(row).__name__}")
    made: dict[str, Any] = {}
    for name, value in row.items():
        if value is None:
            continue
        if name == time_field:
            if not isinstance(value, str) or not _MOMENT.fullmatch(value):
                raise BadCustomRows(f"row {number}: {time_field} is the row's time and holds {str(value)[:60]!r}, which is none")
            made["TimeGenerated"] = value
            continue
        column, kept = _column(str(name), value)
        made[column] = kept
    return made


def _column(name: str, value: Any) -> tuple[str, Any]:
    """The column of a property, and the value as it is kept there."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:LONGEST_NAME]
    if name in _AS_THEY_ARE and isinstance(value, str):
        return name, value
    match value:
        case bool():
            return f"{plain}_b", value
        case int() | float():
            return f"{plain}_d", float(value)
        case str() if _MOMENT.fullmatch(value):
            return f"{plain}_t", value
        case str() if _GUID.fullmatch(value):
            return f"{plain}_g", value
        case str():
            return f"{plain}_s", value
        case _:
            return f"{plain}_s", json.dumps(value, ensure_ascii=False)


def _type_of(column: str) -> KqlType:
    return _AS_THEY_ARE.get(column) or {"b": BOOL, "d": REAL, "t": DATETIME}.get(column.rsplit("_", 1)[-1], STRING)
