"""What is read of a template: its resources in every form they are written in, and what is told of the rest."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.playbooks.arm.templates import NOW, WRONG, changed, evaluated, found_in, read, workflow

from guardship.playbooks.arm.evaluate import Evaluator
from guardship.playbooks.arm.place import ArmPlace, Deployment
from guardship.playbooks.arm.report import Report

DEPLOYMENTS = "Microsoft.Resources/deployments"


def nested(template: Any, scope: str | None = None, **more: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {"mode": "Incremental", "template": template, **more.pop("properties", {})}
    if scope:
        properties["expressionEvaluationOptions"] = {"scope": scope}
    return {"type": DEPLOYMENTS, "name": "inside", "properties": properties, **more}


# ---- names


def test_variables_and_parameters_ignore_case_and_refer_to_each_other() -> None:
    made = evaluated(
        "[concat(VARIABLES('full'), parameters('TAIL'))]",
        {"tail": "!"},
        parameters={"Tail": {"type": "string"}, "Head": {"type": "string", "defaultValue": "[concat('a', '-')]"}},
        variables={"Full": "[concat(parameters('Head'), 'b')]"},
    )
    assert made == "a-b!"


def test_a_variable_is_worked_out_once() -> None:
    found = found_in({"A": ["[variables('id')]", "[variables('id')]"]}, variables={"id": "[newGuid()]"})
    first, second = found.workflows[0].definition["actions"]["A"]
    assert first == second


def test_a_variable_that_is_not_used_is_not_worked_out() -> None:
    assert found_in({}, variables={"broken": "[nope()]"}).problems == []


def test_names_in_a_circle_are_one_problem() -> None:
    found = found_in({"A": "[variables('a')]", "B": "[variables('b')]"}, variables={"a": "[variables('b')]", "b": "[variables('a')]"})
    assert [problem.code for problem in found.problems] == ["CyclicTemplate"]


def test_what_is_undeclared_is_one_problem_however_often_it_is_used() -> None:
    found = found_in({"A": "[variables('x')]", "B": "[concat('a', variables('X'))]", "C": ["[parameters('y')]", "[parameters('y')]"]})
    assert [(problem.code, problem.path[-1]) for problem in found.problems] == [("UnknownVariable", "A"), ("UnknownParameter", 0)]
    assert found.workflows[0].definition["actions"]["B"] == "a<missing: variables('X')>"


def test_a_failure_in_a_variable_is_told_where_it_stands_and_once() -> None:
    found = found_in({"A": "[variables('v')]", "B": "[toLower(variables('v').x)]"}, variables={"v": {"x": "[int('z')]"}})
    assert [problem.path for problem in found.problems] == [("variables", "v", "x")]


def test_own_functions_see_their_own_parameters_alone() -> None:
    functions = [
        {
            "namespace": "contoso",
            "members": {
                "tagged": {
                    "parameters": [{"name": "word", "type": "string"}],
                    "output": {"type": "string", "value": "[concat('#', toLower(parameters('word')))]"},
                },
                "twice": {"parameters": [{"name": "a"}, {"name": "a"}], "output": {"type": "string", "value": "[parameters('a')]"}},
                "nosy": {"parameters": [], "output": {"type": "string", "value": "[variables('v')]"}},
            },
        }
    ]
    assert evaluated("[Contoso.Tagged('A')]", functions=functions) == "#a"
    assert evaluated("[contoso.twice('x')]", functions=functions) == "x"
    assert [p.code for p in found_in({"A": "[contoso.tagged()]"}, functions=functions).problems] == ["WrongArity"]
    assert [p.code for p in found_in({"A": "[contoso.tagged(1)]"}, functions=functions).problems] == ["InvalidParameter"]
    assert [p.code for p in found_in({"A": "[contoso.other()]"}, functions=functions).problems] == ["UnknownFunction"]
    found = found_in({"A": "[contoso.nosy()]"}, functions=functions, variables={"v": 1})
    assert [problem.code for problem in found.problems] == ["UnknownVariable"]


# ---- what is known after a deployment


def test_what_a_deployment_tells_keeps_its_identity_and_is_marked_once() -> None:
    key = "listKeys(resourceId('Microsoft.Storage/storageAccounts', 's'), '2019-04-01').keys[0].value"
    found = found_in({"A": f"[{key}]", "B": f"[concat('key=', {key})]", "C": f"[if(equals({key}, 'x'), 1, 2)]"})
    assert found.problems == []
    shown = "listKeys('/subscriptions/S/resourceGroups/G/providers/Microsoft.Storage/storageAccounts/s', '2019-04-01').keys[0].value"
    actions = found.workflows[0].definition["actions"]
    assert actions["A"] == f"<known after deployment: {shown}>"
    assert actions["B"] == f"key=<known after deployment: {shown}>"
    assert found.needs_deployment[0].expression == shown


def test_a_part_that_cannot_change_the_answer_may_be_unknown() -> None:
    assert evaluated("[or(true(), reference('x').y)]") is True
    assert evaluated("[and(equals(reference('x').y, 1), false())]") is False


def test_an_unknown_text_makes_no_expression_of_a_playbook() -> None:
    found = found_in({"A": "[concat('a ', reference('@{b}').c)]"})
    assert "@@{b}" in found.workflows[0].definition["actions"]["A"]


# ---- resources


def test_resources_may_be_a_map_and_existing_ones_are_not_deployed() -> None:
    resources = {"one": workflow({}), "other": {"type": "Microsoft.KeyVault/vaults", "name": "kv", "existing": True}}
    found = read({"languageVersion": "2.0", "resources": resources})
    assert ([one.name for one in found.workflows], found.ignored) == (["w"], [])


def test_children_nest_or_have_segmented_types() -> None:
    child = {"type": "blobServices", "name": "default", "resources": [{"type": "containers", "name": "c"}]}
    found = read(
        {
            "resources": [
                {"type": "Microsoft.Storage/storageAccounts", "name": "s", "resources": [child]},
                {"type": "Microsoft.Storage/storageAccounts/queueServices", "name": "s/default"},
            ]
        }
    )
    assert found.ignored == [
        "Microsoft.Storage/storageAccounts s",
        "Microsoft.Storage/storageAccounts/blobServices s/default",
        "Microsoft.Storage/storageAccounts/blobServices/containers s/default/c",
        "Microsoft.Storage/storageAccounts/queueServices s/default",
    ]


def test_a_condition_that_does_not_hold_leaves_its_resource_out() -> None:
    found = read(
        {
            "parameters": {"on": {"type": "bool", "defaultValue": False}},
            "resources": [
                workflow({}, condition="[parameters('on')]"),
                workflow({}, condition="[not(parameters('on'))]", name="other"),
                workflow({}, condition="[equals(reference('x').y, 1)]", name="unknown"),
                workflow({}, condition="perhaps", name="wrong"),
            ],
        }
    )
    assert [one.name for one in found.workflows] == ["other", "unknown", "wrong"]
    assert found.left_out == ["Microsoft.Logic/workflows w"]
    assert [(problem.path, problem.message) for problem in found.problems] == [
        (("resources", 3, "condition"), "a condition must be a boolean")
    ]


@pytest.mark.parametrize("resource", ["text", {"name": "typeless"}])
def test_what_is_no_resource_is_told(resource: Any) -> None:
    found = read({"resources": [resource, workflow({})]})
    assert [problem.path for problem in found.problems] == [("resources", 0)]
    assert len(found.workflows) == 1


# ---- copies


def test_a_resource_is_copied_with_its_index() -> None:
    resource = workflow(
        {"A": "[copyIndex()]", "B": "[copyIndex('turns', 10)]", "C": "[copyIndex(1)]"},
        name="[concat('w', copyIndex())]",
        copy={"name": "Turns", "count": 2},
    )
    found = read({"resources": [resource]})
    assert [(one.name, *one.definition["actions"].values()) for one in found.workflows] == [("w0", 0, 10, 1), ("w1", 1, 11, 2)]


def test_two_workflows_of_one_name_are_refused() -> None:
    found = read({"resources": [workflow({"A": "[copyIndex()]"}, copy={"name": "c", "count": 2}), workflow({}, name="other")]})
    assert [(one.name, one.definition["actions"]) for one in found.workflows] == [("w", {"A": 0}), ("other", {})]
    assert [(problem.code, problem.path) for problem in found.problems] == [("DuplicateResource", ("resources", 0, "name"))]


def test_properties_variables_and_outputs_are_copied() -> None:
    found = read(
        {
            "variables": {
                "copy": [{"name": "words", "count": 2, "input": "[concat('w', copyIndex('words'))]"}],
                "held": {"copy": [{"name": "inner", "count": 3, "input": {"n": "[copyIndex('inner', 1)]"}}], "other": 1},
            },
            "resources": [
                workflow({"A": {"copy": [{"name": "rules", "count": 2, "input": "[copyIndex('rules')]"}], "kept": "[variables('held')]"}})
            ],
            "outputs": {"all": {"type": "array", "copy": {"count": 2, "input": "[variables('words')[copyIndex()]]"}}},
        }
    )
    assert found.problems == []
    action = found.workflows[0].definition["actions"]["A"]
    assert action == {"rules": [0, 1], "kept": {"inner": [{"n": 1}, {"n": 2}, {"n": 3}], "other": 1}}
    assert found.outputs == {"all": ["w0", "w1"]}


def test_loops_in_loops_are_told_apart_by_name() -> None:
    rows = {
        "name": "rows",
        "count": 2,
        "input": {"copy": [{"name": "cells", "count": 2, "input": "[concat(copyIndex('rows'), copyIndex('cells'))]"}]},
    }
    assert evaluated({"copy": [rows]}) == {"rows": [{"cells": ["00", "01"]}, {"cells": ["10", "11"]}]}


def test_a_loop_of_none_makes_nothing() -> None:
    assert evaluated({"copy": [{"name": "rules", "count": 0, "input": 1}]}) == {"rules": []}
    found = read({"resources": [workflow({}, copy={"name": "c", "count": 0})]})
    assert (found.workflows, found.problems) == ([], [])


@pytest.mark.parametrize(
    ("count", "words"),
    [(-1, "0 to 800 times, not -1"), (801, "not 801"), ("two", "a whole number"), ("[reference('x').y]", "known before the deployment")],
)
def test_a_count_that_cannot_be_is_refused(count: Any, words: str) -> None:
    found = read({"resources": [workflow({}, copy={"name": "c", "count": count})]})
    assert [(problem.path, words in problem.message) for problem in found.problems] == [(("resources", 0, "copy", "count"), True)]
    found = found_in({"A": {"copy": [{"name": "rules", "count": count, "input": 1}]}})
    assert [(problem.path[-3:], words in problem.message) for problem in found.problems] == [(("copy", 0, "count"), True)]


def test_a_loop_that_is_not_round_this_is_refused() -> None:
    found = read({"resources": [workflow({"A": "[copyIndex('other')]", "B": "[copyIndex('x', 'y')]"}, copy={"name": "c", "count": 1})]})
    assert ["no copy loop called 'other'" in found.problems[0].message, "a whole number to add" in found.problems[1].message] == [
        True,
        True,
    ]


def test_a_copy_of_another_shape_is_plain_data() -> None:
    shapes: list[Any] = ["x", [1], [], {"count": 1, "input": 2}]
    for value in ({"copy": shape} for shape in shapes):
        assert evaluated(value) == value


# ---- nested deployments


def test_a_nested_template_of_outer_scope_uses_the_names_round_it() -> None:
    inner = {"variables": {"v": "inner"}, "resources": [workflow({"A": "[variables('v')]"})]}
    for scope in (None, "Outer"):
        found = read({"variables": {"v": "outer"}, "resources": [nested(inner, scope)]})
        assert found.workflows[0].definition["actions"]["A"] == "outer"
        assert found.workflows[0].path == ("resources", 0, "properties", "template", "resources", 0, "properties", "definition")


def test_a_nested_template_of_inner_scope_has_its_own_names_and_place() -> None:
    inner = {
        "parameters": {"p": {"type": "string"}, "unset": {"type": "string"}},
        "variables": {"v": "[concat(parameters('P'), '-inner')]"},
        "functions": [{"namespace": "n", "members": {"f": {"output": {"type": "string", "value": "f"}}}}],
        "resources": [workflow({"A": "[variables('v')]", "B": "[resourceGroup().name]", "C": "[n.f()]", "D": "[parameters('unset')]"})],
    }
    deployment = nested(
        inner, "Inner", properties={"parameters": {"p": {"value": "[variables('v')]"}}}, resourceGroup="other", subscriptionId="U"
    )
    found = read({"variables": {"v": "outer"}, "resources": [deployment]})
    actions = found.workflows[0].definition["actions"]
    assert [actions[name] for name in "ABC"] == ["outer-inner", "other", "f"]
    assert [problem.path for problem in found.problems] == [("resources", 0, "properties", "template", "parameters", "unset")]


def test_a_linked_template_is_ignored_by_its_name() -> None:
    link = {"type": DEPLOYMENTS, "name": "linked", "properties": {"templateLink": {"uri": "https://example.org/t.json"}}}
    assert read({"resources": [link]}).ignored == ["Microsoft.Resources/deployments linked (linked template https://example.org/t.json)"]


def test_deployments_that_nest_without_end_are_refused() -> None:
    template: dict[str, Any] = {"resources": [workflow({})]}
    for _ in range(45):
        template = {"resources": [nested(template)]}
    assert ["40 deep" in problem.message for problem in read(template).problems] == [True]


def test_a_template_that_the_content_hub_packs_is_read_as_one() -> None:
    main = {
        "parameters": {"Name": {"type": "string", "defaultValue": "packed"}},
        "variables": {"id": "[[parameters('Name')]"},
        "resources": [workflow({"A": "[[variables('id')]", "B": "[variables('outer')]"}, name="[[parameters('Name')]")],
    }
    carrier = {
        "type": "Microsoft.OperationalInsights/workspaces/providers/contentTemplates",
        "name": "c",
        "properties": {"mainTemplate": main},
    }
    found = read({"variables": {"outer": 1}, "resources": [carrier]})
    assert found.problems == []
    assert [(one.name, one.definition["actions"]) for one in found.workflows] == [("packed", {"A": "packed", "B": 1})]
    assert read({"resources": [{**carrier, "properties": {}}]}).ignored == [f"{carrier['type']} c"]


@pytest.mark.parametrize(
    ("schema", "base"),
    [
        ("2019-04-01/deploymentTemplate.json#", "/subscriptions/S/resourceGroups/G"),
        ("2018-05-01/subscriptionDeploymentTemplate.json#", "/subscriptions/S"),
        ("2019-08-01/managementGroupDeploymentTemplate.json#", "/providers/Microsoft.Management/managementGroups/T"),
        ("2019-08-01/tenantDeploymentTemplate.json#", ""),
    ],
)
def test_the_schema_says_what_a_template_is_deployed_to(schema: str, base: str) -> None:
    document: dict[str, Any] = {"$schema": f"https://schema.management.azure.com/schemas/{schema}"}
    assert evaluated("[resourceId('Microsoft.Web/a', 'b')]", **document) == f"{base}/providers/Microsoft.Web/a/b"


def test_where_a_template_was_linked_from_is_known_after_a_deployment() -> None:
    found = found_in({"A": "[uri(deployment().properties.templateLink.uri, 'x.json')]"})
    assert [one.expression for one in found.needs_deployment] == ["uri(deployment().properties.templateLink.uri, 'x.json')"]
    assert found.problems == []


# ---- other documents


@pytest.mark.parametrize(
    "document",
    [
        {"name": "w", "properties": {"definition": {"actions": {}}, "parameters": {"p": {"value": 1}}}},
        {"definition": {"actions": {}}, "parameters": {"p": {"value": 1}}},
        {"actions": {}},
        {"resources": [nested({"resources": [{"type": "microsoft.logic/WORKFLOWS", "name": "w"}]})]},
    ],
)
def test_every_wrapping_of_a_playbook_is_read(document: dict[str, Any]) -> None:
    assert [one.name for one in read(document).workflows] == ["w"]


def test_a_definition_that_nothing_wraps_is_kept_verbatim_and_takes_values() -> None:
    found = read({"actions": {"A": "[concat('a')]"}, "parameters": {"p": {"type": "string"}}}, {"p": 1})
    assert found.workflows[0].definition["actions"]["A"] == "[concat('a')]"
    assert found.workflows[0].parameters == {"p": 1}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "a JSON object"),
        ({"x": 1}, "neither a definition nor a template"),
        ({"$schema": "https://x/deploymentParameters.json#", "parameters": {}}, "parameters of a template"),
    ],
)
def test_what_is_no_playbook_says_so(document: Any, words: str) -> None:
    found = read(document)
    assert [(problem.code, words in problem.message) for problem in found.problems] == [("InvalidDefinition", True)]


# ---- laws

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text().filter(lambda text: not text.startswith("[")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6).filter(lambda name: not name.startswith("[") and name.lower() != "copy"), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(PLAIN)
@settings(max_examples=150, deadline=None)
def test_a_value_without_an_expression_is_given_back(value: Any) -> None:
    report = Report()
    evaluator = Evaluator({}, (), Deployment(ArmPlace(), NOW), {}, report)
    assert evaluator.value(value, ()) == value
    assert (report.problems, report.needs_deployment) == ([], [])


EXPRESSIONS = st.recursive(
    st.sampled_from(["'a'", "1", "null()", "true()", "variables('v')", "parameters('p')", "reference('x')", "parameters('none')"]),
    lambda inner: st.builds(
        lambda name, arguments: f"{name}({', '.join(arguments)})",
        st.sampled_from(["concat", "createArray", "if", "toLower", "json", "nope", "format", "union", "createObject"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
@settings(max_examples=150, deadline=None)
def test_a_template_that_is_loaded_twice_gives_the_same(expression: str) -> None:
    template: dict[str, Any] = {
        "parameters": {"p": {"type": "int", "defaultValue": 1}},
        "variables": {"v": {"a": f"[{expression.replace('variables', 'length')}]"}},
    }
    first, second = (found_in({"A": f"[{expression}]"}, **template) for _ in range(2))
    assert first.workflows == second.workflows
    assert (first.problems, first.needs_deployment) == (second.problems, second.needs_deployment)


def whole_template() -> dict[str, Any]:
    """Something of everything, to be broken in one place after the other."""
    inner = {
        "parameters": {"a": {"type": "int"}, "k": {"type": "secureString"}},
        "functions": [{"namespace": "n", "members": {"f": {"parameters": [{"name": "p"}], "output": {"value": "[parameters('p')]"}}}}],
        "variables": {"copy": [{"name": "v", "count": 2, "input": "[n.f(copyIndex('v'))]"}]},
        "resources": [
            {"type": "Microsoft.Web/customApis", "name": "c", "properties": {"swagger": {"paths": {"/a": {"get": {"parameters": [{}]}}}}}},
            {"type": "Microsoft.Web/connections", "name": "c", "properties": {"api": {"id": "/a"}, "parameterValues": {"x": 1}}},
            {
                "type": "Microsoft.Security/automations",
                "name": "s",
                "properties": {"sources": [{"ruleSets": [{"rules": [{}]}]}], "actions": [{}], "scopes": [{}]},
            },
            {
                "type": "Microsoft.SecurityInsights/automationRules",
                "name": "r",
                "properties": {
                    "triggeringLogic": {"conditions": [{"conditionProperties": {"propertyValues": ["a"]}}]},
                    "actions": [{"order": 1}],
                },
            },
            {
                "type": "Microsoft.Authorization/roleAssignments",
                "name": "a",
                "scope": "b/c",
                "properties": {"roleDefinitionId": "[reference('x').y]"},
            },
            workflow(
                {"A": compose},
                definition={"parameters": {"pw": {"defaultValue": "[parameters('k')]"}}},
                name="[concat('w', parameters('a'))]",
            ),
        ],
    }
    given_values = {"a": {"value": "[copyIndex()]"}, "k": {"reference": {"keyVault": {"id": "x"}, "secretName": "s"}}}
    deployment = nested(inner, "inner", properties={"parameters": given_values}, copy={"name": "c", "count": 2})
    outputs = {"o": {"type": "array", "copy": {"count": 2, "input": "[copyIndex()]"}}}
    return {"parameters": {"x": {"type": "string", "allowedValues": ["a"]}}, "resources": [deployment], "outputs": outputs}


compose = {"type": "Compose", "inputs": {"x": "[variables('v')[1]]", "copy": [{"name": "rules", "count": 1, "input": 1}]}}


@given(st.lists(st.tuples(st.integers(min_value=0), st.sampled_from(WRONG)), min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_no_document_breaks_the_reader(changes: list[tuple[int, Any]]) -> None:
    found = read(changed(whole_template(), changes))
    orjson.dumps([[one.definition, dict(one.parameters)] for one in found.workflows])
