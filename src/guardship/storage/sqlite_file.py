"""SQLite: one file beside one process, with a write-ahead log.

Writers begin with `BEGIN IMMEDIATE`, so nobody upgrades a read lock.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

BUSY_SECONDS = 5.0
WAL_LIMIT_BYTES = 64 * 1024 * 1024
MOST_IDLE = 8


class SqliteFile:
    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []  # for questions; opening one takes hundreds of times as long as most answers
        self._is_closed = False

    def __str__(self) -> str:
        return str(self.path)

    def make_engine(self) -> Engine:
        engine = create_engine(f"sqlite:///{self.path}", connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
        event.listen(engine, "connect", _prepare_connection)
        event.listen(engine, "begin", _begin)
        return engine

    def make_plain_engine(self) -> Engine:
        """For migrations, which rebuild tables: foreign keys are not looked at meanwhile."""
        return create_engine(f"sqlite:///{self.path}")

    def raw_connection(self) -> sqlite3.Connection:
        """A connection of the driver itself, in autocommit, prepared like all others: for the journal's writer."""
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        _set_pragmas(connection)
        return connection

    def ask(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """All rows at once, in autocommit: what lies idle afterwards holds no read lock and pins no write-ahead log."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self.raw_connection()
        try:
            rows = connection.execute(sql, values).fetchall()
        except BaseException:
            connection.close()
            raise
        if self._is_closed or len(self._idle) >= MOST_IDLE:
            connection.close()
        else:
            self._idle.append(connection)
        return rows

    def close(self) -> None:
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def backup(self, target: Path) -> None:
        with closing(self.raw_connection()) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy, pages=1000)


def _prepare_connection(connection: DBAPIConnection, _: Any) -> None:
    connection.isolation_level = None  # the driver must not begin by itself
    _set_pragmas(connection)


def _set_pragmas(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA page_size=8192")  # rows of the journal fit; this and the next hold only if set before the first table
    cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # NORMAL may lose the last commits when the power goes
        f"busy_timeout={int(BUSY_SECONDS * 1000)}",
        f"journal_size_limit={WAL_LIMIT_BYTES}",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Any) -> None:
    reading = connection.get_execution_options().get("guardship_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
