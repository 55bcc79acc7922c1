import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.unit.playbooks.engine_room import REQUEST_TRIGGER, Room, compose, engine_room
from tests.unit.playbooks.test_triggering import triggering_of

from guardship.playbooks.firing import Firing
from guardship.playbooks.run_rows import RunFilter
from guardship.playbooks.slots import PlaybookBusy
from guardship.playbooks.triggering import RequestCall

REST = {"Rest": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Second"}}, "runAfter": {}}}
LONG = {"Rest": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {}}}


def limited(**concurrency: Any) -> dict[str, Any]:
    return {"manual": {**REQUEST_TRIGGER["manual"], "runtimeConfiguration": {"concurrency": concurrency}}}


async def settled(room: Room, begun: int) -> int:
    """How many runs have begun, once there are as many as are meant to be."""
    for _ in range(300):
        if sum(run.started_at is not None for run in room.runs.rows.runs(RunFilter())) >= begun:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    return sum(run.started_at is not None for run in room.runs.rows.runs(RunFilter()))


def test_no_more_runs_are_open_at_once_than_the_trigger_says_and_all_come_to_their_turn(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish(REST, triggers=limited(runs=2))
            accepted = [await room.runner.accept_soon(Firing(playbook_id, None, index)) for index in range(5)]
            assert await settled(room, 2) == 2
            async with asyncio.timeout(20):
                for one in accepted:
                    assert await room.runner.wait_ended(one.run_id) == "Succeeded"
            runs = sorted(room.runs.rows.runs(RunFilter()), key=lambda run: run.number)
            begun = [run.started_at for run in runs if run.started_at]
            assert begun == sorted(begun)

    asyncio.run(work())


def test_places_are_kept_through_a_restart(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish(LONG, triggers=limited(runs=1))
            for index in range(3):
                await room.runner.accept_soon(Firing(playbook_id, None, index))
            assert await settled(room, 1) == 1
        async with engine_room(tmp_path) as room:
            assert await settled(room, 1) == 1
            first = next(run for run in room.runs.rows.runs(RunFilter()) if run.started_at is not None)
            await asyncio.to_thread(room.runner.messages.cancel, first.run_id, by="ada", reason="make room")
            assert await settled(room, 2) == 2

    asyncio.run(work())


def test_a_run_in_line_can_be_cancelled_and_leaves_the_line(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish(LONG, triggers=limited(runs=1))
            first, second, third = [await room.runner.accept_soon(Firing(playbook_id, None, index)) for index in range(3)]
            assert await settled(room, 1) == 1
            await asyncio.to_thread(room.runner.messages.cancel, second.run_id, by="ada", reason="not needed")
            async with asyncio.timeout(5):
                assert await room.runner.wait_ended(second.run_id) == "Cancelled"
            await asyncio.to_thread(room.runner.messages.cancel, first.run_id, by="ada", reason="make room")
            async with asyncio.timeout(5):
                while room.runs.view(third.run_id)["status"] != "Waiting" or room.runs.view(third.run_id)["started_at"] is None:
                    await asyncio.sleep(0.01)

    asyncio.run(work())


def test_what_the_line_does_not_hold_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish(LONG, triggers=limited(runs=1, maximumWaitingRuns=1))
            triggering, call = triggering_of(room), RequestCall("POST", {}, {}, {})
            for _ in range(2):
                await triggering.fire_manually(playbook_id, None, call, by="ada")
                await settled(room, 1)
            with pytest.raises(PlaybookBusy, match="1 waiting"):
                await triggering.fire_manually(playbook_id, None, call, by="ada")

    asyncio.run(work())


def test_a_single_instance_starts_nothing_while_it_runs(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            trigger = {"manual": {**REQUEST_TRIGGER["manual"], "operationOptions": "SingleInstance"}}
            playbook_id = room.publish(REST | {"Note": compose(1, runAfter={})}, triggers=trigger)
            triggering, call = triggering_of(room), RequestCall("POST", {}, {}, {})
            fired = await triggering.fire_manually(playbook_id, None, call, by="ada")
            await settled(room, 1)
            with pytest.raises(PlaybookBusy, match="one run at a time"):
                await triggering.fire_manually(playbook_id, None, call, by="ada")
            async with asyncio.timeout(10):
                await room.runner.wait_ended(fired.accepted[0].run_id)
            await triggering.fire_manually(playbook_id, None, call, by="ada")

    asyncio.run(work())
