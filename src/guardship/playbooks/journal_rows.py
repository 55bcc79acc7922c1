"""The rows a batch of the journal writes, gathered over its jobs: one statement a table, however many jobs there are.

Each step of SQLite gives the interpreter's lock away and has to win it back from the event loop, which may hold it for milliseconds; so
what counts is how few statements a batch takes. A statement has places for 1, 2, 4, … rows; places that stay empty hold NULL and are
passed over. A run that begins and moves on in one batch is written once, as it is at the end. When a fence refuses one of many the batch
is rolled back and done again job by job.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table, bindparam, delete, text
from sqlalchemy.dialects.sqlite import insert as upsert

from guardship.playbooks.events import PAYLOADS
from guardship.playbooks.journal_tables import ACTION, CALLBACK, JOURNAL, MESSAGE, RUN, TIMER, statement

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class NotTogether(Exception):  # the batch is done again, nothing has failed
    """Somebody's row was not taken: the fence of an append refused it, or the run was known."""


@dataclass(slots=True)
class Rows:
    is_together: bool  # many jobs: whether all were taken is seen at the end
    runs: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    moves: list[tuple[Any, ...]] = field(default_factory=list)
    ends: list[tuple[Any, ...]] = field(default_factory=list)
    journal: list[tuple[Any, ...]] = field(default_factory=list)
    actions: list[tuple[Any, ...]] = field(default_factory=list)
    timers: list[tuple[str, str, int, int | None, str | None]] = field(default_factory=list)
    dropped_timers: list[tuple[str, str]] = field(default_factory=list)
    callbacks: list[tuple[Any, ...]] = field(default_factory=list)
    answers: list[tuple[Any, ...]] = field(default_factory=list)  # messages to other runs
    taken: list[tuple[int, str, str]] = field(default_factory=list)  # position, disposition, message
    forgotten: list[tuple[str]] = field(default_factory=list)

    def add_run(self, cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> bool:
        """False: this trigger has made its run before."""
        if self.is_together:
            if values[0] in self.runs:
                raise NotTogether
            self.runs[values[0]] = values
            return True
        return _RUN_ROWS.write(cursor, [values]) == 1

    def move_run(self, cursor: sqlite3.Cursor, values: tuple[Any, ...], *, is_over: bool) -> bool:
        """`values` in the order of `_MOVE`. False: the run is at another version, or leased anew."""
        if self.is_together:
            begun = self.runs.get(values[7])
            if begun is None:
                (self.ends if is_over else self.moves).append(values)
            else:
                self.runs[values[7]] = _moved(begun, values, is_over=is_over)
            return True
        return (_ENDS if is_over else _MOVES).write(cursor, [values]) == 1

    def flush(self, cursor: sqlite3.Cursor) -> None:
        for fenced, rows in ((_RUN_ROWS, [*self.runs.values()]), (_MOVES, self.moves), (_ENDS, self.ends)):
            if rows and fenced.write(cursor, rows) != len(rows):
                raise NotTogether
        _JOURNAL_ROWS.write(cursor, self.journal)
        _ACTION_ROWS.write(cursor, self.actions)
        if self.dropped_timers:
            cursor.executemany(_DELETE_TIMER, self.dropped_timers)
        _TIMER_ROWS.write(cursor, self.timers)
        for sql, some in ((_OPEN_CALLBACK, self.callbacks), (_ANSWER, self.answers), (_TAKE_MESSAGE, self.taken)):
            for row in some:
                cursor.execute(sql, row)
        for run in self.forgotten:
            cursor.execute(_FORGET_JOURNAL, run)
            cursor.execute(_FORGET_ACTIONS, run)
        self.clear()

    def clear(self) -> None:
        self.runs.clear()
        for written in (self.moves, self.ends, self.journal, self.actions, self.dropped_timers, self.timers, self.forgotten):
            written.clear()
        for told in (self.callbacks, self.answers, self.taken):
            told.clear()


def _moved(begun: tuple[Any, ...], values: tuple[Any, ...], *, is_over: bool) -> tuple[Any, ...]:
    """The row of a run that is not written yet, after what `_MOVE` or `_ENDS` would do to it."""
    version, status, code, error, started_at, ended_at, due_at, _, expected_version, epoch = values
    *who, _, _, _, accepted_at, _, _, known_version, lease_owner, known_epoch, lease_until, wake, _ = begun
    if (known_version, known_epoch) != (expected_version, epoch):
        raise NotTogether  # the fence refuses it
    lease = (None, epoch, None, False) if is_over else (lease_owner, epoch, lease_until, wake)
    return (*who, status, code, error, accepted_at, started_at, ended_at, version, *lease, due_at)


class _ManyRows:
    """One statement that takes as many rows as there are, up to the largest of `SIZES`."""

    def __init__(self, one: str, width: int) -> None:
        """`one` has `{values}` where the rows stand."""
        row = f"({', '.join('?' * width)})"
        self._sql = {size: one.replace("{values}", f"(VALUES {', '.join([row] * size)})") for size in SIZES}
        self._nothing = (None,) * width

    def write(self, cursor: sqlite3.Cursor, rows: Sequence[tuple[Any, ...]]) -> int:
        """How many rows the database took."""
        taken = 0
        for start in range(0, len(rows), SIZES[-1]):
            part = rows[start : start + SIZES[-1]]
            size = 1 << (len(part) - 1).bit_length()
            values = [value for row in part for value in row]
            values.extend(self._nothing * (size - len(part)))
            taken += cursor.execute(self._sql[size], values).rowcount
        return taken


def _inserting(table: Table, clause: Any) -> _ManyRows:
    names = [column.name for column in table.columns]
    one = statement(clause, *names)
    places = f"VALUES ({', '.join('?' * len(names))})"
    if places not in one:
        raise ValueError(f"no place for rows in {one}")
    return _ManyRows(one.replace(places, "SELECT * FROM {values} WHERE column1 IS NOT NULL", 1), len(names))


def _replacing(table: Table) -> _ManyRows:
    keys = [column.name for column in table.primary_key]
    made = upsert(table)
    rest = {column.name: made.excluded[column.name] for column in table.columns if column.name not in keys}
    return _inserting(table, made.on_conflict_do_update(index_elements=keys, set_=rest))


_MOVE = (
    "UPDATE playbooks_run SET version=v.column1, status=v.column2, code=v.column3, error=v.column4, started_at=v.column5, "
    "ended_at=v.column6, due_at=v.column7 FROM {values} AS v "
    "WHERE playbooks_run.run_id=v.column8 AND playbooks_run.version=v.column9 AND playbooks_run.lease_epoch=v.column10"
)
_MOVES = _ManyRows(_MOVE, 10)
_ENDS = _ManyRows(_MOVE.replace("due_at=v.column7", "due_at=v.column7, lease_owner=NULL, lease_until=NULL, wake=0"), 10)
_RUN_ROWS = _inserting(
    RUN, upsert(RUN).on_conflict_do_nothing(index_elements=["playbook_id", "dedup_key"], index_where=text("dedup_key IS NOT NULL"))
)
_JOURNAL_ROWS = _inserting(JOURNAL, upsert(JOURNAL))
_ACTION_ROWS = _replacing(ACTION)
_TIMER_ROWS = _replacing(TIMER)
_SEALED = ", ".join(f"'$.{name}_ref.sealed'" for name in PAYLOADS)
_FORGET_JOURNAL = f"UPDATE playbooks_journal SET body = json_remove(body, {_SEALED}) WHERE run_id = ? AND body LIKE '%\"sealed\":%'"  # noqa: S608
_FORGET_ACTIONS = (
    "UPDATE playbooks_action SET inputs_ref = json_remove(inputs_ref, '$.sealed'), outputs_ref = json_remove(outputs_ref, '$.sealed') "
    "WHERE run_id = ? AND (inputs_ref LIKE '%\"sealed\":%' OR outputs_ref LIKE '%\"sealed\":%')"
)
_OPEN_CALLBACK = statement(upsert(CALLBACK).on_conflict_do_nothing(), *[column.name for column in CALLBACK.columns])
_ANSWER = statement(upsert(MESSAGE).on_conflict_do_nothing(), *[column.name for column in MESSAGE.columns])
_TAKE_MESSAGE = "UPDATE playbooks_message SET taken_seq=?, disposition=? WHERE message_id=?"
_DELETE_TIMER = statement(delete(TIMER).where(TIMER.c.run_id == bindparam("run"), TIMER.c.key == bindparam("place")), "run", "place")
