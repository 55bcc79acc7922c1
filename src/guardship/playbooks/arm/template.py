"""ARM templates with playbooks in them: workflows and connections are read, the rest is reported as ignored, by type and name.

A bare definition, an exported workflow resource and a Standard `workflow.json` are read too. What a template lacks is a problem with
its path; the rest of it is loaded all the same.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from guardship.clock import iso
from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.functions import NEEDS_DEPLOYMENT, PURE, ArmPlace, joined_id
from guardship.playbooks.definition import Path, Problem
from guardship.playbooks.expressions.evaluate import look_up
from guardship.playbooks.expressions.parser import parse_expression
from guardship.playbooks.expressions.syntax import Access, Call, ExpressionSyntax, Literal, Node
from guardship.playbooks.expressions.values import EvaluationFailed, Value

WORKFLOW = "microsoft.logic/workflows"
CONNECTION = "microsoft.web/connections"
MOST_DEPTH = 40


@dataclass(frozen=True, slots=True)
class FoundWorkflow:
    name: str
    path: Path  # of the definition in the document
    definition: Any
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FoundConnection:
    name: str
    connector: str
    display_name: str


@dataclass(slots=True)
class Found:
    workflows: list[FoundWorkflow] = field(default_factory=list)
    connections: list[FoundConnection] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_template(document: Any, name: str, given: Mapping[str, Any], place: ArmPlace, now: datetime) -> Found:
    """`given` are values for the template's parameters; `name` is for a document that does not name its playbook."""
    found = Found()
    if not isinstance(document, dict):
        found.problems.append(Problem((), "a playbook is a JSON object", "InvalidDefinition"))
    elif isinstance(field_of(document, "resources"), list | dict):
        _Template(document, given, place, now, found).read(name)
    elif (properties := field_of(document, "properties")) is not None and isinstance(field_of(properties, "definition"), dict):
        found.workflows.append(_from_properties(str(field_of(document, "name", name)), properties, ("properties",)))
    elif isinstance(field_of(document, "definition"), dict):
        found.workflows.append(_from_properties(name, document, ()))
    elif field_of(document, "triggers") is not None or field_of(document, "actions") is not None:
        found.workflows.append(FoundWorkflow(name, (), document, {}))
    else:
        found.problems.append(Problem((), "there is neither a definition nor a template here", "InvalidDefinition"))
    return found


def _from_properties(name: str, properties: dict[str, Any], path: Path) -> FoundWorkflow:
    parameters = field_of(properties, "parameters")
    values = (
        {key: field_of(entry, "value") for key, entry in parameters.items() if isinstance(entry, dict)}
        if isinstance(parameters, dict)
        else {}
    )
    return FoundWorkflow(name, (*path, "definition"), field_of(properties, "definition"), values)


