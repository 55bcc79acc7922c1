"""The tree of an expression, with the place of every part in its text."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from guardship.errors import TextError


class ExpressionSyntax(TextError):
    code = "playbooks.expression_syntax"


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | Decimal | None  # bool is an int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple["Node", ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Access:
    target: "Node"
    key: "Node"
    is_optional: bool
    start: int
    end: int


Node: TypeAlias = Literal | Call | Access


@dataclass(frozen=True, slots=True)
class Whole:
    """`@expr`: the string is the value of the expression."""

    node: Node


@dataclass(frozen=True, slots=True)
class Mixed:
    """Text with `@{expr}` in it."""

    parts: tuple[str | Node, ...]


Template: TypeAlias = str | Whole | Mixed


def calls_in(node: Node) -> list[Call]:
    """Every call below a node, outermost first."""
    found: list[Call] = []
    waiting: list[Node] = [node]
    while waiting:
        here = waiting.pop()
        match here:
            case Call():
                found.append(here)
                waiting.extend(reversed(here.arguments))
            case Access():
                waiting.extend((here.key, here.target))
            case Literal():
                pass
    return found


def nodes_of(template: Template) -> tuple[Node, ...]:
    match template:
        case Whole():
            return (template.node,)
        case Mixed():
            return tuple(part for part in template.parts if not isinstance(part, str))
        case _:
            return ()
