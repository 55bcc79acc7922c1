"""Aggregates of `summarize`. They skip nulls, and over nothing give what Kusto gives: 0, NaN, `[]` or null.

A builder gets the arguments and the condition of an *if form (or None), and returns a tree that aggregates.
"""

from collections.abc import Callable

from sqlglot import exp

from guardship.workspace.kql import sql_trees as sql
from guardship.workspace.kql.functions.conversions import as_json
from guardship.workspace.kql.functions.entry import Aggregate, Sql
from guardship.workspace.kql.sql_trees import Tree, filtered
from guardship.workspace.kql.types import DYNAMIC, LONG, REAL, STRING, TIMESPAN, WHOLE, KqlType

MOST_ITEMS = 1_048_576


def _count(*, where: Tree | None = None) -> Tree:
    return filtered(sql.call("count", exp.Star()), where)


def _sum(value: Sql, *, where: Tree | None = None) -> Tree:
    """DuckDB sums whole numbers into HUGEINT; what does not fit a long raises there."""
    kind = LONG if value.type in WHOLE or value.type is TIMESPAN else value.type
    total = sql.coalesce(filtered(sql.call("sum", value.copy), where), sql.small(0))
    return sql.cast_to(total, kind)


def _avg(value: Sql, *, where: Tree | None = None) -> Tree:
    if value.type is TIMESPAN:
        return sql.cast_to(sql.call("trunc", filtered(sql.call("avg", value.copy), where)), LONG)
    mean = filtered(sql.call("avg", sql.cast_to(value.copy, REAL)), where)
    return sql.coalesce(mean, sql.cast_to(sql.text("nan"), REAL))


def _extreme(name: str) -> Callable[..., Tree]:
    """NaN is the greatest number for DuckDB and none for Kusto."""

    def build(value: Sql, *, where: Tree | None = None) -> Tree:
        is_number = sql.negated(sql.call("isnan", value.copy)) if value.type is REAL else None
        return filtered(sql.call(name, value.copy), where, is_number)

    return build


def _dcount(value: Sql, *_: Sql, where: Tree | None = None) -> Tree:
    """Exact, which is within Kusto's allowed error at every accuracy."""
    return filtered(sql.call("count", exp.Distinct(expressions=[value.copy])), where)


def _make_list(value: Sql, most: Sql | None = None, *, where: Tree | None = None) -> Tree:
    items = filtered(sql.call("list", as_json(value)), sql.is_not_null(value.copy), where)
    return _as_array(items, most)


def _make_set(value: Sql, most: Sql | None = None, *, where: Tree | None = None) -> Tree:
    """Sorted, so that the same rows give the same text. Of lists, the set of their items."""
    if value.type is DYNAMIC:
        return _as_array(sql.call("list_sort", sql.call("list_distinct", _items_of_lists(value, where))), most)
    distinct = exp.Distinct(expressions=[as_json(value)])
    ordered = exp.Order(this=distinct, expressions=[exp.Ordered(this=sql.cast_to(as_json(value), STRING))])
    items = filtered(sql.call("list", ordered), sql.is_not_null(value.copy), where)
    return _as_array(items, most)


def _items_of_lists(value: Sql, where: Tree | None) -> Tree:
    is_list = sql.equal(sql.call("json_type", value.copy), sql.text("ARRAY"))
    items = sql.case((is_list, sql.call("json_extract", value.copy, sql.text("$[*]"))), default=sql.call("list_value", value.copy))
    return sql.call("flatten", filtered(sql.call("list", items), sql.is_not_null(value.copy), where))


def _as_array(items: Tree, most: Sql | None) -> Tree:
    limit = min(int(str(most.constant)), MOST_ITEMS) if most and most.constant is not None else MOST_ITEMS
    cut = sql.call("list_slice", items, sql.small(1), sql.small(limit))
    return sql.coalesce(sql.call("to_json", cut), sql.cast_to(sql.text("[]"), DYNAMIC))


