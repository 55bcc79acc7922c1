"""The database: SQLite with a write-ahead log beside one process, PostgreSQL later.

Writers begin with `BEGIN IMMEDIATE`, so nobody upgrades a read lock; a transaction covers one package and, through functions of
`storage`, its outbox, blobs and wakes. What must happen right after a commit is told through `after_commit`.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from guardship.errors import Fault, GuardshipError
from guardship.storage.schema import METADATA

BUSY_SECONDS = 5.0
WAL_LIMIT_BYTES = 64 * 1024 * 1024


class DatabaseUnavailable(GuardshipError):
    code = "storage.unavailable"
    fault = Fault.UNAVAILABLE


class Database:
    """One engine; `transaction()` to write, `reading()` to read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self.engine: Engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
        event.listen(self.engine, "connect", _prepare_connection)
        event.listen(self.engine, "begin", _begin_immediately)
        self._writing = sessionmaker(self.engine, expire_on_commit=False, info={"database": self})
        self._reading = sessionmaker(self.engine.execution_options(guardship_reading=True), expire_on_commit=False, autoflush=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose rows are all written or none; calls what `after_commit` was given, once they are."""
        session = self._writing()
        try:
            yield session
            session.commit()
        except OperationalError as error:
            session.rollback()
            raise DatabaseUnavailable(f"the database did not take the change: {error.orig}") from error
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()
        for act in session.info.pop("after_commit", ()):
            act()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment of the database and leaves nothing behind."""
        session = self._reading()
        try:
            yield session
        except OperationalError as error:
            raise DatabaseUnavailable(f"the database did not answer: {error.orig}") from error
        finally:
            session.expunge_all()  # before the rollback, so that rows keep what was read
            session.rollback()
            session.close()

    def listen(self, topic: str, act: Callable[[], None]) -> None:
        """Have `act` called, in the writer's thread, after a transaction of this process that told `topic`."""
        self._listeners.setdefault(topic, []).append(act)

    def tell(self, topic: str) -> None:
        for act in self._listeners.get(topic, ()):
            act()

    def create_tables(self) -> None:
        """All tables as the code declares them; the product itself goes through `migrations`."""
        METADATA.create_all(self.engine)

    def raw_connection(self) -> sqlite3.Connection:
        """A connection of the driver itself, in autocommit, prepared like all others: for the journal's writer."""
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        _set_pragmas(connection)
        return connection

    def backup(self, target: Path) -> None:
        """A consistent copy while others read and write."""
        with closing(self.raw_connection()) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy, pages=1000)

    def is_whole(self) -> bool:
        with self.reading() as session:
            return bool(session.execute(text("PRAGMA quick_check")).scalar() == "ok")

    def close(self) -> None:
        self.engine.dispose()


def after_commit(session: Session, act: Callable[[], None]) -> None:
    """Have `act` called when this session's transaction has been committed; it must be quick and must not raise."""
    session.info.setdefault("after_commit", []).append(act)


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


def _begin_immediately(connection: Any) -> None:
    reading = connection.get_execution_options().get("guardship_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
