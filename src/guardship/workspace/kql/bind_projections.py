"""Operators that choose, name and compute columns: project and its family, extend, distinct."""

import re

from guardship.errors import Span
from guardship.workspace.kql import plan, syntax
from guardship.workspace.kql.bind_expressions import ExpressionBinder
from guardship.workspace.kql.errors import DuplicateColumn, QueryError, WrongType
from guardship.workspace.kql.naming import column_number, free_name, result_name
from guardship.workspace.kql.scope import Environment, Scope
from guardship.workspace.kql.types import DYNAMIC


def visible(columns: tuple[plan.Column, ...]) -> tuple[plan.Column, ...]:
    return tuple(column for column in columns if not column.is_hidden)


def reference(column: plan.Column) -> plan.Output:
    return plan.Output(column, plan.ColumnRef(column))


def bind_project(
    items: tuple[syntax.Item, ...], relation: plan.Relation, environment: Environment, *, unnamed: str = "Column"
) -> plan.Relation:
    """Exactly these columns. A name that comes second gets a number; one that was written twice is refused."""
    binder = ExpressionBinder(Scope(relation.columns, environment))
    outputs: list[plan.Output] = []
    written: set[str | None] = set()
    used: set[str] = set()
    for number, item in enumerate(items):
        expression = binder.bind(item.expression)
        said = item.name or (item.expression.name if unnamed == "Column" and isinstance(item.expression, syntax.Name) else None)
        if said is not None and said in written:
            raise DuplicateColumn(said, item.span)
        written.add(said)
        name = free_name(said, used) if said else _made_name(item.expression, used, unnamed, number)
        used.add(name)
        outputs.append(plan.Output(environment.column(name, expression.type), expression))
    return plan.Select(relation, tuple(outputs), tuple(output.column for output in outputs))


def _made_name(expression: syntax.Expression, taken: set[str], unnamed: str, number: int) -> str:
    if unnamed == "print_":
        return free_name(f"print_{number}", taken)
    named = result_name(expression)
    return free_name(named, taken) if named else column_number(taken)


def bind_extend(items: tuple[syntax.Item, ...], relation: plan.Relation, environment: Environment) -> plan.Relation:
    """A column of the same name is replaced where it stands; new ones go to the end. Items do not see each other."""
    binder = ExpressionBinder(Scope(relation.columns, environment))
    outputs = {column.name: reference(column) for column in relation.columns}
    for item in items:
        expression = binder.bind(item.expression)
        name = item.name or _made_name(item.expression, set(outputs), "Column", 0)
        outputs[name] = plan.Output(environment.column(name, expression.type), expression)
    return plan.Select(relation, tuple(outputs.values()), tuple(output.column for output in outputs.values()))


def bind_project_names(node: syntax.ProjectNames, relation: plan.Relation, environment: Environment) -> plan.Relation:
    scope = Scope(relation.columns, environment)
    chosen: list[plan.Column] = []
    for pattern in node.patterns:
        found = [column for column in relation.columns if _matches(pattern.name, column) and column not in chosen]
        if not found and "*" not in pattern.name and scope.find(pattern.name) is None:
            raise scope.unknown(pattern.name, pattern.span)
        chosen += found
    kept = [column for column in relation.columns if column not in chosen]
    match node.kind:
        case "project-away":
            columns = kept
        case "project-keep":
            columns = [column for column in relation.columns if column in chosen]
        case _:
            columns = chosen + kept
    if node.kind == "project-away" and not visible(tuple(columns)):
        raise QueryError("no column is left", span=node.span)
    named = {pattern.name for pattern in node.patterns}
    outputs = [_shown(column, environment) if column.is_hidden and column.name in named else reference(column) for column in columns]
    return plan.Select(relation, tuple(outputs), tuple(output.column for output in outputs))


def _shown(column: plan.Column, environment: Environment) -> plan.Output:
    """A hidden column that was named is a column like any other from there on."""
    return plan.Output(environment.column(column.name, column.type), plan.ColumnRef(column))


def _matches(pattern: str, column: plan.Column) -> bool:
    if "*" not in pattern:
        return column.name == pattern
    return not column.is_hidden and re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), column.name) is not None


def bind_rename(node: syntax.ProjectRename, relation: plan.Relation, environment: Environment) -> plan.Relation:
    scope = Scope(relation.columns, environment)
    new_names: dict[plan.Column, str] = {}
    for new, old in node.pairs:
        column = scope.find(old.name)
        if column is None:
            raise scope.unknown(old.name, old.span)
        new_names[column] = new.name
    names = [new_names.get(column, column.name) for column in relation.columns]
    for new, _ in node.pairs:
        if names.count(new.name) > 1:
            raise DuplicateColumn(new.name, new.span)
    outputs = [
        plan.Output(environment.column(new_names[column], column.type), plan.ColumnRef(column))
        if column in new_names
        else reference(column)
        for column in relation.columns
    ]
    return plan.Select(relation, tuple(outputs), tuple(output.column for output in outputs))


def bind_distinct(node: syntax.Distinct, relation: plan.Relation, environment: Environment) -> plan.Relation:
    if node.items:
        narrowed = bind_project(node.items, relation, environment)
        refuse_dynamic([(column, item.span) for column, item in zip(narrowed.columns, node.items, strict=True)])
    else:
        columns = visible(relation.columns)
        narrowed = plan.Select(relation, tuple(map(reference, columns)), columns)
    fresh = [environment.column(column.name, column.type) for column in narrowed.columns]
    keys = tuple(plan.Output(new, plan.ColumnRef(old)) for new, old in zip(fresh, narrowed.columns, strict=True))
    return plan.Aggregated(narrowed, keys, (), tuple(fresh))


def refuse_dynamic(keys: list[tuple[plan.Column, Span]]) -> None:
    """What groups rows has one value; whether two dynamic values are one is not defined."""
    for column, span in keys:
        if column.type is DYNAMIC:
            raise WrongType("rows cannot be grouped by a dynamic", span=span, hint=f"use tostring({column.name})")
