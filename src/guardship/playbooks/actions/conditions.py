"""Conditions of If and Until, which say not only whether they hold but why: every part with the value it had.

Two forms occur: an object such as `{"and": [{"equals": ["@triggerBody()?['Severity']", "High"]}]}`, and the older string
`@equals(triggerBody()?['Severity'], 'High')`.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from guardship.playbooks.actions.reading import Reading
from guardship.playbooks.definition import Path, Verdict
from guardship.playbooks.expressions.evaluate import Evaluate, Scope
from guardship.playbooks.expressions.functions import collections, logic, strings
from guardship.playbooks.expressions.functions.table import EVALUATOR
from guardship.playbooks.expressions.parser import parse_template
from guardship.playbooks.expressions.syntax import Call, ExpressionSyntax, Node, Whole
from guardship.playbooks.expressions.values import EvaluationFailed, Value, type_name

Decide: TypeAlias = Callable[[Scope], Verdict]

COMPARISONS: dict[str, Callable[[Value, Value], Value]] = {
    "equals": logic.equals,
    "greater": logic.greater,
    "greaterorequals": logic.greater_or_equals,
    "less": logic.less,
    "lessorequals": logic.less_or_equals,
    "contains": collections.contains,
    "startswith": strings.starts_with,
    "endswith": strings.ends_with,
}


def read_condition(document: Any, path: Path, reading: Reading) -> Decide:
    """A closure over the checked condition; what is wrong with it lies in `reading`."""
    reading.check(document, path)
    return _read(document, path, reading)


def _read(document: Any, path: Path, reading: Reading) -> Decide:
    match document:
        case str():
            return _from_text(document)
        case bool():
            return lambda scope: Verdict(document, {"text": str(document).lower(), "value": document})
        case dict() if len(document) == 1:
            (name, operands), *_ = document.items()
            return _from_object(name, operands, (*path, name), reading)
        case dict() if not document:
            return lambda scope: Verdict(True, {"text": "", "value": True})
        case _:
            reading.problem(path, "a condition is an expression, or an object with one operator", "InvalidCondition")
            return lambda scope: Verdict(False, {})


def _from_object(name: str, operands: Any, path: Path, reading: Reading) -> Decide:
    folded = name.lower()
    if folded in ("and", "or"):
        if not isinstance(operands, list):
            reading.problem(path, f"{name} takes an array of conditions", "InvalidCondition")
            return lambda scope: Verdict(False, {})
        return _joined(folded, [_read(inner, (*path, index), reading) for index, inner in enumerate(operands)])
    if folded == "not":
        inner = operands[0] if isinstance(operands, list) and len(operands) == 1 else operands
        return _negated(_read(inner, path, reading))
    compare = COMPARISONS.get(folded)
    if compare is None or not isinstance(operands, list) or len(operands) != 2:
        known = ", ".join(["and", "or", "not", *COMPARISONS])
        problem = f"{name} takes an array of two operands" if compare else f"there is no condition called {name}"
        reading.problem(path, problem, "InvalidCondition", hint=None if compare else f"known are {known}")
        return lambda scope: Verdict(False, {})
    try:
        sides = [(_shown(operand), EVALUATOR.tree(operand)) for operand in operands]
    except ExpressionSyntax:
        return lambda scope: Verdict(False, {})  # already reported
    return _compared(name, compare, sides)


def _shown(operand: Any) -> str | None:
    return operand if isinstance(operand, str) and "@" in operand else None


def _from_text(text: str) -> Decide:
    try:
        template = parse_template(text)
    except ExpressionSyntax:
        return lambda scope: Verdict(False, {})  # already reported
    if isinstance(template, Whole):
        return _from_node(template.node, text[1:], 1)
    whole = EVALUATOR.tree(text)
    return lambda scope: _as_verdict(whole(scope), text)


def _from_node(node: Node, text: str, offset: int) -> Decide:
    """The same explanation for a condition written as calls."""
    shown = text[node.start - offset : node.end - offset]
    if isinstance(node, Call):
        folded = node.name.lower()
        if folded in ("and", "or") and node.arguments:
            return _joined(folded, [_from_node(inner, text, offset) for inner in node.arguments])
        if folded == "not" and len(node.arguments) == 1:
            return _negated(_from_node(node.arguments[0], text, offset))
        if folded in COMPARISONS and len(node.arguments) == 2:
            sides: list[tuple[str | None, Evaluate]] = [
                (text[inner.start - offset : inner.end - offset], EVALUATOR.node(inner)) for inner in node.arguments
            ]
            return _compared(node.name, COMPARISONS[folded], sides)
    whole = EVALUATOR.node(node)
    return lambda scope: _as_verdict(whole(scope), shown)


def _as_verdict(value: Value, text: str) -> Verdict:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    if not isinstance(value, bool):
        raise EvaluationFailed(f"A condition must be true or false, this one is of type '{type_name(value)}'.")
    return Verdict(value, {"text": text, "value": value})


def _joined(operator: str, parts: list[Decide]) -> Decide:
    is_and = operator == "and"

    def decide(scope: Scope) -> Verdict:
        holds = is_and
        told: list[dict[str, Any] | None] = []
        for part in parts:
            if holds is not is_and:
                told.append(None)  # not looked at
                continue
            verdict = part(scope)
            holds = verdict.holds
            told.append(verdict.explanation)
        return Verdict(holds, {"operator": operator, "value": holds, "parts": told})

    return decide


def _negated(part: Decide) -> Decide:
    def decide(scope: Scope) -> Verdict:
        verdict = part(scope)
        return Verdict(not verdict.holds, {"operator": "not", "value": not verdict.holds, "parts": [verdict.explanation]})

    return decide


def _compared(name: str, compare: Callable[[Value, Value], Value], sides: list[tuple[str | None, Evaluate]]) -> Decide:
    def decide(scope: Scope) -> Verdict:
        values = [evaluate(scope) for _, evaluate in sides]
        holds = compare(values[0], values[1]) is True
        operands = [
            {"value": value} if text is None else {"text": text, "value": value} for (text, _), value in zip(sides, values, strict=True)
        ]
        return Verdict(holds, {"operator": name, "value": holds, "operands": operands})

    return decide
