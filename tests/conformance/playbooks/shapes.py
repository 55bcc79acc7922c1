"""What an answer must look like so that a definition can go on with it: guessed from how its expressions read it.

`@body('Look_up')?['value']` in a foreach is an array below `value`; a ParseJson that takes the body brings its schema; what is compared
with a number is one, and with a word is that word, so that a condition is likelier to hold than not.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ITEM = "*"
MOMENT = "2026-11-24T03:14:05.1234560Z"
MOST_DEPTH = 30


@dataclass(slots=True)
class Shape:
    """A value that is read: by its properties, by its items, or as it is."""

    properties: dict[str, "Shape"] = field(default_factory=dict)
    item: "Shape | None" = None
    kind: str = ""  # string, number, boolean, moment, base64, json, xml, array, object
    value: Any = None  # what it is compared with
    schema: Mapping[str, Any] | None = None
    is_read: bool = False

    def below(self, keys: list[str]) -> "Shape":
        here = self
        for key in keys:
            here.is_read = True
            if key == ITEM:
                here.item = here.item or Shape()
                here = here.item
            else:
                here = here._property(key)
        here.is_read = True
        return here

    def _property(self, name: str) -> "Shape":
        known = next((key for key in self.properties if key.lower() == name.lower()), name)
        return self.properties.setdefault(known, Shape())

    def is_a(self, kind: str) -> None:
        self.kind = self.kind or kind

    def made(self, depth: int = 0) -> Any:
        """A value of this shape."""
        if depth > MOST_DEPTH:
            return None
        if self.kind == "json":
            return json.dumps(Shape(self.properties, self.item, schema=self.schema).made(depth + 1))
        if self.schema is not None:
            return merged(of_schema(self.schema), self._read(depth))
        return self._read(depth)

    def _read(self, depth: int) -> Any:
        if self.item is not None or (self.kind == "array" and not self.properties):
            item = self.item.made(depth + 1) if self.item is not None else None
            return ["text" if item is None else item]
        if self.properties:
            return {name: inner.made(depth + 1) for name, inner in self.properties.items()}
        if self.value is not None:
            return self.value
        return _PLAIN.get(self.kind, "text")


_PLAIN: dict[str, Any] = {
    "string": "text",
    "number": 1,
    "boolean": True,
    "moment": MOMENT,
    "base64": base64.b64encode(b"text").decode(),
    "xml": "<a>1</a>",
    "figures": "1",
    "object": {},
}


def of_schema(schema: Any, depth: int = 0) -> Any:
    """A value that a JSON schema lets pass, with every property and one item."""
    if not isinstance(schema, dict) or depth > MOST_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(name), list) and schema[name]:
            return of_schema(schema[name][0], depth + 1)
    kinds = schema.get("type")
    listed = kinds if isinstance(kinds, list) else [kinds]
    kind = next((one for one in listed if one not in (None, "null")), None)
    if kind == "object" or (kind is None and "properties" in schema):
        made = {name: of_schema(inner, depth + 1) for name, inner in (schema.get("properties") or {}).items()}
        return made | {name: made.get(name, "text") for name in schema.get("required") or () if isinstance(name, str)}
    if kind == "array":
        return [of_schema(schema.get("items"), depth + 1)] if isinstance(schema.get("items"), dict) else []
    if kind == "string":
        return MOMENT if schema.get("format") == "date-time" else "text"
    plain: dict[str | None, Any] = {"integer": 1, "number": 1.5, "boolean": True}
    return plain.get(kind)


def merged(value: Any, more: Any) -> Any:
    """`value` where it says something, `more` in its gaps; what a schema has typed stays of its type."""
    if isinstance(value, dict) and isinstance(more, dict):
        known = {name.lower(): name for name in value}
        made = dict(value)
        for name, inner in more.items():
            own = known.get(name.lower(), name)
            made[own] = merged(value[own], inner) if own in value else inner
        return made
    if isinstance(value, list) and isinstance(more, list):
        if not value:
            return more
        return [merged(one, more[0]) if more else one for one in value]
    if value is None or (value in ("text", 1, {}) and type(value) is type(more)):
        return more if more is not None else value
    return value


def completed(value: Any, more: Any) -> Any:
    """A published answer, with what a definition reads beyond it; nothing published is changed."""
    if isinstance(value, dict) and isinstance(more, dict):
        known = {name.lower(): name for name in value}
        added = {name: inner for name, inner in more.items() if name.lower() not in known}
        return {
            name: completed(inner, next((more[key] for key in more if key.lower() == name.lower()), None)) for name, inner in value.items()
        } | added
    if isinstance(value, list) and isinstance(more, list) and more:
        return [completed(one, more[0]) for one in value]
    return value
