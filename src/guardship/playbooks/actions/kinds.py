"""Action types by name, and the reader of each; a type that is not here is refused by its name."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from guardship.playbooks.actions import calls, control, data, inside, moments, variables, webhooks, xml_actions
from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.definition import Deed, Group, Immediate, Path

ReadInputs = Callable[[Any, Path, Reading], Immediate]
ReadWhole = Callable[[dict[str, Any], Path, Reading], Deed | None]

_IMMEDIATE: dict[str, ReadInputs] = {
    "Compose": data.read_compose,
    "ParseJson": data.read_parse_json,
    "Select": data.read_select,
    "Query": data.read_query,
    "Join": data.read_join,
    "Table": data.read_table,
    "InitializeVariable": variables.read_initialize,
    "SetVariable": variables.read_set,
    "IncrementVariable": variables.read_increment,
    "DecrementVariable": variables.read_decrement,
    "AppendToArrayVariable": variables.read_append_to_array,
    "AppendToStringVariable": variables.read_append_to_string,
}
CONTAINERS = ("If", "Switch", "Foreach", "Until", "Scope")
_WHOLE: dict[str, ReadWhole] = {
    "ApiConnection": calls.read_api_connection,
    "ApiConnectionWebhook": webhooks.read_api_connection_webhook,
    "Http": calls.read_http,
    "HttpWebhook": webhooks.read_http_webhook,
    "Workflow": webhooks.read_workflow,
    "SendToBatch": inside.read_send_to_batch,
    "Function": inside.read_function,
    "JavaScriptCode": inside.read_javascript,
    "Xslt": xml_actions.read_xslt,
    "XmlValidation": xml_actions.read_validation,
    "If": control.read_if,
    "Switch": control.read_switch,
    "Until": control.read_until,
    "Terminate": control.read_terminate,
    "Response": control.read_response,
}
KINDS = (*_IMMEDIATE, *_WHOLE, "Foreach", "Scope", "Wait", "Expression")
# Documented, and not to be had here: they need a service of the cloud that has no counterpart, or another language.
REFUSED = {
    "Liquid": "Liquid templates are not built; Compose, Select or JavaScriptCode can do the same",
    "FlatFileEncoding": "flat files need an integration account",
    "FlatFileDecoding": "flat files need an integration account",
    "IntegrationAccountArtifactLookup": "it needs an integration account",
    "AS2Encode": "it needs an integration account",
    "AS2Decode": "it needs an integration account",
    "EdifactEncode": "it needs an integration account",
    "EdifactDecode": "it needs an integration account",
    "X12Encode": "it needs an integration account",
    "X12Decode": "it needs an integration account",
    "RosettaNetEncode": "it needs an integration account",
    "RosettaNetDecode": "it needs an integration account",
    "RosettaNetWaitForResponse": "it needs an integration account",
    "SwiftEncode": "it needs an integration account",
    "SwiftDecode": "it needs an integration account",
    "Agent": "agents of the cloud do not run here",
    "ApiManagement": "it needs an API management service; call the API with Http",
    "AppService": "it needs an app service; call it with Http",
    "ServiceProvider": "it is an operation built into Azure's runtime; use the managed connector or Http",
    "CSharpScriptCode": "C# is not run here; JavaScriptCode is",
    "PowerShellCode": "PowerShell in a playbook is not run here; a runbook is",
}
_REFUSED_BY_FOLDED = {kind.lower(): (kind, reason) for kind, reason in REFUSED.items()}
_BY_FOLDED = {kind.lower(): kind for kind in KINDS}

# Their inputs hidden means their outputs hidden too: they pass on what they were given.
PASSES_ON = ("Compose", "ParseJson", "Response")


def kind_called(name: Any) -> str | None:
    return _BY_FOLDED.get(name.lower()) if isinstance(name, str) else None


def refusal_of(name: str) -> tuple[str, str] | None:
    """The type as published, and why it is not to be had here."""
    return _REFUSED_BY_FOLDED.get(name.lower())


def nearest_kind(name: str) -> str | None:
    close = get_close_matches(name.lower(), _BY_FOLDED, n=1, cutoff=0.75)
    return _BY_FOLDED[close[0]] if close else None


def read_deed(kind: str, document: dict[str, Any], path: Path, reading: Reading, *, is_nested: bool) -> Deed | None:
    """What the action does, or None when `reading` got a problem that leaves nothing to do."""
    inputs, place = field_of(document, "inputs"), (*path, "inputs")
    if kind in _IMMEDIATE:
        return _IMMEDIATE[kind](inputs, place, reading)
    if kind in _WHOLE:
        return _WHOLE[kind](document, path, reading)
    match kind:
        case "Foreach":
            return control.read_foreach(document, path, reading, is_nested=is_nested)
        case "Scope":
            return Group()
        case "Wait":
            return moments.read_wait(inputs, place, reading)
        case _:
            return moments.read_expression_action(str(field_of(document, "kind", "")), inputs, place, reading)
