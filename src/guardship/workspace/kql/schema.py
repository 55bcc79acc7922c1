"""What the binder knows of the tables: published names and types, and the names the store keeps them under."""

from collections.abc import Mapping
from dataclasses import dataclass

from guardship.workspace.kql.types import KqlType


@dataclass(frozen=True, slots=True)
class ColumnSchema:
    name: str
    type: KqlType
    physical: str
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class TableSchema:
    name: str
    physical: str
    columns: tuple[ColumnSchema, ...]


Schema = Mapping[str, TableSchema]
