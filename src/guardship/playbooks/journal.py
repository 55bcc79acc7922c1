"""The journal of runs: accept, append, load, lease, release, timers, messages. What is returned is committed.

An append names the version and the lease it was made under; one made by a worker that has been replaced is refused.
"""

from asyncio import AbstractEventLoop, Future, get_running_loop, to_thread
from collections.abc import Callable, Iterable
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import orjson

from guardship.clock import Clock, to_micros
from guardship.ids import new_id
from guardship.playbooks.definition import Workflow
from guardship.playbooks.events import ENGINE_VERSION, Event, EventKind, SetTimer, encode_payloads
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.journal_reading import JournalReading, OpenedCallback
from guardship.playbooks.journal_rows import Rows
from guardship.playbooks.journal_sql import LEASE_MICROS, MESSAGE_COLUMNS
from guardship.playbooks.journal_writer import JournalWriter, OwnedBlob, Refused, settling
from guardship.playbooks.payloads import Payloads
from guardship.playbooks.projection import Projection
from guardship.storage.blobs import Blobs, BlobUse
from guardship.storage.database import Database

MOST_NUMBERS_DRAWN = 64
_KINDS = {kind: kind.value for kind in EventKind}  # plain strings: the driver adapts every other type the slow way


class StaleLease(Refused):
    code = "playbooks.stale_lease"


class NewRun(NamedTuple):
    run_id: str
    playbook_id: str
    playbook_version_id: str
    trigger_name: str
    trigger: dict[str, Any]  # outputs: headers and body
    priority: int
    dedup_key: str | None
    correlation: dict[str, Any]
    client_tracking_id: str
    parent_run_id: str | None = None


class Accepted(NamedTuple):
    run_id: str
    number: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Leased:
    run_id: str
    epoch: int
    version: int


@dataclass(slots=True)
class Append:
    """Events of one run, with what changes beside them."""

    run_id: str
    epoch: int
    expected_version: int
    rows: list[tuple[Any, ...]]
    actions: list[tuple[Any, ...]]
    timers: dict[str, SetTimer | None]  # None: dropped
    taken: list[tuple[str, int, str]]  # message, position, disposition
    head: tuple[Any, ...]  # status, code, error, started_at, ended_at, due_at
    blobs: list[OwnedBlob] = field(default_factory=list)
    forgets: bool = False  # the run has ended, and its sealed payloads go
    callbacks: list[tuple[bytes, str, int]] = field(default_factory=list)  # token's hash, key, until when
    answers: list[tuple[Any, ...]] = field(default_factory=list)  # rows of messages to the run that started this one

    def write(self, cursor: Any, rows: Rows) -> int:
        version = self.expected_version + len(self.rows)
        is_over = self.head[4] is not None
        values = (version, *self.head, self.run_id, self.expected_version, self.epoch)
        if not rows.move_run(cursor, values, is_over=is_over):
            raise StaleLease(f"the run {self.run_id} is worked on elsewhere, or has moved on")
        rows.journal.extend(self.rows)
        rows.actions.extend(self.actions)
        if self.forgets:
            rows.forgotten.append((self.run_id,))
        for key, timer in self.timers.items():
            if timer is None:
                rows.dropped_timers.append((self.run_id, key))
            else:
                rows.timers.append((self.run_id, key, timer.due_at, None, timer.approval_id))
        opened_at = self.rows[-1][4] if self.rows else 0
        rows.callbacks.extend([(hashed, self.run_id, key, opened_at, expires_at, None) for hashed, key, expires_at in self.callbacks])
        rows.answers.extend(self.answers)
        rows.taken.extend([(position, disposition, message_id) for message_id, position, disposition in self.taken])
        return version


@dataclass(slots=True)
class Acceptance:
    """A new run on its way into the journal; `event` is its first."""

    event: Event
    run: NewRun
    values: tuple[Any, ...]
    row: tuple[Any, ...]
    numbers: "Numbers"
    find: str
    fault_points: FaultPoints
    blobs: list[OwnedBlob]
    is_sealed: bool  # its trigger lies sealed, until the run ends

    def write(self, cursor: Any, rows: Rows) -> Accepted:
        self.fault_points.hit("accept.before_commit")
        number = self.numbers.next(cursor)
        if rows.add_run(cursor, (self.values[0], number, *self.values[1:])):
            rows.journal.append(self.row)
            return Accepted(self.run.run_id, number, True)
        self.numbers.give_back()
        known = cursor.execute(self.find, {"playbook_id": self.run.playbook_id, "dedup_key": self.run.dedup_key}).fetchone()
        return Accepted(known[0], known[1], False)


def message_row(run_id: str, key: str, kind: str, body: dict[str, Any], dedup_key: str, sender: str, at: int) -> tuple[Any, ...]:
    """In the order of the columns of `playbooks_message`."""
    return (new_id("mesg"), run_id, key, kind, dedup_key, orjson.dumps(body).decode(), sender, at, None, None)


