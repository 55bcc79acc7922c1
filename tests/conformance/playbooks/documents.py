"""A file of playbooks, loaded as the product loads it; a parameter that would be asked for gets a value of its type."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.conformance.playbooks.answering import PLACE, Answers, EveryConnector, connectors_for

from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.lenient_json import JsonSyntax, decode, parse
from guardship.playbooks.arm.template import read_template
from guardship.playbooks.validation import CheckedWorkflow, Located, check_document

REFUSALS = {"UnsupportedAction": "action type", "UnknownFunction": "function", "UnsupportedTrigger": "trigger"}
_OF_TYPE: dict[str, Any] = {"int": 1, "bool": True, "object": {}, "secureobject": {}, "array": []}


@dataclass(slots=True)
class Document:
    path: Path
    workflows: list[CheckedWorkflow] = field(default_factory=list)
    findings: list[Located] = field(default_factory=list)
    connectors: EveryConnector | None = None

    @property
    def refusals(self) -> list[Located]:
        return [finding for finding in self.findings if finding.code in REFUSALS]

    @property
    def is_loaded(self) -> bool:
        return bool(self.workflows)


def load(path: Path, answers: Answers, now: datetime) -> Document:
    document = Document(path)
    data = path.read_bytes()
    try:
        content = parse(decode(data))
    except JsonSyntax:
        content = None
    parameters = asked_for(content)
    workflows = read_template(content, path.stem, parameters, PLACE, now).workflows if content is not None else []
    document.connectors = connectors_for(workflows, answers)
    checked = check_document(path.stem, data, document.connectors, parameters=parameters, place=PLACE, now=now)
    document.workflows = checked.workflows
    document.findings = [*checked.problems, *(problem for one in checked.workflows for problem in one.problems)]
    return document


def asked_for(content: Any) -> dict[str, Any]:
    """A value for each parameter of the template that has none: the first that is allowed, else one of its type."""
    declared = field_of(content, "parameters") if isinstance(content, dict) else None
    if not isinstance(declared, dict) or field_of(content, "resources") is None:
        return {}
    made: dict[str, Any] = {}
    for name, entry in declared.items():
        if isinstance(entry, dict) and field_of(entry, "defaultValue") is None:
            allowed = field_of(entry, "allowedValues")
            kind = str(field_of(entry, "type", "string")).lower()
            made[name] = allowed[0] if isinstance(allowed, list) and allowed else _OF_TYPE.get(kind, name)
    return made
