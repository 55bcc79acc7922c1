"""Calls: arguments against the parameters an entry of the function table states, and the few functions that need the whole query."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable

from guardship.errors import Span, counted
from guardship.workspace.kql import plan, syntax
from guardship.workspace.kql.errors import QueryError, UnknownFunction, Unsupported, WrongArguments, WrongType, nearest
from guardship.workspace.kql.fold import folded
from guardship.workspace.kql.functions.entry import Aggregate, Function
from guardship.workspace.kql.functions.strict import STRICT
from guardship.workspace.kql.functions.table import AGGREGATES, FUNCTIONS, INSTEAD, SPECIAL
from guardship.workspace.kql.functions.times import is_known_form
from guardship.workspace.kql.scope import Scope, TableLet
from guardship.workspace.kql.types import (
    BOOL,
    DATETIME,
    DYNAMIC,
    GUID,
    INT,
    LONG,
    NUMBERS,
    REAL,
    STRING,
    TIMESPAN,
    WHOLE,
    KqlType,
    common,
    type_named,
    widest,
)

_LOOK_AROUND = re.compile(r"\(\?(?:[=!]|<[=!])|\\[1-9]")

_GROUP = re.compile(r"(?<!\\)(?:\\\\)*\((?!\?)")


class CallBinder(ABC):
    """The half of the expression binder that deals with calls; `aggregate` is set while summarize binds its items."""

    def __init__(
        self,
        scope: Scope,
        *,
        on_aggregate: "Callable[[syntax.Call, Aggregate], plan.Expr] | None" = None,
        on_column: "Callable[[plan.Column, Span], None] | None" = None,
    ) -> None:
        self.scope = scope
        self._on_aggregate = on_aggregate
        self._on_column = on_column

    @abstractmethod
    def bind(self, expression: syntax.Argument) -> plan.Expr: ...

    @abstractmethod
    def predicate(self, expression: syntax.Expression) -> plan.Expr: ...

    def check_column(self, column: plan.Column, span: Span) -> None:
        if self._on_column:
            self._on_column(column, span)

    @staticmethod
    def function(name: str) -> Function:
        return FUNCTIONS[name]

    @staticmethod
    def dynamic_of() -> Function:
        return STRICT["to_dynamic"]

    @staticmethod
    def strictly(kind: KqlType) -> Function:
        """A dynamic as this type only where it holds one: the text "5" is not the number 5."""
        return STRICT["number" if kind in NUMBERS else kind.value]

    def call(self, node: syntax.Call) -> plan.Expr:
        if node.name in SPECIAL:
            return self._special(node)
        if node.name in AGGREGATES and (self._on_aggregate or node.name not in FUNCTIONS):
            if self._on_aggregate is None:
                raise QueryError(f"{node.name} aggregates rows and stands only in summarize", span=node.name_span)
            return self._on_aggregate(node, AGGREGATES[node.name])
        function = FUNCTIONS.get(node.name)
        if function is None:
            raise _unknown(node)
        arguments = self.arguments(node, function.parameters)
        for position in function.constants:
            if position < len(arguments) and not isinstance(arguments[position], plan.Constant):
                raise WrongArguments(f"argument {position + 1} of {node.name} must be a constant", span=node.arguments[position].span)
        for position in function.patterns:
            check_pattern(arguments[position], node.arguments[position].span)
        if function.returns == "bin":
            _check_bin(node, arguments[0].type, arguments[1].type)
        return plan.Apply(function, arguments, result_type(function.returns, arguments))

    def arguments(self, node: syntax.Call, parameters: str) -> tuple[plan.Expr, ...]:
        """The arguments, bound and converted to what the parameters say."""
        words = _spread(parameters, len(node.arguments))
        if words is None:
            raise WrongArguments(f"{node.name} takes {_described(parameters)}, not {len(node.arguments)}", span=node.span)
        bound = [self.bind(argument) for argument in node.arguments]
        fitted = [_fit(value, word, argument.span, node.name) for value, word, argument in zip(bound, words, node.arguments, strict=True)]
        return tuple(_share_type(fitted, words, node))

    def _special(self, node: syntax.Call) -> plan.Expr:
        match node.name:
            case "now" | "ago":
                return self._moment(node)
            case "ingestion_time":
                column = self.scope.find("_TimeReceived")
                return plan.ColumnRef(column) if column else plan.Constant(DATETIME, None)
            case "column_ifexists":
                return self._column_if_exists(node)
            case "toscalar" | "materialize":
                rows = self.rows_of(node.arguments[0]) if len(node.arguments) == 1 else None
                if rows is None and len(node.arguments) == 1 and node.name == "toscalar":
                    return self.bind(node.arguments[0])
                if rows is None or node.name == "materialize":
                    raise WrongArguments(f"{node.name} takes one query", span=node.span)
                first = next(column for column in rows.columns if not column.is_hidden)
                narrowed = plan.Select(rows, (plan.Output(first, plan.ColumnRef(first)),), (first,))
                return plan.ScalarOf(plan.Limited(narrowed, 1, (first,)), first.type)
            case _:
                return self._pack_all(node)

    def _moment(self, node: syntax.Call) -> plan.Expr:
        now = plan.Constant(DATETIME, self.scope.environment.now)
        if not node.arguments and node.name == "now":
            return now
        (span,) = self.arguments(node, "timespan")
        operator = "-" if node.name == "ago" else "+"
        return folded(operator, now, span, DATETIME) or plan.Arithmetic(operator, now, span, DATETIME)

    def _column_if_exists(self, node: syntax.Call) -> plan.Expr:
        if len(node.arguments) != 2:
            raise WrongArguments("column_ifexists takes a name and a default", span=node.span)
        name = node.arguments[0]
        if not (isinstance(name, syntax.Literal) and isinstance(name.value, str)):
            raise WrongArguments("the name of the column must be a string", span=name.span)
        column = self.scope.find(name.value)
        return plan.ColumnRef(column) if column else self.bind(node.arguments[1])

    def _pack_all(self, node: syntax.Call) -> plan.Expr:
        if node.arguments:
            raise Unsupported("pack_all with an argument", node.span)
        pairs: list[plan.Expr] = []
        for column in self.scope.visible():
            pairs += [plan.Constant(STRING, column.name), plan.ColumnRef(column)]
        return plan.Apply(FUNCTIONS["bag_pack"], tuple(pairs), DYNAMIC)

    def rows_of(self, argument: syntax.Argument) -> plan.Relation | None:
        """The rows an argument stands for, when it is a query or the name of a table."""
        environment = self.scope.environment
        if isinstance(argument, syntax.Pipeline):
            return environment.bind_pipeline(argument, environment)
        if isinstance(argument, syntax.Call) and argument.name == "materialize" and len(argument.arguments) == 1:
            return self.rows_of(argument.arguments[0])
        if not isinstance(argument, syntax.Name) or self.scope.find(argument.name):
            return None
        let = environment.lets.get(argument.name)
        if isinstance(let, TableLet) or (let is None and argument.name in environment.schema):
            return environment.bind_pipeline(syntax.Pipeline(argument, (), argument.span), environment)
        return None


def check_pattern(pattern: plan.Expr, span: Span) -> None:
    """RE2 has no look-around and no back references; Kusto's engine is RE2 too."""
    if isinstance(pattern, plan.Constant) and _LOOK_AROUND.search(str(pattern.value)):
        raise Unsupported("look-around or a back reference in a regular expression", span, "write the pattern without it")


