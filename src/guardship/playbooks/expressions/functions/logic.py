"""Logic functions; `and`, `or` and `if` look only at what they need."""

from decimal import Decimal

from guardship.playbooks.expressions.arguments import boolean, comparable
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.evaluate import Evaluate, Scope
from guardship.playbooks.expressions.values import Value, same


def all_of(scope: Scope, *conditions: Evaluate) -> Value:
    return all(boolean("and", condition(scope)) for condition in conditions)


def any_of(scope: Scope, *conditions: Evaluate) -> Value:
    return any(boolean("or", condition(scope)) for condition in conditions)


def choose(scope: Scope, condition: Evaluate, if_true: Evaluate, if_false: Evaluate) -> Value:
    return if_true(scope) if boolean("if", condition(scope)) else if_false(scope)


def coalesce(scope: Scope, *candidates: Evaluate) -> Value:
    for candidate in candidates:
        value = candidate(scope)
        if value is not None:
            return value
    return None


def negate(value: Value) -> Value:
    return not boolean("not", value)


def equals(left: Value, right: Value) -> Value:
    return same(left, right)


def greater(left: Value, right: Value) -> Value:
    first, second = comparable("greater", left, right)
    return _order(first, second) > 0


def greater_or_equals(left: Value, right: Value) -> Value:
    first, second = comparable("greaterOrEquals", left, right)
    return _order(first, second) >= 0


def less(left: Value, right: Value) -> Value:
    first, second = comparable("less", left, right)
    return _order(first, second) < 0


def less_or_equals(left: Value, right: Value) -> Value:
    first, second = comparable("lessOrEquals", left, right)
    return _order(first, second) <= 0


def _order(first: "int | float | Decimal | str", second: "int | float | Decimal | str") -> int:
    return (first > second) - (first < second)  # type: ignore[operator]  # both are of one kind


TABLE = (
    Entry("and", 1, None, all_of, is_lazy=True),
    Entry("or", 1, None, any_of, is_lazy=True),
    Entry("if", 3, 3, choose, is_lazy=True),
    Entry("coalesce", 1, None, coalesce, is_lazy=True),
    Entry("not", 1, 1, negate),
    Entry("equals", 2, 2, equals),
    Entry("greater", 2, 2, greater),
    Entry("greaterOrEquals", 2, 2, greater_or_equals),
    Entry("less", 2, 2, less),
    Entry("lessOrEquals", 2, 2, less_or_equals),
)
