"""The functions of ARM templates. Those that an expression of a playbook has too are the same code; the rest are here.

`reference`, `listKeys` and their kin need a deployment that has happened; a template that uses them where it matters is told so.
"""

import base64
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guardship.errors import counted
from guardship.playbooks.expressions.functions import collections, conversion, logic, numbers, strings
from guardship.playbooks.expressions.values import EvaluationFailed, Value, text_of

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True)
class ArmPlace:
    """Where a template would be deployed: what `subscription()` and `resourceGroup()` tell."""

    subscription_id: str = "5a1e0000-0000-4000-8000-000000000001"
    tenant_id: str = "7e4a0000-0000-4000-8000-000000000001"
    resource_group: str = "AzureBootcamp"
    location: str = "westeurope"

    @property
    def subscription_path(self) -> str:
        return f"/subscriptions/{self.subscription_id}"

    @property
    def group_path(self) -> str:
        return f"{self.subscription_path}/resourceGroups/{self.resource_group}"


def unique_string(*values: Value) -> Value:
    """Thirteen characters that stay the same for the same values."""
    number = int.from_bytes(hashlib.sha256("-".join(map(text_of, values)).encode()).digest()[:9])
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in range(13))


def name_guid(*values: Value) -> Value:
    return str(uuid.uuid5(uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830"), "-".join(map(text_of, values))))


def joined_id(base: str, values: tuple[Value, ...]) -> str:
    """`resourceId('Microsoft.Web/connections', 'a')`: the type's segments and the names take turns."""
    texts = [text_of(value) for value in values]
    kind = next((index for index, text in enumerate(texts) if "/" in text and "." in text.split("/")[0]), None)
    if kind is None:
        raise EvaluationFailed("A resource id needs a type such as 'Microsoft.Web/connections'.")
    provider, *types = texts[kind].split("/")
    names = texts[kind + 1 :]
    if len(types) != len(names):
        raise EvaluationFailed(f"The type '{texts[kind]}' needs {counted(len(types), 'name')}, it was given {len(names)}.")
    prefix = base
    if kind == 1:
        prefix = f"{base.partition('/resourceGroups/')[0]}/resourceGroups/{texts[0]}"
    elif kind == 2:
        prefix = f"/subscriptions/{texts[0]}/resourceGroups/{texts[1]}"
    pairs = "/".join(f"{type_name}/{name}" for type_name, name in zip(types, names, strict=True))
    return f"{prefix}/providers/{provider}/{pairs}"


def concat(*values: Value) -> Value:
    if values and all(isinstance(value, list) for value in values):
        return [inner for value in values if isinstance(value, list) for inner in value]
    return "".join(map(text_of, values))


def format_text(template: Value, *values: Value) -> Value:
    """`format('{0}-{1}', a, b)`; `{{` is a brace."""
    return text_of(template).format(*[text_of(value) for value in values])


def join_uri(base: Value, rest: Value) -> Value:
    return f"{text_of(base).rstrip('/')}/{text_of(rest).lstrip('/')}"


def create_object(*pairs: Value) -> Value:
    return {text_of(pairs[index]): pairs[index + 1] for index in range(0, len(pairs) - 1, 2)}


def pad_left(value: Value, width: Value, sign: Value = " ") -> Value:
    return text_of(value).rjust(int(text_of(width)), text_of(sign) or " ")


def try_get(value: Value, *path: Value) -> Value:
    here: Any = value
    for step in path:
        here = (
            here.get(step)
            if isinstance(here, dict)
            else here[step]
            if isinstance(here, list) and isinstance(step, int) and step < len(here)
            else None
        )
    found: Value = here
    return found


def base64_text(value: Value) -> Value:
    return base64.b64encode(text_of(value).encode()).decode()


def length(value: Value) -> Value:
    return len(value) if isinstance(value, dict) else strings.length(value)


PURE: dict[str, Callable[..., Value]] = {
    "concat": concat,
    "uniquestring": unique_string,
    "guid": name_guid,
    "format": format_text,
    "uri": join_uri,
    "createobject": create_object,
    "padleft": pad_left,
    "tryget": try_get,
    "base64": base64_text,
    "length": length,
    "null": lambda: None,
    "true": lambda: True,
    "false": lambda: False,
    "and": lambda *values: all(values),
    "or": lambda *values: any(values),
    "not": logic.negate,
    "equals": lambda left, right: (
        left.casefold() == right.casefold() if isinstance(left, str) and isinstance(right, str) else logic.equals(left, right)
    ),
    "greater": logic.greater,
    "greaterorequals": logic.greater_or_equals,
    "less": logic.less,
    "lessorequals": logic.less_or_equals,
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "createarray": lambda *values: list(values),
    "split": lambda text, by: strings.split(text, by[0] if isinstance(by, list) and by else by),
    "last": collections.last,
    "first": collections.first,
    "skip": collections.skip,
    "take": collections.take,
    "contains": collections.contains,
    "empty": collections.empty,
    "union": collections.union,
    "intersection": collections.intersection,
    "join": collections.join,
    "range": numbers.number_range,
    "add": numbers.add,
    "sub": numbers.sub,
    "mul": numbers.mul,
    "div": numbers.div,
    "mod": numbers.mod,
    "min": numbers.smallest,
    "max": numbers.largest,
    "replace": strings.replace,
    "tolower": strings.to_lower,
    "toupper": strings.to_upper,
    "trim": strings.trim,
    "substring": strings.substring,
    "indexof": strings.index_of,
    "lastindexof": strings.last_index_of,
    "startswith": strings.starts_with,
    "endswith": strings.ends_with,
    "string": conversion.to_string,
    "int": conversion.to_int,
    "bool": conversion.to_bool,
    "json": conversion.to_json,
    "array": conversion.to_array,
    "base64tostring": conversion.base64_to_string,
    "uricomponent": conversion.uri_component,
    "uricomponenttostring": conversion.uri_component_to_string,
    "datauri": conversion.data_uri,
    "datauritostring": conversion.data_uri_to_string,
}

NEEDS_DEPLOYMENT = frozenset({"reference", "listkeys", "listcallbackurl", "listsecrets", "listaccountsas", "list"})
