"""The root of what can go wrong here, and the form of errors about text that people wrote.

Errors know nothing of HTTP; `api/problems.py` maps them by `code` and `status_hint`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Whose turn it is when an error appears; `api` turns it into a status, the CLI into an exit code."""

    BAD_INPUT = "bad_input"
    NOT_SIGNED_IN = "not_signed_in"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"
    UNSUPPORTED = "unsupported"
    INTERNAL = "internal"


class GuardshipError(Exception):
    """Something that we know how to name. `code` is stable, `hint` is the way out."""

    code = "guardship.error"
    fault = Fault.INTERNAL

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text: `start` and `end` are 0-based offsets, `line` and `column` of the start count from 1."""

    start: int
    end: int
    line: int
    column: int

    @staticmethod
    def of(text: str, start: int, end: int) -> "Span":
        line = text.count("\n", 0, start) + 1
        column = start - (text.rfind("\n", 0, start) + 1) + 1
        return Span(start, max(start, end), line, column)


class TextError(GuardshipError):
    """An error about a query, definition, expression, rule or script: it names the place."""

    code = "text.error"
    fault = Fault.BAD_INPUT

    def __init__(self, message: str, *, span: Span | None = None, path: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.span = span
        self.path = path

    def __str__(self) -> str:
        place = f"line {self.span.line}, column {self.span.column}: " if self.span else ""
        where = f"{self.path}: " if self.path else ""
        return f"{where}{place}{super().__str__()}"


class NotFound(GuardshipError):
    """A thing that was asked for by its id or name and is not there."""

    code = "guardship.not_found"
    fault = Fault.NOT_FOUND

    def __init__(self, thing: str, name: str, *, hint: str | None = None) -> None:
        super().__init__(f"there is no {thing} called {name}", hint=hint)


def counted(count: int, noun: str, plural: str = "") -> str:
    """1 machine, 2 machines, 0 entries: a count before its noun, in a sentence for people."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
