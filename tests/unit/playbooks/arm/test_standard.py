"""Standard apps: folders and zips with one folder a workflow."""

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.playbooks.arm.templates import WRONG, changed
from tests.unit.playbooks.engine_room import build

from guardship.playbooks.arm.place import ArmPlace
from guardship.playbooks.arm.standard import files_of
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.validation import Checked, check_document, check_folder

ACTION = {
    "type": "ApiConnection",
    "inputs": {"host": {"connection": {"referenceName": "desk"}}, "method": "post", "path": "/things/@{parameters('thing')}"},
}
DEFINITION = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {"Say": ACTION},
    "parameters": {"thing": {"type": "String"}, "token": {"type": "String"}, "pin": {"type": "SecureString"}},
}
CONNECTIONS = {
    "managedApiConnections": {
        "desk": {
            "api": {
                "id": "/subscriptions/@{appsetting('SUBSCRIPTION')}/providers/Microsoft.Web/locations/@parameters('where')/managedApis/desk"
            },
            "connection": {"id": "@appsetting('CONNECTION')"},
            "authentication": {"type": "Raw", "scheme": "Key", "parameter": "@appsetting('desk-key')"},
            "connectionRuntimeUrl": "@appsetting('desk-url')",
        }
    }
}
PARAMETERS = {
    "token": {"type": "String", "value": "@appsetting('PLACE')"},
    "pin": {"type": "SecureString", "value": "1234"},
    "thing": {"type": "String", "value": "lamp"},
    "where": {"type": "String", "value": "@appsetting('PLACE')"},
}
SETTINGS = {"IsEncrypted": False, "Values": {"subscription": "S", "CONNECTION": "/c", "PLACE": "west"}}


def app(**changed: Any) -> dict[str, bytes]:
    contents = {
        "Say_it/workflow.json": {"definition": DEFINITION, "kind": "Stateless"},
        "connections.json": CONNECTIONS,
        "parameters.json": PARAMETERS,
        "local.settings.json": SETTINGS,
        **changed,
    }
    return {
        name: content if isinstance(content, bytes) else json.dumps(content).encode()
        for name, content in contents.items()
        if content is not None
    }


def zipped(files: Mapping[str, bytes], root: str = "") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(root + name, content)
    return made.getvalue()


def check(files: Mapping[str, bytes], given: Mapping[str, Any] | None = None) -> Checked:
    return check_folder(files, ConnectorSet([]), parameters=given or {})


def test_a_workflow_gets_its_connections_parameters_and_settings() -> None:
    checked = check(app())
    assert checked.problems == []
    one = checked.workflows[0]
    assert (one.name, one.found.kind) == ("Say_it", "Stateless")
    assert [one.parameters[name] for name in ("thing", "token", "pin")] == ["lamp", "west", "1234"]
    assert one.found.secure == {"token", "pin"}
    assert one.parameters["$connections"]["desk"] == {
        "api": {"id": "/subscriptions/S/providers/Microsoft.Web/locations/west/managedApis/desk"},
        "connection": {"id": "/c"},
        "authentication": {"type": "Raw"},
    }
    assert [(found.name, found.connector) for found in checked.connections] == [("desk", "desk")]


def test_an_action_finds_its_connector_by_the_name_of_the_reference(tmp_path: Path) -> None:
    room = build(tmp_path)
    draft = room.library.import_definition("", zipped(app(), root="my-app/"), by="ada")[0]
    assert (draft.name, draft.connectors) == ("Say_it", ("desk",))
    assert [problem.code for problem in draft.problems] == ["UnsupportedOperation"]  # the connector is there, and has no such operation
    assert json.loads(room.library.get(draft.playbook_id).source) == {"definition": DEFINITION, "kind": "Stateless"}
    room.database.close()


