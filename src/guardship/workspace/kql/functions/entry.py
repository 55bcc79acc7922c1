"""What an entry of the function table says: name, parameters, result, how each engine spells it.

Parameters are written as words: a type (`string`, `long`, `real`, `bool`, `datetime`, `timespan`, `dynamic`), `number`, `whole`,
`any`, `text` (anything, turned into a string) or `same` (all of these share one type); `?` after a word makes it optional, `*`
lets it repeat. The result is a type, or `first`, `same` (the shared type) or `second`.

Strings are never null in Kusto. A builder may give null for a string result if `may_be_null` says so; the lowering then turns it
into the empty string.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from guardship.workspace.kql.types import KqlType


@dataclass(frozen=True, slots=True)
class Sql:
    """A lowered argument: its tree, its type, and its value where it is known now."""

    tree: exp.Expr
    type: KqlType
    is_nullable: bool
    constant: object = None

    @property
    def copy(self) -> exp.Expr:
        return self.tree.copy()


Builder = Callable[..., exp.Expr]
Fold = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    parameters: str
    returns: str
    duckdb: Builder
    may_be_null: bool = False  # even when no argument is
    never_null: bool = False  # even when an argument is
    constants: tuple[int, ...] = ()  # arguments that must be known before the query runs
    keeps_null: bool = False  # a string result that is null stays so: only between the binder and a comparison
    named: str = ""  # the name of a column made by it, `{0}` being that of the first argument; empty: Column1
    patterns: tuple[int, ...] = ()  # arguments that are regular expressions


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate of `summarize`. `named` gives the name of its column: `{0}` is the name of the first argument."""

    name: str
    parameters: str
    returns: str
    duckdb: Builder
    named: str
    has_predicate: bool = False  # the *if forms: one argument more
    predicate_at: int = 0
    constants: tuple[int, ...] = ()
    picks_row: bool = False  # arg_max, arg_min, take_any: more columns of the same row
    defaults: tuple[object, ...] = field(default=())
