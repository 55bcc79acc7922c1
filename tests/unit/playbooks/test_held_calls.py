"""Calls that a person has to approve: the run waits as a row, and holds nothing that others need."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.unit.playbooks.engine_room import Room, call, engine_room

from guardship.playbooks.calls import CALLS_AT_ONCE
from guardship.playbooks.connector import CallContext
from guardship.playbooks.dispatch.local import LocalDispatch
from guardship.playbooks.firing import Firing

HOLD = {"Isolate": call("put", "/things/a", {"hold": "appr_1"}, runAfter={})}


async def until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.01)


async def held(room: Room, count: int = 1, person: str | None = None) -> list[str]:
    """Runs that wait for the approval."""
    playbook_id = room.publish(HOLD, name="held")
    run_ids = [(await room.runner.accept_soon(Firing(playbook_id, None, None, person=person))).run_id for _ in range(count)]
    await until(lambda: room.runs.rows.counts().get("Waiting") == count)
    return run_ids


def test_held_calls_block_neither_their_connection_nor_the_dispatch(tmp_path: Path) -> None:
    async def work() -> dict[str, Any]:
        async with engine_room(tmp_path, dispatch=LocalDispatch(2)) as room:
            await held(room, CALLS_AT_ONCE + 5)
            async with asyncio.timeout(10):
                return await room.run({"Other": call("put", "/things/b", {"status": 200}, runAfter={})}, name="other")

    assert asyncio.run(work())["status"] == "Succeeded"


def test_the_view_says_what_a_held_run_waits_for_and_the_answer_wakes_it(tmp_path: Path) -> None:
    async def work() -> tuple[dict[str, Any], dict[str, Any], Room]:
        async with engine_room(tmp_path) as room:
            (run_id,) = await held(room)
            waiting = room.runs.view(run_id)
            room.desk.approved.add("appr_1")
            await room.runner.approval_answered("appr_1")
            async with asyncio.timeout(10):
                await room.runner.wait_ended(run_id)
            assert room.runs.published_run(run_id)["properties"]["actions"]["Isolate"]["retryHistory"] == []
            return waiting, room.runs.view(run_id), room

    waiting, ended, room = asyncio.run(work())
    action = waiting["actions"][0]
    assert (waiting["status"], action["status"], action["code"]) == ("Waiting", "Waiting", "WaitsForApproval")
    assert action["error"]["message"] == "appr_1: a person has to approve"
    assert (ended["status"], ended["actions"][0]["error"], ended["actions"][0]["attempt"]) == ("Succeeded", None, 1)
    (deed,) = room.world.deeds("put")
    assert deed["key"] == room.desk.held[0].idempotency_key


def test_a_held_run_goes_on_after_a_restart(tmp_path: Path) -> None:
    async def work() -> str:
        async with engine_room(tmp_path) as room:
            (run_id,) = await held(room)
        async with engine_room(tmp_path) as room:
            room.desk.approved.add("appr_1")
            await room.runner.approval_answered("appr_1")
            async with asyncio.timeout(10):
                return await room.runner.wait_ended(run_id)

    assert asyncio.run(work()) == "Succeeded"


def test_a_held_run_ends_with_a_reason_when_nobody_answers(tmp_path: Path) -> None:
    async def work() -> dict[str, Any]:
        async with engine_room(tmp_path) as room:
            room.desk.held_for = timedelta()
            return await room.run(HOLD)

    view = asyncio.run(work())
    assert (view["status"], view["actions"][0]["code"]) == ("Failed", "NotApproved")


def test_an_answer_that_comes_while_the_wait_is_written_is_not_lost(tmp_path: Path) -> None:
    async def work() -> dict[str, Any]:
        async with engine_room(tmp_path) as room:
            hold = room.desk._hold

            def answered_meanwhile(approval_id: str, context: CallContext) -> None:
                room.runner._timers._answers[approval_id] = None  # told before any row waits for it
                room.desk.approved.add(approval_id)
                hold(approval_id, context)

            room.desk._hold = answered_meanwhile  # type: ignore[method-assign]
            return await room.run(HOLD)

    assert asyncio.run(work())["status"] == "Succeeded"


def test_the_person_who_started_a_run_comes_with_its_calls(tmp_path: Path) -> None:
    async def work() -> str | None:
        async with engine_room(tmp_path) as room:
            await held(room, person="user ada")
            return room.desk.held[0].person

    assert asyncio.run(work()) == "user ada"


def test_a_call_whose_outcome_is_unknown_says_so_in_the_view(tmp_path: Path) -> None:
    async def work() -> dict[str, Any]:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish({"Mail": call("post", "/letters", {"raise": "broke off", "unknown": True}, runAfter={})})
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, None))
            await until(lambda: room.runs.rows.counts().get("Waiting") == 1)
            return room.runs.view(accepted.run_id)

    assert asyncio.run(work())["actions"][0]["code"] == "OutcomeUnknown"
