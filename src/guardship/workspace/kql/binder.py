"""From the syntax tree to the plan: tables, lets and operators, one function for each operator."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from guardship.errors import Span
from guardship.workspace.kql import plan, syntax
from guardship.workspace.kql.bind_combined import bind_join, bind_mv_expand, bind_union
from guardship.workspace.kql.bind_expressions import ExpressionBinder
from guardship.workspace.kql.bind_projections import bind_distinct, bind_extend, bind_project, bind_project_names, bind_rename, visible
from guardship.workspace.kql.bind_summarize import bind_count, bind_summarize
from guardship.workspace.kql.errors import QueryError, UnknownTable, Unsupported, WrongType, nearest
from guardship.workspace.kql.schema import Schema, TableSchema
from guardship.workspace.kql.scope import Environment, ScanRange, Scope, TableLet
from guardship.workspace.kql.types import DATETIME, DYNAMIC, LONG, NUMBERS, TIMESPAN, WHOLE, KqlType


def bind(
    query: syntax.Query,
    schema: Schema,
    now: datetime,
    *,
    parameters: Mapping[str, plan.Constant] | None = None,
    scan_range: ScanRange | None = None,
) -> plan.Plan:
    """The plan of a query over these tables, at this moment."""
    environment = Environment(schema, now.replace(tzinfo=None), scan_range or ScanRange(), bind_pipeline)
    environment = _with_parameters(query, environment, dict(parameters or {}))
    for let in query.lets:
        environment = environment.with_let(let.name, _let_value(let, environment))
    root = bind_pipeline(query.body, environment)
    columns = visible(root.columns)
    return plan.Plan(root, columns, environment.now, frozenset(environment.tables), _is_ordered(query.body), _visualization(query.body))


def bind_pipeline(pipeline: syntax.Pipeline, environment: Environment) -> plan.Relation:
    relation = _source(pipeline.source, environment)
    for operator in pipeline.operators:
        relation = _operator(operator, relation, environment)
    return relation


def _with_parameters(query: syntax.Query, environment: Environment, given: dict[str, plan.Constant]) -> Environment:
    for declared in query.parameters:
        default = plan.Constant(declared.default.type, declared.default.value) if declared.default else None
        constant = given.pop(declared.name, default)
        if constant is None:
            raise QueryError(f"the parameter {declared.name} was not given", span=declared.span)
        if constant.type is not declared.type and not {constant.type, declared.type} <= NUMBERS:
            raise WrongType(f"the parameter {declared.name} is {declared.type}, and {constant.type} was given", span=declared.span)
        environment = environment.with_let(declared.name, replace(constant, type=declared.type))
    for name, value in given.items():
        environment = environment.with_let(name, value)
    return environment


def _let_value(let: syntax.Let, environment: Environment) -> plan.Expr | TableLet:
    value = let.value
    if isinstance(value, syntax.Pipeline):
        return _table_let(value, environment)
    if isinstance(value, syntax.Call) and value.name == "materialize" and len(value.arguments) == 1:
        argument = value.arguments[0]
        if isinstance(argument, syntax.Pipeline):
            return _table_let(argument, environment)
        if isinstance(argument, syntax.Name):
            return _table_let(syntax.Pipeline(argument, (), argument.span), environment)
    if isinstance(value, syntax.Name):
        known = environment.lets.get(value.name)
        if known is not None:
            return known
        if value.name in environment.schema:
            return _table_let(syntax.Pipeline(value, (), value.span), environment)
    return ExpressionBinder(Scope((), environment)).bind(value)


def _table_let(pipeline: syntax.Pipeline, environment: Environment) -> TableLet:
    bind_pipeline(pipeline, environment)  # errors are shown even where nobody uses it
    return TableLet(pipeline, environment)


def _is_ordered(pipeline: syntax.Pipeline) -> bool:
    for operator in reversed(pipeline.operators):
        if isinstance(operator, syntax.Sort | syntax.Top):
            return True
        if isinstance(operator, syntax.Summarize | syntax.Join | syntax.Union | syntax.Distinct | syntax.Count):
            return False
    return isinstance(pipeline.source, syntax.Pipeline) and _is_ordered(pipeline.source)


def _visualization(pipeline: syntax.Pipeline) -> str | None:
    return next((operator.visualization for operator in reversed(pipeline.operators) if isinstance(operator, syntax.Render)), None)


def _source(source: syntax.Source, environment: Environment) -> plan.Relation:
    match source:
        case syntax.Pipeline():
            return bind_pipeline(source, environment)
        case syntax.Name(name=name, span=span):
            return _table(name, span, environment)
        case syntax.DataTable():
            return _datatable(source, environment)
        case syntax.Print():
            one_row = plan.Values((), ((),))
            return bind_project(source.items, one_row, environment, unnamed="print_")
        case syntax.Range():
            return _range(source, environment)
        case syntax.Union():
            return bind_union(source, None, environment)
        case syntax.Call(name="materialize", arguments=(syntax.Pipeline() as inner,)):
            return bind_pipeline(inner, environment)
        case syntax.Call(name="materialize", arguments=(syntax.Name(name=name, span=span),)):
            return _table(name, span, environment)
        case _:
            raise Unsupported(f"the table function {source.name}", source.name_span)


def _table(name: str, span: Span, environment: Environment) -> plan.Relation:
    let = environment.lets.get(name)
    if isinstance(let, TableLet):
        # Bound with what was known where it was written, but with this query's counters.
        return bind_pipeline(let.pipeline, let.environment)
    if let is not None:
        raise QueryError(f"{name} is a value and not a table", span=span)
    table = environment.schema.get(name)
    if table is None:
        names = [*environment.schema, *(key for key, value in environment.lets.items() if isinstance(value, TableLet))]
        raise UnknownTable(name, span, nearest(name, names))
    environment.tables.add(name)
    return _scan(table, environment)


def _scan(table: TableSchema, environment: Environment) -> plan.Relation:
    columns = tuple(environment.column(column.name, column.type, is_hidden=column.is_hidden) for column in table.columns)
    relation: plan.Relation = plan.Scan(table.physical, tuple(column.physical for column in table.columns), columns)
    by_name = {column.name: column for column in columns}
    cuts = environment.range
    limits = (
        ("TimeGenerated", ">=", cuts.from_time),
        ("TimeGenerated", "<=", cuts.to_time),
        ("_TimeReceived", ">", cuts.received_after),
        ("_TimeReceived", "<=", cuts.received_until),
    )
    conditions = [
        plan.Compare(operator, plan.ColumnRef(by_name[name]), plan.Constant(DATETIME, moment.replace(tzinfo=None)))
        for name, operator, moment in limits
        if moment is not None and name in by_name
    ]
    return plan.Filter(relation, plan.Logic("and", tuple(conditions)), columns) if conditions else relation


def _datatable(node: syntax.DataTable, environment: Environment) -> plan.Relation:
    columns = tuple(environment.column(name.name, kind) for name, kind in node.columns)
    binder = ExpressionBinder(Scope((), environment))
    cells = [binder.bind(cell) for cell in node.cells]
    width = len(columns)
    fitted = [_cell(value, columns[at % width].type, node.cells[at].span) for at, value in enumerate(cells)]
    rows = tuple(tuple(fitted[at : at + width]) for at in range(0, len(fitted), width))
    return plan.Values(columns, rows)


def _cell(value: plan.Expr, kind: KqlType, span: Span) -> plan.Expr:
    if value.type is kind:
        return value
    if isinstance(value, plan.Constant) and value.value is None:
        return plan.Constant(kind, None)
    if kind is DYNAMIC:
        return plan.Apply(ExpressionBinder.dynamic_of(), (value,), DYNAMIC)
    return plan.Convert(value, kind)


def _range(node: syntax.Range, environment: Environment) -> plan.Relation:
    binder = ExpressionBinder(Scope((), environment))
    start, stop, step = (binder.bind(part) for part in (node.start, node.stop, node.step))
    is_time = start.type is DATETIME and stop.type is DATETIME and step.type is TIMESPAN
    is_span = {start.type, stop.type, step.type} == {TIMESPAN}
    if not (is_time or is_span or {start.type, stop.type, step.type} <= WHOLE):
        raise Unsupported(f"range from {start.type} to {stop.type} by {step.type}", node.span)
    kind = LONG if start.type in WHOLE else start.type
    column = environment.column(node.name, kind)
    return plan.Series((column,), start, stop, step)


def _operator(node: syntax.Operator, relation: plan.Relation, environment: Environment) -> plan.Relation:
    match node:
        case syntax.Where(predicate=predicate):
            binder = ExpressionBinder(Scope(relation.columns, environment))
            return _filtered(relation, binder.predicate(predicate))
        case syntax.Project(items=items):
            return bind_project(items, relation, environment)
        case syntax.Extend(items=items):
            return bind_extend(items, relation, environment)
        case syntax.ProjectNames():
            return bind_project_names(node, relation, environment)
        case syntax.ProjectRename():
            return bind_rename(node, relation, environment)
        case syntax.Distinct():
            return bind_distinct(node, relation, environment)
        case syntax.Summarize():
            return bind_summarize(node, relation, environment)
        case syntax.Count(name=name):
            return bind_count(name, relation, environment)
        case syntax.Sort(keys=keys):
            return plan.Sorted(relation, tuple(_order(key, relation, environment) for key in keys), None, relation.columns)
        case syntax.Top(count=count, key=key):
            return plan.Sorted(relation, (_order(key, relation, environment),), _row_count(count, environment), relation.columns)
        case syntax.Take(count=count):
            return plan.Limited(relation, _row_count(count, environment), relation.columns)
        case syntax.Union():
            return bind_union(node, relation, environment)
        case syntax.Join():
            return bind_join(node, relation, environment)
        case syntax.MvExpand():
            return bind_mv_expand(node, relation, environment)
        case _:  # render: the rows stay as they are
            return relation


def _filtered(relation: plan.Relation, predicate: plan.Expr) -> plan.Relation:
    """Filters that follow each other are one."""
    if not isinstance(relation, plan.Filter):
        return plan.Filter(relation, predicate, relation.columns)
    known = relation.predicate
    before = known.operands if isinstance(known, plan.Logic) and known.operator == "and" else (known,)
    return plan.Filter(relation.input, plan.Logic("and", (*before, predicate)), relation.columns)


def _order(key: syntax.SortKey, relation: plan.Relation, environment: Environment) -> plan.Order:
    """Null is the smallest value: first when ascending, last when descending."""
    bound = ExpressionBinder(Scope(relation.columns, environment)).bind(key.expression)
    if bound.type is DYNAMIC:
        raise WrongType("dynamic has no order", span=key.span, hint="use tostring() or tolong()")
    nulls_first = not key.is_descending if key.nulls_first is None else key.nulls_first
    return plan.Order(bound, key.is_descending, nulls_first)


def _row_count(node: syntax.Expression, environment: Environment) -> int:
    bound = ExpressionBinder(Scope((), environment)).bind(node)
    if not isinstance(bound, plan.Constant) or type(bound.value) is not int or bound.type not in WHOLE:
        raise WrongType("the number of rows must be a whole number", span=node.span)
    return max(0, bound.value)
