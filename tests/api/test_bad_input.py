"""Bad input: each names the place and the way out, and nothing is lost."""

import gzip
import json
import uuid
from collections.abc import Iterator

import httpx
import pytest
from tests.running import RunningServer

MEGABYTE = 1024 * 1024
ROW = {"TimeGenerated": "2026-11-24T03:00:00Z", "Computer": "web-9", "SyslogMessage": "hello"}


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body: dict[str, object] = answer.json()
    assert body["code"]
    return body


def ingest_token(api: httpx.Client, machine: str | None = None) -> str:
    body = {"name": "test", "tables": ["Syslog"], "machine": machine}
    return str(api.post("ingest-tokens", json=body).json()["token"])


def test_a_query_with_an_unknown_column_names_it_and_the_nearest(api: httpx.Client) -> None:
    found = problem(api.post("search", json={"query": "Syslog\n| where Computr == 'a'"}), 400)
    assert (found["line"], found["column"]) == (2, 9)
    assert "Computer" in str(found["hint"])


def test_a_stranger_may_send_little_and_nobody_without_end(server: RunningServer, api: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        sent = 0
        while sent < 60 * MEGABYTE:
            sent += len(block)
            yield block

    block = b" " * 65_536
    with server.visitor() as visitor:
        for path in ("session", "playbooks"):
            found = problem(visitor.post(path, content=endless(), headers={"Content-Type": "application/json"}), 401)
            assert found["code"] == "api.not_signed_in"
    script = f"# {'x' * 1_500_000}\nprint(1)\n"
    assert api.put(f"runbooks/Long-{uuid.uuid4().hex[:6]}/draft", json={"script": script}).status_code == 200
    found = problem(api.post("playbooks", content=endless(), headers={"Content-Type": "application/json"}), 413)
    assert found["code"] == "api.body_too_large"


def test_a_query_with_typographic_quotes_says_so(api: httpx.Client) -> None:
    found = problem(api.post("search", json={"query": "Syslog | where Computer == “web-1”"}), 400)
    assert "quote" in (str(found["detail"]) + str(found["hint"])).lower()


def test_rows_of_wrong_types_are_named_and_the_others_kept(server: RunningServer, api: httpx.Client) -> None:
    name = f"m-{uuid.uuid4().hex[:8]}"
    rows = [ROW | {"Computer": name}, ROW | {"Computer": name, "TimeGenerated": "yesterday-ish"}, "no object"]
    with server.client(ingest_token(api)) as machine:
        answer = machine.post("ingest/Syslog", json=rows).json()
    assert answer["accepted"] == 1
    assert {(each["row"], each["column"]) for each in answer["rejected"]} >= {(1, "TimeGenerated")}
    found = api.post("search", json={"query": f"Syslog | where Computer == '{name}' | count"}).json()
    assert found["rows"] == [[1]]


def test_a_token_brings_rows_of_its_machine_only(server: RunningServer, api: httpx.Client) -> None:
    with server.client(ingest_token(api, "web-1")) as machine:
        answer = machine.post("ingest/Syslog", json=[ROW | {"Computer": "db-1"}]).json()
        assert answer["accepted"] == 0
        assert machine.post("ingest/SecurityAlert", json=[{}]).status_code == 403
        assert machine.get("incidents").status_code == 401


def test_a_packed_body_is_taken_and_a_bomb_is_not(server: RunningServer, api: httpx.Client) -> None:
    with server.client(ingest_token(api)) as machine:
        packed = gzip.compress(json.dumps([ROW]).encode())
        assert machine.post("ingest/Syslog", content=packed, headers={"Content-Encoding": "gzip"}).json()["accepted"] == 1
        problem(machine.post("ingest/Syslog", content=gzip.compress(b" " * 200_000_000)), 413)
        problem(machine.post("ingest/Syslog", content=b"{not json"), 400)
        problem(machine.post("ingest/Nope", json=[]), 403)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ('{"definition": {"actions": {"A": {"type": "Compose"', ""),
        ('{"definition": {"triggers": {}, "actions": {"A": {"type": "Telepathy", "inputs": {}, "runAfter": {}}}}}', "Telepathy"),
        ('{"definition": {"triggers": {}, "actions": {"A": {"type": "Compose", "inputs": "@nope(1)", "runAfter": {}}}}}', "nope"),
        ('{"definition": {"triggers": {}, "actions": {"A": {"type": "Compose", "inputs": "@equals(1)", "runAfter": {}}}}}', "equals"),
    ],
)
def test_a_malformed_playbook_is_kept_with_the_place_and_not_published(api: httpx.Client, document: str, words: str) -> None:
    name = f"p-{uuid.uuid4().hex[:8]}"
    draft = api.post("playbooks", json={"name": name, "document": document}).json()[0]
    assert not draft["is_publishable"]
    assert draft["problems"][0]["line"] >= 1
    assert words in json.dumps(draft["problems"])
    problem(api.post(f"playbooks/{draft['playbook_id']}/publish"), 400)
    assert api.get(f"playbooks/{draft['playbook_id']}").json()["source"] == document