class _Template:
    def __init__(self, document: dict[str, Any], given: Mapping[str, Any], place: ArmPlace, now: datetime, found: Found) -> None:
        self._document = document
        self._given = {name.casefold(): value for name, value in given.items()}
        self._place = place
        self._now = now
        self._found = found
        self._variables: dict[str, Value] = {}
        self._depth = 0

    def read(self, name: str) -> None:
        self._read_resources(field_of(self._document, "resources"), ("resources",), name)

    def _read_resources(self, resources: Any, path: Path, name: str) -> None:
        listed = (
            list(enumerate(resources)) if isinstance(resources, list) else list(resources.items()) if isinstance(resources, dict) else []
        )
        for key, resource in listed:
            if isinstance(resource, dict):
                self._read_resource(resource, (*path, key), name)

    def _read_resource(self, resource: dict[str, Any], path: Path, name: str) -> None:
        kind = str(field_of(resource, "type", ""))
        called = self.evaluate(field_of(resource, "name", name), (*path, "name"))
        match kind.lower():
            case "microsoft.logic/workflows":
                made = self.evaluate(field_of(resource, "properties", {}), (*path, "properties"))
                if isinstance(made, dict):
                    self._found.workflows.append(_from_properties(str(called or name), made, (*path, "properties")))
            case "microsoft.web/connections":
                properties = field_of(resource, "properties", {})  # not its parameterValues: secrets are given to our own connections
                api = self.evaluate(field_of(properties, "api", {}), (*path, "properties", "api"))
                written = str(field_of(api, "id", "")) if isinstance(api, dict) else ""
                shown = str(self.evaluate(field_of(properties, "displayName", called), (*path, "properties", "displayName")))
                self._found.connections.append(FoundConnection(str(called), written.rsplit("/", 1)[-1].lower(), shown))
            case "microsoft.resources/deployments":
                self._read_nested(resource, path, name)
            case _:
                self._found.ignored.append(f"{kind} {called}")
        self._read_resources(field_of(resource, "resources", []), (*path, "resources"), name)

    def _read_nested(self, resource: dict[str, Any], path: Path, name: str) -> None:
        properties = field_of(resource, "properties")
        inner = field_of(properties, "template") if isinstance(properties, dict) else None
        if isinstance(inner, dict):
            self._read_resources(field_of(inner, "resources", []), (*path, "properties", "template", "resources"), name)
        else:
            self._found.ignored.append(f"Microsoft.Resources/deployments {field_of(resource, 'name', '')}")

    # ---- expressions

    def evaluate(self, value: Any, path: Path) -> Any:
        """The value with every `[…]` worked out; what fails is reported and stays as it is written."""
        if isinstance(value, str):
            return self._string(value, path) if value.startswith("[") else value
        if isinstance(value, list):
            return [self.evaluate(inner, (*path, index)) for index, inner in enumerate(value)]
        if isinstance(value, dict):
            return {str(self.evaluate(name, path)): self.evaluate(inner, (*path, name)) for name, inner in value.items()}
        return value

    def _string(self, text: str, path: Path) -> Any:
        if text.startswith("[["):
            return text[1:]
        if not text.rstrip().endswith("]"):
            return text
        try:
            return self._node(parse_expression(text.rstrip()[1:-1], is_arm=True))
        except ExpressionSyntax as error:
            span = error.span
            start = (span.start if span else 0) + 1
            self._found.problems.append(Problem(path, error.message, "InvalidExpression", error.hint, start, start + 1))
        except EvaluationFailed as error:
            self._found.problems.append(Problem(path, error.message, "InvalidTemplate", error.hint))
        return text  # as it stands, so that one thing that is missing is one problem

    def _node(self, node: Node) -> Value:
        match node:
            case Literal():
                return node.value
            case Access():
                return look_up(self._node(node.target), self._node(node.key), node.is_optional)
            case Call():
                return self._call(node)

    def _call(self, node: Call) -> Value:
        name = node.name.lower()
        if name == "if" and len(node.arguments) == 3:
            return self._node(node.arguments[1 if self._node(node.arguments[0]) is True else 2])
        arguments = tuple(self._node(argument) for argument in node.arguments)
        perform = PURE.get(name)
        if perform is not None:
            try:
                return perform(*arguments)
            except (TypeError, IndexError, KeyError) as error:
                raise EvaluationFailed(f"The template function '{node.name}' was not given what it needs: {error}.") from error
        return self._placed(node.name, arguments)

    def _placed(self, name: str, arguments: tuple[Value, ...]) -> Value:
        """Functions that tell of the template itself or of where it is deployed."""
        place = self._place
        first = str(arguments[0]) if arguments else ""
        match name.lower():
            case "parameters":
                return self._parameter(first)
            case "variables":
                return self._variable(first)
            case "resourceid":
                return joined_id(place.group_path, arguments)
            case "subscriptionresourceid":
                return joined_id(place.subscription_path, arguments)
            case "tenantresourceid":
                return joined_id("", arguments)
            case "extensionresourceid":
                return joined_id(first, arguments[1:])
            case "resourcegroup":
                return {"id": place.group_path, "name": place.resource_group, "location": place.location, "tags": {}}
            case "subscription":
                return {
                    "id": place.subscription_path,
                    "subscriptionId": place.subscription_id,
                    "tenantId": place.tenant_id,
                    "displayName": "lab",
                }
            case "tenant":
                return {"tenantId": place.tenant_id}
            case "deployment":
                return {"name": "guardship", "properties": {"templateLink": {"uri": ""}}}
            case "environment":
                return {
                    "name": "AzureCloud",
                    "resourceManager": "https://management.azure.com/",
                    "authentication": {"loginEndpoint": "https://login.microsoftonline.com/"},
                }
            case "newguid":
                return str(uuid.uuid4())
            case "utcnow":
                return iso(self._now)
            case "providers":
                return {"namespace": first, "resourceTypes": []}
            case folded if folded in NEEDS_DEPLOYMENT:
                raise EvaluationFailed(f"'{name}' is known only after a deployment, so its value is left empty.")
            case _:
                raise EvaluationFailed(f"The template function '{name}' is not known.")

    def _parameter(self, name: str) -> Value:
        folded = name.casefold()
        if folded in self._given:
            return self._given[folded]  # type: ignore[no-any-return]  # JSON
        declared = field_of(field_of(self._document, "parameters", {}), name)
        if not isinstance(declared, dict):
            raise EvaluationFailed(f"The template has no parameter called '{name}'.")
        if "defaultValue" not in declared:
            raise EvaluationFailed(f"The template parameter '{name}' has neither a value nor a default; give it one.")
        return self._nested(declared["defaultValue"], ("parameters", name, "defaultValue"))

    def _variable(self, name: str) -> Value:
        folded = name.casefold()
        if folded not in self._variables:
            declared = field_of(self._document, "variables", {})
            known = {key.casefold(): key for key in declared} if isinstance(declared, dict) else {}
            if folded not in known:
                raise EvaluationFailed(f"The template has no variable called '{name}'.")
            self._variables[folded] = self._nested(declared[known[folded]], ("variables", known[folded]))
        return self._variables[folded]

    def _nested(self, value: Any, path: Path) -> Value:
        if self._depth > MOST_DEPTH:
            raise EvaluationFailed("The template's parameters and variables refer to each other in a circle.")
        self._depth += 1
        try:
            made: Value = self.evaluate(value, path)
            return made
        finally:
            self._depth -= 1
