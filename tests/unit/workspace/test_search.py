"""The one entrance to the logs: time ranges, limits, parameters, what an editor is told, and what keeps a server alive."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.workspace.rooms import START, Workspace

from guardship.workspace.duckdb_store import QueryBroke, QueryInterrupted
from guardship.workspace.kql.errors import UnknownColumn
from guardship.workspace.search import DEFAULT_TIMESPAN, Parameter, ReceivedRange

INVENTORY = """ConfigurationData
| where ConfigDataType == "Software"
| where SoftwareType == "Application"
| where Publisher != "Microsoft Corporation"
| order by TimeGenerated desc"""


def software(name: str, publisher: str, at: datetime, **more: str) -> dict[str, object]:
    row = {"TimeGenerated": at.isoformat(), "Computer": "desk-7", "ConfigDataType": "Software", "SoftwareType": "Application"}
    return {**row, "SoftwareName": name, "Publisher": publisher, **more}


def test_the_inventory_query_runs_unchanged(workspace: Workspace) -> None:
    rows = [
        software("Adobe Flash Player 32 NPAPI", "Adobe", START - timedelta(hours=3)),
        software("Steam", "Valve Corporation", START - timedelta(hours=1)),
        software("Office", "Microsoft Corporation", START - timedelta(hours=1)),
        software("KB5000000", "", START - timedelta(hours=1), SoftwareType="Update"),
        software("Old game", "Somebody", START - timedelta(days=3)),
    ]
    workspace.ingest.ingest("ConfigurationData", rows)
    answer = workspace.search.run(INVENTORY, timespan=DEFAULT_TIMESPAN)
    assert [record["SoftwareName"] for record in answer.records()] == ["Steam", "Adobe Flash Player 32 NPAPI"]
    assert answer.columns[0] == ("TimeGenerated", "datetime")
    assert {"_TimeReceived", "_ItemId"}.isdisjoint(name for name, _ in answer.columns)


def test_the_time_range_is_added_to_what_the_query_says(workspace: Workspace) -> None:
    workspace.ingest.ingest("Syslog", [{"TimeGenerated": (START - timedelta(hours=hours)).isoformat()} for hours in (1, 5, 30)])
    count = "Syslog | count"
    assert workspace.search.run(count).rows == [[3]]
    assert workspace.search.run(count, timespan=DEFAULT_TIMESPAN).rows == [[2]]
    assert workspace.search.run(count, timespan=(START - timedelta(hours=31), START - timedelta(hours=2))).rows == [[2]]
    assert workspace.search.run("Syslog | where TimeGenerated > ago(2h) | count", timespan=DEFAULT_TIMESPAN).rows == [[1]]


def test_rows_can_be_cut_by_when_they_were_received(workspace: Workspace) -> None:
    workspace.ingest.ingest("Syslog", [{"SyslogMessage": "one"}])
    first = workspace.ingest.received_through()
    workspace.ingest.ingest("Syslog", [{"SyslogMessage": "two"}])
    second = workspace.ingest.received_through()
    query = "Syslog | project SyslogMessage"
    assert workspace.search.run(query, received=ReceivedRange(first, second)).rows == [["two"]]
    assert workspace.search.run(query, received=ReceivedRange(second, second)).rows == []
    assert workspace.search.run("Syslog | where ingestion_time() > ago(1h) | count").rows == [[2]]


def test_the_row_limit_is_told(workspace: Workspace) -> None:
    cut = workspace.search.run("range x from 1 to 10 step 1", row_limit=4)
    whole = workspace.search.run("range x from 1 to 4 step 1", row_limit=4)
    assert (cut.row_count, cut.is_complete) == (4, False)
    assert (whole.row_count, whole.is_complete) == (4, True)


def test_parameters_stand_where_names_do(workspace: Workspace) -> None:
    given: dict[str, Parameter] = {"who": "web-1", "n": 2, "r": 1.5, "yes": True, "at": START, "span": timedelta(minutes=1)}
    answer = workspace.search.run("print who, n + 1, r, yes, at - span", parameters=given)
    assert answer.rows == [["web-1", 3, 1.5, True, "2026-11-24T03:13:00.0000000Z"]]


def test_a_query_that_takes_too_long_is_stopped_and_others_go_on(workspace: Workspace) -> None:
    endless = "range a from 1 to 2000000000 step 1 | extend t = strcat(tostring(a), 'x') | summarize dcount(t)"
    others: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        workspace.search.run("print 1")
        others.append(time.monotonic() - began)

    thread = threading.Timer(0.1, ask)
    thread.start()
    with pytest.raises(QueryInterrupted, match=r"longer than 0\.5 s"):
        workspace.search.run(endless, timeout_seconds=0.5)
    thread.join()
    assert others


@pytest.mark.parametrize("query", ["print 9223372036854775807 + tolong('1')", "datatable(s:string)['a'] | where s matches regex '('"])
def test_what_cannot_be_computed_is_an_error_of_the_query(workspace: Workspace, query: str) -> None:
    with pytest.raises(QueryBroke):
        workspace.search.run(query)


def test_an_unknown_column_is_named_before_anything_runs(workspace: Workspace) -> None:
    with pytest.raises(UnknownColumn, match="did you mean Computer"):
        workspace.search.run("Syslog | where Compter == 1")


def test_an_editor_hears_of_syntax_first_and_names_then(workspace: Workspace) -> None:
    assert [error.code for error in workspace.search.check("Syslog | were a | srt by b")] == ["query.unknown_operator"] * 2
    assert [error.code for error in workspace.search.check("Syslog | where a == 1")] == ["query.unknown_column"]
    assert workspace.search.check("Syslog | count") == []


def test_no_rows_of_a_table_that_nothing_fills_is_no_answer_about_the_machines(workspace: Workspace) -> None:
    workspace.ingest.ingest("Syslog", [{"TimeGenerated": START, "Computer": "web-1"}])
    assert workspace.search.run("ConfigurationChange | where Computer == 'web-1'").empty_tables == ("ConfigurationChange",)
    assert workspace.search.run("Syslog | where Computer == 'nowhere'").empty_tables == ()


def test_an_answer_knows_its_tables_and_chart(workspace: Workspace) -> None:
    answer = workspace.search.run("Syslog | join kind=inner Heartbeat on Computer | render piechart")
    assert answer.tables == frozenset({"Syslog", "Heartbeat"})
    assert answer.visualization == "piechart"


def test_a_query_cannot_reach_files_or_settings(workspace: Workspace, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    hostile = f"Syslog | where Computer == \"x' OR 1=1; COPY (SELECT 1) TO '{secret}'; --\""
    assert workspace.search.run(hostile).rows == []
    assert secret.read_text() == "a\n1\n"


def test_times_are_utc_whatever_the_caller_says(workspace: Workspace) -> None:
    offset = datetime(2026, 11, 24, 5, 14, tzinfo=UTC) - timedelta(hours=2)
    workspace.ingest.ingest("Syslog", [{"TimeGenerated": offset}])
    assert workspace.search.run("Syslog | project TimeGenerated").rows == [["2026-11-24T03:14:00.0000000Z"]]


def test_a_hidden_column_that_is_named_stays_named(workspace: Workspace) -> None:
    workspace.ingest.ingest("Syslog", [{"SyslogMessage": "x"}], item_ids=["i1"])
    assert workspace.search.run("Syslog | project-keep _ItemId, SyslogMessage").rows == [["x", "i1"]]
    assert workspace.search.run("Syslog | extend id = _ItemId | project id").rows == [["i1"]]


def test_a_time_beyond_the_calendar_is_null(workspace: Workspace) -> None:
    query = "datatable(t:datetime, s:timespan)[datetime(9999-12-31), 30000d] | project t + s, datetime(9999-12-31) + 30000d, t - s < t"
    assert workspace.search.run(query).rows == [[None, None, True]]
