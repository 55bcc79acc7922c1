"""The compiler as one call: query text and tables in, SQL and the columns of its answer out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from guardship.workspace.kql import plan
from guardship.workspace.kql.binder import bind
from guardship.workspace.kql.errors import TooLarge
from guardship.workspace.kql.lower_duckdb import lower
from guardship.workspace.kql.parser import parse
from guardship.workspace.kql.schema import Schema
from guardship.workspace.kql.scope import ScanRange


@dataclass(frozen=True, slots=True)
class Compiled:
    sql: str
    columns: tuple[plan.Column, ...]
    tables: frozenset[str]
    is_ordered: bool
    visualization: str | None


def compile_query(
    text: str,
    schema: Schema,
    now: datetime,
    *,
    parameters: Mapping[str, plan.Constant] | None = None,
    scan_range: ScanRange | None = None,
    row_limit: int | None = None,
) -> Compiled:
    """Raises a QueryError that names the place; a query nested beyond all use is refused too."""
    try:
        bound = bind(parse(text), schema, now, parameters=parameters, scan_range=scan_range)
        sql = lower(bound, row_limit=row_limit)
    except RecursionError:
        raise TooLarge("it is nested too deeply") from None
    return Compiled(sql, bound.columns, bound.tables, bound.is_ordered, bound.visualization)
