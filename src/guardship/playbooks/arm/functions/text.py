"""Functions of templates on texts. Those of playbooks that do the same are the same code; here is what differs."""

import base64
import hashlib
import re
import uuid
from urllib.parse import urlsplit

from guardship.playbooks.arm.symbols import ArmFailed
from guardship.playbooks.expressions.arguments import text, whole_number, wrong
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.functions import conversion, strings
from guardship.playbooks.expressions.functions.number_format import format_number
from guardship.playbooks.expressions.values import Value, is_number, text_of

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_GUID_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
_HOLE = re.compile(r"\{\{|\}\}|\{(?P<index>\d+)(?:,(?P<width>-?\d+))?(?::(?P<form>[^{}]*))?\}|[{}]")


def unique_string(*values: Value) -> Value:
    """Thirteen characters that stay the same for the same values; not the ones Azure would make (its hash is not published)."""
    number = int.from_bytes(hashlib.sha256("-".join(map(text_of, values)).encode()).digest()[:9])
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in range(13))


def name_guid(*values: Value) -> Value:
    return str(uuid.uuid5(_GUID_NAMESPACE, "-".join(map(text_of, values))))


def format_text(template: Value, *values: Value) -> Value:
    """A composite format of .NET: `format('{0}: {1,6:N2}', 'a', 1.5)`; `{{` is a brace."""

    def filled(match: re.Match[str]) -> str:
        if match["index"] is None:
            if len(match.group()) == 1:
                raise ArmFailed(f"The format '{text_of(template)}' has a brace that is not closed; write it twice for a literal one.")
            return match.group()[0]
        index = int(match["index"])
        if index >= len(values):
            raise ArmFailed(f"The format asks for the value {{{index}}}, it was given {len(values)}.")
        value, form = values[index], match["form"]
        made = text_of(format_number(value, form)) if form and is_number(value) else text_of(value)
        width = int(match["width"] or 0)
        return made.ljust(-width) if width < 0 else made.rjust(width)

    return _HOLE.sub(filled, text("format", template))


def join_uri(base: Value, rest: Value) -> Value:
    """From the last slash of `base` on, `rest` takes its place; a base of a host alone gets a slash."""
    whole, part = text("uri", base), text("uri", rest)
    if not urlsplit(whole).scheme:
        raise ArmFailed(f"The template function 'uri' expects an absolute URI first, not '{whole[:200]}'.")
    before, _, host_and_path = whole.partition("://")
    kept = host_and_path.rpartition("/")[0] if "/" in host_and_path else host_and_path
    return f"{before}://{kept}/{part.lstrip('/')}"


def pad_left(value: Value, width: Value, sign: Value = " ") -> Value:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise wrong("padLeft", "be a string or an integer", value)
    filler = text("padLeft", sign)
    if len(filler) != 1:
        raise ArmFailed("The template function 'padLeft' pads with one character.")
    return text_of(value).rjust(whole_number("padLeft", width), filler)


def base64_text(value: Value) -> Value:
    return base64.b64encode(text("base64", value).encode()).decode()


def data_uri(value: Value) -> Value:
    return f"data:text/plain;charset=utf8;base64,{base64.b64encode(text('dataUri', value).encode()).decode()}"


def split(value: Value, separators: Value) -> Value:
    """At one separator, or at each of several."""
    if not isinstance(separators, list):
        return strings.split(value, separators)
    given = [text("split", separator) for separator in separators]
    return re.split("|".join(re.escape(each) for each in given if each) or r"(?!)", text("split", value))


def to_float(value: Value) -> Value:
    return conversion.to_float(value)


def fail(message: Value) -> Value:
    raise ArmFailed(text_of(message))


def parse_uri(value: Value) -> Value:
    """The published parts of a URI (their names in the result are a guess)."""
    parts = urlsplit(text("parseUri", value))
    return {"scheme": parts.scheme, "host": parts.hostname, "port": parts.port, "path": parts.path, "query": parts.query}


def build_uri(value: Value) -> Value:
    """The way back from `parseUri` (a guess as well)."""
    if not isinstance(value, dict):
        raise wrong("buildUri", "be an object", value)
    port, query = value.get("port"), text_of(value.get("query")).removeprefix("?")
    path = text_of(value.get("path")).lstrip("/")
    host = text_of(value.get("host")) + (f":{port}" if port is not None else "")
    return f"{text_of(value.get('scheme'))}://{host}/{path}" + (f"?{query}" if query else "")


TABLE = (
    Entry("uniqueString", 1, None, unique_string),
    Entry("guid", 1, None, name_guid),
    Entry("format", 1, None, format_text),
    Entry("uri", 2, 2, join_uri),
    Entry("padLeft", 2, 3, pad_left),
    Entry("base64", 1, 1, base64_text),
    Entry("base64ToString", 1, 1, conversion.base64_to_string),
    Entry("base64ToJson", 1, 1, lambda value: conversion.to_json(conversion.base64_to_string(value))),
    Entry("dataUri", 1, 1, data_uri),
    Entry("dataUriToString", 1, 1, conversion.data_uri_to_string),
    Entry("uriComponent", 1, 1, conversion.uri_component),
    Entry("uriComponentToString", 1, 1, conversion.uri_component_to_string),
    Entry("parseUri", 1, 1, parse_uri),
    Entry("buildUri", 1, 1, build_uri),
    Entry("split", 2, 2, split),
    Entry("replace", 3, 3, strings.replace),
    Entry("toLower", 1, 1, strings.to_lower),
    Entry("toUpper", 1, 1, strings.to_upper),
    Entry("trim", 1, 1, strings.trim),
    Entry("substring", 2, 3, strings.substring),
    Entry("startsWith", 2, 2, strings.starts_with),
    Entry("endsWith", 2, 2, strings.ends_with),
    Entry("string", 1, 1, conversion.to_string),
    Entry("int", 1, 1, conversion.to_int),
    Entry("float", 1, 1, to_float),
    Entry("bool", 1, 1, conversion.to_bool),
    Entry("json", 1, 1, conversion.to_json),
    Entry("fail", 1, 1, fail),
)
