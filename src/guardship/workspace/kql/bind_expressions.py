"""Expressions to their typed form: names settled, types checked, implicit conversions made explicit, constant times computed."""

import json

from guardship.errors import Span
from guardship.workspace.kql import plan, syntax
from guardship.workspace.kql.bind_calls import CallBinder, check_pattern
from guardship.workspace.kql.errors import QueryError, Unsupported, WrongType
from guardship.workspace.kql.fold import folded
from guardship.workspace.kql.scope import TableLet
from guardship.workspace.kql.types import (
    BOOL,
    DATETIME,
    DYNAMIC,
    INT,
    LONG,
    NUMBERS,
    ORDERED,
    REAL,
    STRING,
    TIMESPAN,
    WHOLE,
    KqlType,
    widest,
)

_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_HINTS = {
    LONG: "tolong()",
    REAL: "todouble()",
    STRING: "tostring()",
    DATETIME: "todatetime()",
    TIMESPAN: "totimespan()",
    BOOL: "tobool()",
    DYNAMIC: "parse_json()",
}


class ExpressionBinder(CallBinder):
    def bind(self, expression: syntax.Argument) -> plan.Expr:
        match expression:
            case syntax.Literal(type=kind, value=value):
                return plan.Constant(kind, value)
            case syntax.Name():
                return self._name(expression)
            case syntax.Call():
                return self.call(expression)
            case syntax.Path() | syntax.Index():
                return self._member(expression)
            case syntax.Negative(operand=operand):
                return self._negative(operand)
            case syntax.Binary():
                return self._binary(expression)
            case syntax.InList():
                return self._in_list(expression)
            case syntax.Between():
                return self._between(expression)
            case syntax.Star():
                raise QueryError("* stands where one value is needed", span=expression.span)
            case _:
                raise QueryError("a single value is needed here", span=expression.span, hint="use toscalar() around a query")

    def predicate(self, expression: syntax.Expression) -> plan.Expr:
        bound = self.bind(expression)
        if bound.type is not BOOL:
            hint = "use tobool()" if bound.type is DYNAMIC else None
            raise WrongType(f"a condition is bool, and this is {bound.type}", span=expression.span, hint=hint)
        return bound

    def _name(self, node: syntax.Name) -> plan.Expr:
        column = self.scope.find(node.name)
        if column is not None:
            self.check_column(column, node.span)
            return plan.ColumnRef(column)
        let = self.scope.environment.lets.get(node.name)
        if let is None:
            raise self.scope.unknown(node.name, node.span)
        if isinstance(let, TableLet):
            raise QueryError(f"{node.name} is a table, and one value is needed here", span=node.span, hint="use toscalar()")
        return let

    def _member(self, node: syntax.Path | syntax.Index) -> plan.Expr:
        target = self.bind(node.target)
        if target.type is not DYNAMIC:
            hint = "use parse_json() first" if target.type is STRING else None
            raise WrongType(f"only a dynamic has members, and this is {target.type}", span=node.target.span, hint=hint)
        if isinstance(node, syntax.Path):
            return plan.Member(target, plan.Constant(STRING, node.name))
        key = self.bind(node.index)
        if key.type is DYNAMIC:
            key = plan.Convert(key, STRING)
        if key.type not in (STRING, LONG, INT):
            raise WrongType(f"an index is a number or a name, and this is {key.type}", span=node.index.span)
        return plan.Member(target, key)

    def _negative(self, operand: syntax.Expression) -> plan.Expr:
        bound = self.bind(operand)
        if bound.type not in NUMBERS and bound.type is not TIMESPAN:
            raise WrongType(f"only a number or a timespan can be negative, and this is {bound.type}", span=operand.span)
        return plan.Negate(bound, LONG if bound.type is INT else bound.type)

    def _binary(self, node: syntax.Binary) -> plan.Expr:
        if node.operator in ("and", "or"):
            return self._logic(node)
        left, right = self.bind(node.left), self.bind(node.right)
        if node.operator in ("=~", "!~"):
            return self._match("equals", node, left, right, is_negated=node.operator == "!~", is_case_sensitive=False)
        if node.operator in _COMPARISONS:
            return self._compare(node.operator, left, right, node.span)
        if node.operator in "+-*/%":
            return self._arithmetic(node, left, right)
        if node.operator == "matches regex":
            check_pattern(right, node.right.span)
            return self._match("regex", node, left, right, is_negated=False, is_case_sensitive=True)
        plain = node.operator.removeprefix("!")
        is_exact = plain.endswith("_cs")
        kind = plain.removesuffix("_cs")
        return self._match(kind, node, left, right, is_negated=node.operator.startswith("!"), is_case_sensitive=is_exact)

    def _logic(self, node: syntax.Binary) -> plan.Expr:
        """Chains of one operator become one flat node, so that a long list of conditions does not nest."""
        operands: list[plan.Expr] = []
        pending: list[syntax.Expression] = [node]
        while pending:
            item = pending.pop()
            if isinstance(item, syntax.Binary) and item.operator == node.operator:
                pending += [item.right, item.left]
            else:
                operands.append(self.predicate(item))
        return plan.Logic(node.operator, tuple(operands))

    def _match(
        self, kind: str, node: syntax.Binary, left: plan.Expr, right: plan.Expr, *, is_negated: bool, is_case_sensitive: bool
    ) -> plan.Expr:
        return plan.Match(kind, is_negated, is_case_sensitive, self._text(left, node.left.span), self._text(right, node.right.span))

    def _text(self, bound: plan.Expr, span: Span) -> plan.Expr:
        if bound.type is STRING:
            return bound
        if bound.type is DYNAMIC:
            return plan.Convert(bound, STRING)
        raise WrongType(f"this operator works on strings, and this is {bound.type}", span=span, hint="use tostring()")

    def _compare(self, operator: str, left: plan.Expr, right: plan.Expr, span: Span) -> plan.Expr:
        if DYNAMIC in (left.type, right.type):
            return self._compare_dynamic(operator, left, right, span)
        left, right = _as_number(left, right.type), _as_number(right, left.type)
        if left.type is not right.type and not {left.type, right.type} <= NUMBERS:
            raise WrongType(f"cannot compare {left.type} with {right.type}", span=span, hint=_way(left, right))
        if operator not in ("==", "!=") and left.type not in ORDERED:
            raise WrongType(f"{left.type} has no order", span=span)
        return plan.Compare(operator, left, right)

    def _compare_dynamic(self, operator: str, left: plan.Expr, right: plan.Expr, span: Span) -> plan.Expr:
        """A dynamic is compared as what the other side is; a value of another kind in it is unequal to all of those."""
        if left.type is right.type:
            raise Unsupported("comparing two dynamic values", span, "turn both into strings with tostring()")
        other = right.type if left.type is DYNAMIC else left.type
        is_equality = operator in ("==", "!=")
        if other not in NUMBERS and not (is_equality and other in (STRING, BOOL)):
            raise WrongType(f"cannot compare dynamic with {other}", span=span, hint=f"use {_HINTS.get(other, 'a cast')}")
        dynamic = left if left.type is DYNAMIC else right
        kept = plan.Apply(self.strictly(other), (dynamic,), REAL if other in NUMBERS else other)
        pair = (kept, right) if left.type is DYNAMIC else (left, kept)
        return plan.Compare(operator, *pair)

    def _arithmetic(self, node: syntax.Binary, left: plan.Expr, right: plan.Expr) -> plan.Expr:
        kind = self._arithmetic_type(node.operator, left.type, right.type)
        if kind is None:
            hint = "use tolong() or todouble()" if DYNAMIC in (left.type, right.type) or STRING in (left.type, right.type) else None
            hint = "use strcat()" if STRING in (left.type, right.type) and node.operator == "+" else hint
            raise WrongType(f"{left.type} {node.operator} {right.type} means nothing", span=node.span, hint=hint)
        return folded(node.operator, left, right, kind) or plan.Arithmetic(node.operator, left, right, kind)

    @staticmethod
    def _arithmetic_type(operator: str, left: KqlType, right: KqlType) -> KqlType | None:
        if left in NUMBERS and right in NUMBERS:
            wide = widest(left, right)
            return LONG if wide is INT else wide
        match operator, left, right:
            case ("+" | "-", KqlType.DATETIME, KqlType.TIMESPAN) | ("+", KqlType.TIMESPAN, KqlType.DATETIME):
                return DATETIME
            case ("-", KqlType.DATETIME, KqlType.DATETIME) | ("+" | "-" | "%", KqlType.TIMESPAN, KqlType.TIMESPAN):
                return TIMESPAN
            case ("/", KqlType.TIMESPAN, KqlType.TIMESPAN):
                return REAL
            case ("*" | "/", KqlType.TIMESPAN, other) if other in NUMBERS:
                return TIMESPAN
            case ("*", other, KqlType.TIMESPAN) if other in NUMBERS:
                return TIMESPAN
            case _:
                return None

    def _between(self, node: syntax.Between) -> plan.Expr:
        operand, low, high = self.bind(node.operand), self.bind(node.low), self.bind(node.high)
        if operand.type is DATETIME and high.type is TIMESPAN:
            high = folded("+", low, high, DATETIME) or plan.Arithmetic("+", low, high, DATETIME)
        inside = plan.Logic(
            "and",
            (self._compare(">=", operand, low, node.span), self._compare("<=", operand, high, node.span)),
        )
        return plan.Apply(self.function("not"), (inside,), BOOL) if node.is_negated else inside

    def _in_list(self, node: syntax.InList) -> plan.Expr:
        left = self.bind(node.left)
        is_negated = node.operator.startswith("!")
        is_case_sensitive = not node.operator.endswith("~")
        rows = self._rows(node.items)
        if rows is not None:
            return self._in_rows(node, left, rows)
        values = self._list_values(node)
        if node.operator in ("has_any", "has_all"):
            text = self._text(left, node.left.span)
            hits = tuple(plan.Match("has", False, False, text, self._text(value, node.span)) for value in values)
            return (
                plan.Logic("or" if node.operator == "has_any" else "and", hits) if hits else plan.Constant(BOOL, node.operator == "has_all")
            )
        if left.type is DYNAMIC:
            left = self._as_type_of(left, values, node)
        values = [_as_number(value, left.type) for value in values]
        for value in values:
            if value.type is not left.type and not {value.type, left.type} <= NUMBERS:
                raise WrongType(
                    f"cannot look for {value.type} among {left.type}", span=node.span, hint=f"use {_HINTS.get(left.type, 'a cast')}"
                )
        if left.type is not STRING and not is_case_sensitive:
            raise WrongType(f"{node.operator} works on strings, and this is {left.type}", span=node.left.span)
        return plan.InValues(left, tuple(values), is_negated, is_case_sensitive)

    def _as_type_of(self, left: plan.Expr, values: list[plan.Expr], node: syntax.InList) -> plan.Expr:
        kind = values[0].type if values else STRING
        if kind not in (STRING, BOOL) and kind not in NUMBERS:
            raise WrongType(f"cannot look for dynamic among {kind}", span=node.span, hint=f"use {_HINTS.get(kind, 'a cast')}")
        return plan.Apply(self.strictly(kind), (left,), REAL if kind in NUMBERS else kind)

    def _rows(self, items: tuple[syntax.Argument, ...]) -> plan.Relation | None:
        """The pipeline that `in (...)` holds, where it holds one."""
        if len(items) != 1:
            return None
        return self.rows_of(items[0])

    def _in_rows(self, node: syntax.InList, left: plan.Expr, rows: plan.Relation) -> plan.Expr:
        if node.operator.startswith("has_"):
            raise Unsupported(f"{node.operator} over the rows of a query", node.span, "use join, or name the values")
        first = next(column for column in rows.columns if not column.is_hidden)
        if left.type is DYNAMIC and first.type is STRING:
            left = plan.Convert(left, STRING)
        if first.type is not left.type and not {first.type, left.type} <= NUMBERS:
            raise WrongType(f"cannot look for {left.type} among {first.type}", span=node.span)
        outputs = (plan.Output(first, plan.ColumnRef(first)),)
        narrowed = plan.Select(rows, outputs, (first,))
        is_exact = not node.operator.endswith("~")
        return plan.InRows(left, narrowed, node.operator.startswith("!"), is_exact)

    def _list_values(self, node: syntax.InList) -> list[plan.Expr]:
        bound = [(self.bind(item), item.span) for item in node.items]
        values: list[plan.Expr] = []
        for value, span in bound:
            if value.type is not DYNAMIC:
                values.append(value)
            elif isinstance(value, plan.Constant):
                values += _constants_of(value)
            else:
                raise Unsupported(f"{node.operator} over a list that is computed for each row", span)
        return values


