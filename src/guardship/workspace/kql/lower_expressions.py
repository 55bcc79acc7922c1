"""Typed expressions to DuckDB trees, with Kusto's rules for null, NaN, division and strings that are never null.

`value` gives the exact three-valued result. `truth` may be used where only "is it true" matters, as in `where`: there null and false
are one, which leaves plain comparisons the store can prune by.
"""

import json
import math
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlglot import exp

from guardship.workspace.kql import plan
from guardship.workspace.kql import sql_trees as sql
from guardship.workspace.kql.functions.conversions import convert
from guardship.workspace.kql.functions.entry import Sql
from guardship.workspace.kql.functions.numbers import floor_modulo
from guardship.workspace.kql.functions.times import difference, shifted
from guardship.workspace.kql.lower_strings import match
from guardship.workspace.kql.sql_trees import Tree
from guardship.workspace.kql.types import BOOL, DATETIME, DYNAMIC, GUID, INT, LONG, REAL, STRING, TIMESPAN, WHOLE, KqlType

Subquery = Callable[[plan.Relation], exp.Subquery]

_ORDERINGS: dict[str, type[exp.Binary]] = {"<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE}


def column_name(column: plan.Column) -> str:
    return f"c{column.column_id}"


class ExpressionLowering:
    def __init__(self, subquery: Subquery) -> None:
        self._subquery = subquery

    def value(self, node: plan.Expr) -> Sql:
        tree, is_nullable = self._lowered(node)
        constant = node.value if isinstance(node, plan.Constant) else None
        return Sql(tree, node.type, is_nullable, constant)

    def truth(self, node: plan.Expr) -> Tree:
        """True exactly where the value is true; false or null elsewhere."""
        match node:
            case plan.Logic(operator=operator, operands=operands):
                trees = tuple(self.truth(operand) for operand in operands)
                return sql.both(*trees) if operator == "and" else sql.either(*trees)
            case plan.Compare(operator=operator, left=left, right=right):
                return self._compare_truth(operator, self.value(left), self.value(right))
            case _:
                return self.value(node).tree

    def _lowered(self, node: plan.Expr) -> tuple[Tree, bool]:
        match node:
            case plan.Constant(type=kind, value=value):
                return constant_tree(kind, value), value is None and kind is not STRING
            case plan.ColumnRef(column=column):
                return exp.column(column_name(column)), column.type is not STRING
            case plan.Apply():
                return self._apply(node)
            case plan.Convert(operand=operand, type=kind):
                inner = self.value(operand)
                return convert(inner, kind), kind is not STRING and not _is_safe(inner, kind)
            case plan.Compare(operator=operator, left=left, right=right):
                return self._compare(operator, self.value(left), self.value(right))
            case plan.Match():
                return self._match(node), False
            case plan.Logic(operator=operator, operands=operands):
                values = [self.value(operand) for operand in operands]
                joined = sql.both if operator == "and" else sql.either
                return joined(*(value.tree for value in values)), any(value.is_nullable for value in values)
            case plan.InValues():
                return self._in_values(node)
            case plan.InRows():
                return self._in_rows(node)
            case plan.Arithmetic():
                return self._arithmetic(node)
            case plan.Negate(operand=operand):
                inner = self.value(operand)
                return exp.Paren(this=exp.Neg(this=_as_long(inner))), inner.is_nullable
            case plan.Member():
                return self._member(node), True
            case _:
                first = self._subquery(node.rows)
                return (sql.coalesce(first, sql.text("")), False) if node.type is STRING else (first, True)

    def _apply(self, node: plan.Apply) -> tuple[Tree, bool]:
        function = node.function
        arguments = [self.value(argument) for argument in node.arguments]
        tree = function.duckdb(*arguments)
        is_nullable = not function.never_null and (function.may_be_null or any(argument.is_nullable for argument in arguments))
        if node.type is STRING and is_nullable and not function.keeps_null:
            return sql.coalesce(tree, sql.text("")), False
        return tree, is_nullable

    def _compare_truth(self, operator: str, left: Sql, right: Sql) -> Tree:
        if operator == "==":
            return _not_nan(sql.equal(left.tree, right.tree), left, right)
        if operator != "!=":
            return _not_nan(sql.infix(_ORDERINGS[operator], left.tree, right.tree), left, right)
        if left.is_nullable or right.is_nullable:
            return sql.infix(exp.NullSafeNEQ, left.tree, right.tree)
        return sql.differ(left.tree, right.tree)

    def _compare(self, operator: str, left: Sql, right: Sql) -> tuple[Tree, bool]:
        """With one null: `==` is false and `!=` true; with two, null. An order with a null is null."""
        if operator not in ("==", "!="):
            tree = _not_nan(sql.infix(_ORDERINGS[operator], left.tree, right.tree), left, right)
            return tree, left.is_nullable or right.is_nullable
        if not (left.is_nullable or right.is_nullable):
            plain = sql.equal(left.tree, right.tree) if operator == "==" else sql.differ(left.tree, right.tree)
            return (_not_nan(plain, left, right) if operator == "==" else plain), False
        kind = exp.NullSafeEQ if operator == "==" else exp.NullSafeNEQ
        safe = sql.infix(kind, left.tree, right.tree)
        if operator == "==":
            safe = _not_nan(safe, left, right)
        if not (left.is_nullable and right.is_nullable):
            return safe, False
        both_null = sql.both(sql.is_null(left.copy), sql.is_null(right.copy))
        return sql.case((both_null, sql.null(BOOL)), default=safe), True

    def _match(self, node: plan.Match) -> Tree:
        left, right = self.value(node.left), self.value(node.right)
        needle = str(right.constant) if isinstance(node.right, plan.Constant) else None
        tree = match(node.kind, left.tree, right.tree, is_case_sensitive=node.is_case_sensitive, needle=needle)
        return sql.negated(tree) if node.is_negated else tree

    def _in_values(self, node: plan.InValues) -> tuple[Tree, bool]:
        left = self.value(node.left)
        folds = not node.is_case_sensitive
        items = [self.value(item) for item in node.items if not (isinstance(item, plan.Constant) and item.value is None)]
        if not items:
            return (sql.true() if node.is_negated else sql.false()), False
        wanted = [sql.call("lower", item.tree) if folds else item.tree for item in items]
        subject = sql.call("lower", left.tree) if folds else left.tree
        found: Tree = exp.Paren(this=exp.In(this=subject, expressions=wanted))
        if left.is_nullable or any(item.is_nullable for item in items):
            found = sql.coalesce(found, sql.false())
        return (sql.negated(found) if node.is_negated else found), False

    def _in_rows(self, node: plan.InRows) -> tuple[Tree, bool]:
        left = self.value(node.left)
        subject = sql.call("lower", left.tree) if not node.is_case_sensitive else left.tree
        rows = self._subquery(node.rows)
        if not node.is_case_sensitive:
            (column,) = node.rows.columns
            lowered = sql.call("lower", exp.column(column_name(column)))
            rows = exp.Subquery(this=exp.select(lowered).from_(sql.inside(rows.this), copy=False))
        found = sql.coalesce(exp.Paren(this=exp.In(this=subject, query=rows)), sql.false())
        return (sql.negated(found) if node.is_negated else found), False

    def _arithmetic(self, node: plan.Arithmetic) -> tuple[Tree, bool]:
        left, right = self.value(node.left), self.value(node.right)
        tree = _arithmetic_tree(node.operator, left, right, node.type)
        may_fail = node.operator in "/%" or node.type is DATETIME
        return tree, left.is_nullable or right.is_nullable or may_fail

    def _member(self, node: plan.Member) -> Tree:
        """A missing path, and JSON's own null, are null."""
        target, key = self.value(node.target), self.value(node.key)
        if isinstance(node.key, plan.Constant) and isinstance(node.key.value, str):
            path: Tree = sql.text(_json_path(node.key.value))
        elif key.type is STRING:
            quoted = sql.call("replace", key.tree, sql.text('"'), sql.text('\\"'))
            path = sql.joined_text(sql.text('$."'), quoted, sql.text('"'))
        else:
            sign = sql.case((sql.less(key.tree, sql.number(0)), sql.text("$[#")), default=sql.text("$["))
            path = sql.joined_text(sign, sql.cast_to(key.copy, STRING), sql.text("]"))
            if isinstance(node.key, plan.Constant) and type(node.key.value) is int:
                path = sql.text(f"$[#{node.key.value}]" if node.key.value < 0 else f"$[{node.key.value}]")
        found = sql.call("json_extract", target.tree, path)
        return sql.call("nullif", found, sql.cast_to(sql.text("null"), DYNAMIC))


def _json_path(name: str) -> str:
    return '$."{}"'.format(name.replace('"', '\\"'))


def _is_safe(value: Sql, kind: KqlType) -> bool:
    """Whether this conversion cannot give null by itself."""
    widens = value.type in WHOLE and kind in (LONG, REAL)
    return widens and not value.is_nullable


def _not_nan(comparison: Tree, left: Sql, right: Sql) -> Tree:
    """A comparison that NaN does not pass: DuckDB holds NaN equal to itself and greater than every number."""
    guards = [
        sql.negated(sql.call("isnan", side.copy))
        for side in (left, right)
        if side.type is REAL and not (isinstance(side.constant, int | float) and not math.isnan(side.constant))
    ]
    return sql.both(comparison, *guards) if guards else comparison


def _arithmetic_tree(operator: str, left: Sql, right: Sql, kind: KqlType) -> Tree:
    if kind is DATETIME:
        moment, span = (left, right) if left.type is DATETIME else (right, left)
        return shifted(moment.tree, sql.infix(exp.Sub, sql.number(0), span.tree) if operator == "-" else span.tree)
    if left.type is DATETIME:
        return difference(left.tree, right.tree)
    if kind is REAL or REAL in (left.type, right.type):
        return _real_arithmetic(operator, left, right, kind)
    one, other = _as_long(left), _as_long(right)
    match operator:
        case "+":
            return sql.add(one, other)
        case "-":
            return sql.subtract(one, other)
        case "*":
            return sql.multiply(one, other)
        case "/":
            return sql.divide_whole(one, sql.call("nullif", other, sql.small(0)))
        case _:
            return floor_modulo(one, other)


def _as_long(value: Sql) -> Tree:
    """An int takes part as long, as its result is one."""
    return sql.cast_to(value.tree, LONG) if value.type is INT else value.tree


def _real_arithmetic(operator: str, left: Sql, right: Sql, kind: KqlType) -> Tree:
    one, other = sql.cast_to(left.tree, REAL), sql.cast_to(right.tree, REAL)
    kinds: dict[str, type[exp.Binary]] = {"+": exp.Add, "-": exp.Sub, "*": exp.Mul, "/": exp.Div}
    result = floor_modulo(one, other) if operator == "%" else sql.infix(kinds[operator], one, other)
    return sql.try_cast_to(sql.call("trunc", result), TIMESPAN) if kind is TIMESPAN else result


def constant_tree(kind: KqlType, value: object) -> Tree:
    if value is None:
        return sql.text("") if kind is STRING else sql.null(kind)
    match value:
        case bool():
            return sql.true() if value else sql.false()
        case int():
            return sql.cast_to(exp.Literal.number(str(value)) if value >= 0 else sql.text(str(value)), kind)
        case float():
            return sql.cast_to(sql.text(repr(value)), REAL)
        case datetime():
            shown = value.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")
            return sql.cast_to(sql.text(shown), DATETIME)
        case UUID():
            return sql.cast_to(sql.text(str(value)), GUID)
        case str() if kind is DYNAMIC:
            json.loads(value)
            return sql.cast_to(sql.text(value), DYNAMIC)
        case _:
            return sql.text(str(value))
