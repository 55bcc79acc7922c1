"""The language, case by case: each is a query that needs no table, with the columns and rows Kusto gives."""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from guardship.workspace.kql.compile import compile_query
from guardship.workspace.kql.functions.table import AGGREGATES, FUNCTIONS, SPECIAL
from guardship.workspace.kql.values import printer_of

NOW = datetime(2026, 11, 24, 10, 20, 30)
CASES = [
    {**case, "id": f"{file.stem}: {case['name']}"}
    for file in sorted((Path(__file__).parent / "cases").glob("*.toml"))
    for case in tomllib.loads(file.read_text("utf-8"))["case"]
]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": "1"}) as opened:
        opened.execute("SET TimeZone='UTC'")
        yield opened


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_query_gives_what_kusto_gives(case: dict[str, Any], connection: duckdb.DuckDBPyConnection) -> None:
    compiled = compile_query(case["query"], {}, NOW)
    printers = [printer_of(column.type) for column in compiled.columns]
    found = [[show(cell) for show, cell in zip(printers, row, strict=True)] for row in connection.execute(compiled.sql).fetchall()]
    wanted = json.loads(case["rows"])
    assert [f"{column.name}:{column.type}" for column in compiled.columns] == case["columns"]
    if compiled.is_ordered:
        assert found == wanted
    else:
        assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, wanted))


def test_every_entry_of_the_function_table_has_a_case() -> None:
    queries = " ".join(case["query"] for case in CASES)
    used = set(re.findall(r"\b([a-z_0-9]+)\s*\(", queries))
    assert sorted({*FUNCTIONS, *AGGREGATES, *SPECIAL} - used) == []
