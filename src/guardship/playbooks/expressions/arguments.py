"""What functions ask of their arguments, and the sentences they refuse with."""

from decimal import Decimal
from typing import Any

from guardship.playbooks.expressions.values import EvaluationFailed, Value, is_content, is_number, type_name


def wrong(function: str, wanted: str, given: Value) -> EvaluationFailed:
    return EvaluationFailed(
        f"The template language function '{function}' expects its parameter to {wanted}. The provided value is of type '{type_name(given)}'."
    )


def text(function: str, value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and is_content(value):
        raise EvaluationFailed(
            f"The values provided to the template language function '{function}' are not valid: it takes to be a string."
        )
    raise wrong(function, "be of type string", value)


def whole_number(function: str, value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(function, "be an integer", value)
    return value


def number(function: str, value: Value) -> int | float | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise wrong(function, "be a number", value)
    return value


def array(function: str, value: Value) -> list[Any]:
    if not isinstance(value, list):
        raise wrong(function, "be an array", value)
    return value


def json_object(function: str, value: Value) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong(function, "be of type object", value)
    return value


def boolean(function: str, value: Value) -> bool:
    if isinstance(value, bool):
        return value
    raise wrong(function, "be of type boolean", value)


def array_or_text(function: str, value: Value) -> list[Any] | str:
    if isinstance(value, list | str):
        return value
    raise wrong(function, "be an array or a string", value)


def comparable(function: str, left: Value, right: Value) -> tuple[Any, Any]:
    """Two values that have an order: numbers, or texts (null counts as '')."""
    if is_number(left) and is_number(right):
        if isinstance(left, Decimal) != isinstance(right, Decimal):
            return float(left), float(right)  # type: ignore[arg-type]  # both are numbers
        return left, right
    if isinstance(left, bool) and isinstance(right, bool):
        return left, right
    if isinstance(left, str | None) and isinstance(right, str | None):
        return left or "", right or ""
    raise EvaluationFailed(
        f"The template language function '{function}' expects two numbers or two strings, not '{type_name(left)}' and '{type_name(right)}'."
    )
