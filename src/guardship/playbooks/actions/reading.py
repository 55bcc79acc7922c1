"""What the readers of actions share: where they are in the document, what they found wrong, and what the expressions refer to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.definition import ConnectionUse, Path, Problem
from guardship.playbooks.durations import read_duration
from guardship.playbooks.expressions.evaluate import Evaluate, arity_problem
from guardship.playbooks.expressions.functions.table import EVALUATOR, FUNCTIONS, nearest_function
from guardship.playbooks.expressions.parser import parse_template
from guardship.playbooks.expressions.syntax import Call, ExpressionSyntax, Literal, calls_in, nodes_of
from guardship.playbooks.expressions.values import Value

_NAMES_ACTION = {"body", "outputs", "actions", "result", "formdatavalue", "formdatamultivalues", "multipartbody"}
_NAMES_TRIGGER = {"trigger", "triggerbody", "triggeroutputs", "triggerformdatavalue", "triggerformdatamultivalues", "triggermultipartbody"}


@dataclass(frozen=True, slots=True)
class Reference:
    """An expression at `path` names something: an action, a loop, a variable, a parameter, or the trigger."""

    kind: str
    name: str
    path: Path
    action: str | None  # whose expression it is
    start: int
    end: int


@dataclass(slots=True)
class Reading:
    connectors: ConnectorSet
    connections: Mapping[str, ConnectionUse]
    static_results: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # maps and schemas that came with the playbook, by their names
    problems: list[Problem] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    action: str | None = None
    refused: set[str] = field(default_factory=set)  # folded names of actions that are there and cannot run

    def problem(self, path: Path, message: str, code: str, *, hint: str | None = None, start: int = 0, end: int = 0) -> None:
        self.problems.append(Problem(path, message, code, hint, start, end))

    def tree(self, document: Value, path: Path) -> Evaluate:
        """The document as something to work out; every string in it is checked."""
        self.check(document, path)
        try:
            return EVALUATOR.tree(document)
        except ExpressionSyntax:
            return lambda scope: None  # already reported; such a definition is not run

    def check(self, document: Value, path: Path) -> None:
        match document:
            case str():
                if "@" in document:
                    self._check_string(document, path)
            case list():
                for index, inner in enumerate(document):
                    self.check(inner, (*path, index))
            case dict():
                for name, inner in document.items():
                    self.check(name, path)
                    self.check(inner, (*path, name))

    def _check_string(self, text: str, path: Path) -> None:
        try:
            template = parse_template(text)
        except ExpressionSyntax as error:
            span = error.span
            self.problem(
                path, error.message, "InvalidExpression", hint=error.hint, start=span.start if span else 0, end=span.end if span else 0
            )
            return
        for node in nodes_of(template):
            for call in calls_in(node):
                self._check_call(call, path)

    def _check_call(self, call: Call, path: Path) -> None:
        name = call.name.lower()
        entry = FUNCTIONS.get(name)
        if entry is None:
            nearest = nearest_function(call.name)
            message, hint = f"there is no function called {call.name}", f"did you mean {nearest}?" if nearest else None
            self.problem(path, message, "UnknownFunction", hint=hint, start=call.start, end=call.start + len(call.name))
            return
        wrong = arity_problem(entry.name, entry.least, entry.most, len(call.arguments))
        if wrong is not None:
            self.problem(path, wrong, "WrongArity", start=call.start, end=call.end)
            return
        first = call.arguments[0] if call.arguments else None
        if name in _NAMES_TRIGGER:
            self._refer("trigger", "", path, call)
        elif isinstance(first, Literal) and isinstance(first.value, str):
            kind = "action" if name in _NAMES_ACTION else {"variables": "variable", "parameters": "parameter"}.get(name)
            kind = "loop" if name in ("items", "iterationindexes") else kind
            if kind is not None:
                self._refer(kind, first.value, path, call)

    def _refer(self, kind: str, name: str, path: Path, call: Call) -> None:
        self.references.append(Reference(kind, name, path, self.action, call.start, call.end))

    def refer_action(self, name: str, path: Path) -> None:
        self.references.append(Reference("action", name, path, self.action, 0, 0))

    def object(self, document: Any, path: Path, *, what: str) -> dict[str, Any]:
        if isinstance(document, dict):
            return document
        self.problem(path, f"{what} must be an object", "InvalidDefinition")
        return {}

    def duration(self, document: Any, path: Path, otherwise: float | None = None) -> float | None:
        if document is None:
            return otherwise
        seconds = read_duration(document) if isinstance(document, str) else None
        if seconds is None:
            self.problem(path, f"{document!r} is not a duration", "InvalidDuration", hint="such as PT30S, PT1H or P1D")
        return seconds


def field_of(document: Mapping[str, Any], name: str, otherwise: Any = None) -> Any:
    """A field by its name in any case."""
    if name in document:
        return document[name]
    folded = name.casefold()
    return next((value for key, value in document.items() if key.casefold() == folded), otherwise)
