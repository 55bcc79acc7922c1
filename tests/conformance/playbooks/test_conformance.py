"""The judge itself: what it guesses of answers, and that it runs a folder to its end and says what it refused."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.conformance.playbooks.__main__ import Tally, run_all
from tests.conformance.playbooks.answering import Answers
from tests.conformance.playbooks.documents import asked_for
from tests.conformance.playbooks.reading import TRIGGER, read_definition
from tests.conformance.playbooks.shapes import completed, merged, of_schema

HOST = {"connection": {"name": "@parameters('$connections')['virustotal']['connectionId']"}}
SCHEMA = {
    "type": "object",
    "properties": {"rows": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}},
}


def look_up(path: str = "/api/v3/ip_addresses/@{encodeURIComponent('::1')}", **more: Any) -> dict[str, Any]:
    return {"type": "ApiConnection", "inputs": {"host": HOST, "method": "get", "path": path}, "runAfter": {}, **more}


def after(name: str) -> dict[str, list[str]]:
    return {name: ["Succeeded"]}


def definition(actions: dict[str, Any], trigger: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"triggers": {"manual": trigger or {"type": "Request", "inputs": {"schema": {}}}}, "actions": actions}


def judged(folder: Path, **documents: Any) -> tuple[Tally, Answers]:
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
    return asyncio.run(run_all(folder, lists=False))


def test_an_array_that_is_walked_has_one_item_with_what_is_read_of_it() -> None:
    loop = {"type": "Foreach", "foreach": "@body('Ask')?['value']", "actions": {}, "runAfter": after("Ask")}
    loop["actions"] = {"Say": {"type": "Compose", "inputs": "@{items('Each')?['name']} @{item()?['id']}", "runAfter": {}}}
    read = read_definition(definition({"Ask": look_up(), "Each": loop}))
    assert read.body("Ask") == {"value": [{"name": "text", "id": "text"}]}


def test_what_is_compared_holds_the_comparison() -> None:
    condition = {"and": [{"greater": ["@body('Ask')?['score']", 50]}, {"equals": ["@body('Ask')?['state']", "done"]}]}
    read = read_definition(definition({"Ask": look_up(), "If": {"type": "If", "expression": condition, "runAfter": after("Ask")}}))
    assert read.body("Ask") == {"score": 51, "state": "done"}


def test_a_schema_that_takes_the_body_is_kept_and_what_is_read_behind_it_leads_back() -> None:
    actions = {
        "Ask": look_up(),
        "Parse": {"type": "ParseJson", "inputs": {"content": "@body('Ask')", "schema": SCHEMA}, "runAfter": after("Ask")},
        "Say": {"type": "Compose", "inputs": "@first(body('Parse')?['rows'])?['more']", "runAfter": after("Parse")},
    }
    assert read_definition(definition(actions)).body("Ask") == {"rows": [{"n": 1, "more": "text"}]}


def test_a_text_of_json_is_a_text() -> None:
    actions = {"Ask": look_up(), "Say": {"type": "Compose", "inputs": "@json(body('Ask')?['text'])?['a']", "runAfter": after("Ask")}}
    assert json.loads(read_definition(definition(actions)).body("Ask")["text"]) == {"a": "text"}


def test_the_trigger_has_its_schema_and_what_is_read_of_it() -> None:
    trigger = {"type": "Request", "inputs": {"schema": {"type": "object", "properties": {"id": {"type": "string"}}}}}
    read = read_definition(definition({"Say": {"type": "Compose", "inputs": "@triggerBody()?['more']", "runAfter": {}}}, trigger))
    assert read.body(TRIGGER) == {"id": "text", "more": "text"}


def test_schemas_give_values_that_they_let_pass() -> None:
    assert of_schema({"type": ["null", "string"], "format": "date-time"}).endswith("Z")
    assert of_schema({"enum": ["b", "a"]}) == "b"
    assert of_schema({"anyOf": [{"type": "boolean"}, {"type": "string"}]}) is True
    assert of_schema({"type": "object", "required": ["x"]}) == {"x": "text"}


def test_what_is_published_is_completed_and_never_changed() -> None:
    assert completed({"A": 1, "list": [{"b": 2}]}, {"a": 9, "list": [{"c": 3}], "d": 4}) == {"A": 1, "list": [{"b": 2, "c": 3}], "d": 4}
    assert merged({"n": 1}, {"n": 51, "m": 2}) == {"n": 51, "m": 2}


def test_a_parameter_that_would_be_asked_for_gets_a_value_of_its_type() -> None:
    parameters = {"a": {"type": "string"}, "b": {"type": "int", "allowedValues": [5]}, "c": {"type": "bool", "defaultValue": False}}
    assert asked_for({"parameters": parameters, "resources": []}) == {"a": "a", "b": 5}


def test_a_folder_is_run_to_its_end_and_waits_take_no_time(tmp_path: Path) -> None:
    actions = {
        "Wait": {"type": "Wait", "inputs": {"interval": {"count": 3, "unit": "Day"}}, "runAfter": {}},
        "Ask": look_up(runAfter=after("Wait")),
        "Own": look_up("/api/v3/own/@{triggerBody()?['x']}", runAfter=after("Ask")),
    }
    tally, answers = judged(tmp_path, whole=definition(actions), broken="{")
    assert (tally.files, tally.loaded, tally.ran, tally.refused) == (2, 1, 1, 0)
    assert tally.ends == {"Succeeded": 1}
    assert set(answers.asked) == {("virustotal", "get_ip", "published"), ("virustotal", "GET /api/v3/own/{}", "not published")}


def test_what_is_refused_is_told_and_does_not_count_as_run(tmp_path: Path) -> None:
    actions = {"Odd": {"type": "Liquid", "inputs": {}, "runAfter": {}}, "Say": {"type": "Compose", "inputs": "@nope()", "runAfter": {}}}
    tally, _ = judged(tmp_path, odd=definition(actions))
    assert (tally.files, tally.loaded, tally.ran, tally.refused) == (1, 1, 0, 1)
    assert any("Liquid" in what for what in tally.refusals)
    assert any("function: there is no function called nope" in what for what in tally.refusals)


def test_a_run_that_fails_has_run_and_says_why(tmp_path: Path) -> None:
    tally, _ = judged(
        tmp_path,
        failing=definition({"Say": {"type": "Compose", "inputs": "@body('Say2')", "runAfter": {}}, "Say2": look_up(runAfter=after("Say"))}),
    )
    assert tally.ran == 1
    assert tally.ends == {"Failed": 1}
    assert "Say" in tally.failures[0]


def test_a_recording_answers_before_anything_is_made_up(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books/a.json").write_text(json.dumps(definition({"Ask": look_up()})))
    record = {"connector": "virustotal", "operation": "get_ip", "response": {"statusCode": 404}}
    (tmp_path / "virustotal.jsonl").write_text(json.dumps(record))
    tally, answers = asyncio.run(run_all(tmp_path / "books", lists=False, recordings=tmp_path))
    assert tally.ends == {"Failed": 1}
    assert set(answers.asked) == {("virustotal", "get_ip", "recorded")}
