"""Action types by name, and the reader of each; a type that is not here is refused by its name."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from guardship.playbooks.actions import calls, control, data, moments, variables
from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.definition import Deed, Group, Immediate, Path

ReadInputs = Callable[[Any, Path, Reading], Immediate]

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
KINDS = (*_IMMEDIATE, *CONTAINERS, "ApiConnection", "Http", "Wait", "Expression", "Terminate", "Response")
_BY_FOLDED = {kind.lower(): kind for kind in KINDS}

# Their inputs hidden means their outputs hidden too: they pass on what they were given.
PASSES_ON = ("Compose", "ParseJson", "Response")


def kind_called(name: Any) -> str | None:
    return _BY_FOLDED.get(name.lower()) if isinstance(name, str) else None


def nearest_kind(name: str) -> str | None:
    close = get_close_matches(name.lower(), _BY_FOLDED, n=1, cutoff=0.75)
    return _BY_FOLDED[close[0]] if close else None


def read_deed(kind: str, document: dict[str, Any], path: Path, reading: Reading, *, is_nested: bool) -> Deed | None:
    """What the action does, or None when `reading` got a problem that leaves nothing to do."""
    inputs, place = field_of(document, "inputs"), (*path, "inputs")
    if kind in _IMMEDIATE:
        return _IMMEDIATE[kind](inputs, place, reading)
    match kind:
        case "ApiConnection":
            return calls.read_api_connection(document, path, reading)
        case "Http":
            return calls.read_http(document, path, reading)
        case "If":
            return control.read_if(document, path, reading)
        case "Switch":
            return control.read_switch(document, path, reading)
        case "Foreach":
            return control.read_foreach(document, path, reading, is_nested=is_nested)
        case "Until":
            return control.read_until(document, path, reading)
        case "Scope":
            return Group()
        case "Wait":
            return moments.read_wait(inputs, place, reading)
        case "Expression":
            return moments.read_expression_action(str(field_of(document, "kind", "")), inputs, place, reading)
        case "Terminate":
            return control.read_terminate(document, path, reading)
        case _:
            return control.read_response(document, path, reading)
