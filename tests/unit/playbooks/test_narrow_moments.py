"""Moments that last an instant: a message between two steps of the runner, a fault of the writer between two jobs."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.databases import demand_sqlite
from tests.unit.playbooks.engine_room import after, call, engine_room

from guardship.playbooks.connector import CallFailed
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.firing import Firing
from guardship.playbooks.journal_rows import Rows
from guardship.playbooks.journal_writer import JournalUnavailable, JournalWriter, OwnedBlob
from guardship.storage.database import Database


def wait(unit: str) -> dict[str, Any]:
    return {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": unit}}, "runAfter": {}}


def test_a_cancel_that_comes_while_the_run_is_loaded_is_heard(tmp_path: Path) -> None:
    async def work() -> tuple[str, list[Any]]:
        async with engine_room(tmp_path) as room:
            slow = call("post", "/letters", {"seconds": 2}, runAfter=after("Wait"))
            actions = {"Wait": wait("Second"), "Slow": slow, "Next": call("post", "/letters", {"n": 2}, runAfter=after("Slow"))}
            playbook_id = room.publish(actions)
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, None))
            load, loop = room.journal.load, asyncio.get_running_loop()
            told: list[bool] = []

            def loading(run_id: str, workflow: Any) -> Any:
                found = load(run_id, workflow)
                if not told:
                    told.append(room.runner.messages.cancel(run_id, by="ada", reason="stop"))
                    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()  # the loop has heard of it
                return found

            room.journal.load = loading  # type: ignore[method-assign]
            async with asyncio.timeout(20):
                return await room.runner.wait_ended(accepted.run_id), [deed["body"] for deed in room.world.deeds()]

    status, bodies = asyncio.run(work())
    assert status == "Cancelled"
    assert {"n": 2} not in bodies


def test_a_cancel_right_after_the_lease_was_given_back_is_heard_at_once(tmp_path: Path) -> None:
    async def work() -> str:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish({"Wait": wait("Hour")})
            release = room.journal.release
            told: list[bool] = []

            async def released(run_id: str, epoch: int) -> bool:
                found = await release(run_id, epoch)
                if found and not told:
                    told.append(await asyncio.to_thread(room.runner.messages.cancel, run_id, by="ada", reason="stop"))
                    await asyncio.sleep(0)
                return found

            room.journal.release = released  # type: ignore[method-assign]
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, None))
            async with asyncio.timeout(5):  # the sweep comes after ten
                return await room.runner.wait_ended(accepted.run_id)

    assert asyncio.run(work()) == "Cancelled"


def test_what_comes_while_the_lease_is_given_back_is_not_lost_with_the_turn(tmp_path: Path) -> None:
    """Told between the commit of the release and its answer: fed to a turn that is given up next, it would be forgotten."""

    async def work() -> str:
        async with engine_room(tmp_path) as room:
            actions = {"Wait": wait("Hour"), "Next": call("post", "/letters", {"n": 2, "seconds": 1}, runAfter=after("Wait"))}
            playbook_id = room.publish(actions)
            release = room.journal.release
            told: list[str] = []

            async def released(run_id: str, epoch: int) -> bool:
                found = await release(run_id, epoch)
                if found and not told:
                    told.append(run_id)
                    await asyncio.to_thread(fire_timers, room.database)
                    room.runner._wake(run_id)
                    await asyncio.sleep(0.2)  # long enough for the news to be read and taken
                return found

            room.journal.release = released  # type: ignore[method-assign]
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, None))
            async with asyncio.timeout(5):
                return await room.runner.wait_ended(accepted.run_id)

    assert asyncio.run(work()) == "Succeeded"


def fire_timers(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("UPDATE playbooks_timer SET fired_at=due_at"))


def test_a_reason_that_is_no_unicode_leaves_no_action_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> tuple[str, list[str]]:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish({"Send": call("post", "/letters", runAfter={})})

            async def broken(request: Any, context: Any) -> Any:
                raise CallFailed("ArmError", "bad \ud800")

            monkeypatch.setattr(room.desk, "call", broken)
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, None))
            async with asyncio.timeout(5):
                status = await room.runner.wait_ended(accepted.run_id)
            return status, [action.status for action in room.runs.rows.actions(accepted.run_id)]

    assert asyncio.run(work()) == ("Failed", ["Failed"])


SCORE = {"score": "@decimal('1.5')"}


def test_an_exact_decimal_is_sent_and_answered_as_a_number(tmp_path: Path) -> None:
    async def work() -> tuple[Any, Any]:
        async with engine_room(tmp_path) as room:
            answer = {"type": "Response", "kind": "Http", "inputs": {"statusCode": 200, "body": SCORE}, "runAfter": after("Send")}
            playbook_id = room.publish({"Send": call("post", "/letters", SCORE, runAfter={}), "Answer": answer})
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, None), wants_response=True)
            response = await room.runner.response(accepted.run_id, 5)
            assert response is not None
            return room.desk.seen[0].body, response.body

    sent, answered = asyncio.run(work())
    assert [type(body["score"]) for body in (sent, answered)] == [float, float]


def test_a_secret_trigger_is_forgotten_with_the_end_of_the_run(tmp_path: Path) -> None:
    demand_sqlite()
    hidden = {"secureData": {"properties": ["outputs"]}}
    trigger = {"manual": {"type": "Request", "kind": "Http", "inputs": {"schema": {}}, "runtimeConfiguration": hidden}}

    async def work() -> None:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish({"A": {"type": "Compose", "inputs": 1, "runAfter": {}}}, triggers=trigger)
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, {"password": "hunter2"}))
            await room.runner.wait_ended(accepted.run_id)

    asyncio.run(work())
    with closing(sqlite3.connect(tmp_path / "guardship.db")) as connection:
        assert connection.execute("SELECT count(*) FROM playbooks_journal WHERE body LIKE '%\"sealed\":%'").fetchone() == (0,)


class Job:
    def __init__(self, act: Callable[[], Any]) -> None:
        self.blobs: list[OwnedBlob] = []
        self._act = act

    def write(self, cursor: sqlite3.Cursor, rows: Rows) -> Any:
        return self._act()


def refuse(error: Exception) -> Any:
    raise error


def heard_together(database: Database, *jobs: Job) -> list[list[Any]]:
    """What each job heard, all of one batch and then one more."""
    demand_sqlite()
    heard: list[list[Any]] = [[] for _ in jobs]
    writer = JournalWriter(database, FaultPoints(), lambda blobs: None, lambda: None)
    with closing(database.raw_connection()) as other:
        other.execute("BEGIN IMMEDIATE")
        writer.start()
        for index, job in enumerate(jobs):
            writer.submit(job, lambda result, error, index=index: heard[index].append(error or result), None)  # type: ignore[misc]
        threading.Event().wait(0.05)
        other.execute("COMMIT")
    last = threading.Event()
    threading.Event().wait(0.3)
    writer.submit(Job(lambda: "written"), lambda result, error: last.set() if error is None else None, None)
    assert last.wait(5), "the writer lives"
    writer.stop()
    return heard


def test_each_of_a_batch_hears_once_however_it_breaks(database: Database) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    heard = heard_together(database, Job(lambda: "written"), Job(lambda: refuse(sqlite3.IntegrityError("data"))), Job(lambda: refuse(full)))
    assert [len(each) for each in heard] == [1, 1, 1]
    assert heard[0] == ["written"]
    assert isinstance(heard[2][0], JournalUnavailable)


def test_a_fault_nobody_thought_of_does_not_end_the_writer(database: Database) -> None:
    ((told,),) = heard_together(database, Job(lambda: refuse(LookupError("what is this"))))
    assert isinstance(told, JournalUnavailable)
