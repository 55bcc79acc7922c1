"""Actions that are calls of connectors of our own: SendToBatch, Function, JavaScriptCode.

{"type": "SendToBatch", "inputs": {"batchName": "b", "content": {}, "host": {"triggerName": "Batch", "workflow": {"id": "…/workflows/W"}}}}
{"type": "Function", "inputs": {"function": {"id": "…/sites/app/functions/Name"}, "method": "POST", "body": {}}}
{"type": "JavaScriptCode", "inputs": {"code": "return workflowContext.trigger.outputs.body;"}}
"""

import re
from typing import Any

from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.actions.webhooks import internal_call
from guardship.playbooks.definition import Outside, Path
from guardship.playbooks.expressions.evaluate import Evaluate, Scope
from guardship.playbooks.expressions.values import EvaluationFailed, Value

_NAMED = re.compile(
    r"""workflowContext\s*\.\s*actions\s*(?:\.\s*(?P<plain>[\w$]+)|\[\s*(?P<quote>['"])(?P<quoted>[^'"]+)(?P=quote)\s*\])"""
)


def read_send_to_batch(document: dict[str, Any], path: Path, reading: Reading) -> Outside | None:
    place = (*path, "inputs")
    inputs = reading.object(field_of(document, "inputs"), place, what="the inputs of SendToBatch")
    for name in ("batchName", "content", "host"):
        if field_of(inputs, name) is None:
            reading.problem(place, f"SendToBatch needs {name}", "InvalidDefinition")
    return internal_call("batch", document, path, reading)


def read_function(document: dict[str, Any], path: Path, reading: Reading) -> Outside | None:
    place = (*path, "inputs")
    inputs = reading.object(field_of(document, "inputs"), place, what="the inputs of Function")
    function = field_of(inputs, "function")
    if not isinstance(function, dict) or not field_of(function, "id"):
        reading.problem((*place, "function"), "Function needs function.id, the resource id of the function", "InvalidDefinition")
    return internal_call("azure_function", document, path, reading)


def read_javascript(document: dict[str, Any], path: Path, reading: Reading) -> Outside | None:
    """The code stays as it is written, nothing in it is an expression; it gets what it names of the run."""
    place = (*path, "inputs")
    inputs = reading.object(field_of(document, "inputs"), place, what="the inputs of JavaScriptCode")
    code = field_of(inputs, "code")
    if not isinstance(code, str):
        reading.problem((*place, "code"), "JavaScriptCode needs code", "InvalidDefinition")
        return None
    call = internal_call("javascript", {**document, "inputs": {}}, path, reading)
    if call is None:
        return None
    names = _named_actions(code, field_of(inputs, "explicitDependencies"))
    for name in names:
        reading.refer_action(name, (*place, "code"))
    return Outside(
        call.connector, call.operation, _with_context(code, names), None, (), call.retry, call.static_result, follows_accepted=False
    )


def _named_actions(code: str, dependencies: Any) -> list[str]:
    """`workflowContext.actions.Name` and `['Name']` in the code, and what the action lists itself."""
    listed = field_of(dependencies, "actions") if isinstance(dependencies, dict) else None
    found = [str(name) for name in listed] if isinstance(listed, list) else []
    found += [match["plain"] or match["quoted"] for match in _NAMED.finditer(code)]
    return list({name.casefold(): name for name in found}.values())


def _with_context(code: str, names: list[str]) -> Evaluate:
    def evaluate(scope: Scope) -> Value:
        actions: dict[str, Any] = {}
        for name in names:
            try:
                actions[name] = scope.action(name)
            except EvaluationFailed:
                actions[name] = None  # it has not run: the code sees null, as it would of a skipped one
        context = {"actions": actions, "trigger": scope.trigger(), "workflow": scope.workflow()}
        return {"code": code, "context": context}

    return evaluate
