"""Variables of a run: declared at top level by InitializeVariable, then set, counted up and down, or appended to."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.definition import Immediate, Outcome, Path
from guardship.playbooks.expressions.evaluate import Evaluate, Scope
from guardship.playbooks.expressions.values import EvaluationFailed, Value, json_text, text_of, type_name, whole

TYPES = ("string", "array", "integer", "float", "boolean", "object")


def fitted(name: str, kind: str, value: Value) -> Value:
    """The value as a variable of this type keeps it; null is kept as it is."""
    folded = kind.lower()
    if value is None:
        return None
    if isinstance(value, Decimal):
        value = float(value)
    match folded, value:
        case "string", str():
            return value
        case "string", _:
            return text_of(value) if not isinstance(value, dict | list) else json_text(value)
        case "array", list():
            return value
        case "boolean", bool():
            return value
        case "integer", int() if not isinstance(value, bool):
            return value
        case "float", int() | float() if not isinstance(value, bool):
            return float(value)
        case "object", dict():
            return value
        case _:
            raise EvaluationFailed(f"The variable '{name}' of type '{kind}' cannot take a value of type '{type_name(value)}'.")


def read_initialize(inputs: Any, path: Path, reading: Reading) -> Immediate:
    given = reading.object(inputs, path, what="the inputs of InitializeVariable")
    listed = field_of(given, "variables")
    if not isinstance(listed, list) or not listed:
        reading.problem((*path, "variables"), "InitializeVariable needs an array of variables", "InvalidDefinition")
        listed = []
    entries: list[tuple[str, str, Evaluate]] = []
    for index, entry in enumerate(listed):
        place = (*path, "variables", index)
        variable = reading.object(entry, place, what="a variable")
        name, kind = str(field_of(variable, "name", "")), str(field_of(variable, "type", "")).lower()
        if kind not in TYPES:
            reading.problem(
                (*place, "type"), f"the variable {name} has the type {kind}", "InvalidDefinition", hint=f"types are {', '.join(TYPES)}"
            )
        entries.append((name, kind, reading.tree(field_of(variable, "value"), (*place, "value"))))

    def perform(scope: Scope) -> Outcome:
        made = [(name, kind, fitted(name, kind, value(scope))) for name, kind, value in entries]
        shown = [{"name": name, "type": kind, "value": value} for name, kind, value in made]
        return Outcome({"variables": shown}, None, variables=tuple((name, value) for name, _, value in made))

    return Immediate(perform)


def _changing(change: Callable[[str, Value, Value], Value], *, default: Value = None) -> Callable[[Any, Path, Reading], Immediate]:
    def read(inputs: Any, path: Path, reading: Reading) -> Immediate:
        given = reading.object(inputs, path, what="the inputs of a variable action")
        name = field_of(given, "name")
        if not isinstance(name, str) or not name:
            reading.problem(path, "the action does not name its variable", "InvalidDefinition")
            name = ""
        variable: str = name
        reading.check(f"@variables('{variable.replace(chr(39), chr(39) * 2)}')", (*path, "name"))
        value = reading.tree(field_of(given, "value", default), (*path, "value"))

        def perform(scope: Scope) -> Outcome:
            amount = value(scope)
            made = change(variable, scope.variable(variable), amount)
            return Outcome({"name": variable, "value": amount}, {"body": {"name": variable, "value": made}}, variables=((variable, made),))

        return Immediate(perform)

    return read


def _append_to_array(name: str, held: Value, value: Value) -> Value:
    if not isinstance(held, list | None):
        raise EvaluationFailed(f"The variable '{name}' is of type '{type_name(held)}', not an array.")
    return [*(held or []), value]


def _append_to_string(name: str, held: Value, value: Value) -> Value:
    if not isinstance(held, str | None):
        raise EvaluationFailed(f"The variable '{name}' is of type '{type_name(held)}', not a string.")
    return (held or "") + text_of(value)


def _counted(sign: int) -> Callable[[str, Value, Value], Value]:
    def change(name: str, held: Value, value: Value) -> Value:
        before = 0 if held is None else held
        if isinstance(before, bool) or isinstance(value, bool) or not isinstance(before, int | float) or not isinstance(value, int | float):
            raise EvaluationFailed(
                f"The variable '{name}' and the amount must be numbers, they are '{type_name(held)}' and '{type_name(value)}'."
            )
        made = before + sign * value
        return whole(made) if isinstance(made, int) else made

    return change


read_set = _changing(lambda name, held, value: value)
read_increment = _changing(_counted(1), default=1)
read_decrement = _changing(_counted(-1), default=1)
read_append_to_array = _changing(_append_to_array)
read_append_to_string = _changing(_append_to_string)
