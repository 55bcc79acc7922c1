"""Parameters: what fits, what is asked for, and what is never told."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.playbooks.arm.templates import evaluated, found_in, read, workflow
from tests.unit.playbooks.engine_room import build

from guardship.playbooks.arm.lenient_json import JsonSyntax
from guardship.playbooks.arm.parameters import VaultSecret, given_values, read_parameter_file
from guardship.playbooks.library import PlaybookVersion
from guardship.playbooks.secure_parameters import NoVault, opened, sealed

SECRET = "p4ss-w0rd"


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ({"type": "String"}, "a"),
        ({"type": "int", "minValue": 1, "maxValue": 3}, 2),
        ({"type": "bool"}, False),
        ({"type": "array", "minLength": 1}, [1]),
        ({"type": "object"}, {"a": 1}),
        ({"type": "string", "allowedValues": ["a", "b"]}, "a"),
        ({"type": "array", "allowedValues": ["a", "b"]}, ["b", "a"]),
        ({"type": "string", "nullable": True}, None),
        ({"$ref": "#/definitions/short"}, "ab"),
    ],
)
def test_a_value_that_fits_is_taken(declared: dict[str, Any], value: Any) -> None:
    definitions = {"short": {"type": "string", "maxLength": 2}}
    assert evaluated("[parameters('p')]", {"p": value}, parameters={"p": declared}, definitions=definitions) == value


@pytest.mark.parametrize(
    ("declared", "value", "words"),
    [
        ({"type": "string"}, 1, "it must be a string, not 1"),
        ({"type": "int"}, "1", "it must be a whole number, not '1'"),
        ({"type": "int"}, True, "it must be a whole number"),
        ({"type": "bool"}, "true", "it must be a boolean"),
        ({"type": "array"}, {}, "it must be an array"),
        ({"type": "object"}, [], "it must be an object"),
        ({"type": "int", "minValue": 1}, 0, "it must be at least 1"),
        ({"type": "int", "maxValue": 1}, 2, "it must be at most 1"),
        ({"type": "string", "minLength": 2}, "a", "its length must be at least 2"),
        ({"type": "array", "maxLength": 1}, [1, 2], "its length must be at most 1"),
        ({"type": "string", "allowedValues": ["a", "b"]}, "c", "'c' is not one of 'a', 'b'"),
        ({"type": "text"}, "a", "no parameter type text"),
        ({"$ref": "#/definitions/short"}, "abc", "its length must be at most 2"),
    ],
)
def test_a_value_that_does_not_fit_is_told_at_its_parameter(declared: dict[str, Any], value: Any, words: str) -> None:
    definitions = {"short": {"type": "string", "maxLength": 2}}
    template: dict[str, Any] = {"parameters": {"p": declared}, "definitions": definitions}
    found = found_in({"A": "[parameters('p')]", "B": "[parameters('P')]"}, {"P": value}, **template)
    assert [(problem.path, problem.code, words in problem.message) for problem in found.problems] == [
        (("parameters", "p"), "InvalidParameter", True)
    ]


def test_a_default_that_does_not_fit_is_told_where_it_stands() -> None:
    found = found_in({"A": "[parameters('p')]"}, parameters={"p": {"type": "int", "defaultValue": "[toLower('A')]"}})
    assert [(problem.path, problem.code) for problem in found.problems] == [(("parameters", "p", "defaultValue"), "InvalidParameter")]


def test_a_parameter_without_a_value_is_asked_for_once_and_the_rest_loads() -> None:
    declared = {"type": "string", "metadata": {"description": "The name of the workspace"}}
    found = found_in(
        {"A": "[parameters('p')]", "B": "[concat('a', parameters('p').x)]", "C": 1}, parameters={"p": declared, "idle": {"type": "int"}}
    )
    assert [(problem.path, problem.code, problem.hint) for problem in found.problems] == [
        (("parameters", "p"), "MissingParameter", "give it a value: The name of the workspace")
    ]
    assert found.workflows[0].definition["actions"] == {"A": "<missing: parameters('p')>", "B": "a<missing: parameters('p').x>", "C": 1}


def test_a_value_for_no_parameter_is_refused_with_the_nearest() -> None:
    found = found_in({}, {"WorkspaceX": "x"}, parameters={"Workspace": {"type": "string"}})
    assert [(problem.code, problem.hint) for problem in found.problems] == [("UnknownParameter", "did you mean Workspace?")]


def test_a_parameter_file_gives_values_and_asks_for_what_a_vault_keeps() -> None:
    reference = {"keyVault": {"id": "/vaults/kv"}, "secretName": "key"}
    file = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"Name": {"value": "pb"}, "Key": {"reference": reference}},
    }
    values = read_parameter_file("\ufeff// beside its template\n" + json.dumps(file))
    assert values == given_values(file) == {"Name": "pb", "Key": VaultSecret("/vaults/kv", "key")}
    parameters = {"Name": {"type": "string"}, "Key": {"type": "secureString", "defaultValue": ""}}
    found = found_in({"A": "[parameters('name')]", "B": "[parameters('Key')]"}, file, parameters=parameters)
    assert found.workflows[0].definition["actions"]["A"] == "pb"
    assert [(problem.code, problem.hint) for problem in found.problems] == [
        ("MissingParameter", "give the value of the secret key of /vaults/kv")
    ]


def test_what_is_no_parameter_file_says_so() -> None:
    with pytest.raises(JsonSyntax, match="not a parameter file"):
        read_parameter_file("{}")
    assert given_values({"parameters": "x", "other": 1}) == {"parameters": "x", "other": 1}


# ---- secrets

KEY = {"Key": {"type": "secureString"}, "Both": {"type": "SecureObject", "defaultValue": {"user": "ada", "pin": 1234}}}


def test_a_secure_value_is_kept_out_of_the_definition_and_given_as_a_parameter() -> None:
    actions = {
        "A": "[parameters('Key')]",
        "B": "[parameters('key')]",
        "C": "[concat('Bearer ', parameters('Key'))]",
        "D": "[parameters('Both').pin]",
        "E": "[variables('held')]",
    }
    found = found_in(actions, {"Key": SECRET}, parameters=KEY, variables={"held": {"inner": "[parameters('Key')]", "plain": 1}})
    one = found.workflows[0]
    assert found.problems == []
    assert SECRET not in json.dumps(one.definition)
    assert "1234" not in json.dumps(one.definition)
    assert one.definition["actions"] == {
        "A": "@parameters('secure_Key')",
        "B": "@parameters('secure_Key')",
        "C": "@parameters('secure_Key_2')",
        "D": "@parameters('secure_Both')",
        "E": {"inner": "@parameters('secure_Key')", "plain": 1},
    }
    assert one.parameters == {"secure_Key": SECRET, "secure_Key_2": f"Bearer {SECRET}", "secure_Both": 1234}
    assert one.secure == {"secure_Key", "secure_Key_2", "secure_Both"}
    assert one.definition["parameters"]["secure_Key"] == {"type": "SecureString"}


def test_a_secure_default_or_value_of_a_workflow_parameter_stays_its_value() -> None:
    definition = {"parameters": {"pw": {"type": "securestring", "defaultValue": "[parameters('Key')]"}, "given": {"type": "securestring"}}}
    properties = {"parameters": {"given": {"value": "[toUpper(parameters('Key'))]"}, "plain": {"value": 1}}}
    found = read({"parameters": KEY, "resources": [workflow({}, definition=definition, properties=properties)]}, {"Key": SECRET})
    one = found.workflows[0]
    assert one.definition["parameters"]["pw"] == {"type": "securestring"}
    assert one.parameters == {"given": SECRET.upper(), "plain": 1, "pw": SECRET}
    assert one.secure == {"given", "pw"}


def test_what_a_definition_declares_secure_is_so_without_a_template() -> None:
    definition = {"actions": {}, "parameters": {"pw": {"type": "SecureString"}, "plain": {"type": "String"}}}
    assert read(definition, {"pw": SECRET, "plain": "x"}).workflows[0].secure == {"pw"}
    exported = {"properties": {"definition": definition, "parameters": {"PW": {"value": SECRET}}}}
    assert read(exported).workflows[0].secure == {"PW"}


def test_a_definition_that_is_secure_as_a_whole_is_refused() -> None:
    resource = {"type": "Microsoft.Logic/workflows", "name": "w", "properties": {"definition": "[parameters('Both')]"}}
    found = read({"parameters": KEY, "resources": [resource]})
    assert [problem.code for problem in found.problems] == ["SecretDefinition"]
    assert "1234" not in str(found.workflows)


def test_a_choice_by_a_secure_value_is_made() -> None:
    made = evaluated("[if(empty(parameters('Key')), 'none', 'some')]", {"Key": SECRET}, parameters=KEY)
    assert made == "some"


def test_a_secure_value_passes_into_a_nested_template() -> None:
    inner = {"parameters": {"K": {"type": "secureString"}}, "resources": [workflow({"A": "[parameters('K')]"})]}
    deployment = {
        "type": "Microsoft.Resources/deployments",
        "name": "n",
        "properties": {
            "expressionEvaluationOptions": {"scope": "inner"},
            "parameters": {"K": {"value": "[parameters('Key')]"}},
            "template": inner,
        },
    }
    found = read({"parameters": KEY, "resources": [deployment]}, {"Key": SECRET})
    assert found.workflows[0].definition["actions"]["A"] == "@parameters('secure_K')"
    assert found.workflows[0].parameters == {"secure_K": SECRET}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("[int(parameters('Key'))]", "cannot work with the secure value of the parameter 'Key'"),
        ("[parameters('Both').nothing]", "has no such property"),
        ("[concat('@base64(''', parameters('Key'), ''')')]", "built into the text of an expression"),
    ],
)
def test_no_error_tells_a_secure_value(expression: str, words: str) -> None:
    found = found_in({"A": expression}, {"Key": SECRET}, parameters=KEY)
    assert [words in problem.message for problem in found.problems] == [True]
    assert SECRET not in str(found.problems)
    assert "1234" not in str(found.problems)


def test_a_secure_value_that_does_not_fit_is_not_told() -> None:
    parameters = {"Key": {"type": "secureString", "allowedValues": ["a"]}, "Pin": {"type": "secureString"}}
    found = found_in({"A": "[parameters('Key')]", "B": "[parameters('Pin')]"}, {"Key": SECRET, "Pin": 1234}, parameters=parameters)
    assert len(found.problems) == 2
    assert SECRET not in str(found.problems)
    assert "1234" not in str(found.problems)


OWN = [
    {
        "namespace": "n",
        "members": {"f": {"parameters": [{"name": "p", "type": "int"}], "output": {"type": "int", "value": "[int(parameters('p'))]"}}},
    }
]


@pytest.mark.parametrize(
    "expression",
    [
        "[n.f(parameters('Key'))]",
        "[map(createArray(parameters('Key')), lambda('k', int(lambdaVariables('k'))))]",
        "[map(createArray(parameters('Key')), lambda('k', n.f(lambdaVariables('k'))))]",
        "[map(parameters('Many'), lambda('k', int(lambdaVariables('k').inner)))]",
        "[toObject(createArray(parameters('Key')), lambda('k', lambdaVariables('k')))]",
        "[mapValues(parameters('Many')[0], lambda('k', int(lambdaVariables('k'))))]",
    ],
)
def test_no_function_of_functions_tells_a_secure_value(expression: str) -> None:
    parameters = {**KEY, "Many": {"type": "secureObject"}}
    found = found_in({"A": expression}, {"Key": SECRET, "Many": [{"inner": SECRET}]}, parameters=parameters, functions=OWN)
    assert found.problems
    assert SECRET not in str(found)


def test_what_a_lambda_makes_of_secure_values_is_secure() -> None:
    expression = "[map(createArray(parameters('Key'), 'plain'), lambda('k', toUpper(lambdaVariables('k'))))]"
    one = found_in({"A": expression}, {"Key": SECRET}, parameters=KEY).workflows[0]
    assert one.definition["actions"]["A"] == ["@parameters('secure_Key')", "@parameters('secure_Key_2')"]
    assert one.parameters == {"secure_Key": SECRET.upper(), "secure_Key_2": "PLAIN"}


def test_no_output_tells_a_secure_value() -> None:
    template = {"parameters": KEY, "resources": [], "outputs": {"o": {"type": "string", "value": "[parameters('Key')]"}}}
    assert read(template, {"Key": SECRET}).outputs == {"o": "***"}


def test_a_draft_keeps_secure_values_sealed_and_a_run_gets_them(tmp_path: Path) -> None:
    room = build(tmp_path)
    action = {"type": "Compose", "inputs": "[parameters('Key')]"}
    resource = workflow({"A": action}, definition={"triggers": {"manual": {"type": "Request"}}})
    template = json.dumps({"parameters": {"Key": KEY["Key"]}, "resources": [resource]})
    draft = room.library.import_definition("w", template, by="ada", parameters={"Key": SECRET})[0]
    assert draft.problems == ()
    row = room.library.get(draft.playbook_id)
    kept = f"{row.source} {row.definition_text} {row.parameters} {row.problems}"
    assert SECRET not in kept
    version_id = room.library.publish(draft.playbook_id, by="ada")
    with room.database.reading() as session:
        version = session.get(PlaybookVersion, version_id)
        assert version is not None
        assert SECRET not in f"{version.definition_text} {version.parameters}"
    assert room.library.published(draft.playbook_id).workflow.parameters["secure_key"] == SECRET
    room.database.close()


def test_without_a_vault_a_secure_value_is_not_kept() -> None:
    with pytest.raises(NoVault, match="Key cannot be kept"):
        sealed({"Key": SECRET}, {"Key"}, "plbk_1", None)
    assert opened({"plain": {"a": 1}}, "plbk_1", None) == {"plain": {"a": 1}}
