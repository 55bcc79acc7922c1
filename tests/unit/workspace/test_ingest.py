"""Rows into the store: good ones are kept, bad ones are named, and nothing that was acknowledged is lost."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.workspace.rooms import Workspace

from guardship.clock import HeldClock
from guardship.workspace.catalog import Catalog
from guardship.workspace.duckdb_store import DuckDbStore, StoreFailed
from guardship.workspace.ingest import TICK, Ingest, IngestBusy, IngestStopped
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


def test_a_fraction_is_no_whole_number(workspace: Workspace) -> None:
    read = read_rows(workspace.catalog.table("SecurityEvent"), [{"EventID": 1.0}, {"EventID": 4625}], machine=None)
    assert [(each.row, each.reason) for each in read.rejected] == [(0, "1.0 is a number and not int")]


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


def held_up(workspace: Workspace, ingest: Ingest) -> threading.Event:
    """The writing thread stands in a listener until the event is set."""
    go_on, standing = threading.Event(), threading.Event()

    def wait(_: str, __: object) -> None:
        standing.set()
        go_on.wait(10)

    ingest.listen(wait)
    ingest.ingest("Syslog", [LINE])
    standing.wait(10)
    return go_on


def test_batches_that_wait_together_are_committed_together_even_at_the_end(workspace: Workspace) -> None:
    go_on = held_up(workspace, workspace.ingest)
    threads = [threading.Thread(target=workspace.ingest.ingest, args=("Syslog", [{**LINE, "Computer": "late"}])) for _ in range(3)]
    threads.append(threading.Thread(target=workspace.ingest.stop))
    for thread in threads[:3]:
        thread.start()
    threading.Event().wait(0.2)
    threads[3].start()
    threading.Event().wait(0.1)
    go_on.set()
    for thread in threads:
        thread.join()
    assert workspace.search.run("Syslog | where Computer == 'late' | summarize count(), dcount(_TimeReceived)").rows == [[3, 1]]


def test_rows_that_come_faster_than_they_can_be_written_are_sent_back(workspace: Workspace) -> None:
    ingest = Ingest(workspace.store, workspace.catalog, workspace.clock, most_waiting=1, patience_seconds=0.05)
    go_on = held_up(workspace, ingest)
    waiting = threading.Thread(target=ingest.ingest, args=("Syslog", [LINE]))
    waiting.start()
    threading.Event().wait(0.1)
    with pytest.raises(IngestBusy):
        ingest.ingest("Syslog", [LINE])
    go_on.set()
    waiting.join()
    ingest.stop()
    assert workspace.store.row_count("Syslog") == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_in_the_writing_thread_leaves_nobody_waiting(workspace: Workspace) -> None:
    class Broken(DuckDbStore):
        is_broken = True

        def append(self, batches: Any) -> None:
            if self.is_broken:
                raise ZeroDivisionError
            super().append(batches)

    store = Broken(workspace.store.path.with_name("other.duckdb"), workspace.catalog)
    ingest = Ingest(store, workspace.catalog, workspace.clock)
    with pytest.raises(ZeroDivisionError):
        ingest.ingest("Syslog", [LINE])
    store.is_broken = False
    threading.Event().wait(0.1)
    assert ingest.ingest("Syslog", [LINE]).accepted == 1
    ingest.stop()
    store.close()


def test_a_file_that_is_no_store_is_named(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "garbage.duckdb"
    file.write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreFailed, match="does not open"):
        DuckDbStore(file, workspace.catalog).row_count("Syslog")


def test_a_batch_the_store_cannot_take_is_refused_and_the_next_one_taken(workspace: Workspace) -> None:
    import pyarrow as pa

    table = workspace.catalog.table("Syslog")
    with pytest.raises(StoreFailed, match="did not take"):
        workspace.store.append([(table, pa.table({"ProcessID": ["many"]}))])
    workspace.store.append([(table, pa.table({"ProcessID": [1]}))])
    assert workspace.store.row_count("Syslog") == 1


def test_spans_and_guids_are_read_too(tmp_path: Path) -> None:
    columns = 'S = { type = "timespan", meaning = "s" }\nG = { type = "guid", meaning = "g" }'
    (tmp_path / "x.toml").write_text(f'name = "X_CL"\nmeaning = "m"\n[columns]\n{columns}\n[example]\nS = "1h"\n')
    table = Catalog.load(tmp_path).table("X_CL")
    guid = "74BE27DE-1E4E-49D9-B579-FE0B331D3642"
    read = read_rows(table, [{"S": "1h", "G": guid}, {"S": 5}, {"S": "soon"}, {"G": "x"}, {"S": True}, {"G": None}], machine=None)
    assert [(each.row, each.column) for each in read.rejected] == [(2, "S"), (3, "G"), (4, "S")]
    assert read.batch.column("S").to_pylist() == [36_000_000_000, 5, None]
    assert read.batch.column("G").to_pylist()[0] == guid.lower()


def test_a_number_that_is_too_exact_is_refused(workspace: Workspace) -> None:
    table = workspace.catalog.table("SecurityAlert")
    read = read_rows(table, [{"ConfidenceScore": 1}, {"ConfidenceScore": "1"}, {"TimeGenerated": 5}], machine=None)
    assert [(each.row, each.column) for each in read.rejected] == [(1, "ConfidenceScore"), (2, "TimeGenerated")]
