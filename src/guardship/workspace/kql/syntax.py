"""The syntax tree of a query: what was written, each node with its place. Names mean nothing yet; `binder` settles them."""

from dataclasses import dataclass

from guardship.errors import Span
from guardship.workspace.kql.types import KqlType


@dataclass(frozen=True, slots=True)
class Literal:
    type: KqlType
    value: object  # str, int, float, bool, datetime, ticks of a timespan, UUID, JSON text of a dynamic; None is null
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Path:
    target: "Expression"
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Index:
    target: "Expression"
    index: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple["Argument", ...]
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True)
class Star:
    span: Span


@dataclass(frozen=True, slots=True)
class Negative:
    operand: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: "Expression"
    right: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class InList:
    operator: str  # in, !in, in~, !in~, has_any, has_all
    left: "Expression"
    items: tuple["Argument", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Between:
    is_negated: bool
    operand: "Expression"
    low: "Expression"
    high: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class Named:
    """`name = expression`, as in `extend` and in the arguments of `strcat`-like lists; several names only for a row function."""

    names: tuple[str, ...]
    expression: "Expression"
    span: Span


Expression = Literal | Name | Path | Index | Call | Negative | Binary | InList | Between | Star


@dataclass(frozen=True, slots=True)
class Item:
    """One output of project, extend, summarize, distinct or print."""

    name: str | None
    expression: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class SortKey:
    expression: Expression
    is_descending: bool
    nulls_first: bool | None  # None: as the direction has it
    span: Span


@dataclass(frozen=True, slots=True)
class Where:
    predicate: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Project:
    items: tuple[Item, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Extend:
    items: tuple[Item, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ProjectNames:
    """project-away, project-keep and project-reorder: names, which may hold `*`."""

    kind: str
    patterns: tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ProjectRename:
    pairs: tuple[tuple[Name, Name], ...]  # new, old
    span: Span


@dataclass(frozen=True, slots=True)
class Summarize:
    aggregates: tuple[Item, ...]
    keys: tuple[Item, ...]
    has_by: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Sort:
    keys: tuple[SortKey, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Take:
    count: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Top:
    count: Expression
    key: SortKey
    span: Span


@dataclass(frozen=True, slots=True)
class Count:
    name: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Distinct:
    items: tuple[Item, ...]  # empty: every column
    span: Span


@dataclass(frozen=True, slots=True)
class Union:
    inputs: tuple["Pipeline", ...]
    kind: str  # inner, outer
    source_column: str | None
    is_fuzzy: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Join:
    kind: str
    is_lookup: bool
    right: "Pipeline"
    conditions: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Expanded:
    name: str | None
    expression: Expression
    to_type: KqlType | None
    span: Span


@dataclass(frozen=True, slots=True)
class MvExpand:
    items: tuple[Expanded, ...]
    index_name: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Render:
    """How a page may draw the result; the rows stay as they are."""

    visualization: str
    span: Span


Operator = (
    Where
    | Project
    | Extend
    | ProjectNames
    | ProjectRename
    | Summarize
    | Sort
    | Take
    | Top
    | Count
    | Distinct
    | Union
    | Join
    | MvExpand
    | Render
)


@dataclass(frozen=True, slots=True)
class DataTable:
    columns: tuple[tuple[Name, KqlType], ...]
    cells: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Print:
    items: tuple[Item, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Range:
    name: str
    start: Expression
    stop: Expression
    step: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Pipeline:
    source: "Source"
    operators: tuple[Operator, ...]
    span: Span


Source = Name | Call | DataTable | Print | Range | Union | Pipeline
Argument = Expression | Named | Pipeline


@dataclass(frozen=True, slots=True)
class Let:
    name: str
    value: "Expression | Pipeline"
    span: Span


@dataclass(frozen=True, slots=True)
class DeclaredParameter:
    name: str
    type: KqlType
    default: Literal | None
    span: Span


@dataclass(frozen=True, slots=True)
class Query:
    parameters: tuple[DeclaredParameter, ...]
    lets: tuple[Let, ...]
    body: Pipeline
    span: Span
