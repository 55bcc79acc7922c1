"""Templates as small as a test needs them."""

from collections.abc import Mapping
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
