"""Functions of templates on arrays and objects, arithmetic and comparison."""

from collections.abc import Callable
from typing import Any

from guardship.playbooks.arm.symbols import ArmFailed
from guardship.playbooks.expressions.arguments import array, array_or_text, json_object, text, whole_number, wrong
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.functions import collections, conversion, logic, numbers, strings
from guardship.playbooks.expressions.values import EvaluationFailed, Value, find_key, same, text_of

_MOST_RANGE = 10_000


def concat(*values: Value) -> Value:
    """Arrays make an array, everything else makes a text."""
    if not any(isinstance(value, list) for value in values):
        return "".join(map(text_of, values))
    if not all(isinstance(value, list) for value in values):
        raise ArmFailed("The template function 'concat' expects texts or arrays, not both.")
    return [inner for value in values if isinstance(value, list) for inner in value]


def create_object(*pairs: Value) -> Value:
    if len(pairs) % 2:
        raise ArmFailed("The template function 'createObject' expects a value for each name: an even number of arguments.", "WrongArity")
    return {text("createObject", pairs[index]): pairs[index + 1] for index in range(0, len(pairs), 2)}


def try_get(value: Value, *path: Value) -> Value:
    here: Any = value
    for step in path:
        if isinstance(here, dict) and isinstance(step, str):
            found = find_key(here, step)
            here = None if found is None else here[found]
        elif isinstance(here, list) and isinstance(step, int):
            here = here[step] if 0 <= step < len(here) else None
        else:
            return None
    found_value: Value = here
    return found_value


def index_from_end(value: Value, position: Value) -> Value:
    """Counted from 1: the last item."""
    items, wanted = array("indexFromEnd", value), whole_number("indexFromEnd", position)
    if not 1 <= wanted <= len(items):
        raise ArmFailed(f"The array has {len(items)} items; there is none that is number {wanted} from its end.")
    return items[-wanted]  # type: ignore[no-any-return]  # JSON


def try_index_from_end(value: Value, position: Value) -> Value:
    if not isinstance(value, list) or not isinstance(position, int) or not 1 <= position <= len(value):
        return None
    return value[-position]  # type: ignore[no-any-return]  # JSON


def length(value: Value) -> Value:
    return len(value) if isinstance(value, dict) else strings.length(value)


def index_of(value: Value, searched: Value) -> Value:
    if isinstance(value, list):
        return next((index for index, item in enumerate(value) if same(item, searched)), -1)
    return strings.index_of(value, searched)


def last_index_of(value: Value, searched: Value) -> Value:
    if isinstance(value, list):
        return next((index for index in range(len(value) - 1, -1, -1) if same(value[index], searched)), -1)
    return strings.last_index_of(value, searched)


def flatten(value: Value) -> Value:
    return [inner for part in array("flatten", value) for inner in array("flatten", part)]


def take(value: Value, count: Value) -> Value:
    """Of a negative number nothing, where a playbook's `take` refuses it."""
    return array_or_text("take", value)[: max(whole_number("take", count), 0)]


def union(*values: Value) -> Value:
    """Objects are merged to any depth, arrays inside them are not."""
    if not all(isinstance(value, dict) for value in values):
        return collections.union(*values)
    merged: dict[str, Any] = {}
    for value in values:
        merged = _merged(merged, json_object("union", value))
    return merged


def _merged(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    made = dict(left)
    for name, inner in right.items():
        spelled = find_key(made, name) or name
        known = made.get(spelled)
        made[spelled] = _merged(known, inner) if isinstance(known, dict) and isinstance(inner, dict) else inner
    return made


def shallow_merge(value: Value) -> Value:
    merged: dict[str, Any] = {}
    for part in array("shallowMerge", value):
        for name, inner in json_object("shallowMerge", part).items():
            merged[find_key(merged, name) or name] = inner
    return merged


def _sorted_pairs(function: str, value: Value) -> list[tuple[str, Any]]:
    return sorted(json_object(function, value).items(), key=lambda pair: (pair[0].casefold(), pair[0]))


def items(value: Value) -> Value:
    """Sorted by key, without regard to case (a guess; the documentation says alphabetically)."""
    return [{"key": name, "value": inner} for name, inner in _sorted_pairs("items", value)]


def object_keys(value: Value) -> Value:
    return [name for name, _ in _sorted_pairs("objectKeys", value)]


def number_range(start: Value, count: Value) -> Value:
    if whole_number("range", count) > _MOST_RANGE:
        raise ArmFailed(f"The template function 'range' makes {_MOST_RANGE} numbers at most.")
    return numbers.number_range(start, count)


def _whole(name: str, perform: Callable[[Value, Value], Value]) -> Entry:
    """Arithmetic of templates is on whole numbers; a text that is one is taken as well (a guess: Azure converts it)."""

    def work(left: Value, right: Value) -> Value:
        return perform(*[conversion.to_int(value) if isinstance(value, str) else value for value in (left, right)])

    return Entry(name, 2, 2, work)


def _equals(left: Value, right: Value) -> Value:
    """Minds case; null equals null alone."""
    return left is right if left is None or right is None else same(left, right)


def contains(whole: Value, part: Value) -> Value:
    if isinstance(whole, str) and isinstance(part, int):
        return text_of(part) in whole
    return collections.contains(whole, part)


def empty(value: Value) -> Value:
    try:
        return collections.empty(value)
    except EvaluationFailed:
        raise wrong("empty", "be null, a string, an array or an object", value) from None


TABLE = (
    Entry("concat", 1, None, concat),
    Entry("array", 1, 1, conversion.to_array),
    Entry("contains", 2, 2, contains),
    Entry("createArray", 0, None, lambda *values: list(values)),
    Entry("createObject", 0, None, create_object),
    Entry("empty", 1, 1, empty),
    Entry("first", 1, 1, collections.first),
    Entry("last", 1, 1, collections.last),
    Entry("flatten", 1, 1, flatten),
    Entry("indexFromEnd", 2, 2, index_from_end),
    Entry("tryIndexFromEnd", 2, 2, try_index_from_end),
    Entry("indexOf", 2, 2, index_of),
    Entry("lastIndexOf", 2, 2, last_index_of),
    Entry("intersection", 2, None, collections.intersection),
    Entry("union", 2, None, union),
    Entry("shallowMerge", 1, 1, shallow_merge),
    Entry("items", 1, 1, items),
    Entry("objectKeys", 1, 1, object_keys),
    Entry("join", 2, 2, collections.join),
    Entry("length", 1, 1, length),
    Entry("max", 1, None, numbers.largest),
    Entry("min", 1, None, numbers.smallest),
    Entry("range", 2, 2, number_range),
    Entry("skip", 2, 2, collections.skip),
    Entry("take", 2, 2, take),
    Entry("tryGet", 2, None, try_get),
    Entry("null", 0, 0, lambda: None),
    Entry("true", 0, 0, lambda: True),
    Entry("false", 0, 0, lambda: False),
    Entry("not", 1, 1, logic.negate),
    Entry("equals", 2, 2, _equals),
    Entry("greater", 2, 2, logic.greater),
    Entry("greaterOrEquals", 2, 2, logic.greater_or_equals),
    Entry("less", 2, 2, logic.less),
    Entry("lessOrEquals", 2, 2, logic.less_or_equals),
    _whole("add", numbers.add),
    _whole("sub", numbers.sub),
    _whole("mul", numbers.mul),
    _whole("div", numbers.div),
    _whole("mod", numbers.mod),
)
