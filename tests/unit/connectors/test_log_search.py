import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.asking import ask, reason_of, request_for
from tests.unit.workspace.rooms import Workspace, opened

from guardship.clock import iso
from guardship.connectors.acting import BadInput
from guardship.connectors.log_search import DataCollector, LogSearch, timespan_of
from guardship.playbooks.connector import ConnectorResponse
from guardship.workspace.custom_tables import CustomTables


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Workspace]:
    with opened(tmp_path) as workspace:
        for hours, machine in ((1, "web-1"), (30, "web-2")):
            moment = iso(workspace.clock.now() - timedelta(hours=hours))
            workspace.ingest.ingest("Syslog", [{"TimeGenerated": moment, "Computer": machine, "SyslogMessage": "<alarm>"}])
        yield workspace


def query(logs: Workspace, body: Any, operation: str = "query", **queries: Any) -> ConnectorResponse:
    return ask(LogSearch(logs.search).back_end(), request_for("azuremonitorlogs", operation, body, queries=queries))


def page(logs: Workspace, kind: str, text: str) -> str:
    answer = query(logs, text, "visualize", visType=kind)
    assert answer.body["attachmentName"] == "results.html"
    assert answer.body["attachmentContent"] == answer.body["body"]
    return base64.b64decode(answer.body["body"]).decode()


def test_rows_are_found_in_the_range_that_is_asked_for(logs: Workspace) -> None:
    text = "Syslog | project Computer | sort by Computer asc"
    assert query(logs, text, timerange="Last 24 hours").body == {"value": [{"Computer": "web-1"}]}
    assert len(query(logs, text, timerange="Set in query").body["value"]) == 2
    assert query(logs, {"query": text, "timerange": "Last 2 days"}, "query_v2").body["value"][1] == {"Computer": "web-2"}


def test_a_query_that_does_not_bind_is_refused_with_its_place(logs: Workspace) -> None:
    assert "Computr" in reason_of(query(logs, "Syslog | project Computr"))


@pytest.mark.parametrize(
    ("body", "queries", "field"), [("", {}, "body"), (None, {}, "body"), ("Syslog", {"timerange": "soon"}, "timerange: soon")]
)
def test_a_wrong_query_names_the_field(logs: Workspace, body: Any, queries: dict[str, Any], field: str) -> None:
    assert field in reason_of(query(logs, body, **queries))


def test_a_table_holds_every_row_and_no_markup_of_theirs(logs: Workspace) -> None:
    drawn = page(logs, "Html Table", "Syslog | project Computer, SyslogMessage")
    assert "<td>web-1</td>" in drawn
    assert "&lt;alarm&gt;" in drawn


@pytest.mark.parametrize(("kind", "part"), [("Bar Chart", "<rect"), ("pie chart", "<path")])
def test_charts_are_drawn(logs: Workspace, kind: str, part: str) -> None:
    assert page(logs, kind, "Syslog | summarize count() by Computer").count(part) == 2


def test_a_chart_that_cannot_be_drawn_is_refused_by_its_name(logs: Workspace) -> None:
    assert "visType: Time Chart" in reason_of(query(logs, "Syslog", "visualize", visType="Time Chart"))


def test_ranges_are_read_in_the_forms_that_occur() -> None:
    assert timespan_of("Last hour") == timedelta(hours=1)
    assert timespan_of("last 30 Minutes") == timedelta(minutes=30)
    assert timespan_of("P7D") == timedelta(days=7)
    assert timespan_of("") is None
    assert timespan_of("between(datetime(2026-11-23)..datetime(2026-11-24T01:00:00Z))") == (
        datetime(2026, 11, 23, tzinfo=UTC),
        datetime(2026, 11, 24, 1, tzinfo=UTC),
    )
    with pytest.raises(BadInput, match="tomorrow"):
        timespan_of("between(datetime(tomorrow)..datetime(2026-11-24))")


def send(logs: Workspace, folder: Path, body: Any, **headers: str) -> ConnectorResponse:
    end = DataCollector(CustomTables(logs.catalog, logs.store, logs.ingest, folder / "tables")).back_end()
    return ask(end, request_for("azureloganalyticsdatacollector", "send", body, headers=headers))


@pytest.mark.parametrize("body", ['{"user": "ada"}', '[{"user": "ada"}]', {"user": "ada"}])
def test_rows_that_are_sent_can_be_searched(logs: Workspace, tmp_path: Path, body: Any) -> None:
    assert send(logs, tmp_path, body, **{"Log-Type": "Lab"}).status_code == 200
    assert query(logs, "Lab_CL | project user_s").body == {"value": [{"user_s": "ada"}]}


def test_the_same_call_after_a_crash_writes_its_rows_once(logs: Workspace, tmp_path: Path) -> None:
    for _ in range(2):
        send(logs, tmp_path, {"n": 1}, **{"Log-Type": "Lab"})
    assert query(logs, "Lab_CL | count").body == {"value": [{"Count": 1}]}


@pytest.mark.parametrize(
    ("body", "headers", "field"),
    [
        ({"a": 1}, {}, "Log-Type"),
        ("{", {"Log-Type": "Lab"}, "body: the rows are a text that is no JSON"),
        ("7", {"Log-Type": "Lab"}, "body: rows are an object"),
        (json.dumps(["x"]), {"Log-Type": "Lab"}, "row 0"),
        ({"at": "soon"}, {"Log-Type": "Lab", "time-generated-field": "at"}, "at is the row's time"),
    ],
)
def test_wrong_rows_name_what_is_wrong(logs: Workspace, tmp_path: Path, body: Any, headers: dict[str, str], field: str) -> None:
    assert field in reason_of(send(logs, tmp_path, body, **headers))
