"""Functions on arrays and objects. Property names are found without case, written as they were spelled."""

from typing import Any

from guardship.playbooks.expressions.arguments import array, array_or_text, comparable, json_object, text, whole_number, wrong
from guardship.playbooks.expressions.bounds import joined
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.values import EvaluationFailed, Value, find_key, same, text_of


def contains(whole: Value, part: Value) -> Value:
    if isinstance(whole, str):
        return text("contains", part) in whole
    if isinstance(whole, list):
        return any(same(inner, part) for inner in whole)
    if isinstance(whole, dict):
        return find_key(whole, text_of(part)) is not None
    raise wrong("contains", "be a dictionary (object), an array or a string", whole)


def empty(value: Value) -> Value:
    if value is None:
        return True
    if isinstance(value, str | list | dict):
        return not value
    raise wrong("empty", "be an object, an array or a string", value)


def first(value: Value) -> Value:
    whole = array_or_text("first", value)
    if isinstance(whole, str):
        return whole[:1]
    return whole[0] if whole else None


def last(value: Value) -> Value:
    whole = array_or_text("last", value)
    if isinstance(whole, str):
        return whole[-1:]
    return whole[-1] if whole else None


def reverse(value: Value) -> Value:
    if not isinstance(value, list):
        raise wrong("reverse", "be of type array", value)
    return value[::-1]


def sort(value: Value, by: Value = None) -> Value:
    items = array("sort", value)
    name = None if by is None else text("sort", by)
    keyed = [(item if name is None else _property(item, name), item) for item in items]
    return [item for _, item in _sorted(keyed)]


def _property(item: Value, name: str) -> Value:
    found = find_key(item, name) if isinstance(item, dict) else None
    return item[found] if isinstance(item, dict) and found is not None else None


def _sorted(keyed: list[tuple[Value, Any]]) -> list[tuple[Value, Any]]:
    """A merge sort over `comparable`, which refuses what has no order."""
    if len(keyed) < 2:
        return keyed
    middle = len(keyed) // 2
    left, right = _sorted(keyed[:middle]), _sorted(keyed[middle:])
    merged: list[tuple[Value, Any]] = []
    here = there = 0
    while here < len(left) and there < len(right):
        one, other = comparable("sort", left[here][0], right[there][0])
        if other < one:
            merged.append(right[there])
            there += 1
        else:
            merged.append(left[here])
            here += 1
    return merged + left[here:] + right[there:]


def join(value: Value, separator: Value) -> Value:
    return joined([text_of(item) for item in array("join", value)], text("join", separator))


def skip(value: Value, count: Value) -> Value:
    return array_or_text("skip", value)[max(whole_number("skip", count), 0) :]


def take(value: Value, count: Value) -> Value:
    whole, wanted = array_or_text("take", value), whole_number("take", count)
    if wanted < 0:
        raise wrong("take", "be a positive integer", count)
    return whole[:wanted]


def union(*values: Value) -> Value:
    if all(isinstance(value, list) for value in values):
        return _distinct([inner for value in values if isinstance(value, list) for inner in value])
    if all(isinstance(value, dict) for value in values):
        merged: dict[str, Any] = {}
        for value in values:
            for name, inner in value.items() if isinstance(value, dict) else ():
                merged[find_key(merged, name) or name] = inner
        return merged
    raise EvaluationFailed("The template language function 'union' expects parameters of same type: all arrays or all objects.")


def intersection(*values: Value) -> Value:
    lists = [value for value in values if isinstance(value, list)]
    if len(lists) == len(values):
        return _distinct([item for item in lists[0] if all(any(same(item, other) for other in rest) for rest in lists[1:])])
    objects = [value for value in values if isinstance(value, dict)]
    if len(objects) == len(values):
        return {
            name: inner for name, inner in objects[0].items() if all(name in other and same(inner, other[name]) for other in objects[1:])
        }
    raise EvaluationFailed("The template language function 'intersection' expects parameters of same type: all arrays or all objects.")


def _distinct(items: list[Any]) -> list[Any]:
    seen: set[tuple[str, object]] = set()
    kept: list[Any] = []
    for item in items:
        if isinstance(item, str | int | float) or item is None:
            mark = ("bool" if isinstance(item, bool) else type(item).__name__ if isinstance(item, str) else "number", item)
            if mark not in seen:
                seen.add(mark)
                kept.append(item)
        elif not any(same(item, other) for other in kept):
            kept.append(item)
    return kept


def add_property(target: Value, name: Value, value: Value) -> Value:
    whole, key = json_object("addProperty", target), text("addProperty", name)
    if find_key(whole, key) is not None:
        raise EvaluationFailed(f"The template language function 'addProperty' expects the property to not exist in the object: '{key}'.")
    return {**whole, key: value}


def set_property(target: Value, name: Value, value: Value) -> Value:
    whole, key = json_object("setProperty", target), text("setProperty", name)
    spelled = find_key(whole, key) or key
    return {**{inner: held for inner, held in whole.items() if inner != spelled}, spelled: value}


def remove_property(target: Value, name: Value) -> Value:
    whole, key = json_object("removeProperty", target), text("removeProperty", name)
    spelled = find_key(whole, key)
    return {inner: held for inner, held in whole.items() if inner != spelled}


def create_array(*items: Value) -> Value:
    return list(items)


TABLE = (
    Entry("contains", 2, 2, contains),
    Entry("empty", 1, 1, empty),
    Entry("first", 1, 1, first),
    Entry("last", 1, 1, last),
    Entry("reverse", 1, 1, reverse),
    Entry("sort", 1, 2, sort),
    Entry("join", 2, 2, join),
    Entry("skip", 2, 2, skip),
    Entry("take", 2, 2, take),
    Entry("union", 1, None, union),
    Entry("intersection", 1, None, intersection),
    Entry("addProperty", 3, 3, add_property),
    Entry("setProperty", 3, 3, set_property),
    Entry("removeProperty", 2, 2, remove_property),
    Entry("createArray", 1, None, create_array),
)
