"""A definition as JSON becomes a `Workflow`, with every problem named: the structure, runAfter, references, what is hidden.

Names, action types and statuses ignore case; the spelling of the definition is kept for what is shown.
"""

from collections.abc import Mapping
from typing import Any

from guardship.playbooks.actions.kinds import CONTAINERS, kind_called, nearest_kind, read_deed, refusal_of
from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.definition import (
    Action,
    Block,
    ConnectionUse,
    Group,
    Path,
    Predecessor,
    Problem,
    Workflow,
    call_of,
    key_of,
)
from guardship.playbooks.expressions.evaluate import Evaluate
from guardship.playbooks.expressions.values import Value
from guardship.playbooks.references import check_references, hidden_actions
from guardship.playbooks.triggers import read_triggers

ARTIFACTS = "$artifacts"  # {"maps": {name: text}, "schemas": {name: text}}: came with the playbook, kept with its parameters
MOST_ACTIONS = 500
_SECURE_TYPES = ("securestring", "secureobject")
MOST_DEPTH = 50  # published are 8; real playbooks go to 9 and run
_STATUSES = {status.lower(): status for status in ("Succeeded", "Failed", "Skipped", "TimedOut")}


def read_connections(value: Any) -> dict[str, ConnectionUse]:
    """`$connections`: local key -> the connector, which the last part of the entry's `id` names."""
    uses: dict[str, ConnectionUse] = {}
    for key, entry in value.items() if isinstance(value, dict) else ():
        if isinstance(entry, dict):
            api = field_of(entry, "api")
            written = field_of(entry, "id") or (field_of(api, "id") if isinstance(api, dict) else None) or key
            uses[key] = ConnectionUse(key, str(written).rstrip("/").rsplit("/", 1)[-1].lower(), entry)
    return uses


def read_workflow(
    name: str, definition: Any, parameters: Mapping[str, Value], connectors: ConnectorSet, *, address: str = ""
) -> tuple[Workflow, list[Problem]]:
    """The workflow, to be run only when the list of problems is empty."""
    connections = read_connections(field_of(parameters, "$connections"))
    results = field_of(definition, "staticResults", {}) if isinstance(definition, dict) else {}
    artifacts = field_of(parameters, ARTIFACTS)
    reading = Reading(
        connectors,
        connections,
        static_results=results if isinstance(results, dict) else {},
        artifacts=artifacts if isinstance(artifacts, dict) else {},
    )
    document = reading.object(definition, (), what="a definition")
    structure = _Structure(reading)
    root = structure.block(field_of(document, "actions", {}), ("actions",), "", "", None, (), 1)
    triggers = read_triggers(field_of(document, "triggers", {}), reading)
    given = _parameters(document, parameters, reading)
    given["$connections"] = _connections_value(connections, structure.actions)
    outputs = {key: field_of(entry, "value") for key, entry in _entries(field_of(document, "outputs"))}
    workflow = Workflow(
        name=name,
        root=root,
        actions=structure.actions,
        blocks=structure.blocks,
        triggers=triggers,
        parameters=given,
        variables=structure.variables,
        has_response=any(action.kind == "Response" for action in structure.actions.values()),
        outputs=reading.tree(outputs, ("outputs",)) if outputs else None,
        secure_parameters=_secure_parameters(document),
        connections=connections,
        address=address.rstrip("/"),
    )
    check_references(workflow, reading)
    if len(structure.actions) > MOST_ACTIONS:
        reading.problem(
            ("actions",), f"a playbook may have {MOST_ACTIONS} actions, this one has {len(structure.actions)}", "TooManyActions"
        )
    return hidden_actions(workflow, reading), reading.problems


def _entries(document: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(key, entry) for key, entry in document.items() if isinstance(entry, dict)] if isinstance(document, dict) else []


def _parameters(document: dict[str, Any], given: Mapping[str, Value], reading: Reading) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, entry in _entries(field_of(document, "parameters", {})):
        value = field_of(given, name, field_of(entry, "defaultValue"))
        if value is None and name.casefold() != "$connections" and "defaultValue" not in entry and name not in given:
            reading.problem(("parameters", name), f"the parameter {name} has neither a value nor a default", "MissingParameter")
        values[name.casefold()] = value
    return values


