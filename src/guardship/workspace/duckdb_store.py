"""The log store: one DuckDB file that this process alone opens, on first use, with a memory limit and UTC.

A disk that fills up loses nothing that was acknowledged: the append that failed is refused with `StoreFull`, and because DuckDB gives
a database up when a checkpoint fails half-way, the file is then opened anew, which replays its write-ahead log. A reserve is kept, so
that this is the exception.
"""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardship.errors import Fault, GuardshipError
from guardship.telemetry import get_log
from guardship.workspace.catalog import Catalog, LogTable
from guardship.workspace.kql.types import KqlType

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

RESERVE_BYTES = 32 * 1024 * 1024
SQL_TYPES = {
    KqlType.BOOL: "BOOLEAN",
    KqlType.INT: "INTEGER",
    KqlType.LONG: "BIGINT",
    KqlType.REAL: "DOUBLE",
    KqlType.STRING: "VARCHAR DEFAULT ''",
    KqlType.DATETIME: "TIMESTAMP",
    KqlType.TIMESPAN: "BIGINT",
    KqlType.GUID: "UUID",
    KqlType.DYNAMIC: "JSON",
}

log = get_log("workspace.store")

Cell = str | int | float | bool | datetime | bytes | None


class StoreFull(GuardshipError):
    code = "store.full"
    fault = Fault.UNAVAILABLE

    def __init__(self, path: Path) -> None:
        super().__init__(f"the disk that holds {path.name} is full", hint="free some space; rows are taken again as soon as there is room")


class StoreFailed(GuardshipError):
    code = "store.failed"
    fault = Fault.UNAVAILABLE


class QueryInterrupted(GuardshipError):
    code = "query.timeout"
    fault = Fault.UNAVAILABLE

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the query took longer than {seconds:g} s and was stopped", hint="narrow the time range, or filter earlier")


class QueryBroke(GuardshipError):
    """The store could not compute it: a number too large, a broken regular expression, no memory left."""

    code = "query.failed"
    fault = Fault.BAD_INPUT


