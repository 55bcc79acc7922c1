"""Functions that turn one kind of value into another. Numbers in text may carry the separators of a locale."""

import base64
import binascii
import re
from decimal import Decimal, InvalidOperation
from urllib.parse import quote, unquote

import orjson

from guardship.playbooks.expressions.arguments import text, wrong
from guardship.playbooks.expressions.bounds import joined, not_too_deep
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.locales import locale_called
from guardship.playbooks.expressions.values import (
    CONTENT,
    CONTENT_TYPE,
    LEAST_INT,
    MOST_INT,
    EvaluationFailed,
    Value,
    content_bytes,
    content_of,
    content_text,
    is_content,
    number_text,
    text_of,
)
from guardship.playbooks.expressions.xml_json import json_of
from guardship.playbooks.expressions.xml_tree import parse_xml_bytes

_OCTETS = "application/octet-stream"
_BASE64 = re.compile(r"[A-Za-z0-9+/ ]*={0,2}")
_MOST_DECIMAL = Decimal("79228162514264337593543950335")
_DATA_URI = re.compile(r"data:(?P<kind>[^,]*?)(?P<base64>;?base64)?,(?P<data>.*)", re.IGNORECASE | re.DOTALL)
_MIME = re.compile(r"[\w.+-]+/[\w.+-]+")
_CHARSETS = {"ascii", "us-ascii", "utf-8", "utf8", "utf-16", "utf-32", "iso-8859-1", "latin1", "windows-1252"}


def to_array(value: Value) -> Value:
    return value if isinstance(value, list) else [value]


def to_string(value: Value) -> Value:
    return joined([text_of(value)])


def to_json(value: Value) -> Value:
    if value is None:
        return {}
    if isinstance(value, dict) and is_content(value):
        if "xml" in str(value[CONTENT_TYPE]).lower():
            return json_of(parse_xml_bytes(content_bytes(value)))
        value = content_text(value)
    if not isinstance(value, str):
        raise wrong("json", "be a string or an XML", value)
    try:
        return not_too_deep(orjson.loads(value))
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise EvaluationFailed(
            f"The template language function 'json' parameter is not valid. The provided value cannot be parsed: {error}."
        ) from error


def to_bool(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return value != 0
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise wrong("bool", "be convertible to a boolean", value)


def read_number(figures: str, decimal_point: str, group: str) -> Decimal | None:
    """`1,234.5-` with the locale's signs, or None; a group sign may stand anywhere before the decimal point."""
    body = figures.strip()
    match = re.fullmatch(
        rf"(?P<sign>[+-]?)\s*(?P<whole>[\d{re.escape(group)}]*)(?:{re.escape(decimal_point)}(?P<part>\d*))?(?P<scale>[eE][+-]?\d+)?(?P<tail>[+-]?)",
        body,
    )
    if match is None or (match["sign"] and match["tail"]) or match["whole"].startswith(group):
        return None
    whole, part = match["whole"].replace(group, ""), match["part"] or ""
    if not whole and not part:
        return None
    sign = match["sign"] or match["tail"]
    try:
        return Decimal(f"{sign}{whole or '0'}{f'.{part}' if part else ''}{match['scale'] or ''}")
    except InvalidOperation:
        return None


def to_int(value: Value) -> Value:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, float | Decimal):
        return _int_of(float(value), number_text(value))
    if not isinstance(value, str):
        raise wrong("int", "be a string or a number", value)
    figures = read_number(value, ".", ",")
    if figures is None or value.strip().endswith(("+", "-")):
        raise EvaluationFailed(f"Could not parse {value} as int.")
    return _int_of(float(figures), value)


def _int_of(value: float, shown: str) -> int:
    """Through a double, as the host does: 100000000000000010 becomes …016."""
    if value != value or not value.is_integer() or not LEAST_INT <= value < MOST_INT + 1:
        raise EvaluationFailed(f"Could not parse {shown} as int.")
    return int(value)