def result_type(returns: str, arguments: tuple[plan.Expr, ...]) -> KqlType:
    match returns:
        case "first":
            return arguments[0].type
        case "same":
            return arguments[-1].type
        case "bin":
            return _bin_type(arguments[0].type, arguments[1].type)
        case "promoted":
            return LONG if arguments[0].type is INT else arguments[0].type
        case "avg":
            return TIMESPAN if arguments[0].type is TIMESPAN else REAL
        case _:
            return KqlType(returns)


def _check_bin(node: syntax.Call, value: KqlType, size: KqlType) -> None:
    if {value, size} <= NUMBERS or (value in (DATETIME, TIMESPAN) and size is TIMESPAN):
        return
    hint = "such as bin(TimeGenerated, 1h)" if value is DATETIME else None
    raise WrongType(f"{node.name} cannot cut {value} by {size}", span=node.span, hint=hint)


def _bin_type(value: KqlType, size: KqlType) -> KqlType:
    return widest(value, size) if value in NUMBERS and size in NUMBERS else value


def _unknown(node: syntax.Call) -> QueryError:
    if node.name in INSTEAD:
        return Unsupported(f"the function {node.name}", node.name_span, f"use {INSTEAD[node.name]}")
    return UnknownFunction(node.name, node.name_span, nearest(node.name, [*FUNCTIONS, *AGGREGATES, *SPECIAL]))


