"""Where the journal lies: what its writer needs of a database. SQLite's file here, PostgreSQL in `journal_postgres`."""

import sqlite3
from typing import Any, Protocol

from guardship.playbooks.journal_rows import Rows
from guardship.storage.database import Database
from guardship.storage.sqlite_file import WAL_LIMIT_BYTES


class Store(Protocol):
    """One connection of the writer's own, and one transaction on it at a time. Used by the writer's thread alone."""

    away: tuple[type[Exception], ...]  # the database is at fault: nothing of the batch is written
    refusals: tuple[type[Exception], ...]  # the data of a job is at fault

    def open(self) -> None:
        """Does nothing while the connection is open."""
        ...

    def begin(self) -> Any:
        """A transaction, and its cursor."""
        ...

    def rows(self, *, is_together: bool) -> Rows: ...

    def commit(self) -> None:
        """Returns when all is on disk. Raises one of `away` when it is not, or when that cannot be known."""
        ...

    def roll_back(self) -> None: ...

    def rest(self) -> None:
        """Nothing is to be written at the moment."""
        ...

    def close(self) -> None: ...


class SqliteStore:
    away: tuple[type[Exception], ...] = (sqlite3.Error, OSError)
    refusals: tuple[type[Exception], ...] = (
        sqlite3.IntegrityError,
        sqlite3.ProgrammingError,
        sqlite3.DataError,
        sqlite3.InterfaceError,
        OverflowError,
    )

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None
        self._has_written = False

    def open(self) -> None:
        if self._connection is None:
            self._connection = self._database.raw_connection()

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("the connection is closed")
        return self._connection

    def begin(self) -> sqlite3.Cursor:
        cursor = self._opened.cursor()
        self._opened.executescript("BEGIN IMMEDIATE")  # gives the interpreter's lock away once, a cursor's `execute` twice
        return cursor

    def rows(self, *, is_together: bool) -> Rows:
        return Rows(is_together=is_together)

    def commit(self) -> None:
        self._opened.commit()
        self._has_written = True

    def roll_back(self) -> None:
        if self._connection is not None:
            self._connection.rollback()

    def rest(self) -> None:
        """Fold the write-ahead log back."""
        if self._connection is None or not self._has_written:
            return
        self._has_written = False
        log_file = self._database.path.with_name(f"{self._database.path.name}-wal")
        if log_file.exists() and log_file.stat().st_size > WAL_LIMIT_BYTES // 64:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.rollback()
            connection.close()


def store_of(database: Database) -> Store:
    if database.is_sqlite:
        return SqliteStore(database)
    from guardship.playbooks.journal_postgres import PostgresStore  # late: only who has a server loads its driver

    return PostgresStore(database)