def _as_number(value: plan.Expr, other: KqlType) -> plan.Expr:
    """`EventID == "4625"` can mean one thing only, where the text is the one way to write that number."""
    if other in WHOLE and value.type is STRING and isinstance(value, plan.Constant):
        text = str(value.value)
        if text.isascii() and text.isdecimal() and str(int(text)) == text and int(text) < 1 << 31:
            return plan.Constant(LONG, int(text))
    return value


def _way(left: plan.Expr, right: plan.Expr) -> str:
    """How to bring two sides together: write the literal as what the other side is, or convert."""
    for literal, other in ((right, left), (left, right)):
        if isinstance(literal, plan.Constant) and literal.value is not None and other.type is STRING:
            return f'write "{literal.value}"'
        if isinstance(literal, plan.Constant) and other.type is BOOL:
            return "write true or false"
    return f"use {_HINTS.get(right.type if left.type in NUMBERS else left.type, 'a cast')}"


def _constants_of(value: plan.Constant) -> list[plan.Expr]:
    """The items of a constant dynamic list; a scalar is a list of itself."""
    loaded = json.loads(str(value.value)) if value.value is not None else []
    kinds = {bool: BOOL, int: LONG, float: REAL, str: STRING}
    items = loaded if isinstance(loaded, list) else [loaded]
    return [plan.Constant(kinds[type(item)], item) for item in items if type(item) in kinds]
