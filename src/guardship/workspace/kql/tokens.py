"""The lexer: query text to tokens, each with its place.

Operator names hold hyphens (`project-away`) and identifiers do not, so a name right after `|` is read with hyphens. Typed literals
(`datetime(2026-11-24)`) and `dynamic(...)` are one token each, because what stands in their brackets is not KQL.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

from guardship.errors import Span
from guardship.workspace.kql.errors import BrokenSyntax


class TokenKind(StrEnum):
    NAME = "name"
    STRING = "string"
    LONG = "long"
    REAL = "real"
    TIMESPAN = "timespan"
    TYPED = "typed literal"
    DYNAMIC = "dynamic literal"
    MARK = "mark"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    kind: TokenKind
    text: str  # of a string its value, of a typed literal what stands in the brackets
    start: int
    end: int
    type_name: str = ""  # of a typed literal


_NEGATED = "has_cs|hasprefix_cs|hassuffix_cs|hasprefix|hassuffix|has|contains_cs|contains|startswith_cs|startswith|endswith_cs|endswith|in~|in|between"
_TYPED = "datetime|date|timespan|time|guid|int|long|real|double|decimal|bool|boolean"

_TOKEN = re.compile(
    r"(?P<blank>[\s\u200b\ufeff]+|//[^\n]*)"
    r"|(?P<fence>```|~~~)"
    r"|(?P<verbatim>[hH]?@(?:\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'))"
    r"|(?P<string>[hH]?(?:\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'))"
    r"|(?P<timespan>\d+(?:\.\d+)?(?:days?|d|hours?|hrs?|h|minutes?|min|millis?|milliseconds?|ms|microseconds?|micros?|m|seconds?|sec|s|ticks?)\b)"
    r"|(?P<hex>0[xX][0-9a-fA-F]+)"
    r"|(?P<real>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)"
    r"|(?P<long>\d+\b)"
    rf"|(?P<typed>(?<![.\w])(?:{_TYPED})\s*\()"
    r"|(?P<dynamic>(?<![.\w])dynamic\s*\()"
    rf"|(?P<negated>!(?:{_NEGATED})(?![A-Za-z0-9_]))"
    r"|(?P<in>\bin~)"
    r"|(?P<name>[$A-Za-z_][A-Za-z0-9_]*|\d+[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<mark>==|=~|!=|!~|<>|<=|>=|=>|\.\.|[|()\[\]{},;:.=<>+\-*/%?@])"
)
_HYPHENED = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")
_TYPOGRAPHIC = dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‘’‚‛", "'")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|.)", re.DOTALL)


class Places:
    """Turns offsets of one text into spans."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def span(self, start: int, end: int) -> Span:
        line = bisect_right(self._starts, start)
        return Span(start, max(start, end), line, start - self._starts[line - 1] + 1)


def tokenize(text: str) -> list[Token]:
    """All tokens of the text and one END; raises at the first character that cannot begin one."""
    places = Places(text)
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        token, position = _next(text, position, places, tokens)
        if token is not None:
            tokens.append(token)
    tokens.append(Token(TokenKind.END, "", len(text), len(text)))
    return tokens


def _next(text: str, position: int, places: Places, before: list[Token]) -> tuple[Token | None, int]:
    if before and before[-1].text == "|" and (hyphened := _HYPHENED.match(text, position)):
        return Token(TokenKind.NAME, hyphened.group(), position, hyphened.end()), hyphened.end()
    match = _TOKEN.match(text, position)
    if match is None:
        raise _bad_character(text, position, places)
    kind, end = match.lastgroup, match.end()
    piece = match.group()
    match kind:
        case "blank":
            return None, end
        case "fence":
            return _fenced(text, position, piece, places)
        case "verbatim":
            inner = piece[piece.index("@") + 1 :]
            return Token(TokenKind.STRING, inner[1:-1].replace(inner[0] * 2, inner[0]), position, end), end
        case "string":
            inner = piece.lstrip("hH")
            return Token(TokenKind.STRING, _unescaped(inner[1:-1]), position, end), end
        case "typed" | "dynamic":
            return _bracketed(text, match, places)
        case "hex":
            return Token(TokenKind.LONG, str(int(piece, 16)), position, end), end
        case "long" | "real" | "timespan" | "name":
            return Token(TokenKind(kind), piece, position, end), end
        case _:
            return Token(TokenKind.MARK, piece, position, end), end


def _bad_character(text: str, position: int, places: Places) -> BrokenSyntax:
    character = text[position]
    span = places.span(position, position + 1)
    if straight := _TYPOGRAPHIC.get(character):
        return BrokenSyntax(f"a typographic quote {character} stands here", span=span, hint=f"use the straight quote {straight}")
    if character in "\"'":
        return BrokenSyntax("this string is not closed", span=span, hint=f"close it with {character} on the same line")
    return BrokenSyntax(f"the character {character!r} means nothing here", span=span)


def _fenced(text: str, position: int, fence: str, places: Places) -> tuple[Token, int]:
    close = text.find(fence, position + 3)
    if close < 0:
        raise BrokenSyntax("this string is not closed", span=places.span(position, position + 3), hint=f"close it with {fence}")
    return Token(TokenKind.STRING, text[position + 3 : close], position, close + 3), close + 3


def _bracketed(text: str, match: re.Match[str], places: Places) -> tuple[Token, int]:
    """A typed or dynamic literal, to its matching bracket; strings inside may hold brackets."""
    depth, at = 1, match.end()
    while at < len(text):
        character = text[at]
        if character in "\"'":
            quoted = _TOKEN.match(text, at)
            at = quoted.end() if quoted else at + 1
            continue
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(character, 0)
        at += 1
        if depth == 0:
            kind = TokenKind.DYNAMIC if match.lastgroup == "dynamic" else TokenKind.TYPED
            name = match.group().rstrip("( \t\r\n")
            return Token(kind, text[match.end() : at - 1].strip(), match.start(), at, name), at
    raise BrokenSyntax("this bracket is not closed", span=places.span(match.end() - 1, match.end()), hint="close it with )")


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text

    def one(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] in "uUx" and len(code) > 1:
            return chr(int(code[1:], 16))
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(one, text)
