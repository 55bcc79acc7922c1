"""Rows into the store: good ones are kept, bad ones are named, and nothing that was acknowledged is lost."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.workspace.rooms import Workspace

from guardship.clock import HeldClock
from guardship.workspace.catalog import Catalog
from guardship.workspace.duckdb_store import DuckDbStore
from guardship.workspace.ingest import TICK, Ingest, IngestStopped
from guardship.workspace.row_batches import Rejected, read_rows
from guardship.workspace.search import Search

LINE = {"TimeGenerated": "2026-11-24T03:13:59.123456Z", "Computer": "web-1", "ProcessName": "sshd", "SyslogMessage": "hello"}


def test_good_rows_are_kept_and_bad_ones_named_with_row_column_and_reason(workspace: Workspace) -> None:
    rows: list[Any] = [LINE, {**LINE, "ProcessID": "12"}, {**LINE, "TimeGenerated": "soon"}, {**LINE, "SyslogMessage": 5}, 7, LINE]
    done = workspace.ingest.ingest("Syslog", rows)
    assert done.accepted == 2
    assert done.rejected == (
        Rejected(1, "ProcessID", "'12' is a string and not int"),
        Rejected(2, "TimeGenerated", "'soon' is a string and not datetime"),
        Rejected(3, "SyslogMessage", "5 is a whole number and not string"),
        Rejected(4, "", "a row is an object, and this is a whole number"),
    )
    assert workspace.store.row_count("Syslog") == 2


def test_a_column_the_table_lacks_is_left_out_and_told(workspace: Workspace) -> None:
    done = workspace.ingest.ingest("Syslog", [{**LINE, "Colour": "red"}])
    assert (done.accepted, done.ignored_columns) == (1, ("Colour",))


def test_a_bound_machine_may_not_speak_for_another(workspace: Workspace) -> None:
    done = workspace.ingest.ingest("Syslog", [LINE, {**LINE, "Computer": "db-1"}, {"SyslogMessage": "unnamed"}], machine="web-1")
    assert done.rejected == (Rejected(1, "Computer", "the token belongs to web-1, and the row names db-1"),)
    assert workspace.search.run("Syslog | distinct Computer").rows == [["web-1"]]


def test_a_row_without_a_time_gets_the_time_it_was_received(workspace: Workspace) -> None:
    workspace.ingest.ingest("Syslog", [{"SyslogMessage": "x"}])
    workspace.ingest.ingest("Syslog", [{"SyslogMessage": "y", "TimeGenerated": None}, LINE])
    answer = workspace.search.run("Syslog | where SyslogMessage in ('x', 'y') | project TimeGenerated == _TimeReceived, Type, SourceSystem")
    assert answer.rows == [[True, "Syslog", "Linux"], [True, "Syslog", "Linux"]]


def test_an_empty_batch_and_an_empty_row_do_no_harm(workspace: Workspace) -> None:
    assert workspace.ingest.ingest("Syslog", []).accepted == 0
    assert workspace.ingest.ingest("Syslog", [{}]).accepted == 1


def test_times_are_read_in_every_form_and_kept_in_utc(workspace: Workspace) -> None:
    forms: list[Any] = [
        "2026-11-24T05:00:00+02:00",
        "2026-11-24T03:00:00.1234567Z",
        "2026-11-24 03:00",
        datetime(2026, 11, 24, 3, tzinfo=UTC),
        datetime(2026, 11, 24, 3),
    ]
    assert workspace.ingest.ingest("Syslog", [{"TimeGenerated": form} for form in forms]).accepted == 5
    found = workspace.search.run("Syslog | distinct bin(TimeGenerated, 1h)").rows
    assert found == [["2026-11-24T03:00:00.0000000Z"]]


def test_every_type_takes_its_values_and_refuses_others(workspace: Workspace) -> None:
    table = workspace.catalog.table("Heartbeat")
    good = {"IsGatewayInstalled": None, "ComputerPrivateIPs": ["10.0.0.4"], "Computer": "a"}
    read = read_rows(
        table, [good, {"ComputerPrivateIPs": '["1"]'}, {"ComputerPrivateIPs": "{broken"}, {"ComputerPrivateIPs": 5}], machine=None
    )
    assert read.batch.column("ComputerPrivateIPs").to_pylist() == ['["10.0.0.4"]', '["1"]', '"{broken"', "5"]
    alert = workspace.catalog.table("SecurityAlert")
    read = read_rows(alert, [{"IsIncident": True, "ConfidenceScore": 1}, {"IsIncident": 1}, {"ConfidenceScore": True}], machine=None)
    assert [(each.row, each.column) for each in read.rejected] == [(1, "IsIncident"), (2, "ConfidenceScore")]
    event = workspace.catalog.table("SecurityEvent")
    read = read_rows(event, [{"EventID": 1.0}, {"EventID": 2**40}, {"EventID": True}, {"EventID": 4625}], machine=None)
    assert [each.row for each in read.rejected] == [0, 1, 2]


def test_time_of_receipt_only_grows_though_the_clock_stands_still(workspace: Workspace) -> None:
    workspace.ingest.ingest("Syslog", [LINE])
    first = workspace.ingest.received_through()
    workspace.ingest.ingest("Syslog", [LINE])
    assert workspace.ingest.received_through() == first + TICK


def test_the_newest_time_of_receipt_is_known_after_a_restart(workspace: Workspace) -> None:
    workspace.ingest.ingest("Syslog", [LINE])
    again = Ingest(workspace.store, workspace.catalog, workspace.clock)
    assert again.received_through() == workspace.ingest.received_through()


def test_listeners_see_a_batch_after_its_commit(workspace: Workspace) -> None:
    seen: list[tuple[str, int, int]] = []
    workspace.ingest.listen(lambda table, batch: seen.append((table, batch.num_rows, workspace.store.row_count(table))))
    workspace.ingest.ingest("Syslog", [LINE, LINE])
    workspace.ingest.stop()
    assert seen == [("Syslog", 2, 2)]


def test_many_writers_at_once_lose_nothing(workspace: Workspace) -> None:
    threads = [threading.Thread(target=lambda: [workspace.ingest.ingest("Syslog", [LINE] * 10) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert workspace.store.row_count("Syslog") == 400
    assert workspace.search.run("Syslog | summarize dcount(_ItemId)").rows == [[400]]


def test_rows_that_come_twice_are_told_by_their_ids(workspace: Workspace) -> None:
    workspace.ingest.ingest("Syslog", [LINE, LINE], item_ids=["a", "b"])
    assert workspace.ingest.missing("Syslog", ["a", "c", "b"]) == ["c"]


def test_a_stopped_ingest_takes_nothing_more(workspace: Workspace) -> None:
    workspace.ingest.stop()
    with pytest.raises(IngestStopped):
        workspace.ingest.ingest("Syslog", [LINE])


def test_a_new_column_of_the_catalogue_is_added_to_a_store_that_is_there(tmp_path: Path) -> None:
    clock = HeldClock(datetime(2026, 11, 24, tzinfo=UTC))
    for columns in (
        'A = { type = "string", meaning = "a" }',
        'A = { type = "string", meaning = "a" }\nB = { type = "long", meaning = "b" }',
    ):
        (tmp_path / "x.toml").write_text(f'name = "X_CL"\nmeaning = "m"\n[columns]\n{columns}\n[example]\nA = "1"\n')
        catalog = Catalog.load(tmp_path)
        store = DuckDbStore(tmp_path / "logs.duckdb", catalog)
        ingest = Ingest(store, catalog, clock)
        ingest.ingest("X_CL", [{"A": "old"}])
        clock.advance(timedelta(seconds=1))
        ingest.stop()
        if "B" in columns:
            assert Search(store, catalog, clock).run("X_CL | project A, B").rows == [["old", None], ["old", None]]
        store.close()
