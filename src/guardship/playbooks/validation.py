"""Checks a playbook's text before it may be published: what is wrong, with path, line and column, and a hint.

Nothing is evaluated that belongs to a run; unknown action types, functions, connectors and operations are refused here, by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from guardship.errors import Span
from guardship.playbooks.arm.found import (
    Found,
    FoundAutomation,
    FoundConnection,
    FoundCustomConnector,
    FoundRoleAssignment,
    FoundWorkflow,
)
from guardship.playbooks.arm.lenient_json import JsonSyntax, Places, decode, parse_noting
from guardship.playbooks.arm.place import ArmPlace
from guardship.playbooks.arm.standard import is_zip, read_app, unzipped
from guardship.playbooks.arm.symbols import MISSING
from guardship.playbooks.arm.template import read_template
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
    found: FoundWorkflow
    source: str | None = None  # its own text, when the document holds several files


@dataclass(slots=True)
class Checked:
    """`remarks` and `needs_deployment` keep nothing from being published."""

    workflows: list[CheckedWorkflow] = field(default_factory=list)
    connections: list[FoundConnection] = field(default_factory=list)
    custom_connectors: list[FoundCustomConnector] = field(default_factory=list)
    role_assignments: list[FoundRoleAssignment] = field(default_factory=list)
    automations: list[FoundAutomation] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    problems: list[Located] = field(default_factory=list)  # of the document as a whole
    remarks: list[Located] = field(default_factory=list)  # what was read in one of two ways, such as a name that stands twice
    needs_deployment: list[Located] = field(default_factory=list)  # values that a deployment alone can tell


def check_document(
    name: str, document: str | bytes, connectors: ConnectorSet, *, parameters: Mapping[str, Any], place: ArmPlace, now: datetime
) -> Checked:
    """Every playbook in a document, each with what keeps it from being published; raises nothing about its text.

    A document is a template, a definition, or a zip of Standard workflows; `parameters` are values by name, or a parameter file.
    """
    checked = Checked()
    try:
        if isinstance(document, bytes) and is_zip(document):
            return check_folder(unzipped(document), connectors, parameters=parameters)
        text = decode(document)
        parsed = parse_noting(text)
        found = read_template(parsed.content, name, parameters, place, now)
        places = _LazyPlaces(text)
        _fill(checked, found, places, connectors)
    except JsonSyntax as error:
        checked.problems.append(_syntax(error))
        return checked
    except RecursionError:
        checked.problems.append(_syntax(JsonSyntax("this JSON is nested too deep")))
        return checked
    if parsed.has_duplicates:
        for path, span in places.all().duplicates():
            message = f"the name {path[-1]} stands twice in its object; the last one counts"
            checked.remarks.append(Located(shown_path(path), span.line, span.column, "DuplicateName", message))
    return checked


def _syntax(error: JsonSyntax, path: str = "") -> Located:
    span = error.span
    return Located(path, span.line if span else 1, span.column if span else 1, "InvalidJson", error.message, error.hint)


def _fill(checked: Checked, found: Found, places: "_LazyPlaces", connectors: ConnectorSet) -> None:
    checked.connections, checked.ignored, checked.left_out = found.connections, found.ignored, found.left_out
    checked.custom_connectors, checked.role_assignments = found.custom_connectors, found.role_assignments
    checked.automations, checked.outputs = found.automations, found.outputs
    inside = tuple(one.path for one in found.workflows)
    whole = [problem for problem in found.problems if problem.code in _OF_ALL or not _is_below(problem.path, inside)]
    own = [problem for problem in found.problems if problem not in whole]
    for one in found.workflows:
        checked.workflows.append(_check(one, own, found.unusable, places, connectors))
    checked.problems.extend(_located(problem, (), places) for problem in whole)
    for one_value in found.needs_deployment:
        problem = Problem(one_value.path, f"known after deployment: {one_value.expression}", "KnownAfterDeployment")
        checked.needs_deployment.append(_located(problem, (), places))


# What is missing is missing for every playbook of the document, though it is told once.
_OF_ALL = frozenset({"MissingParameter", "UnknownParameter", "UnknownVariable"})


def check_folder(files: Mapping[str, bytes], connectors: ConnectorSet, *, parameters: Mapping[str, Any]) -> Checked:
    """The playbooks of a Standard app: `<name>/workflow.json` beside `connections.json`, by their paths in the folder."""
    app = read_app(files, parameters)
    checked = Checked(connections=list(app.connections), ignored=list(app.ignored))
    for path, error in app.broken:
        checked.problems.append(_syntax(error, path))
    for file, problem in app.problems:
        located = _located(problem, (), _LazyPlaces(app.texts[file]))
        checked.problems.append(replace(located, path=f"{file}: {located.path}".removesuffix(": ")))
    for one in app.workflows:
        places = _LazyPlaces(one.text)
        made = _check(one.found, [], set(), places, connectors)
        checked.workflows.append(replace(made, source=one.text))
    if not app.workflows and not checked.problems:
        message = "there is no <name>/workflow.json here"
        checked.problems.append(Located("", 1, 1, "InvalidDefinition", message, "the folder or zip of a Standard app holds one a workflow"))
    return checked


class _LazyPlaces:
    """Most texts have no problem, and need not be walked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._places: Places | None = None

    def all(self) -> Places:
        if self._places is None:
            self._places = Places(self.text)
        return self._places

    def locate(self, path: Path, start: int = 0, end: int = 0) -> Span:
        return self.all().locate(path, start, end)


def _check(one: FoundWorkflow, found: list[Problem], unusable: set[Path], places: _LazyPlaces, connectors: ConnectorSet) -> CheckedWorkflow:
    workflow, problems = read_workflow(one.name, one.definition, one.parameters, connectors)
    own = [_located(problem, (), places) for problem in found if _is_below(problem.path, (one.path,))]
    # Where a value could not be worked out, that is told; what it leads to is not told again.
    apart = [problem for problem in problems if (*one.path, *problem.path) not in unusable and MISSING not in problem.message]
    located = [*own, *[_located(problem, one.path, places) for problem in apart]]
    return CheckedWorkflow(one.name, one.definition, one.parameters, workflow, tuple(located), one)


def _is_below(path: Path, parents: tuple[Path, ...]) -> bool:
    return any(path[: len(parent)] == parent for parent in parents)


def _located(problem: Problem, parent: Path, places: _LazyPlaces) -> Located:
    """With a parent, the problem is of a text as the template has built it, whose offsets are not those of the document."""
    span = places.locate((*parent, *problem.path))
    is_built = bool(parent) and places.text.startswith('"[', span.start)
    if problem.end > problem.start and not is_built:
        span = places.locate((*parent, *problem.path), problem.start, problem.end)
    return Located(shown_path(problem.path), span.line, span.column, problem.code, problem.message, problem.hint)


def shown_path(path: Path) -> str:
    """`actions.For_each.actions.Mail.inputs.body[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
