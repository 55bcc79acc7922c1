"""Arithmetic: whole numbers of 64 bits, doubles, exact decimals. A decimal beats both, a double beats a whole number."""

import math
from decimal import Decimal, localcontext
from typing import TypeAlias

from guardship.playbooks.expressions.arguments import array, number, whole_number, wrong
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.evaluate import Scope
from guardship.playbooks.expressions.values import EvaluationFailed, Value, whole

Number: TypeAlias = int | float | Decimal

_MOST_DECIMAL = Decimal("79228162514264337593543950335")
_MOST_RANGE = 100_000


def _pair(function: str, left: Value, right: Value) -> tuple[Number, Number]:
    """Both as the wider of the two kinds."""
    first, second = number(function, left), number(function, right)
    if isinstance(first, Decimal) or isinstance(second, Decimal):
        return _decimal(first), _decimal(second)
    if isinstance(first, float) or isinstance(second, float):
        return float(first), float(second)
    return first, second


def _decimal(value: Number) -> Decimal:
    made = value if isinstance(value, Decimal) else Decimal(int(value) if isinstance(value, float) and value.is_integer() else str(value))
    if not made.is_finite() or abs(made) > _MOST_DECIMAL:
        raise EvaluationFailed(f"The number {value} is too large for a decimal.")
    return made


def _checked(value: Number) -> Value:
    if isinstance(value, int):
        return whole(value)
    return _decimal(value) if isinstance(value, Decimal) else value


def add(left: Value, right: Value) -> Value:
    first, second = _pair("add", left, right)
    return _checked(first + second)  # type: ignore[operator]  # both are of one kind


def sub(left: Value, right: Value) -> Value:
    first, second = _pair("sub", left, right)
    return _checked(first - second)  # type: ignore[operator]  # both are of one kind


def mul(left: Value, right: Value) -> Value:
    first, second = _pair("mul", left, right)
    with localcontext(prec=60):
        return _checked(first * second)  # type: ignore[operator]  # both are of one kind


def div(left: Value, right: Value) -> Value:
    first, second = _pair("div", left, right)
    if second == 0:
        raise EvaluationFailed("The template language function 'div' cannot divide by zero.")
    if isinstance(first, int) and isinstance(second, int):
        quotient = abs(first) // abs(second)
        return whole(quotient if (first < 0) == (second < 0) else -quotient)
    return _checked(first / second)  # type: ignore[operator]  # both are of one kind


def mod(left: Value, right: Value) -> Value:
    first, second = _pair("mod", left, right)
    if second == 0:
        raise EvaluationFailed("The template language function 'mod' cannot divide by zero.")
    if isinstance(first, float):
        return math.fmod(first, float(second))
    if isinstance(first, Decimal):
        return _checked(first % Decimal(second))
    remainder = abs(first) % abs(int(second))
    return -remainder if first < 0 else remainder


def largest(*values: Value) -> Value:
    return max(_numbers("max", values), key=_rank)


def smallest(*values: Value) -> Value:
    return min(_numbers("min", values), key=_rank)


def _rank(value: Number) -> Number:
    return value if isinstance(value, Decimal | int) else Decimal(value) if math.isfinite(value) else value


def _numbers(function: str, values: tuple[Value, ...]) -> list[Number]:
    given = array(function, values[0]) if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not given:
        raise wrong(function, "have at least one number", None)
    numbers = [number(function, value) for value in given]
    if any(isinstance(value, Decimal) for value in numbers):
        return [_decimal(value) for value in numbers]
    return numbers


def number_range(start: Value, count: Value) -> Value:
    begin, size = whole_number("range", start), whole_number("range", count)
    if not 0 <= size <= _MOST_RANGE:
        raise EvaluationFailed(f"The template language function 'range' expects a count from 0 to {_MOST_RANGE}, not {size}.")
    whole(begin + size)
    return list(range(begin, begin + size))


def rand(scope: Scope, least: Value, bound: Value) -> Value:
    begin, end = whole_number("rand", least), whole_number("rand", bound)
    if end <= begin:
        raise EvaluationFailed(f"The template language function 'rand' expects its second number to be greater than {begin}.")
    return begin + int.from_bytes(scope.random_bytes(16)) % (end - begin)


TABLE = (
    Entry("add", 2, 2, add),
    Entry("sub", 2, 2, sub),
    Entry("mul", 2, 2, mul),
    Entry("div", 2, 2, div),
    Entry("mod", 2, 2, mod),
    Entry("max", 1, None, largest),
    Entry("min", 1, None, smallest),
    Entry("range", 2, 2, number_range),
    Entry("rand", 2, 2, rand, needs_scope=True),
)
