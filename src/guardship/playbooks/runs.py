"""Runs as the doors show them: in the published shape of the run API, and compact for our console.

The console's view is the tree of the definition with what became of each action, the branch that was taken and why, durations, and links
to inputs and outputs; what is hidden shows as `***`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from guardship.clock import azure_time, from_micros, iso
from guardship.errors import NotFound
from guardship.playbooks.definition import Action, Block
from guardship.playbooks.expressions.values import Value
from guardship.playbooks.firing import Published
from guardship.playbooks.library import Library
from guardship.playbooks.payloads import shown_value
from guardship.playbooks.projection import ActionRow
from guardship.playbooks.run_rows import RunFilter, RunRow, RunRows
from guardship.storage.blobs import Blobs
from guardship.storage.database import Database

LOOPS = ("Foreach", "Until")


class Runs:
    def __init__(self, database: Database, blobs: Blobs, library: Library, *, link_base: str = "/api/v1/runs") -> None:
        self._database = database
        self._blobs = blobs
        self._library = library
        self._link_base = link_base.rstrip("/")
        self.rows = RunRows(database)

    # ---- payloads, by link

    def payload(self, run_id: str, key: str, part: str) -> Value:
        """`part` is inputs or outputs; the key "" means the trigger's outputs."""
        if not key:
            body = self.rows.event(run_id, "RunAccepted", "")
            if body is None:
                raise NotFound("run", run_id)
            return shown_value(body["trigger_ref"], self._blob)
        row = self.rows.action(run_id, key)
        text = row.inputs_ref if part == "inputs" else row.outputs_ref
        return shown_value(orjson.loads(text), self._blob) if text else None

    def _blob(self, blob_id: str) -> bytes:
        with self._database.reading() as session:
            return self._blobs.get(session, blob_id)

    def _link(self, run_id: str, key: str, part: str) -> str:
        return f"{self._link_base}/{run_id}/payload?key={quote(key, safe='')}&part={part}"

    # ---- our console

    def overview(self, wanted: RunFilter) -> list[dict[str, Any]]:
        return [self._head(row) for row in self.rows.runs(wanted)]

    def _head(self, row: RunRow) -> dict[str, Any]:
        published = self._library.version(row.playbook_version_id)
        return {
            "run_id": row.run_id,
            "number": row.number,
            "playbook_id": row.playbook_id,
            "playbook_name": published.playbook_name,
            "version_id": row.playbook_version_id,
            "status": row.status,
            "code": row.code,
            "error": row.error,
            "alert_id": row.alert_id,
            "incident_id": row.incident_id,
            "accepted_at": iso(row.accepted_at),
            "started_at": _iso(row.started_at),
            "ended_at": _iso(row.ended_at),
            "milliseconds": _milliseconds(row.started_at or row.accepted_at, row.ended_at),
        }

    def view(self, run_id: str, *, iterations: Mapping[str, int] | None = None) -> dict[str, Any]:
        """The run with its tree of actions; `iterations` says which pass of a loop, by the loop's key, is to be shown."""
        row = self.rows.run(run_id)
        published = self._library.version(row.playbook_version_id)
        known = {one.key: one for one in self.rows.actions(run_id)}
        tree = _Tree(self, run_id, known, iterations or {})
        accepted = self.rows.event(run_id, "RunAccepted", "") or {}
        trigger = {
            "name": row.trigger_name,
            "started_at": iso(row.accepted_at),
            "by": (accepted.get("correlation") or {}).get("by"),
            "outputs": self._link(run_id, "", "outputs"),
        }
        return {**self._head(row), "trigger": trigger, "actions": tree.block(published.workflow.root, "")}

    def repetitions(self, run_id: str, loop_key: str) -> list[dict[str, Any]]:
        """The passes of a loop, each with the worst that happened in it."""
        passes: dict[int, list[ActionRow]] = {}
        for row in self.rows.actions(run_id):
            if row.key.startswith(f"{loop_key}[") and row.iteration is not None:
                index = int(row.key[len(loop_key) + 1 : row.key.index("]", len(loop_key))])
                passes.setdefault(index, []).append(row)
        return [{"index": index, "status": _worst(rows), "action_count": len(rows)} for index, rows in sorted(passes.items())]

    # ---- the published shape

    def published_list(self, wanted: RunFilter, *, next_link: str | None = None) -> dict[str, Any]:
        rows = self.rows.runs(wanted)
        listed: dict[str, Any] = {"value": [self._published_head(row, self._library.version(row.playbook_version_id)) for row in rows]}
        if next_link and len(rows) == wanted.limit:
            listed["nextLink"] = next_link
        return listed

    def published_run(self, run_id: str) -> dict[str, Any]:
        row = self.rows.run(run_id)
        published = self._library.version(row.playbook_version_id)
        made = self._published_head(row, published)
        retries, tracked = self.rows.retries(run_id), self.rows.tracked(run_id)
        actions = made["properties"]["actions"] = self._published_actions(row, retries)
        for key, value in tracked.items():
            if key in actions:
                actions[key]["trackedProperties"] = value
        return made

    def _published_head(self, row: RunRow, published: Published) -> dict[str, Any]:
        tracking = {"clientTrackingId": row.client_tracking_id}
        trigger = {
            "name": row.trigger_name,
            "outputsLink": {"uri": self._link(row.run_id, "", "outputs")},
            "startTime": azure_time(row.accepted_at),
            "endTime": azure_time(row.accepted_at),
            "originHistoryName": row.run_id,
            "correlation": tracking,
            "status": "Succeeded",
        }
        properties: dict[str, Any] = {
            "waitEndTime": azure_time(row.started_at or row.accepted_at),
            "startTime": azure_time(row.started_at or row.accepted_at),
            "status": row.status,
            "correlation": tracking,
            "workflow": {"name": published.version_id, "type": "workflows/versions", "properties": {"version": published.version_id}},
            "trigger": trigger,
            "outputs": {},
        }
        if row.ended_at is not None:
            properties["endTime"] = azure_time(row.ended_at)
        if row.code is not None:
            properties |= {"code": row.code, "error": row.error}
        place = f"/workflows/{published.playbook_name}/runs/{row.run_id}"
        return {"id": place, "name": row.run_id, "type": "workflows/runs", "properties": properties}

    def _published_actions(self, run: RunRow, retries: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
        """Actions inside loops are told by their number of repetitions."""
        told: dict[str, Any] = {}
        repeated: dict[str, list[ActionRow]] = {}
        for row in self.rows.actions(run.run_id):
            if row.iteration is not None:
                repeated.setdefault(row.name, []).append(row)
            else:
                told[row.name] = self.published_action(run, row, retries.get(row.key, []))
        for name, rows in repeated.items():
            told[name] = {"repetitionCount": len(rows), "canResubmit": False, "status": _worst(rows), "code": "NotSpecified"}
        return told

    def published_action(self, run: RunRow, row: ActionRow, retries: list[dict[str, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {
            "canResubmit": row.kind not in LOOPS,
            "correlation": {"actionTrackingId": f"{run.run_id}/{row.key}", "clientTrackingId": run.client_tracking_id},
            "status": row.status,
            "code": row.code or ("OK" if row.status == "Succeeded" else "NotSpecified"),
            "error": orjson.loads(row.error) if row.error else None,
            "retryHistory": [
                {"startTime": azure_time(entry["at"]), "code": str(entry.get("code") or ""), "error": {"message": entry.get("reason")}}
                for entry in retries
            ],
        }
        for part, text in (("inputs", row.inputs_ref), ("outputs", row.outputs_ref)):
            if text is not None:
                made[f"{part}Link"] = {"uri": self._link(run.run_id, row.key, part), "contentSize": _size(text)}
        if row.started_at is not None:
            made["startTime"] = azure_time(from_micros(row.started_at))
        if row.ended_at is not None:
            made["endTime"] = azure_time(from_micros(row.ended_at))
        if row.kind in LOOPS:
            made["iterationCount"] = len(self.repetitions(run.run_id, row.key))
        return made

    def link(self, run_id: str, row: ActionRow, part: str) -> str | None:
        text = row.inputs_ref if part == "inputs" else row.outputs_ref
        return None if text is None else self._link(run_id, row.key, part)


class _Tree:
    """The definition's tree, with what the rows of one run say of each action."""

    def __init__(self, runs: Runs, run_id: str, rows: Mapping[str, ActionRow], iterations: Mapping[str, int]) -> None:
        self._runs = runs
        self._run_id = run_id
        self._rows = rows
        self._iterations = iterations

    def block(self, block: Block, prefix: str) -> list[dict[str, Any]]:
        return [self._action(action, prefix) for action in block.actions]

    def _action(self, action: Action, prefix: str) -> dict[str, Any]:
        key = prefix + action.key
        row = self._rows.get(key)
        told: dict[str, Any] = {
            "key": key,
            "name": action.name,
            "type": action.kind,
            "run_after": {before.name: sorted(before.statuses) for before in action.run_after},
            "status": row.status if row else "NotRun",
        }
        if row is not None:
            told |= self._what_happened(row)
        if action.blocks:
            told["branches"] = self._branches(action, key, prefix, row)
        return told

    def _what_happened(self, row: ActionRow) -> dict[str, Any]:
        started = from_micros(row.started_at) if row.started_at is not None else None
        ended = from_micros(row.ended_at) if row.ended_at is not None else None
        told: dict[str, Any] = {
            "operation": row.operation,
            "code": row.code,
            "error": orjson.loads(row.error) if row.error else None,
            "attempt": row.attempt,
            "started_at": _iso(started),
            "ended_at": _iso(ended),
            "milliseconds": _milliseconds(started, ended),
            "inputs": self._runs.link(self._run_id, row, "inputs"),
            "outputs": self._runs.link(self._run_id, row, "outputs"),
        }
        if row.branch is not None:
            told["branch"] = row.branch
        if row.kind in ("If", "Switch") and row.inputs_ref:
            told["why"] = orjson.loads(row.inputs_ref).get("inline")
        if row.kind == "Until":
            checked = self._runs.rows.event(self._run_id, "UntilChecked", row.key)
            told["why"] = checked and {"expression": checked.get("why"), "expressionResult": checked["satisfied"]}
        return told

    def _branches(self, action: Action, key: str, prefix: str, row: ActionRow | None) -> list[dict[str, Any]]:
        if action.kind in LOOPS:
            passes = self._runs.repetitions(self._run_id, key) if row is not None and row.status != "Skipped" else []
            index = self._iterations.get(key, passes[-1]["index"] if passes and action.kind == "Until" else 0)
            inner = f"{key}[{index}]/" if passes else prefix
            shown = self.block(action.blocks[0], inner)
            return [{"label": "actions", "is_taken": bool(passes), "iteration": index, "iteration_count": len(passes), "actions": shown}]
        taken = row.branch if row else None
        return [
            {"label": block.label, "is_taken": block.label == taken, "actions": self.block(block, prefix)}
            for block in action.blocks
            if block.actions or block.label == taken or action.kind != "If"
        ]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _milliseconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else round((end - start).total_seconds() * 1000, 3)


def _size(reference: str) -> int:
    return int(orjson.loads(reference).get("size", max(len(reference) - 11, 0)))


def _worst(rows: list[ActionRow]) -> str:
    statuses = {row.status for row in rows}
    order = ("Running", "Waiting", "Failed", "TimedOut", "Cancelled", "Succeeded")
    return next((status for status in order if status in statuses), "Skipped")
