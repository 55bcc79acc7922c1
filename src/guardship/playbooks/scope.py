"""What the names in an expression mean inside a run: at an action, in an iteration of the loops round it."""

import hashlib
from typing import Any

from guardship.clock import azure_time, from_micros
from guardship.playbooks.definition import Workflow
from guardship.playbooks.expressions.times import EPOCH_TICKS
from guardship.playbooks.expressions.values import EvaluationFailed, Value
from guardship.playbooks.state import Frame, Record, RunState


class RunScope:
    __slots__ = ("_at", "_callback", "_drawn", "_frame", "_key", "_seed", "_state", "_workflow")

    def __init__(
        self, workflow: Workflow, state: RunState, frame: Frame, key: str, at: int, seed: bytes, callback: str | None = None
    ) -> None:
        self._workflow = workflow
        self._state = state
        self._frame = frame
        self._key = key
        self._at = at
        self._seed = seed
        self._callback = callback
        self._drawn = 0

    def parameter(self, name: str) -> Value:
        folded = name.casefold()
        if folded not in self._workflow.parameters:
            raise EvaluationFailed(f"The parameter '{name}' is not defined.")
        return self._workflow.parameters[folded]

    def variable(self, name: str) -> Value:
        folded = name.casefold()
        if folded in self._state.variables:
            return self._state.variables[folded]
        raise EvaluationFailed(f"The variable '{name}' is not initialized.")

    def trigger(self) -> dict[str, Any]:
        held = self._state.trigger
        return {**held, "startTime": _shown(held.get("startTime")), "status": "Succeeded"}

    def trigger_outputs(self) -> Value:
        outputs: Value = self._state.trigger.get("outputs")
        return outputs

    def action(self, name: str | None) -> dict[str, Any]:
        key = self._key if name is None else self._key_of(name)
        record = self._state.records.get(key)
        if record is None:
            raise EvaluationFailed(f"The action '{name or key}' has not run yet, so nothing is known of it.")
        return described(name or key, record)

    def outputs(self, name: str) -> Value:
        record = self._state.records.get(self._key_of(name))
        if record is None or not record.has_ended:
            raise EvaluationFailed(f"The action '{name}' has not run yet, so it has no outputs.")
        return record.outputs

    def item(self) -> Value:
        frame: Frame | None = self._frame
        while frame is not None and frame.container_key:
            items = self._state.containers[frame.container_key].items
            if items is not None:
                return items[frame.index]  # type: ignore[no-any-return]  # JSON
            frame = frame.parent
        raise EvaluationFailed("The template function 'item' is used outside of a loop.")

    def items(self, loop: str) -> Value:
        frame = self._loop_frame(loop)
        items = self._state.containers[frame.container_key].items if frame is not None else None
        if frame is None or items is None:
            raise EvaluationFailed(f"The loop '{loop}' is not around this action.")
        return items[frame.index]  # type: ignore[no-any-return]  # JSON

    def iteration_index(self, loop: str) -> int:
        frame = self._loop_frame(loop)
        if frame is not None:
            return frame.index
        key = self._key_of(loop)
        if key in self._state.containers:
            return self._state.containers[key].iteration
        raise EvaluationFailed(f"The loop '{loop}' is not around this action.")

    def result(self, scope: str) -> list[Any]:
        """The first-level actions of a scope or loop that has ended."""
        owner = self._workflow.action(scope)
        key = self._key_of(scope)
        record = self._state.records.get(key)
        if owner is None or record is None or not record.has_ended:
            raise EvaluationFailed(f"The scope '{scope}' has not ended, so it has no result.")
        container = self._state.containers.get(key)
        told = []
        for prefix in self._prefixes(owner.kind, key):
            for block in owner.blocks:
                if container is not None and container.branch not in (None, block.label):
                    continue
                for action in block.actions:
                    inner = self._state.records.get(prefix + action.key)
                    if inner is not None:
                        told.append(described(action.name, inner))
        return told

    def _prefixes(self, kind: str, key: str) -> list[str]:
        container = self._state.containers.get(key)
        if kind == "Foreach" and container is not None:
            return [f"{key}[{index}]/" for index in range(container.count)]
        if kind == "Until" and container is not None:
            return [f"{key}[{container.iteration}]/"]
        return [self._state.frame_of(key).prefix]

    def workflow(self) -> dict[str, Any]:
        name, run_id = self._workflow.name, self._state.run_id
        path = f"/workflows/{name}"
        return {
            "id": path,
            "name": name,
            "type": "Microsoft.Logic/workflows",
            "location": "local",
            "tags": {},
            "run": {"id": f"{path}/runs/{run_id}", "name": run_id, "type": "Microsoft.Logic/workflows/runs"},
        }

    def callback_url(self) -> str:
        if self._callback is not None:
            return self._callback
        raise EvaluationFailed("The template function 'listCallbackUrl' has no address to give to this action.")

    def now_ticks(self) -> int:
        return self._at * 10 + EPOCH_TICKS

    def random_bytes(self, count: int) -> bytes:
        """From the stored seed, so that the same step draws the same again."""
        self._drawn += 1
        return hashlib.sha256(self._seed + f"{self._key}/{self._drawn}".encode()).digest()[:count]

    def _loop_frame(self, loop: str) -> Frame | None:
        folded = loop.casefold()
        frame: Frame | None = self._frame
        while frame is not None and frame.container_key:
            if frame.loop.casefold() == folded:
                return frame
            frame = frame.parent
        return None

    def _key_of(self, name: str) -> str:
        """The key of that action as seen from here: the same iteration of the loops both stand in, the last pass of an Until."""
        action = self._workflow.action(name)
        if action is None:
            raise EvaluationFailed(f"The action '{name}' is not defined in this playbook.")
        if not action.loops:
            return action.key
        prefix = ""
        for loop in action.loops:
            frame = self._loop_frame(loop)
            if frame is not None:
                prefix = frame.prefix
                continue
            owner = self._workflow.action(loop)
            key = prefix + (owner.key if owner else loop)
            container = self._state.containers.get(key)
            if container is None or container.kind != "Until":
                raise EvaluationFailed(f"The action '{name}' stands inside the loop '{loop}' and cannot be named from outside of it.")
            prefix = f"{key}[{container.iteration}]/"
        return prefix + action.key


def _shown(at: int | None) -> str | None:
    return None if at is None else azure_time(from_micros(at))


def described(name: str, record: Record) -> dict[str, Any]:
    """An action as `actions('X')` and `result('S')` show it."""
    return {
        "name": name,
        "inputs": record.inputs,
        "outputs": record.outputs,
        "startTime": _shown(record.started_at),
        "endTime": _shown(record.ended_at),
        "status": record.status,
        "code": record.code,
        "error": record.error,
    }
