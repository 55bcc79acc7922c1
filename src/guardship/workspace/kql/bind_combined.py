"""Operators that bring rows together or apart: union, join, lookup, mv-expand."""

from guardship.errors import Span
from guardship.workspace.kql import plan, syntax
from guardship.workspace.kql.bind_expressions import ExpressionBinder
from guardship.workspace.kql.bind_projections import visible
from guardship.workspace.kql.errors import QueryError, UnknownTable, WrongType
from guardship.workspace.kql.naming import free_name, result_name
from guardship.workspace.kql.scope import Environment, Scope
from guardship.workspace.kql.types import DYNAMIC, LONG, NUMBERS, STRING, KqlType


def bind_union(node: syntax.Union, first: plan.Relation | None, environment: Environment) -> plan.Relation:
    """All rows of all inputs. A column that two inputs hold in different types becomes one column for each type."""
    inputs = [] if first is None else [("", first)]
    for pipeline in node.inputs:
        try:
            name = pipeline.source.name if isinstance(pipeline.source, syntax.Name) else ""
            inputs.append((name, environment.bind_pipeline(pipeline, environment)))
        except UnknownTable:
            if not node.is_fuzzy:
                raise
    if not inputs:
        raise QueryError("none of these tables is there", span=node.span)
    return _append(inputs, node, environment)


def _append(inputs: list[tuple[str, plan.Relation]], node: syntax.Union, environment: Environment) -> plan.Relation:
    wanted = _union_columns([visible(relation.columns) for _, relation in inputs], only_shared=node.kind == "inner")
    columns = [environment.column(name, kind) for (_, kind), name in wanted.items()]
    filled: list[list[plan.Expr]] = []
    for _, relation in inputs:
        have = {(column.name, column.type): column for column in visible(relation.columns)}
        filled.append([_fill(have.get(key), key[1]) for key in wanted])
    if node.source_column:
        columns.insert(0, environment.column(node.source_column, STRING))
        for number, (name, _) in enumerate(inputs):
            filled[number].insert(0, plan.Constant(STRING, name or f"union_arg{number}"))
    return plan.Appended(tuple(relation for _, relation in inputs), tuple(map(tuple, filled)), tuple(columns))


def _fill(column: plan.Column | None, kind: KqlType) -> plan.Expr:
    if column is not None:
        return plan.ColumnRef(column)
    return plan.Constant(kind, "" if kind is STRING else None)


def _union_columns(sides: list[tuple[plan.Column, ...]], *, only_shared: bool) -> dict[tuple[str, KqlType], str]:
    """(name, type) to the name of the output: `x`, or `x_long` and `x_string` where types differ."""
    keys: list[tuple[str, KqlType]] = []
    for side in sides:
        keys += [(column.name, column.type) for column in side if (column.name, column.type) not in keys]
    if only_shared:
        keys = [key for key in keys if all(any((column.name, column.type) == key for column in side) for side in sides)]
    order = list(dict.fromkeys(name for name, _ in keys))
    keys.sort(key=lambda key: order.index(key[0]))  # columns of one name stand together
    names = [name for name, _ in keys]
    result: dict[tuple[str, KqlType], str] = {}
    taken = {name for name in names if names.count(name) == 1}
    for name, kind in keys:
        made = name if names.count(name) == 1 else free_name(f"{name}_{kind}", taken)
        taken.add(made)
        result[name, kind] = made
    return result


def bind_join(node: syntax.Join, left: plan.Relation, environment: Environment) -> plan.Relation:
    right = environment.bind_pipeline(node.right, environment)
    on = tuple(_condition(condition, left, right, environment) for condition in node.conditions)
    kind = node.kind
    if kind == "innerunique":
        time = next((column for column in left.columns if column.name == "TimeGenerated"), None)
        left = plan.InnerUnique(left, tuple(pair[0] for pair in on), time, left.columns)
        kind = "inner"
    outputs = _join_outputs(node, kind, left, right, on, environment)
    return plan.Joined(kind, left, right, on, outputs, tuple(output.column for output in outputs))


