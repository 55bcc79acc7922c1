"""Every documented function: a value, an edge, a wrong type, a wrong number of arguments, null."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.expressions.judge import fault_of

from guardship.playbooks.expressions.functions.table import FUNCTIONS

FACETS = {"value", "edge", "type", "arity", "null"}
FAMILIES = {file.stem: json.loads(file.read_text("utf-8")) for file in sorted((Path(__file__).parent / "cases").glob("*.json"))}
WORLD = FAMILIES.pop("world")
CASES = [(name, *case) for family in FAMILIES.values() for name, cases in family.items() for case in cases]


@pytest.mark.parametrize(("name", "facet", "expression", "wanted"), CASES, ids=[f"{case[0]}, {case[1]}: {case[2]}" for case in CASES])
def test_a_function_does_as_documented(name: str, facet: str, expression: str, wanted: Any) -> None:
    is_error = isinstance(wanted, dict) and set(wanted) == {"error"}
    outcome = {"kind": "error", "error_contains": wanted["error"]} if is_error else {"kind": "value", "expected": wanted}
    assert fault_of({"expression": expression, "context": WORLD, **outcome}) is None


def test_every_documented_function_has_a_case_of_each_kind() -> None:
    known = {name: {case[0] for case in cases} for family in FAMILIES.values() for name, cases in family.items()}
    assert len(FUNCTIONS) == 125
    assert {entry.name: known.get(entry.name, set()) for entry in FUNCTIONS.values()} == dict.fromkeys(
        [entry.name for entry in FUNCTIONS.values()], FACETS
    )
