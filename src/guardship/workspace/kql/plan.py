"""The typed plan: what a query means, with every name settled, every expression typed, and Kusto's semantics as nodes of their own.

No SQL here; each engine has one lowering of these nodes. A column is known by its id alone, so names may clash in other case.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from guardship.workspace.kql.types import KqlType

if TYPE_CHECKING:
    from guardship.workspace.kql.functions.entry import Aggregate, Function


@dataclass(frozen=True, slots=True)
class Column:
    column_id: int
    name: str
    type: KqlType
    is_hidden: bool = False  # there when named, left out of `*`


@dataclass(frozen=True, slots=True)
class Constant:
    type: KqlType
    value: object  # as in syntax.Literal


@dataclass(frozen=True, slots=True)
class ColumnRef:
    column: Column

    @property
    def type(self) -> KqlType:
        return self.column.type


@dataclass(frozen=True, slots=True)
class Apply:
    function: "Function"
    arguments: tuple["Expr", ...]
    type: KqlType


@dataclass(frozen=True, slots=True)
class Compare:
    """`== != < <= > >=`, with Kusto's rules for nulls; both sides have one type, or are numbers."""

    operator: str
    left: "Expr"
    right: "Expr"
    type: KqlType = KqlType.BOOL


@dataclass(frozen=True, slots=True)
class Match:
    """A string operator: has, hasprefix, hassuffix, contains, startswith, endswith, equals, regex; both sides are strings."""

    kind: str
    is_negated: bool
    is_case_sensitive: bool
    left: "Expr"
    right: "Expr"
    type: KqlType = KqlType.BOOL


@dataclass(frozen=True, slots=True)
class InValues:
    left: "Expr"
    items: tuple["Expr", ...]
    is_negated: bool
    is_case_sensitive: bool
    type: KqlType = KqlType.BOOL


@dataclass(frozen=True, slots=True)
class InRows:
    """Membership in the one column of another pipeline."""

    left: "Expr"
    rows: "Relation"
    is_negated: bool
    is_case_sensitive: bool
    type: KqlType = KqlType.BOOL


@dataclass(frozen=True, slots=True)
class Logic:
    operator: str  # and, or
    operands: tuple["Expr", ...]
    type: KqlType = KqlType.BOOL


@dataclass(frozen=True, slots=True)
class Arithmetic:
    operator: str
    left: "Expr"
    right: "Expr"
    type: KqlType


@dataclass(frozen=True, slots=True)
class Negate:
    operand: "Expr"
    type: KqlType


@dataclass(frozen=True, slots=True)
class Member:
    """A step into a dynamic: a name or an index, which may be computed."""

    target: "Expr"
    key: "Expr"  # string: a name; long: an index
    type: KqlType = KqlType.DYNAMIC


@dataclass(frozen=True, slots=True)
class Convert:
    """To another type, as tostring, tolong and the like do: null where it cannot be."""

    operand: "Expr"
    type: KqlType


@dataclass(frozen=True, slots=True)
class ScalarOf:
    """toscalar: the first cell of a pipeline."""

    rows: "Relation"
    type: KqlType


Expr = Constant | ColumnRef | Apply | Compare | Match | InValues | InRows | Logic | Arithmetic | Negate | Member | Convert | ScalarOf


@dataclass(frozen=True, slots=True)
class Output:
    column: Column
    expression: Expr


@dataclass(frozen=True, slots=True)
class AggregateOutput:
    """One aggregate; arg_max and take_any(*) fill several columns from the same row."""

    columns: tuple[Column, ...]
    aggregate: "Aggregate"
    arguments: tuple[Expr, ...]
    predicate: Expr | None


@dataclass(frozen=True, slots=True)
class Scan:
    table: str  # physical
    sources: tuple[str, ...]  # physical column for each of the columns
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Values:
    columns: tuple[Column, ...]
    rows: tuple[tuple[Expr, ...], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """`range x from a to b step c`."""

    columns: tuple[Column, ...]
    start: Expr
    stop: Expr
    step: Expr


@dataclass(frozen=True, slots=True)
class Filter:
    input: "Relation"
    predicate: Expr
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Select:
    input: "Relation"
    outputs: tuple[Output, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Aggregated:
    input: "Relation"
    keys: tuple[Output, ...]
    aggregates: tuple[AggregateOutput, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Order:
    expression: Expr
    is_descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Sorted:
    input: "Relation"
    keys: tuple[Order, ...]
    limit: int | None
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Limited:
    input: "Relation"
    count: int
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Appended:
    """Union: for each input the expressions that fill the common columns."""

    inputs: tuple["Relation", ...]
    filled: tuple[tuple[Expr, ...], ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class InnerUnique:
    """One row for each key: the earliest, so that the same rows give the same answer."""

    input: "Relation"
    keys: tuple[Column, ...]
    time: Column | None
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    kind: str  # inner, leftouter, rightouter, fullouter, leftsemi, rightsemi, leftanti, rightanti
    left: "Relation"
    right: "Relation"
    on: tuple[tuple[Column, Column], ...]
    outputs: tuple[Output, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Expanded:
    """mv-expand: one row for each item; several lists go side by side to the longest."""

    input: "Relation"
    lists: tuple[Output, ...]  # the column an item lands in, and the dynamic it comes from; converted afterwards
    index: Column | None
    columns: tuple[Column, ...]


Relation = Scan | Values | Series | Filter | Select | Aggregated | Sorted | Limited | Appended | InnerUnique | Joined | Expanded


@dataclass(frozen=True, slots=True)
class Plan:
    root: Relation
    columns: tuple[Column, ...]
    now: datetime
    tables: frozenset[str]  # their published names
    is_ordered: bool
    visualization: str | None
