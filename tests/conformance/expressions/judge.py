"""Whether a case of the expression language holds: its value by JSON equality or a named match, or an error that says what it must."""

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import orjson

from guardship.playbooks.expressions.functions.table import EVALUATOR
from guardship.playbooks.expressions.syntax import ExpressionSyntax
from guardship.playbooks.expressions.times import EPOCH_TICKS
from guardship.playbooks.expressions.values import EvaluationFailed, find_key, text_of

NOW = datetime.fromisoformat("2026-11-24T03:14:05.123456+00:00")
_NAMELESS = "this action"


class CaseScope:
    """A scope whose world is a plain document: what the case gives, and nothing else."""

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._context = context
        self._drawn = 0

    def parameter(self, name: str) -> Any:
        return self._named("parameters", name)

    def variable(self, name: str) -> Any:
        return self._named("variables", name)

    def trigger(self) -> dict[str, Any]:
        return dict(self._context.get("trigger", {}))

    def trigger_outputs(self) -> Any:
        return self.trigger().get("outputs")

    def action(self, name: str | None) -> dict[str, Any]:
        return dict(self._named("actions", name or _NAMELESS))

    def outputs(self, name: str) -> Any:
        return self.action(name).get("outputs")

    def item(self) -> Any:
        if "item" not in self._context:
            raise EvaluationFailed("there is no item")
        return self._context["item"]

    def items(self, loop: str) -> Any:
        return self._named("items", loop)

    def iteration_index(self, loop: str) -> int:
        return int(self._named("iterationIndexes", loop))

    def result(self, scope: str) -> list[Any]:
        return list(self._named("results", scope))

    def workflow(self) -> dict[str, Any]:
        return dict(self._context.get("workflow", {}))

    def callback_url(self) -> str:
        return "https://example.org/callbacks/token"

    def now_ticks(self) -> int:
        now = datetime.fromisoformat(self._context["now"]) if "now" in self._context else NOW
        return round(now.timestamp() * 1_000_000) * 10 + EPOCH_TICKS

    def random_bytes(self, count: int) -> bytes:
        self._drawn += 1
        return bytes((self._drawn * 37 + index * 11) % 256 for index in range(count))

    def _named(self, kind: str, name: str) -> Any:
        known = self._context.get(kind, {})
        key = find_key(known, name)
        if key is None:
            raise EvaluationFailed(f"there is nothing called '{name}' among the {kind}")
        return known[key]


def fault_of(case: Mapping[str, Any]) -> str | None:
    """Why the case does not hold, or None."""
    try:
        value = EVALUATOR.tree(case["expression"])(CaseScope(case.get("context", {})))
    except (EvaluationFailed, ExpressionSyntax) as error:
        return _fault_of_error(case, str(error))
    if case["kind"] == "error":
        return f"an error was due, it gave {_shown(value)}"
    if _matches(case.get("match"), value, case["expected"]):
        return None
    return f"gave {_shown(value)}, expected {_shown(case['expected'])}"


def _fault_of_error(case: Mapping[str, Any], said: str) -> str | None:
    if case["kind"] != "error":
        return f"failed: {said}; expected {_shown(case['expected'])}"
    wanted = case.get("error_contains")
    if wanted is None or wanted.lower() in said.lower():
        return None
    return f"said {said!r}, which lacks {wanted!r}"


def _matches(how: str | None, value: Any, expected: Any) -> bool:
    match how:
        case "approx":
            return math.isclose(float(value), float(expected), rel_tol=1e-12)
        case "regex":
            return re.search(expected, text_of(value)) is not None
        case "xml":
            return _canonical(text_of(value)) == _canonical(expected)
        case None:
            return _equal(json.loads(orjson.dumps(value, default=float)), expected)
    raise ValueError(f"a match called {how}")


def _canonical(xml: str) -> str:
    return ElementTree.canonicalize(xml, strip_text=True)


def _equal(left: Any, right: Any) -> bool:
    """JSON equality: 1 equals 1.0, true is no number, the order of keys does not matter."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[name], right[name]) for name in left)
    return (type(left) is type(right) and left == right) or (
        isinstance(left, int | float) and isinstance(right, int | float) and left == right
    )


def _shown(value: Any) -> str:
    return repr(value)[:200]
