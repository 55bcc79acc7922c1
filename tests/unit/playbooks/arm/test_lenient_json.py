"""Texts as people keep them, and where everything in them lies."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardship.playbooks.arm.lenient_json import JsonSyntax, Places, decode, parse, parse_noting

LENIENT = '{ // a comment, with "a quote"\n "a": [1, 2,], /* more\n "b": 0 */ "u": "http://x/*y*/",\n "c": {"d": "\\"//\\"",},\n}'


def test_comments_and_trailing_commas_are_read_past() -> None:
    assert parse(LENIENT) == {"a": [1, 2], "u": "http://x/*y*/", "c": {"d": '"//"'}}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_mark_of_byte_order_is_read_past(encoding: str) -> None:
    assert parse(decode('{"a": "ä"}'.encode(encoding))) == {"a": "ä"}


def test_bytes_of_another_encoding_are_refused() -> None:
    with pytest.raises(JsonSyntax, match="byte 7 does not fit"):
        decode(b'{"a": "\xe4"}')


@pytest.mark.parametrize(("text", "line"), [('{\n"a" 1}', 2), ("{", 1), ("", 1), ('{"a": 01}', 1), ('{"a": "b}', 1)])
def test_what_is_no_json_names_its_line(text: str, line: int) -> None:
    with pytest.raises(JsonSyntax) as raised:
        parse(text)
    assert raised.value.span is not None
    assert raised.value.span.line == line


@pytest.mark.parametrize("text", ['{"a": NaN}', "[" * 100_000])
def test_what_json_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(JsonSyntax):
        parse(text)


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        (("a", 1), "2"),
        (("A",), "["),
        (("u",), '"http'),
        (("c", "d"), '"\\"'),
        (("c", "missing"), "{"),
        (("a", 7), "["),
        ((), "{"),
    ],
)
def test_a_path_is_found_in_a_text_with_comments(path: tuple[str | int, ...], begins: str) -> None:
    span = Places(LENIENT).locate(path)
    assert LENIENT[span.start :].startswith(begins)


def test_a_name_that_stands_twice_counts_last_and_is_named() -> None:
    text = '{"a": {"b": 1, "c": 2, "b": 3}, "x": [{"y": 1}, {"y\\u0041": 1, "yA": 2}]}'
    parsed = parse_noting(text)
    assert (parsed.content["a"]["b"], parsed.has_duplicates) == (3, True)
    assert [(path, text[span.start :][:4]) for path, span in Places(text).duplicates()] == [(("a", "b"), '"b":'), (("x", 1, "yA"), '"yA"')]
    assert Places(text).locate(("a", "b")).start == text.index("3")
    assert not parse_noting('{"a": 1, "A": 2}').has_duplicates


@pytest.mark.parametrize(
    ("figures", "value"),
    [("-9223372036854775808", -(2**63)), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", 2.0**63), ("1" + "0" * 30, 1e30)],
)
def test_a_number_that_does_not_fit_64_bits_is_a_double(figures: str, value: float) -> None:
    made = parse(f'{{"a": {figures}}}')["a"]
    assert (made, type(made)) == (value, type(value))


def test_half_of_a_character_is_refused_with_its_place() -> None:
    assert parse('{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}
    with pytest.raises(JsonSyntax, match="line 2, column 8"):
        parse('{\n "a": "\\ud83d"}')
    with pytest.raises(JsonSyntax, match="half of a character"):
        decode('{"a": "\ud83d"}')


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    pairs = list(enumerate(value)) if isinstance(value, list) else list(value.items()) if isinstance(value, dict) else []
    return [(path, value), *[each for step, inner in pairs for each in leaves(inner, (*path, step))]]


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_path_of_every_text_is_found(value: Any, indent: int | None, is_ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    places = Places(text)
    for path, inner in leaves(value):
        span = places.locate(path)
        assert json.JSONDecoder(strict=False).raw_decode(text, span.start)[0] == inner
