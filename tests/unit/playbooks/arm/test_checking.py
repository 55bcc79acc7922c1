"""A whole document is checked: each problem once, at its line and column, before anything runs."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.playbooks.arm.templates import workflow

from guardship.playbooks.arm.place import ArmPlace
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.validation import Checked, Located, check_document

TRIGGER = {"triggers": {"manual": {"type": "Request"}}}


def check(document: Any, **given: Any) -> Checked:
    text = document if isinstance(document, str | bytes) else json.dumps(document, indent=1)
    return check_document("w", text, ConnectorSet([]), parameters=given, place=ArmPlace(), now=datetime(2026, 11, 24, tzinfo=UTC))


def template(actions: Any, **more: Any) -> dict[str, Any]:
    return {**more, "resources": [workflow(actions, definition=TRIGGER)]}


def at(document: Any, problem: Located) -> str:
    """The text of the document from the problem's place on."""
    return json.dumps(document, indent=1).splitlines()[problem.line - 1][problem.column - 1 :]


def compose(value: Any) -> dict[str, Any]:
    return {"type": "Compose", "inputs": value}


@pytest.mark.parametrize(
    ("actions", "path", "code", "begins"),
    [
        ({"A": {"type": "Compse", "inputs": 1}}, "actions.A.type", "UnsupportedAction", '"Compse"'),
        ({"A": compose("[concat('a', nope())]")}, "resources[0].properties.definition.actions.A.inputs", "UnknownFunction", "nope()"),
        ({"A": compose("[concat('a' 'b')]")}, "resources[0].properties.definition.actions.A.inputs", "InvalidExpression", "'b')"),
        ({"A": compose("[toLower('a', int('x'))]")}, "resources[0].properties.definition.actions.A.inputs", "WrongArity", "toLower("),
        ({"A": compose("[toLower(int('x'))]")}, "resources[0].properties.definition.actions.A.inputs", "InvalidTemplate", "int('x')"),
        ({"A": compose("@concat('a', nope())")}, "actions.A.inputs", "UnknownFunction", "nope()"),
        ({"A": compose("[concat('@no', 'pe()')]")}, "actions.A.inputs", "UnknownFunction", '"[concat('),
    ],
)
def test_a_problem_stands_at_its_line_and_column(actions: Any, path: str, code: str, begins: str) -> None:
    document = template(actions)
    checked = check(document)
    problem = checked.workflows[0].problems[0]
    assert (len(checked.workflows[0].problems), checked.problems) == (1, [])
    assert (problem.path, problem.code) == (path, code)
    assert at(document, problem).startswith(begins)


def test_a_parameter_that_is_missing_is_one_problem_of_the_whole_document() -> None:
    connections = {"$connections": {"value": {"own": {"id": "[concat('/x/customApis/', parameters('Connector'))]"}}}}
    host = {"host": {"connection": {"name": "@parameters('$connections')['own']['connectionId']"}}, "method": "get", "path": "/x"}
    call = {"type": "ApiConnection", "inputs": host}
    resources = [
        workflow({"A": call, "B": call}, definition=TRIGGER, properties={"parameters": connections}),
        workflow({"A": compose("[parameters('Connector')]")}, definition=TRIGGER, name="other"),
    ]
    document = {"parameters": {"Connector": {"type": "string"}}, "resources": resources}
    checked = check(document)
    assert [(problem.path, problem.code) for problem in checked.problems] == [("parameters.Connector", "MissingParameter")]
    assert at(document, checked.problems[0]).startswith("{")
    assert [one.problems for one in checked.workflows] == [(), ()]


def test_what_a_broken_value_leads_to_is_not_told_again() -> None:
    call = {"type": "Http", "inputs": {"method": "get", "uri": "x"}, "limit": {"timeout": "[int('x')]"}}
    codes = [problem.code for problem in check(template({"A": call})).workflows[0].problems]
    assert codes == ["InvalidTemplate", "UnsupportedAction"]  # int('x'), and Http, which has no connector here


def test_what_a_deployment_tells_is_apart_from_the_problems() -> None:
    document = template({"A": compose("[reference('x').y]")})
    checked = check(document)
    assert (checked.problems, checked.workflows[0].problems) == ([], ())
    known = checked.needs_deployment[0]
    assert (known.code, known.message) == ("KnownAfterDeployment", "known after deployment: reference('x').y")
    assert at(document, known).startswith('"[reference')


def test_a_name_that_stands_twice_is_a_remark_with_its_place() -> None:
    text = '{"triggers": {"m": {"type": "Request"}},\n "actions": {"A": {"type": "Compose", "inputs": 1},\n  "A": {"type": "Compose", "inputs": 2}}}'
    checked = check(text)
    assert [(one.path, one.line, one.column, one.code) for one in checked.remarks] == [("actions.A", 3, 3, "DuplicateName")]
    assert (checked.problems, checked.workflows[0].problems) == ([], ())
    assert checked.workflows[0].definition["actions"]["A"]["inputs"] == 2


@pytest.mark.parametrize("depth", [300, 900, 5000])
def test_a_document_that_nests_too_deep_says_so(depth: int) -> None:
    for document in ('{"resources": [], "outputs": {"o": {"value": ' + "[" * depth + "]" * depth + "}}}", "[" * depth):
        checked = check(document)
        assert {problem.code for problem in checked.problems} <= {"InvalidJson", "InvalidDefinition"}


def test_a_broken_template_loads_what_is_whole() -> None:
    text = (
        '\ufeff{ // exported\n "parameters": {"Name": {"type": "string", "defaultValue": 5,}},\n "resources": [\n'
        '  {"type": "Microsoft.Logic/workflows", "name": "good", "properties": {"definition": {"triggers": {"m": {"type": "Request"}},\n'
        '   "actions": {"A": {"type": "Compose", "inputs": "[variables(\'none\')]"}}}}},\n'
        '  {"type": "Microsoft.Web/connections", "name": "[parameters(\'Name\')]", "properties": {"api": {"id": "/x/azuresentinel"}}},\n ]}'
    )
    checked = check(text.encode())
    assert [(one.code, one.line, one.column) for one in checked.problems] == [("UnknownVariable", 5, 53), ("InvalidParameter", 2, 60)]
    assert [one.name for one in checked.workflows] == ["good"]
    assert [one.connector for one in checked.connections] == ["azuresentinel"]
