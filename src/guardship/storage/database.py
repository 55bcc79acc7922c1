"""The database: SQLite beside one process, or PostgreSQL.

On both, those who write go one at a time, and who reads sees one moment. A transaction covers one package and, through functions of
`storage`, its outbox, blobs and wakes. What must happen right after a commit is told through `after_commit`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from guardship.errors import Fault, GuardshipError
from guardship.storage.schema import METADATA
from guardship.storage.sqlite_file import SqliteFile

if TYPE_CHECKING:
    from guardship.storage.postgres import PostgresServer


AWAY_HINT = "see that PostgreSQL runs, and that user, password and database of database_url are right"


VACUUM_PAGES = 1000


class DatabaseUnavailable(GuardshipError):
    code = "storage.unavailable"
    fault = Fault.UNAVAILABLE


class SqliteOnly(GuardshipError):
    code = "storage.sqlite_only"
    fault = Fault.CONFLICT


class Database:
    """One engine; `transaction()` to write, `reading()` to read."""

    def __init__(self, place: Path | str) -> None:
        """`place` is SQLite's file, or the address of a database on PostgreSQL."""
        self.kind: SqliteFile | PostgresServer = SqliteFile(place) if isinstance(place, Path) else _server(place)
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self.engine: Engine = self.kind.make_engine()
        self._is_closed = False
        event.listen(self.engine, "checkin", self._close_late)
        self._writing = sessionmaker(self.engine, expire_on_commit=False, info={"database": self})
        self._reading = sessionmaker(self.engine.execution_options(guardship_reading=True), expire_on_commit=False, autoflush=False)

    @property
    def is_sqlite(self) -> bool:
        return isinstance(self.kind, SqliteFile)

    @property
    def path(self) -> Path:
        """SQLite's file; raises SqliteOnly."""
        return self._file.path

    @property
    def _file(self) -> SqliteFile:
        if not isinstance(self.kind, SqliteFile):
            raise SqliteOnly(f"{self.kind} is no file", hint="use the tools of PostgreSQL, such as pg_dump and pg_restore")
        return self.kind

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose rows are all written or none; calls what `after_commit` was given, once they are."""
        session = self._writing()
        try:
            yield session
            session.commit()
        except (DBAPIError, PoolTimeout) as error:
            session.rollback()
            if not is_away(error):
                raise
            raise DatabaseUnavailable(f"the database did not take the change: {_reason(error)}") from error
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
        except (DBAPIError, PoolTimeout) as error:
            if not is_away(error):
                raise
            raise DatabaseUnavailable(f"the database did not answer: {_reason(error)}") from error
        finally:
            session.expunge_all()  # before the rollback, so that rows keep what was read
            session.rollback()
            session.close()

    def ask(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of one plain statement that both databases know, with places such as `:run_id`; raises DatabaseUnavailable.

        On SQLite nothing stays open in between, so that nothing pins the write-ahead log.
        """
        try:
            if isinstance(self.kind, SqliteFile):
                return self.kind.ask(sql, values)
            from guardship.storage import postgres  # late: only who has a server loads its driver

            return postgres.ask(self.engine, sql, values)
        except (sqlite3.Error, DBAPIError, PoolTimeout) as error:
            if isinstance(error, DBAPIError) and not is_away(error):
                raise
            raise DatabaseUnavailable(
                f"the database did not answer: {_reason(error)}", hint=None if self.is_sqlite else AWAY_HINT
            ) from error

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
        """A connection of SQLite's driver; raises SqliteOnly."""
        return self._file.raw_connection()

    def backup(self, target: Path) -> None:
        """A consistent copy while others read and write; raises SqliteOnly."""
        self._file.backup(target)

    def is_whole(self) -> bool:
        """SQLite looks through its file; PostgreSQL keeps its own checksums, so there it is enough that it answers."""
        with self.reading() as session:
            if self.is_sqlite:
                return bool(session.execute(text("PRAGMA quick_check")).scalar() == "ok")
            return bool(session.execute(text("SELECT 1")).scalar() == 1)

    def used_bytes(self) -> int:
        """What our tables take on disk, without space that is free again."""
        if self.is_sqlite:
            pages, free, size = (self.ask(f"PRAGMA {name}", {})[0][0] for name in ("page_count", "freelist_count", "page_size"))
            return int((pages - free) * size)
        return int(self.ask("SELECT pg_database_size(current_database())", {})[0][0])

    def give_space_back(self) -> None:
        """A part of what was freed, in a moment; PostgreSQL does that by itself."""
        if self.is_sqlite:
            self.ask(f"PRAGMA incremental_vacuum({VACUUM_PAGES})", {})

    def close(self) -> None:
        self._is_closed = True
        if isinstance(self.kind, SqliteFile):
            self.kind.close()
        self.engine.dispose()

    def _close_late(self, connection: DBAPIConnection | None, _: object) -> None:
        """What was in use when the database was closed goes as soon as it is given back."""
        if self._is_closed and connection is not None:
            connection.close()


def place_of(url: str, file: Path) -> Path | str:
    """Where the database is: `database_url`, or the file in the data folder when that is empty."""
    return url or file


def is_away(error: SQLAlchemyError) -> bool:
    """Whether the database is at fault, not what it was asked."""
    return isinstance(error, OperationalError | PoolTimeout) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def after_commit(session: Session, act: Callable[[], None]) -> None:
    """Have `act` called when this session's transaction has been committed; it must be quick and must not raise."""
    session.info.setdefault("after_commit", []).append(act)


def _server(url: str) -> "PostgresServer":
    from guardship.storage.postgres import PostgresServer  # late: only who has a server loads its driver

    return PostgresServer(url)


def _reason(error: Exception) -> str:
    """The driver's words, in one line; SQLAlchemy's own name the statement and its parameters."""
    return " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
