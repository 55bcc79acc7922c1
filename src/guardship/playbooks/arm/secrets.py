"""Secure values do not stay in a definition: each becomes a parameter of the workflow, which a run is given.

`"password": "[parameters('Key')]"` is kept as `"password": "@parameters('secure_Key')"`, and a default of a parameter as its value.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.parameters import is_secure
from guardship.playbooks.arm.report import Report
from guardship.playbooks.arm.symbols import Secret, revealed, secrets_in
from guardship.playbooks.definition import Path
from guardship.playbooks.expressions.values import json_text


@dataclass(slots=True)
class Lifted:
    definition: Any
    parameters: dict[str, Any]
    secure: set[str] = field(default_factory=set)  # names of parameters


def lift_secrets(definition: Any, parameters: dict[str, Any], path: Path, report: Report) -> Lifted:
    """`path` is where the definition stands; `parameters` are the values the workflow is given."""
    if not report.has_secrets:
        return Lifted(definition, parameters)
    lifted = Lifted(definition, {})
    for name, value in parameters.items():
        if any(secrets_in(value)):
            lifted.secure.add(name)
        lifted.parameters[name] = revealed(value)
    if not any(secrets_in(definition)):
        return lifted
    if isinstance(definition, Secret):
        message = f"the whole definition is the secure value of the parameter '{definition.label}'; it could not be shown to anybody"
        report.problem(path, message, "SecretDefinition", hint="declare the parameter as an object")
        report.unusable.add(path)
        return Lifted({}, lifted.parameters, lifted.secure)
    lifted.definition = _Lifting(lifted, report).document(definition, path)
    return lifted


def declared_secure(definition: Any, names: Iterable[str]) -> frozenset[str]:
    """Those of the parameters that the definition itself declares to be secure."""
    declared = field_of(definition, "parameters") if isinstance(definition, dict) else None
    entries = {name: field_of(declared, name) for name in names} if isinstance(declared, dict) else {}
    return frozenset(name for name, entry in entries.items() if isinstance(entry, dict) and is_secure(entry))


class _Lifting:
    def __init__(self, lifted: Lifted, report: Report) -> None:
        self._lifted = lifted
        self._report = report
        self._names: dict[tuple[str, str], str] = {}  # by label and value

    def document(self, definition: Any, path: Path) -> Any:
        if not isinstance(definition, dict):
            return definition
        made = {name: inner for name, inner in definition.items() if name.lower() != "parameters"}
        made = {name: self._value(inner, (*path, name)) for name, inner in made.items()}
        declared = field_of(definition, "parameters")
        kept = {name: self._declared(name, entry, path) for name, entry in declared.items()} if isinstance(declared, dict) else {}
        added = {name: {"type": _secure_type(self._lifted.parameters[name])} for name in self._names.values()}
        return {**made, "parameters": {**kept, **added}}

    def _declared(self, name: str, entry: Any, path: Path) -> Any:
        if not isinstance(entry, dict) or not any(secrets_in(entry)):
            return entry
        default = field_of(entry, "defaultValue")
        if field_of(self._lifted.parameters, name) is None:
            self._lifted.parameters[name] = revealed(default)
            self._lifted.secure.add(name)
        return {key: self._value(inner, (*path, "parameters", name, key)) for key, inner in entry.items() if key.lower() != "defaultvalue"}

    def _value(self, value: Any, path: Path) -> Any:
        if isinstance(value, Secret):
            return self._reference(value, path)
        if isinstance(value, list):
            return [self._value(inner, (*path, index)) for index, inner in enumerate(value)]
        if isinstance(value, dict):
            return {name: self._value(inner, (*path, name)) for name, inner in value.items()}
        return value

    def _reference(self, secret: Secret, path: Path) -> str:
        if secret.is_derived and isinstance(secret.value, str) and secret.value.startswith("@"):
            message = f"the secure parameter '{secret.label}' is built into the text of an expression"
            hint = "give it to the workflow as a parameter and write @parameters('…') there"
            self._report.problem(path, message, "SecretInExpression", hint=hint)
        key = (secret.label, json_text(secret.value))
        if key not in self._names:
            name, number = f"secure_{secret.label}", 1
            while name in self._lifted.parameters:
                number += 1
                name = f"secure_{secret.label}_{number}"
            self._names[key] = name
            self._lifted.parameters[name] = secret.value
            self._lifted.secure.add(name)
        return "@parameters('" + self._names[key].replace("'", "''") + "')"


def _secure_type(value: Any) -> str:
    return "SecureObject" if isinstance(value, dict | list) else "SecureString"