def test_an_unknown_connector_is_refused_by_name(api: httpx.Client) -> None:
    connections = {
        "$connections": {
            "value": {"x": {"connectionId": "/x", "id": "/subscriptions/s/providers/Microsoft.Web/locations/l/managedApis/telegraph"}}
        }
    }
    host = {"connection": {"name": "@parameters('$connections')['x']['connectionId']"}}
    action = {"type": "ApiConnection", "inputs": {"host": host, "method": "post", "path": "/send"}, "runAfter": {}}
    definition = {"triggers": {}, "actions": {"Send": action}, "parameters": {"$connections": {"type": "Object", "defaultValue": {}}}}
    document = json.dumps({"definition": definition, "parameters": connections})
    draft = api.post("playbooks", json={"name": f"p-{uuid.uuid4().hex[:8]}", "document": document}).json()[0]
    assert "telegraph" in json.dumps(draft["problems"])


def test_a_runbook_with_a_syntax_error_keeps_its_draft(api: httpx.Client) -> None:
    name = f"R{uuid.uuid4().hex[:8]}"
    assert api.put(f"runbooks/{name}/draft", json={"script": "def main(\n  x"}).status_code == 200
    found = problem(api.post(f"runbooks/{name}/publish"), 400)
    assert found["line"]
    assert api.get(f"runbooks/{name}").json()["draft"] == "def main(\n  x"


def test_a_job_without_its_parameter_is_not_created(api: httpx.Client) -> None:
    name = f"R{uuid.uuid4().hex[:8]}"
    api.put(f"runbooks/{name}/draft", json={"script": "def main(VMName: str):\n    print(VMName)"})
    api.post(f"runbooks/{name}/publish")
    assert "VMName" in str(problem(api.post("jobs", json={"runbook": name}), 400)["detail"])


def test_things_that_are_not_there_are_named(api: httpx.Client) -> None:
    for path in ("incidents/inc_x", "alerts/alrt_x", "runs/run_x", "isolations/isol_x", "runbooks/Nope", "jobs/j", "playbooks/p"):
        assert problem(api.get(path), 404)["detail"]


def test_a_rule_whose_query_is_wrong_is_not_kept(api: httpx.Client) -> None:
    definition = {"name": "Bad", "severity": "High", "query": "Syslogg | count"}
    found = problem(api.post("analytics-rules", json={"definition": definition}), 400)
    assert "Syslog" in str(found["hint"])
    assert not [rule for rule in api.get("analytics-rules").json() if rule["name"] == "Bad"]


def test_the_article_s_inventory_query_runs_unchanged_on_rows_that_are_there(server: RunningServer, api: httpx.Client) -> None:
    query = (
        'ConfigurationData\n| where ConfigDataType == "Software"\n| where SoftwareType == "Application"\n'
        '| where Publisher != "Microsoft Corporation"\n| order by TimeGenerated desc'
    )
    token = str(api.post("ingest-tokens", json={"name": "inventory", "tables": ["ConfigurationData"]}).json()["token"])
    row = {"ConfigDataType": "Software", "SoftwareType": "Application", "Computer": "desk-02"}
    rows = [
        row | {"TimeGenerated": f"2026-11-24T0{hour}:00:00Z", "SoftwareName": name, "Publisher": publisher}
        for hour, name, publisher in ((1, "Flash Player", "Adobe"), (2, "Word", "Microsoft Corporation"), (3, "Steam", "Valve"))
    ]
    with server.client(token) as source:
        assert source.post("ingest/ConfigurationData", json=rows).json()["accepted"] == 3
    found = api.post("search", json={"query": query}).json()
    names = [column["name"] for column in found["columns"]]
    assert [each[names.index("SoftwareName")] for each in found["rows"]] == ["Steam", "Flash Player"]