class DuckDbStore:
    def __init__(
        self, path: Path, catalog: Catalog, *, memory_limit: str = "128MB", threads: int = 2, reserve_bytes: int = RESERVE_BYTES
    ) -> None:
        self.path = path
        self._catalog = catalog
        self._settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": str(threads),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "enable_external_access": "false",  # no query of ours reads a file, so none may
        }
        self._reserve_bytes = reserve_bytes
        self._opening = threading.Lock()
        self._writing = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def append(self, batches: Sequence[tuple[LogTable, "pa.Table"]]) -> None:
        """All of these rows or none; the columns of a batch carry their published names."""
        import duckdb  # late: a heavy library, and a server that only answers pages does not need it

        if shutil.disk_usage(self.path.parent).free < self._reserve_bytes:
            raise StoreFull(self.path)
        with self._writing:
            try:
                self._append_once(batches)
            except duckdb.Error as error:
                self._recover(error, batches)

    def query(self, sql: str, parameters: Sequence[Cell] = (), *, timeout_seconds: float | None = None) -> list[tuple[Any, ...]]:
        import duckdb

        cursor = self._open().cursor()
        try:
            with _limited(cursor, timeout_seconds) as limit:
                try:
                    return cursor.execute(sql, list(parameters)).fetchall()
                except duckdb.InterruptException as error:
                    raise QueryInterrupted(limit) from error
                except duckdb.FatalException as error:
                    self._reopen()
                    raise StoreFailed("the log store had to be opened anew", hint="ask again") from error
                except duckdb.Error as error:
                    raise QueryBroke(f"the query could not be computed: {_first_line(error)}") from error
        finally:
            cursor.close()

    def last_received(self) -> datetime | None:
        """When the newest row of any table was received."""
        parts = [
            f'SELECT max("{column.physical}") AS m FROM "{table.physical}"'  # noqa: S608  # names of ours
            for table in self._catalog.tables.values()
            if (column := table.column("_TimeReceived"))
        ]
        ((newest,),) = self.query(f"SELECT max(m) FROM ({' UNION ALL '.join(parts)})")  # noqa: S608  # names of ours
        return newest if isinstance(newest, datetime) else None

    def is_empty(self, table: str) -> bool:
        return not self.query(f'SELECT 1 FROM "{self._catalog.table(table).physical}" LIMIT 1')  # noqa: S608  # names of ours

    def row_count(self, table: str) -> int:
        ((count,),) = self.query(f'SELECT count(*) FROM "{self._catalog.table(table).physical}"')  # noqa: S608  # names of ours
        return int(count)

    def copy_to(self, target: Path) -> None:
        """A whole copy of the store while it is in use: writers wait, readers do not."""
        with self._writing:
            self._open().execute("CHECKPOINT")
            shutil.copy2(self.path, target)

    def refresh(self) -> None:
        """Make the tables and columns that the catalogue has got since the file was opened."""
        import duckdb

        with self._writing:
            try:
                self._prepare(self._open())
            except duckdb.Error as error:
                raise StoreFailed(f"the log store did not take the table: {_first_line(error)}") from error

    def close(self) -> None:
        with self._opening:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> "duckdb.DuckDBPyConnection":
        import duckdb

        with self._opening:
            if self._connection is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    connection = duckdb.connect(str(self.path), config=self._settings)
                except duckdb.IOException as error:
                    raise StoreFailed(f"the log store {self.path} does not open: {_first_line(error)}") from error
                connection.execute("SET TimeZone='UTC'")
                self._prepare(connection)
                self._connection = connection
            return self._connection

    def _prepare(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Tables and columns the catalogue has and the file does not have yet."""
        known: dict[str, set[str]] = {}
        for table, column in connection.execute("SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal").fetchall():
            known.setdefault(table, set()).add(column)
        for table in self._catalog.tables.values():
            if table.physical not in known:
                columns = ", ".join(f'"{column.physical}" {SQL_TYPES[column.type]}' for column in table.columns)
                connection.execute(f'CREATE TABLE "{table.physical}" ({columns})')
                continue
            for column in table.columns:
                if column.physical not in known[table.physical]:
                    connection.execute(f'ALTER TABLE "{table.physical}" ADD COLUMN "{column.physical}" {SQL_TYPES[column.type]}')

    def _append_once(self, batches: Sequence[tuple[LogTable, "pa.Table"]]) -> None:
        connection = self._open().cursor()
        try:
            connection.begin()
            for table, batch in batches:
                names = [_physical(table, name) for name in batch.column_names]
                connection.register("batch", batch.rename_columns(names))
                listed = ", ".join(f'"{name}"' for name in names)
                connection.execute(f'INSERT INTO "{table.physical}" ({listed}) SELECT {listed} FROM batch')  # noqa: S608  # names of ours
                connection.unregister("batch")
            connection.commit()
        finally:
            connection.close()

    def _recover(self, error: "duckdb.Error", batches: Sequence[tuple[LogTable, "pa.Table"]]) -> None:
        import duckdb

        text = str(error)
        if "No space left" in text or ("disk" in text.lower() and "full" in text.lower()):
            log.error("store.full", path=str(self.path), reason=_first_line(error))
            self._reopen()
            raise StoreFull(self.path) from error
        if not isinstance(error, duckdb.FatalException) and "invalidated" not in text:
            raise StoreFailed(f"the log store did not take the rows: {_first_line(error)}") from error
        log.error("store.reopened", path=str(self.path), reason=_first_line(error))
        self._reopen()
        try:
            self._append_once(batches)
        except duckdb.Error as second:
            raise StoreFailed(f"the log store did not take the rows: {_first_line(second)}") from second

    def _reopen(self) -> None:
        self.close()


def _physical(table: LogTable, name: str) -> str:
    column = table.column(name)
    assert column is not None
    return column.physical


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


@contextmanager
def _limited(cursor: "duckdb.DuckDBPyConnection", seconds: float | None) -> Iterator[float]:
    """Interrupts what runs on the cursor when the time is up."""
    if seconds is None:
        yield 0.0
        return
    timer = threading.Timer(seconds, cursor.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield seconds
    finally:
        timer.cancel()
