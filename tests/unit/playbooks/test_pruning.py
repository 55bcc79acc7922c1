import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.unit.playbooks.engine_room import Room, compose, engine_room

from guardship.clock import SystemClock
from guardship.playbooks.firing import Firing
from guardship.playbooks.journal_tables import ACTION, JOURNAL, RUN, TIMER
from guardship.playbooks.pruning import Keeping, Pruning
from guardship.playbooks.run_rows import RunFilter
from guardship.storage.blobs import Blob, Blobs, BlobUse

LARGE = "x" * 20_000
REST = {"Rest": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {}}}


@dataclass
class Later:
    """The system's clock, so many days on."""

    days: float

    def now(self) -> datetime:
        return SystemClock().now() + timedelta(days=self.days)

    def monotonic(self) -> float:
        return SystemClock().monotonic()


def pruning(room: Room, home: Path, *, days: float = 0.0, keeping: Keeping) -> Pruning:
    return Pruning(room.database, Blobs(home / "blobs"), Later(days), keeping)


def count(room: Room, table: Any) -> int:
    with room.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


async def ended(room: Room, number: int) -> None:
    playbook_id = room.publish({"A": compose("@triggerBody()", runAfter={})})
    for index in range(number):
        accepted = await room.runner.accept_soon(Firing(playbook_id, None, {"text": f"{LARGE}{index}"}))
        async with asyncio.timeout(10):
            await room.runner.wait_ended(accepted.run_id)


def test_runs_that_ended_long_ago_go_with_all_that_was_theirs_and_waiting_ones_stay(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            waiting = await room.runner.accept_soon(Firing(room.publish(REST, name="waiting"), None, {"text": LARGE}))
            await ended(room, 5)
            async with asyncio.timeout(5):
                while room.runs.view(waiting.run_id)["status"] != "Waiting":
                    await asyncio.sleep(0.01)
            keeping = Keeping(days=30)
            assert (await asyncio.to_thread(pruning(room, tmp_path, days=29, keeping=keeping).round)).runs == 0
            gone = await asyncio.to_thread(pruning(room, tmp_path, days=31, keeping=keeping).round)
            assert (gone.runs, gone.payloads) == (5, 10)  # the trigger with its body, and the body
            assert [run.run_id for run in room.runs.rows.runs(RunFilter())] == [waiting.run_id]
            assert count(room, RUN) == count(room, TIMER) == 1
            assert count(room, JOURNAL) > 0
            assert count(room, ACTION) == 1
            assert count(room, Blob.__table__) == count(room, BlobUse.__table__) == 1
            kept: Any = room.runs.payload(waiting.run_id, "", "outputs")
            assert kept["body"]["text"] == LARGE

    asyncio.run(work())


def test_without_a_limit_nothing_goes(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            await ended(room, 2)
            assert (await asyncio.to_thread(pruning(room, tmp_path, days=10_000, keeping=Keeping()).round)).runs == 0

    asyncio.run(work())


def test_above_the_size_the_oldest_go_until_it_fits(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            await ended(room, 3)
            assert (await asyncio.to_thread(pruning(room, tmp_path, keeping=Keeping(megabytes=10_000)).round)).runs == 0
            assert (await asyncio.to_thread(pruning(room, tmp_path, keeping=Keeping(megabytes=0)).round)).runs == 3

    asyncio.run(work())


def test_a_payload_stays_while_a_run_needs_it_and_for_a_day_after(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            await ended(room, 1)
            gone = await asyncio.to_thread(pruning(room, tmp_path, days=0.5, keeping=Keeping(days=0)).round)
            assert (gone.runs, gone.payloads) == (1, 0)
            assert (await asyncio.to_thread(pruning(room, tmp_path, days=1.5, keeping=Keeping(days=0)).round)).payloads == 2

    asyncio.run(work())


@pytest.mark.parametrize("size", [100, 3_000_000])
def test_a_payload_that_is_put_again_after_it_went_is_there(tmp_path: Path, size: int) -> None:
    import random

    async def work() -> None:
        async with engine_room(tmp_path) as room:
            blobs, content = Blobs(tmp_path / "blobs"), random.Random(size).randbytes(size)
            with room.database.transaction() as session:
                blobs.put(session, content, at=SystemClock().now() - timedelta(days=3))
            with room.database.transaction() as session:
                taken = blobs.take_unused(session, before=SystemClock().now(), limit=10)
            with room.database.transaction() as session:
                blob_id = blobs.put(session, content, at=SystemClock().now())
            blobs.remove_files(taken)
            with room.database.reading() as session:
                assert blobs.get(session, blob_id) == content

    asyncio.run(work())


def test_runs_go_on_while_others_go(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            await ended(room, 60)
            going = asyncio.create_task(asyncio.to_thread(pruning(room, tmp_path, days=2, keeping=Keeping(days=1)).round))
            view = await room.run({"B": compose(1, runAfter={})}, name="other")
            assert view["status"] == "Succeeded"
            assert (await going).runs >= 60

    asyncio.run(work())
