from pathlib import Path
from typing import Any

import pytest
from tests.unit.workspace.rooms import Workspace, opened

from guardship.workspace.catalog import Catalog
from guardship.workspace.custom_tables import BadCustomRows, CustomTables
from guardship.workspace.duckdb_store import DuckDbStore
from guardship.workspace.search import Search

ROW = {
    "user": "ada",
    "count": 3,
    "ok": True,
    "at": "2026-11-24T03:00:00Z",
    "id": "5a1e0000-0000-4000-8000-000000000001",
    "list": [1, 2],
    "gone": None,
}


def tables(workspace: Workspace, folder: Path) -> CustomTables:
    return CustomTables(workspace.catalog, workspace.store, workspace.ingest, folder / "tables")


def rows(workspace: Workspace, query: str) -> list[dict[str, Any]]:
    return [dict(record) for record in workspace.search.run(query).records()]


def test_a_table_comes_to_be_with_its_first_rows_and_names_columns_by_type(workspace: Workspace, tmp_path: Path) -> None:
    done = tables(workspace, tmp_path).send("Lab", [ROW])
    assert done.accepted == 1
    (row,) = rows(workspace, "Lab_CL | project user_s, count_d, ok_b, at_t, id_g, list_s, Type")
    assert row == {
        "user_s": "ada",
        "count_d": 3.0,
        "ok_b": True,
        "at_t": "2026-11-24T03:00:00.0000000Z",
        "id_g": ROW["id"],
        "list_s": "[1, 2]",
        "Type": "Lab_CL",
    }


def test_a_table_that_is_in_use_grows_by_a_column(workspace: Workspace, tmp_path: Path) -> None:
    custom = tables(workspace, tmp_path)
    custom.send("Lab", [{"a": 1}])
    assert rows(workspace, "Lab_CL | count") == [{"Count": 1}]
    custom.send("Lab", [{"a": "one", "b": True}])
    assert rows(workspace, "Lab_CL | where a_s == 'one' | project a_d, b_b") == [{"a_d": None, "b_b": True}]
    assert rows(workspace, "Lab_CL | where a_d == 1 | project a_s, b_b") == [{"a_s": "", "b_b": None}]


def test_the_field_that_is_named_is_the_rows_time(workspace: Workspace, tmp_path: Path) -> None:
    tables(workspace, tmp_path).send("Lab", [{"at": "2026-11-23T00:00:00Z", "n": 1}], time_field="at")
    assert rows(workspace, "Lab_CL | project TimeGenerated") == [{"TimeGenerated": "2026-11-23T00:00:00.0000000Z"}]


def test_the_same_batch_twice_is_written_once(workspace: Workspace, tmp_path: Path) -> None:
    custom = tables(workspace, tmp_path)
    for _ in range(2):
        custom.send("Lab", [{"n": 1}, {"n": 2}], batch_id="call-1")
    custom.send("Lab", [{"n": 1}], batch_id="call-2")
    assert rows(workspace, "Lab_CL | count") == [{"Count": 3}]


def test_a_table_is_there_again_at_the_next_start(tmp_path: Path) -> None:
    with opened(tmp_path) as workspace:
        tables(workspace, tmp_path).send("Lab", [ROW])
        clock = workspace.clock
    catalog = Catalog.load(tmp_path / "tables")
    store = DuckDbStore(tmp_path / "logs.duckdb", catalog, threads=1)
    try:
        assert Search(store, catalog, clock).run("Lab_CL | project user_s").records() == [{"user_s": "ada"}]
    finally:
        store.close()


@pytest.mark.parametrize(
    ("log_type", "sent", "named"),
    [
        ("9x", [{}], "Log-Type: 9x"),
        ("a; drop", [{}], "Log-Type"),
        ("", [{}], "Log-Type: \\(nothing\\)"),
        ("Lab", ["text"], "row 0"),
    ],
)
def test_what_is_no_table_and_no_row_is_refused_by_name(
    workspace: Workspace, tmp_path: Path, log_type: str, sent: list[Any], named: str
) -> None:
    with pytest.raises(BadCustomRows, match=named):
        tables(workspace, tmp_path).send(log_type, sent)


def test_a_time_that_is_none_names_its_field(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(BadCustomRows, match="at is the row's time"):
        tables(workspace, tmp_path).send("Lab", [{"at": "yesterday"}], time_field="at")


def test_more_columns_than_a_table_may_have_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(BadCustomRows, match="501 columns"):
        tables(workspace, tmp_path).send("Lab", [{f"c{number}": 1 for number in range(501)}])
