"""JSON schemas of definitions: nearly all are made by a designer of five keywords, and need no second validator to be seen as valid.

A quarter of the time it took to load a folder of templates went into `check_schema`, which works the schema of schemas through for each.
"""

from typing import Any

from jsonschema import Draft7Validator

_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_ANYTHING = frozenset({"default", "examples", "const"})
_TEXTS = frozenset({"title", "description", "format", "$comment"})


def check_schema(schema: dict[str, Any]) -> None:
    """Raises SchemaError when it is not valid."""
    if not is_plain(schema):
        Draft7Validator.check_schema(schema)


def is_plain(schema: Any) -> bool:
    """Whether a schema is surely valid; what is written by hand may be valid all the same."""
    if not isinstance(schema, dict):
        return isinstance(schema, bool)
    return all(_is_plain_keyword(name, value) for name, value in schema.items())


def _is_plain_keyword(name: str, value: Any) -> bool:
    match name:
        case "type" if isinstance(value, str):
            return value in _TYPES
        case "type":
            return isinstance(value, list) and bool(value) and _are_texts(value) and _TYPES.issuperset(value)
        case "properties":
            return isinstance(value, dict) and all(map(is_plain, value.values()))
        case "items" | "additionalProperties":
            return is_plain(value)
        case "required":
            return isinstance(value, list) and _are_texts(value)
        case _:
            return name in _ANYTHING or (name in _TEXTS and isinstance(value, str))


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values) and len(set(values)) == len(values)
