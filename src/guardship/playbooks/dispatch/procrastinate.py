"""Dispatch on PostgreSQL by Procrastinate: what wakes a run is a job with its id, and any worker may take it.

A run that was accepted here is worked on here, as its lease says; what comes later, such as a timer, a message or the sweep of a run that a
dead process left, goes to whoever is free. Beside the job every process is told by NOTIFY, so that the one that holds the run's
lease takes the news at once. Jobs carry nothing but the id: one that is lost is made again by the sweep, one too many finds the lease taken.
"""

import asyncio
from asyncio import Future, Task
from collections.abc import Callable, Coroutine
from typing import Any, LiteralString

import psycopg
from procrastinate import App, JobContext, PsycopgConnector, exceptions
from procrastinate.jobs import Status
from procrastinate.schema import SchemaManager

from guardship.playbooks.dispatch.local import MOST_AT_ONCE, LocalDispatch
from guardship.storage.postgres import WRITING_LOCK, PostgresServer
from guardship.telemetry import get_log

QUEUE = "playbooks"
TASK = "turn"
CHANNEL = "guardship_run"
SCHEMA_LOCK = WRITING_LOCK + 3
BEAT_SECONDS = 10.0
STALLED_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 5.0

# Only a job that still stands in line takes the lock: while one is worked on another may be queued, so no wake is lost.
_ENQUEUE: LiteralString = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args) "
    "VALUES (%(queue)s, %(task)s, %(priority)s, %(run_id)s, jsonb_build_object('run_id', %(run_id)s::text)) "
    "ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING"
)

log = get_log("dispatch")

_AWAY = (psycopg.Error, exceptions.ProcrastinateException, OSError)


def prepare(server: PostgresServer) -> None:
    """Make Procrastinate's own tables, once a database; only who dispatches by it has them."""
    with server.connect() as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
        (known,) = connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone() or (None,)
        if known is None:
            connection.execute(SchemaManager.get_schema())


class ProcrastinateDispatch:
    def __init__(self, server: PostgresServer, most_at_once: int = MOST_AT_ONCE) -> None:
        self._server = server
        self._most_at_once = most_at_once
        self._here = LocalDispatch(most_at_once)
        self._hear: Callable[[str], bool] = lambda run_id: False
        self._untold: dict[str, int] = {}  # wakes for the others, with their priority
        self._has_untold = asyncio.Event()
        self._waiting: dict[str, list[Future[None]]] = {}  # jobs whose turn is not over
        self._tasks: list[Task[None]] = []

    def start(self, take_turn: Callable[[str], None], hear: Callable[[str], bool] | None = None) -> None:
        self._hear = hear or self._hear
        self._here.start(take_turn)
        rounds = (self._tell_others, self._listen, self._work)
        self._tasks = [asyncio.get_running_loop().create_task(_again_and_again(act)) for act in rounds]

    def stop(self) -> None:
        self._here.stop()
        for task in self._tasks:
            task.cancel()
        for run_id in list(self._waiting):
            self._let_go(run_id)

    def wake(self, run_id: str, priority: int, playbook_id: str) -> None:
        if self._here.knows(run_id):
            self._here.wake(run_id, priority, playbook_id)
            return
        self._untold[run_id] = priority
        self._has_untold.set()

    def wake_here(self, run_id: str, priority: int, playbook_id: str) -> None:
        self._here.wake(run_id, priority, playbook_id)

    def begin_now(self, run_id: str, priority: int, playbook_id: str) -> bool:
        return self._here.begin_now(run_id, priority, playbook_id)

    def finished(self, run_id: str) -> None:
        self._here.finished(run_id)
        self._let_go(run_id)

    def _let_go(self, run_id: str) -> None:
        for waiting in self._waiting.pop(run_id, ()):
            if not waiting.done():
                waiting.set_result(None)

    async def _tell_others(self) -> None:
        async with await self._connect() as connection:
            while True:
                await self._has_untold.wait()
                self._has_untold.clear()
                told = dict(self._untold)
                rows = [{"queue": QUEUE, "task": TASK, "run_id": run_id, "priority": priority} for run_id, priority in told.items()]
                async with connection.transaction(), connection.cursor() as cursor:
                    await cursor.executemany(_ENQUEUE, rows)
                    await cursor.executemany("SELECT pg_notify(%s, %s)", [(CHANNEL, run_id) for run_id in told])
                for run_id in told:
                    self._untold.pop(run_id, None)

    async def _listen(self) -> None:
        async with await self._connect() as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            async for notice in connection.notifies():
                self._hear(notice.payload)

    async def _work(self) -> None:
        app = App(connector=PsycopgConnector(kwargs=self._server.settings(), min_size=2, max_size=8))

        @app.task(name=TASK, queue=QUEUE, pass_context=True)
        async def turn(context: JobContext, run_id: str) -> None:
            await self._take(run_id, context.job.priority)

        async with app.open_async(), asyncio.TaskGroup() as group:
            stalled = group.create_task(_clear_stalled(app))
            try:
                await app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=self._most_at_once,
                    fetch_job_polling_interval=1.0,
                    shutdown_graceful_timeout=1.0,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    update_heartbeat_interval=BEAT_SECONDS,
                    stalled_worker_timeout=STALLED_SECONDS,
                )
            finally:
                stalled.cancel()

    async def _take(self, run_id: str, priority: int) -> None:
        """Until the turn is over: as many jobs are under way as turns."""
        waiting: Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(run_id, []).append(waiting)
        self._here.wake(run_id, priority, "")
        await waiting

    async def _connect(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        return await psycopg.AsyncConnection.connect(**self._server.settings(), autocommit=True)


async def _clear_stalled(app: App) -> None:
    """Jobs of workers that are gone: the sweep wakes their runs as soon as the leases are out, so here they only lie about."""
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=STALLED_SECONDS):
            await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)


async def _again_and_again(act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """The database may go away and come back: each takes up its work by itself."""
    pause = 0.1
    while True:
        begun = asyncio.get_running_loop().time()
        try:
            await act()
        except _AWAY as error:
            log.warning("dispatch.unavailable", act=act.__name__, reason=str(error))
        except BaseExceptionGroup as group:
            known, unknown = group.split(_AWAY)
            if unknown is not None:
                raise
            log.warning("dispatch.unavailable", act=act.__name__, reason=str(known))
        if asyncio.get_running_loop().time() - begun > LONGEST_PAUSE_SECONDS:
            pause = 0.1
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
