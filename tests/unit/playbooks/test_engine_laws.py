"""Laws of the engine, over playbooks and completion orders that Hypothesis makes up."""

import copy
import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.playbooks.engine_room import CONNECTIONS, REQUEST_TRIGGER, Desk, World, call, compose

from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.definition import Workflow
from guardship.playbooks.engine import advance
from guardship.playbooks.events import Answered, Begin, Call, Event, EventKind, Resumed, SetTimer, TimerFired, encode_payloads
from guardship.playbooks.reading import read_workflow
from guardship.playbooks.state import RunState, apply, replay

SEED = b"0123456789abcdef"
STATUSES = ["Succeeded", "Failed", "Skipped", "TimedOut"]


@st.composite
def blocks(draw: st.DrawFn, depth: int, names: list[int]) -> dict[str, Any]:
    """A set of actions that run after some of those before them."""
    made: dict[str, Any] = {}
    for _ in range(draw(st.integers(1, 4))):
        names.append(len(names))
        name = f"A{len(names)}"
        before = draw(st.lists(st.sampled_from(sorted(made)), max_size=2, unique=True)) if made else []
        run_after = {one: draw(st.lists(st.sampled_from(STATUSES), min_size=1, max_size=3, unique=True)) for one in before}
        kind = draw(
            st.sampled_from(
                ["compose", "call", "call", "scope", "if", "foreach", "until", "switch", "wait"] if depth else ["compose", "call"]
            )
        )
        made[name] = {**_action(draw, kind, depth, names), "runAfter": run_after}
    return made


def _action(draw: st.DrawFn, kind: str, depth: int, names: list[int]) -> dict[str, Any]:
    match kind:
        case "compose":
            return compose(draw(st.sampled_from(["@utcNow()", "@div(1, 0)", "text", "@guid()"])))
        case "call":
            method, path = draw(st.sampled_from([("put", "/things/a"), ("post", "/letters"), ("get", "/things/b")]))
            return call(method, path, {"status": draw(st.sampled_from([200, 200, 404]))}, inputs={"retryPolicy": {"type": "none"}})
        case "scope":
            return {"type": "Scope", "actions": draw(blocks(depth - 1, names))}
        case "if":
            inner = {"actions": draw(blocks(depth - 1, names)), "else": {"actions": draw(blocks(depth - 1, names))}}
            return {"type": "If", "expression": {"equals": [draw(st.booleans()), True]}, **inner}
        case _:
            return {
                "type": "Foreach",
                "foreach": f"@createArray({', '.join('123'[: draw(st.integers(1, 3))])})",
                "actions": draw(blocks(depth - 1, names)),
            }


@st.composite
def whole_playbooks(draw: st.DrawFn) -> dict[str, Any]:
    return draw(blocks(2, []))


playbooks = whole_playbooks()


def workflow_of(actions: dict[str, Any]) -> Workflow:
    definition = {"parameters": CONNECTIONS, "triggers": REQUEST_TRIGGER, "actions": actions}
    workflow, problems = read_workflow("law", json.loads(json.dumps(definition)), {}, ConnectorSet([Desk(World.__new__(World))]))
    assert problems == []
    return workflow


def accepted() -> Event:
    body = {"trigger_name": "manual", "trigger": {"headers": {}, "body": {"Severity": "High"}}}
    return Event(EventKind.RUN_ACCEPTED, "", 1_000_000, body, None, encode_payloads(body))


