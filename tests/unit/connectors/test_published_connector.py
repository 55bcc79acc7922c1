import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.asking import ask, request_for, with_connection
from tests.unit.playbooks.engine_room import engine_room, statuses

from guardship.connectors.acting import Acting, answer
from guardship.connectors.published_connector import LAB, REPLAY, PublishedConnector, what_cannot_run
from guardship.connectors.published_operations import shipped
from guardship.connectors.recordings import RecordedFile
from guardship.playbooks.connector import CallFailed, ConnectorSet, Operation, Recovery
from guardship.playbooks.reading import read_workflow

LOOK_UP = Acting("virustotal", {"get_ip": lambda request, context: answer({"asked": request.segments["address"]})})


def call(path: str, method: str = "get", connector: str = "virustotal") -> dict[str, Any]:
    host = {"connection": {"name": f"@parameters('$connections')['{connector}']['connectionId']"}}
    return {"type": "ApiConnection", "inputs": {"host": host, "method": method, "path": path}, "runAfter": {}}


def test_without_a_back_end_the_call_fails_with_its_name_and_the_way_out() -> None:
    connector = PublishedConnector(shipped()["virustotal"])
    with pytest.raises(CallFailed, match=r"virustotal cannot carry out GET .*replay") as caught:
        ask(connector, request_for("virustotal", "get_ip"))
    assert caught.value.code == "UnsupportedOperation"


def test_a_back_end_that_was_asked_for_and_is_not_there_is_named() -> None:
    connector = PublishedConnector(shipped()["virustotal"], {LAB: LOOK_UP})
    with pytest.raises(CallFailed, match="asks for the back end azure, and there are: lab"):
        ask(connector, request_for("virustotal", "get_ip"), with_connection(back_end="azure"))


def test_the_connection_chooses_the_recording(tmp_path: Path) -> None:
    record = {"connector": "virustotal", "operation": "get_ip", "request": {}, "response": {"statusCode": 200, "body": {"kept": 1}}}
    (tmp_path / "virustotal.jsonl").write_text(json.dumps(record))
    connector = PublishedConnector(shipped()["virustotal"], {LAB: LOOK_UP, REPLAY: RecordedFile("virustotal", tmp_path)})
    assert ask(connector, request_for("virustotal", "get_ip", address="::1")).body == {"asked": "::1"}
    assert ask(connector, request_for("virustotal", "get_ip"), with_connection(back_end="Replay")).body == {"kept": 1}


def test_what_cannot_run_here_is_known_before_anything_is_published() -> None:
    connectors = ConnectorSet([PublishedConnector(shipped()["virustotal"], {LAB: LOOK_UP})])
    actions = {"Ip": call("/api/v3/ip_addresses/@{triggerBody()}"), "Domain": call("/api/v3/domains/@{triggerBody()}")}
    workflow, problems = read_workflow("w", {"triggers": {"manual": {"type": "Request"}}, "actions": actions}, {}, connectors)
    assert not problems
    (found,) = what_cannot_run(workflow, connectors)
    assert (found.action, found.operation, found.reason) == ("Domain", "get_domain", "virustotal/get_domain is not built here")


def test_a_custom_connector_takes_the_operations_of_its_document(tmp_path: Path) -> None:
    operations = [Operation("list", "GET", "/lists/{list}", Recovery.RETRY, has_effect=False)]
    lab = Acting("Firewall", {"list": lambda request, context: answer(request.segments)})
    custom = PublishedConnector.of_operations("Firewall", "Our firewall", operations, {LAB: lab})

    async def work() -> dict[str, Any]:
        async with engine_room(tmp_path, connectors=(custom,)) as room:
            view = await room.run({"Read": call("/LISTS/@{encodeURIComponent(encodeURIComponent('a/b'))}", connector="firewall")})
            outputs: Any = room.runs.payload(view["run_id"], "Read", "outputs")
            return {**statuses(view), "body": outputs["body"]}

    assert asyncio.run(work()) == {"Read": "Succeeded", "body": {"list": "a/b"}}


def test_a_connection_that_records_has_its_answers_written_down(tmp_path: Path) -> None:
    connector = PublishedConnector(shipped()["virustotal"], {LAB: LOOK_UP}, recordings=tmp_path)
    ask(connector, request_for("virustotal", "get_ip", address="::1"), with_connection(record=True, back_end="lab"))
    ask(connector, request_for("virustotal", "get_ip", address="::2"))
    (line,) = (tmp_path / "virustotal.jsonl").read_text().splitlines()
    assert json.loads(line)["response"]["body"] == {"asked": "::1"}
