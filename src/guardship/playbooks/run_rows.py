"""Reading runs and their actions for the doors: plain rows, by indexed queries, with nothing held open."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from guardship.clock import from_micros, to_micros
from guardship.errors import NotFound
from guardship.playbooks.projection import ActionRow
from guardship.storage.database import Database

_RUN = (
    "run_id, number, playbook_id, playbook_version_id, trigger_name, client_tracking_id, alert_id, incident_id, status, code, error, "
    "accepted_at, started_at, ended_at, priority"
)
_ACTION = (
    "run_id, key, name, parent_key, iteration, kind, operation, status, code, error, attempt, branch, inputs_ref, outputs_ref, "
    "started_at, ended_at, first_seq"
)


@dataclass(frozen=True, slots=True)
class RunRow:
    run_id: str
    number: int
    playbook_id: str
    playbook_version_id: str
    trigger_name: str
    client_tracking_id: str
    alert_id: str | None
    incident_id: str | None
    status: str
    code: str | None
    error: dict[str, Any] | None
    accepted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    priority: int


@dataclass(frozen=True, slots=True)
class RunFilter:
    playbook_id: str | None = None
    alert_id: str | None = None
    incident_id: str | None = None
    status: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before_number: int | None = None
    limit: int = 50


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _run(row: tuple[Any, ...]) -> RunRow:
    error = orjson.loads(row[10]) if row[10] else None
    return RunRow(*row[:10], error, from_micros(row[11]), _moment(row[12]), _moment(row[13]), row[14])  # type: ignore[call-arg]  # ten columns


class RunRows:
    def __init__(self, database: Database) -> None:
        self._database = database

    def _all(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        return self._database.ask(sql, values)

    def run(self, run_id: str) -> RunRow:
        rows = self._all(f"SELECT {_RUN} FROM playbooks_run WHERE run_id=:run_id", run_id=run_id)  # noqa: S608  # our own column names
        if not rows:
            raise NotFound("run", run_id)
        return _run(rows[0])

    def runs(self, wanted: RunFilter) -> list[RunRow]:
        """The newest first."""
        parts: dict[str, tuple[str, Any]] = {
            "playbook_id": ("playbook_id = :playbook_id", wanted.playbook_id),
            "alert_id": ("alert_id = :alert_id", wanted.alert_id),
            "incident_id": ("incident_id = :incident_id", wanted.incident_id),
            "status": ("status = :status", wanted.status),
            "since": ("accepted_at >= :since", None if wanted.since is None else to_micros(wanted.since)),
            "until": ("accepted_at <= :until", None if wanted.until is None else to_micros(wanted.until)),
            "before": ("number < :before", wanted.before_number),
        }
        used = {name: part for name, part in parts.items() if part[1] is not None}
        where = f"WHERE {' AND '.join(text for text, _ in used.values())}" if used else ""
        sql = f"SELECT {_RUN} FROM playbooks_run {where} ORDER BY number DESC LIMIT :most"  # noqa: S608  # our own column names
        values = {name: value for name, (_, value) in used.items()}
        return [_run(row) for row in self._all(sql, **values, most=min(wanted.limit, 1000))]

    def counts(self) -> dict[str, int]:
        counted = self._all("SELECT status, count(*) FROM playbooks_run GROUP BY status")
        return {str(row[0]): int(row[1]) for row in counted}

    def actions(self, run_id: str) -> list[ActionRow]:
        rows = self._all(f"SELECT {_ACTION} FROM playbooks_action WHERE run_id=:run_id ORDER BY first_seq, key", run_id=run_id)  # noqa: S608
        return [ActionRow(*row) for row in rows]

    def action(self, run_id: str, key: str) -> ActionRow:
        rows = self._all(f"SELECT {_ACTION} FROM playbooks_action WHERE run_id=:run_id AND key=:key", run_id=run_id, key=key)  # noqa: S608
        if not rows:
            raise NotFound("action", key)
        return ActionRow(*rows[0])

    def event(self, run_id: str, kind: str, key: str) -> dict[str, Any] | None:
        """The body of the last event of this kind and key."""
        rows = self._all(
            "SELECT body FROM playbooks_journal WHERE run_id=:run_id AND kind=:kind AND key=:key ORDER BY seq DESC LIMIT 1",
            run_id=run_id,
            kind=kind,
            key=key,
        )
        body: dict[str, Any] | None = orjson.loads(rows[0][0]) if rows else None
        return body

    def tracked(self, run_id: str) -> dict[str, Any]:
        """`trackedProperties` as they came out, by action key."""
        sql = "SELECT key, body FROM playbooks_journal WHERE run_id=:run_id AND kind='ActionEnded' AND body LIKE :named ORDER BY seq"
        found = ((key, orjson.loads(body)) for key, body in self._all(sql, run_id=run_id, named='%"tracked":%'))
        return {key: body["tracked"] for key, body in found if "tracked" in body}

    def retries(self, run_id: str) -> dict[str, list[dict[str, Any]]]:
        rows = self._all(
            "SELECT key, at, body FROM playbooks_journal WHERE run_id=:run_id AND kind='RetryPlanned' ORDER BY seq", run_id=run_id
        )
        found: dict[str, list[dict[str, Any]]] = {}
        for key, at, written in rows:
            body = orjson.loads(written)
            if "approval_id" not in body and "poll" not in body:  # those waited, they did not fail
                found.setdefault(key, []).append({"at": from_micros(at), **body})
        return found