def _secure_parameters(document: dict[str, Any]) -> frozenset[str]:
    listed = _entries(field_of(document, "parameters", {}))
    return frozenset(name.casefold() for name, entry in listed if str(field_of(entry, "type", "")).lower() in _SECURE_TYPES)


def _connections_value(connections: Mapping[str, ConnectionUse], actions: Mapping[str, Action]) -> dict[str, Any]:
    """What `parameters('$connections')` gives: the entries as written, and a plain one for every key that is used without an entry."""
    value: dict[str, Any] = {key: dict(use.entry) for key, use in connections.items()}
    for action in actions.values():
        call = call_of(action.deed)
        key = call.connection_key if call is not None else None
        if key is not None and key not in value:
            value[key] = {"connectionId": key, "connectionName": key, "id": key}
    return value


class _Structure:
    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.actions: dict[str, Action] = {}
        self.blocks: dict[str, Block] = {}
        self.variables: dict[str, str] = {}

    def block(self, document: Any, path: Path, block_id: str, label: str, owner: str | None, loops: tuple[str, ...], depth: int) -> Block:
        listed = self.reading.object(document if document is not None else {}, path, what="a set of actions")
        if depth > MOST_DEPTH:
            self.reading.problem(path, f"actions may nest {MOST_DEPTH} deep", "TooDeep")
        names = {name.casefold(): name for name in listed}
        made = [
            action
            for name, inner in listed.items()
            if (action := self._action(name, inner, (*path, name), names, owner, loops, depth)) is not None
        ]
        self._check_cycles(made, path)
        block = _linked(block_id, owner, label, made)
        for action in made:
            self.blocks[action.name] = block
        return block

    def _action(
        self, name: str, document: Any, path: Path, names: Mapping[str, str], owner: str | None, loops: tuple[str, ...], depth: int
    ) -> Action | None:
        reading = self.reading
        given = reading.object(document, path, what="an action")
        if name.casefold() in self.actions:
            reading.problem(path, f"there are two actions called {name}", "DuplicateAction")
            return None
        run_after = self._run_after(given, path, names)
        reading.action = name
        written = field_of(given, "type")
        kind = kind_called(written)
        if kind is None:
            _refuse_kind(written, (*path, "type"), reading)
            reading.refused.add(name.casefold())
            self.block(field_of(given, "actions"), (*path, "actions"), name, "", name, loops, depth + 1)
            return None
        deed = read_deed(kind, given, path, reading, is_nested=bool(loops))
        timeout = _timeout(given, path, reading) if kind != "Until" else None
        secure = _secure(given)
        hides = ("inputs" in secure, "outputs" in secure)
        tracked = _tracked(given, path, reading) if not secure else None  # what is hidden is not tracked in the open
        placeholder = Action(name, key_of(name), kind, deed or Group(), run_after, (), loops, owner, timeout, *hides, tracked)
        self.actions[name.casefold()] = placeholder
        if kind == "InitializeVariable":
            self._declare(given, path, owner)
        reading.action = None
        if kind not in CONTAINERS:
            return placeholder
        inside = (*loops, name) if kind in ("Foreach", "Until") else loops
        action = Action(
            name, key_of(name), kind, deed or Group(), run_after, self._inner(kind, name, given, path, inside, depth), loops, owner, timeout
        )
        self.actions[name.casefold()] = action
        return action

    def _inner(self, kind: str, name: str, document: dict[str, Any], path: Path, loops: tuple[str, ...], depth: int) -> tuple[Block, ...]:
        def inner(inside: Any, place: Path, label: str) -> Block:
            return self.block(inside, place, f"{name}:{label}", label, name, loops, depth + 1)

        blocks: list[Block] = []
        if kind != "Switch":
            blocks.append(inner(field_of(document, "actions"), (*path, "actions"), "actions"))
        if kind == "If":
            otherwise = field_of(document, "else")
            blocks.append(
                inner(field_of(otherwise, "actions") if isinstance(otherwise, dict) else None, (*path, "else", "actions"), "else")
            )
        if kind == "Switch":
            for case, given in _entries(field_of(document, "cases", {})):
                blocks.append(inner(field_of(given, "actions"), (*path, "cases", case, "actions"), f"case {case}"))
            default = field_of(document, "default")
            blocks.append(
                inner(field_of(default, "actions") if isinstance(default, dict) else None, (*path, "default", "actions"), "default")
            )
        return tuple(blocks)

    def _run_after(self, document: dict[str, Any], path: Path, names: Mapping[str, str]) -> tuple[Predecessor, ...]:
        place = (*path, "runAfter")
        given = self.reading.object(field_of(document, "runAfter") or {}, place, what="runAfter")
        made = []
        for written, statuses in given.items():
            known = names.get(written.casefold())
            if known is None:
                self.reading.problem((*place, written), f"runAfter names {written}, which is not beside this action", "UnknownAction")
                continue
            listed = [str(status).lower() for status in statuses] if isinstance(statuses, list) else []
            wrong = [status for status in listed if status not in _STATUSES]
            if wrong or not listed:
                self.reading.problem(
                    (*place, written),
                    f"runAfter lists {wrong or 'no status'}",
                    "InvalidRunAfter",
                    hint=f"statuses are {', '.join(_STATUSES.values())}",
                )
            made.append(Predecessor(known, key_of(known), frozenset(_STATUSES[status] for status in listed if status in _STATUSES)))
        return tuple(made)

    def _check_cycles(self, actions: list[Action], path: Path) -> None:
        """Take away what is ready until nothing is left; what stays runs after itself."""
        waiting = {action.name: {before.name for before in action.run_after} for action in actions}
        while ready := [name for name, before in waiting.items() if not before & waiting.keys()]:
            for name in ready:
                del waiting[name]
        if waiting:
            names = ", ".join(waiting)
            self.reading.problem(
                (*path, next(iter(waiting)), "runAfter"), f"these actions run after each other in a circle: {names}", "CyclicRunAfter"
            )

    def _declare(self, document: dict[str, Any], path: Path, owner: str | None) -> None:
        if owner is not None:
            self.reading.problem(path, "InitializeVariable stands at top level only", "InvalidDefinition")
        inputs = field_of(document, "inputs")
        listed = field_of(inputs, "variables") if isinstance(inputs, dict) else None
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict):
                name = str(field_of(entry, "name", ""))
                if name.casefold() in {known.casefold() for known in self.variables}:
                    self.reading.problem(path, f"the variable {name} is declared twice", "DuplicateVariable")
                self.variables[name] = str(field_of(entry, "type", "")).lower()


