"""Checks a playbook's text before it may be published: what is wrong, with path, line and column, and a hint.

Nothing is evaluated that belongs to a run; unknown action types, functions, connectors and operations are refused here, by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from guardship.errors import Span
from guardship.playbooks.arm.functions import ArmPlace
from guardship.playbooks.arm.lenient_json import JsonSyntax, Places, decode, parse
from guardship.playbooks.arm.template import Found, FoundConnection, FoundWorkflow, read_template
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.definition import Path, Problem, Workflow
from guardship.playbooks.reading import read_workflow


@dataclass(frozen=True, slots=True)
class Located:
    """A problem as people read it: `actions.Create_job.inputs.path` at line 41, column 30."""

    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {"path": self.path, "line": self.line, "column": self.column, "code": self.code, "message": self.message, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class CheckedWorkflow:
    name: str
    definition: Any
    parameters: Mapping[str, Any]
    workflow: Workflow
    problems: tuple[Located, ...]


@dataclass(slots=True)
class Checked:
    workflows: list[CheckedWorkflow] = field(default_factory=list)
    connections: list[FoundConnection] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    problems: list[Located] = field(default_factory=list)  # of the document as a whole


def check_document(
    name: str, document: str | bytes, connectors: ConnectorSet, *, parameters: Mapping[str, Any], place: ArmPlace, now: datetime
) -> Checked:
    """Every playbook in a document, each with what keeps it from being published; raises nothing about its text."""
    checked = Checked()
    try:
        text = decode(document)
        content = parse(text)
    except JsonSyntax as error:
        span = error.span
        checked.problems.append(Located("", span.line if span else 1, span.column if span else 1, "InvalidJson", error.message, error.hint))
        return checked
    found = read_template(content, name, parameters, place, now)
    checked.connections, checked.ignored = found.connections, found.ignored
    places = _LazyPlaces(text)
    for one in found.workflows:
        checked.workflows.append(_check(one, found, places, connectors))
    inside = tuple(one.path for one in found.workflows)
    checked.problems.extend(_located(problem, (), places) for problem in found.problems if not _is_below(problem.path, inside))
    return checked


class _LazyPlaces:
    """Most texts have no problem, and need not be walked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._places: Places | None = None

    def locate(self, path: Path, start: int = 0, end: int = 0) -> Span:
        if self._places is None:
            self._places = Places(self.text)
        return self._places.locate(path, start, end)


def _check(one: FoundWorkflow, found: Found, places: _LazyPlaces, connectors: ConnectorSet) -> CheckedWorkflow:
    workflow, problems = read_workflow(one.name, one.definition, one.parameters, connectors)
    own = [_located(problem, (), places) for problem in found.problems if _is_below(problem.path, (one.path,))]
    located = [*own, *[_located(problem, one.path, places) for problem in problems]]
    return CheckedWorkflow(one.name, one.definition, one.parameters, workflow, tuple(located))


def _is_below(path: Path, parents: tuple[Path, ...]) -> bool:
    return any(path[: len(parent)] == parent for parent in parents)


def _located(problem: Problem, parent: Path, places: _LazyPlaces) -> Located:
    span = places.locate((*parent, *problem.path))
    if problem.end > problem.start and not places.text.startswith('"[', span.start):  # a text built by the template has other offsets
        span = places.locate((*parent, *problem.path), problem.start, problem.end)
    return Located(shown_path(problem.path), span.line, span.column, problem.code, problem.message, problem.hint)


def shown_path(path: Path) -> str:
    """`actions.For_each.actions.Mail.inputs.body[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
