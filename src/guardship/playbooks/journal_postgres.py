"""The journal on PostgreSQL: a batch is one open pipeline, with one prepared statement a table, and a commit.

Many rows of the journal and of actions go by COPY: a third of the time and a fifth of the processor of a statement a row.

Runs are moved in the order of their ids, so that two processes never wait for each other in a circle. A commit whose answer is lost is
not guessed at: the transaction's number is asked about once the server is back.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper
from sqlalchemy import Table, bindparam, delete, text
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql import ClauseElement

from guardship.playbooks.journal_rows import NotTogether, Rows
from guardship.playbooks.journal_sql import LEASE_MICROS, POSTGRES
from guardship.playbooks.journal_tables import ACTION, CALLBACK, JOURNAL, MESSAGE, RUN, TIMER, statement
from guardship.storage.database import Database
from guardship.storage.postgres import PostgresServer, placed
from guardship.telemetry import get_log

READ_BACK_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 5.0
PREPARED = 200
FEWEST_COPIED = 12  # below, the pipeline that is open anyway costs less than two more round trips

log = get_log("journal")

Connection = psycopg.Connection[tuple[Any, ...]]


class PlacedCursor(psycopg.Cursor[tuple[Any, ...]]):
    """Takes the journal's statements with their named places."""

    def execute(self, query: Any, params: Any = None, **more: Any) -> "PlacedCursor":
        return super().execute(placed(query) if isinstance(params, dict) else query, params, **more)


class PostgresRows(Rows):
    """The same rows, written by one statement a table that is run once a row; all of a batch travel together."""

    def add_run(self, cursor: Any, values: tuple[Any, ...]) -> bool:
        if self.is_together:
            return super().add_run(cursor, values)
        return bool(cursor.execute(_RUN, values).rowcount == 1)

    def move_run(self, cursor: Any, values: tuple[Any, ...], *, is_over: bool) -> bool:
        if self.is_together:
            return super().move_run(cursor, values, is_over=is_over)
        return bool(cursor.execute(_END if is_over else _MOVE, values).rowcount == 1)

    def flush(self, cursor: Any) -> None:
        connection: Connection = cursor.connection
        fenced: list[tuple[Any, int]] = []
        with connection.pipeline():
            for sql, rows in ((_RUN, [*self.runs.values()]), *_in_order(self.moves, self.ends)):
                if rows:
                    fenced.append((_many(connection, sql, rows), len(rows)))
            for sql, rows in (
                (_JOURNAL, self.journal if len(self.journal) < FEWEST_COPIED else []),
                (_ACTION, self.actions if len(self.actions) < FEWEST_COPIED else []),
                (_DELETE_TIMER, self.dropped_timers),
                (_TIMER, self.timers),
                (_OPEN_CALLBACK, self.callbacks),
                (_ANSWER, self.answers),
                (_TAKE_MESSAGE, self.taken),
                (_FORGET_JOURNAL, self.forgotten),
                (_FORGET_ACTIONS, self.forgotten),
            ):
                if rows:
                    _many(connection, sql, rows)
        if any(written.rowcount != count for written, count in fenced):
            raise NotTogether
        if len(self.journal) >= FEWEST_COPIED:
            _copy(cursor, _COPY_JOURNAL, self.journal)
        if len(self.actions) >= FEWEST_COPIED:
            _copy(
                cursor, _COPY_ACTIONS, {row[:2]: row for row in self.actions}.values()
            )  # the last of each: one statement takes a row once
            cursor.execute(_TAKE_ACTIONS)
        self.clear()


class PostgresStore:
    away: tuple[type[Exception], ...] = (psycopg.Error, OSError)
    refusals: tuple[type[Exception], ...] = (psycopg.IntegrityError, psycopg.DataError, psycopg.ProgrammingError, OverflowError)

    def __init__(self, database: Database) -> None:
        if not isinstance(database.kind, PostgresServer):
            raise TypeError(f"{database.kind} is not on PostgreSQL")
        self._server = database.kind
        self._connection: Connection | None = None
        self._transaction: str | None = None

    def open(self) -> None:
        if self._connection is None:
            connection = self._server.connect()
            connection.cursor_factory = PlacedCursor
            connection.prepare_threshold = 0  # the statements are few, and always the same
            connection.prepared_max = PREPARED
            connection.adapters.register_dumper(int, Int8Dumper)  # by their size, one statement would be prepared many times
            connection.adapters.register_dumper(str, StrDumper)
            connection.execute(_MAKE_NEWS)
            self._connection = connection

    @property
    def _opened(self) -> Connection:
        if self._connection is None:
            raise psycopg.OperationalError("the connection is closed")
        return self._connection

    def begin(self) -> Any:
        connection = self._opened
        cursor = connection.cursor()
        with connection.pipeline():
            connection.execute("BEGIN")
            number = connection.execute("SELECT pg_current_xact_id()::text")
        found = number.fetchone()
        self._transaction = None if found is None else found[0]
        return cursor

    def rows(self, *, is_together: bool) -> Rows:
        return PostgresRows(is_together=is_together)

    def commit(self) -> None:
        try:
            told = self._opened.execute("COMMIT").statusmessage
        except psycopg.OperationalError as error:
            log.warning("journal.commit_unknown", reason=str(error))
            if not self._has_been_committed():
                raise
        else:
            if told != "COMMIT":
                raise psycopg.OperationalError(f"the server answered {told}")

    def _has_been_committed(self) -> bool:
        """Read back, once the server answers again; raises psycopg.OperationalError when it does not for long."""
        transaction, pause, deadline = self._transaction, 0.1, time.monotonic() + READ_BACK_SECONDS
        while True:
            try:
                self.close()
                self.open()
                found = self._opened.execute("SELECT pg_xact_status(%s::text::xid8)", (transaction,)).fetchone()
                if found is None or found[0] != "in progress":
                    return found is not None and found[0] == "committed"
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise psycopg.OperationalError("whether the transaction was committed cannot be known")
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def roll_back(self) -> None:
        if self._connection is not None and not self._connection.closed:
            self._connection.execute("ROLLBACK")

    def rest(self) -> None:
        """Nothing: PostgreSQL looks after itself."""

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _in_order(moves: list[tuple[Any, ...]], ends: list[tuple[Any, ...]]) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """All that touch a run's row, by its id; what comes one after the other with the same statement goes together."""
    ordered = sorted([(row[7], _MOVE, row) for row in moves] + [(row[7], _END, row) for row in ends], key=lambda entry: entry[0])
    grouped: list[tuple[str, list[tuple[Any, ...]]]] = []
    for _, sql, row in ordered:
        if not grouped or grouped[-1][0] != sql:
            grouped.append((sql, []))
        grouped[-1][1].append(row)
    return grouped


