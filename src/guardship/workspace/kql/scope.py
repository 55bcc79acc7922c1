"""What names mean at one place of a query: the columns there, the lets and parameters before it, and the tables of the workspace."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from guardship.errors import Span
from guardship.workspace.kql import plan, syntax
from guardship.workspace.kql.errors import UnknownColumn, nearest
from guardship.workspace.kql.schema import Schema
from guardship.workspace.kql.types import KqlType


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
        return plan.Column(next(self.ids), name, kind, is_hidden)


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


def free_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or the first of `wanted1`, `wanted2` that nobody has."""
    if wanted not in taken:
        return wanted
    return next(name for number in count(1) if (name := f"{wanted}{number}") not in taken)


def result_name(expression: syntax.Expression, keeps_name: Callable[[str], bool]) -> str | None:
    """The name Kusto gives a column made of this expression; None where it says Column1."""
    match expression:
        case syntax.Name(name=name):
            return name
        case syntax.Path(target=target, name=name):
            inner = result_name(target, keeps_name)
            return f"{inner}_{name}" if inner else name
        case syntax.Index(target=target, index=syntax.Literal(value=value)) if isinstance(value, str | int):
            inner = result_name(target, keeps_name)
            return f"{inner}_{value}" if inner else None
        case syntax.Call(name=name, arguments=(first, *_)) if keeps_name(name) and not isinstance(first, syntax.Named | syntax.Pipeline):
            return result_name(first, keeps_name)
        case _:
            return None
