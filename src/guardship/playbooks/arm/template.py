"""ARM templates with playbooks in them: their resources are walked, read where they mean something here, and else reported as ignored.

A bare definition, an exported workflow resource and a Standard `workflow.json` are read too. What a template lacks is a problem with
its path; the rest of it is loaded all the same.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.automations import read_automation_rule, read_security_automation
from guardship.playbooks.arm.copies import resource_loop
from guardship.playbooks.arm.evaluate import BARE, Evaluator, Frame
from guardship.playbooks.arm.found import Found, FoundWorkflow
from guardship.playbooks.arm.names import constants
from guardship.playbooks.arm.parameters import VaultSecret, given_values, is_parameter_file
from guardship.playbooks.arm.place import ArmPlace, Deployment
from guardship.playbooks.arm.report import Report
from guardship.playbooks.arm.resources import (
    object_of,
    read_connection,
    read_custom_connector,
    read_role_assignment,
    read_workflow_resource,
    text_in,
)
from guardship.playbooks.arm.secrets import declared_secure
from guardship.playbooks.arm.symbols import Secret, Unknown
from guardship.playbooks.definition import Path

MOST_DEPTH = 40
_RULES = ("microsoft.securityinsights/automationrules", "microsoft.operationalinsights/workspaces/providers/automationrules")
_CARRIERS = ("microsoft.operationalinsights/workspaces/providers/contenttemplates", "microsoft.securityinsights/contenttemplates")
_SPECS = "microsoft.resources/templatespecs/versions"


def read_template(
    document: Any,
    name: str,
    given: Mapping[str, Any],
    place: ArmPlace,
    now: datetime,
    *,
    draw: Callable[[], uuid.UUID] = uuid.uuid4,
) -> Found:
    """`given` are values for the template's parameters, or the content of a parameter file; `name` is for a document without one."""
    report, found, values = Report(), Found(), given_values(given)
    if not isinstance(document, dict):
        report.problem((), "a playbook is a JSON object", "InvalidDefinition")
    elif is_parameter_file(document):
        hint = "import the template, and give it these parameters"
        report.problem((), "these are parameters of a template, not a template", "InvalidDefinition", hint=hint)
    elif isinstance(field_of(document, "resources"), list | dict):
        evaluator = Evaluator(document, (), Deployment(place, now, template=document, draw=draw), constants(values), report)
        evaluator.names.refuse_unknown({given_name.casefold(): given_name for given_name in values})
        reader = _Reader(found, report, name)
        reader.resources(field_of(document, "resources"), ("resources",), evaluator, BARE)
        reader.outputs(document, evaluator)
    else:
        _read_bare(document, name, values, found, report)
    found.problems, found.needs_deployment, found.unusable = report.problems, report.needs_deployment, report.unusable
    return found


def _read_bare(document: dict[str, Any], name: str, values: Mapping[str, Any], found: Found, report: Report) -> None:
    """Documents that are evaluated by nobody: their strings stay as they are."""
    if isinstance(field_of(object_of(document, "properties"), "definition"), dict):
        made = read_workflow_resource(text_in(document, "name", name), document, ("properties",), report)
    elif isinstance(field_of(document, "definition"), dict):
        made = replace(read_workflow_resource(name, {"properties": document}, (), report), kind=text_in(document, "kind"))
    elif field_of(document, "triggers") is not None or field_of(document, "actions") is not None:
        made = FoundWorkflow(name, (), document, {})
    else:
        report.problem((), "there is neither a definition nor a template here", "InvalidDefinition")
        return
    plain = {key: value for key, value in values.items() if not isinstance(value, VaultSecret)}
    parameters = {**made.parameters, **plain}
    found.workflows.append(replace(made, parameters=parameters, secure=declared_secure(made.definition, parameters)))


