"""JSON as people keep it: with a byte order mark, comments and trailing commas; and where a path lies in such a text.

What is not JSON is blanked out in place, so that every offset still means the text the user wrote.
"""

import json
import re
from typing import Any

import orjson

from guardship.errors import Span, TextError
from guardship.playbooks.definition import Path

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)
_SPACE = re.compile(r"\s*")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SCALAR = re.compile(r"[^\s,\]}]+")
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


def locate(text: str, path: Path, start: int = 0, end: int = 0) -> Span:
    """Where the value at `path` lies, or the nearest thing round it; `start` and `end` are offsets inside a string value."""
    blank = clean(text)
    position = _after_space(blank, 0)
    for step in path:
        found = _member(blank, position, step) if blank.startswith("{", position) else _element(blank, position, step)
        if found is None:
            return Span.of(text, position, position + 1)
        position = found
    match = _STRING.match(blank, position)
    if match is None:
        return Span.of(text, position, position + 1)
    if end <= start:
        return Span.of(text, match.start(), match.end())
    return Span.of(text, match.start(1) + _raw_offset(match.group(1), start), match.start(1) + _raw_offset(match.group(1), end))


def _raw_offset(raw: str, offset: int) -> int:
    """Where the character number `offset` of the string's value stands in its written form."""
    position = 0
    for _ in range(offset):
        match = _ESCAPE.match(raw, position)
        position = match.end() if match else position + 1
    return min(position, len(raw))


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _member(text: str, position: int, name: str | int) -> int | None:
    """Where the value of a member begins; the last one of that name wins, names ignore case when none fits exactly."""
    exact = folded = None
    position = _after_space(text, position + 1)
    while (match := _STRING.match(text, position)) is not None:
        key = json.loads(match.group(), strict=False)
        position = _after_space(text, _after_space(text, match.end()) + 1)  # over the colon
        if key == name:
            exact = position
        elif isinstance(name, str) and key.casefold() == name.casefold():
            folded = position
        position = _after_space(text, _skip(text, position))
        if text.startswith(",", position):
            position = _after_space(text, position + 1)
    return exact if exact is not None else folded


def _element(text: str, position: int, index: str | int) -> int | None:
    if not text.startswith("[", position) or not isinstance(index, int):
        return None
    position = _after_space(text, position + 1)
    for _ in range(index):
        position = _after_space(text, _skip(text, position))
        if not text.startswith(",", position):
            return None
        position = _after_space(text, position + 1)
    return position


def _skip(text: str, position: int) -> int:
    """The end of the value that begins here."""
    if text.startswith('"', position):
        match = _STRING.match(text, position)
        return match.end() if match else len(text)
    if text[position : position + 1] not in ("{", "["):
        match = _SCALAR.match(text, position)
        return match.end() if match else position + 1
    depth = 0
    while position < len(text):
        sign = text[position]
        if sign == '"':
            match = _STRING.match(text, position)
            position = match.end() if match else len(text)
            continue
        depth += sign in "{["
        depth -= sign in "}]"
        position += 1
        if depth == 0:
            return position
    return position