class Simulation:
    """The outside as the engine sees it: calls are answered in an order that `choose` makes up."""

    def __init__(self, workflow: Workflow, choose: random.Random) -> None:
        self.workflow = workflow
        self.choose = choose
        self.at = 1_000_000
        self.state = apply(RunState("run_law"), accepted())
        self.events: list[Event] = [accepted()]
        self.open: list[Call] = []
        self.timers: list[SetTimer] = []
        self.feed(Begin(self.at, SEED))

    def feed(self, happening: Any) -> None:
        step = advance(self.workflow, self.state, happening)
        self.events.extend(step.events)
        started = {(event.key, event.body["attempt"]) for event in self.events if event.kind is EventKind.ACTION_STARTED}
        for command in step.commands:
            if isinstance(command, Call):
                assert (command.key, command.attempt) in started, "an effect without an intent before it"
                self.open.append(command)
            elif isinstance(command, SetTimer):
                self.timers.append(command)

    def answer_one(self) -> None:
        self.at += 1000
        if self.open:
            call_ = self.open.pop(self.choose.randrange(len(self.open)))
            body = call_.inputs["body"] if isinstance(call_.inputs, dict) else {}
            self.feed(Answered(self.at, SEED, call_.key, call_.attempt, int(body["status"]), {}, {"for": call_.key}))
        elif self.timers:
            timer = self.timers.pop()
            self.feed(TimerFired(self.at, SEED, timer.key, timer.due_at))

    def finish(self) -> "Simulation":
        for _ in range(2000):
            if self.state.has_ended:
                return self
            assert self.open or self.timers, "nothing is under way, yet the run has not ended"
            self.answer_one()
        raise AssertionError("the run does not end")

    def outcome(self) -> dict[str, Any]:
        return {"run": self.state.status, "actions": {key: record.status for key, record in self.state.records.items()}}


@given(playbooks, st.integers(0, 1000), st.integers(0, 1000))
@settings(max_examples=120, deadline=None)
def test_any_order_of_completion_gives_the_same_statuses(actions: dict[str, Any], one: int, other: int) -> None:
    workflow = workflow_of(actions)
    first = Simulation(workflow, random.Random(one)).finish()
    second = Simulation(workflow, random.Random(other)).finish()
    assert first.outcome() == second.outcome()


@given(playbooks, st.integers(0, 1000))
@settings(max_examples=80, deadline=None)
def test_applying_a_prefix_and_then_the_rest_is_applying_the_whole(actions: dict[str, Any], seed: int) -> None:
    done = Simulation(workflow_of(actions), random.Random(seed)).finish()
    whole = replay(RunState("run_law"), done.events)
    assert whole == done.state
    for cut in range(0, len(done.events), max(1, len(done.events) // 7)):
        part = copy.deepcopy(replay(RunState("run_law"), done.events[:cut]))
        assert replay(part, done.events[cut:]) == whole


@given(playbooks, st.integers(0, 1000), st.integers(0, 200))
@settings(max_examples=120, deadline=None)
def test_a_run_that_is_cut_off_anywhere_and_resumed_ends_the_same(actions: dict[str, Any], seed: int, cut: int) -> None:
    workflow = workflow_of(actions)
    undisturbed = Simulation(workflow, random.Random(seed)).finish()
    broken = Simulation(workflow, random.Random(seed))
    for _ in range(cut):
        if broken.state.has_ended:
            break
        broken.answer_one()
    broken.state = replay(RunState("run_law"), broken.events)
    broken.open.clear()
    broken.feed(Resumed(broken.at, SEED))
    for key in [key for key, record in broken.state.records.items() if record.wait == "approval" and not record.has_ended]:
        # What waits for a person is said to have ended as it would have.
        record = broken.state.records[key]
        record.wait = None
        status = int(record.inputs["body"]["status"]) if isinstance(record.inputs, dict) else 200
        broken.feed(Answered(broken.at, SEED, key, record.attempt, status))
    assert broken.finish().outcome() == undisturbed.outcome()


@given(playbooks, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_every_key_ends_once_and_everything_that_began_has_ended(actions: dict[str, Any], seed: int) -> None:
    done = Simulation(workflow_of(actions), random.Random(seed)).finish()
    ended = [event.key for event in done.events if event.kind is EventKind.ACTION_ENDED]
    assert len(ended) == len(set(ended))
    assert set(ended) == set(done.state.records)
    assert done.events[-1].kind is EventKind.RUN_ENDED


@given(playbooks)
@settings(max_examples=40, deadline=None)
def test_the_same_happenings_make_the_same_events(actions: dict[str, Any]) -> None:
    workflow = workflow_of(actions)
    assert Simulation(workflow, random.Random(7)).finish().events == Simulation(workflow, random.Random(7)).finish().events
