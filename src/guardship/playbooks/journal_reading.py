"""What the journal tells of runs, by plain questions with nothing held open in between."""

from dataclasses import dataclass
from typing import Any

import orjson

from guardship.errors import NotFound
from guardship.playbooks.definition import Workflow
from guardship.playbooks.events import Event, EventKind
from guardship.playbooks.journal_sql import POSTGRES, SQLITE, Statements
from guardship.playbooks.journal_writer import JournalUnavailable
from guardship.playbooks.payloads import Payloads
from guardship.playbooks.projection import Projection
from guardship.playbooks.state import RunState, apply
from guardship.storage.blobs import Blobs
from guardship.storage.database import Database, DatabaseUnavailable


@dataclass(frozen=True, slots=True)
class RunHead:
    """What the runner must know of a run before it loads its journal."""

    run_id: str
    number: int
    playbook_id: str
    playbook_version_id: str
    priority: int
    version: int
    trigger_name: str
    has_begun: bool  # 0 or 1 on SQLite


@dataclass(frozen=True, slots=True)
class Message:
    message_id: str
    key: str
    kind: str
    body: dict[str, Any]
    sender: str


@dataclass(frozen=True, slots=True)
class OpenedCallback:
    """An address that an action gave away, and how often it was called."""

    run_id: str
    key: str
    has_ended: bool  # the run
    call_count: int


@dataclass(slots=True)
class Loaded:
    state: RunState
    projection: Projection
    fired: list[tuple[str, int]]
    messages: list[Message]


_HEAD = (
    "SELECT run_id, number, playbook_id, playbook_version_id, priority, version, trigger_name, started_at IS NOT NULL "
    "FROM playbooks_run WHERE run_id=:run_id"
)
_OPEN_RUNS = "SELECT run_id FROM playbooks_run WHERE playbook_id=:playbook_id AND ended_at IS NULL AND started_at IS NOT NULL"
_CALLBACK = (
    "SELECT c.run_id, c.key, r.ended_at IS NOT NULL, (SELECT count(*) FROM playbooks_message m WHERE m.run_id=c.run_id AND m.key=c.key) "
    "FROM playbooks_callback c JOIN playbooks_run r ON r.run_id=c.run_id WHERE c.token_hash=:hashed AND c.expires_at > :now"
)
_EVENTS = "SELECT seq, kind, key, at, seed, body FROM playbooks_journal WHERE run_id=:run_id ORDER BY seq"
_FIRED = "SELECT key, due_at FROM playbooks_timer WHERE run_id=:run_id AND fired_at IS NOT NULL ORDER BY due_at"
_MESSAGES = (
    "SELECT message_id, key, kind, body_ref, sender FROM playbooks_message WHERE run_id=:run_id AND taken_seq IS NULL ORDER BY received_at"
)


class JournalReading:
    def __init__(self, database: Database, blobs: Blobs, payloads: Payloads) -> None:
        self._database = database
        self._blobs = blobs
        self._payloads = payloads
        self._sql = Statements(SQLITE if database.is_sqlite else POSTGRES)

    def _ask(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._database.ask(sql, values)
        except DatabaseUnavailable as error:
            raise JournalUnavailable(f"the journal could not be read: {error}", hint="it is tried again") from error

    def head(self, run_id: str) -> RunHead:
        rows = self._ask(_HEAD, run_id=run_id)
        if not rows:
            raise NotFound("run", run_id)
        return RunHead(*rows[0])

    def open_runs(self, playbook_id: str) -> list[str]:
        """Runs that have begun and not ended."""
        return [run_id for (run_id,) in self._ask(_OPEN_RUNS, playbook_id=playbook_id)]

    def find_callback(self, hashed: bytes, now: int) -> OpenedCallback | None:
        rows = self._ask(_CALLBACK, hashed=hashed, now=now)
        return OpenedCallback(*rows[0]) if rows else None

    def load(self, run_id: str, workflow: Workflow) -> Loaded:
        """The state, by its whole journal, and what came in for the run meanwhile."""
        state, projection = RunState(run_id), Projection(run_id, workflow)
        rows = self._ask(_EVENTS, run_id=run_id)
        fired = self.fired_timers(run_id)
        for seq, kind, key, at, seed, written in rows:
            body = orjson.loads(written)
            references = {name.removesuffix("_ref"): orjson.dumps(value).decode() for name, value in body.items() if name.endswith("_ref")}
            event = Event(EventKind(kind), key, at, self._payloads.decode(run_id, body, self.blob), seed)
            apply(state, event)
            projection.fold(seq, event.kind, key, at, body, references)
            projection.has_sealed = projection.has_sealed or '"sealed":' in written
        projection.take_touched()
        return Loaded(state, projection, fired, self.messages(run_id))

    def fired_timers(self, run_id: str) -> list[tuple[str, int]]:
        return [(key, due_at) for key, due_at in self._ask(_FIRED, run_id=run_id)]

    def messages(self, run_id: str) -> list[Message]:
        rows = self._ask(_MESSAGES, run_id=run_id)
        return [Message(message_id, key, kind, orjson.loads(body), sender) for message_id, key, kind, body, sender in rows]

    def blob(self, blob_id: str) -> bytes:
        with self._database.reading() as session:
            return self._blobs.get(session, blob_id)

    def waiting_work(self, now: int) -> list[tuple[str, int, str]]:
        """Runs that nobody holds any more and that have something to do: run, priority, playbook."""
        return [(run_id, priority, playbook_id) for run_id, priority, playbook_id in self._ask(self._sql.waiting_work, now=now)]

    def next_due(self) -> int | None:
        found: int | None = self._ask("SELECT min(due_at) FROM playbooks_timer WHERE fired_at IS NULL")[0][0]
        return found

    def ended_status(self, run_id: str) -> str | None:
        rows = self._ask("SELECT status, ended_at FROM playbooks_run WHERE run_id=:run_id", run_id=run_id)
        if not rows:
            raise NotFound("run", run_id)
        status, ended_at = rows[0]
        return status if ended_at is not None else None

    def pause(self, run_id: str, now: int) -> float | None:
        """Seconds until the next thing is due for a run that nobody works on; -1 when nothing is, None when it has ended."""
        if self.ended_status(run_id) is not None:
            return None
        due_at = self._ask("SELECT min(due_at) FROM playbooks_timer WHERE run_id=:run_id AND fired_at IS NULL", run_id=run_id)[0][0]
        return -1.0 if due_at is None else max((due_at - now) / 1_000_000, 0.0)
