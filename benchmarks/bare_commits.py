"""The plain baseline of the engine: runs kept by a group-commit loop, with nothing worked out and nothing fenced.

A run is a row at its start and at its end, and one row an action; a caller waits for every commit, as a caller of the engine does. The
file has the same pragmas; on PostgreSQL a batch is one pipeline, as there. What the engine adds to this is its price.
"""

import asyncio
import json
import queue
import sqlite3
import threading
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import psycopg

Statements: TypeAlias = list[tuple[str, tuple[Any, ...]]]
BySql: TypeAlias = dict[str, list[tuple[Any, ...]]]

_TABLES = (
    "CREATE TABLE run (run_id TEXT PRIMARY KEY, status TEXT, trigger TEXT, accepted_at BIGINT, ended_at BIGINT)",
    "CREATE TABLE action (run_id TEXT, name TEXT, status TEXT, outputs TEXT, ended_at BIGINT, PRIMARY KEY (run_id, name))",
)
_START = "INSERT INTO run VALUES (?, 'Running', ?, ?, NULL)"
_ACTION = "INSERT INTO action VALUES (?, ?, 'Succeeded', ?, ?)"
_END = "UPDATE run SET status='Succeeded', ended_at=? WHERE run_id=?"


class BareCommits:
    """A thread that commits what has piled up, as the journal's writer does."""

    def __init__(self, place: Path | str) -> None:
        """SQLite's file, or the address of a database on PostgreSQL."""
        self._place = place
        self._queue: queue.SimpleQueue[tuple[Statements, Future[None]] | None] = queue.SimpleQueue()
        self._loop: AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="bare")

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        self._queue.put(None)
        self._thread.join()

    async def commit(self, statements: Statements) -> None:
        done: Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put((statements, done))
        await done

    def _run(self) -> None:
        if isinstance(self._place, Path):
            with closing(sqlite3.connect(self._place, isolation_level=None)) as connection:
                for pragma in ("journal_mode=WAL", "synchronous=FULL"):
                    connection.execute(f"PRAGMA {pragma}")
                for table in _TABLES:
                    connection.execute(f"{table} WITHOUT ROWID")
                while self._commit_batch(lambda by_sql: _on_sqlite(connection, by_sql)):
                    pass
            return
        with psycopg.connect(self._place, autocommit=True) as server:
            for table in _TABLES:
                server.execute(table)
            while self._commit_batch(lambda by_sql: _on_postgres(server, by_sql)):
                pass

    def _commit_batch(self, write: Callable[[BySql], None]) -> bool:
        batch = [self._queue.get()]
        while not self._queue.empty():
            batch.append(self._queue.get())
        taken = [entry for entry in batch if entry is not None]
        by_sql: BySql = {}
        for statements, _ in taken:
            for sql, values in statements:
                by_sql.setdefault(sql, []).append(values)
        write(by_sql)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(_settle, [done for _, done in taken])
        return len(taken) == len(batch)


def _on_sqlite(connection: sqlite3.Connection, by_sql: BySql) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for sql, rows in by_sql.items():
        connection.executemany(sql, rows)
    connection.execute("COMMIT")


def _on_postgres(connection: psycopg.Connection[tuple[Any, ...]], by_sql: BySql) -> None:
    with connection.pipeline():
        connection.execute("BEGIN")
        for sql, rows in by_sql.items():
            connection.cursor().executemany(sql.replace("?", "%s"), rows)
        connection.execute("COMMIT")


def _settle(waiting: list[Future[None]]) -> None:
    for done in waiting:
        done.set_result(None)


@dataclass(frozen=True, slots=True)
class BareRun:
    """How many commits a run of this form makes, and what lies in them."""

    alert: dict[str, Any]
    is_committed_by_action: bool

    async def make(self, commits: BareCommits, run_id: str) -> None:
        now = time.time_ns() // 1000
        await commits.commit([(_START, (run_id, json.dumps(self.alert), now))])
        actions: Statements = [(_ACTION, (run_id, f"Action_{number}", '{"said": true}', now)) for number in range(5)]
        if self.is_committed_by_action:
            for action in actions:
                await commits.commit([action])
            await commits.commit([(_END, (now, run_id))])
        else:
            await commits.commit([*actions, (_END, (now, run_id))])


async def measure(run: BareRun, runs: int, callers: int, place: Path | str) -> float:
    """Runs a second."""
    commits = BareCommits(place)
    commits.start()
    numbers = iter(range(runs))

    async def caller() -> None:
        for number in numbers:
            await run.make(commits, f"run_{number:012}")

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    seconds = time.perf_counter() - start
    commits.stop()
    return runs / seconds
