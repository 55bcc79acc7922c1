"""`has` and its family against a slow evaluator that does just what the definition says."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardship.workspace.kql.compile import compile_query

ALPHABET = "aAbBäÄ9_-. \\(.*\n/"
WORDS = st.text(ALPHABET, max_size=12)
NEEDLES = st.text(ALPHABET, min_size=1, max_size=4)


Run = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with duckdb.connect(config={"threads": "1"}) as opened:
        yield lambda query: opened.execute(compile_query(query, {}, datetime(2026, 1, 1)).sql).fetchall()


def naive(operator: str, text: str, needle: str) -> bool:
    """The whole needle is there, and where the operator says so no letter or digit touches it."""
    if not operator.endswith("_cs"):
        text, needle = text.lower(), needle.lower()
    kind = operator.removesuffix("_cs")
    for start in range(len(text) - len(needle) + 1):
        end = start + len(needle)
        if text[start:end] != needle:
            continue
        begins = kind == "hassuffix" or start == 0 or not text[start - 1].isalnum()
        ends = kind == "hasprefix" or end == len(text) or not text[end].isalnum()
        if begins and ends:
            return True
    return False


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@pytest.mark.parametrize("operator", ["has", "has_cs", "hasprefix", "hasprefix_cs", "hassuffix", "hassuffix_cs"])
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(WORDS, min_size=1, max_size=8), needle=NEEDLES)
def test_a_term_is_found_exactly_where_the_definition_says(operator: str, texts: list[str], needle: str, run: Run) -> None:
    rows = ", ".join(quoted(text) for text in texts)
    pairs = ", ".join(f"{quoted(text)}, {quoted(needle)}" for text in texts)
    wanted = sorted(naive(operator, text, needle) for text in texts)
    constant = run(f"datatable(s:string)[{rows}] | project s {operator} {quoted(needle)}")
    computed = run(f"datatable(s:string, n:string)[{pairs}] | project s {operator} n, s !{operator} n")
    assert sorted(found for (found,) in constant) == wanted
    assert sorted(found for found, _ in computed) == wanted
    assert all(found != negated for found, negated in computed)
