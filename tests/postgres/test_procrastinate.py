"""Runs that several workers share by Procrastinate: a wake reaches one of them, news reach the one that has the run."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.postgres.own_server import OwnServer
from tests.postgres.test_journal import Worker
from tests.unit.playbooks.engine_room import call, compose

from guardship.playbooks.dispatch.procrastinate import ProcrastinateDispatch, prepare
from guardship.playbooks.firing import Firing
from guardship.storage.postgres import PostgresServer

MakeWorker = Callable[[str], Worker]


@pytest.fixture
def worker(url: str, tmp_path: Path) -> MakeWorker:
    prepare(PostgresServer(url))
    return lambda seat: Worker(url, tmp_path, seat, dispatch=ProcrastinateDispatch(PostgresServer(url)))


def jobs(worker: Worker) -> list[tuple[Any, ...]]:
    return worker.database.ask("SELECT queue_name, task_name, queueing_lock, args::text, status::text FROM procrastinate_jobs", {})


async def ended(worker: Worker, run_id: str) -> str:
    async with asyncio.timeout(40):
        while (status := await asyncio.to_thread(worker.journal.ended_status, run_id)) is None:
            await asyncio.sleep(0.02)
    return status


def test_the_tables_are_made_once_however_often_it_is_asked(url: str) -> None:
    server = PostgresServer(url)
    prepare(server)
    prepare(server)
    with server.connect() as connection:
        shape = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'procrastinate_jobs' AND indexdef LIKE '%queueing_lock%'"
        ).fetchone()
    assert shape is not None
    assert "UNIQUE" in shape[0]
    assert "(queueing_lock) WHERE (status = 'todo'::procrastinate_job_status)" in shape[0]


def test_runs_that_wait_are_woken_by_whoever_is_there_and_leave_no_job_behind(worker: MakeWorker) -> None:
    actions = {
        "Pause": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Second"}}, "runAfter": {}},
        "Tell": call("post", "/letters", {}, runAfter={"Pause": ["Succeeded"]}),
    }

    async def work() -> tuple[Counter[str], Counter[str], list[tuple[Any, ...]]]:
        async with worker("a/") as first, worker("b/") as second:
            playbook_id = first.publish(actions)
            accepted = [await first.runner.accept_soon(Firing(playbook_id, None, None)) for _ in range(40)]
            statuses = Counter([await ended(second, one.run_id) for one in accepted])
            claims = first.database.ask("SELECT body FROM playbooks_journal WHERE kind = 'RunClaimed'", {})
            owners = Counter(row[0].partition('"worker_id":"')[2][:2] for row in claims)
            for _ in range(100):
                if not jobs(first):
                    break
                await asyncio.sleep(0.05)
            letters = Counter(deed["key"] for deed in first.desk.world.deeds("send"))
            assert set(letters.values()) == {1}
            assert len(letters) == 40
            return statuses, owners, jobs(first)

    statuses, owners, left = asyncio.run(work())
    assert statuses == {"Succeeded": 40}
    assert owners.keys() == {"a/", "b/"}, "both have worked"
    assert left == []


def test_a_cancel_that_is_given_elsewhere_reaches_the_worker_that_has_the_run(worker: MakeWorker) -> None:
    async def work() -> tuple[str, float]:
        async with worker("a/") as first, worker("b/") as second:
            playbook_id = first.publish({"Slow": call("post", "/repeatable", {"seconds": 30}, runAfter={})})
            accepted = await first.runner.accept_soon(Firing(playbook_id, None, None))
            await asyncio.sleep(0.5)
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await asyncio.to_thread(second.runner.messages.cancel, accepted.run_id, by="ada", reason="not wanted")
            return await ended(first, accepted.run_id), loop.time() - begun

    status, seconds = asyncio.run(work())
    assert status == "Cancelled"
    assert seconds < 5


def test_dispatch_goes_on_by_itself_after_the_server_was_away(worker: MakeWorker, server: OwnServer) -> None:
    pause = {
        "Pause": {"type": "Wait", "inputs": {"interval": {"count": 2, "unit": "Second"}}, "runAfter": {}},
        "End": compose(1, runAfter={"Pause": ["Succeeded"]}),
    }

    async def work() -> list[str]:
        async with worker("a/") as first, worker("b/") as second:
            playbook_id = first.publish(pause)
            accepted = [await first.runner.accept_soon(Firing(playbook_id, None, None)) for _ in range(5)]
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.stop, at_once=True)
            await asyncio.sleep(2.0)
            await asyncio.to_thread(server.start)
            return [await ended(second, one.run_id) for one in accepted]

    assert asyncio.run(work()) == ["Succeeded"] * 5