def to_float(value: Value, locale: Value = "en-US") -> Value:
    if isinstance(value, bool):
        raise wrong("float", "be a string or a number", value)
    if isinstance(value, int | float | Decimal):
        return float(value)
    if not isinstance(value, str):
        raise wrong("float", "be a string or a number", value)
    made = _float_or_none(value, text("float", locale))
    if made is None:
        raise EvaluationFailed(f"Could not parse {value} as float.")
    return made


def _float_or_none(value: str, locale: str) -> float | None:
    """`Infinity` has a sign of its own in most locales; only the invariant one, called '', writes it as a word."""
    known = locale_called(locale)
    word = value.strip().lower()
    if word == "nan":
        return float("nan")
    if word in ("infinity", "-infinity"):
        return float(word.replace("infinity", "inf")) if not locale else None
    figures = read_number(value, known.decimal_point, known.group)
    return None if figures is None else float(figures)


def is_float(value: Value, locale: Value = "en-US") -> Value:
    figures, name = text("isFloat", value), text("isFloat", locale)
    if figures.strip().lower() == "infinity":
        return not name or name.lower() == "en-us"
    return _float_or_none(figures, name) is not None


def is_int(value: Value) -> Value:
    figures = text("isInt", value).strip()
    return bool(re.fullmatch(r"[+-]?\d+", figures)) and LEAST_INT <= int(figures) <= MOST_INT


def to_decimal(value: Value) -> Value:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise wrong("decimal", "be a string or a number", value)
    figures = read_number(value, ".", ",") if isinstance(value, str) else Decimal(number_text(value) if isinstance(value, float) else value)
    if figures is None or not figures.is_finite() or abs(figures) > _MOST_DECIMAL:
        raise EvaluationFailed(f"Could not parse {text_of(value)} as decimal.")
    if figures and figures.adjusted() < -28:
        raise EvaluationFailed(f"Could not parse {text_of(value)} as decimal.")
    return figures


def _octets(function: str, value: Value) -> bytes:
    if value is None:
        raise wrong(function, "not be null", value)
    return content_bytes(value) if isinstance(value, dict) and is_content(value) else text_of(value).encode()


def to_binary(value: Value) -> Value:
    if isinstance(value, dict) and is_content(value):
        return {CONTENT_TYPE: _OCTETS, CONTENT: value[CONTENT]}
    return content_of(_octets("binary", value), _OCTETS)


def to_base64(value: Value) -> Value:
    return base64.b64encode(_octets("base64", value)).decode()


def base64_to_string(value: Value) -> Value:
    return _decoded("base64ToString", text("base64ToString", value)).decode(errors="replace")


def base64_to_binary(value: Value) -> Value:
    given = text("base64ToBinary", value)
    _decoded("base64ToBinary", given)
    return {CONTENT_TYPE: _OCTETS, CONTENT: given}


