"""The run view's picture of a run, one row an action, folded from its journal; it can be thrown away and made again."""

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

import orjson

from guardship.playbooks.definition import Action, Workflow
from guardship.playbooks.events import EventKind
from guardship.playbooks.state import name_of


@dataclass(slots=True)
class ActionRow:
    """In the order of the columns of `playbooks_action`."""

    run_id: str
    key: str
    name: str
    parent_key: str
    iteration: int | None
    kind: str
    operation: str | None
    status: str
    code: str | None
    error: str | None
    attempt: int
    branch: str | None
    inputs_ref: str | None
    outputs_ref: str | None
    started_at: int | None
    ended_at: int | None
    first_seq: int

    def values(self) -> tuple[Any, ...]:
        values: tuple[Any, ...] = _VALUES(self)
        return values


MOST_PLACES = 1000  # keys whose place is remembered for the next run of the same version

_VALUES = attrgetter(*[field.name for field in fields(ActionRow)])


class Projection:
    """Rows of one run; `touched` are those that the events since the last look have changed."""

    def __init__(self, run_id: str, workflow: Workflow, *, has_sealed: bool = False) -> None:
        self._run_id = run_id
        self._workflow = workflow
        self.rows: dict[str, ActionRow] = {}
        self.has_sealed = has_sealed  # a payload of the run lies sealed in its journal
        self._touched: dict[str, ActionRow] = {}

    def take_touched(self) -> list[ActionRow]:
        touched, self._touched = list(self._touched.values()), {}
        return touched

    def fold(self, seq: int, kind: EventKind, key: str, at: int, body: dict[str, Any], references: dict[str, str]) -> None:
        if kind not in _SHOWN:
            return
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = self._new(key, seq)
        self._touched[key] = row
        if "inputs" in references:
            row.inputs_ref = references["inputs"]
        if kind is EventKind.ACTION_ENDED:  # what nearly all are
            _end(row, at, body, references)
            return
        match kind:
            case EventKind.ACTION_STARTED:
                row.status, row.operation, row.attempt = "Running", body["operation"], body["attempt"]
                row.code = row.error = None
                row.started_at = at if row.started_at is None else row.started_at
            case EventKind.CONTAINER_OPENED:
                row.status, row.branch, row.started_at = "Running", body.get("branch"), at
                row.inputs_ref = row.inputs_ref or references.get("items")
            case EventKind.WAIT_OPENED:
                row.status, row.started_at = "Waiting", at
            case EventKind.RETRY_PLANNED if "approval_id" in body:
                row.status, row.code = "Waiting", body["code"]
                row.error = orjson.dumps({"code": body["code"], "message": body["reason"]}).decode()
            case EventKind.OUTCOME_UNKNOWN:
                row.status, row.code = "Waiting", kind.value
            case _:
                row.status = "Waiting"

    def _new(self, key: str, seq: int) -> ActionRow:
        places = self._workflow.places
        place = places.get(key)
        if place is None:
            name = name_of(key)
            action = self._workflow.action(name)
            place = (name, *_parent(key, action), action.kind if action is not None else "")
            if len(places) < MOST_PLACES:
                places[key] = place
        name, parent, iteration, kind = place
        return ActionRow(
            self._run_id, key, name, parent, iteration, kind, None, "Waiting", None, None, 0, None, None, None, None, None, seq
        )


_SHOWN = frozenset(
    {
        EventKind.ACTION_ENDED,
        EventKind.ACTION_STARTED,
        EventKind.CONTAINER_OPENED,
        EventKind.WAIT_OPENED,
        EventKind.RETRY_PLANNED,
        EventKind.OUTCOME_UNKNOWN,
    }
)


def _end(row: ActionRow, at: int, body: dict[str, Any], references: dict[str, str]) -> None:
    row.status, row.ended_at = body["status"], at
    row.started_at = at if row.started_at is None else row.started_at
    row.code = body.get("code")
    error = body.get("error")
    row.error = None if error is None else orjson.dumps(error).decode()
    row.attempt = body.get("attempt", row.attempt)
    row.outputs_ref = references.get("outputs")


def _parent(key: str, action: Action | None) -> tuple[str, int | None]:
    """The key of the container an action stands in, and the iteration of the loop that is nearest round it."""
    prefix, slash, _ = key.rpartition("/")
    if not slash:
        return ("" if action is None else action.owner_key), None
    prefix += slash
    iteration = int(prefix[prefix.rindex("[") + 1 : -2]) if prefix else None
    if action is None or action.owner is None:
        return "", iteration
    if action.loops and action.loops[-1] == action.owner and key.count("/") == len(action.loops):
        return prefix[: prefix.rindex("[")], iteration
    return prefix + action.owner_key, iteration
