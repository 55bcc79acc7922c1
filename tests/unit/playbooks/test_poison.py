"""One run that cannot be written down, and one that is told to stop before it begins: each ends, and the others do not notice."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.playbooks.engine_room import after, call, compose, engine_room

from guardship.playbooks.dispatch.local import LocalDispatch
from guardship.playbooks.firing import Firing
from guardship.playbooks.journal import Journal
from guardship.playbooks.new_runs import TriggerTooDeep
from guardship.playbooks.run_rows import RunFilter

STOP = {"type": "Terminate", "inputs": {"runStatus": "Failed", "runError": {"code": "X", "message": "m", "score": "@decimal('1.5')"}}}


def playbooks(room: Any) -> tuple[str, str]:
    first = {"First": call("get", "/things/a", runAfter={}), "Look": call("get", "/things/a", runAfter=after("First"))}
    poison = room.publish(
        {**first, "Post": call("post", "/letters", runAfter=after("First")), "Stop": {**STOP, "runAfter": after("Look")}}, "p"
    )
    good = room.publish({"A": call("get", "/things/a", runAfter={}), "B": compose(1, runAfter=after("A"))}, "good")
    return poison, good


async def fire_many(room: Any) -> dict[str, list[str]]:
    """How runs of both ended, all of which share their commits."""
    poison, good = playbooks(room)
    async with asyncio.timeout(20):
        ids = {name: [(await room.runner.accept_soon(Firing(name, None, None))).run_id for _ in range(10)] for name in (poison, good)}
        ended = {name: [await room.runner.wait_ended(run_id) for run_id in ids[name]] for name in ids}
    return {"poison": ended[poison], "good": ended[good]}


def test_an_exact_decimal_in_what_a_run_ends_with_is_a_number(tmp_path: Path) -> None:
    async def work() -> tuple[dict[str, list[str]], Any]:
        async with engine_room(tmp_path) as room:
            stopped = room.publish({"Stop": {**STOP, "runAfter": {}}}, "stop")
            accepted = await room.runner.accept_soon(Firing(stopped, None, None))
            assert await room.runner.wait_ended(accepted.run_id) == "Failed"
            return await fire_many(room), room.runs.rows.run(accepted.run_id).error

    ended, error = asyncio.run(work())
    assert ended == {"poison": ["Failed"] * 10, "good": ["Succeeded"] * 10}
    assert "1.5" in str(error)


def test_what_cannot_be_written_down_ends_its_own_run_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Journal.encode

    def broken(journal: Journal, run_id: str, epoch: int, first_seq: int, events: Any, *rest: Any) -> Any:
        if any(event.key == "Stop" and "inputs" in event.body for event in events):
            raise TypeError("no form for this")
        return encode(journal, run_id, epoch, first_seq, events, *rest)

    monkeypatch.setattr(Journal, "encode", broken)

    async def work() -> tuple[dict[str, list[str]], list[str | None]]:
        async with engine_room(tmp_path) as room:
            ended = await fire_many(room)
            return ended, [row.code for row in room.runs.rows.runs(RunFilter(limit=20)) if row.status == "Failed"]

    ended, codes = asyncio.run(work())
    assert ended == {"poison": ["Failed"] * 10, "good": ["Succeeded"] * 10}
    assert set(codes) == {"EngineFault"}


def test_a_run_that_is_cancelled_while_it_stands_in_line_does_nothing(tmp_path: Path) -> None:
    async def work() -> tuple[str, list[Any]]:
        async with engine_room(tmp_path, dispatch=LocalDispatch(1)) as room:
            slow = room.publish({"Slow": call("post", "/letters", {"seconds": 0.5}, runAfter={})}, "slow")
            quick = room.publish({"A": call("post", "/letters", {"n": 2}, runAfter={})}, "quick")
            await room.runner.accept_soon(Firing(slow, None, None))
            second = await room.runner.accept_soon(Firing(quick, None, None))
            assert await asyncio.to_thread(room.runner.messages.cancel, second.run_id, by="ada", reason="stop it")
            async with asyncio.timeout(10):
                return await room.runner.wait_ended(second.run_id), [deed["body"] for deed in room.world.deeds()]

    status, bodies = asyncio.run(work())
    assert status == "Cancelled"
    assert {"n": 2} not in bodies


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_a_trigger_that_is_nested_too_deep_is_refused_and_one_at_the_limit_runs(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            view = await room.run({"A": compose("@triggerBody()", runAfter={})}, deep(200))
            assert view["status"] == "Succeeded"
            with pytest.raises(TriggerTooDeep, match="200 deep"):
                await room.run({"A": compose("@triggerBody()", runAfter={})}, deep(201))

    asyncio.run(work())


@pytest.mark.parametrize(
    ("expression", "body", "code"),
    [
        ("@json(triggerBody())", "[" * 201 + "]" * 201, "ResultTooDeep"),
        ("@json(triggerBody())", "[" * 10_000 + "]" * 10_000, "InvalidTemplate"),
        ("@replace(triggerBody(), 'a', triggerBody())", "a" * 20_000, "ResultTooLarge"),
        ("@join(range(0, 100000), triggerBody())", "b" * 1000, "ResultTooLarge"),
        ("@concat(triggerBody(), triggerBody())", "c" * 6_000_000, "ResultTooLarge"),
        ("x @{triggerBody()} @{triggerBody()}", "d" * 6_000_000, "ResultTooLarge"),
        ("@range(0, 2000000000)", "", "InvalidTemplate"),
    ],
)
def test_an_expression_that_would_grow_without_bounds_fails_its_action_at_once(
    tmp_path: Path, expression: str, body: str, code: str
) -> None:
    async def work() -> float:
        async with engine_room(tmp_path) as room:
            began = time.perf_counter()
            view = await room.run({"A": compose(expression, runAfter={})}, body)
            assert view["actions"][0]["error"]["code"] == code
            return time.perf_counter() - began

    assert asyncio.run(work()) < 10


def test_text_that_doubles_in_a_loop_ends_that_run_and_no_other_waits_long(tmp_path: Path) -> None:
    double = {
        "Seed": {
            "type": "InitializeVariable",
            "inputs": {"variables": [{"name": "s", "type": "string", "value": "aaaaaaaaaa"}]},
            "runAfter": {},
        },
        "Loop": {
            "type": "Until",
            "expression": "@equals(1, 2)",
            "limit": {"count": 60, "timeout": "PT1H"},
            "actions": {
                "Twice": compose("@concat(variables('s'), variables('s'))", runAfter={}),
                "Keep": {"type": "SetVariable", "inputs": {"name": "s", "value": "@outputs('Twice')"}, "runAfter": after("Twice")},
            },
            "runAfter": after("Seed"),
        },
    }

    async def work() -> None:
        async with engine_room(tmp_path) as room:
            bomb, plain = room.publish(double, name="bomb"), room.publish({"A": compose(1, runAfter={})}, name="plain")
            first = await room.runner.accept_soon(Firing(bomb, None, {}))
            second = await room.runner.accept_soon(Firing(plain, None, {}))
            async with asyncio.timeout(20):
                assert await room.runner.wait_ended(second.run_id) == "Succeeded"
                assert await room.runner.wait_ended(first.run_id) == "Failed"

    asyncio.run(work())


def test_ten_megabytes_run(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            view = await room.run({"A": compose("@length(triggerBody()?['text'])", runAfter={})}, {"text": "x" * 10_000_000})
            assert room.runs.payload(view["run_id"], "A", "outputs") == 10_000_000

    asyncio.run(work())


def test_a_connector_that_hangs_is_given_up_at_the_actions_limit_while_others_go_on(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            hang = {**call("get", "/things/x", {"seconds": 60}, runAfter={}), "limit": {"timeout": "PT1S"}}
            stuck = room.publish({"Hang": hang}, name="stuck")
            first = await room.runner.accept_soon(Firing(stuck, None, {}))
            view = await room.run({"A": compose(1, runAfter={})}, name="plain")
            assert view["status"] == "Succeeded"
            async with asyncio.timeout(10):
                assert await room.runner.wait_ended(first.run_id) == "TimedOut"

    asyncio.run(work())