def _decoded(function: str, given: str) -> bytes:
    bare = "".join(given.split())
    padded = bare if len(bare) % 4 == 0 else given
    try:
        if not _BASE64.fullmatch(given) or len(padded) % 4:
            raise binascii.Error("not base64")
        return base64.b64decode(padded.replace(" ", "+"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EvaluationFailed(
            f"The template language function '{function}' was given a value that is not valid base64: {given[:80]}."
        ) from error


def data_uri(value: Value) -> Value:
    if value is None:
        raise wrong("dataUri", "not be null", value)
    kind = "text/plain" if isinstance(value, str) else "application/json"
    if isinstance(value, dict) and is_content(value):
        kind = str(value[CONTENT_TYPE]).split(";")[0]
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(_octets('dataUri', value)).decode()}"


def _data_uri_parts(function: str, value: Value) -> tuple[str, bool, str]:
    """Content type, whether the data are base64, and the data, of `data:text/plain;charset=utf-8;base64,aGk=`."""
    given = text(function, value)
    match = _DATA_URI.fullmatch(given)
    if match is None:
        raise EvaluationFailed(f"The template language function '{function}' expects a data URI, not '{given[:80]}'.")
    kind = match["kind"]
    pieces = kind.split(";")
    bad = (kind and pieces[0] and not _MIME.fullmatch(pieces[0])) or (len(pieces) > 1 and not all(pieces[1:])) or (kind.startswith(";"))
    if bad or kind == ";":
        raise EvaluationFailed(
            f"The template language function '{function}' was given a data URI with the content type '{kind}', which is not valid."
        )
    return kind or "text/plain", match["base64"] is not None, match["data"]


def _charset(function: str, kind: str, *, mind_case: bool) -> str:
    for piece in kind.split(";")[1:]:
        name, _, given = piece.partition("=")
        if (name if mind_case else name.lower()) == "charset":
            if given.lower() in _CHARSETS:
                return given.lower()
            raise EvaluationFailed(f"The template language function '{function}' does not know the character set '{given}'.")
    return "utf-8"


def data_uri_to_binary(value: Value) -> Value:
    kind, is_base64, data = _data_uri_parts("dataUriToBinary", value)
    _charset("dataUriToBinary", kind.lower(), mind_case=True)
    if any(piece.lower() == "base64" for piece in kind.split(";")[1:]):
        raise EvaluationFailed("The template language function 'dataUriToBinary' expects `base64` at the end of the content type.")
    if is_base64:
        return {CONTENT_TYPE: kind.lower(), CONTENT: data}
    return content_of(unquote(data.replace("+", " ")).encode(), kind)


def data_uri_to_string(value: Value) -> Value:
    kind, is_base64, data = _data_uri_parts("dataUriToString", value)
    if not is_base64:
        _charset("dataUriToString", kind, mind_case=True)
        return unquote(data.replace("+", " "))
    first_two = ";".join(kind.split(";")[:2])  # the host looks for the character set of base64 there alone
    charset = _charset("dataUriToString", first_two, mind_case=False)
    return _decoded("dataUriToString", data).decode(charset, errors="replace")


def uri_component(value: Value) -> Value:
    return joined([quote(text("uriComponent", value), safe="!'()*~-_.")])


def uri_component_to_string(value: Value) -> Value:
    return unquote(text("uriComponentToString", value))


def uri_component_to_binary(value: Value) -> Value:
    return content_of(text("uriComponentToBinary", value).encode(), _OCTETS)


TABLE = (
    Entry("array", 1, 1, to_array),
    Entry("string", 1, 1, to_string),
    Entry("json", 1, 1, to_json),
    Entry("bool", 1, 1, to_bool),
    Entry("int", 1, 1, to_int),
    Entry("float", 1, 2, to_float),
    Entry("isFloat", 1, 2, is_float),
    Entry("isInt", 1, 1, is_int),
    Entry("decimal", 1, 1, to_decimal),
    Entry("binary", 1, 1, to_binary),
    Entry("base64", 1, 1, to_base64),
    Entry("base64ToString", 1, 1, base64_to_string),
    Entry("decodeBase64", 1, 1, base64_to_string),
    Entry("base64ToBinary", 1, 1, base64_to_binary),
    Entry("dataUri", 1, 1, data_uri),
    Entry("dataUriToBinary", 1, 1, data_uri_to_binary),
    Entry("decodeDataUri", 1, 1, data_uri_to_string),
    Entry("dataUriToString", 1, 1, data_uri_to_string),
    Entry("uriComponent", 1, 1, uri_component),
    Entry("encodeUriComponent", 1, 1, uri_component),
    Entry("uriComponentToString", 1, 1, uri_component_to_string),
    Entry("decodeUriComponent", 1, 1, uri_component_to_string),
    Entry("uriComponentToBinary", 1, 1, uri_component_to_binary),
)
