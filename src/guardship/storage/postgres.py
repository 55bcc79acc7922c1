"""PostgreSQL: for several processes, and for whoever runs one already.

Transactions of the product go one at a time, as on SQLite: each takes one advisory lock before its first statement. What a transaction
has read is therefore still so when it commits, and numbers, the chain of the audit log and caps are counted as they are there. The
journal of runs, which writes a hundred times as much, does not take part: it is fenced row by row.

The password stands in the address alone; errors and logs name the server without it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg.types.string import StrDumper, StrDumperUnknown
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from guardship.errors import Fault, GuardshipError

WAIT_SECONDS = 5.0  # for the lock of those who write, and for a connection
CONNECTIONS = 10
MORE_CONNECTIONS = 30
OLDEST_VERSION = 13
WRITING_LOCK = 0x6775_6172  # "guar": the lock of those who write
UPGRADE_LOCK = WRITING_LOCK + 1
SERVER_LOCK = WRITING_LOCK + 2

_KEPT_ALIVE = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "20000"}


class BadDatabaseUrl(GuardshipError):
    code = "storage.bad_database_url"
    fault = Fault.BAD_INPUT


class DatabaseRefused(GuardshipError):
    """The server answers, and is not one that Guardship can work on."""

    code = "storage.database_refused"
    fault = Fault.BAD_INPUT


class PostgresServer:
    name = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = _read(url)

    def __str__(self) -> str:
        return self._url.set(drivername="postgresql").render_as_string(hide_password=True)

    def make_engine(self) -> Engine:
        engine = create_engine(
            self._url,
            pool_size=CONNECTIONS,
            max_overflow=MORE_CONNECTIONS,
            pool_timeout=WAIT_SECONDS,
            pool_pre_ping=True,  # the server may have been started anew
            hide_parameters=True,
            connect_args=_connect_args(self._url),
        )
        event.listen(engine, "connect", _prepare_connection)
        event.listen(engine, "begin", _begin)
        return engine

    def make_plain_engine(self) -> Engine:
        """For migrations, whose steps are transactions of their own kind."""
        return create_engine(self._url, poolclass=NullPool, hide_parameters=True, connect_args=_connect_args(self._url))

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of the driver itself, in autocommit: for the journal's writer. Raises psycopg.OperationalError."""
        return psycopg.connect(**self.settings(), autocommit=True)

    def settings(self) -> dict[str, Any]:
        """What the driver connects by."""
        given = self._url.translate_connect_args(username="user", database="dbname")
        return {**given, **self._url.query, **_connect_args(self._url)}

    def hold(self) -> psycopg.Connection[tuple[Any, ...]] | None:
        """Claim the database for one server, as long as the connection lives; None: another has it."""
        connection = self.connect()
        (is_ours,) = connection.execute("SELECT pg_try_advisory_lock(%s)", (SERVER_LOCK,)).fetchone() or (False,)
        if is_ours:
            return connection
        connection.close()
        return None

    def check(self, ask: Callable[[str, Mapping[str, Any]], list[tuple[Any, ...]]]) -> None:
        """Raises DatabaseRefused when the database is not fit."""
        ((encoding, version),) = ask("SELECT current_setting('server_encoding'), current_setting('server_version_num')", {})
        if encoding != "UTF8":
            raise DatabaseRefused(
                f"{self} is encoded as {encoding}, not as UTF8",
                hint="make another: CREATE DATABASE guardship ENCODING 'UTF8' TEMPLATE template0",
            )
        if int(version) // 10_000 < OLDEST_VERSION:
            raise DatabaseRefused(f"{self} is PostgreSQL {int(version) // 10_000}", hint=f"Guardship needs {OLDEST_VERSION} or newer")


def placed(sql: str) -> str:
    """A statement with named places (`:run_id`) as the driver wants them."""
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", sql.replace("%", "%%"))


def ask(engine: Engine, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(placed(sql), dict(values))]


def _read(url: str) -> URL:
    try:
        made = make_url(url)
    except ArgumentError as error:
        raise BadDatabaseUrl("database_url is no address of a database", hint="such as postgresql://user:password@host/name") from error
    if made.get_backend_name() != "postgresql":
        raise BadDatabaseUrl(
            f"database_url begins with {made.get_backend_name()}, not with postgresql", hint="leave it empty for SQLite in the data folder"
        )
    return made.set(drivername="postgresql+psycopg")


def _connect_args(url: URL) -> dict[str, Any]:
    return {"connect_timeout": int(WAIT_SECONDS), "client_encoding": "utf8", "application_name": "guardship"} | {
        name: value for name, value in _KEPT_ALIVE.items() if name not in url.query
    }


class _WithoutNul(StrDumper):
    """PostgreSQL keeps no NUL in text, and logs bring some: the mark for what cannot be shown stands in its place."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))


class _UnknownWithoutNul(StrDumperUnknown):
    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))


def _prepare_connection(connection: DBAPIConnection, _: Any) -> None:
    driver: Any = connection
    driver.adapters.register_dumper(str, _WithoutNul)
    driver.adapters.register_dumper(str, _UnknownWithoutNul)


def _begin(connection: Any) -> None:
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return
    if connection.get_execution_options().get("guardship_reading", False):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(WAIT_SECONDS * 1000)}")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITING_LOCK})")
