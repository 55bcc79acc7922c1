"""Statements and pipelines: `parse` turns the text of a query into its syntax tree, or raises naming the place."""

from guardship.errors import counted
from guardship.workspace.kql import syntax
from guardship.workspace.kql.errors import BrokenSyntax, QueryError, TooLarge, Unsupported
from guardship.workspace.kql.parse_expressions import as_source
from guardship.workspace.kql.parse_operators import OTHERS, OperatorParser
from guardship.workspace.kql.tokens import TokenKind

MOST_PROBLEMS = 10

_SOURCES = frozenset({"datatable", "union"})
_HEADS = frozenset({"search", "find", "externaldata", "evaluate"})


def parse(text: str) -> syntax.Query:
    return _Parser(text).query()


def problems(text: str) -> list[QueryError]:
    """Every syntax error an editor can show: after one, reading goes on behind the next `|` or `;` that stands outside brackets."""
    found: list[QueryError] = []
    blanked = text
    while len(found) < MOST_PROBLEMS:
        try:
            parse(blanked)
        except RecursionError:
            return [*found, TooLarge("it is nested too deeply")]
        except QueryError as error:
            if found and found[-1].span == error.span:
                break
            found.append(error)
            blanked = _without_piece(blanked, error.span.start if error.span else 0)
        else:
            break
        if not blanked.strip():
            break
    return found


def _without_piece(text: str, at: int) -> str:
    """The text with the operator around `at` blanked out, every other place unmoved."""
    start = max(text.rfind("|", 0, at), text.rfind(";", 0, at) + 1)
    ends = [position for mark in "|;" if (position := text.find(mark, at)) >= 0]
    end = min(ends) if ends else len(text)
    if text[start : start + 1] != "|" and text[end : end + 1] != ";":
        return ""  # without its table the rest of a query says nothing
    return text[:start] + "".join("\n" if c == "\n" else " " for c in text[start:end]) + text[end:]


