"""Copy loops: `"copy": [{"name": "rules", "count": 2, "input": {"n": "[copyIndex('rules')]"}}]` in an object makes `"rules": [{…}, {…}]`."""

from dataclasses import dataclass
from typing import Any

from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.symbols import Unknown

MOST_COPIES = 800


@dataclass(frozen=True, slots=True)
class Loop:
    name: str
    count: Any
    body: Any = None
    steps: tuple[int, ...] = ()  # from `copy` to this loop

    def wrong_count(self, count: Any) -> str | None:
        """0 is fine and makes nothing."""
        if isinstance(count, Unknown):
            return f"how often the loop {self.name} goes round must be known before the deployment"
        if isinstance(count, bool) or not isinstance(count, int):
            return f"how often the loop {self.name} goes round must be a whole number"
        return None if 0 <= count <= MOST_COPIES else f"the loop {self.name} may go round 0 to {MOST_COPIES} times, not {count}"


def loops_of(document: dict[str, Any]) -> list[Loop]:
    """The loops over properties in an object; a `copy` of any other shape is plain data."""
    written = field_of(document, "copy")
    if not isinstance(written, list) or not written or not all(isinstance(entry, dict) and _is_loop(entry) for entry in written):
        return []
    return [
        Loop(str(field_of(entry, "name", "")), field_of(entry, "count"), field_of(entry, "input"), (index,))
        for index, entry in enumerate(written)
    ]


def _is_loop(entry: dict[str, Any]) -> bool:
    return {"count", "input"} <= {name.lower() for name in entry}


def resource_loop(resource: dict[str, Any]) -> Loop | None:
    """The loop that makes a resource several times, or None."""
    written = field_of(resource, "copy")
    if not isinstance(written, dict):
        return None
    return Loop(str(field_of(written, "name", "copy")), field_of(written, "count"))
