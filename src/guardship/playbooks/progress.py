"""One step of a run: the events it makes, the commands it wants, and the work that is still to be looked at.

Work is taken from the front, so that a step is the same however often it is computed: start an action, see who may run after one that
has ended, close a block whose actions have all ended.
"""

from collections import deque
from enum import IntEnum
from typing import Any

import orjson

from guardship.playbooks.definition import Action, Block, Status, Workflow
from guardship.playbooks.events import PAYLOADS, Command, Event, EventKind, NotKeepable, encode_payloads
from guardship.playbooks.expressions.evaluate import Evaluate
from guardship.playbooks.expressions.values import EvaluationFailed, Value, json_text
from guardship.playbooks.scope import RunScope
from guardship.playbooks.state import Frame, Record, RunState, apply

MOST_TRACKED = 8192  # characters of trackedProperties as JSON


class Work(IntEnum):
    START = 1
    ENDED = 2
    CLOSE = 3


class Progress:
    __slots__ = ("_seed_left", "at", "commands", "events", "seed", "state", "work", "workflow")

    def __init__(self, workflow: Workflow, state: RunState, at: int, seed: bytes) -> None:
        self.workflow = workflow
        self.state = state
        self.at = at
        self.seed = seed
        self.events: list[Event] = []
        self.commands: list[Command] = []
        self.work: deque[tuple[Work, Action | Block, Frame]] = deque()
        self._seed_left: bytes | None = seed

    def emit(self, kind: EventKind, key: str, body: dict[str, Any]) -> None:
        event = Event(kind, key, self.at, body, self._seed_left, encode_payloads(body))
        self._seed_left = None
        apply(self.state, event)
        self.events.append(event)

    def scope(self, frame: Frame, key: str, *, callback: str | None = None) -> RunScope:
        return RunScope(self.workflow, self.state, frame, key, self.at, self.seed, callback)

    def open_block(self, block: Block, frame: Frame) -> None:
        self.state.open_counts[block.block_id, frame.prefix] = len(block.actions)
        if not block.actions:
            self.work.append((Work.CLOSE, block, frame))
        for action in block.actions:
            if not action.run_after:
                self.work.append((Work.START, action, frame))

    def end(self, action: Action, frame: Frame, body: dict[str, Any]) -> None:
        """`body` has the status, and what else is to be remembered of the action."""
        if action.tracked is not None and body["status"] != Status.SKIPPED:
            body["tracked"] = self._tracked(action.tracked, frame.prefix + action.key, frame, body)
        try:
            self.emit(EventKind.ACTION_ENDED, frame.prefix + action.key, body)
        except NotKeepable as error:
            kept = {name: value for name, value in body.items() if name not in PAYLOADS}
            refused = {"status": Status.FAILED.value, "code": error.code, "error": {"code": error.code, "message": error.message}}
            self.emit(EventKind.ACTION_ENDED, frame.prefix + action.key, kept | refused)
        self.work.append((Work.ENDED, action, frame))

    def _tracked(self, evaluate: Evaluate, key: str, frame: Frame, body: dict[str, Any]) -> Value:
        """`trackedProperties`, which see the action as it will have ended."""
        records = self.state.records
        held = records.get(key)
        started_at, inputs = (held.started_at, held.inputs) if held else (self.at, None)
        records[key] = Record(
            body["status"], started_at, self.at, body.get("code"), body.get("error"), body.get("inputs", inputs), body.get("outputs")
        )
        try:
            written = json_text(evaluate(self.scope(frame, key)))
            return orjson.loads(written) if len(written) <= MOST_TRACKED else {"error": f"more than {MOST_TRACKED} characters"}
        except EvaluationFailed as error:
            return {"error": error.message}
        finally:
            if held is None:
                del records[key]
            else:
                records[key] = held

    def fail(self, action: Action, frame: Frame, error: EvaluationFailed, **more: Any) -> None:
        """The action fails before it did anything; what stands inside it is skipped."""
        body = {"status": Status.FAILED.value, "code": error.code, "error": {"code": error.code, "message": error.message}, **more}
        self.skip_inside(action, frame)
        self.end(action, frame, body)

    def skip_inside(self, action: Action, frame: Frame) -> None:
        for block in action.blocks:
            self.skip_block(block, frame)

    def skip_block(self, block: Block, frame: Frame) -> None:
        """A branch that is not taken: all in it are Skipped."""
        for action in block.actions:
            if frame.prefix + action.key not in self.state.records:
                self.emit(EventKind.ACTION_ENDED, frame.prefix + action.key, _skipped("ActionBranchingConditionNotSatisfied"))
                self.skip_inside(action, frame)

    def consider(self, action: Action, frame: Frame) -> None:
        """Start the action if all it runs after have ended as it asks, skip it if they ended otherwise."""
        records = self.state.records
        prefix = frame.prefix
        if prefix + action.key in records:
            return
        refused = None
        for before in action.run_after:
            record = records.get(prefix + before.key)
            if record is None or record.ended_at is None:
                return
            if record.status not in before.statuses:
                refused = record.status
        if refused is None:
            self.work.append((Work.START, action, frame))
            return
        code = "ActionConditionFailed" if refused in (Status.SUCCEEDED, Status.SKIPPED) else "ActionDependencyFailed"
        self.end(action, frame, _skipped(code))
        self.skip_inside(action, frame)

    def after(self, action: Action, frame: Frame) -> None:
        """An action has ended: see who runs after it, and whether its block is done."""
        block = self.workflow.blocks[action.name]
        for successor in block.successors[action.name]:
            self.consider(successor, frame)
        place = (block.block_id, frame.prefix)
        left = self.state.open_counts.get(place, 0) - 1
        self.state.open_counts[place] = left
        if left == 0:
            self.work.append((Work.CLOSE, block, frame))

    def block_status(self, block: Block, frame: Frame) -> Status:
        """The leaves decide; a skipped leaf is replaced by those it would have run after, as often as needed."""
        records = self.state.records
        waiting, seen = list(block.leaves), set()
        worst = Status.SUCCEEDED
        while waiting:
            action = waiting.pop()
            if action.name in seen:
                continue
            seen.add(action.name)
            status = records[frame.prefix + action.key].status
            if status == Status.FAILED:
                return Status.FAILED
            if status == Status.TIMED_OUT:
                worst = Status.TIMED_OUT
            if status == Status.SKIPPED:
                earlier = {before.name for before in action.run_after}
                waiting.extend(before for before in block.actions if before.name in earlier)
        return worst


def _skipped(reason: str) -> dict[str, Any]:
    return {"status": Status.SKIPPED.value, "code": "ActionSkipped", "error": {"code": reason, "message": _REASONS[reason]}}


_REASONS = {
    "ActionBranchingConditionNotSatisfied": "The branch this action stands in was not taken.",
    "ActionConditionFailed": "An action this one runs after did not end in a status that its runAfter lists.",
    "ActionDependencyFailed": "An action this one runs after did not succeed.",
}

NO_DEPENDENT = {"code": "ActionFailed", "message": "An action failed. No dependent actions succeeded."}