class Numbers(Protocol):
    """Numbers for people; used by the writer alone."""

    def next(self, cursor: Any) -> int: ...

    def give_back(self) -> None:
        """The last one was not used, or what was written with them was rolled back."""
        ...


class CountedNumbers:
    """Counted by the one writer there is; a batch that is rolled back counts again."""

    def __init__(self) -> None:
        self._last: int | None = None

    def next(self, cursor: Any) -> int:
        if self._last is None:
            self._last = cursor.execute("SELECT coalesce(max(number), 0) FROM playbooks_run").fetchone()[0]
        self._last += 1
        return self._last

    def give_back(self) -> None:
        self._last = None


class DrawnNumbers:
    """From a sequence that several processes draw from, a few at a time; those that are drawn for nothing leave a gap."""

    def __init__(self) -> None:
        self._drawn: list[int] = []
        self._count = 1

    def next(self, cursor: Any) -> int:
        if not self._drawn:
            self._count = min(self._count * 2, MOST_NUMBERS_DRAWN)
            sql = "SELECT nextval('playbooks_run_number') FROM generate_series(1, :count)"
            self._drawn = [row[0] for row in cursor.execute(sql, {"count": self._count}).fetchall()][::-1]
        return self._drawn.pop()

    def give_back(self) -> None:
        self._count = 1


@dataclass(slots=True)
class _Statement:
    """One statement of its own; the result is what `read` makes of the cursor."""

    sql: str
    values: dict[str, Any]
    read: Callable[[Any], Any]
    blobs: list[OwnedBlob] = field(default_factory=list)

    def write(self, cursor: Any, rows: Rows) -> Any:
        rows.flush(cursor)  # it may look at what the jobs before it have written
        return self.read(cursor.execute(self.sql, self.values))