class _Parser(OperatorParser):
    def query(self) -> syntax.Query:
        lets: list[syntax.Let] = []
        parameters: list[syntax.DeclaredParameter] = []
        body: syntax.Pipeline | None = None
        while not self.cursor.at_end():
            if self.cursor.accept(";"):
                continue
            if body is not None:
                raise self.cursor.unexpected("the end of the query")
            if self.cursor.at("let"):
                lets.append(self._let())
            elif self.cursor.at("declare"):
                parameters.extend(self._declared())
            else:
                body = self.pipeline()
            if not self.cursor.at_end():
                self.cursor.expect(";", "or | and an operator")
        if body is None:
            raise self.cursor.unexpected("a table")
        return syntax.Query(tuple(parameters), tuple(lets), body, self.cursor.places.span(0, len(self.cursor.text)))

    def _let(self) -> syntax.Let:
        start = self.cursor.take().start
        name = self.cursor.expect_name("a name after let")
        self.cursor.expect("=", "after the name")
        if self._is_function():
            raise Unsupported("a function of your own", self.cursor.span_of(name), "write its body where it is used")
        value: syntax.Expression | syntax.Pipeline
        if self.begins_pipeline():
            value = self.pipeline()
        else:
            at = self.cursor.token.start
            value = self.expression()
            if self.cursor.at("|"):
                value = self.pipeline_from(as_source(value, self.cursor.span_of(self.cursor.token)), at)
        return syntax.Let(name.text, value, self.cursor.span_from(start))

    def _is_function(self) -> bool:
        if self.cursor.at("view"):
            return True
        if not self.cursor.at("("):
            return False
        depth, count = 1, 1
        while depth and self.cursor.ahead(count).kind is not TokenKind.END:
            depth += {"(": 1, ")": -1}.get(self.cursor.ahead(count).text, 0)
            count += 1
        return self.cursor.ahead(count).text == "{"

    def _declared(self) -> list[syntax.DeclaredParameter]:
        self.cursor.take()
        self.cursor.expect("query_parameters", "after declare")
        self.cursor.expect("(")
        found: list[syntax.DeclaredParameter] = []
        while not self.cursor.at(")"):
            name = self.cursor.expect_name("the name of a parameter")
            self.cursor.expect(":", "before its type")
            kind = self.type_name()
            default = None
            if self.cursor.accept("="):
                value = self.expression()
                if not isinstance(value, syntax.Literal):
                    raise BrokenSyntax("a parameter's default is a literal", span=value.span)
                default = value
            found.append(syntax.DeclaredParameter(name.text, kind, default, self.cursor.span_from(name.start)))
            if not self.cursor.accept(",") and not self.cursor.at(")"):
                raise self.cursor.unexpected(", or )")
        self.cursor.take()
        return found

    def begins_pipeline(self) -> bool:
        token, following = self.cursor.token, self.cursor.ahead()
        if token.kind is not TokenKind.NAME:
            return token.text == "(" and token.kind is TokenKind.MARK and self._holds_pipeline()
        if token.text == "print":
            return not (following.kind is TokenKind.MARK and following.text in ("|", ";", ")", ",", "="))
        if token.text in _SOURCES:
            return following.kind is not TokenKind.MARK or following.text == "("
        if token.text in _HEADS:
            return following.kind in (TokenKind.NAME, TokenKind.STRING) or following.text in ("(", "*")
        return token.text == "range" and following.kind is TokenKind.NAME

    def _holds_pipeline(self) -> bool:
        """Whether the bracket here holds a `|`, or a table right away."""
        depth, count = 1, 1
        while depth and self.cursor.ahead(count).kind is not TokenKind.END:
            token = self.cursor.ahead(count)
            if token.kind is TokenKind.MARK:
                depth += {"(": 1, ")": -1}.get(token.text, 0)
                if token.text == "|" and depth == 1:
                    return True
            count += 1
        return False

    def pipeline(self) -> syntax.Pipeline:
        start = self.cursor.token.start
        return self.pipeline_from(self._source(), start)

    def pipeline_from(self, source: syntax.Source, start: int) -> syntax.Pipeline:
        operators: list[syntax.Operator] = []
        while self.cursor.accept("|"):
            operators.append(self.operator())
        return syntax.Pipeline(source, tuple(operators), self.cursor.span_from(start))

    def _source(self) -> syntax.Source:
        token = self.cursor.token
        if self.cursor.accept("("):
            inner = self.pipeline()
            self.cursor.expect(")")
            return inner
        if self.begins_pipeline():
            return self._head()
        if token.kind is not TokenKind.NAME and not self.cursor.at("["):
            raise self.cursor.unexpected("a table")
        expression = self.expression()
        if not isinstance(expression, syntax.Name | syntax.Call):
            raise BrokenSyntax("a query begins with a table", span=expression.span)
        return expression

    def _head(self) -> syntax.Source:
        word = self.cursor.take()
        match word.text:
            case "datatable":
                return self._datatable(word.start)
            case "print":
                items = self.items()
                return syntax.Print(items, self.cursor.span_from(word.start))
            case "union":
                return self.union(word)
            case "range":
                return self._range(word.start)
            case _:
                raise Unsupported(f"the operator {word.text}", self.cursor.span_of(word), OTHERS.get(word.text))

    def _datatable(self, start: int) -> syntax.DataTable:
        self.cursor.expect("(", "after datatable")
        columns = []
        while not self.cursor.accept(")"):
            name = self.cursor.expect_name("the name of a column")
            self.cursor.expect(":", "before its type")
            columns.append((syntax.Name(name.text, self.cursor.span_of(name)), self.type_name()))
            if not self.cursor.accept(",") and not self.cursor.at(")"):
                raise self.cursor.unexpected(", or )")
        self.cursor.expect("[", "before the values")
        cells: list[syntax.Expression] = []
        while not self.cursor.at("]"):
            cells.append(self.expression())
            if not self.cursor.accept(",") and not self.cursor.at("]"):
                raise self.cursor.unexpected(", or ]")
        closing = self.cursor.take()
        if not columns or len(cells) % len(columns):
            told = f"{counted(len(cells), 'value')} cannot fill rows of {counted(len(columns), 'column')}"
            raise BrokenSyntax(told, span=self.cursor.places.span(start, closing.end))
        return syntax.DataTable(tuple(columns), tuple(cells), self.cursor.span_from(start))

    def _range(self, start: int) -> syntax.Range:
        name = self.cursor.expect_name("the name of the column").text
        self.cursor.expect("from", "after the name")
        first = self.expression()
        self.cursor.expect("to", "after the first value")
        last = self.expression()
        self.cursor.expect("step", "after the last value")
        step = self.expression()
        return syntax.Range(name, first, last, step, self.cursor.span_from(start))
