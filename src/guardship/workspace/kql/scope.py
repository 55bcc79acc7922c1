"""What names mean at one place of a query: the columns there, the lets and parameters before it, and the tables of the workspace."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from guardship.errors import Span
from guardship.workspace.kql import plan, syntax
from guardship.workspace.kql.errors import TooLarge, UnknownColumn, nearest
from guardship.workspace.kql.schema import Schema
from guardship.workspace.kql.types import KqlType

MOST_COLUMNS = 200_000  # of all steps together; lets that use lets twice double at each


@dataclass(frozen=True, slots=True)
class TableLet:
    """A let that names rows: bound anew where it is used, so that each use has columns of its own."""

    pipeline: syntax.Pipeline
    environment: "Environment"


@dataclass(frozen=True, slots=True)
class ScanRange:
    """What every table is cut to before the query sees it: times from (included) to (included), and rows received in (after, until]."""

    from_time: datetime | None = None
    to_time: datetime | None = None
    received_after: datetime | None = None
    received_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    schema: Schema
    now: datetime  # UTC, without zone
    range: ScanRange
    bind_pipeline: Callable[[syntax.Pipeline, "Environment"], plan.Relation]
    lets: dict[str, plan.Expr | TableLet] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    ids: "count[int]" = field(default_factory=lambda: count(1))

    def with_let(self, name: str, value: "plan.Expr | TableLet") -> "Environment":
        return replace(self, lets={**self.lets, name: value})

    def column(self, name: str, kind: KqlType, *, is_hidden: bool = False) -> plan.Column:
        number = next(self.ids)
        if number > MOST_COLUMNS:
            raise TooLarge("its tables are used too often")
        return plan.Column(number, name, kind, is_hidden)


@dataclass(frozen=True, slots=True)
class Scope:
    """The columns an expression may name."""

    columns: tuple[plan.Column, ...]
    environment: Environment

    def find(self, name: str) -> plan.Column | None:
        return next((column for column in self.columns if column.name == name), None)

    def visible(self) -> tuple[plan.Column, ...]:
        return tuple(column for column in self.columns if not column.is_hidden)

    def unknown(self, name: str, span: Span) -> UnknownColumn:
        names = [column.name for column in self.columns]
        names += [name for name, value in self.environment.lets.items() if not isinstance(value, TableLet)]
        return UnknownColumn(name, span, nearest(name, names))