def _percentile(value: Sql, rank: Sql, *, where: Tree | None = None) -> Tree:
    """Nearest rank, no interpolation."""
    share = exp.Literal.number(repr(float(str(rank.constant)) / 100))
    return filtered(sql.call("quantile_disc", value.copy, share), where)


def _deviation(name: str) -> Callable[..., Tree]:
    def build(value: Sql, *, where: Tree | None = None) -> Tree:
        return sql.coalesce(filtered(sql.call(name, sql.cast_to(value.copy, REAL)), where), sql.cast_to(sql.small(0), REAL))

    return build


def _pick(name: str) -> Callable[..., Tree]:
    """A struct of the wanted columns of one row: the struct is never null, so a null among them is kept.

    Where nothing can be compared, any row.
    """

    def build(by: Sql, *wanted: Sql, where: Tree | None = None) -> Tree:
        row = sql.call("row", by.copy, *(value.copy for value in wanted))
        best = filtered(sql.call(name, row, by.copy), where)
        return sql.coalesce(best, filtered(sql.call("any_value", row.copy()), where.copy() if where else None))

    return build


def _take_any(*wanted: Sql, where: Tree | None = None) -> Tree:
    if len(wanted) == 1:
        return filtered(sql.call("any_value", sql.call("row", wanted[0].copy)), _present(wanted[0]), where)
    return filtered(sql.call("any_value", sql.call("row", *(value.copy for value in wanted))), where)


def _any_where(value: Sql, *, where: Tree | None = None) -> Tree:
    return filtered(sql.call("any_value", value.copy), where)


def _present(value: Sql) -> Tree | None:
    return sql.is_not_null(value.copy) if value.is_nullable else None


def _with_if(name: str, parameters: str, returns: KqlType | str, build: Callable[..., Tree], named: str) -> tuple[Aggregate, Aggregate]:
    """An aggregate and its *if form, which takes the condition after the first argument."""
    plain = Aggregate(name, parameters, returns, build, f"{named}_{{0}}")
    if_name = f"{name}if"
    conditional = Aggregate(if_name, parameters, returns, build, f"{if_name}_{{0}}", has_predicate=True, predicate_at=1)
    return plain, conditional


AGGREGATES = (
    Aggregate("count", "", LONG, _count, "count_"),
    Aggregate("countif", "", LONG, _count, "countif_{0}", has_predicate=True, predicate_at=0),
    *_with_if("sum", "number|timespan", "promoted", _sum, "sum"),
    *_with_if("avg", "number|timespan", "avg", _avg, "avg"),
    *_with_if("min", "orderable", "first", _extreme("min"), "min"),
    *_with_if("max", "orderable", "first", _extreme("max"), "max"),
    *_with_if("dcount", "any long?", LONG, _dcount, "dcount"),
    *_with_if("count_distinct", "flat", LONG, _dcount, "count_distinct"),
    *_with_if("stdev", "number", REAL, _deviation("stddev_samp"), "stdev"),
    *_with_if("variance", "number", REAL, _deviation("var_samp"), "variance"),
    Aggregate("make_set", "any long?", DYNAMIC, _make_set, "set_{0}"),
    Aggregate("make_set_if", "any long?", DYNAMIC, _make_set, "set_{0}", has_predicate=True, predicate_at=1),
    Aggregate("make_list", "any long?", DYNAMIC, _make_list, "list_{0}"),
    Aggregate("make_list_if", "any long?", DYNAMIC, _make_list, "list_{0}", has_predicate=True, predicate_at=1),
    Aggregate("percentile", "orderable number", "promoted", _percentile, "percentile_{0}_{1}", constants=(1,)),
    Aggregate("arg_max", "any any*", "first", _pick("arg_max"), "{0}", picks_row=True),
    Aggregate("arg_min", "any any*", "first", _pick("arg_min"), "{0}", picks_row=True),
    Aggregate("take_anyif", "any", "first", _any_where, "{0}", has_predicate=True, predicate_at=1),
    Aggregate("take_any", "any any*", "first", _take_any, "{0}", picks_row=True),
    Aggregate("any", "any any*", "first", _take_any, "any_{0}", picks_row=True),
)
