"""What is wrong with a query is told with its place, the nearest name and the way out."""

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from guardship.workspace.catalog import Catalog
from guardship.workspace.kql.compile import compile_query
from guardship.workspace.kql.errors import QueryError
from guardship.workspace.kql.parser import problems

CASES = tomllib.loads((Path(__file__).parent / "errors.toml").read_text("utf-8"))["case"]
SCHEMA = {name: table for name, table in Catalog.load().schema.items() if name in ("Syslog", "SecurityEvent")}


@pytest.mark.parametrize("case", CASES, ids=[case["query"][:60] for case in CASES])
def test_a_mistake_is_named_with_its_place(case: dict[str, Any]) -> None:
    with pytest.raises(QueryError) as caught:
        compile_query(case["query"], SCHEMA, datetime(2026, 11, 24))
    assert (str(caught.value), caught.value.code) == (case["error"], case["code"])


def test_an_editor_is_told_several_syntax_errors_at_once() -> None:
    found = problems("Syslog\n| were a == 1\n| take 5\n| srt by b\n| where c ==")
    assert [(error.span.line, error.span.column) for error in found if error.span] == [(2, 3), (4, 3), (5, 13)]


def test_a_query_without_syntax_errors_has_none() -> None:
    assert problems("Syslog | take 1") == []


@pytest.mark.parametrize(
    "query",
    [
        "print " + "(" * 400 + "1" + ")" * 400,
        "print " + "+".join(["1"] * 5000),
        "Syslog" + "| extend ProcessID = ProcessID + 1" * 300,
        "let a = Syslog;" + "".join(f"let a{n} = union a{n - 1 if n else ''}, a{n - 1 if n else ''};" for n in range(40)) + "a39",
    ],
    ids=["brackets", "sums", "operators", "lets that double"],
)
def test_a_query_beyond_all_use_is_refused_and_harms_nobody(query: str) -> None:
    with pytest.raises(QueryError, match="too large"):
        compile_query(query, SCHEMA, datetime(2026, 11, 24))


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("| where a", [(1, 1)]),
        ("Syslog | where a == | take 1", [(1, 21)]),
        ("let a = 1 1; Syslog | srt by b", [(1, 11), (1, 23)]),
        ("Syslog | where ((((", [(1, 20)]),
        ("print " + "(" * 2000, [None]),
        ("", [(1, 1)]),
        ("Syslog" + " | srt" * 12, [(1, 10 + 6 * number) for number in range(10)]),
    ],
)
def test_an_editor_is_told_of_every_piece_that_does_not_read(query: str, places: list[tuple[int, int] | None]) -> None:
    assert [error.span and (error.span.line, error.span.column) for error in problems(query)] == places
