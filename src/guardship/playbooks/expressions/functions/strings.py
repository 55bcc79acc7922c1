"""String functions. `indexOf`, `startsWith` and their kin ignore case; `replace`, `contains` and `split` mind it."""

import uuid
from collections.abc import Callable

from guardship.playbooks.expressions.arguments import array_or_text, text, whole_number, wrong
from guardship.playbooks.expressions.bounds import joined, replaced
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.evaluate import Scope
from guardship.playbooks.expressions.values import EvaluationFailed, Value, text_of


def concat(*parts: Value) -> Value:
    return joined([text_of(part) for part in parts])


def to_lower(value: Value) -> Value:
    return _mapped_one_to_one(text("toLower", value), str.lower)


def to_upper(value: Value) -> Value:
    return _mapped_one_to_one(text("toUpper", value), str.upper)


def _mapped_one_to_one(value: str, change: Callable[[str], str]) -> str:
    """Case as the invariant culture maps it: one character to one, the dotless and dotted i stay as they are."""
    if value.isascii():
        return change(value)
    changed = [(sign, change(sign)) for sign in value]
    return "".join(sign if sign in "ıİ" or len(other) != 1 else other for sign, other in changed)


def trim(value: Value) -> Value:
    return text("trim", value).strip()


def length(value: Value) -> Value:
    return len(array_or_text("length", value))


def chunk(value: Value, size: Value) -> Value:
    whole, count = array_or_text("chunk", value), whole_number("chunk", size)
    if count <= 0:
        raise EvaluationFailed("The template language function 'chunk' expects its length to be a positive integer.")
    return [whole[start : start + count] for start in range(0, len(whole), count)]


def ends_with(value: Value, ending: Value) -> Value:
    return text("endsWith", value).lower().endswith(text("endsWith", ending).lower())


def starts_with(value: Value, beginning: Value) -> Value:
    return text("startsWith", value).lower().startswith(text("startsWith", beginning).lower())


def index_of(value: Value, searched: Value) -> Value:
    return text("indexOf", value).lower().find(text("indexOf", searched).lower())


def last_index_of(value: Value, searched: Value) -> Value:
    whole, part = text("lastIndexOf", value), text("lastIndexOf", searched)
    if not part:
        return max(len(whole) - 1, 0)
    return whole.lower().rfind(part.lower())


def nth_index_of(value: Value, searched: Value, occurrence: Value) -> Value:
    whole, part = text("nthIndexOf", value).lower(), text("nthIndexOf", searched).lower()
    wanted = whole_number("nthIndexOf", occurrence)
    if not part or wanted == 0:
        return 0 if not part else -1
    position = -1 if wanted > 0 else len(whole)
    for _ in range(abs(wanted)):
        position = whole.find(part, position + 1) if wanted > 0 else whole.rfind(part, 0, max(position + len(part) - 1, 0))
        if position < 0:
            return -1
    return position


def split(value: Value, separator: Value) -> Value:
    whole, by = text("split", value), text("split", separator)
    return whole.split(by) if by else [whole]


def replace(value: Value, old: Value, new: Value) -> Value:
    whole, searched, put = text("replace", value), text("replace", old), text("replace", new)
    if not searched:
        raise EvaluationFailed("String cannot be of zero length. (Parameter 'oldValue')")
    return replaced(whole, searched, put)


def substring(value: Value, start: Value, count: Value = None) -> Value:
    whole, first = text("substring", value), whole_number("substring", start)
    size = len(whole) - first if count is None else whole_number("substring", count)
    if first < 0 or size < 0 or first + size > len(whole):
        raise EvaluationFailed(
            "The template language function 'substring' parameters are out of range: 'start index' and 'length' must be non-negative "
            "integers and their sum must be no larger than the length of the string."
        )
    return whole[first : first + size]


def slice_text(value: Value, start: Value, end: Value = None) -> Value:
    whole, first = text("slice", value), whole_number("slice", start)
    return whole[first:] if end is None else whole[first : whole_number("slice", end)]


def guid(scope: Scope, form: Value = "D") -> Value:
    made = str(uuid.UUID(bytes=scope.random_bytes(16), version=4))
    match text("guid", form).upper():
        case "D" | "":
            return made
        case "N":
            return made.replace("-", "")
        case "B":
            return f"{{{made}}}"
        case "P":
            return f"({made})"
        case "X":
            bare = made.replace("-", "")
            tail = ",".join(f"0x{bare[start : start + 2]}" for start in range(16, 32, 2))
            return f"{{0x{bare[:8]},0x{bare[8:12]},0x{bare[12:16]},{{{tail}}}}}"
        case _:
            raise wrong("guid", "be one of the forms 'N', 'D', 'B', 'P' and 'X'", form)


TABLE = (
    Entry("concat", 1, None, concat),
    Entry("toLower", 1, 1, to_lower),
    Entry("toUpper", 1, 1, to_upper),
    Entry("trim", 1, 1, trim),
    Entry("length", 1, 1, length),
    Entry("chunk", 2, 2, chunk),
    Entry("endsWith", 2, 2, ends_with),
    Entry("startsWith", 2, 2, starts_with),
    Entry("indexOf", 2, 2, index_of),
    Entry("lastIndexOf", 2, 2, last_index_of),
    Entry("nthIndexOf", 3, 3, nth_index_of),
    Entry("split", 2, 2, split),
    Entry("replace", 3, 3, replace),
    Entry("substring", 2, 3, substring),
    Entry("slice", 2, 3, slice_text),
    Entry("guid", 0, 1, guid, needs_scope=True),
)
