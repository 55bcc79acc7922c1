"""What the names in a template stand for: its parameters, its variables, its own functions. Worked out when first asked for, once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.copies import Loop
from guardship.playbooks.arm.parameters import VaultSecret, is_secure, wrong_value
from guardship.playbooks.arm.report import Report
from guardship.playbooks.arm.symbols import ArmFailed, Secret, Unknown, revealed, secrets_in
from guardship.playbooks.definition import Path, Problem
from guardship.playbooks.expressions.values import Value

ValueAt = Callable[[Any, Path], Value]
Given = Mapping[str, Callable[[], Any]]  # by folded name; an outer template's values are worked out when they are asked for


@dataclass(frozen=True, slots=True)
class OwnFunction:
    """A member of `functions: [{"namespace": "contoso", "members": {"name": {"parameters": […], "output": {…}}}}]`."""

    name: str
    path: Path
    parameters: dict[str, dict[str, Any]]  # declarations by name, in their order
    output: Mapping[str, Any]


def constants(values: Mapping[str, Any]) -> Given:
    """Values that are known already."""
    return {name.casefold(): partial(_itself, value) for name, value in values.items()}


def _itself(value: Any) -> Any:
    return value


class Names:
    def __init__(self, document: Mapping[str, Any], path: Path, given: Given, report: Report, value_at: ValueAt) -> None:
        self._path = path
        self._given = given
        self._report = report
        self._value_at = value_at
        self._declared = _entries(field_of(document, "parameters"))
        self._definitions = _entries(field_of(document, "definitions"))
        self._variables = _variables(field_of(document, "variables"))
        self._known: dict[tuple[str, str], Any] = {}
        self._under_way: set[tuple[str, str]] = set()
        self.functions = _functions(field_of(document, "functions"), (*path, "functions"))

    def refuse_unknown(self, names: Mapping[str, str]) -> None:
        """Values for parameters that the template does not have; `names` are spelled as they were given."""
        for folded, spelled in names.items():
            if folded not in self._declared:
                close = get_close_matches(spelled, [name for name, _ in self._declared.values()], n=1, cutoff=0.6)
                hint = f"did you mean {close[0]}?" if close else "take its value away"
                self._report.problem(
                    (*self._path, "parameters"), f"the template has no parameter called '{spelled}'", "UnknownParameter", hint=hint
                )

    def has_value(self, name: str) -> bool:
        """Whether a parameter has a value that may be shown."""
        _, declared = self._declared.get(name.casefold(), ("", {}))
        return not is_secure(self._resolved(declared)) and (name.casefold() in self._given or "defaultValue" in declared)

    def parameter(self, name: str) -> Any:
        folded = name.casefold()
        if folded not in self._declared:
            raise _missing("parameter", name, [spelled for spelled, _ in self._declared.values()])
        return self._once("parameter", folded, lambda: self._parameter(folded))

    def variable(self, name: str) -> Any:
        folded = name.casefold()
        if folded not in self._variables:
            raise _missing("variable", name, [spelled for spelled, _ in self._variables.values()])
        spelled, held = self._variables[folded]
        return self._once("variable", folded, lambda: self._variable(spelled, held))

    def _once(self, what: str, folded: str, make: Callable[[], Any]) -> Any:
        key = (what, folded)
        if key in self._known:
            return self._known[key]
        if key in self._under_way:
            raise ArmFailed(f"The template's {what} '{folded}' refers to itself, in a circle.", "CyclicTemplate")
        self._under_way.add(key)
        try:
            made = self._known[key] = make()
        finally:
            self._under_way.discard(key)
        return made

    def _parameter(self, folded: str) -> Any:
        spelled, written = self._declared[folded]
        declared = self._resolved(written)
        place: Path = (*self._path, "parameters", spelled)
        if folded in self._given:
            value = self._given[folded]()
        elif "defaultValue" in declared:
            place = (*place, "defaultValue")
            value = self._value_at(declared["defaultValue"], place)
        elif field_of(declared, "nullable") is True:
            return None
        else:
            return self._asked_for(spelled, declared, place, None)
        if isinstance(value, VaultSecret):
            return self._asked_for(spelled, declared, place, value)
        if isinstance(value, Unknown):
            return value
        wrong = wrong_value(revealed(value), declared, is_hidden=any(secrets_in(value)))
        if wrong is not None:
            self._report.problem(place, f"the value of the template parameter '{spelled}' does not fit: {wrong}", "InvalidParameter")
        if not is_secure(declared):
            return value
        self._report.has_secrets = True
        return Secret.of(revealed(value), spelled, is_derived=isinstance(value, Secret) and value.is_derived)

    def _asked_for(self, spelled: str, declared: Mapping[str, Any], place: Path, vault: VaultSecret | None) -> Unknown:
        message = f"the template parameter '{spelled}' has neither a value nor a default"
        hint = "give it a value"
        if vault is not None:
            message = f"the value of the template parameter '{spelled}' lies in a key vault"
            hint = f"give the value of the secret {vault.secret_name} of {vault.vault_id}"
        metadata = field_of(declared, "metadata")
        description = field_of(metadata, "description") if isinstance(metadata, dict) else None
        if isinstance(description, str) and description and vault is None:
            hint = f"{hint}: {description[:200]}"
        self._report.problem(place, message, "MissingParameter", hint=hint)
        return Unknown.of(f"parameters('{spelled}')", is_deferred=False)

    def _variable(self, spelled: str, held: "_Variable") -> Any:
        return self._value_at(held.value, (*self._path, *held.path))

    def _resolved(self, declared: Mapping[str, Any], depth: int = 0) -> Mapping[str, Any]:
        """`{"$ref": "#/definitions/name"}` with what it refers to filled in."""
        reference = declared.get("$ref")
        if not isinstance(reference, str) or depth > 10:
            return declared
        known = self._definitions.get(reference.rpartition("/")[2].casefold())
        return declared if known is None else {**self._resolved(known[1], depth + 1), **declared}


@dataclass(frozen=True, slots=True)
class _Variable:
    value: Any
    path: Path


def _missing(what: str, name: str, known: list[str]) -> ArmFailed:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else f"declare it under {what}s"
    return ArmFailed(f"The template has no {what} called '{name}'.", f"Unknown{what.capitalize()}", hint=hint)


def _entries(document: Any) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """By folded name, with the name as it is spelled; of names that differ in case alone the last counts."""
    if not isinstance(document, dict):
        return {}
    return {name.casefold(): (name, entry) for name, entry in document.items() if isinstance(entry, dict)}


def _variables(document: Any) -> dict[str, tuple[str, _Variable]]:
    """`copy` at the top makes one variable a loop."""
    if not isinstance(document, dict):
        return {}
    made = {name.casefold(): (name, _Variable(value, ("variables", name))) for name, value in document.items()}
    loops = document.get("copy")
    for index, loop in enumerate(loops if isinstance(loops, list) else ()):
        if isinstance(loop, dict) and isinstance(name := field_of(loop, "name"), str):
            body = Loop(name, field_of(loop, "count"), field_of(loop, "input"), (index,))
            made[name.casefold()] = (name, _Variable(body, ("variables",)))
    return made


def _functions(document: Any, path: Path) -> dict[str, OwnFunction]:
    found: dict[str, OwnFunction] = {}
    for index, group in enumerate(document if isinstance(document, list) else ()):
        members = field_of(group, "members") if isinstance(group, dict) else None
        for name, member in members.items() if isinstance(members, dict) else ():
            output = field_of(member, "output") if isinstance(member, dict) else None
            if isinstance(output, dict):
                listed = field_of(member, "parameters")
                called = f"{field_of(group, 'namespace', '')}.{name}"
                entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
                parameters = {str(field_of(entry, "name", "")): entry for entry in entries}
                found[called.casefold()] = OwnFunction(called, (*path, index, "members", name), parameters, output)
    return found


def told_as(problem: ArmFailed, path: Path) -> Problem:
    """The problem of a string whose expression begins after its `[`."""
    start = problem.start + 1 if problem.end else 0
    return Problem(path, problem.message, problem.code, problem.hint, start, problem.end + 1 if problem.end else 0)