class _Reader:
    def __init__(self, found: Found, report: Report, name: str) -> None:
        self._found = found
        self._report = report
        self._name = name
        self._depth = 0

    def resources(self, listed: Any, path: Path, evaluator: Evaluator, frame: Frame, parent: tuple[str, str] = ("", "")) -> None:
        """A list, or a map by symbolic name; `parent` is the type and name that children go on from."""
        pairs: list[tuple[int | str, Any]] = []
        if isinstance(listed, list):
            pairs = list(enumerate(listed))
        elif isinstance(listed, dict):
            pairs = list(listed.items())
        for key, resource in pairs:
            place = (*path, key)
            if not isinstance(resource, dict):
                self._report.problem(place, "a resource must be an object", "InvalidTemplate")
                continue
            loop = resource_loop(resource)
            if loop is None:
                self._resource(resource, place, evaluator, frame, parent)
                continue
            for index in range(evaluator.loop_count(loop, (*place, "copy"), frame) or 0):
                self._resource(resource, place, evaluator, frame.inside(loop.name, index), parent)

    def _resource(self, resource: dict[str, Any], path: Path, evaluator: Evaluator, frame: Frame, parent: tuple[str, str]) -> None:
        if field_of(resource, "existing") is True:
            return
        kind, called = self._kind_and_name(resource, path, evaluator, frame, parent)
        condition = evaluator.value(field_of(resource, "condition", True), (*path, "condition"), frame)
        if condition is False:
            self._found.left_out.append(f"{kind} {called}")
        else:
            if condition is not True and not isinstance(condition, Unknown | Secret):
                self._report.problem((*path, "condition"), "a condition must be a boolean", "InvalidTemplate")
            self._read(kind, called, resource, path, evaluator, frame)
        # A condition does not go for the children, as in a deployment.
        self.resources(field_of(resource, "resources"), (*path, "resources"), evaluator, frame, (kind, called))

    def _kind_and_name(
        self, resource: dict[str, Any], path: Path, evaluator: Evaluator, frame: Frame, parent: tuple[str, str]
    ) -> tuple[str, str]:
        kind = text_in(resource, "type")
        written = evaluator.value(field_of(resource, "name"), (*path, "name"), frame)
        called = self._name if written is None or (isinstance(written, Unknown) and written.startswith("[")) else str(written)
        if not kind:
            self._report.problem(path, "a resource must have a type", "InvalidTemplate")
        if not parent[0] or kind.lower().startswith(f"{parent[0].lower()}/") or "." in kind.split("/")[0]:
            return kind, called
        return f"{parent[0]}/{kind}", f"{parent[1]}/{called}"

    def _read(self, kind: str, called: str, resource: dict[str, Any], path: Path, evaluator: Evaluator, frame: Frame) -> None:
        folded = kind.lower()
        if folded == "microsoft.resources/deployments":
            self._nested(called, resource, path, evaluator, frame)
            return
        if folded in _CARRIERS or folded == _SPECS:
            self._carried(kind, called, resource, path, evaluator, frame)
            return
        readers: dict[str, Callable[[dict[str, Any]], None]] = {
            "microsoft.logic/workflows": lambda made: self._workflow(called, made, path),
            "microsoft.web/connections": lambda made: self._found.connections.append(read_connection(called, made)),
            "microsoft.web/customapis": lambda made: self._found.custom_connectors.append(read_custom_connector(called, made)),
            "microsoft.security/automations": lambda made: self._found.automations.append(read_security_automation(called, made)),
        }
        base_path = evaluator.deployment.base_path
        if folded in _RULES:
            readers[folded] = lambda made: self._rule(called, made)
        elif folded == "microsoft.authorization/roleassignments" or folded.endswith("/providers/roleassignments"):
            readers[folded] = lambda made: self._found.role_assignments.append(read_role_assignment(called, kind, made, base_path))
        read = readers.get(folded)
        if read is None:
            self._found.ignored.append(f"{kind} {called}")
            return
        wanted = {key: value for key, value in resource.items() if key.lower() in _WANTED}
        if folded == "microsoft.web/connections":
            wanted["properties"] = _settled_parameters(object_of(resource, "properties"), evaluator)
        read({key: evaluator.value(value, (*path, key), frame) for key, value in wanted.items()})

    def _workflow(self, called: str, made: dict[str, Any], path: Path) -> None:
        key = next((key for key in made if key.lower() == "properties"), "properties")
        if any(one.name.casefold() == called.casefold() for one in self._found.workflows):
            hint = "a copy loop puts copyIndex() into the name"
            self._report.problem((*path, "name"), f"a second workflow is called {called}", "DuplicateResource", hint=hint)
            return
        self._found.workflows.append(read_workflow_resource(called, made, (*path, key), self._report))

    def _rule(self, called: str, made: dict[str, Any]) -> None:
        names = called.split("/")
        scope = text_in(made, "scope") or (names[0] if len(names) > 1 else "")
        self._found.automations.append(read_automation_rule(names[-1], made, scope))

    def _nested(self, called: str, resource: dict[str, Any], path: Path, evaluator: Evaluator, frame: Frame) -> None:
        """Of outer scope, which is the default, the names are those of the template round it; of inner scope they are its own."""
        properties = object_of(resource, "properties")
        inner = field_of(properties, "template")
        where = (*path, "properties", "template")
        if isinstance(inner, str):
            inner = evaluator.value(inner, where, frame)
        if not isinstance(inner, dict):
            linked = object_of(properties, "templateLink")
            link = text_in(linked, "uri") or text_in(linked, "id") or text_in(linked, "relativePath")
            self._found.ignored.append(f"Microsoft.Resources/deployments {called}" + (f" (linked template {link})" if link else ""))
            return
        scope = text_in(object_of(properties, "expressionEvaluationOptions"), "scope", "outer").lower()
        if scope != "inner":
            self._inside(inner, where, evaluator, frame)
            return
        given: dict[str, Callable[[], Any]] = {}
        for name, entry in object_of(properties, "parameters").items():
            if isinstance(entry, dict):
                given[name.casefold()] = _passed(entry, (*path, "properties", "parameters", name), evaluator, frame)
        deployment = replace(evaluator.deployment, name=called, place=_place_of(resource, path, evaluator, frame), template=inner)
        self._inside(inner, where, Evaluator(inner, where, deployment, given, self._report), BARE)

    def _carried(self, kind: str, called: str, resource: dict[str, Any], path: Path, evaluator: Evaluator, frame: Frame) -> None:
        """A template that lies in a resource as data, as the content hub packs them; its own expressions begin with `[[`."""
        where = (*path, "properties", "mainTemplate")
        inner = evaluator.value(field_of(object_of(resource, "properties"), "mainTemplate"), where, frame)
        if not isinstance(inner, dict):
            self._found.ignored.append(f"{kind} {called}")
            return
        deployment = replace(evaluator.deployment, name=called, template=inner)
        self._inside(inner, where, Evaluator(inner, where, deployment, {}, self._report), BARE)

    def _inside(self, inner: dict[str, Any], where: Path, evaluator: Evaluator, frame: Frame) -> None:
        if self._depth >= MOST_DEPTH:
            self._report.problem(where, f"deployments may nest {MOST_DEPTH} deep", "InvalidTemplate")
            return
        self._depth += 1
        self.resources(field_of(inner, "resources"), (*where, "resources"), evaluator, frame)
        self._depth -= 1

    def outputs(self, document: dict[str, Any], evaluator: Evaluator) -> None:
        """What the template would tell; a secure value prints as `***`."""
        for name, entry in object_of(document, "outputs").items():
            path = ("outputs", name)
            if not isinstance(entry, dict) or evaluator.value(field_of(entry, "condition", True), (*path, "condition")) is False:
                continue
            loop = resource_loop(entry)
            if loop is None:
                self._found.outputs[name] = evaluator.value(field_of(entry, "value"), (*path, "value"))
                continue
            body = field_of(field_of(entry, "copy"), "input")
            count = evaluator.loop_count(loop, (*path, "copy"), BARE) or 0
            turns = [BARE.inside(name, index) for index in range(count)]
            self._found.outputs[name] = [evaluator.value(body, (*path, "copy", "input"), turn) for turn in turns]


