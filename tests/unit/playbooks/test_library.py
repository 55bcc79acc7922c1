import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.runbook_jobs import RunbookJobs
from tests.unit.playbooks.engine_room import EXAMPLE, Room, build, call, compose, engine_room

from guardship.connectors.azure_automation import AzureAutomation
from guardship.connectors.mail import Mail, MailServer
from guardship.playbooks.arm.lenient_json import JsonSyntax, Places, parse
from guardship.playbooks.firing import Firing, NotPublished
from guardship.playbooks.library import NotPublishable
from guardship.playbooks.validation import Located


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return build(tmp_path, connectors=(AzureAutomation(RunbookJobs()), Mail("office365", MailServer())))


def problems_of(room: Room, actions: dict[str, Any], **more: Any) -> tuple[Located, ...]:
    return room.draft(actions, **more).problems


def test_the_example_is_read_without_a_problem_and_can_be_published(room: Room) -> None:
    draft = room.library.import_definition("", EXAMPLE.read_bytes(), by="ada")[0]
    assert draft.problems == ()
    assert draft.name == "isolate-on-high-alert"
    assert draft.connectors == ("ascalert", "azureautomation", "office365")
    version_id = room.library.publish(draft.playbook_id, by="ada")
    assert room.library.published(draft.playbook_id).version_id == version_id


def test_a_draft_cannot_be_run(room: Room) -> None:
    draft = room.draft({"One": compose(1, runAfter={})})
    with pytest.raises(NotPublished):
        room.library.published(draft.playbook_id)


def test_publishing_arms_nothing(room: Room) -> None:
    room.publish({"One": compose(1, runAfter={})})
    assert room.rules.all() == []


def test_a_malformed_document_is_kept_as_it_is_and_the_place_is_named(room: Room) -> None:
    text = '{\n  "triggers": {},\n  "actions": {"A": }\n}'
    draft = room.library.import_definition("broken", text, by="ada")[0]
    assert [(problem.line, problem.column, problem.code) for problem in draft.problems] == [(3, 20, "InvalidJson")]
    assert room.library.get(draft.playbook_id).source == text
    with pytest.raises(NotPublishable, match="line 3, column 20"):
        room.library.publish(draft.playbook_id, by="ada")


def test_a_published_version_stays_when_the_draft_breaks(room: Room) -> None:
    playbook_id = room.publish({"One": compose(1, runAfter={})})
    version_id = room.library.published(playbook_id).version_id
    assert room.library.import_definition("probe", "{", by="ada")[0].problems
    assert room.library.published(playbook_id).version_id == version_id


@pytest.mark.parametrize(
    ("actions", "code", "words", "path"),
    [
        ({"A": {"type": "Liquid", "inputs": {}}}, "UnsupportedAction", "the action type Liquid", "actions.A.type"),
        ({"A": {"type": "Compse", "inputs": 1}}, "UnsupportedAction", "the action type Compse", "actions.A.type"),
        ({"A": compose("@nope(1)")}, "UnknownFunction", "no function called nope", "actions.A.inputs"),
        ({"A": compose("@concat()")}, "WrongArity", "expects at least one parameter", "actions.A.inputs"),
        ({"A": compose("@concat('a'")}, "InvalidExpression", "missing here", "actions.A.inputs"),
        ({"A": compose("@body('B')")}, "UnknownAction", "no action called B", "actions.A.inputs"),
        ({"A": compose("@variables('v')")}, "UnknownVariable", "no variable called v", "actions.A.inputs"),
        ({"A": compose("@parameters('p')")}, "UnknownParameter", "no parameter called p", "actions.A.inputs"),
        ({"A": compose("@items('A')")}, "UnknownLoop", "no loop called A", "actions.A.inputs"),
        ({"A": compose(1, runAfter={"B": ["Succeeded"]})}, "UnknownAction", "runAfter names B", "actions.A.runAfter.B"),
        ({"A": compose(1, runAfter={"A": ["Succeeded"]})}, "CyclicRunAfter", "circle", "actions.A.runAfter"),
        ({"A": call("post", "/unknown")}, "UnsupportedOperation", "no operation post /unknown", "actions.A.inputs.path"),
        ({"A": {"type": "If", "expression": {"equls": [1, 1]}, "actions": {}}}, "InvalidCondition", "equls", "actions.A.expression.equls"),
        (
            {"A": {"type": "SetVariable", "inputs": {"name": "v", "value": 1}}},
            "UnknownVariable",
            "no variable called v",
            "actions.A.inputs.name",
        ),
    ],
)
def test_what_cannot_run_is_refused_by_name_and_place(room: Room, actions: dict[str, Any], code: str, words: str, path: str) -> None:
    problem = problems_of(room, actions)[0]
    assert (problem.code, problem.path) == (code, path)
    assert words in problem.message


def test_a_connector_nobody_has_is_refused_by_name(room: Room) -> None:
    action = call("post", "/x")
    action["inputs"]["host"]["connection"]["name"] = "@parameters('$connections')['servicenow']['connectionId']"
    problem = problems_of(room, {"A": action})[0]
    assert (problem.code, problem.message) == ("UnknownConnector", "there is no connector called servicenow")


