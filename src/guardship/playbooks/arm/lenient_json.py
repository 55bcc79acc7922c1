"""JSON as people keep it: with a byte order mark, comments and trailing commas; and where a path lies in such a text.

What is not JSON is blanked out in place, so that every offset still means the text the user wrote.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from guardship.errors import Span, TextError
from guardship.playbooks.definition import Path

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
MOST_CHARACTERS = 32 * 1024 * 1024


class JsonSyntax(TextError):
    code = "playbooks.json_syntax"


def decode(document: str | bytes) -> str:
    """The text without its byte order mark."""
    if isinstance(document, str):
        return document.removeprefix("\ufeff")
    encoding = "utf-16" if document[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return document.decode(encoding)
    except UnicodeDecodeError as error:
        raise JsonSyntax(f"the text is not {encoding}: byte {error.start} does not fit") from error


def clean(text: str) -> str:
    """The text with comments and trailing commas blanked out, no character moved."""
    without = _TOKEN.sub(lambda match: match.group() if match.group()[0] == '"' else re.sub(r"[^\n]", " ", match.group()), text)
    return _TRAILING.sub(lambda match: match.group() if match.group()[0] == '"' else " ", without)


def parse(text: str) -> Any:
    if len(text) > MOST_CHARACTERS:
        raise JsonSyntax(f"the text has {len(text)} characters, more than {MOST_CHARACTERS}")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(clean(text), strict=False)
    except json.JSONDecodeError as error:
        raise JsonSyntax(f"this is not JSON: {error.msg}", span=Span.of(text, error.pos, error.pos + 1)) from error
    except RecursionError as error:
        raise JsonSyntax("this JSON is nested too deep") from error


class Places:
    """Where everything in a text lies: one pass over it, then every path is a few look-ups."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._root = _Reader(clean(text)).value()

    def locate(self, path: Path, start: int = 0, end: int = 0) -> Span:
        """The span of the value at `path`, or of the nearest thing round it; `start` and `end` are offsets inside a string value."""
        here = self._root
        for step in path:
            found = here.inside.get(step)
            if found is None and isinstance(step, str):
                found = next(
                    (place for name, place in here.inside.items() if isinstance(name, str) and name.casefold() == step.casefold()), None
                )
            if found is None:
                return Span.of(self._text, here.position, here.position + 1)
            here = found
        match = _STRING.match(self._text, here.position)
        if match is None:
            return Span.of(self._text, here.position, here.position + 1)
        if end <= start:
            return Span.of(self._text, match.start(), match.end())
        raw = match.group(1)
        return Span.of(self._text, match.start(1) + _raw_offset(raw, start), match.start(1) + _raw_offset(raw, end))


@dataclass(slots=True)
class _Place:
    position: int
    inside: dict[str | int, "_Place"] = field(default_factory=dict)


class _Reader:
    """A walk over text that is JSON already; what is not is left where it stops."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [(match.start(), match.group()) for match in _PIECE.finditer(text)]
        self._next = 0

    def _take(self) -> tuple[int, str]:
        if self._next >= len(self._tokens):
            return len(self._text), ""
        self._next += 1
        return self._tokens[self._next - 1]

    def value(self) -> _Place:
        position, token = self._take()
        place = _Place(position)
        if token == "{":
            while (found := self._take())[1].startswith('"'):
                self._take()  # the colon
                place.inside[json.loads(found[1], strict=False)] = self.value()  # the last of a name wins
                if self._take()[1] != ",":
                    break
        elif token == "[":
            while self._next < len(self._tokens) and self._tokens[self._next][1] != "]":
                place.inside[len(place.inside)] = self.value()
                if self._take()[1] != ",":
                    return place
            self._take()
        return place


def _raw_offset(raw: str, offset: int) -> int:
    """Where the character number `offset` of the string's value stands in its written form."""
    position = 0
    for _ in range(offset):
        match = _ESCAPE.match(raw, position)
        position = match.end() if match else position + 1
    return min(position, len(raw))
