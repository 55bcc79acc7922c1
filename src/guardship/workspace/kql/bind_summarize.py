"""summarize: keys, aggregates, and expressions over aggregates, with the names Kusto gives their columns."""

from guardship.errors import Span
from guardship.workspace.kql import plan, syntax
from guardship.workspace.kql.bind_calls import result_type
from guardship.workspace.kql.bind_expressions import ExpressionBinder
from guardship.workspace.kql.bind_projections import refuse_dynamic, visible
from guardship.workspace.kql.errors import DuplicateColumn, QueryError, WrongArguments, WrongType
from guardship.workspace.kql.functions.entry import Aggregate
from guardship.workspace.kql.functions.table import AGGREGATES
from guardship.workspace.kql.naming import column_number, free_name, result_name
from guardship.workspace.kql.scope import Environment, Scope
from guardship.workspace.kql.types import DYNAMIC, GUID, LONG

_UNNAMED = {"arg_max": "max_", "arg_min": "min_", "take_any": "any_", "any": "any_"}


def bind_count(name: str | None, relation: plan.Relation, environment: Environment) -> plan.Relation:
    column = environment.column(name or "Count", LONG)
    return plan.Aggregated(relation, (), (plan.AggregateOutput((column,), AGGREGATES["count"], (), None),), (column,))


def bind_summarize(node: syntax.Summarize, relation: plan.Relation, environment: Environment) -> plan.Relation:
    return _Summarizing(relation, environment).bind(node)