def _linked(block_id: str, owner: str | None, label: str, actions: list[Action]) -> Block:
    after: dict[str, list[Action]] = {action.name: [] for action in actions}
    for action in actions:
        for before in action.run_after:
            if before.name in after:
                after[before.name].append(action)
    leaves = tuple(action for action in actions if not after[action.name])
    return Block(block_id, owner, label, tuple(actions), {name: tuple(found) for name, found in after.items()}, leaves)


def _refuse_kind(written: Any, path: Path, reading: Reading) -> None:
    refusal = refusal_of(written) if isinstance(written, str) else None
    if refusal is not None:
        reading.problem(path, f"the action type {refusal[0]} cannot run here", "UnsupportedAction", hint=refusal[1])
        return
    nearest = nearest_kind(written) if isinstance(written, str) else None
    what = f"the action type {written} is not supported" if written else "the action has no type"
    reading.problem(path, what, "UnsupportedAction", hint=f"did you mean {nearest}?" if nearest else None)


def _timeout(document: dict[str, Any], path: Path, reading: Reading) -> float | None:
    limit = field_of(document, "limit")
    return reading.duration(field_of(limit, "timeout"), (*path, "limit", "timeout")) if isinstance(limit, dict) else None


def _tracked(document: dict[str, Any], path: Path, reading: Reading) -> Evaluate | None:
    tracked = field_of(document, "trackedProperties")
    return reading.tree(tracked, (*path, "trackedProperties")) if isinstance(tracked, dict) and tracked else None


def _secure(document: dict[str, Any]) -> set[str]:
    runtime = field_of(document, "runtimeConfiguration")
    secure = field_of(runtime, "secureData") if isinstance(runtime, dict) else None
    listed = field_of(secure, "properties") if isinstance(secure, dict) else None
    return {str(name).lower() for name in listed} if isinstance(listed, list) else set()
