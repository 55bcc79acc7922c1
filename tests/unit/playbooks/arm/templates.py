"""Templates as small as a test needs them."""

import copy
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from guardship.playbooks.arm.found import Found
from guardship.playbooks.arm.place import ArmPlace
from guardship.playbooks.arm.template import read_template

PLACE = ArmPlace("S", "T", "G", "westeurope")
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def workflow(actions: Any, **more: Any) -> dict[str, Any]:
    properties = {"definition": {"triggers": {}, "actions": actions, **more.pop("definition", {})}, **more.pop("properties", {})}
    return {"type": "Microsoft.Logic/workflows", "name": "w", "properties": properties, **more}


def read(document: Any, given: Mapping[str, Any] | None = None, name: str = "w") -> Found:
    return read_template(document, name, given or {}, PLACE, NOW)


def found_in(actions: Any, given: Mapping[str, Any] | None = None, **template: Any) -> Found:
    """A template with one workflow."""
    return read({**template, "resources": [workflow(actions)]}, given)


def evaluated(value: Any, given: Mapping[str, Any] | None = None, **template: Any) -> Any:
    """What stands in an action of the loaded workflow; nothing may be wrong."""
    found = found_in({"A": value}, given, **template)
    assert found.problems == []
    return found.workflows[0].definition["actions"]["A"]


WRONG: list[Any] = [
    *(None, True, -1, 1.5, "", "x", "[", "[[x]", "@{", [], {}, [None], {"a": None}, {"count": 1, "input": 2}, [[]]),
    *("[parameters('x')]", "[variables('none')]", "[reference('a').b]", "[copyIndex()]", "[concat(", "[parameters('k')]"),
    *("[if(reference('a'), 1, 2)]", "[toObject(range(0, 2), lambda('i', string(reference('a'))))]", "[json('{\"a\": [1]}')]"),
]


def changed(document: Any, changes: Iterable[tuple[int, Any]]) -> Any:
    """The document with another value in some of its places, chosen by number."""
    for number, value in changes:
        places = _places_in(document)
        holder, step = places[number % len(places)]
        holder[step] = copy.deepcopy(value)
    return document


def _places_in(document: Any) -> list[tuple[Any, Any]]:
    pairs = list(document.items()) if isinstance(document, dict) else list(enumerate(document)) if isinstance(document, list) else []
    return [each for step, inner in pairs for each in [(document, step), *_places_in(inner)]]