def test_a_folder_on_disk_is_read_as_its_zip(tmp_path: Path) -> None:
    files = {**app(), "Say_it/notes.txt": b"x", "host.json": b"{}"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert files_of(tmp_path) == app()


def test_what_has_no_value_is_asked_for_once_with_its_place() -> None:
    twice = {"managedApiConnections": dict.fromkeys(("desk", "other"), CONNECTIONS["managedApiConnections"]["desk"])}
    checked = check(app(**{"local.settings.json": None, "connections.json": twice}))
    assert [(problem.path, problem.code) for problem in checked.problems] == [
        ("parameters.json: token.value", "MissingParameter"),
        ("connections.json: managedApiConnections.desk.api.id", "MissingParameter"),
        ("connections.json: managedApiConnections.desk.connection.id", "MissingParameter"),
    ]
    assert check(app(**{"local.settings.json": None}), {"SUBSCRIPTION": "S", "connection": "/c", "PLACE": "w"}).problems == []


def test_an_app_setting_in_a_definition_becomes_a_secure_parameter() -> None:
    written = ["@appsetting('Key')", "k=@{toLower(AppSetting('KEY'))}", "appsetting('Key')", "@appsetting('none')"]
    definition = {**DEFINITION, "actions": {"A": {"type": "Compose", "inputs": written}}}
    settings = {"Values": {"CONNECTION": "/c", "PLACE": "west", "SUBSCRIPTION": "S", "KEY": "p4ss"}}
    checked = check(app(**{"Say_it/workflow.json": {"definition": definition}, "local.settings.json": settings}))
    one = checked.workflows[0]
    inputs = ["@parameters('setting_Key')", "k=@{toLower(parameters('setting_Key'))}", "appsetting('Key')", "@parameters('setting_none')"]
    assert one.definition["actions"]["A"]["inputs"] == inputs
    assert one.parameters["setting_Key"] == "p4ss"
    assert one.found.secure == {"setting_Key", "setting_none", "token", "pin"}
    assert [(problem.path, problem.code) for problem in checked.problems] == [
        ("Say_it/workflow.json: definition.actions.A.inputs[3]", "MissingParameter")
    ]


def test_connections_that_cannot_run_are_refused_by_name() -> None:
    kinds: dict[str, Any] = {
        "serviceProviderConnections": {"sql": {}},
        "agentConnections": {"model": {}},
        "functionConnections": {"fn": {}},
    }
    checked = check(app(**{"connections.json": {**CONNECTIONS, **kinds}}))
    assert [(problem.code, problem.path) for problem in checked.problems] == [
        ("UnsupportedConnection", "connections.json: serviceProviderConnections.sql"),
        ("UnsupportedConnection", "connections.json: agentConnections.model"),
    ]
    assert checked.ignored == ["functionConnections fn"]


@pytest.mark.parametrize(
    ("changed", "code", "path"),
    [
        ({"connections.json": b"{"}, "InvalidJson", "connections.json"),
        ({"parameters.json": b"[]"}, "InvalidDefinition", "parameters.json"),
        ({"Say_it/workflow.json": b'{"kind": "Stateful"}'}, "InvalidDefinition", "Say_it/workflow.json"),
        ({"Say_it/workflow.json": None, "connections.json": None}, "InvalidDefinition", ""),
    ],
)
def test_a_file_that_is_broken_is_named(changed: dict[str, Any], code: str, path: str) -> None:
    problem = check(app(**changed)).problems[0]
    assert (problem.code, problem.path) == (code, path)


def test_a_broken_workflow_leaves_the_others_alone() -> None:
    files = app(**{"Broken/workflow.json": b'{\n "definition": {"a" 1}}'})
    checked = check(files)
    assert [one.name for one in checked.workflows] == ["Say_it"]
    assert [(problem.path, problem.line) for problem in checked.problems] == [("Broken/workflow.json", 2)]


def test_a_zip_that_cannot_be_read_says_so() -> None:
    checked = check_document(
        "", b"PK\x03\x04 not a zip", ConnectorSet([]), parameters={}, place=ArmPlace(), now=datetime(2026, 11, 24, tzinfo=UTC)
    )
    assert [(problem.code, "this zip cannot be read" in problem.message) for problem in checked.problems] == [("InvalidJson", True)]


@given(st.lists(st.tuples(st.integers(min_value=0), st.sampled_from(WRONG)), min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_no_app_breaks_the_reader(changes: list[tuple[int, Any]]) -> None:
    files = changed({name: json.loads(content) for name, content in app().items()}, changes)
    check({name: json.dumps(content).encode() for name, content in files.items()})
