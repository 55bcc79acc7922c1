"""The log tables: read from `catalog/*.toml`, one file a table, with columns, meaning and an example row.

Every table also gets the standard columns of Log Analytics. `_TimeReceived` and `_ItemId` are there when named and left out of `*`.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guardship.errors import GuardshipError, NotFound
from guardship.workspace.kql.errors import did_you_mean, nearest
from guardship.workspace.kql.schema import ColumnSchema, Schema, TableSchema
from guardship.workspace.kql.types import DATETIME, STRING, KqlType

SHIPPED = Path(__file__).parent / "catalog"

_MARKS = "0123456789abcdefghijklmnopqrstuv"


class BadCatalogFile(GuardshipError):
    code = "catalog.bad_file"


class UnknownLogTable(NotFound):
    code = "catalog.unknown_table"


@dataclass(frozen=True, slots=True)
class LogColumn:
    name: str
    type: KqlType
    meaning: str
    is_hidden: bool = False

    @property
    def physical(self) -> str:
        return physical_name(self.name)


@dataclass(frozen=True, slots=True)
class LogTable:
    name: str
    meaning: str
    columns: tuple[LogColumn, ...]
    machine_column: str | None
    source_system: str
    example: Mapping[str, Any]

    @property
    def physical(self) -> str:
        return physical_name(self.name)

    def column(self, name: str) -> LogColumn | None:
        return next((column for column in self.columns if column.name == name), None)


_STANDARD = (
    LogColumn("TimeGenerated", DATETIME, "When what the row tells of happened"),
    LogColumn("TenantId", STRING, "Id of the workspace"),
    LogColumn("SourceSystem", STRING, "Kind of agent or source the row came by"),
    LogColumn("Type", STRING, "Name of the table"),
    LogColumn("_ResourceId", STRING, "ARM id of the resource the row is about"),
    LogColumn("_SubscriptionId", STRING, "Subscription of that resource"),
    LogColumn("_TimeReceived", DATETIME, "When the row was received", is_hidden=True),
    LogColumn("_ItemId", STRING, "Id of the row", is_hidden=True),
)


class Catalog:
    def __init__(self, tables: Iterable[LogTable]) -> None:
        self.tables: dict[str, LogTable] = {table.name: table for table in tables}
        self.schema: Schema = {name: _schema_of(table) for name, table in self.tables.items()}

    @staticmethod
    def load(*folders: Path) -> "Catalog":
        """The shipped tables, and those of further folders; a table of the same name replaces the one before."""
        found: dict[str, LogTable] = {}
        for folder in (SHIPPED, *folders):
            for file in sorted(folder.glob("*.toml")):
                table = read_table(file)
                found[table.name] = table
        return Catalog(found.values())

    def add(self, table: LogTable) -> None:
        """A table that has come to be, or one that has grown; with the standard columns."""
        standard = tuple(column for column in _STANDARD if table.column(column.name) is None)
        made = replace(table, columns=table.columns + standard)
        self.schema = {**self.schema, made.name: _schema_of(made)}
        self.tables = {**self.tables, made.name: made}  # anew: others may be going through them

    def table(self, name: str) -> LogTable:
        found = self.tables.get(name)
        if found is None:
            raise UnknownLogTable("log table", name, hint=did_you_mean(nearest(name, self.tables)))
        return found


def read_table(file: Path) -> LogTable:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        columns = tuple(LogColumn(name, KqlType(entry["type"]), entry["meaning"]) for name, entry in content["columns"].items())
        standard = tuple(column for column in _STANDARD if column.name not in content["columns"])
        return LogTable(
            name=content["name"],
            meaning=content["meaning"],
            columns=columns + standard,
            machine_column=content.get("machine_column"),
            source_system=content.get("source_system", ""),
            example=content["example"],
        )
    except (tomllib.TOMLDecodeError, KeyError, ValueError, TypeError) as error:
        raise BadCatalogFile(f"{file.name} is no table of the catalogue: {error}") from error


def physical_name(name: str) -> str:
    """The name in lower case and, behind it, which letters were capitals: the store folds case, the language does not."""
    bits = sum(1 << position for position, letter in enumerate(name) if letter.isupper())
    marks = ""
    while bits:
        bits, rest = divmod(bits, 32)
        marks = _MARKS[rest] + marks
    return f"{name.lower()}__{marks or '0'}"


def _schema_of(table: LogTable) -> TableSchema:
    columns = tuple(ColumnSchema(column.name, column.type, column.physical, column.is_hidden) for column in table.columns)
    return TableSchema(table.name, table.physical, columns)
