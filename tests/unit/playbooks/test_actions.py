import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.unit.playbooks.engine_room import after, call, compose, engine_room

TOKYO = "Tokyo Standard Time"
ROWS = [{"name": "web-1", "risk": 9}, {"name": "db<1>", "risk": 2}]


def outputs(home: Path, actions: dict[str, Any], body: Any = None) -> dict[str, Any]:
    """Status, code and outputs of every action."""

    async def work() -> dict[str, Any]:
        async with engine_room(home) as room:
            view = await room.run(actions, body)
            rows = room.runs.rows.actions(view["run_id"])
            return {row.key: (row.status, row.code, room.runs.payload(view["run_id"], row.key, "outputs")) for row in rows}

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("kind", "inputs", "made"),
    [
        ("Select", {"from": "@triggerBody()", "select": {"host": "@item()?['name']"}}, [{"host": "web-1"}, {"host": "db<1>"}]),
        ("Select", {"from": "@triggerBody()", "select": "@toUpper(item()['name'])"}, ["WEB-1", "DB<1>"]),
        ("Query", {"from": "@triggerBody()", "where": "@greater(item()?['risk'], 5)"}, [ROWS[0]]),
        ("Join", {"from": "@createArray('a', 'b')", "joinWith": ";"}, "a;b"),
        ("Table", {"from": "@triggerBody()", "format": "CSV"}, "name,risk\r\nweb-1,9\r\ndb<1>,2\r\n"),
        (
            "Table",
            {"from": "@triggerBody()", "format": "HTML", "columns": [{"header": "Host", "value": "@item()?['name']"}]},
            "<table><thead><tr><th>Host</th></tr></thead><tbody><tr><td>web-1</td></tr><tr><td>db&lt;1&gt;</td></tr></tbody></table>",
        ),
        ("ParseJson", {"content": '{"a": 1}', "schema": {"type": "object"}}, {"a": 1}),
    ],
)
def test_an_action_on_data_makes_what_it_says(tmp_path: Path, kind: str, inputs: dict[str, Any], made: Any) -> None:
    status, _, given = outputs(tmp_path, {"Do": {"type": kind, "inputs": inputs, "runAfter": {}}}, ROWS)["Do"]
    assert (status, given) == ("Succeeded", {"body": made})


def test_json_that_does_not_fit_its_schema_fails_and_says_where(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    found = outputs(tmp_path, {"Do": {"type": "ParseJson", "inputs": {"content": {"a": 1}, "schema": schema}, "runAfter": {}}})
    assert found["Do"][:2] == ("Failed", "SchemaValidationFailed")


def test_variables_are_set_counted_and_appended_to(tmp_path: Path) -> None:
    def change(kind: str, name: str, value: Any, *before: str) -> dict[str, Any]:
        return {"type": kind, "inputs": {"name": name, "value": value}, "runAfter": after(*before)}

    declared = [
        {"name": "N", "type": "Integer", "value": 5},
        {"name": "list", "type": "Array"},
        {"name": "text", "type": "String", "value": "a"},
    ]
    actions = {
        "Declare": {"type": "InitializeVariable", "inputs": {"variables": declared}, "runAfter": {}},
        "Up": change("IncrementVariable", "n", 3, "Declare"),
        "Down": change("decrementVariable", "N", 1, "Up"),
        "Add": change("AppendToArrayVariable", "list", "@variables('n')", "Down"),
        "Write": change("AppendToStringVariable", "text", "@variables('n')", "Add"),
        "Set": change("SetVariable", "n", "@add(variables('n'), 1)", "Write"),
        "End": compose("@createArray(variables('n'), variables('list'), variables('text'))", runAfter=after("Set")),
    }
    assert outputs(tmp_path, actions)["End"][2] == [8, [7], "a7"]


def test_an_expression_that_fails_fails_its_action_with_the_reason(tmp_path: Path) -> None:
    async def work() -> dict[str, Any]:
        async with engine_room(tmp_path) as room:
            return await room.run({"Do": compose("@triggerBody()['none']", runAfter={})}, {})

    action = asyncio.run(work())["actions"][0]
    assert (action["status"], action["code"]) == ("Failed", "InvalidTemplate")
    assert "'none' doesn't exist" in action["error"]["message"]


def test_a_static_result_answers_without_a_call(tmp_path: Path) -> None:
    async def work() -> tuple[dict[str, Any], int]:
        async with engine_room(tmp_path) as room:
            action = call("post", "/letters", {"x": 1}, runAfter={})
            action["runtimeConfiguration"] = {"staticResult": {"name": "canned", "staticResultOptions": "Enabled"}}
            results = {"canned": {"status": "Succeeded", "outputs": {"statusCode": 200, "body": "made up"}}}
            return await room.run({"Send": action}, staticResults=results), len(room.world.deeds())

    view, sent = asyncio.run(work())
    assert (view["status"], sent) == ("Succeeded", 0)


@pytest.mark.parametrize(
    ("kind", "inputs", "made"),
    [
        (
            "ConvertTimeZone",
            {"baseTime": "2026-07-01T10:00:00Z", "sourceTimeZone": "UTC", "destinationTimeZone": TOKYO},
            "2026-07-01T19:00:00.0000000",
        ),
        ("AddToTime", {"baseTime": "2026-07-01T10:00:00Z", "interval": 2, "timeUnit": "Hour"}, "2026-07-01T12:00:00.0000000Z"),
        ("SubtractFromTime", {"baseTime": "2026-07-01T10:00:00Z", "interval": 1, "timeUnit": "Day"}, "2026-06-30T10:00:00.0000000Z"),
    ],
)
def test_expression_actions_work_on_times(tmp_path: Path, kind: str, inputs: dict[str, Any], made: str) -> None:
    found = outputs(tmp_path, {"Do": {"type": "Expression", "kind": kind, "inputs": inputs, "runAfter": {}}})
    assert found["Do"][2] == {"body": made}
