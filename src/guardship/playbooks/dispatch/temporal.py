"""Dispatch by Temporal, for those who run it: one workflow a run, one activity a turn, on whichever worker takes it.

A run that was accepted here is worked on here at once, as its lease says; its workflow begins with the first wake that comes for it afterwards,
such as a timer, a message, or the sweep of a run that a dead process left. The lease fences an activity that Temporal tries again like
every other worker that was replaced. Temporal keeps no payload: only ids of runs.
"""

import asyncio
from asyncio import Future, Task
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import psycopg
from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from guardship.playbooks.dispatch import notices
from guardship.playbooks.dispatch.local import MOST_AT_ONCE, LocalDispatch
from guardship.playbooks.dispatch.temporal_workflow import HEARTBEAT_SECONDS, TURN, WORKFLOW, PlaybookRun
from guardship.storage.postgres import PostgresServer
from guardship.telemetry import get_log

QUEUE = "playbooks"
LONGEST_PAUSE_SECONDS = 5.0
MOST_TOLD_AT_ONCE = 50

log = get_log("dispatch")

_AWAY = (psycopg.Error, OSError, RPCError, RuntimeError)  # the last is what its client raises when it cannot connect


class TemporalDispatch:
    def __init__(
        self,
        address: str,
        pause: Callable[[str], float | None],
        *,
        namespace: str = "default",
        queue: str = QUEUE,
        most_at_once: int = MOST_AT_ONCE,
        news: PostgresServer | None = None,
    ) -> None:
        """`pause` says what a run that is not worked on waits for: see `JournalReading.pause`. More than one worker needs `news`."""
        self._address = address
        self._pause = pause
        self._namespace = namespace
        self._queue = queue
        self._most_at_once = most_at_once
        self._here = LocalDispatch(most_at_once)
        self._hear: Callable[[str], bool] = lambda run_id: False
        self._untold: set[str] = set()
        self._has_untold = asyncio.Event()
        self._has_news = asyncio.Event()
        self._waiting: dict[str, list[Future[None]]] = {}  # activities whose turn is not over
        self._news = news
        self._fresh_news: set[str] = set()
        self._tasks: list[Task[None]] = []

    def start(self, take_turn: Callable[[str], None], hear: Callable[[str], bool] | None = None) -> None:
        self._hear = hear or self._hear
        self._here.start(take_turn)
        rounds: list[Callable[[], Coroutine[Any, Any, None]]] = [self._work]
        if (news := self._news) is not None:
            rounds += [lambda: notices.listen(news, self._hear), lambda: self._tell_news(news)]
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
        self._untold.add(run_id)
        self._fresh_news.add(run_id)
        self._has_untold.set()
        self._has_news.set()

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

    async def _work(self) -> None:
        """Temporal may be away when we start; once it was connected its client connects anew by itself."""
        client = await Client.connect(self._address, namespace=self._namespace)
        worker = Worker(
            client,
            task_queue=self._queue,
            workflows=[PlaybookRun],
            activities=[self._take_turn],
            max_concurrent_activities=self._most_at_once,
            graceful_shutdown_timeout=timedelta(seconds=1),
        )
        async with worker:
            await self._tell(client)

    async def _tell(self, client: Client) -> None:
        while True:
            if not self._untold:
                self._has_untold.clear()
                await self._has_untold.wait()
            told = [self._untold.pop() for _ in range(min(len(self._untold), MOST_TOLD_AT_ONCE))]
            done = await asyncio.gather(*[self._start(client, run_id) for run_id in told])
            left = [run_id for run_id, is_told in zip(told, done, strict=True) if not is_told]
            if left:
                self._untold.update(left)
                await asyncio.sleep(LONGEST_PAUSE_SECONDS)

    async def _tell_news(self, news: PostgresServer) -> None:
        async with await notices.connect(news) as connection:
            while True:
                await self._has_news.wait()
                self._has_news.clear()
                told, self._fresh_news = self._fresh_news, set()
                await notices.tell(connection, told)

    async def _start(self, client: Client, run_id: str) -> bool:
        """Start the run's workflow, or wake the one it has. False: Temporal is away."""
        try:
            await client.start_workflow(
                WORKFLOW,
                run_id,
                id=run_id,
                task_queue=self._queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal="wake",
            )
        except WorkflowAlreadyStartedError:
            return True  # it has ended, and so has the run
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return True
            log.warning("dispatch.unavailable", address=self._address, reason=str(error))
            return False
        return True

    @activity.defn(name=TURN)
    async def _take_turn(self, run_id: str) -> float | None:
        """Take a turn here; the seconds to the next due time, -1 for none, None when the run has ended."""
        waiting: Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(run_id, []).append(waiting)
        self._here.wake(run_id, 0, "")
        while not waiting.done():
            activity.heartbeat()
            await asyncio.wait([waiting], timeout=HEARTBEAT_SECONDS / 3)
        return await asyncio.to_thread(self._pause, run_id)
