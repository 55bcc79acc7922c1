"""Actions that steer: If, Switch, Foreach, Until, Scope, Terminate, Response."""

from typing import Any

from guardship.playbooks.actions.conditions import read_condition
from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.definition import Foreach, If, Path, Respond, Switch, Terminate, Until

DEFAULT_AT_ONCE = 20
MOST_AT_ONCE = 50
UNTIL_COUNT = 60
UNTIL_TIMEOUT = "PT1H"


def read_if(document: dict[str, Any], path: Path, reading: Reading) -> If:
    expression = field_of(document, "expression")
    if expression is None:
        reading.problem(path, "If needs an expression", "InvalidDefinition")
    return If(read_condition(expression if expression is not None else {}, (*path, "expression"), reading))


def read_switch(document: dict[str, Any], path: Path, reading: Reading) -> Switch:
    cases = reading.object(field_of(document, "cases", {}), (*path, "cases"), what="the cases of a Switch")
    made = []
    for name, case in cases.items():
        place = (*path, "cases", name)
        given = reading.object(case, place, what="a case")
        made.append((f"case {name}", reading.tree(field_of(given, "case"), (*place, "case"))))
    return Switch(reading.tree(field_of(document, "expression"), (*path, "expression")), tuple(made))


def read_foreach(document: dict[str, Any], path: Path, reading: Reading, *, is_nested: bool) -> Foreach:
    """Nested loops are always sequential, whatever they ask for."""
    items = reading.tree(field_of(document, "foreach"), (*path, "foreach"))
    runtime = field_of(document, "runtimeConfiguration")
    concurrency = field_of(runtime, "concurrency") if isinstance(runtime, dict) else None
    repetitions = field_of(concurrency, "repetitions") if isinstance(concurrency, dict) else None
    is_sequential = "sequential" in str(field_of(document, "operationOptions", "")).lower()
    if repetitions is not None and is_sequential:
        reading.problem((*path, "operationOptions"), "a loop is Sequential or has repetitions, not both", "InvalidDefinition")
    if repetitions is not None and not (isinstance(repetitions, int) and 1 <= repetitions <= MOST_AT_ONCE):
        place = (*path, "runtimeConfiguration", "concurrency", "repetitions")
        reading.problem(place, f"repetitions are 1 to {MOST_AT_ONCE}, not {repetitions}", "InvalidDefinition")
        repetitions = None
    at_once = 1 if is_nested or is_sequential else int(repetitions or DEFAULT_AT_ONCE)
    return Foreach(items, at_once)


def read_until(document: dict[str, Any], path: Path, reading: Reading) -> Until:
    limit = reading.object(field_of(document, "limit", {}), (*path, "limit"), what="the limit of an Until")
    condition = field_of(document, "expression")
    if condition is None:
        reading.problem(path, "Until needs an expression", "InvalidDefinition")
    return Until(
        decide=read_condition(condition if condition is not None else {}, (*path, "expression"), reading),
        count=reading.tree(field_of(limit, "count", UNTIL_COUNT), (*path, "limit", "count")),
        timeout=reading.tree(field_of(limit, "timeout", UNTIL_TIMEOUT), (*path, "limit", "timeout")),
        fails_at_limit="failwhenlimitsreached" in str(field_of(document, "operationOptions", "")).lower(),
    )


def read_terminate(document: dict[str, Any], path: Path, reading: Reading) -> Terminate:
    inputs = reading.object(field_of(document, "inputs"), (*path, "inputs"), what="the inputs of Terminate")
    status = field_of(inputs, "runStatus")
    if isinstance(status, str) and "@" not in status and status.lower() not in ("succeeded", "failed", "cancelled"):
        reading.problem((*path, "inputs", "runStatus"), f"a run ends Succeeded, Failed or Cancelled, not {status}", "InvalidDefinition")
    return Terminate(reading.tree(inputs, (*path, "inputs")))


def read_response(document: dict[str, Any], path: Path, reading: Reading) -> Respond:
    inputs = reading.object(field_of(document, "inputs"), (*path, "inputs"), what="the inputs of Response")
    shown = {name: value for name, value in inputs.items() if name.lower() != "schema"}
    return Respond(reading.tree(shown, (*path, "inputs")))
