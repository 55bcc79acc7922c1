"""How large what an expression makes may get: text of ten million characters, JSON two hundred deep. Looked at before it is made."""

from collections.abc import Sequence

from guardship.playbooks.expressions.values import EvaluationFailed, Value

MOST_TEXT = 10 * 1024 * 1024
MOST_DEPTH = 200


class ResultTooLarge(EvaluationFailed):
    code = "ResultTooLarge"

    def __init__(self, size: int) -> None:
        super().__init__(f"The text would have {size} characters, the most an expression may make are {MOST_TEXT}.")


class ResultTooDeep(EvaluationFailed):
    code = "ResultTooDeep"

    def __init__(self) -> None:
        super().__init__(f"The value is nested more than {MOST_DEPTH} deep.")


def joined(parts: Sequence[str], separator: str = "") -> str:
    size = sum(map(len, parts)) + len(separator) * max(len(parts) - 1, 0)
    if size > MOST_TEXT:
        raise ResultTooLarge(size)
    return separator.join(parts)


def replaced(whole: str, searched: str, put: str) -> str:
    if len(put) > len(searched):
        size = len(whole) + whole.count(searched) * (len(put) - len(searched))
        if size > MOST_TEXT:
            raise ResultTooLarge(size)
    return whole.replace(searched, put)


def is_too_deep(value: Value) -> bool:
    """Level by level, so that its own depth is none."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MOST_DEPTH):
        if not level:
            return False
        level = [
            inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer) if isinstance(inner, dict | list)
        ]
    return bool(level)


def not_too_deep(value: Value) -> Value:
    if is_too_deep(value):
        raise ResultTooDeep
    return value
