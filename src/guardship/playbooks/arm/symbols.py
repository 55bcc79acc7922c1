"""Values of a template that are not worked out now: what only a deployment can tell, what is missing, and what is secret.

Each is a text, so that every function and every JSON writer takes it: `<known after deployment: reference('x').id>`, `***`. What an
unknown value is put into is unknown as well and says so; a secret one keeps its value apart, to be given to a run as a parameter.
"""

from collections.abc import Iterator
from typing import Any

from guardship.playbooks.expressions.syntax import Node
from guardship.playbooks.expressions.values import EvaluationFailed, Value, json_text, text_of

MISSING = "<missing: "  # begins what stands for a value that nobody gave
_MOST_SHOWN = 400


class ArmFailed(EvaluationFailed):
    """An expression of a template that cannot be worked out; `start` and `end` are offsets in the expression."""

    def __init__(self, message: str, code: str = "InvalidTemplate", *, hint: str | None = None, node: Node | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.start, self.end = (node.start, node.end) if node is not None else (0, 0)

    def at(self, node: Node) -> "ArmFailed":
        """The same error with its place, which the innermost call gives."""
        if not self.end:
            self.start, self.end = node.start, node.end
        return self


class Unknown(str):
    """`shown` is the expression it stands for; deferred ones are told by a deployment, the others are reported as problems."""

    shown: str
    is_deferred: bool

    @staticmethod
    def of(shown: str, *, is_deferred: bool, text: str | None = None) -> "Unknown":
        short = shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
        written = text if text is not None else f"<known after deployment: {short}>" if is_deferred else f"{MISSING}{short}>"
        made = Unknown(written.replace("@{", "@@{"))
        made.shown, made.is_deferred = short, is_deferred
        return made


class Secret(str):
    """Prints as `***`; `label` is the parameter it comes from, a derived one was made of it by a function."""

    value: Value
    label: str
    is_derived: bool

    @staticmethod
    def of(value: Value, label: str, *, is_derived: bool = False) -> "Secret":
        made = Secret("***")
        made.value, made.label, made.is_derived = value, label, is_derived
        return made


def secrets_in(value: Any) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from secrets_in(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from secrets_in(inner)


def revealed(value: Any) -> Any:
    """The value with every secret in the clear."""
    if isinstance(value, Secret):
        return value.value
    if isinstance(value, list):
        return [revealed(inner) for inner in value]
    if isinstance(value, dict):
        return {name: revealed(inner) for name, inner in value.items()}
    return value


def spread(value: Any) -> Any:
    """A secret array or object as one that holds secrets."""
    if not isinstance(value, Secret):
        return value
    label, inner = value.label, value.value
    if isinstance(inner, list):
        return [Secret.of(item, label) for item in inner]
    return {name: Secret.of(held, label) for name, held in inner.items()} if isinstance(inner, dict) else value


def shown_value(value: object) -> str:
    """As it would stand in an expression."""
    match value:
        case Unknown():
            return value.shown
        case Secret():
            return f"parameters('{value.label}')"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bool():
            return "true()" if value else "false()"
        case None:
            return "null()"
        case list() | dict():
            return f"json('{json_text(value)}')"
        case int() | float():
            return text_of(value)
        case _:
            return "lambda(…)"
