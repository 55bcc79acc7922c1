"""Times, spans and dynamic values as they are written, there and back."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardship.errors import Span
from guardship.workspace.kql.errors import BrokenSyntax
from guardship.workspace.kql.literals import (
    FinerThanMicroseconds,
    datetime_text,
    dynamic_json,
    json_of,
    parse_datetime,
    parse_timespan,
    timespan_text,
)
from guardship.workspace.kql.types import DATETIME, DYNAMIC, GUID, LONG, TIMESPAN

NOWHERE = Span(0, 0, 1, 1)


@given(st.integers(-(10**17), 10**17))
def test_a_span_that_is_printed_reads_as_itself(ticks: int) -> None:
    assert parse_timespan(timespan_text(ticks)) == ticks


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_a_time_that_is_printed_reads_as_itself(moment: datetime) -> None:
    assert parse_datetime(datetime_text(moment)) == moment


@pytest.mark.parametrize(
    ("text", "ticks"),
    [("-1d", -864_000_000_000), ("2", 2 * 864_000_000_000), ("1.5s", 15_000_000), ("1tick", 1), ("5us", None), ("-", None)],
)
def test_spans_in_words(text: str, ticks: int | None) -> None:
    assert parse_timespan(text) == ticks


@pytest.mark.parametrize("text", ["", "soon", "2026-02-30", "2 Foo 2026", "24/11/2026", "0000-01-01"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_datetime(text) is None


def test_a_seventh_digit_is_told_apart() -> None:
    with pytest.raises(FinerThanMicroseconds):
        parse_datetime("2026-11-24T00:00:00.1234567Z")


def test_offsets_of_both_signs_are_applied() -> None:
    assert parse_datetime("2026-11-24T00:00:00-0130") == datetime(2026, 11, 24, 1, 30)


def test_values_inside_a_dynamic() -> None:
    assert [json_of(LONG, None), json_of(TIMESPAN, 36_000_000_000), json_of(DYNAMIC, "[1]"), json_of(GUID, "g")] == [
        None,
        "01:00:00",
        [1],
        "g",
    ]
    assert json_of(DATETIME, datetime(2026, 11, 24)) == "2026-11-24T00:00:00.0000000Z"
    assert dynamic_json("-1.5", NOWHERE) == "-1.5"
    assert dynamic_json("[-2, dynamic({'a': int(3)}), true]", NOWHERE) == '[-2,{"a":3},true]'


@pytest.mark.parametrize("text", ["[1 2]", "{1: 2}", "{'a' 2}", "[1] 2", "-'a'", ""])
def test_what_is_no_dynamic_is_refused(text: str) -> None:
    with pytest.raises(BrokenSyntax):
        dynamic_json(text, NOWHERE)
