"""Every function of templates, by cases that are data: what it gives, and what it refuses with which words."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.playbooks.arm.templates import evaluated, found_in

from guardship.playbooks.arm.functions.table import DEFERRED, FUNCTIONS, OWN

CASES = json.loads((Path(__file__).parents[1] / "cases/arm_functions.json").read_text("utf-8"))


@pytest.mark.parametrize(("expression", "value"), CASES["values"])
def test_a_function_gives_what_it_gives_in_a_deployment(expression: str, value: Any) -> None:
    made = evaluated(expression)
    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(("expression", "code", "words"), CASES["errors"])
def test_what_cannot_be_worked_out_is_one_problem_with_its_words(expression: str, code: str, words: str) -> None:
    found = found_in({"A": expression})
    assert [(problem.code, words in problem.message) for problem in found.problems] == [(code, True)]
    assert found.problems[0].path[-1] == "A"
    assert found.workflows[0].definition["actions"]["A"] in (expression, f"<missing: {expression[1:-1]}>")


def test_every_function_has_a_case() -> None:
    text = re.sub(r"lambdavariables\(", "(lambdavariables ", json.dumps(CASES["values"]).lower())
    without = {name for name in (*FUNCTIONS, *OWN) if not re.search(rf"\b{name}\b", text)}
    assert without == {"parameters", "variables", "copyindex"}, "these three have tests of their own"


def test_a_near_name_is_offered() -> None:
    assert found_in({"A": "[concta('a')]"}).problems[0].hint == "did you mean concat?"


@pytest.mark.parametrize("name", sorted(DEFERRED))
def test_what_only_a_deployment_tells_is_no_problem(name: str) -> None:
    known, least, _ = DEFERRED[name]
    expression = f"{known}({', '.join(['createArray()'] * least)}).x[0]"
    found = found_in({"A": f"[{expression}]"})
    assert found.problems == []
    assert [one.path[-1] for one in found.needs_deployment] == ["A"]
