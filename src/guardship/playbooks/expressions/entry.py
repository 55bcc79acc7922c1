"""One entry of the table of functions: its name, how many arguments it takes, and what it does."""

from collections.abc import Callable
from dataclasses import dataclass

from guardship.playbooks.expressions.values import Value


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    least: int
    most: int | None  # None: as many as one likes
    perform: Callable[..., Value]
    is_lazy: bool = False  # gets the scope and closures instead of values
    needs_scope: bool = False  # gets the scope before its arguments
