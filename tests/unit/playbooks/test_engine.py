"""Corners of the engine that a whole run seldom meets, driven by hand."""

import random
from typing import Any

import pytest
from tests.unit.playbooks.engine_room import after, call, compose
from tests.unit.playbooks.test_engine_laws import SEED, Simulation, workflow_of

from guardship.playbooks.definition import RetryPolicy
from guardship.playbooks.engine import advance
from guardship.playbooks.events import (
    AbortCall,
    Answered,
    Call,
    CancelAsked,
    Decided,
    DropTimer,
    EventKind,
    Failure,
    Held,
    Resumed,
    SetTimer,
    TimerFired,
)
from guardship.playbooks.outside import retry_seconds
from guardship.playbooks.state import RunState, commands_open, open_waits, replay

AT = 2_000_000
PUT = call("put", "/things/a", {"status": 200}, runAfter={})


def begun(actions: dict[str, Any]) -> Simulation:
    return Simulation(workflow_of(actions), random.Random(1))


def answer(
    key: str, status: int = 200, *, attempt: int = 1, failure: Failure | None = None, headers: dict[str, str] | None = None
) -> Answered:
    return Answered(AT, SEED, key, attempt, status, headers or {}, None, failure)


def reloaded(run: Simulation) -> Simulation:
    """The run as a process finds it that knows its journal alone."""
    run.state = replay(RunState("run_law"), run.events)
    run.open.clear()
    return run


def test_an_answer_that_comes_late_changes_nothing() -> None:
    run = begun({"A": call("put", "/things/a", {"status": 200}, runAfter={}), "B": call("put", "/things/b", {"status": 200}, runAfter={})})
    for late in (answer("A", attempt=2), answer("nobody"), answer("Other")):
        assert advance(run.workflow, run.state, late).events == []
    run.feed(answer("A"))
    assert advance(run.workflow, run.state, answer("A")).events == []


def test_nothing_happens_to_a_run_that_has_ended() -> None:
    run = begun({"A": compose(1, runAfter={})})
    assert run.state.has_ended
    assert advance(run.workflow, run.state, CancelAsked(AT, SEED, "ada", "late")).events == []


def test_a_timer_of_nobody_is_dropped() -> None:
    run = begun({"A": call("put", "/things/a", {"status": 200}, runAfter={})})
    assert advance(run.workflow, run.state, TimerFired(AT, SEED, "A", AT)).commands == [DropTimer("A")]
    assert advance(run.workflow, run.state, TimerFired(AT, SEED, "Gone", AT)).commands == [DropTimer("Gone")]


def test_a_decision_nobody_waits_for_is_written_down_as_late() -> None:
    run = begun({"A": call("put", "/things/a", {"status": 200}, runAfter={})})
    (event,) = advance(run.workflow, run.state, Decided(AT, SEED, "A", "done", "grace")).events
    assert (event.kind, event.body["disposition"]) == (EventKind.MESSAGE_TAKEN, "late")


@pytest.mark.parametrize(("choice", "status"), [("done", "Succeeded"), ("failed", "Failed")])
def test_a_person_says_what_became_of_a_letter(choice: str, status: str) -> None:
    run = begun({"A": call("post", "/letters", {"status": 200}, runAfter={})})
    reloaded(run).feed(Resumed(AT, SEED))
    assert open_waits(run.state) == {"A": "approval"}
    run.feed(Decided(AT, SEED, "A", choice, "grace"))
    assert run.state.status == status


def test_again_sends_the_letter_once_more_under_the_same_key() -> None:
    run = begun({"A": call("post", "/letters", {"status": 200}, runAfter={})})
    first = run.open[0]
    reloaded(run).feed(Resumed(AT, SEED))
    assert run.open == []
    run.feed(Decided(AT, SEED, "A", "again", "grace"))
    assert (run.open[0].attempt, run.open[0].idempotency_key) == (2, first.idempotency_key)


def test_a_call_that_was_cut_off_is_probed_or_repeated_by_its_operation() -> None:
    run = begun(
        {"Put": call("put", "/things/a", {"status": 200}, runAfter={}), "Get": call("get", "/things/b", {"status": 200}, runAfter={})}
    )
    assert sorted(commands_open(run.state)) == ["Get", "Put"]
    reloaded(run).feed(Resumed(AT, SEED))
    assert {command.action: (command.asks_first, command.attempt) for command in run.open} == {"Put": (True, 2), "Get": (False, 2)}