def _join_outputs(
    node: syntax.Join,
    kind: str,
    left: plan.Relation,
    right: plan.Relation,
    on: tuple[tuple[plan.Column, plan.Column], ...],
    environment: Environment,
) -> tuple[plan.Output, ...]:
    """Left columns, then right columns, which take the next free number where the name is taken."""
    if kind in ("leftsemi", "leftanti", "rightsemi", "rightanti"):
        side = visible(left.columns if kind.startswith("left") else right.columns)
        return tuple(plan.Output(environment.column(column.name, column.type), plan.ColumnRef(column)) for column in side)
    keys = {pair[1] for pair in on} if node.is_lookup else set()
    far = [column for column in visible(right.columns) if column not in keys]
    taken = {column.name for column in visible(left.columns)}
    reserved = taken | {column.name for column in far}
    outputs = [plan.Output(environment.column(column.name, column.type), plan.ColumnRef(column)) for column in visible(left.columns)]
    for column in far:
        name = free_name(column.name, reserved) if column.name in taken else column.name
        taken.add(name)
        reserved.add(name)
        outputs.append(plan.Output(environment.column(name, column.type), plan.ColumnRef(column)))
    return tuple(outputs)


def _condition(
    node: syntax.Expression, left: plan.Relation, right: plan.Relation, environment: Environment
) -> tuple[plan.Column, plan.Column]:
    match node:
        case syntax.Name(name=name, span=span):
            pair = (_side_column(name, span, left, environment), _side_column(name, span, right, environment))
        case syntax.Binary(operator="==", left=one, right=other):
            first, second = _sided(one), _sided(other)
            if first is None or second is None or first[0] == second[0]:
                raise _bad_condition(node.span)
            if first[0] == "$right":
                first, second = second, first
            pair = (_side_column(first[1], one.span, left, environment), _side_column(second[1], other.span, right, environment))
        case _:
            raise _bad_condition(node.span)
    types = {pair[0].type, pair[1].type}
    if DYNAMIC in types or (len(types) > 1 and not types <= NUMBERS):
        hint = "convert one side with extend before the join"
        raise WrongType(f"cannot join {pair[0].type} with {pair[1].type}", span=node.span, hint=hint)
    return pair


def _bad_condition(span: Span) -> QueryError:
    return QueryError("a join compares one column of each side", span=span, hint="write on Name, or on $left.A == $right.B")


def _sided(node: syntax.Expression) -> tuple[str, str] | None:
    if isinstance(node, syntax.Path) and isinstance(node.target, syntax.Name) and node.target.name in ("$left", "$right"):
        return node.target.name, node.name
    return None


def _side_column(name: str, span: Span, relation: plan.Relation, environment: Environment) -> plan.Column:
    scope = Scope(relation.columns, environment)
    column = scope.find(name)
    if column is None:
        raise scope.unknown(name, span)
    return column


def bind_mv_expand(node: syntax.MvExpand, relation: plan.Relation, environment: Environment) -> plan.Relation:
    """One row for each item of the lists; the expanded column stays where the list stood."""
    binder = ExpressionBinder(Scope(relation.columns, environment))
    lists: list[plan.Output] = []
    replaced: dict[str, plan.Output] = {}
    for item in node.items:
        bound = binder.bind(item.expression)
        if bound.type is not DYNAMIC:
            raise WrongType(f"mv-expand takes a dynamic, and this is {bound.type}", span=item.span, hint="use parse_json() or split()")
        name = item.name or result_name(item.expression) or "Column1"
        landed = environment.column(name, DYNAMIC)
        lists.append(plan.Output(landed, bound))
        final: plan.Expr = plan.ColumnRef(landed)
        kind = item.to_type or DYNAMIC
        if kind is not DYNAMIC:
            final = plan.Convert(final, kind)
        replaced[name] = plan.Output(environment.column(name, kind), final)
    index = environment.column(node.index_name, LONG) if node.index_name else None
    produced = (*relation.columns, *(output.column for output in lists), *((index,) if index else ()))
    expanded = plan.Expanded(relation, tuple(lists), index, produced)
    names = {column.name for column in relation.columns}
    outputs = [replaced.get(column.name) or plan.Output(column, plan.ColumnRef(column)) for column in relation.columns]
    outputs += [output for name, output in replaced.items() if name not in names]
    if index:
        outputs.append(plan.Output(index, plan.ColumnRef(index)))
    return plan.Select(expanded, tuple(outputs), tuple(output.column for output in outputs))
