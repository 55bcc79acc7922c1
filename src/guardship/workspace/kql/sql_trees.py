"""Pieces of SQL trees that the DuckDB lowering is put together from; nothing here parses SQL text."""

from sqlglot import exp

from guardship.workspace.kql.types import KqlType

DUCKDB_TYPES = {
    KqlType.BOOL: exp.DataType.Type.BOOLEAN,
    KqlType.INT: exp.DataType.Type.INT,
    KqlType.LONG: exp.DataType.Type.BIGINT,
    KqlType.REAL: exp.DataType.Type.DOUBLE,
    KqlType.DECIMAL: exp.DataType.Type.DECIMAL,
    KqlType.STRING: exp.DataType.Type.TEXT,
    KqlType.DATETIME: exp.DataType.Type.TIMESTAMP,
    KqlType.TIMESPAN: exp.DataType.Type.BIGINT,
    KqlType.GUID: exp.DataType.Type.UUID,
    KqlType.DYNAMIC: exp.DataType.Type.JSON,
}
Tree = exp.Expr


def call(name: str, *arguments: Tree) -> Tree:
    return exp.Anonymous(this=name, expressions=list(arguments))


def named(tree: Tree, name: str) -> Tree:
    """`tree AS name`. Not sqlglot's own alias_, which copies the tree."""
    return exp.Alias(this=tree, alias=exp.to_identifier(name))


def inside(select: exp.Query, name: str = "t") -> exp.Subquery:
    return exp.Subquery(this=select, alias=exp.TableAlias(this=exp.to_identifier(name)))


def text(value: str) -> Tree:
    return exp.Literal.string(value)


def number(value: int) -> Tree:
    """A BIGINT; a bare literal would be INTEGER and overflow early."""
    return cast_to(exp.Literal.number(str(value)), KqlType.LONG)


def small(value: int) -> Tree:
    """A bare literal, for positions and counts that DuckDB wants as they are."""
    return exp.Literal.number(str(value))


def null(kind: KqlType | None = None) -> Tree:
    return exp.Null() if kind is None else cast_to(exp.Null(), kind)


def true() -> Tree:
    return exp.true()


def false() -> Tree:
    return exp.false()


def cast_to(tree: Tree, kind: KqlType) -> Tree:
    return exp.Cast(this=tree, to=exp.DataType(this=DUCKDB_TYPES[kind]))


def try_cast_to(tree: Tree, kind: KqlType) -> Tree:
    return exp.TryCast(this=tree, to=exp.DataType(this=DUCKDB_TYPES[kind]))


def try_cast_with_zone(tree: Tree) -> Tree:
    """Reads an offset and applies it; without one it is UTC, because every connection's zone is."""
    return exp.TryCast(this=tree, to=exp.DataType(this=exp.DataType.Type.TIMESTAMPTZ))


def case(*branches: tuple[Tree, Tree], default: Tree | None = None) -> Tree:
    return exp.Case(ifs=[exp.If(this=condition, true=value) for condition, value in branches], default=default)


def infix(kind: type[exp.Binary], left: Tree, right: Tree) -> Tree:
    return exp.Paren(this=kind(this=left, expression=right))


def add(left: Tree, right: Tree) -> Tree:
    return infix(exp.Add, left, right)


def subtract(left: Tree, right: Tree) -> Tree:
    return infix(exp.Sub, left, right)


def multiply(left: Tree, right: Tree) -> Tree:
    return infix(exp.Mul, left, right)


def divide_whole(left: Tree, right: Tree) -> Tree:
    """Truncates toward zero; the divisor must not be zero."""
    return infix(exp.IntDiv, left, right)


def divide(left: Tree, right: Tree) -> Tree:
    """Of two DOUBLEs; by zero it is infinite or NaN, as in Kusto."""
    return infix(exp.Div, left, right)


def modulo(left: Tree, right: Tree) -> Tree:
    return call("mod", left, right)


def equal(left: Tree, right: Tree) -> Tree:
    return infix(exp.EQ, left, right)


def differ(left: Tree, right: Tree) -> Tree:
    return infix(exp.NEQ, left, right)


def less(left: Tree, right: Tree) -> Tree:
    return infix(exp.LT, left, right)


def greater(left: Tree, right: Tree) -> Tree:
    return infix(exp.GT, left, right)


def both(*operands: Tree) -> Tree:
    return _chain(exp.And, operands)


def either(*operands: Tree) -> Tree:
    return _chain(exp.Or, operands)


def _chain(kind: type[exp.Binary], operands: tuple[Tree, ...]) -> Tree:
    result: Tree = operands[0]
    for operand in operands[1:]:
        result = kind(this=result, expression=operand)
    return result if len(operands) == 1 else exp.Paren(this=result)


def negated(tree: Tree) -> Tree:
    return exp.Paren(this=exp.Not(this=exp.Paren(this=tree)))


def is_null(tree: Tree) -> Tree:
    return exp.Paren(this=exp.Is(this=tree, expression=exp.Null()))


def is_not_null(tree: Tree) -> Tree:
    return negated(is_null(tree))


def coalesce(*trees: Tree) -> Tree:
    return call("coalesce", *trees)


def joined_text(*trees: Tree) -> Tree:
    return call("concat", *trees)


def filtered(aggregate: Tree, *conditions: Tree | None) -> Tree:
    """The aggregate over the rows for which all conditions hold."""
    held = [condition for condition in conditions if condition is not None]
    return exp.Filter(this=aggregate, expression=exp.Where(this=both(*held))) if held else aggregate