def _many(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> Any:
    cursor = connection.cursor()
    cursor.executemany(sql, rows)
    return cursor


def _copy(cursor: Any, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with cursor.copy(sql) as copy:
        for row in rows:
            copy.write_row(row)


def _sql(clause: ClauseElement, *names: str) -> str:
    return statement(clause, *names, dialect=dialect(paramstyle="format"))  # type: ignore[no-untyped-call]  # the dialect's maker has no types


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _replacing(table: Table) -> str:
    keys = [column.name for column in table.primary_key]
    made = upsert(table)
    rest = {column.name: made.excluded[column.name] for column in table.columns if column.name not in keys}
    return _sql(made.on_conflict_do_update(index_elements=keys, set_=rest), *_names(table))


def _run_row() -> str:
    """The end of a new run's lease is reckoned by the clock that all processes share, not by that of the one that accepts it."""
    made = upsert(RUN).on_conflict_do_nothing(index_elements=["playbook_id", "dedup_key"], index_where=text("dedup_key IS NOT NULL"))
    before, _, after = _sql(made, *_names(RUN)).partition("VALUES (")
    places = ["%s"] * len(RUN.columns)
    places[_names(RUN).index("lease_until")] = f"CASE WHEN CAST(%s AS bigint) IS NOT NULL THEN {POSTGRES.now} + {LEASE_MICROS} END"
    return f"{before}VALUES ({', '.join(places)}){after.partition(')')[2]}"


_RUN = _run_row()
_MOVE = (
    "UPDATE playbooks_run SET version=%s, status=%s, code=%s, error=%s, started_at=%s, ended_at=%s, due_at=%s "
    "WHERE run_id=%s AND version=%s AND lease_epoch=%s"
)
_END = _MOVE.replace("due_at=%s", "due_at=%s, lease_owner=NULL, lease_until=NULL, wake=FALSE")
_JOURNAL = _sql(upsert(JOURNAL), *_names(JOURNAL))
_ACTION = _replacing(ACTION)
_TIMER = _replacing(TIMER)
_COPY_JOURNAL = f"COPY playbooks_journal ({', '.join(_names(JOURNAL))}) FROM STDIN"
_MAKE_NEWS = "CREATE TEMPORARY TABLE IF NOT EXISTS action_news (LIKE playbooks_action) ON COMMIT DELETE ROWS"
_COPY_ACTIONS = f"COPY action_news ({', '.join(_names(ACTION))}) FROM STDIN"
_SELECT_NEWS = f"SELECT {', '.join(_names(ACTION))} FROM action_news ORDER BY run_id, key"  # noqa: S608  # our own column names
_TAKE_ACTIONS = _ACTION.replace(
    _ACTION[_ACTION.index("VALUES") : _ACTION.index(" ON CONFLICT")],
    _SELECT_NEWS,
)
_DELETE_TIMER = _sql(delete(TIMER).where(TIMER.c.run_id == bindparam("run"), TIMER.c.key == bindparam("place")), "run", "place")
_FORGET_JOURNAL = (
    "UPDATE playbooks_journal SET body = CAST("  # keys keep their order: json is not jsonb, and text in between
    "(SELECT json_object_agg(k, CASE WHEN json_typeof(v) = 'object' AND k LIKE '%%\\_ref' "
    "THEN (SELECT json_object_agg(i, w) FROM json_each(v) AS e(i, w) WHERE i <> 'sealed') ELSE v END) "
    "FROM json_each(CAST(body AS json)) AS o(k, v)) AS text) WHERE run_id = %s AND body LIKE '%%\"sealed\":%%'"
)
_WITHOUT_SEAL = "CAST((SELECT json_object_agg(k, v) FROM json_each(CAST({name} AS json)) AS o(k, v) WHERE k <> 'sealed') AS text)"
_FORGET_ACTIONS = (
    f"UPDATE playbooks_action SET inputs_ref = {_WITHOUT_SEAL.format(name='inputs_ref')}, "  # noqa: S608  # our own column names
    f"outputs_ref = {_WITHOUT_SEAL.format(name='outputs_ref')} "
    "WHERE run_id = %s AND (inputs_ref LIKE '%%\"sealed\":%%' OR outputs_ref LIKE '%%\"sealed\":%%')"
)
_OPEN_CALLBACK = _sql(upsert(CALLBACK).on_conflict_do_nothing(), *_names(CALLBACK))
_ANSWER = _sql(upsert(MESSAGE).on_conflict_do_nothing(), *_names(MESSAGE))
_TAKE_MESSAGE = "UPDATE playbooks_message SET taken_seq=%s, disposition=%s WHERE message_id=%s"