class Journal(JournalReading):
    def __init__(
        self, database: Database, blobs: Blobs, payloads: Payloads, clock: Clock, fault_points: FaultPoints, *, seat: str = ""
    ) -> None:
        """`seat` is the same in every life of this process, and of no other that works on the database."""
        super().__init__(database, blobs, payloads)
        self.is_shared = not database.is_sqlite  # other processes may take its runs over
        self._seat = seat
        self._clock = clock
        self._fault_points = fault_points
        self._numbers: Numbers = CountedNumbers() if database.is_sqlite else DrawnNumbers()
        self._writer = JournalWriter(database, fault_points, self._keep_blobs, self._numbers.give_back)

    def start(self) -> None:
        self._writer.start()

    def stop(self) -> None:
        self._writer.stop()

    def _now(self) -> int:
        return to_micros(self._clock.now())

    # ---- writing

    def accepting(self, run: NewRun, workflow: Workflow, worker: str) -> Acceptance:
        """What `accept` takes: a new run, leased to `worker`."""
        at = self._now()
        body: dict[str, Any] = {
            "playbook_version_id": run.playbook_version_id,
            "trigger_name": run.trigger_name,
            "trigger": run.trigger,
            "dedup_key": run.dedup_key,
            "correlation": run.correlation,
            "priority": run.priority,
            "engine_version": ENGINE_VERSION,
        }
        event = Event(EventKind.RUN_ACCEPTED, "", at, body, None, encode_payloads(body))
        made = self._payloads.encode(run.run_id, event, workflow)
        row = (run.run_id, 0, _KINDS[event.kind], "", at, None, 1, made.body)
        correlation = run.correlation
        head = (run.run_id, run.playbook_id, run.playbook_version_id, run.trigger_name, run.dedup_key, run.parent_run_id, run.priority)
        tail = (ENGINE_VERSION, run.client_tracking_id, correlation.get("alert_id"), correlation.get("incident_id"), "Running")
        lease = (None, None, at, None, None, 1, worker, 1, at + LEASE_MICROS, False, None)
        blobs = [(run.run_id, blob) for blob in made.blobs]
        find = self._sql.find_run
        return Acceptance(event, run, (*head, *tail, *lease), row, self._numbers, find, self._fault_points, blobs, made.is_sealed)

    def accept(self, new: Acceptance, done: Callable[[Any, Exception | None], None], loop: AbstractEventLoop | None) -> None:
        """Queue a new run; `done` hears when it is committed. An append queued after it may be of the same commit."""
        self._writer.submit(new, done, loop)

    def append(self, append: Append, done: Callable[[Any, Exception | None], None], loop: AbstractEventLoop) -> None:
        self._writer.submit(append, done, loop)

    def encode(
        self, run_id: str, epoch: int, first_seq: int, events: Iterable[Event], workflow: Workflow, projection: Projection
    ) -> tuple[list[tuple[Any, ...]], list[OwnedBlob]]:
        """Journal rows of the events, folded into the projection as well."""
        rows: list[tuple[Any, ...]] = []
        blobs: list[OwnedBlob] = []
        encode, fold = self._payloads.encode, projection.fold
        for seq, event in enumerate(events, first_seq):
            body, references, more, is_sealed = encode(run_id, event, workflow)
            kind, key, at = event.kind, event.key, event.at
            rows.append((run_id, seq, _KINDS[kind], key, at, event.seed, epoch, body))
            fold(seq, kind, key, at, event.body, references)
            if is_sealed:
                projection.has_sealed = True
            if more:
                blobs.extend([(run_id, blob) for blob in more])
        return rows, blobs

    async def lease(self, run_id: str, worker: str) -> Leased | None:
        values = {"worker": worker, "span": LEASE_MICROS, "run_id": run_id, "now": self._now()}
        row = await self._do(self._sql.lease, values, lambda cursor: cursor.fetchone())
        return None if row is None else Leased(*row)

    async def renew(self, worker: str, run_ids: Iterable[str]) -> int:
        """For the runs that are worked on; a lease nobody renews runs out, and the run is taken up again."""
        self._fault_points.hit("lease.renew")
        values = {"worker": worker, "span": LEASE_MICROS, "run_ids": orjson.dumps([*run_ids]).decode(), "now": self._now()}
        return int(await self._do(self._sql.renew, values, lambda cursor: cursor.rowcount))

    async def release(self, run_id: str, epoch: int) -> bool:
        """False: a message or a fired timer is there, the same worker takes another turn."""
        return bool(await self._do(self._sql.release, {"run_id": run_id, "epoch": epoch}, lambda cursor: cursor.rowcount == 1))

    async def give_back(self, run_id: str, epoch: int) -> None:
        """Let the run be taken up again: who holds it cannot go on with it."""
        await self._do(self._sql.give_back, {"run_id": run_id, "epoch": epoch}, lambda cursor: None)

    def worker_id(self) -> str:
        """A name for who takes leases in this life of the process."""
        return f"{self._seat}{new_id('wrkr')}"

    async def free_leftovers(self) -> int:
        """At start: leases of processes that are gone. On SQLite that is every one; on PostgreSQL those of this seat, others run out."""
        return int(await self._do(self._sql.free_leftovers, {"seat": self._seat}, lambda cursor: cursor.rowcount))

    async def fire_due(self) -> list[str]:
        rows = await self._do(self._sql.fire, {"at": self._now()}, lambda cursor: cursor.fetchall())
        return list(dict.fromkeys(row[0] for row in rows))

    async def fire_answered(self, approval_id: str) -> list[str]:
        """Bring forward what waits for this approval; the runs that go on."""
        values = {"at": self._now(), "approval_id": approval_id}
        rows = await self._do(self._sql.fire_answered, values, lambda cursor: cursor.fetchall())
        return list(dict.fromkeys(row[0] for row in rows))

    def deliver(self, run_id: str, *, key: str, kind: str, body: dict[str, Any], dedup_key: str, sender: str) -> bool:
        """Keep a message for a run; from any thread. False: one with this `dedup_key` was there before."""
        row = message_row(run_id, key, kind, body, dedup_key, sender, self._now())
        job = _Statement(self._sql.insert_message, dict(zip(MESSAGE_COLUMNS, row, strict=True)), lambda cursor: cursor.rowcount == 1)
        waiting: ThreadFuture[bool] = ThreadFuture()
        self._writer.submit(job, settling(waiting), None)
        is_new = waiting.result(timeout=60)
        self._fault_points.hit("deliver.after_commit")
        return is_new

    async def deliver_soon(self, run_id: str, *, key: str, kind: str, body: dict[str, Any], dedup_key: str, sender: str) -> bool:
        """The same in the event loop, without blocking it."""
        row = message_row(run_id, key, kind, body, dedup_key, sender, self._now())
        values = dict(zip(MESSAGE_COLUMNS, row, strict=True))
        is_new = bool(await self._do(self._sql.insert_message, values, lambda cursor: cursor.rowcount == 1))
        self._fault_points.hit("deliver.after_commit")
        return is_new

    async def callback(self, hashed: bytes) -> OpenedCallback | None:
        """Whose address it is; None for one that nobody gave away, or that has expired."""
        return await to_thread(self.find_callback, hashed, self._now())

    async def _do(self, sql: str, values: dict[str, Any], read: Callable[[Any], Any]) -> Any:
        loop = get_running_loop()
        waiting: Future[Any] = loop.create_future()
        self._writer.submit(_Statement(sql, values, read), settling(waiting), loop)
        return await waiting

    def _keep_blobs(self, blobs: list[OwnedBlob]) -> None:
        """Before the rows that name them; a crash in between leaves a blob nobody names, which pruning takes."""
        with self._database.transaction() as session:
            for run_id, blob in blobs:
                session.merge(BlobUse(blob_id=self._blobs.put(session, blob, at=self._clock.now()), owner_id=run_id))
