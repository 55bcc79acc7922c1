import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.databases import demand_sqlite
from tests.unit.playbooks.crashing import MIXED
from tests.unit.playbooks.engine_room import Room, after, call, compose, engine_room

from guardship.clock import SystemClock, to_micros
from guardship.playbooks.firing import Firing
from guardship.playbooks.journal import Append, StaleLease
from guardship.playbooks.journal_writer import JournalUnavailable, Refused
from guardship.playbooks.projection import ActionRow
from guardship.playbooks.run_rows import RunFilter


async def ended(room: Room, name: str, body: Any = None) -> str:
    playbook_id = room.publish(MIXED[name], name=name)
    accepted = await room.runner.accept_soon(Firing(playbook_id, None, body))
    await room.runner.wait_ended(accepted.run_id)
    return accepted.run_id


@pytest.mark.parametrize("name", list(MIXED))
def test_the_rows_of_the_run_view_can_be_made_again_from_the_journal(tmp_path: Path, name: str) -> None:
    async def work() -> tuple[list[ActionRow], list[ActionRow]]:
        async with engine_room(tmp_path) as room:
            run_id = await ended(room, name, {"Severity": "High", "Host": "web-1"})
            workflow = room.library.published(room.library.named(name).playbook_id).workflow
            loaded = room.journal.load(run_id, workflow)
            return sorted(loaded.projection.rows.values(), key=lambda row: (row.first_seq, row.key)), room.runs.rows.actions(run_id)

    rebuilt, written = asyncio.run(work())
    assert rebuilt == written


def test_the_state_that_is_loaded_is_the_state_that_ended(tmp_path: Path) -> None:
    async def work() -> tuple[Any, Any]:
        async with engine_room(tmp_path) as room:
            run_id = await ended(room, "loops")
            workflow = room.library.published(room.library.named("loops").playbook_id).workflow
            state = room.journal.load(run_id, workflow).state
            return state, room.runs.rows.run(run_id)

    state, row = asyncio.run(work())
    assert (state.status, state.version) == (row.status, state.version)
    assert state.variables == {"n": 2}
    assert state.records["End"].outputs == 2


def submit(room: Room, append: Append) -> Any:
    async def work() -> Any:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Any] = loop.create_future()
        room.journal.append(append, lambda result, error: waiting.set_exception(error) if error else waiting.set_result(result), loop)
        return await waiting

    return work()


def an_append(run_id: str, *, epoch: int, version: int, key: str = "x") -> Append:
    rows = [(run_id, version, "VariableSet", key, 1, None, epoch, "{}")]
    return Append(run_id, epoch, version, rows, [], {}, [], ("Running", None, None, 1, None, None))


async def two_waiting(room: Room) -> list[Any]:
    """The heads of two runs that stand at a wait of an hour."""
    playbook_id = room.publish({"Wait": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {}}})
    accepted = [await room.runner.accept_soon(Firing(playbook_id, None, None)) for _ in range(2)]
    await asyncio.sleep(0.3)
    return [room.journal.head(one.run_id) for one in accepted]


