"""Dispatch on PostgreSQL by Procrastinate: what wakes a run is a job with its id, and any worker may take it.

A run that was accepted here is worked on here, as its lease says; what comes later, such as a timer, a message or the sweep of a run that a
dead process left, goes to whoever is free. Beside the job every process is told by NOTIFY, so that the one that holds the run's
lease takes the news at once. Jobs carry nothing but the id: one that is lost is made again by the sweep, one too many finds the lease taken.
"""

import asyncio
from asyncio import Future, Task
from collections.abc import Callable
from typing import LiteralString

import psycopg
from procrastinate import App, JobContext, PsycopgConnector, exceptions
from procrastinate.jobs import Status
from procrastinate.schema import SchemaManager

from guardship.playbooks.dispatch import notices
from guardship.playbooks.dispatch.local import MOST_AT_ONCE, LocalDispatch
from guardship.playbooks.rounds import every
from guardship.storage.postgres import WRITING_LOCK, PostgresServer

QUEUE = "playbooks"
TASK = "turn"
SCHEMA_LOCK = WRITING_LOCK + 3
BEAT_SECONDS = 10.0
STALLED_SECONDS = 30.0

# Only a job that still stands in line takes the lock: while one is worked on another may be queued, so no wake is lost.
_ENQUEUE: LiteralString = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args) "
    "VALUES (%(queue)s, %(task)s, %(priority)s, %(run_id)s, jsonb_build_object('run_id', %(run_id)s::text)) "
    "ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING"
)

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
        rounds = (self._tell_others, lambda: notices.listen(self._server, self._hear), self._work)
        self._tasks = [asyncio.get_running_loop().create_task(notices.insist(act, _AWAY)) for act in rounds]

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
        async with await notices.connect(self._server) as connection:
            while True:
                if not self._untold:
                    self._has_untold.clear()
                    await self._has_untold.wait()
                told, self._untold = self._untold, {}
                rows = [{"queue": QUEUE, "task": TASK, "run_id": run_id, "priority": priority} for run_id, priority in told.items()]
                try:
                    async with connection.transaction(), connection.cursor() as cursor:
                        await cursor.executemany(_ENQUEUE, rows)
                        await notices.tell(connection, told)
                except psycopg.Error:
                    self._untold = told | self._untold  # told again, as soon as there is a connection
                    raise

    async def _work(self) -> None:
        app = App(connector=PsycopgConnector(kwargs=self._server.settings(), min_size=2, max_size=8))

        @app.task(name=TASK, queue=QUEUE, pass_context=True)
        async def turn(context: JobContext, run_id: str) -> None:
            await self._take(run_id, context.job.priority)

        async with app.open_async():
            stalled = asyncio.get_running_loop().create_task(every(BEAT_SECONDS, lambda: _clear_stalled(app)))
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


async def _clear_stalled(app: App) -> None:
    """Jobs of workers that are gone: the sweep wakes their runs as soon as the leases are out, so here they only lie about."""
    for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=STALLED_SECONDS):
        await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
