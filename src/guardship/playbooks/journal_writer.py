"""The journal's one writer: a thread with a connection of its own that commits in one go whatever has piled up.

There is no waiting window: what arrives while the disk syncs is the next batch. A job that is refused, or whose data the database does
not take, fails alone. When the disk is full or the file is gone every job of the batch is told so, nothing is acknowledged, and the
connection is opened anew.
"""

import queue
import threading
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from guardship.errors import Fault, GuardshipError
from guardship.playbooks.fault_points import FaultPoints, FaultRaised
from guardship.playbooks.journal_rows import NotTogether, Rows
from guardship.playbooks.journal_store import Store, store_of
from guardship.storage.database import Database
from guardship.telemetry import get_log

MOST_JOBS_A_BATCH = 2000
MOST_JOBS_WAITING = 10_000
IDLE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 5.0

OwnedBlob: TypeAlias = tuple[str, bytes]  # the run that needs it, and its bytes

log = get_log("journal")


class JournalUnavailable(GuardshipError):
    code = "playbooks.journal_unavailable"
    fault = Fault.UNAVAILABLE


class Refused(GuardshipError):
    """A job that may not be written; the others of its batch are."""

    code = "playbooks.refused"
    fault = Fault.CONFLICT


class Job(Protocol):
    """Something to write. `write` adds rows or runs statements, and raises `Refused` for itself alone."""

    blobs: list[OwnedBlob]

    def write(self, cursor: Any, rows: Rows) -> Any: ...


@dataclass(slots=True)
class Ticket:
    job: Job
    done: Callable[[Any, Exception | None], None]
    loop: AbstractEventLoop | None  # where `done` is called; None: in the writer's thread


Settled: TypeAlias = tuple[Ticket, Any, Exception | None]


