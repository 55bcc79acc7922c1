"""Expressions by precedence climbing, low to high: or; and; comparisons, string operators, in, between; + -; * / %; minus; . [] ()."""

from abc import ABC, abstractmethod

from guardship.errors import Span
from guardship.workspace.kql import syntax
from guardship.workspace.kql.cursor import Cursor
from guardship.workspace.kql.errors import BrokenSyntax, Unsupported
from guardship.workspace.kql.literals import literal_value
from guardship.workspace.kql.tokens import TokenKind
from guardship.workspace.kql.types import BOOL, LONG, REAL, STRING, TIMESPAN

STRING_OPERATORS = frozenset(
    f"{name}{suffix}" for name in ("has", "hasprefix", "hassuffix", "contains", "startswith", "endswith") for suffix in ("", "_cs")
)
_COMPARISONS = frozenset({"==", "!=", "<>", "<", "<=", ">", ">=", "=~", "!~", ":"})
_LISTS = frozenset({"in", "!in", "in~", "!in~", "has_any", "has_all"})
_LITERALS = frozenset({TokenKind.LONG, TokenKind.REAL, TokenKind.TIMESPAN, TokenKind.TYPED, TokenKind.DYNAMIC})


class ExpressionParser(ABC):
    def __init__(self, text: str) -> None:
        self.cursor = Cursor(text)

    @abstractmethod
    def pipeline(self) -> syntax.Pipeline: ...

    @abstractmethod
    def pipeline_from(self, source: syntax.Source, start: int) -> syntax.Pipeline: ...

    @abstractmethod
    def begins_pipeline(self) -> bool: ...

    def expression(self) -> syntax.Expression:
        left = self._both()
        while self.cursor.accept("or"):
            left = self._binary("or", left, self._both())
        return left

    def _both(self) -> syntax.Expression:
        left = self._comparison()
        while self.cursor.accept("and"):
            left = self._binary("and", left, self._comparison())
        return left

    def _binary(self, operator: str, left: syntax.Expression, right: syntax.Expression) -> syntax.Binary:
        return syntax.Binary(operator, left, right, self.cursor.places.span(left.span.start, right.span.end))

    def _comparison(self) -> syntax.Expression:
        left = self._sum()
        token = self.cursor.token
        if token.kind not in (TokenKind.NAME, TokenKind.MARK):
            return left
        plain = token.text.removeprefix("!")
        if token.text in _COMPARISONS:
            self.cursor.take()
            operator = {"<>": "!=", ":": "has"}.get(token.text, token.text)
            return self._binary(operator, left, self._sum())
        if plain in STRING_OPERATORS:
            self.cursor.take()
            return self._binary(token.text, left, self._sum())
        if token.text == "matches":
            self.cursor.take()
            self.cursor.expect("regex", "after matches")
            return self._binary("matches regex", left, self._sum())
        if token.text in _LISTS:
            self.cursor.take()
            items = self._list_items(token.text)
            return syntax.InList(token.text, left, items, self.cursor.span_from(left.span.start))
        if plain == "between":
            return self._between(left, is_negated=token.text.startswith("!"))
        return left

    def _list_items(self, operator: str) -> tuple[syntax.Argument, ...]:
        if self.cursor.at("("):
            self.cursor.take()
            return self._arguments()
        if operator.startswith("has_"):
            return (self._sum(),)
        raise self.cursor.unexpected(f"a list in brackets after {operator}")

    def _between(self, operand: syntax.Expression, *, is_negated: bool) -> syntax.Expression:
        self.cursor.take()
        self.cursor.expect("(", "after between")
        low = self._sum()
        self.cursor.expect("..", "between the two ends")
        high = self._sum()
        self.cursor.expect(")")
        return syntax.Between(is_negated, operand, low, high, self.cursor.span_from(operand.span.start))

    def _sum(self) -> syntax.Expression:
        left = self._product()
        while token := self.cursor.accept("+", "-"):
            left = self._binary(token.text, left, self._product())
        return left

    def _product(self) -> syntax.Expression:
        left = self._signed()
        while token := self.cursor.accept("*", "/", "%"):
            left = self._binary(token.text, left, self._signed())
        return left

    def _signed(self) -> syntax.Expression:
        token = self.cursor.token
        if self.cursor.accept("+"):
            return self._signed()
        if not self.cursor.accept("-"):
            return self._postfix()
        operand = self._signed()
        span = self.cursor.span_from(token.start)
        if isinstance(operand, syntax.Literal) and operand.type in (LONG, REAL, TIMESPAN) and isinstance(operand.value, int | float):
            return syntax.Literal(operand.type, -operand.value, span)
        return syntax.Negative(operand, span)

    def _postfix(self) -> syntax.Expression:
        start = self.cursor.token.start
        target = self._primary()
        while True:
            if self.cursor.at(".") and not self._is_call_on(target):
                self.cursor.take()
                name = self._member_name()
                target = syntax.Path(target, name, self.cursor.span_from(start))
            elif self.cursor.at("[") and not isinstance(target, syntax.Literal):
                self.cursor.take()
                index = self.expression()
                self.cursor.expect("]")
                target = syntax.Index(target, index, self.cursor.span_from(start))
            else:
                return target

    def _is_call_on(self, target: syntax.Expression) -> bool:
        following, after = self.cursor.ahead(), self.cursor.ahead(2)
        if following.kind is TokenKind.NAME and after.text == "(" and isinstance(target, syntax.Call | syntax.Name):
            raise Unsupported(f"calling {following.text} on another database or resource", self.cursor.span_of(following))
        return False

    def _member_name(self) -> str:
        if self.cursor.at("["):
            return self.cursor.expect_name("a member").text
        return self.cursor.expect_name("the name of a member").text

    def _primary(self) -> syntax.Expression:
        token = self.cursor.token
        if token.kind is TokenKind.STRING:
            return self._string()
        if token.kind in _LITERALS:
            self.cursor.take()
            span = self.cursor.span_of(token)
            kind, value = literal_value(token, span)
            return syntax.Literal(kind, value, span)
        if self.cursor.accept("("):
            inner = self.expression()
            self.cursor.expect(")")
            return inner
        if self.cursor.accept("*"):
            return syntax.Star(self.cursor.span_of(token))
        if self.cursor.at("[") or token.kind is TokenKind.NAME:
            return self._name_or_call()
        raise self.cursor.unexpected("a value")

    def _string(self) -> syntax.Literal:
        start = self.cursor.token.start
        pieces = [self.cursor.take().text]
        while self.cursor.token.kind is TokenKind.STRING:
            pieces.append(self.cursor.take().text)
        return syntax.Literal(STRING, "".join(pieces), self.cursor.span_from(start))

    def _name_or_call(self) -> syntax.Expression:
        is_bracketed = self.cursor.at("[")
        token = self.cursor.expect_name("a name")
        span = self.cursor.span_of(token)
        if not is_bracketed and token.text in ("true", "false") and not self.cursor.at("("):
            return syntax.Literal(BOOL, token.text == "true", span)
        if is_bracketed or not self.cursor.at("("):
            return syntax.Name(token.text, span)
        self.cursor.take()
        return syntax.Call(token.text, self._arguments(), self.cursor.span_from(token.start), span)

    def _arguments(self) -> tuple[syntax.Argument, ...]:
        """To the closing bracket, which is taken too."""
        arguments: list[syntax.Argument] = []
        while not self.cursor.at(")"):
            arguments.append(self._argument())
            if not self.cursor.accept(",") and not self.cursor.at(")"):
                raise self.cursor.unexpected(", or )")
        self.cursor.take()
        return tuple(arguments)

    def _argument(self) -> syntax.Argument:
        start = self.cursor.token.start
        if self.begins_pipeline():
            return self.pipeline()
        if self.cursor.at_name() and self.cursor.ahead().text == "=" and self.cursor.ahead().kind is TokenKind.MARK:
            name = self.cursor.take().text
            self.cursor.take()
            value = self.expression()
            return syntax.Named((name,), value, self.cursor.span_from(start))
        expression = self.expression()
        if self.cursor.at("|"):
            return self.pipeline_from(as_source(expression, self.cursor.span_of(self.cursor.token)), start)
        return expression


def as_source(expression: syntax.Expression, span: Span) -> syntax.Source:
    if isinstance(expression, syntax.Name | syntax.Call):
        return expression
    raise BrokenSyntax("operators follow a table, and this is none", span=span)