def test_a_post_without_retries_is_not_repeated_after_a_crash() -> None:
    run = begun({"A": call("post", "/repeatable", {"status": 200}, inputs={"retryPolicy": {"type": "none"}}, runAfter={})})
    reloaded(run).feed(Resumed(AT, SEED))
    assert open_waits(run.state) == {"A": "approval"}


def test_retries_obey_retry_after_and_end() -> None:
    policy = {"retryPolicy": {"type": "fixed", "count": 1, "interval": "PT5S"}}
    run = begun({"A": call("get", "/things/a", {"status": 200}, inputs=policy, runAfter={})})
    run.feed(answer("A", 429, headers={"Retry-After": "60"}))
    assert run.timers == [SetTimer("A", AT + 60_000_000)]
    run.feed(TimerFired(AT, SEED, "A", AT))
    run.feed(answer("A", 503, attempt=2))
    assert (run.state.status, run.state.records["A"].code) == ("Failed", "ServiceUnavailable")


HELD = Failure("WaitsForApproval", "web-1 is protected", held=Held("appr_1", AT + 900_000_000))
NO_RETRIES = {"retryPolicy": {"type": "none"}}


def test_a_held_call_waits_as_a_timer_and_is_the_same_attempt_again() -> None:
    run = begun({"A": call("put", "/things/a", {"status": 200}, inputs=NO_RETRIES, runAfter={})})
    first = run.open.pop()
    run.feed(answer("A", failure=HELD))
    assert run.timers == [SetTimer("A", AT + 900_000_000, "appr_1")]
    assert (open_waits(run.state), commands_open(run.state)) == ({"A": "retry"}, [])
    reloaded(run).feed(Resumed(AT, SEED))
    assert (run.open, run.state.records["A"].approval_id) == ([], "appr_1"), "a restart finds it waiting"
    run.feed(TimerFired(AT + 1, SEED, "A", AT + 900_000_000))
    (again,) = run.open
    assert (again.approval_id, first.approval_id) == ("appr_1", None)
    assert (again.attempt, again.idempotency_key, again.deadline_at, again.inputs) == (
        first.attempt,
        first.idempotency_key,
        first.deadline_at,
        first.inputs,
    )
    run.feed(answer("A"))
    assert run.state.status == "Succeeded"


def test_a_held_call_does_not_outlast_the_deadline_of_its_action() -> None:
    run = begun({"A": call("put", "/things/a", {"status": 200}, limit={"timeout": "PT1M"}, runAfter={})})
    deadline = run.open[0].deadline_at
    run.feed(answer("A", failure=HELD))
    assert run.timers == [SetTimer("A", deadline, "appr_1")]
    run.feed(TimerFired(deadline, SEED, "A", deadline))
    assert (run.state.status, run.state.records["A"].code) == ("TimedOut", "NotApproved")


def test_a_retry_after_a_wait_for_approval_is_the_next_attempt() -> None:
    policy = {"retryPolicy": {"type": "fixed", "count": 1, "interval": "PT5S"}}
    run = begun({"A": call("put", "/things/a", {"status": 200}, inputs=policy, runAfter={})})
    run.feed(answer("A", failure=HELD))
    run.feed(TimerFired(AT, SEED, "A", AT))
    run.feed(answer("A", 503))
    run.open.clear()
    run.feed(TimerFired(AT, SEED, "A", AT))
    assert [(again.attempt, again.approval_id) for again in run.open] == [(2, None)]


def test_what_a_crash_cut_short_is_asked_for_again_when_the_asking_failed() -> None:
    run = begun({"A": call("put", "/things/a", {"status": 200}, runAfter={})})
    reloaded(run).feed(Resumed(AT, SEED))
    run.open.clear()
    run.feed(answer("A", attempt=2, failure=Failure("ArmError", "away", may_retry=True)))
    run.feed(TimerFired(AT, SEED, "A", AT))
    assert [(again.attempt, again.asks_first) for again in run.open] == [(3, True)]


def test_a_held_call_that_a_crash_cut_short_keeps_its_approval() -> None:
    run = begun({"A": call("put", "/things/a", {"status": 200}, runAfter={})})
    run.feed(answer("A", failure=HELD))
    run.feed(TimerFired(AT, SEED, "A", AT))
    reloaded(run).feed(Resumed(AT, SEED))
    assert [(again.asks_first, again.approval_id) for again in run.open] == [(True, "appr_1")]


