from typing import Any

import pytest
from tests.unit.playbooks.test_expressions import scope

from guardship.playbooks.actions.conditions import read_condition
from guardship.playbooks.actions.reading import Reading
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.definition import Verdict
from guardship.playbooks.expressions.values import EvaluationFailed

SEVERITY = "@triggerBody()?['Severity']"


def decide(condition: Any) -> Verdict:
    reading = Reading(ConnectorSet([]), {})
    decide_now = read_condition(condition, ("expression",), reading)
    assert reading.problems == []
    return decide_now(scope())


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"equals": [SEVERITY, "High"]}, True),
        ({"not": {"equals": [SEVERITY, "High"]}}, False),
        ({"not": [{"equals": [SEVERITY, "Low"]}]}, True),
        ({"and": []}, True),
        ({"or": []}, False),
        ({}, True),
        (True, True),
        ({"or": [{"equals": [1, 2]}, {"contains": [SEVERITY, "ig"]}]}, True),
        ({"greater": [2, 1]}, True),
        ({"greaterOrEquals": [1, 2]}, False),
        ({"less": [1, 2]}, True),
        ({"lessOrEquals": [2, 2]}, True),
        ({"startsWith": [SEVERITY, "h"]}, True),
        ({"endsWith": [SEVERITY, "w"]}, False),
        ({"and": ["@equals(1, 1)", {"equals": [1, 1]}]}, True),
        ("@equals(triggerBody()?['Severity'], 'High')", True),
        ("@and(equals(1, 1), not(equals(1, 1)))", False),
        ("@or(equals(1, 2), greater(2, 1))", True),
        ("@empty('')", True),
        ("@bool('true')", True),
        ("@{equals(1, 1)}", True),
        ("@concat('tr', 'ue')", True),
    ],
)
def test_a_condition_holds_or_does_not(condition: Any, holds: bool) -> None:
    assert decide(condition).holds is holds


def test_a_condition_of_calls_is_explained_like_one_of_objects() -> None:
    assert decide("@and(equals(triggerBody()?['Severity'], 'Low'), equals(1, 1))").explanation == {
        "operator": "and",
        "value": False,
        "parts": [
            {
                "operator": "equals",
                "value": False,
                "operands": [{"text": "triggerBody()?['Severity']", "value": "High"}, {"text": "'Low'", "value": "Low"}],
            },
            None,  # not looked at
        ],
    }


def test_a_condition_that_is_neither_true_nor_false_fails() -> None:
    with pytest.raises(EvaluationFailed, match="true or false"):
        decide("@add(1, 1)")


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"and": {"equals": [1, 1]}}, "takes an array"),
        ({"equals": [1]}, "two operands"),
        ({"is": [1, 1]}, "no condition called is"),
        ([1], "an expression, or an object"),
        ("@equals(1", "missing here"),
        ({"equals": ["@nope()", 1]}, "no function called nope"),
        ({"equals": ["@equals(", 1]}, "missing here"),
    ],
)
def test_a_condition_that_cannot_be_read_is_named(condition: Any, words: str) -> None:
    reading = Reading(ConnectorSet([]), {})
    read_condition(condition, ("expression",), reading)
    assert words in reading.problems[0].message
