import asyncio
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from tests.unit.playbooks.engine_room import call, engine_room, statuses

from guardship.playbooks.breakers import MOST_FAULTS, OPEN_SECONDS, Breakers


class Watch:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_ten_faults_of_twenty_open_it_and_a_call_that_goes_well_closes_it_again() -> None:
    watch = Watch()
    breakers = Breakers(watch)
    for _ in range(MOST_FAULTS):
        assert breakers.seconds_left("http/a") == 0
        breakers.done("http/a", is_fault=True)
    assert breakers.seconds_left("http/a") == OPEN_SECONDS
    assert breakers.seconds_left("http/b") == 0
    watch.seconds = OPEN_SECONDS + 1
    assert breakers.seconds_left("http/a") == 0
    assert breakers.seconds_left("http/a") > 0  # one tries, the others wait for what becomes of it
    breakers.done("http/a", is_fault=False)
    assert breakers.seconds_left("http/a") == 0


def test_a_trial_that_fails_leaves_it_open() -> None:
    watch = Watch()
    breakers = Breakers(watch)
    for _ in range(MOST_FAULTS):
        breakers.done("x", is_fault=True)
    watch.seconds = OPEN_SECONDS + 1
    assert breakers.seconds_left("x") == 0
    assert breakers.done("x", is_fault=True)
    assert breakers.seconds_left("x") == OPEN_SECONDS


@given(some.lists(some.booleans(), max_size=60))
def test_fewer_than_ten_faults_among_the_last_twenty_never_open_it(faults: list[bool]) -> None:
    breakers = Breakers(Watch())
    for index, is_fault in enumerate(faults):
        opened = breakers.done("x", is_fault=is_fault)
        assert opened == (is_fault and sum(faults[max(0, index - 19) : index + 1]) >= MOST_FAULTS)
        if opened:
            break


def test_calls_of_a_broken_connection_fail_fast_with_a_reason(tmp_path: Path) -> None:
    async def work() -> tuple[dict[str, Any], int]:
        none = {"retryPolicy": {"type": "none"}}
        each = {
            "Each": {
                "type": "Foreach",
                "foreach": "@range(0, 15)",
                "operationOptions": "Sequential",
                "actions": {"Call": call("post", "/repeatable", {"status": 503}, inputs=none, runAfter={})},
                "runAfter": {},
            }
        }
        async with engine_room(tmp_path) as room:
            view = await room.run(each)
            rows = {row.key: row for row in room.runs.rows.actions(view["run_id"])}
            assert rows["Each[14]/Call"].code == "ConnectionOpenCircuit"
            return statuses(view), len(room.world.deeds("again"))

    found, made = asyncio.run(work())
    assert made == MOST_FAULTS
    assert found["Each"] == "Failed"
