"""Works out expressions: every string is turned into a closure once and kept.

Evaluation follows the host: arguments go from left to right, `and`, `or`, `if` and `coalesce` look only at what they need, and a function
that nobody defined fails when it is reached. What a definition may name at all is checked before, by `validation`.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from guardship.playbooks.expressions.bounds import joined
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.parser import parse_template
from guardship.playbooks.expressions.syntax import Access, Call, Literal, Mixed, Node, Whole
from guardship.playbooks.expressions.values import EvaluationFailed, UnknownFunction, Value, find_key, text_of, type_name


class Scope(Protocol):
    """What the names in an expression stand for at the place where it is worked out."""

    def parameter(self, name: str) -> Value: ...

    def variable(self, name: str) -> Value: ...

    def trigger(self) -> dict[str, Any]: ...

    def trigger_outputs(self) -> Value: ...

    def action(self, name: str | None) -> dict[str, Any]:
        """The action's name, status, inputs and outputs; None asks for the action this expression belongs to."""
        ...

    def outputs(self, name: str) -> Value: ...

    def item(self) -> Value: ...

    def items(self, loop: str) -> Value: ...

    def iteration_index(self, loop: str) -> int: ...

    def result(self, scope: str) -> list[Any]: ...

    def workflow(self) -> dict[str, Any]: ...

    def callback_url(self) -> str: ...

    def now_ticks(self) -> int:
        """100 ns since the year 1."""
        ...

    def random_bytes(self, count: int) -> bytes: ...


Evaluate = Callable[[Scope], Value]


_COUNTS = ("no parameters", "one parameter", "two parameters", "three parameters", "four parameters")


def arity_problem(name: str, least: int, most: int | None, given: int) -> str | None:
    """Why this many arguments are wrong, or None."""
    if given >= least and (most is None or given <= most):
        return None
    if most is None:
        wanted = f"at least {_COUNTS[least]}"
    elif least == most:
        wanted = _COUNTS[least]
    else:
        wanted = f"{_COUNTS[least].split()[0]} to {_COUNTS[most]}"
    return f"The template language function '{name}' expects {wanted}, it was called with {given}."


def look_up(target: Value, key: Value, is_optional: bool) -> Value:
    """`target[key]`; with `?` null when the parent is null or lacks the property."""
    if isinstance(target, dict):
        if not isinstance(key, str):
            raise EvaluationFailed(f"A property is chosen by its name, not by a value of type '{type_name(key)}'.")
        if key in target:
            return target[key]  # type: ignore[no-any-return]  # JSON inside
        found = find_key(target, key)
        if found is not None:
            return target[found]  # type: ignore[no-any-return]  # JSON inside
        if is_optional:
            return None
        names = ", ".join(list(target)[:20])
        raise EvaluationFailed(f"The property '{key}' doesn't exist, available properties are '{names}'.")
    if target is None:
        if is_optional:
            return None
        raise EvaluationFailed(f"The property '{text_of(key)}' cannot be selected: its parent is null.")
    if isinstance(target, list) and isinstance(key, int) and not isinstance(key, bool):
        if 0 <= key < len(target):
            return target[key]  # type: ignore[no-any-return]  # JSON inside
        if is_optional:
            return None
        raise EvaluationFailed(f"The array index '{key}' is outside bounds (0, {len(target) - 1}) of the array.")
    raise EvaluationFailed(f"The property '{text_of(key)}' cannot be selected on a value of type '{type_name(target)}'.")


class Evaluator:
    """Closures over one table of functions; `template` and `tree` keep what they have made."""

    def __init__(self, functions: Mapping[str, Entry]) -> None:
        self._functions = functions
        self.template = lru_cache(maxsize=32768)(self._template)

    def tree(self, document: Value) -> Evaluate:
        """A JSON document whose strings and keys may hold expressions."""
        made = self._tree(document)
        return made if callable(made) else (lambda scope: made)

    def _tree(self, document: Value) -> Evaluate | Value:
        """A closure, or the document itself when nothing in it needs working out."""
        if isinstance(document, str):
            return self.template(document)
        if isinstance(document, list):
            made = [self._tree(inner) for inner in document]
            if not any(map(callable, made)):
                return document
            items = [inner if callable(inner) else _constant(inner) for inner in made]
            return lambda scope: [inner(scope) for inner in items]
        if isinstance(document, dict):
            return self._object(document)
        return document

    def _object(self, document: dict[str, Any]) -> Evaluate | Value:
        keys = [self.template(name) for name in document]
        values = [self._tree(inner) for inner in document.values()]
        if not any(map(callable, keys)) and not any(map(callable, values)):
            return document
        closures = [inner if callable(inner) else _constant(inner) for inner in values]
        if not any(map(callable, keys)):
            named = list(zip([str(name) for name in keys], closures, strict=True))
            return lambda scope: {name: inner(scope) for name, inner in named}
        pairs = [(key if callable(key) else _constant(key), inner) for key, inner in zip(keys, closures, strict=True)]
        return lambda scope: {text_of(key(scope)): inner(scope) for key, inner in pairs}

    def _template(self, text: str) -> Evaluate | str:
        match parse_template(text):
            case Whole(node):
                return self.node(node)
            case Mixed(parts):
                made = [part if isinstance(part, str) else self.node(part) for part in parts]
                return lambda scope: joined([part if isinstance(part, str) else text_of(part(scope)) for part in made])
            case literal:
                return str(literal)

    def node(self, node: Node) -> Evaluate:
        match node:
            case Literal():
                return _constant(node.value)
            case Access():
                target, key, is_optional = self.node(node.target), self.node(node.key), node.is_optional
                if isinstance(node.key, Literal):
                    name = node.key.value
                    return lambda scope: look_up(target(scope), name, is_optional)
                return lambda scope: look_up(target(scope), key(scope), is_optional)
            case Call():
                return self._call(node)

    def _call(self, node: Call) -> Evaluate:
        function = self._functions.get(node.name.lower())
        if function is None:
            return _failing(UnknownFunction(node.name))
        problem = arity_problem(function.name, function.least, function.most, len(node.arguments))
        if problem is not None:
            return _failing(EvaluationFailed(problem))
        arguments = [self.node(argument) for argument in node.arguments]
        perform = function.perform
        if function.is_lazy:
            return lambda scope: perform(scope, *arguments)
        if function.needs_scope:
            if not arguments:
                return perform
            return lambda scope: perform(scope, *[argument(scope) for argument in arguments])
        if len(arguments) == 1:
            only = arguments[0]
            return lambda scope: perform(only(scope))
        if len(arguments) == 2:
            first, second = arguments
            return lambda scope: perform(first(scope), second(scope))
        return lambda scope: perform(*[argument(scope) for argument in arguments])


def _constant(value: Value) -> Evaluate:
    return lambda scope: value


def _failing(error: EvaluationFailed) -> Evaluate:
    def fail(scope: Scope) -> Value:
        raise EvaluationFailed(error.message)  # a new one each time: a raised error keeps its traceback

    return fail