class _Summarizing:
    def __init__(self, relation: plan.Relation, environment: Environment) -> None:
        self._relation = relation
        self._environment = environment
        self._plain = ExpressionBinder(Scope(relation.columns, environment))
        self._found: list[plan.AggregateOutput] = []
        self._used: set[str] = set()
        self._keys: set[str] = set()

    def bind(self, node: syntax.Summarize) -> plan.Relation:
        keys = tuple(self._key(item) for item in node.keys)
        outputs = [plan.Output(key.column, plan.ColumnRef(key.column)) for key in keys]
        self._keys = set(self._used)
        for item in node.aggregates:
            outputs += self._item(item)
        produced = tuple(key.column for key in keys) + tuple(column for found in self._found for column in found.columns)
        grouped = plan.Aggregated(self._relation, keys, tuple(self._found), produced)
        if all(isinstance(output.expression, plan.ColumnRef) and output.column == output.expression.column for output in outputs) and [
            output.column for output in outputs
        ] == list(produced):
            return grouped
        return plan.Select(grouped, tuple(outputs), tuple(output.column for output in outputs))

    def _key(self, item: syntax.Item) -> plan.Output:
        expression = self._plain.bind(item.expression)
        said = item.name or (item.expression.name if isinstance(item.expression, syntax.Name) else None)
        if said in self._used:
            raise DuplicateColumn(str(said), item.span)
        name = item.name or free_name(result_name(item.expression) or column_number(self._used), self._used)
        self._used.add(name)
        column = self._environment.column(name, expression.type)
        refuse_dynamic([(column, item.span)])
        return plan.Output(column, expression)

    def _item(self, item: syntax.Item) -> list[plan.Output]:
        expression = item.expression
        if isinstance(expression, syntax.Call):
            entry = AGGREGATES.get(expression.name)
            if entry is not None and entry.picks_row:
                return self._picked(item, expression, entry)
        before = len(self._found)
        binder = ExpressionBinder(
            Scope(self._relation.columns, self._environment), on_aggregate=self._aggregate, on_column=self._loose_column
        )
        bound = binder.bind(expression)
        if len(self._found) == before:
            raise QueryError("summarize needs an aggregate here", span=item.span, hint="put what groups the rows after by")
        name = self._claim(item.name or result_name(expression) or column_number(self._used))
        return [plan.Output(self._environment.column(name, bound.type), bound)]

    def _loose_column(self, column: plan.Column, span: Span) -> None:
        raise QueryError(
            f"{column.name} is neither aggregated nor a key", span=span, hint=f"use take_any({column.name}), or put it after by"
        )

    def _aggregate(self, node: syntax.Call, entry: Aggregate) -> plan.Expr:
        if entry.picks_row:
            if len(node.arguments) != 1 or entry.name in ("arg_max", "arg_min"):
                raise WrongArguments(f"{node.name} stands alone, not inside an expression", span=node.name_span)
            argument = self._plain.bind(node.arguments[0])
            return self._keep(entry, (argument,), (self._environment.column(entry.name, argument.type),), None)
        arguments, predicate = self._split(node, entry)
        kind = result_type(entry.returns, arguments)
        return self._keep(entry, arguments, (self._environment.column(entry.name, kind),), predicate)

    def _split(self, node: syntax.Call, entry: Aggregate) -> tuple[tuple[plan.Expr, ...], plan.Expr | None]:
        """The arguments, and the condition of an *if form apart."""
        predicate: plan.Expr | None = None
        inner = list(node.arguments)
        if entry.has_predicate:
            if len(inner) <= entry.predicate_at:
                raise WrongArguments(f"{node.name} needs a condition", span=node.span)
            condition = inner.pop(entry.predicate_at)
            if isinstance(condition, syntax.Named | syntax.Pipeline):
                raise WrongArguments(f"{node.name} needs a condition", span=condition.span)
            predicate = self._plain.predicate(condition)
        arguments = self._plain.arguments(syntax.Call(node.name, tuple(inner), node.span, node.name_span), entry.parameters)
        for position in entry.constants:
            if position < len(arguments) and not isinstance(arguments[position], plan.Constant):
                raise WrongArguments(f"argument {position + 1} of {node.name} must be a constant", span=inner[position].span)
        return arguments, predicate

    def _keep(
        self, entry: Aggregate, arguments: tuple[plan.Expr, ...], columns: tuple[plan.Column, ...], predicate: plan.Expr | None
    ) -> plan.Expr:
        self._found.append(plan.AggregateOutput(columns, entry, arguments, predicate))
        return plan.ColumnRef(columns[0])

    def _picked(self, item: syntax.Item, node: syntax.Call, entry: Aggregate) -> list[plan.Output]:
        """arg_max(by, columns), take_any(columns): each a column of its own, `*` is all but the keys."""
        if not node.arguments:
            raise WrongArguments(f"{node.name} needs a column", span=node.span)
        is_extreme = entry.name in ("arg_max", "arg_min")
        pairs: list[tuple[str, plan.Expr]] = []
        said = {argument.name for argument in node.arguments if isinstance(argument, syntax.Name)}
        for position, argument in enumerate(node.arguments):
            if isinstance(argument, syntax.Star):
                pairs += self._all_columns(said)
                continue
            bound = self._plain.bind(argument)
            made = result_name(argument)
            name = item.name if position == 0 and item.name and (is_extreme or len(node.arguments) == 1) else None
            if position == 0 and is_extreme and bound.type in (DYNAMIC, GUID):
                raise WrongType(f"{node.name} cannot compare values of {bound.type}", span=argument.span, hint="use tostring() or tolong()")
            pairs.append((name or (entry.named.format(made) if made else _UNNAMED[entry.name]), bound))
        if is_extreme and isinstance(node.arguments[0], syntax.Star):
            raise WrongArguments(f"{node.name} needs the column to compare first", span=node.span)
        columns = tuple(self._environment.column(self._claim(name), bound.type) for name, bound in pairs)
        arguments = tuple(bound for _, bound in pairs)
        self._keep(entry, arguments, columns, None)
        return [plan.Output(column, plan.ColumnRef(column)) for column in columns]

    def _claim(self, wanted: str) -> str:
        name = free_name(wanted, self._used)
        self._used.add(name)
        return name

    def _all_columns(self, said: set[str]) -> list[tuple[str, plan.Expr]]:
        """All but the keys and the columns that were named beside the star."""
        skipped = said | self._keys
        return [(column.name, plan.ColumnRef(column)) for column in visible(self._relation.columns) if column.name not in skipped]