class JournalWriter:
    def __init__(
        self,
        database: Database,
        fault_points: FaultPoints,
        keep_blobs: Callable[[list[OwnedBlob]], None],
        rolled_back: Callable[[], None],
    ) -> None:
        self._store: Store = store_of(database)
        self._expected: tuple[type[Exception], ...] = (*self._store.away, GuardshipError)
        self._fault_points = fault_points
        self._keep_blobs = keep_blobs
        self._rolled_back = rolled_back  # what was counted for rows of the batch is not so
        self._queue: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._next: Ticket | None = None  # taken from the queue, and begins the next batch
        self._is_stopping = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Everything queued before is written; later jobs are refused."""
        self._is_stopping = True
        self._queue.put(None)
        self._thread.join(timeout=30)

    def submit(self, job: Job, done: Callable[[Any, Exception | None], None], loop: AbstractEventLoop | None) -> None:
        if self._is_stopping or not self._thread.is_alive() or self._queue.qsize() >= MOST_JOBS_WAITING:
            raise JournalUnavailable("the journal takes nothing more at the moment", hint="try again in a moment")
        self._queue.put(Ticket(job, done, loop))

    def _run(self) -> None:
        pause = 0.1
        while (batch := self._next_batch()) is not None:
            try:
                self._write(batch)
            except self._expected as error:
                log.warning("journal.unavailable", reason=str(error), jobs=len(batch))
                self._give_up(batch, error)
            except Exception as error:  # whatever it is: the thread lives as long as the process, or nothing is accepted any more
                log.exception("journal.fault", jobs=len(batch))
                self._give_up(batch, error)
            else:
                pause = 0.1
                continue
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._close()

    def _give_up(self, batch: list[Ticket], error: Exception) -> None:
        """None of those that are left is written, and the next batch finds a new connection."""
        self._close()
        unavailable = JournalUnavailable(f"the journal could not be written: {error}", hint="it is tried again")
        _settle([(ticket, None, unavailable) for ticket in batch])

    def _next_batch(self) -> list[Ticket] | None:
        """All that is queued; while idle the write-ahead log is folded back. None ends the thread."""
        first, self._next = self._next, None
        while first is None:
            try:
                first = self._queue.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                self._rest()
                continue
            if first is None:
                return None
        batch = [first]
        self._take_more(batch, with_blobs=True)
        return batch

    def _take_more(self, batch: list[Ticket], *, with_blobs: bool) -> None:
        while len(batch) < MOST_JOBS_A_BATCH and self._next is None:
            try:
                ticket = self._queue.get_nowait()
            except queue.Empty:
                return
            if ticket is None:
                self._queue.put(None)
                return
            if ticket.job.blobs and not with_blobs:
                self._next = ticket
            else:
                batch.append(ticket)

    def _write(self, batch: list[Ticket], *, is_alone: bool = False) -> None:
        self._store.open()
        blobs = [blob for ticket in batch for blob in ticket.job.blobs]
        if blobs:
            self._keep_blobs(blobs)
        try:
            settled = self._commit_together(batch, is_alone=is_alone)
        except self._store.refusals as error:
            self._roll_back()
            if len(batch) == 1:
                settled = [(batch[0], None, Refused(f"the database did not take the row: {error}"))]
            else:
                while batch:  # one by one: only the guilty one fails
                    self._write(batch[:1], is_alone=True)
                    del batch[0]
                return
        _settle(settled)

    def _roll_back(self) -> None:
        self._store.roll_back()
        self._rolled_back()

    def _commit_together(self, batch: list[Ticket], *, is_alone: bool) -> list[Settled]:
        try:
            return self._commit(batch, joins=not is_alone, is_together=not is_alone)
        except NotTogether:
            self._roll_back()
            return self._commit(batch, joins=False, is_together=False)

    def _commit(self, batch: list[Ticket], *, joins: bool, is_together: bool) -> list[Settled]:
        cursor = self._store.begin()
        if joins:  # what came while the lock was waited for; blobs are kept before, by another connection
            self._take_more(batch, with_blobs=False)
        rows = self._store.rows(is_together=is_together and len(batch) > 1)
        settled: list[Settled] = []
        for ticket in batch:
            try:
                settled.append((ticket, ticket.job.write(cursor, rows), None))
            except Refused as refused:
                settled.append((ticket, None, refused))
        rows.flush(cursor)
        try:
            self._fault_points.hit("journal.commit")
        except FaultRaised as error:
            raise JournalUnavailable(str(error)) from error
        self._store.commit()
        return settled

    def _rest(self) -> None:
        try:
            self._store.rest()
        except self._store.away as error:
            log.info("journal.checkpoint_refused", reason=str(error))

    def _close(self) -> None:
        self._rolled_back()
        try:
            self._store.close()
        except self._store.away as error:
            log.info("journal.close_failed", reason=str(error))


def _settle(settled: list[Settled]) -> None:
    """One call into each event loop a batch, not one a job."""
    by_loop: dict[AbstractEventLoop, list[Settled]] = {}
    for entry in settled:
        loop = entry[0].loop
        if loop is None:
            _tell([entry])
        else:
            by_loop.setdefault(loop, []).append(entry)
    for loop, entries in by_loop.items():
        try:
            loop.call_soon_threadsafe(_tell, entries)
        except RuntimeError:  # the loop was closed: nobody listens any more
            log.info("journal.loop_closed", jobs=len(entries))


def _tell(entries: list[Settled]) -> None:
    """Each hears of its own: what one of them does with it must not keep it from the others."""
    for ticket, result, error in entries:
        try:
            ticket.done(result, error)
        except Exception:
            log.exception("journal.listener_fault")


def settling(waiting: "ThreadFuture[Any] | Future[Any]") -> Callable[[Any, Exception | None], None]:
    """What a job of the journal calls when it is committed or refused."""

    def settle(result: Any, error: Exception | None) -> None:
        if waiting.done():
            return
        if error is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(result)

    return settle
