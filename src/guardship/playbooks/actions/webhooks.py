"""Readers of actions that wait for a call: HttpWebhook, ApiConnectionWebhook, and Workflow, which waits for another playbook.

{"type": "HttpWebhook", "inputs": {"subscribe": {"method": "POST", "uri": "…", "body": "@{listCallbackUrl()}"}, "unsubscribe": {}}}
{"type": "Workflow", "inputs": {"host": {"triggerName": "manual", "workflow": {"id": "…/workflows/Notify"}}, "body": {}}}
"""

from typing import Any

from guardship.playbooks.actions.calls import read_api_connection, read_http_call, read_retry_policy, read_static_result
from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.definition import Outside, Path, Webhook


def read_http_webhook(document: dict[str, Any], path: Path, reading: Reading) -> Webhook | None:
    place = (*path, "inputs")
    inputs = reading.object(field_of(document, "inputs"), place, what="the inputs of HttpWebhook")
    subscribe = field_of(inputs, "subscribe")
    if not isinstance(subscribe, dict):
        reading.problem(place, "HttpWebhook needs subscribe, with a method and an uri", "InvalidDefinition")
        return None
    made = read_http_call(document, subscribe, (*place, "subscribe"), reading, what="HttpWebhook")
    unsubscribe = field_of(inputs, "unsubscribe")
    parting = None
    if isinstance(unsubscribe, dict) and unsubscribe:
        parting = read_http_call(document, unsubscribe, (*place, "unsubscribe"), reading, what="HttpWebhook")
    return Webhook(made, parting) if made is not None else None


def read_api_connection_webhook(document: dict[str, Any], path: Path, reading: Reading) -> Webhook | None:
    call = read_api_connection(document, path, reading, method="post")
    return Webhook(call) if call is not None else None


def read_workflow(document: dict[str, Any], path: Path, reading: Reading) -> Webhook | None:
    place = (*path, "inputs")
    inputs = reading.object(field_of(document, "inputs"), place, what="the inputs of Workflow")
    host = field_of(inputs, "host")
    workflow = field_of(host, "workflow") if isinstance(host, dict) else None
    if not isinstance(workflow, dict) or not field_of(workflow, "id"):
        reading.problem((*place, "host"), "Workflow needs host.workflow.id, the playbook it runs", "InvalidDefinition")
        return None
    call = internal_call("workflow", document, path, reading)
    return Webhook(call) if call is not None else None


def internal_call(name: str, document: dict[str, Any], path: Path, reading: Reading) -> Outside | None:
    """A call of a connector of our own, whose one operation takes the inputs as they are."""
    place = (*path, "inputs")
    connector = reading.connectors.get(name)
    if connector is None:
        kind = field_of(document, "type")
        reading.problem((*path, "type"), f"the action type {kind} cannot run here: no {name} connector is set up", "UnsupportedAction")
        return None
    inputs = field_of(document, "inputs")
    retry = read_retry_policy(field_of(inputs, "retryPolicy"), (*place, "retryPolicy"), reading)
    static = read_static_result(document, path, reading)
    return Outside(name, connector.operations[0], reading.tree(inputs, place), None, (), retry, static, follows_accepted=False)
