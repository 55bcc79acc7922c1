"""Rows into the store: checked by whoever brings them, written in batches by one thread, shown to listeners after the commit.

Batches that wait together are committed together. `_TimeReceived` is given by the writing thread and only grows, so that whoever has
seen all rows up to a moment has missed none.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from guardship.clock import EPOCH, Clock
from guardship.errors import Fault, GuardshipError
from guardship.ids import new_id
from guardship.workspace.catalog import Catalog, LogTable
from guardship.workspace.duckdb_store import DuckDbStore
from guardship.workspace.row_batches import Rejected, Row, read_rows

if TYPE_CHECKING:
    import pyarrow as pa

MOST_BATCHES = 64
MOST_WAITING = 256
PATIENCE_SECONDS = 5.0
TICK = timedelta(microseconds=1)

Listener = Callable[[str, "pa.Table"], None]


class IngestStopped(GuardshipError):
    code = "ingest.stopped"
    fault = Fault.UNAVAILABLE


class IngestBusy(GuardshipError):
    code = "ingest.busy"
    fault = Fault.TOO_MANY


@dataclass(frozen=True, slots=True)
class Ingested:
    accepted: int
    rejected: tuple[Rejected, ...]
    ignored_columns: tuple[str, ...] = ()


@dataclass(slots=True)
class _Waiting:
    table: LogTable
    batch: "pa.Table"
    done: "Future[None]" = field(default_factory=Future)


class Ingest:
    def __init__(
        self,
        store: DuckDbStore,
        catalog: Catalog,
        clock: Clock,
        *,
        most_waiting: int = MOST_WAITING,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._listeners: list[Listener] = []
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(most_waiting)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_stopped = False
        self._received: datetime | None = None  # the newest committed

    def listen(self, act: Listener) -> None:
        """Have `act(table, batch)` called in the writing thread after a commit; it must be quick and must not raise."""
        self._listeners.append(act)

    def ingest(self, table: str, rows: Sequence[Row], *, machine: str | None = None, item_ids: Sequence[str] = ()) -> Ingested:
        """Returns when the good rows are committed. `item_ids` are for rows that may come twice: see `missing`."""
        known = self._catalog.table(table)
        read = read_rows(known, rows, machine=machine)
        if read.batch.num_rows:
            self._write(known, _with_ids(read.batch, item_ids))
        return Ingested(read.batch.num_rows, read.rejected, read.ignored_columns)

    def missing(self, table: str, item_ids: Sequence[str]) -> list[str]:
        """Which of these ids no row of the table has: what is left to write when an event is delivered twice."""
        known = self._catalog.table(table)
        column = known.column("_ItemId")
        assert column is not None
        marks = ", ".join("?" * len(item_ids))
        sql = f'SELECT "{column.physical}" FROM "{known.physical}" WHERE "{column.physical}" IN ({marks})'  # noqa: S608  # names of ours
        present = {found for (found,) in self._store.query(sql, item_ids)}
        return [item_id for item_id in item_ids if item_id not in present]

    def received_through(self) -> datetime:
        """Every row received up to this moment is committed, and every later row will be received after it."""
        known = self._received
        return known if known is not None else self._note_received(self._stored_moment())

    def _note_received(self, moment: datetime) -> datetime:
        """It only grows, whoever comes first."""
        with self._starting:
            newest = moment if self._received is None else max(self._received, moment)
            self._received = newest
            return newest

    def stop(self) -> None:
        """Write what waits, then end the thread."""
        with self._starting:
            self._is_stopped = True
            thread = self._thread
        if thread is not None and thread.is_alive():
            self._queue.put(None)
            thread.join(timeout=30)

    def _stored_moment(self) -> datetime:
        newest = self._store.last_received()
        return newest.replace(tzinfo=UTC) if newest else EPOCH

    def _write(self, table: LogTable, batch: "pa.Table") -> None:
        self._start()
        waiting = _Waiting(table, batch)
        try:
            self._queue.put(waiting, timeout=self._patience_seconds)
        except queue.Full as error:
            raise IngestBusy("rows come faster than they can be written", hint="send them again in a moment") from error
        waiting.done.result()

    def _start(self) -> None:
        with self._starting:
            if self._is_stopped:
                raise IngestStopped("the log store takes no more rows: it is being stopped")
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name="ingest", daemon=True)
                self._thread.start()

    def _loop(self) -> None:
        while (first := self._queue.get()) is not None:
            taken, is_last = self._drain(first)
            self._commit(taken)
            if is_last:
                return

    def _drain(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        taken = [first]
        while len(taken) < MOST_BATCHES:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                return taken, False
            if following is None:
                return taken, True
            taken.append(following)
        return taken, False

    def _commit(self, taken: list[_Waiting]) -> None:
        try:
            received = max(self._clock.now(), self.received_through() + TICK)
            stamped = [(waiting.table, _stamped(waiting.table, waiting.batch, received)) for waiting in taken]
            self._store.append(stamped)
        except GuardshipError as error:
            _refuse(taken, error)
            return
        except BaseException as error:
            _refuse(taken, error)  # nobody may wait for ever; the next batch starts a new thread
            raise
        self._note_received(received)
        for waiting in taken:
            waiting.done.set_result(None)
        for table, batch in stamped:
            for listener in self._listeners:
                listener(table.name, batch)


def _refuse(taken: list[_Waiting], error: BaseException) -> None:
    for waiting in taken:
        waiting.done.set_exception(error)


def _with_ids(batch: "pa.Table", item_ids: Sequence[str]) -> "pa.Table":
    import pyarrow as pa  # late: a heavy library

    if len(item_ids) != batch.num_rows:
        prefix = new_id("item")
        item_ids = [f"{prefix}{number:x}" for number in range(batch.num_rows)]
    return batch.append_column("_ItemId", pa.array(item_ids, pa.string()))


def _stamped(table: LogTable, batch: "pa.Table", received: datetime) -> "pa.Table":
    """With the columns every row has: when it was received, its table, its source, and a time where it states none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    moment = pa.scalar(received.astimezone(UTC).replace(tzinfo=None), pa.timestamp("us"))
    batch = batch.append_column("_TimeReceived", pa.repeat(moment, batch.num_rows))
    for name, value in (("Type", table.name), ("SourceSystem", table.source_system)):
        if name not in batch.column_names and table.column(name):
            batch = batch.append_column(name, pa.repeat(pa.scalar(value), batch.num_rows))
    if "TimeGenerated" not in batch.column_names:
        return batch.append_column("TimeGenerated", pa.repeat(moment, batch.num_rows))
    times = batch.column("TimeGenerated")
    if times.null_count:
        batch = batch.set_column(batch.column_names.index("TimeGenerated"), "TimeGenerated", pc.fill_null(times, moment))
    return batch
