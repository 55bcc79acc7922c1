"""Functions of templates that take a `lambda('item', …)`; `index` comes second where a lambda names it."""

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any, Protocol

from guardship.playbooks.arm.symbols import ArmFailed, Secret
from guardship.playbooks.expressions.arguments import array, json_object, text
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.values import Value, type_name


class Lambda(Protocol):
    @property
    def parameter_count(self) -> int: ...

    def __call__(self, *values: Value) -> Value: ...


def _checked(function: str, given: Any, least: int, most: int) -> Lambda:
    count = getattr(given, "parameter_count", None)
    if count is None:
        raise ArmFailed(f"The template function '{function}' expects a lambda, not a value of type '{type_name(given)}'.")
    if not least <= count <= most:
        wanted = str(least) if least == most else f"{least} or {most}"
        raise ArmFailed(f"The lambda of '{function}' takes {wanted} names, this one has {count}.", "WrongArity")
    made: Lambda = given
    return made


def _with_index(over: Lambda, count: int) -> Callable[..., Value]:
    """Called with one value more, which the lambda gets if it has a name for it."""
    return over if over.parameter_count > count else lambda *values: over(*values[:count])


def _truth(function: str, value: Value) -> bool:
    if isinstance(value, bool):
        return value
    raise ArmFailed(f"The lambda of '{function}' gives a boolean, not a value of type '{type_name(value)}'.")


def _name(function: str, given: Value) -> str:
    """The name of a property, which everybody may see."""
    if isinstance(given, Secret):
        raise ArmFailed(f"The template function '{function}' cannot make a name of the secure value of the parameter '{given.label}'.")
    return str(text(function, given))


def map_items(value: Value, over: Any) -> Value:
    apply = _with_index(_checked("map", over, 1, 2), 1)
    return [apply(item, index) for index, item in enumerate(array("map", value))]


def filter_items(value: Value, over: Any) -> Value:
    apply = _with_index(_checked("filter", over, 1, 2), 1)
    return [item for index, item in enumerate(array("filter", value)) if _truth("filter", apply(item, index))]


def reduce(value: Value, start: Value, over: Any) -> Value:
    apply = _with_index(_checked("reduce", over, 2, 3), 2)
    made = start
    for index, item in enumerate(array("reduce", value)):
        made = apply(made, item, index)
    return made


def sort(value: Value, over: Any) -> Value:
    """The lambda says whether its first value comes before its second; what it does not tell apart keeps its order."""
    before = _checked("sort", over, 2, 2)

    def compare(left: Value, right: Value) -> int:
        return -1 if _truth("sort", before(left, right)) else 1 if _truth("sort", before(right, left)) else 0

    return sorted(array("sort", value), key=cmp_to_key(compare))


def to_object(value: Value, keys: Any, values: Any = None) -> Value:
    key_of = _checked("toObject", keys, 1, 1)
    value_of = None if values is None else _checked("toObject", values, 1, 1)
    return {_name("toObject", key_of(item)): item if value_of is None else value_of(item) for item in array("toObject", value)}


def group_by(value: Value, keys: Any) -> Value:
    apply = _with_index(_checked("groupBy", keys, 1, 2), 1)
    groups: dict[str, Any] = {}
    for index, item in enumerate(array("groupBy", value)):
        groups.setdefault(_name("groupBy", apply(item, index)), []).append(item)
    return groups


def map_values(value: Value, over: Any) -> Value:
    apply = _checked("mapValues", over, 1, 1)
    return {name: apply(inner) for name, inner in json_object("mapValues", value).items()}


TABLE = (
    Entry("map", 2, 2, map_items),
    Entry("filter", 2, 2, filter_items),
    Entry("reduce", 3, 3, reduce),
    Entry("sort", 2, 2, sort),
    Entry("toObject", 2, 3, to_object),
    Entry("groupBy", 2, 2, group_by),
    Entry("mapValues", 2, 2, map_values),
)
