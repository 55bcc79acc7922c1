"""Reads the strings of a definition: `@@literal`, `@triggerBody()?['Severity']`, `Alert on @{triggerBody()['host']}`.

postfix := primary ( `.name` | `?.name` | `[expr]` | `?[expr]` )*, primary := `'text'` | number | true | false | null | name(args).
The same reader serves the bracketed expressions of ARM templates, whose function names may hold dots.
"""

import re
from functools import lru_cache

from guardship.errors import Span
from guardship.playbooks.expressions.syntax import Access, Call, ExpressionSyntax, Literal, Mixed, Node, Template, Whole
from guardship.playbooks.expressions.values import LEAST_INT, MOST_INT

MOST_CHARACTERS = 8192
MOST_DEPTH = 100

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*(?=[\w.]*\())*")
_PROPERTY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_AFTER_NUMBER = re.compile(r"[\w.]")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


@lru_cache(maxsize=32768)
def parse_template(text: str) -> Template:
    """A string of a definition; raises `ExpressionSyntax` with the place in the string."""
    if "@" not in text:
        return text
    if text.startswith("@@"):
        return text[1:]
    if text.startswith("@") and len(text) > 1 and text[1] != "{":
        return Whole(parse_expression(text, 1))
    return _parse_mixed(text)


def parse_expression(text: str, start: int = 0, *, is_arm: bool = False) -> Node:
    """One expression that fills the text from `start` to its end."""
    reader = _Reader(text, start, is_arm=is_arm)
    node = reader.expression()
    reader.skip_space()
    if reader.position != len(text):
        raise reader.error("the expression ends here, but more text follows", reader.position)
    reader.check_length(start)
    return node


def _parse_mixed(text: str) -> Template:
    parts: list[str | Node] = []
    literal = ""
    position = 0
    while (found := text.find("@{", position)) >= 0:
        if found > position and text[found - 1] == "@":  # `@@{` is a literal `@{`
            literal += text[position : found - 1] + "@{"
            position = found + 2
            continue
        literal += text[position:found]
        if literal:
            parts.append(literal)
            literal = ""
        reader = _Reader(text, found + 2, is_arm=False)
        parts.append(reader.expression())
        reader.skip_space()
        if text[reader.position : reader.position + 1] != "}":
            raise reader.error("the interpolation is not closed with `}` here", reader.position)
        reader.check_length(found + 2)
        position = reader.position + 1
    literal += text[position:]
    if not parts:
        return literal
    if literal:
        parts.append(literal)
    return Mixed(tuple(parts))


class _Reader:
    def __init__(self, text: str, position: int, *, is_arm: bool) -> None:
        self.text = text
        self.position = position
        self._depth = 0
        self._is_arm = is_arm

    def error(self, message: str, start: int, end: int | None = None, *, hint: str | None = None) -> ExpressionSyntax:
        stop = min(len(self.text), start + 1) if end is None else end
        return ExpressionSyntax(message, span=Span.of(self.text, start, stop), hint=hint)

    def skip_space(self) -> None:
        match = _SPACE.match(self.text, self.position)
        if match is not None:
            self.position = match.end()

    def check_length(self, start: int) -> None:
        if self.position - start > MOST_CHARACTERS and not self._is_arm:
            raise self.error(f"an expression may have {MOST_CHARACTERS} characters, this one has {self.position - start}", start)

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self.error(f"expressions may nest {MOST_DEPTH} deep", self.position)
        self.skip_space()
        start = self.position
        node = self._primary()
        while True:
            self.skip_space()
            mark = self.position
            optional = self.text.startswith("?", mark)
            sign = self.text[mark + optional : mark + optional + 1]
            if sign == ".":
                self.position = mark + optional + 1
                node = self._property(node, start, is_optional=optional)
            elif sign == "[":
                self.position = mark + optional + 1
                node = self._index(node, start, is_optional=optional)
            elif optional:
                raise self.error("`?` must be followed by `.` or `[`", mark)
            else:
                break
        self._depth -= 1
        return node

    def _property(self, target: Node, start: int, *, is_optional: bool) -> Node:
        self.skip_space()
        match = _PROPERTY.match(self.text, self.position)
        if match is None:
            raise self.error("a property name is missing after `.`", self.position)
        key = Literal(match.group(), match.start(), match.end())
        self.position = match.end()
        return Access(target, key, is_optional, start, self.position)

    def _index(self, target: Node, start: int, *, is_optional: bool) -> Node:
        key = self.expression()
        self.skip_space()
        if not self.text.startswith("]", self.position):
            raise self.error("`]` is missing here", self.position)
        self.position += 1
        return Access(target, key, is_optional, start, self.position)

    def _primary(self) -> Node:
        start = self.position
        sign = self.text[start : start + 1]
        if sign == "'":
            return self._text(start)
        if sign and (sign in "+-." or sign.isdigit()):
            return self._number(start)
        match = (_DOTTED if self._is_arm else _NAME).match(self.text, start)
        if match is None:
            hint = "texts stand in single quotes" if sign == '"' else None
            raise self.error(
                "an expression is missing here" if sign in ("", ")", "}", "]", ",") else f"`{sign}` is not expected here", start, hint=hint
            )
        self.position = match.end()
        self.skip_space()
        if self.text.startswith("(", self.position):
            self.position += 1
            return Call(match.group(), self._arguments(), start, self.position)
        word = match.group().lower()
        if word in _WORDS:
            self.position = match.end()
            return Literal(_WORDS[word], start, match.end())
        raise self.error(
            f"`{match.group()}` is neither a call nor a value", start, match.end(), hint=f"write '{match.group()}' for the text"
        )

    def _arguments(self) -> tuple[Node, ...]:
        self.skip_space()
        if self.text.startswith(")", self.position):
            self.position += 1
            return ()
        arguments: list[Node] = []
        while True:
            arguments.append(self.expression())
            self.skip_space()
            sign = self.text[self.position : self.position + 1]
            self.position += 1
            if sign == ")":
                return tuple(arguments)
            if sign != ",":
                self.position -= 1
                raise self.error("`,` or `)` is missing here", self.position)

    def _text(self, start: int) -> Node:
        match = _TEXT.match(self.text, start)
        if match is None:
            raise self.error("the text that begins here is not closed with `'`", start)
        self.position = match.end()
        return Literal(match.group(1).replace("''", "'"), start, self.position)

    def _number(self, start: int) -> Node:
        match = _NUMBER.match(self.text, start)
        if match is None or _AFTER_NUMBER.match(self.text, match.end()):
            raise self.error("this is not a number", start)
        self.position = match.end()
        figures = match.group()
        if figures.lstrip("+-").isdigit():
            number = int(figures)
            if not LEAST_INT <= number <= MOST_INT:
                raise self.error(f"{figures} does not fit 64 bits", start, match.end())
            return Literal(number, start, match.end())
        return Literal(float(figures), start, match.end())