def _spread(parameters: str, count: int) -> list[str] | None:
    """One word for each argument, or None when the count does not fit."""
    if parameters == "case":
        return ["bool", "same"] * (count // 2) + ["same"] if count >= 3 and count % 2 else None
    if parameters == "pairs":
        return ["text", "any"] * (count // 2) if count and count % 2 == 0 else None
    words = parameters.split()
    needed = [word for word in words if word[-1] not in "?*"]
    if count < len(needed):
        return None
    result: list[str] = []
    for word in words:
        if word.endswith("*"):
            result += [word[:-1]] * (count - len(result))
        elif len(result) < count:
            result.append(word.rstrip("?"))
    return result if len(result) == count else None


def _described(parameters: str) -> str:
    words = parameters.split()
    if parameters in ("case", "pairs"):
        return "conditions and values in pairs, then a default" if parameters == "case" else "names and values in pairs"
    least = sum(1 for word in words if word[-1] not in "?*")
    if any(word.endswith("*") for word in words):
        return f"{counted(least, 'argument')} or more"
    return counted(least, "argument") if least == len(words) else f"{least} to {len(words)} arguments"


def _fit(value: plan.Expr, word: str, span: Span, name: str) -> plan.Expr:
    """The value as the parameter wants it, or an error that says how to get there."""
    if word in ("any", "same"):
        return value
    if word in ("ordered", "flat", "orderable"):
        refused = (DYNAMIC,) if word == "flat" else (DYNAMIC, GUID)
        if value.type in refused:
            raise WrongType(f"{name} cannot compare values of {value.type}", span=span, hint="use tostring() or tolong()")
        return value
    if word.startswith("part:"):
        return _checked_part(value, word.removeprefix("part:").split(","), span)
    if word == "form":
        if isinstance(value, plan.Constant) and not is_known_form(str(value.value)):
            raise Unsupported(f"the format {value.value!r}", span, "use yyyy yy MM M dd d HH H hh h mm m ss s fff ffffff tt")
        return value
    if word == "one_group":
        if not isinstance(value, plan.Constant) or len(_GROUP.findall(str(value.value))) != 1:
            raise Unsupported("a pattern with other than one capture group", span, "write one group: extract_all('([a-z]+)', text)")
        return value
    if word == "text":
        return value if value.type is STRING else plan.Convert(value, STRING)
    wanted = [kind for part in word.split("|") for kind in _KINDS.get(part, (type_named(part),)) if kind]
    if value.type in wanted:
        return value
    if value.type in WHOLE and LONG in wanted:
        return plan.Convert(value, LONG)
    if value.type in NUMBERS and REAL in wanted:
        return plan.Convert(value, REAL)
    if value.type is DYNAMIC and wanted in ([STRING], [BOOL]):
        return plan.Convert(value, wanted[0])
    raise WrongType(f"{name} wants {word.replace('|', ' or ')} here, and this is {value.type}", span=span, hint=_way(wanted, name))


_KINDS: dict[str, tuple[KqlType, ...]] = {"number": (INT, LONG, REAL)}


def _way(wanted: list[KqlType], called: str) -> str | None:
    names = {
        STRING: "tostring()",
        LONG: "tolong()",
        REAL: "todouble()",
        DATETIME: "todatetime()",
        TIMESPAN: "totimespan()",
        DYNAMIC: "parse_json()",
    }
    if len(wanted) > 3:  # it takes nearly everything already
        return None
    return next((f"use {names[kind]}" for kind in wanted if kind in names and names[kind] != f"{called}()"), None)


def _checked_part(value: plan.Expr, known: list[str], span: Span) -> plan.Expr:
    word = str(value.value) if isinstance(value, plan.Constant) else ""
    lowered = word.lower()
    if lowered not in known:
        raise WrongArguments(f"{word!r} is no part of a date", span=span, hint=f"one of {', '.join(known)}")
    return plan.Constant(STRING, lowered)


def _share_type(values: list[plan.Expr], words: list[str], node: syntax.Call) -> list[plan.Expr]:
    """Arguments marked `same` are brought to their common type."""
    places = [position for position, word in enumerate(words) if word in ("same", "ordered")]
    if len(places) < 2:
        return values
    types = [values[position].type for position in places if not is_null_constant(values[position])] or [values[places[0]].type]
    kind = common(types)
    if kind is None and DYNAMIC in types and node.name != "coalesce":
        kind = common([each for each in types if each is not DYNAMIC])
    if kind is None:
        shown = " and ".join(dict.fromkeys(types))
        raise WrongType(f"{node.name} cannot mix {shown}", span=node.span, hint="convert them to one type, such as with tostring()")
    for position in places:
        value = values[position]
        if value.type is not kind:
            values[position] = plan.Convert(value, kind)
    return values


def is_null_constant(value: plan.Expr) -> bool:
    return isinstance(value, plan.Constant) and value.value is None
