"""What the journal tells of runs. Each question opens a connection of its own, so that nothing pins the write-ahead log."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from guardship.errors import NotFound
from guardship.playbooks.definition import Workflow
from guardship.playbooks.events import Event, EventKind
from guardship.playbooks.journal_writer import JournalUnavailable
from guardship.playbooks.payloads import Payloads
from guardship.playbooks.projection import Projection
from guardship.playbooks.state import RunState, apply
from guardship.storage.blobs import Blobs
from guardship.storage.database import Database


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


_FIRED = "SELECT key, due_at FROM playbooks_timer WHERE run_id=? AND fired_at IS NOT NULL ORDER BY due_at"
_WAITING_WORK = (
    "SELECT run_id, priority, playbook_id FROM playbooks_run r WHERE ended_at IS NULL AND (lease_until < ? OR lease_owner IS NULL AND (wake "
    "OR EXISTS (SELECT 1 FROM playbooks_message m WHERE m.run_id=r.run_id AND m.taken_seq IS NULL) "
    "OR EXISTS (SELECT 1 FROM playbooks_timer t WHERE t.run_id=r.run_id AND t.fired_at IS NOT NULL))) ORDER BY priority DESC, accepted_at"
)


_CALLBACK = (
    "SELECT c.run_id, c.key, r.ended_at IS NOT NULL, (SELECT count(*) FROM playbooks_message m WHERE m.run_id=c.run_id AND m.key=c.key) "
    "FROM playbooks_callback c JOIN playbooks_run r ON r.run_id=c.run_id WHERE c.token_hash=? AND c.expires_at > ?"
)


class JournalReading:
    def __init__(self, database: Database, blobs: Blobs, payloads: Payloads) -> None:
        self._database = database
        self._blobs = blobs
        self._payloads = payloads

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._database.raw_connection()) as connection:
                yield connection
        except sqlite3.Error as error:
            raise JournalUnavailable(f"the journal could not be read: {error}", hint="it is tried again") from error

    def head(self, run_id: str) -> RunHead:
        with self._reading() as connection:
            row = connection.execute(
                "SELECT run_id, number, playbook_id, playbook_version_id, priority, version, trigger_name, started_at IS NOT NULL "
                "FROM playbooks_run WHERE run_id=?",
                (run_id,),
            ).fetchone()
        if row is None:
            raise NotFound("run", run_id)
        return RunHead(*row)

    def open_runs(self, playbook_id: str) -> list[str]:
        """Runs that have begun and not ended."""
        sql = "SELECT run_id FROM playbooks_run WHERE playbook_id=? AND ended_at IS NULL AND started_at IS NOT NULL"
        with self._reading() as connection:
            return [run_id for (run_id,) in connection.execute(sql, (playbook_id,))]

    def load(self, run_id: str, workflow: Workflow) -> Loaded:
        """The state, by its whole journal, and what came in for the run meanwhile."""
        state, projection = RunState(run_id), Projection(run_id, workflow)
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT seq, kind, key, at, seed, body FROM playbooks_journal WHERE run_id=? ORDER BY seq", (run_id,)
            ).fetchall()
            fired = [(key, due_at) for key, due_at in connection.execute(_FIRED, (run_id,))]
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
        with self._reading() as connection:
            return [(key, due_at) for key, due_at in connection.execute(_FIRED, (run_id,))]

    def messages(self, run_id: str) -> list[Message]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT message_id, key, kind, body_ref, sender FROM playbooks_message WHERE run_id=? AND taken_seq IS NULL ORDER BY received_at",
                (run_id,),
            ).fetchall()
        return [Message(message_id, key, kind, orjson.loads(body), sender) for message_id, key, kind, body, sender in rows]

    def find_callback(self, hashed: bytes, now: int) -> OpenedCallback | None:
        with self._reading() as connection:
            row = connection.execute(_CALLBACK, (hashed, now)).fetchone()
        return None if row is None else OpenedCallback(row[0], row[1], bool(row[2]), row[3])

    def blob(self, blob_id: str) -> bytes:
        with self._database.reading() as session:
            return self._blobs.get(session, blob_id)

    def waiting_work(self, now: int) -> list[tuple[str, int, str]]:
        """Runs that nobody holds any more and that have something to do: run, priority, playbook."""
        with self._reading() as connection:
            return [(run_id, priority, playbook_id) for run_id, priority, playbook_id in connection.execute(_WAITING_WORK, (now,))]

    def next_due(self) -> int | None:
        with self._reading() as connection:
            found: int | None = connection.execute("SELECT min(due_at) FROM playbooks_timer WHERE fired_at IS NULL").fetchone()[0]
        return found

    def ended_status(self, run_id: str) -> str | None:
        with self._reading() as connection:
            row = connection.execute("SELECT status, ended_at FROM playbooks_run WHERE run_id=?", (run_id,)).fetchone()
        if row is None:
            raise NotFound("run", run_id)
        return row[0] if row[1] is not None else None