def _settled_parameters(properties: dict[str, Any], evaluator: Evaluator) -> dict[str, Any]:
    """A connection's own values are given to ours, so nothing is asked for on their account: what is not plain is left empty."""
    made = dict(properties)
    for key, values in properties.items():
        if key.lower().endswith("parametervalues") and isinstance(values, dict):
            made[key] = {name: value if evaluator.is_settled(value) else None for name, value in values.items()}
    return made


_WANTED = {"properties", "identity", "tags", "location", "kind", "scope"}


def _passed(entry: dict[str, Any], path: Path, evaluator: Evaluator, frame: Frame) -> Callable[[], Any]:
    """A value for a nested template, worked out by the template round it when the nested one asks."""
    if "value" not in entry and isinstance(reference := field_of(entry, "reference"), dict):
        vault = VaultSecret(text_in(object_of(reference, "keyVault"), "id"), text_in(reference, "secretName"))
        return lambda: vault
    return lambda: evaluator.value(field_of(entry, "value"), (*path, "value"), frame)


def _place_of(resource: dict[str, Any], path: Path, evaluator: Evaluator, frame: Frame) -> ArmPlace:
    """Where a nested deployment goes; what it does not name is as outside."""
    place = evaluator.deployment.place
    group = evaluator.value(field_of(resource, "resourceGroup"), (*path, "resourceGroup"), frame)
    subscription = evaluator.value(field_of(resource, "subscriptionId"), (*path, "subscriptionId"), frame)
    if isinstance(subscription, str):
        place = replace(place, subscription_id=subscription)
    return replace(place, resource_group=group) if isinstance(group, str) else place
