import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardship.clock import to_micros
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.expressions.evaluate import Evaluate
from guardship.playbooks.expressions.functions.table import EVALUATOR, FUNCTIONS
from guardship.playbooks.expressions.parser import parse_template
from guardship.playbooks.expressions.syntax import ExpressionSyntax, Whole, calls_in
from guardship.playbooks.expressions.values import EvaluationFailed, text_of
from guardship.playbooks.reading import read_workflow
from guardship.playbooks.scope import RunScope
from guardship.playbooks.state import ROOT, Record, RunState

MORE: list[tuple[Any, Any]] = [
    (entry[0], entry[1]) for entry in json.loads((Path(__file__).parent / "cases" / "functions.json").read_text())
]
CASES = tomllib.loads((Path(__file__).parent / "cases" / "expressions.toml").read_text())["case"]
NOW = datetime(2026, 11, 24, 3, 14, 5, 123456, tzinfo=UTC)


class TickScope(RunScope):
    def now_ticks(self) -> int:
        return super().now_ticks() + 7  # the seventh digit


def scope() -> RunScope:
    later = {"type": "Compose", "inputs": 1}
    given: dict[str, Any] = {
        "Look": {"statusCode": 200, "body": {"name": "web-1"}},
        "Plain": 5,
        "Object": {"a": 1},
        "Status": {"statusCode": 204},
        "Form": {"body": "a=1&b=2&b=3"},
        "Fields": {"body": {"$formdata": [{"key": "x", "value": "y"}]}},
        "Parts": {"body": {"$multipart": [{"body": "first"}, {"$content": "c2Vjb25k"}]}},
    }
    definition = {
        "parameters": {"Limit": {"type": "Int", "defaultValue": 3}},
        "triggers": {"manual": {"type": "Request"}},
        "actions": {"Later": later, **dict.fromkeys(given, later)},
    }
    workflow, problems = read_workflow("cases", definition, {}, ConnectorSet([]))
    assert problems == []
    state = RunState("run_case", trigger={"name": "manual", "outputs": {"headers": {}, "body": {"Severity": "High"}}})
    state.variables["count"] = 7
    for name, outputs in given.items():
        state.records[name] = Record("Succeeded", 1, 2, outputs=outputs)
    return TickScope(workflow, state, ROOT, "Look", to_micros(NOW), b"0" * 16)


def evaluate(expression: Any) -> Any:
    made: Evaluate = EVALUATOR.tree(expression)
    return made(scope())


@pytest.mark.parametrize("case", CASES, ids=[case["expression"] for case in CASES])
def test_an_expression_gives_its_value_or_says_what_is_wrong(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises((EvaluationFailed, ExpressionSyntax)) as caught:
            evaluate(case["expression"])
        assert case["error"] in str(caught.value)
        return
    value = evaluate(case["expression"])
    assert value == case.get("value")
    assert isinstance(value, bool) is isinstance(case.get("value"), bool)


@pytest.mark.parametrize(("expression", "wanted"), MORE, ids=[str(expression) for expression, _ in MORE])
def test_a_function_gives_its_value_or_says_what_is_wrong(expression: Any, wanted: Any) -> None:
    if isinstance(wanted, dict) and "error" in wanted:
        with pytest.raises((EvaluationFailed, ExpressionSyntax)) as caught:
            evaluate(expression)
        assert wanted["error"] in str(caught.value)
        return
    value = evaluate(expression)
    assert value == wanted
    assert isinstance(value, bool) is isinstance(wanted, bool)


def test_an_error_names_the_column_it_is_at() -> None:
    with pytest.raises(ExpressionSyntax) as caught:
        parse_template("Host @{concat('a' 'b')} down")
    assert caught.value.span is not None
    assert caught.value.span.column == 19


def test_every_call_has_the_place_of_its_text() -> None:
    text = "@if(equals(1, 2), toLower('A'), null)"
    template = parse_template(text)
    assert isinstance(template, Whole)
    assert [text[call.start : call.end] for call in calls_in(template.node)] == [text[1:], "equals(1, 2)", "toLower('A')"]


def test_an_expression_that_nests_without_end_is_refused() -> None:
    with pytest.raises(ExpressionSyntax, match="deep"):
        parse_template("@" + "not(" * 500 + "true" + ")" * 500)


def test_the_table_has_the_documented_functions() -> None:
    assert len(FUNCTIONS) == 125


def test_random_values_come_from_the_seed() -> None:
    assert evaluate("@guid()") == evaluate("@guid()")
    assert evaluate("@createArray(guid(), guid())")[0] != evaluate("@createArray(guid(), guid())")[1]
    assert 3 <= evaluate("@rand(3, 5)") < 5


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_text_literal_gives_itself(text: str) -> None:
    quoted = text.replace("'", "''")
    if len(quoted) < 8000:
        assert evaluate(f"@'{quoted}'") == text


@given(st.text())
def test_any_string_is_read_or_refused_with_a_place(text: str) -> None:
    span = None
    try:
        parse_template(text)
    except ExpressionSyntax as error:
        span = error.span
    else:
        return
    assert span is not None
    assert 0 <= span.start <= len(text)


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_keep_their_digits(number: int) -> None:
    assert evaluate(f"@{{{number}}}") == str(number)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_float_reads_back_as_itself(number: float) -> None:
    assert float(text_of(number)) == number