def test_a_time_out_is_not_repeated_and_an_odd_status_has_a_code() -> None:
    run = begun({"A": call("get", "/things/a", {"status": 200}, runAfter={}), "B": call("get", "/things/b", {"status": 200}, runAfter={})})
    run.feed(answer("A", failure=Failure("ActionTimedOut", "late", may_retry=True, is_timeout=True)))
    run.feed(answer("B", 499))
    assert [(run.state.records[key].status, run.state.records[key].code) for key in "AB"] == [
        ("TimedOut", "ActionTimedOut"),
        ("Failed", "Http499"),
    ]


@pytest.mark.parametrize(("attempt", "low", "high"), [(1, 5, 7), (2, 7, 14), (3, 14, 28), (30, 3600, 3600 * 2**29)])
def test_exponential_retries_wait_within_the_published_bounds(attempt: int, low: float, high: float) -> None:
    for number in range(20):
        assert low <= retry_seconds(RetryPolicy(), attempt, bytes([number] * 16), "A") <= high


def test_cancelling_ends_what_runs_and_drops_what_waits() -> None:
    loop = {
        "Each": {
            "type": "Foreach",
            "foreach": "@createArray(1, 2)",
            "actions": {"In": call("put", "/things/a", {"status": 200}, runAfter={})},
            "runAfter": {},
        }
    }
    wait = {"Wait": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {}}}
    run = begun({**loop, **wait, "Last": compose(1, runAfter=after("Each"))})
    step = advance(run.workflow, run.state, CancelAsked(AT, SEED, "ada", "enough"))
    assert DropTimer("Wait") in step.commands
    assert {command.key for command in step.commands if isinstance(command, AbortCall)} >= {"Each[0]/In", "Each[1]/In"}
    assert {key: record.status for key, record in run.state.records.items()} == {
        "Each": "Cancelled",
        "Each[0]/In": "Cancelled",
        "Each[1]/In": "Cancelled",
        "Wait": "Cancelled",
        "Last": "Skipped",
    }


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"type": "Terminate", "inputs": {"runStatus": "@triggerBody()['none']"}}, "doesn't exist"),
        ({"type": "Response", "inputs": {"statusCode": "@triggerBody()['none']"}}, "doesn't exist"),
        ({"type": "Response", "inputs": {"statusCode": "many"}}, "many"),
        ({"type": "Wait", "inputs": {"interval": {"count": "@triggerBody()['none']", "unit": "Day"}}}, "doesn't exist"),
        ({"type": "Switch", "expression": "@triggerBody()['none']", "cases": {}}, "doesn't exist"),
        ({"type": "Until", "expression": "@equals(1, 1)", "limit": {"count": 0}, "actions": {}}, "count from 1"),
        (
            {"type": "Until", "expression": "@equals(1, 1)", "limit": {"timeout": "@triggerBody()?['none']"}, "actions": {}},
            "not a duration",
        ),
        (call("put", "/things/@{triggerBody()['none']}"), "doesn't exist"),
    ],
)
def test_an_action_that_cannot_be_worked_out_fails_with_the_reason(action: dict[str, Any], words: str) -> None:
    run = begun({"A": {**action, "runAfter": {}}})
    error = run.state.records["A"].error
    assert run.state.status == "Failed"
    assert error is not None
    assert words in error["message"]


def test_a_run_can_be_ended_cancelled_and_outputs_are_worked_out_at_its_end() -> None:
    run = begun({"A": {"type": "Terminate", "inputs": {"runStatus": "Cancelled"}, "runAfter": {}}})
    assert (run.state.status, run.state.code, run.state.outputs) == ("Cancelled", "Terminated", None)


def test_a_loop_body_that_times_out_makes_the_loop_time_out() -> None:
    actions = {"In": call("put", "/things/a", {"status": 200}, runAfter={})}
    run = begun({"Each": {"type": "Foreach", "foreach": "@createArray(1)", "actions": actions, "runAfter": {}}})
    call_: Call = run.open[0]
    run.feed(answer(call_.key, failure=Failure("ActionTimedOut", "late", is_timeout=True)))
    assert run.state.status == "TimedOut"


def test_a_nested_loop_goes_one_by_one_and_the_outer_one_at_once() -> None:
    inner = {
        "Inner": {
            "type": "Foreach",
            "foreach": "@createArray(1, 2)",
            "actions": {"Do": call("put", "/things/a", {"status": 200}, runAfter={})},
            "runAfter": {},
        }
    }
    run = begun({"Outer": {"type": "Foreach", "foreach": "@createArray(1, 2, 3)", "actions": inner, "runAfter": {}}})
    assert sorted(command.key for command in run.open) == [f"Outer[{index}]/Inner[0]/Do" for index in range(3)]