def test_an_append_under_an_old_lease_or_version_is_refused_and_the_others_are_written(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            first, second = await two_waiting(room)
            stale = submit(room, an_append(first.run_id, epoch=9, version=first.version))
            late = submit(room, an_append(first.run_id, epoch=1, version=first.version - 1))
            good = submit(room, an_append(second.run_id, epoch=1, version=second.version))
            results = await asyncio.gather(stale, late, good, return_exceptions=True)
            assert isinstance(results[0], StaleLease)
            assert isinstance(results[1], StaleLease)
            assert results[2] == second.version + 1

    asyncio.run(work())


def test_a_row_the_database_does_not_take_fails_alone(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            first, second = await two_waiting(room)
            guilty = an_append(first.run_id, epoch=1, version=first.version)
            guilty.rows = [(*guilty.rows[0][:-1], None)]
            results = await asyncio.gather(
                submit(room, guilty), submit(room, an_append(second.run_id, epoch=1, version=second.version)), return_exceptions=True
            )
            assert isinstance(results[0], Refused)
            assert results[1] == second.version + 1

    asyncio.run(work())


@pytest.mark.parametrize(
    "action", [call("post", "/repeatable", {}, runAfter={}), compose(1, runAfter={})], ids=["in the middle", "at its end"]
)
def test_a_run_whose_row_the_database_does_not_take_ends_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: dict[str, Any]
) -> None:
    async def work() -> dict[str, Any]:
        async with engine_room(tmp_path) as room:
            whole = room.journal.append
            spoiled: list[bool] = []

            def spoil(append: Append, *more: Any) -> None:
                if not spoiled:
                    spoiled.append(True)
                    append.rows[-1] = (*append.rows[-1][:-1], None)
                whole(append, *more)

            monkeypatch.setattr(room.journal, "append", spoil)
            return await room.run({"A": action})

    view = asyncio.run(work())
    assert (view["status"], view["code"]) == ("Failed", "EngineFault")
    assert "could not be written down" in view["error"]["message"]


def test_a_run_that_could_not_be_loaded_once_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardship.playbooks.runner.SWEEP_SECONDS", 0.1)

    async def work() -> str:
        async with engine_room(tmp_path) as room:
            first, _ = await two_waiting(room)
            whole, calls = room.journal.load, []

            def break_once(*asked: Any) -> Any:
                calls.append(asked)
                if len(calls) == 1:
                    raise JournalUnavailable("the disk did not answer")
                return whole(*asked)

            monkeypatch.setattr(room.journal, "load", break_once)
            await asyncio.to_thread(room.runner.messages.cancel, first.run_id, by="ada", reason="not wanted")
            async with asyncio.timeout(10):
                return await room.runner.wait_ended(first.run_id)

    assert asyncio.run(work()) == "Cancelled"


def test_timers_and_upkeep_outlive_a_database_that_did_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demand_sqlite()

    async def work() -> str:
        async with engine_room(tmp_path) as room:
            whole, broken = room.database.raw_connection, iter([sqlite3.OperationalError("disk I/O error"), ValueError("odd")])

            def break_twice() -> sqlite3.Connection:
                if (error := next(broken, None)) is not None:
                    raise error
                return whole()

            playbook_id = room.publish({"Wait": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Second"}}, "runAfter": {}}})
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, None))
            monkeypatch.setattr(room.database, "raw_connection", break_twice)
            async with asyncio.timeout(10):
                return await room.runner.wait_ended(accepted.run_id)

    assert asyncio.run(work()) == "Succeeded"


def test_a_lease_that_nobody_renews_runs_out_and_the_run_is_taken_up(tmp_path: Path) -> None:
    demand_sqlite()

    async def work() -> tuple[list[str], list[str]]:
        async with engine_room(tmp_path) as room:
            first, second = await two_waiting(room)
            for head in (first, second):
                assert await room.journal.lease(head.run_id, "another")
            leased_at = to_micros(SystemClock().now())
            before = [run_id for run_id, *_ in room.journal.waiting_work(leased_at + 29_000_000)]
            await asyncio.sleep(0.2)
            await room.journal.renew("another", [second.run_id])
            return before, [run_id for run_id, *_ in room.journal.waiting_work(leased_at + 30_100_000)]

    before, after_it = asyncio.run(work())
    assert before == []
    assert len(after_it) == 1


def test_while_the_database_is_away_nothing_is_acknowledged_and_running_runs_go_on_later(tmp_path: Path) -> None:
    demand_sqlite()

    async def work() -> tuple[str, int]:
        async with engine_room(tmp_path) as room:
            actions = {"Slow": call("post", "/repeatable", {"seconds": 0.3}, runAfter={}), "Next": compose(1, runAfter=after("Slow"))}
            playbook_id = room.publish(actions)
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, None))
            await asyncio.sleep(0.1)
            blocker = sqlite3.connect(tmp_path / "guardship.db", isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")
            refused = asyncio.create_task(room.runner.accept_soon(Firing(playbook_id, None, None)))
            with pytest.raises(JournalUnavailable):
                await refused  # the writer gives up after the busy time
            blocker.execute("ROLLBACK")
            blocker.close()
            status = await room.runner.wait_ended(accepted.run_id)
            return status, len(room.runs.rows.runs(RunFilter()))

    assert asyncio.run(work()) == ("Succeeded", 1)


def test_runs_are_told_in_the_published_shape(tmp_path: Path) -> None:
    async def work() -> tuple[dict[str, Any], dict[str, Any]]:
        async with engine_room(tmp_path) as room:
            run_id = await ended(room, "loops")
            return room.runs.published_run(run_id), room.runs.published_list(RunFilter(limit=1), next_link="/next")

    run, listed = asyncio.run(work())
    assert run["type"] == "workflows/runs"
    actions = run["properties"]["actions"]
    assert actions["Each"]["iterationCount"] == 3
    assert actions["Mark"] == {"repetitionCount": 3, "canResubmit": False, "status": "Succeeded", "code": "NotSpecified"}
    assert set(actions["End"]) >= {"inputsLink", "outputsLink", "startTime", "endTime", "status", "code", "correlation", "retryHistory"}
    assert listed["nextLink"] == "/next"
    assert listed["value"][0]["properties"]["trigger"]["status"] == "Succeeded"


def test_the_view_shows_the_pass_of_a_loop_that_is_asked_for(tmp_path: Path) -> None:
    async def work() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        async with engine_room(tmp_path) as room:
            run_id = await ended(room, "loops")
            return room.runs.view(run_id, iterations={"Each": 2}), room.runs.repetitions(run_id, "Each")

    view, passes = asyncio.run(work())
    each = next(action for action in view["actions"] if action["name"] == "Each")
    assert [action["key"] for action in each["branches"][0]["actions"]] == ["Each[2]/Mark", "Each[2]/Post"]
    assert [one["status"] for one in passes] == ["Succeeded"] * 3
