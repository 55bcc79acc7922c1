"""JSON as people keep it: with a byte order mark, comments and trailing commas; and where a path lies in such a text.

What is not JSON is blanked out in place, so that every offset still means the text the user wrote.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from guardship.errors import Span, TextError
from guardship.playbooks.definition import Path
from guardship.playbooks.expressions.values import LEAST_INT, MOST_INT

_TEXT = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(rf"{_TEXT}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING = re.compile(rf"{_TEXT}|,(?=\s*[}}\]])", re.DOTALL)
_STRING = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
# A name with its colon, and its value and the comma after it where the value is plain; a value in an array; a bracket or comma.
_PIECE = re.compile(rf"({_TEXT})(?:(\s*:)(?:\s*(?:{_TEXT}|[-+.\w]+)\s*,?)?)?|[{{}}\[\],]", re.DOTALL)
_GAP = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
MOST_CHARACTERS = 32 * 1024 * 1024


class JsonSyntax(TextError):
    code = "playbooks.json_syntax"


def decode(document: str | bytes) -> str:
    """The text without its byte order mark."""
    if isinstance(document, str):
        _refuse_halves(document)
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


@dataclass(slots=True)
class Parsed:
    content: Any
    has_duplicates: bool = False  # a name stands twice in an object, where the last one counts


def parse(text: str) -> Any:
    return parse_noting(text).content


def parse_noting(text: str) -> Parsed:
    """The content, and whether something in it has been lost by a name that stands twice."""
    if len(text) > MOST_CHARACTERS:
        raise JsonSyntax(f"the text has {len(text)} characters, more than {MOST_CHARACTERS}")
    parsed = Parsed(None)

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            parsed.has_duplicates = True
        return made

    decoder = json.JSONDecoder(object_pairs_hook=object_of, parse_int=_whole, parse_constant=_refuse_constant, strict=False)
    try:
        try:
            parsed.content = decoder.decode(text)
        except ValueError:
            parsed.content = decoder.decode(clean(text))
    except json.JSONDecodeError as error:
        raise JsonSyntax(f"this is not JSON: {error.msg}", span=Span.of(text, error.pos, error.pos + 1)) from error
    except RecursionError as error:
        raise JsonSyntax("this JSON is nested too deep") from error
    if (half := _SURROGATE.search(text)) is not None:
        _refuse_halves(json.dumps(parsed.content, ensure_ascii=False), Span.of(text, half.start(), half.end()))
    return parsed


def _whole(figures: str) -> int | float:
    """What does not fit 64 bits is a double, as in .NET."""
    number = int(figures) if len(figures) <= 20 else LEAST_INT - 1
    return number if LEAST_INT <= number <= MOST_INT else float(figures)


def _refuse_halves(text: str, span: Span | None = None) -> None:
    """A half of a pair of characters cannot be kept, nor sent anywhere."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise JsonSyntax("this text holds half of a character, a lone surrogate", span=span) from error


def _refuse_constant(name: str) -> Any:
    raise JsonSyntax(f"this is not JSON: it has no {name}")


class Places:
    """Where everything in a text lies: one pass over it, then every path is a few look-ups."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._root, self._duplicates = _walk(text if _is_plain(text) else clean(text))

    def duplicates(self) -> list[tuple[Path, Span]]:
        """Names that stand in their object a second time, and where."""
        return [(path, Span.of(self._text, position, position + 1)) for path, position in self._duplicates]

    def locate(self, path: Path, start: int = 0, end: int = 0) -> Span:
        """The span of the value at `path`, or of the nearest thing round it; `start` and `end` are offsets inside a string value."""
        here: _Place | int = self._root
        for step in path:
            found = None if isinstance(here, int) else here.at(step)
            if found is None:
                position = self._begin(here)
                return Span.of(self._text, position, position + 1)
            here = found
        return self._inside(here, start, end)

    def _begin(self, place: "_Place | int") -> int:
        """The first character of a value; comments before it count as space."""
        position = place if isinstance(place, int) else place.position
        match = _GAP.match(self._text, position)
        return match.end() if match is not None else position

    def _inside(self, place: "_Place | int", start: int, end: int) -> Span:
        position = self._begin(place)
        match = _STRING.match(self._text, position)
        if match is None:
            return Span.of(self._text, position, position + 1)
        if end <= start:
            return Span.of(self._text, match.start(), match.end())
        raw = match.group(1)
        return Span.of(self._text, match.start(1) + _raw_offset(raw, start), match.start(1) + _raw_offset(raw, end))


class _Place:
    """An object or array: where it may begin, right after what stands before it, and what is in it. A plain value is its position alone."""

    __slots__ = ("inside", "position")

    def __init__(self, position: int) -> None:
        self.position = position
        self.inside: dict[str | int, _Place | int] = {}

    def at(self, step: str | int) -> "_Place | int | None":
        """By its name, in any case when it is not there as it is spelled."""
        found = self.inside.get(step)
        if found is not None or isinstance(step, int):
            return found
        folded = step.casefold()
        return next((place for name, place in self.inside.items() if isinstance(name, str) and name.casefold() == folded), None)


def _walk(text: str) -> tuple[_Place, list[tuple[Path, int]]]:
    """The places in a text that is JSON already, and the names that stand twice. Only strings and brackets are looked at."""
    here = whole = _Place(0)
    step: str | int = 0  # of the value that comes next
    inside = whole.inside = {0: 0}
    outer: list[tuple[_Place, str | int]] = []
    duplicates: list[tuple[Path, int]] = []
    for match in _PIECE.finditer(text):
        sign = text[match.start()]
        if sign == '"':
            if match[2]:
                name = match[1][1:-1]
                step = json.loads(f'"{name}"', strict=False) if "\\" in name else name
                if step in inside:
                    duplicates.append(((*[each for _, each in outer[1:]], step), match.start()))
                inside[step] = match.end(2)
        elif sign in "{[":
            outer.append((here, step))
            position = inside[step]
            inner = inside[step] = _Place(position if isinstance(position, int) else position.position)
            here, inside = inner, inner.inside
            if sign == "[":
                step = 0
                inside[0] = match.end()
        elif sign == ",":
            if isinstance(step, int):
                step += 1
                inside[step] = match.end()
        elif outer:
            here, step = outer.pop()
            inside = here.inside
    first = whole.inside[0]
    return (first if isinstance(first, _Place) else whole), duplicates


def _is_plain(text: str) -> bool:
    """Whether a text is JSON as it stands."""
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def _raw_offset(raw: str, offset: int) -> int:
    """Where the character number `offset` of the string's value stands in its written form."""
    position = 0
    for _ in range(offset):
        match = _ESCAPE.match(raw, position)
        position = match.end() if match else position + 1
    return min(position, len(raw))