def test_a_trigger_type_that_is_not_built_is_refused_by_name(room: Room) -> None:
    triggers = {"every": {"type": "Alarm", "recurrence": {"frequency": "Day", "interval": 1}}}
    assert [problem.code for problem in problems_of(room, {"A": compose(1)}, triggers=triggers)] == ["UnsupportedTrigger"]


def test_a_problem_in_an_expression_has_the_line_and_column_of_the_text(room: Room) -> None:
    text = '{\n "triggers": {"manual": {"type": "Request"}},\n "actions": {\n  "A": {\n   "type": "Compose",\n   "inputs": {"x": ["\\n @{nope()}"]}\n  }\n }\n}'
    problem = room.library.import_definition("placed", text, by="ada")[0].problems[0]
    line = text.splitlines()[problem.line - 1]
    assert line[problem.column - 1 :].startswith("nope()")


def test_every_problem_is_told_not_only_the_first(room: Room) -> None:
    found = problems_of(room, {"A": compose("@nope()"), "B": {"type": "Agent"}, "C": compose("@add(1)")})
    assert {problem.code for problem in found} == {"UnknownFunction", "UnsupportedAction", "WrongArity"}


def test_comments_marks_and_trailing_commas_are_read(room: Room) -> None:
    text = '\ufeff{ // a playbook\n "triggers": {"manual": {"type": "Request"},},\n /* its\n actions */ "actions": {"A": {"type": "Compose", "inputs": "http://x"},},}'
    draft = room.library.import_definition("lenient", text.encode("utf-8"), by="ada")[0]
    assert draft.problems == ()


def test_a_path_is_found_in_a_text_with_escapes() -> None:
    text = '{"a": [1, {"b\\"c": "x\\u0041@{bad"}]}'
    span = Places(text).locate(("a", 1, 'b"c'), 2, 3)
    assert text[span.start] == "@"


def test_a_text_that_is_no_json_names_its_line() -> None:
    with pytest.raises(JsonSyntax, match="line 2"):
        parse('{\n"a" 1}')


def test_template_functions_variables_and_parameters_are_worked_out(room: Room) -> None:
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "parameters": {"Name": {"defaultValue": "pb"}, "Suffix": {"type": "string"}},
        "variables": {"Full": "[concat(parameters('Name'), '-', toLower(parameters('Suffix')))]"},
        "resources": [
            {"type": "Microsoft.Automation/automationAccounts", "name": "acc"},
            {
                "type": "Microsoft.Logic/workflows",
                "name": "[variables('Full')]",
                "properties": {
                    "definition": {
                        "triggers": {"manual": {"type": "Request"}},
                        "actions": {
                            "A": {"type": "Compose", "inputs": "[resourceGroup().location]"},
                            "B": {"type": "Compose", "inputs": "[[literal]"},
                        },
                    }
                },
            },
        ],
    }
    draft = room.library.import_definition("", json.dumps(template), by="ada", parameters={"suffix": "X"})[0]
    assert (draft.name, draft.problems) == ("pb-x", ())
    assert draft.ignored == ("Microsoft.Automation/automationAccounts acc",)
    actions = room.library.get(draft.playbook_id).definition["actions"]
    assert [actions[name]["inputs"] for name in ("A", "B")] == ["westeurope", "[literal]"]


def test_a_template_that_lacks_a_value_names_it_and_loads_the_rest(room: Room) -> None:
    template = {
        "parameters": {"Who": {"type": "string"}},
        "resources": [
            {
                "type": "Microsoft.Logic/workflows",
                "name": "lacking",
                "properties": {
                    "definition": {
                        "triggers": {"manual": {"type": "Request"}},
                        "actions": {
                            "A": {"type": "Compose", "inputs": "[parameters('Who')]"},
                            "B": {"type": "Compose", "inputs": "[parameters('Who')]"},
                        },
                    }
                },
            }
        ],
    }
    draft = room.library.import_definition("", json.dumps(template, indent=1), by="ada")[0]
    assert draft.name == "lacking"
    assert [problem.path for problem in draft.problems] == ["parameters.Who"]
    assert "'Who' has neither a value nor a default" in draft.problems[0].message
    assert draft.problems[0].line == json.dumps(template, indent=1).splitlines().index('  "Who": {') + 1


def test_the_example_runs_its_runbook_with_the_host_of_the_alert(tmp_path: Path) -> None:
    jobs = RunbookJobs()

    async def work() -> dict[str, Any]:
        async with engine_room(tmp_path, connectors=(AzureAutomation(jobs), Mail("office365", MailServer()))) as room:
            draft = room.library.import_definition("", EXAMPLE.read_bytes(), by="ada")[0]
            room.library.publish(draft.playbook_id, by="ada")
            accepted = await room.runner.accept_soon(Firing(draft.playbook_id, None, {"Severity": "High", "CompromisedEntity": "web-1"}))
            await room.runner.wait_ended(accepted.run_id)
            return room.runs.view(accepted.run_id)

    view = asyncio.run(work())
    taken = view["actions"][0]["branches"][0]
    assert taken["is_taken"]
    assert [(action["name"], action["status"]) for action in taken["actions"]] == [("Create_job", "Succeeded"), ("Send_an_email", "Failed")]
    assert taken["actions"][1]["code"] == "NoMailServer"
    assert [(job.runbook, job.parameters) for job in jobs.by_name.values()] == [("IsolateVM", {"VMName": "web-1"})]
