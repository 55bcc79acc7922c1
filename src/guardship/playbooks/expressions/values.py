"""What an expression works on: JSON values, exact decimals, and binary or XML content in its published envelope.

Content is `{"$content-type": "application/octet-stream", "$content": "aGVsbG8="}`, a plain object, so that it lies in a journal and in a
message as it is. Whole numbers are 64 bits wide and never wrap round.
"""

import base64
import binascii
import math
from decimal import Decimal
from typing import Any, TypeAlias

import orjson

from guardship.errors import Fault, GuardshipError

Value: TypeAlias = dict[str, Any] | list[Any] | str | int | float | Decimal | None  # bool is an int

CONTENT_TYPE = "$content-type"
CONTENT = "$content"
LEAST_INT = -(2**63)
MOST_INT = 2**63 - 1


class EvaluationFailed(GuardshipError):
    """An expression that cannot be worked out with the values it met; the action fails with this code."""

    code = "InvalidTemplate"
    fault = Fault.BAD_INPUT


class UnknownFunction(EvaluationFailed):
    def __init__(self, name: str) -> None:
        super().__init__(f"The template function '{name}' is not defined or not valid.")


def is_number(value: Value) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_content(value: Value) -> bool:
    return isinstance(value, dict) and CONTENT_TYPE in value and CONTENT in value


def content_of(value: bytes, content_type: str) -> dict[str, Any]:
    return {CONTENT_TYPE: content_type, CONTENT: base64.b64encode(value).decode()}


def content_bytes(value: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(str(value[CONTENT]).replace(" ", "+"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EvaluationFailed("The content is not valid base64.") from error


def content_text(value: dict[str, Any]) -> str:
    charset = "utf-8"
    for part in str(value[CONTENT_TYPE]).split(";")[1:]:
        name, _, given = part.partition("=")
        if name.strip().lower() == "charset":
            charset = given.strip().lower()
    try:
        return content_bytes(value).decode(charset, errors="replace")
    except LookupError as error:
        raise EvaluationFailed(f"The content's character set '{charset}' is not known.") from error


def whole(value: int) -> int:
    """The number itself if it fits 64 bits."""
    if LEAST_INT <= value <= MOST_INT:
        return value
    raise EvaluationFailed(f"The number {value} does not fit 64 bits.")


def type_name(value: Value) -> str:
    match value:
        case None:
            return "Null"
        case bool():
            return "Boolean"
        case int():
            return "Integer"
        case float() | Decimal():
            return "Float"
        case str():
            return "String"
        case list():
            return "Array"
        case _:
            return "Object"


def number_text(value: float | Decimal) -> str:
    """As .NET prints it: `5` for 5.0, `1E+15`, `1E-05`; a decimal keeps its zeros."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0" if str(value).startswith("-") else "0"
    shortest = Decimal(repr(value)).normalize()
    sign, number, scale = shortest.as_tuple()
    figures = "".join(map(str, number))
    power = len(figures) - 1 + int(scale)
    if -5 < power < 15:
        return format(shortest, "f")
    head = figures[0] + ("." + figures[1:] if len(figures) > 1 else "")
    return f"{'-' if sign else ''}{head}E{'+' if power >= 0 else '-'}{abs(power):02d}"


def plain(value: object) -> float:
    """What JSON has no form for: an exact decimal."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value).__name__)


def json_text(value: Value) -> str:
    """Compact JSON in which a float prints `5.0`."""
    try:
        return orjson.dumps(value, default=plain).decode()
    except (orjson.JSONEncodeError, UnicodeEncodeError, RecursionError) as error:
        raise EvaluationFailed(f"The value cannot be written as JSON: {error}.") from error


def text_of(value: Value) -> str:
    """What an interpolation puts into its string."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int | float | Decimal):
        return number_text(value)
    if isinstance(value, dict) and is_content(value):
        return content_text(value)
    return json_text(value)


def same(left: Value, right: Value) -> bool:
    """Equality as `equals` means it: 1 equals 1.0, null counts as ''."""
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool) and left is right
    if left is None:
        return right is None or right == ""
    if right is None:
        return left == ""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(inner, right[name]) for name, inner in left.items())
    if isinstance(left, Decimal) != isinstance(right, Decimal) and is_number(left) and is_number(right):
        return float(left) == float(right)  # type: ignore[arg-type]  # both are numbers
    return left == right


def find_key(target: dict[str, Any], name: str) -> str | None:
    """The key as it is spelled there: exact first, else the first that matches without case."""
    if name in target:
        return name
    folded = name.casefold()
    for key in target:
        if key.casefold() == folded:
            return key
    return None
