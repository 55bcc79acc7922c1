"""Parameters of a template: their types and bounds, and files that give their values.

`{"$schema": "…/deploymentParameters.json#", "parameters": {"Name": {"value": "pb"}, "Key": {"reference": {"keyVault": {"id": "…"},
"secretName": "key"}}}}`. What a vault keeps is not fetched: it is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.lenient_json import JsonSyntax, decode, parse
from guardship.playbooks.arm.symbols import Unknown
from guardship.playbooks.expressions.values import json_text, same

SECURE = frozenset({"securestring", "secureobject"})
_TYPES: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "string": ("a string", str),
    "securestring": ("a string", str),
    "int": ("a whole number", int),
    "bool": ("a boolean", bool),
    "array": ("an array", list),
    "object": ("an object", dict),
    "secureobject": ("an object", dict),
}
_BOUNDS = (("minValue", "maxValue", "it must be"), ("minLength", "maxLength", "its length must be"))


@dataclass(frozen=True, slots=True)
class VaultSecret:
    """A parameter's value that lies in a key vault."""

    vault_id: str
    secret_name: str


def read_parameter_file(document: str | bytes) -> dict[str, Any]:
    """The values of a `deploymentParameters.json`; raises JsonSyntax when it is no such file."""
    content = parse(decode(document))
    if not isinstance(content, dict) or not isinstance(field_of(content, "parameters"), dict):
        raise JsonSyntax("this is not a parameter file", hint='it looks like {"parameters": {"Name": {"value": "…"}}}')
    return given_values({"parameters": field_of(content, "parameters")})


def given_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name, of a parameter file or of a plain object."""
    listed = field_of(document, "parameters")
    schema = str(field_of(document, "$schema", ""))
    if not isinstance(listed, dict) or not (
        "deploymentparameters" in schema.lower() or set(document) <= {"$schema", "contentVersion", "parameters"}
    ):
        return dict(document)
    return {name: _value_of(entry) for name, entry in listed.items() if isinstance(entry, dict)}


def is_parameter_file(document: Any) -> bool:
    if not isinstance(document, dict) or "resources" in document or "definition" in document:
        return False
    return "deploymentparameters" in str(field_of(document, "$schema", "")).lower()


def _value_of(entry: dict[str, Any]) -> Any:
    reference = field_of(entry, "reference")
    if "value" in entry or not isinstance(reference, dict):
        return field_of(entry, "value")
    vault = field_of(reference, "keyVault")
    return VaultSecret(str(field_of(vault, "id", "")) if isinstance(vault, dict) else "", str(field_of(reference, "secretName", "")))


def is_secure(declared: Mapping[str, Any]) -> bool:
    return str(field_of(declared, "type", "")).lower() in SECURE


def wrong_value(value: Any, declared: Mapping[str, Any], *, is_hidden: bool = False) -> str | None:
    """Why a value does not fit its declaration, or None. A secure value is not told, nor one that is hidden."""
    kind = str(field_of(declared, "type", "")).lower()
    if kind not in _TYPES:
        return f"there is no parameter type {field_of(declared, 'type')}" if kind else None
    if isinstance(value, Unknown) or (value is None and field_of(declared, "nullable") is True):
        return None
    wanted, python_type = _TYPES[kind]
    if not isinstance(value, python_type) or (isinstance(value, bool) and kind != "bool"):
        return f"it must be {wanted}" if is_hidden or kind in SECURE else f"it must be {wanted}, not {_shown(value)}"
    return _outside(value, declared, is_hidden=is_hidden or kind in SECURE)


def _outside(value: Any, declared: Mapping[str, Any], *, is_hidden: bool) -> str | None:
    allowed = field_of(declared, "allowedValues")
    if isinstance(allowed, list) and not _is_allowed(value, allowed):
        listed = ", ".join(map(_shown, allowed))
        return f"it is not one of {listed}" if is_hidden else f"{_shown(value)} is not one of {listed}"
    for least_name, most_name, words in _BOUNDS:
        measured = value if least_name == "minValue" else len(value) if isinstance(value, str | list) else None
        if not isinstance(measured, int) or isinstance(measured, bool):
            continue
        least, most = field_of(declared, least_name), field_of(declared, most_name)
        if isinstance(least, int) and measured < least:
            return f"{words} at least {least}"
        if isinstance(most, int) and measured > most:
            return f"{words} at most {most}"
    return None


def _is_allowed(value: Any, allowed: list[Any]) -> bool:
    """An array may also be a choice of several of them."""
    if any(same(value, each) for each in allowed):
        return True
    return isinstance(value, list) and all(any(same(inner, each) for each in allowed) for inner in value)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json_text(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
