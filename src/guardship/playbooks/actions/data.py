"""Actions that only work on data: Compose, ParseJson, Select, Query, Join, Table."""

import csv
import html
import io
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError

from guardship.playbooks.actions.conditions import read_condition
from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.actions.schemas import check_schema
from guardship.playbooks.definition import Immediate, Outcome, Path, Status
from guardship.playbooks.expressions.bounds import not_too_deep
from guardship.playbooks.expressions.evaluate import Evaluate, Scope
from guardship.playbooks.expressions.values import EvaluationFailed, Value, content_text, is_content, text_of, type_name


def read_compose(inputs: Any, path: Path, reading: Reading) -> Immediate:
    evaluate = reading.tree(inputs, path)

    def perform(scope: Scope) -> Outcome:
        value = evaluate(scope)
        return Outcome(value, value)

    return Immediate(perform)


def read_parse_json(inputs: Any, path: Path, reading: Reading) -> Immediate:
    """Content that is text is parsed; what does not fit the schema fails the action."""
    given = reading.object(inputs, path, what="the inputs of ParseJson")
    content = reading.tree(field_of(given, "content"), (*path, "content"))
    schema = field_of(given, "schema")
    validator: Draft7Validator | None = None
    if isinstance(schema, dict) and schema:
        try:
            check_schema(schema)
            validator = Draft7Validator(schema)
        except SchemaError as error:
            reading.problem((*path, "schema"), f"the schema is not valid: {error.message}", "InvalidSchema")

    def perform(scope: Scope) -> Outcome:
        source = content(scope)
        inputs_shown = {"content": source, "schema": schema}
        value = _parsed(source)
        wrong = [] if validator is None else [f"{error.message} at {error.json_path}" for error in validator.iter_errors(value)][:20]
        if wrong:
            return Outcome(
                inputs_shown, None, Status.FAILED, "SchemaValidationFailed", {"code": "SchemaValidationFailed", "message": "; ".join(wrong)}
            )
        return Outcome(inputs_shown, {"body": value})

    return Immediate(perform)


def mismatch(value: Value, schema: Mapping[str, Any]) -> str | None:
    """What of the value does not fit the JSON schema, or None."""
    wrong = [f"{error.message} at {error.json_path}" for error in Draft7Validator(schema).iter_errors(value)][:20]
    return "; ".join(wrong) or None


def _parsed(source: Value) -> Value:
    if isinstance(source, dict) and is_content(source):
        source = content_text(source)
    if not isinstance(source, str):
        if source is None:
            raise EvaluationFailed("The content of ParseJson is null.")
        return source
    try:
        return not_too_deep(orjson.loads(source))
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise EvaluationFailed(f"The content of ParseJson is not JSON: {error}.") from error


class ItemScope:
    """The scope of an action with `item()` standing for one item; everything else is the scope's own."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.current: Value = None

    def item(self) -> Value:
        return self.current

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scope, name)


def _each(items: list[Any], scope: Scope, evaluate: Callable[[Scope], Any]) -> list[Any]:
    here = ItemScope(scope)
    made = []
    for item in items:
        here.current = item
        made.append(evaluate(here))
    return made


def _from(function: str, source: Value) -> list[Any]:
    if isinstance(source, list):
        return source
    raise EvaluationFailed(f"The 'from' property of the '{function}' action must be an array, it is of type '{type_name(source)}'.")


def read_select(inputs: Any, path: Path, reading: Reading) -> Immediate:
    given = reading.object(inputs, path, what="the inputs of Select")
    source = reading.tree(field_of(given, "from"), (*path, "from"))
    choose = reading.tree(field_of(given, "select"), (*path, "select"))

    def perform(scope: Scope) -> Outcome:
        items = _from("select", source(scope))
        return Outcome({"from": items, "select": field_of(given, "select")}, {"body": _each(items, scope, choose)})

    return Immediate(perform)


def read_query(inputs: Any, path: Path, reading: Reading) -> Immediate:
    given = reading.object(inputs, path, what="the inputs of Query")
    source = reading.tree(field_of(given, "from"), (*path, "from"))
    decide = read_condition(field_of(given, "where"), (*path, "where"), reading)

    def perform(scope: Scope) -> Outcome:
        items = _from("query", source(scope))
        kept = [item for item, verdict in zip(items, _each(items, scope, decide), strict=True) if verdict.holds]
        return Outcome({"from": items, "where": field_of(given, "where")}, {"body": kept})

    return Immediate(perform)


def read_join(inputs: Any, path: Path, reading: Reading) -> Immediate:
    given = reading.object(inputs, path, what="the inputs of Join")
    source = reading.tree(field_of(given, "from"), (*path, "from"))
    join_with = reading.tree(field_of(given, "joinWith"), (*path, "joinWith"))

    def perform(scope: Scope) -> Outcome:
        items, separator = _from("join", source(scope)), text_of(join_with(scope))
        return Outcome({"from": items, "joinWith": separator}, {"body": separator.join(map(text_of, items))})

    return Immediate(perform)


def read_table(inputs: Any, path: Path, reading: Reading) -> Immediate:
    given = reading.object(inputs, path, what="the inputs of Table")
    source = reading.tree(field_of(given, "from"), (*path, "from"))
    form = str(field_of(given, "format", "HTML")).upper()
    if form not in ("HTML", "CSV"):
        reading.problem((*path, "format"), f"a table is HTML or CSV, not {form}", "InvalidDefinition")
    listed = field_of(given, "columns")
    columns = _columns(listed, (*path, "columns"), reading) if isinstance(listed, list) else None

    def perform(scope: Scope) -> Outcome:
        items = _from("table", source(scope))
        headers, rows = _table(items, scope, columns)
        return Outcome({"from": items, "format": form}, {"body": _as_csv(headers, rows) if form == "CSV" else _as_html(headers, rows)})

    return Immediate(perform)


def _columns(listed: list[Any], path: Path, reading: Reading) -> list[tuple[Evaluate, Evaluate]]:
    columns = []
    for index, column in enumerate(listed):
        place = (*path, index)
        given: Mapping[str, Any] = reading.object(column, place, what="a column")
        columns.append(
            (reading.tree(field_of(given, "header", ""), (*place, "header")), reading.tree(field_of(given, "value"), (*place, "value")))
        )
    return columns


def _table(items: list[Any], scope: Scope, columns: list[tuple[Evaluate, Evaluate]] | None) -> tuple[list[str], list[list[str]]]:
    """Without columns, the keys of the first item are the headers."""
    if columns is None:
        headers = list(items[0]) if items and isinstance(items[0], dict) else []
        return headers, [[text_of(item.get(name)) if isinstance(item, dict) else "" for name in headers] for item in items]
    headers = [text_of(header(scope)) for header, _ in columns]
    return headers, [list(row) for row in zip(*[map(text_of, _each(items, scope, value)) for _, value in columns], strict=True)]


def _as_csv(headers: list[str], rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([headers, *rows])
    return out.getvalue()


def _as_html(headers: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{html.escape(header)}</th>" for header in headers)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
