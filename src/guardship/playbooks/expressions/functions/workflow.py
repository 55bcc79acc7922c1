"""Functions that look at the run: its trigger, its actions, variables, loops and parameters."""

from typing import Any
from urllib.parse import parse_qs

from guardship.errors import counted
from guardship.playbooks.expressions.arguments import array, text, whole_number
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.evaluate import Scope
from guardship.playbooks.expressions.values import CONTENT, EvaluationFailed, Value, content_text, is_content


def parameters(scope: Scope, name: Value) -> Value:
    return scope.parameter(text("parameters", name))


def variables(scope: Scope, name: Value) -> Value:
    return scope.variable(text("variables", name))


def trigger(scope: Scope) -> Value:
    return scope.trigger()


def trigger_outputs(scope: Scope) -> Value:
    return scope.trigger_outputs()


def trigger_body(scope: Scope) -> Value:
    return _body(scope.trigger_outputs())


def _body(outputs: Value) -> Value:
    return outputs.get("body") if isinstance(outputs, dict) else None


def action(scope: Scope) -> Value:
    return scope.action(None)


def actions(scope: Scope, name: Value, part: Value = None) -> Value:
    found = scope.action(text("actions", name))
    return found if part is None else found.get(text("actions", part))


def outputs(scope: Scope, name: Value) -> Value:
    return scope.outputs(text("outputs", name))


def body(scope: Scope, name: Value) -> Value:
    """The body of what the action gave; an action that gives a plain value has it as its body."""
    given = scope.outputs(text("body", name))
    if isinstance(given, dict):
        if "body" in given:
            inner: Value = given["body"]
            return inner
        return None if "statusCode" in given else given
    return given


def item(scope: Scope) -> Value:
    return scope.item()


def items(scope: Scope, loop: Value) -> Value:
    return scope.items(text("items", loop))


def iteration_indexes(scope: Scope, loop: Value) -> Value:
    return scope.iteration_index(text("iterationIndexes", loop))


def result(scope: Scope, name: Value) -> Value:
    return scope.result(text("result", name))


def workflow(scope: Scope) -> Value:
    return scope.workflow()


def list_callback_url(scope: Scope) -> Value:
    return scope.callback_url()


def _form(given: Value) -> dict[str, list[str]]:
    """The fields of a form that came as `application/x-www-form-urlencoded` content."""
    source = given.get("$formdata") if isinstance(given, dict) else None
    if isinstance(source, list):
        fields: dict[str, list[str]] = {}
        for entry in source:
            fields.setdefault(str(entry.get("key")), []).append(str(entry.get("value")))
        return fields
    written = content_text(given) if isinstance(given, dict) and is_content(given) else given
    return parse_qs(written, keep_blank_values=True) if isinstance(written, str) else {}


def _one(fields: dict[str, list[str]], name: str) -> Value:
    found = fields.get(name, [])
    if len(found) > 1:
        raise EvaluationFailed(f"The form has several values for '{name}'.")
    return found[0] if found else None


def form_data_value(scope: Scope, source: Value, name: Value) -> Value:
    return _one(_form(body(scope, source)), text("formDataValue", name))


def form_data_multi_values(scope: Scope, source: Value, name: Value) -> Value:
    return list(_form(body(scope, source)).get(text("formDataMultiValues", name), []))


def trigger_form_data_value(scope: Scope, name: Value) -> Value:
    return _one(_form(trigger_body(scope)), text("triggerFormDataValue", name))


def trigger_form_data_multi_values(scope: Scope, name: Value) -> Value:
    return list(_form(trigger_body(scope)).get(text("triggerFormDataMultiValues", name), []))


def _part(given: Value, index: int) -> Value:
    parts: list[Any] = array("multipartBody", given.get("$multipart") if isinstance(given, dict) else None)
    if not 0 <= index < len(parts):
        raise EvaluationFailed(f"The multipart content has {counted(len(parts), 'part')}, there is no part {index}.")
    part = parts[index]
    return part.get("body", part.get(CONTENT)) if isinstance(part, dict) else part


def multipart_body(scope: Scope, source: Value, index: Value) -> Value:
    return _part(body(scope, source), whole_number("multipartBody", index))


def trigger_multipart_body(scope: Scope, index: Value) -> Value:
    return _part(trigger_body(scope), whole_number("triggerMultipartBody", index))


TABLE = (
    Entry("parameters", 1, 1, parameters, needs_scope=True),
    Entry("variables", 1, 1, variables, needs_scope=True),
    Entry("trigger", 0, 1, trigger, needs_scope=True),
    Entry("triggerOutputs", 0, 0, trigger_outputs, needs_scope=True),
    Entry("triggerBody", 0, 0, trigger_body, needs_scope=True),
    Entry("action", 0, 1, action, needs_scope=True),
    Entry("actions", 1, 2, actions, needs_scope=True),
    Entry("outputs", 1, 1, outputs, needs_scope=True),
    Entry("body", 1, 1, body, needs_scope=True),
    Entry("item", 0, 0, item, needs_scope=True),
    Entry("items", 1, 1, items, needs_scope=True),
    Entry("iterationIndexes", 1, 1, iteration_indexes, needs_scope=True),
    Entry("result", 1, 1, result, needs_scope=True),
    Entry("workflow", 0, 0, workflow, needs_scope=True),
    Entry("listCallbackUrl", 0, 0, list_callback_url, needs_scope=True),
    Entry("formDataValue", 2, 2, form_data_value, needs_scope=True),
    Entry("formDataMultiValues", 2, 2, form_data_multi_values, needs_scope=True),
    Entry("multipartBody", 2, 2, multipart_body, needs_scope=True),
    Entry("triggerFormDataValue", 1, 1, trigger_form_data_value, needs_scope=True),
    Entry("triggerFormDataMultiValues", 1, 1, trigger_form_data_multi_values, needs_scope=True),
    Entry("triggerMultipartBody", 1, 1, trigger_multipart_body, needs_scope=True),
)
