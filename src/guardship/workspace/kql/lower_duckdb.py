"""The plan as one DuckDB SELECT. Every column is `c<id>`, so that no two names can meet however DuckDB folds their case."""

from sqlglot import exp

from guardship.workspace.kql import plan
from guardship.workspace.kql import sql_trees as sql
from guardship.workspace.kql.functions.entry import Sql
from guardship.workspace.kql.lower_expressions import ExpressionLowering, column_name
from guardship.workspace.kql.sql_trees import Tree
from guardship.workspace.kql.types import DATETIME, DYNAMIC, LONG, REAL, STRING, KqlType

_JOINS = {"inner": "INNER", "leftouter": "LEFT", "rightouter": "RIGHT", "fullouter": "FULL"}


def lower(query: plan.Plan, *, row_limit: int | None = None) -> str:
    """The SQL text whose columns are those of the plan, in order; one row more than the limit tells that there are more."""
    lowering = _Lowering()
    select = exp.select(*(exp.column(column_name(column)) for column in query.columns)).from_(lowering.source(query.root), copy=False)
    if row_limit is not None:
        select = select.limit(row_limit + 1, copy=False)
    return select.sql("duckdb")


class _Lowering:
    def __init__(self) -> None:
        self._expressions = ExpressionLowering(self._scalar)

    def _scalar(self, relation: plan.Relation) -> exp.Subquery:
        """As an operand; a query in the place of one value gives its first row."""
        return exp.Subquery(this=self.select(relation))

    def source(self, relation: plan.Relation) -> exp.Expr:
        return sql.inside(self.select(relation), "t")

    def select(self, relation: plan.Relation) -> exp.Select:
        match relation:
            case plan.Scan():
                return self._scan(relation)
            case plan.Values():
                return self._values(relation)
            case plan.Series():
                return self._series(relation)
            case plan.Filter(input=inner, predicate=predicate):
                return exp.select(exp.Star()).from_(self.source(inner), copy=False).where(self._expressions.truth(predicate), copy=False)
            case plan.Select(input=inner, outputs=outputs):
                return self._project(outputs, inner)
            case plan.Aggregated():
                return self._aggregated(relation)
            case plan.Sorted():
                return self._sorted(relation)
            case plan.Limited(input=inner, count=count):
                return self._unlimited(inner).limit(count, copy=False)
            case plan.Appended():
                return self._appended(relation)
            case plan.InnerUnique():
                return self._inner_unique(relation)
            case plan.Joined():
                return self._joined(relation)
            case _:
                return self._expanded(relation)

    def _unlimited(self, relation: plan.Relation) -> exp.Select:
        """A select that a LIMIT may be put on."""
        select = self.select(relation)
        return select if select.args.get("limit") is None else exp.select(exp.Star()).from_(sql.inside(select), copy=False)

    def _value(self, node: plan.Expr) -> Sql:
        return self._expressions.value(node)

    def _scan(self, node: plan.Scan) -> exp.Select:
        columns = [
            sql.named(exp.column(exp.to_identifier(physical, quoted=True)), column_name(column))
            for physical, column in zip(node.sources, node.columns, strict=True)
        ]
        return exp.select(*columns).from_(exp.Table(this=exp.to_identifier(node.table, quoted=True)), copy=False)

    def _values(self, node: plan.Values) -> exp.Select:
        """A union of one-row selects would be slow to plan; a VALUES list is not."""
        if not node.columns:
            return exp.select(sql.named(sql.small(1), "one"))
        names = [exp.to_identifier(column_name(column)) for column in node.columns]
        cells = [[_typed(self._value(cell).tree, cell.type) for cell in row] for row in node.rows]
        if not cells:
            empty = [sql.named(_typed(sql.null(), column.type), column_name(column)) for column in node.columns]
            return exp.select(*empty).where(sql.false(), copy=False)
        rows = exp.Values(
            expressions=[exp.Tuple(expressions=row) for row in cells],
            alias=exp.TableAlias(this=exp.to_identifier("v"), columns=names),
        )
        return exp.select(exp.Star()).from_(rows, copy=False)

    def _series(self, node: plan.Series) -> exp.Select:
        (column,) = node.columns
        start, stop, step = (self._value(part).tree for part in (node.start, node.stop, node.step))
        if column.type is DATETIME:
            step = sql.call("to_microseconds", sql.divide_whole(step, sql.number(10)))
        series = sql.call("generate_series", start, stop, step)
        if all(isinstance(part, plan.Constant) for part in (node.start, node.stop, node.step)):  # streamed, where a list would be built
            alias = exp.TableAlias(this=exp.to_identifier("s"), columns=[exp.to_identifier(column_name(column))])
            return exp.select(exp.Star()).from_(exp.Table(this=series, alias=alias), copy=False)
        return exp.select(sql.named(sql.call("unnest", series), column_name(column)))

    def _project(self, outputs: tuple[plan.Output, ...], inner: plan.Relation) -> exp.Select:
        columns = [sql.named(self._value(output.expression).tree, column_name(output.column)) for output in outputs]
        return exp.select(*columns).from_(self.source(inner), copy=False)

    def _aggregated(self, node: plan.Aggregated) -> exp.Select:
        """Keys are computed below the GROUP BY, so that a key is one expression in both places."""
        keys = [sql.named(self._value(key.expression).tree, f"k{number}") for number, key in enumerate(node.keys)]
        inner = sql.inside(exp.select(exp.Star(), *keys).from_(self.source(node.input), copy=False))
        columns: list[Tree] = [sql.named(exp.column(f"k{number}"), column_name(key.column)) for number, key in enumerate(node.keys)]
        unpacked: list[plan.AggregateOutput] = []
        for found in node.aggregates:
            columns.append(sql.named(self._aggregate(found), self._aggregate_name(found)))
            if found.aggregate.picks_row:
                unpacked.append(found)
        select = exp.select(*columns).from_(inner, copy=False)
        if keys:
            select = select.group_by(*(exp.column(f"k{number}") for number in range(len(keys))), copy=False)
        return self._unpack_rows(node, select) if unpacked else select

    @staticmethod
    def _aggregate_name(found: plan.AggregateOutput) -> str:
        return f"r{found.columns[0].column_id}" if found.aggregate.picks_row else column_name(found.columns[0])

    def _aggregate(self, found: plan.AggregateOutput) -> Tree:
        where = self._expressions.truth(found.predicate) if found.predicate is not None else None
        tree = found.aggregate.duckdb(*(self._value(argument) for argument in found.arguments), where=where)
        return sql.coalesce(tree, sql.text("")) if not found.aggregate.picks_row and found.columns[0].type is STRING else tree

    def _unpack_rows(self, node: plan.Aggregated, grouped: exp.Select) -> exp.Select:
        """arg_max and its like gave one struct; here its fields become columns."""
        columns: list[Tree] = [exp.column(column_name(key.column)) for key in node.keys]
        for found in node.aggregates:
            if not found.aggregate.picks_row:
                columns.append(exp.column(column_name(found.columns[0])))
                continue
            for position, column in enumerate(found.columns, start=1):
                field = sql.call("struct_extract", exp.column(self._aggregate_name(found)), sql.small(position))
                kept = sql.coalesce(field, sql.text("")) if column.type is STRING else field
                columns.append(sql.named(kept, column_name(column)))
        return exp.select(*columns).from_(sql.inside(grouped), copy=False)

    def _sorted(self, node: plan.Sorted) -> exp.Select:
        """NaN stands beside null."""
        keys = []
        for key in node.keys:
            value = self._value(key.expression)
            tree = sql.case((sql.call("isnan", value.copy), sql.null(REAL)), default=value.tree) if value.type is REAL else value.tree
            keys.append(exp.Ordered(this=tree, desc=key.is_descending, nulls_first=key.nulls_first))
        select = exp.select(exp.Star()).from_(self.source(node.input), copy=False).order_by(*keys, copy=False)
        return select if node.limit is None else select.limit(node.limit, copy=False)

    def _appended(self, node: plan.Appended) -> exp.Select:
        parts = [
            exp.select(
                *(
                    sql.named(_typed(self._value(expression).tree, column.type), column_name(column))
                    for expression, column in zip(expressions, node.columns, strict=True)
                )
            ).from_(self.source(relation), copy=False)
            for relation, expressions in zip(node.inputs, node.filled, strict=True)
        ]
        combined: exp.Query = parts[0]
        for part in parts[1:]:
            combined = exp.Union(this=combined, expression=part, distinct=False)
        return exp.select(exp.Star()).from_(sql.inside(combined), copy=False)

    def _inner_unique(self, node: plan.InnerUnique) -> exp.Select:
        keys = [exp.column(column_name(column)) for column in node.keys]
        first = [node.time] if node.time else []
        rest = [column for column in node.columns if column not in node.keys and column != node.time]
        order = [exp.Ordered(this=exp.column(column_name(column)), nulls_first=False) for column in (*first, *rest)]
        number = exp.Window(this=sql.call("row_number"), partition_by=keys, order=exp.Order(expressions=order) if order else None)
        numbered = sql.inside(exp.select(exp.Star(), sql.named(number, "n")).from_(self.source(node.input), copy=False))
        columns = [exp.column(column_name(column)) for column in node.columns]
        return exp.select(*columns).from_(numbered, copy=False).where(sql.equal(exp.column("n"), sql.small(1)), copy=False)

    def _joined(self, node: plan.Joined) -> exp.Select:
        left, right = sql.inside(self.select(node.left), "l"), sql.inside(self.select(node.right), "r")
        condition = sql.both(
            *(sql.equal(exp.column(column_name(one), table="l"), exp.column(column_name(other), table="r")) for one, other in node.on)
        )
        if node.kind in _JOINS:
            outputs = [self._outer_filled(output, node.kind) for output in node.outputs]
            return exp.select(*outputs).from_(left, copy=False).join(right, on=condition, join_type=_JOINS[node.kind], copy=False)
        near, far = (left, right) if node.kind.startswith("left") else (right, left)
        match_exists: Tree = exp.Exists(this=exp.select(sql.small(1)).from_(far, copy=False).where(condition, copy=False))
        if node.kind.endswith("anti"):
            match_exists = sql.negated(match_exists)
        columns = [sql.named(self._value(output.expression).tree, column_name(output.column)) for output in node.outputs]
        return exp.select(*columns).from_(near, copy=False).where(match_exists, copy=False)

    def _outer_filled(self, output: plan.Output, kind: str) -> Tree:
        tree = self._value(output.expression).tree
        if output.column.type is STRING and kind != "inner":
            tree = sql.coalesce(tree, sql.text(""))
        return sql.named(tree, column_name(output.column))

    def _expanded(self, node: plan.Expanded) -> exp.Select:
        """A list gives its items, a bag its pairs, a null or empty text one row; an empty list gives none."""
        lists = [sql.named(self._items(self._value(output.expression)), f"m{number}") for number, output in enumerate(node.lists)]
        listed = sql.inside(exp.select(exp.Star(), *lists).from_(self.source(node.input), copy=False))
        sizes = [sql.call("len", exp.column(f"m{number}")) for number in range(len(node.lists))]
        longest = sizes[0] if len(sizes) == 1 else sql.call("greatest", *sizes)
        places = sql.call("unnest", sql.call("range", sql.small(1), sql.add(longest, sql.small(1))))
        numbered = sql.inside(exp.select(exp.Star(), sql.named(places, "n")).from_(listed, copy=False))
        columns: list[Tree] = [exp.column(column_name(column)) for column in node.input.columns]
        for number, output in enumerate(node.lists):
            item = sql.call("list_extract", exp.column(f"m{number}"), exp.column("n"))
            cleaned = sql.call("nullif", item, sql.cast_to(sql.text("null"), DYNAMIC))
            columns.append(sql.named(cleaned, column_name(output.column)))
        if node.index:
            columns.append(sql.named(sql.subtract(sql.cast_to(exp.column("n"), LONG), sql.number(1)), column_name(node.index)))
        return exp.select(*columns).from_(numbered, copy=False)

    @staticmethod
    def _items(value: Sql) -> Tree:
        kind = sql.call("json_type", value.copy)
        key = exp.column("k")
        path = sql.joined_text(sql.text('$."'), key, sql.text('"'))
        pair = sql.call("json_object", key.copy(), sql.call("json_extract", value.copy, path))
        pairs = sql.call("list_transform", sql.call("json_keys", value.copy), exp.Lambda(this=pair, expressions=[exp.to_identifier("k")]))
        return sql.case(
            (sql.equal(kind, sql.text("ARRAY")), sql.call("json_extract", value.copy, sql.text("$[*]"))),
            (sql.equal(kind.copy(), sql.text("OBJECT")), pairs),
            default=sql.call("list_value", value.tree),
        )


def _typed(tree: Tree, kind: KqlType) -> Tree:
    return sql.cast_to(tree, kind)
