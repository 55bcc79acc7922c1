import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.databases import demand_sqlite
from tests.unit.playbooks.engine_room import CONNECTIONS, after, call, compose, engine_room, statuses

from guardship.playbooks.firing import Firing
from guardship.playbooks.journal import Accepted
from guardship.playbooks.journal_writer import JournalUnavailable


def run(home: Path, actions: dict[str, Any], body: Any = None, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The view of a run, and the outputs of its actions by key."""

    async def work() -> tuple[dict[str, Any], dict[str, Any]]:
        async with engine_room(home) as room:
            view = await room.run(actions, body, **more)
            rows = room.runs.rows.actions(view["run_id"])
            return view, {row.key: room.runs.payload(view["run_id"], row.key, "outputs") for row in rows}

    return asyncio.run(work())


CONDITION = {
    "Alert_Severity": {
        "type": "If",
        "expression": {"and": [{"equals": ["@triggerBody()?['Severity']", "High"]}]},
        "actions": {"Isolate": call("put", "/things/@{encodeURIComponent(triggerBody()?['Host'])}", runAfter={})},
        "else": {"actions": {"Note": compose("nothing to do", runAfter={})}},
        "runAfter": {},
    }
}


def test_a_high_alert_takes_the_true_branch_and_the_view_says_why(tmp_path: Path) -> None:
    view, outputs = run(tmp_path, CONDITION, {"Severity": "High", "Host": "web 1"})
    assert statuses(view) == {"Alert_Severity": "Succeeded", "Isolate": "Succeeded", "Note": "Skipped"}
    condition = view["actions"][0]
    assert condition["branch"] == "actions"
    part = condition["why"]["expression"]["parts"][0]
    assert part == {
        "operator": "equals",
        "value": True,
        "operands": [{"text": "@triggerBody()?['Severity']", "value": "High"}, {"value": "High"}],
    }
    assert outputs["Isolate"]["body"]["thing"] == "web 1"


def test_a_medium_alert_takes_the_else_branch_and_changes_nothing(tmp_path: Path) -> None:
    view, _ = run(tmp_path, CONDITION, {"Severity": "Medium", "Host": "web 1"})
    assert view["status"] == "Succeeded"
    assert statuses(view) == {"Alert_Severity": "Succeeded", "Isolate": "Skipped", "Note": "Succeeded"}
    assert not (tmp_path / "world.jsonl").exists()


def test_a_failure_that_is_handled_leaves_the_run_succeeded(tmp_path: Path) -> None:
    actions = {
        "Break": call("post", "/repeatable", {"status": 400}, runAfter={}),
        "Handle": compose("handled", runAfter=after("Break", on=("Failed",))),
        "Otherwise": compose("not reached", runAfter=after("Break")),
    }
    view, _ = run(tmp_path, actions)
    assert statuses(view) == {"Break": "Failed", "Handle": "Succeeded", "Otherwise": "Skipped"}
    # The skipped leaf is replaced by what it would have run after, which failed.
    assert view["status"] == "Failed"


def test_a_run_whose_only_leaf_handles_the_failure_succeeds(tmp_path: Path) -> None:
    actions = {
        "Break": call("post", "/repeatable", {"status": 400}, runAfter={}),
        "Handle": compose("handled", runAfter=after("Break", on=("Failed", "TimedOut"))),
    }
    view, _ = run(tmp_path, actions)
    assert view["status"] == "Succeeded"


def test_a_loop_runs_its_body_once_an_item_and_keeps_the_outputs_apart(tmp_path: Path) -> None:
    actions = {
        "Each": {
            "type": "Foreach",
            "foreach": "@triggerBody()",
            "actions": {
                "Double": compose("@mul(items('Each'), 2)", runAfter={}),
                "Text": compose("@{item()} -> @{outputs('Double')}", runAfter=after("Double")),
            },
            "runAfter": {},
        },
        "All": {"type": "Select", "inputs": {"from": "@result('Each')", "select": "@item()?['name']"}, "runAfter": after("Each")},
    }
    view, outputs = run(tmp_path, actions, [1, 2, 3])
    assert [outputs[f"Each[{index}]/Text"] for index in range(3)] == ["1 -> 2", "2 -> 4", "3 -> 6"]
    assert outputs["All"]["body"] == ["Double", "Text"] * 3
    assert view["status"] == "Succeeded"


def test_a_loop_over_null_fails_with_a_reason(tmp_path: Path) -> None:
    actions = {
        "Each": {"type": "Foreach", "foreach": "@triggerBody()?['none']", "actions": {"One": compose(1, runAfter={})}, "runAfter": {}}
    }
    view, _ = run(tmp_path, actions, {})
    assert view["status"] == "Failed"
    assert "array" in view["actions"][0]["error"]["message"]


def test_an_empty_loop_succeeds_and_its_body_is_skipped(tmp_path: Path) -> None:
    actions = {"Each": {"type": "Foreach", "foreach": "@triggerBody()", "actions": {"One": compose(1, runAfter={})}, "runAfter": {}}}
    view, _ = run(tmp_path, actions, [])
    assert statuses(view) == {"Each": "Succeeded", "One": "Skipped"}


def test_until_stops_when_its_condition_holds(tmp_path: Path) -> None:
    actions = {
        "Count": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "n", "type": "integer", "value": 0}]}, "runAfter": {}},
        "Loop": {
            "type": "Until",
            "expression": "@greaterOrEquals(variables('n'), 3)",
            "limit": {"count": 10, "timeout": "PT1M"},
            "actions": {"More": {"type": "IncrementVariable", "inputs": {"name": "n"}, "runAfter": {}}},
            "runAfter": after("Count"),
        },
        "End": compose("@variables('n')", runAfter=after("Loop")),
    }
    view, outputs = run(tmp_path, actions)
    assert outputs["End"] == 3
    loop = next(action for action in view["actions"] if action["name"] == "Loop")
    assert loop["branches"][0]["iteration_count"] == 3
    assert loop["why"]["expressionResult"] is True


def test_until_that_reaches_its_limit_is_no_failure_unless_it_says_so(tmp_path: Path) -> None:
    def loop(**more: Any) -> dict[str, Any]:
        actions = {"One": compose("x", runAfter={})}
        return {"Loop": {"type": "Until", "expression": "@equals(1, 2)", "limit": {"count": 2}, "actions": actions, "runAfter": {}, **more}}

    assert run(tmp_path / "a", loop())[0]["status"] == "Succeeded"
    assert run(tmp_path / "b", loop(operationOptions="FailWhenLimitsReached"))[0]["status"] == "Failed"


def test_switch_takes_the_case_that_equals_else_the_default(tmp_path: Path) -> None:
    actions = {
        "Which": {
            "type": "Switch",
            "expression": "@triggerBody()",
            "cases": {"One": {"case": "1", "actions": {"First": compose("one", runAfter={})}}},
            "default": {"actions": {"Rest": compose("rest", runAfter={})}},
            "runAfter": {},
        }
    }
    assert statuses(run(tmp_path / "a", actions, "1")[0])["First"] == "Succeeded"
    assert statuses(run(tmp_path / "b", actions, "2")[0]) == {"Which": "Succeeded", "First": "Skipped", "Rest": "Succeeded"}


def test_terminate_ends_the_run_and_skips_what_has_not_begun(tmp_path: Path) -> None:
    actions = {
        "Scope": {
            "type": "Scope",
            "actions": {
                "Stop": {
                    "type": "Terminate",
                    "inputs": {"runStatus": "Failed", "runError": {"code": "Enough", "message": "no more"}},
                    "runAfter": {},
                },
                "Later": compose("x", runAfter=after("Stop")),
            },
            "runAfter": {},
        },
        "Last": compose("y", runAfter=after("Scope")),
    }
    view, _ = run(tmp_path, actions)
    assert (view["status"], view["code"]) == ("Failed", "Enough")
    assert statuses(view) == {"Scope": "Cancelled", "Stop": "Succeeded", "Later": "Skipped", "Last": "Skipped"}


def test_a_busy_target_is_called_again_by_the_retry_policy(tmp_path: Path) -> None:
    async def work() -> tuple[dict[str, Any], int]:
        async with engine_room(tmp_path) as room:
            room.desk.fail_first["Ask"] = 2
            policy = {"retryPolicy": {"type": "fixed", "count": 3, "interval": "PT0.05S"}}
            view = await room.run({"Ask": call("get", "/things/a", inputs=policy, runAfter={})})
            return view, len(room.desk.seen)

    view, calls = asyncio.run(work())
    assert (view["status"], calls) == ("Succeeded", 3)
    assert view["actions"][0]["attempt"] == 3


def test_a_wait_gives_the_run_back_and_a_timer_wakes_it(tmp_path: Path) -> None:
    actions = {
        "Pause": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Second"}}, "runAfter": {}},
        "Then": compose("@utcNow()", runAfter=after("Pause")),
    }
    view, _ = run(tmp_path, actions)
    assert view["status"] == "Succeeded"
    assert 900 < view["milliseconds"] < 5000


def test_a_call_that_does_not_answer_in_time_ends_timed_out(tmp_path: Path) -> None:
    actions = {"Slow": call("post", "/repeatable", {"seconds": 30}, limit={"timeout": "PT0.2S"}, runAfter={})}
    view, _ = run(tmp_path, actions)
    assert statuses(view) == {"Slow": "TimedOut"}
    assert view["status"] == "TimedOut"


def test_a_letter_that_may_have_been_sent_waits_for_a_person(tmp_path: Path) -> None:
    async def work() -> tuple[str, dict[str, Any], int]:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish({"Mail": call("post", "/letters", {"raise": "broke off", "unknown": True}, runAfter={})})
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, None))
            for _ in range(100):
                await asyncio.sleep(0.05)
                waiting = room.runs.view(accepted.run_id)
                if waiting["status"] == "Waiting":
                    break
            await asyncio.to_thread(room.runner.messages.decide, accepted.run_id, "Mail", "done", by="grace")
            await room.runner.wait_ended(accepted.run_id)
            return waiting["status"], room.runs.view(accepted.run_id), len(room.world.deeds("send"))

    before, view, sent = asyncio.run(work())
    assert before == "Waiting"
    assert (view["status"], view["actions"][0]["code"], sent) == ("Succeeded", "MarkedDone", 1)


def test_a_cancelled_run_ends_cancelled_and_says_by_whom(tmp_path: Path) -> None:
    async def work() -> dict[str, Any]:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish(
                {"Slow": call("post", "/repeatable", {"seconds": 30}, runAfter={}), "Next": compose(1, runAfter=after("Slow"))}
            )
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, None))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(room.runner.messages.cancel, accepted.run_id, by="grace", reason="wrong host")
            await room.runner.wait_ended(accepted.run_id)
            return room.runs.view(accepted.run_id)

    view = asyncio.run(work())
    assert view["status"] == "Cancelled"
    assert "grace" in view["error"]["message"]
    assert statuses(view) == {"Slow": "Cancelled", "Next": "Skipped"}


def test_the_same_alert_starts_a_playbook_once(tmp_path: Path) -> None:
    async def work() -> tuple[bool, bool, bool]:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish({"One": compose(1, runAfter={})})
            first = await room.runner.accept_soon(Firing(playbook_id, None, None), dedup_key="alrt_1")
            second = await asyncio.to_thread(room.runner.accept, Firing(playbook_id, None, None), dedup_key="alrt_1")
            return first.is_new, second.is_new, first.run_id == second.run_id

    assert asyncio.run(work()) == (True, False, True)


READ_AND_SEND = {"Look": call("get", "/things/a", runAfter={}), "Send": call("post", "/letters", {"to": "a"}, runAfter={})}


def test_two_at_once_for_one_alert_read_and_send_once(tmp_path: Path) -> None:
    """A new run is worked out while its acceptance is written: what the second of them made must not leave."""

    async def work() -> tuple[list[Accepted], list[str]]:
        async with engine_room(tmp_path) as room:
            firing = Firing(room.publish(READ_AND_SEND), None, None)
            both = await asyncio.gather(*(room.runner.accept_soon(firing, dedup_key="alrt_1") for _ in range(2)))
            async with asyncio.timeout(10):
                await room.runner.wait_ended(both[0].run_id)
            return both, [request.operation for request in room.desk.seen]

    both, asked = asyncio.run(work())
    assert [one.is_new for one in both] == [True, False]
    assert both[0].run_id == both[1].run_id
    assert sorted(asked) == ["look", "send"]


def test_a_run_that_could_not_be_kept_has_done_nothing(tmp_path: Path) -> None:
    async def work() -> tuple[list[str], str]:
        async with engine_room(tmp_path, fault_points="journal.commit:2:raise") as room:
            firing = Firing(room.publish(READ_AND_SEND), None, None)
            with pytest.raises(JournalUnavailable):
                await room.runner.accept_soon(firing)
            await asyncio.sleep(0.5)
            asked = [request.operation for request in room.desk.seen]
            accepted = await room.runner.accept_soon(firing)
            async with asyncio.timeout(10):
                return asked, await room.runner.wait_ended(accepted.run_id)

    assert asyncio.run(work()) == ([], "Succeeded")


def test_a_result_that_is_no_json_fails_that_action_alone(tmp_path: Path) -> None:
    lone = r"""@json('"\ud800"')"""
    deep = "@json(concat(" + "'" + "[" * 300 + "]" * 300 + "', ''))"
    view, _ = run(tmp_path, {"Lone": compose(lone, runAfter={}), "Deep": compose(deep, runAfter={}), "Other": compose("fine", runAfter={})})
    assert statuses(view) == {"Lone": "Failed", "Deep": "Failed", "Other": "Succeeded"}
    assert {action["name"]: action["code"] for action in view["actions"] if action["code"] != "OK"} == {
        "Lone": "InvalidTemplate",
        "Deep": "ResultTooDeep",
    }


def test_a_result_that_is_too_large_fails_that_action_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardship.playbooks.events.MOST_BYTES", 10_000)
    actions = {
        "Large": compose("@range(0, 5000)", runAfter={}),
        "Answer": call("post", "/repeatable", {"text": "x" * 6_000}, runAfter={}),
        "Kept": {"type": "Compose", "inputs": "@concat(string(body('Answer')), string(body('Answer')))", "runAfter": after("Answer")},
        "Other": compose("fine", runAfter={}),
    }
    view, _ = run(tmp_path, actions)
    assert statuses(view) == {"Large": "Failed", "Answer": "Succeeded", "Kept": "Failed", "Other": "Succeeded"}
    assert {action["code"] for action in view["actions"] if action["status"] == "Failed"} == {"PayloadTooLarge"}


def test_a_connector_that_raises_fails_its_action_with_a_reason(tmp_path: Path) -> None:
    view, _ = run(tmp_path, {"Odd": call("post", "/repeatable", {"status": "not a number"}, runAfter={})})
    assert view["actions"][0]["code"] == "ConnectorFault"


def test_large_payloads_are_kept_once_and_read_back_whole(tmp_path: Path) -> None:
    async def work() -> tuple[Any, int]:
        async with engine_room(tmp_path) as room:
            view = await room.run(
                {"A": compose("@triggerBody()", runAfter={}), "B": compose("@outputs('A')", runAfter=after("A"))}, {"text": "x" * 50_000}
            )
            outputs = room.runs.payload(view["run_id"], "B", "outputs")
            return outputs, room.database.ask("SELECT count(*) FROM storage_blob", {})[0][0]

    outputs, count = asyncio.run(work())
    assert len(outputs["text"]) == 50_000
    assert count == 2  # the trigger's outputs, and its body


def test_what_is_secret_is_not_in_the_database(tmp_path: Path) -> None:
    demand_sqlite()
    secret = "correct horse battery"
    actions = {
        "Fetch": call(
            "get", "/things/@{triggerBody()}", runtimeConfiguration={"secureData": {"properties": ["inputs", "outputs"]}}, runAfter={}
        ),
        "Pass": compose("@body('Fetch')?['thing']", runAfter=after("Fetch")),
        "Use": call("post", "/repeatable", {"token": "@outputs('Pass')"}, runAfter=after("Pass")),
    }
    triggers = {"manual": {"type": "Request", "runtimeConfiguration": {"secureData": {"properties": ["outputs"]}}}}
    view, outputs = run(tmp_path, actions, secret, triggers=triggers)
    assert view["status"] == "Succeeded"
    assert outputs["Fetch"] == outputs["Pass"] == "***"
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("guardship.db*"))
    # Only what the desk itself answered in the clear is there: its operation is not declared secret.
    assert stored.count(secret.encode()) == stored.count(b'"said":{"token":"' + secret.encode())


@pytest.mark.parametrize("count", [1, 25])
def test_more_runs_than_may_run_at_once_all_end(tmp_path: Path, count: int) -> None:
    async def work() -> list[str]:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish({"Ask": call("get", "/things/a", {"seconds": 0.01}, runAfter={})})
            accepted = [await room.runner.accept_soon(Firing(playbook_id, None, None)) for _ in range(count)]
            return [await room.runner.wait_ended(one.run_id) for one in accepted]

    assert asyncio.run(work()) == ["Succeeded"] * count


def test_sealed_payloads_are_gone_when_the_run_has_ended(tmp_path: Path) -> None:
    hidden = {"secureData": {"properties": ["inputs", "outputs"]}}
    actions = {"Ask": call("get", "/things/@{triggerBody()}", runtimeConfiguration=hidden, runAfter={})}

    async def work() -> tuple[int, Any]:
        async with engine_room(tmp_path) as room:
            view = await room.run(actions, "x")
            in_journal = "(SELECT count(*) FROM playbooks_journal WHERE body LIKE '%sealed%')"
            sealed = f"SELECT {in_journal} + count(*) FROM playbooks_action WHERE inputs_ref LIKE '%sealed%'"
            left = room.database.ask(sealed, {})[0][0]
            return left, room.runs.payload(view["run_id"], "Ask", "inputs")

    assert asyncio.run(work()) == (0, "***")


def test_a_fault_of_the_engine_ends_that_run_with_a_reason_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a fault of ours")

    async def work() -> tuple[dict[str, Any], dict[str, Any]]:
        async with engine_room(tmp_path) as room:
            whole = {
                "A": call("get", "/things/a", runAfter={}),
                "B": {"type": "Scope", "actions": {"C": compose(1, runAfter={})}, "runAfter": after("A")},
            }
            monkeypatch.setattr("guardship.playbooks.containers.open_branching", broken)
            first = await room.run(whole)
            return first, await room.run({"A": compose(1, runAfter={})}, name="other")

    failed, fine = asyncio.run(work())
    assert (failed["status"], failed["code"]) == ("Failed", "EngineFault")
    assert "a fault of ours" in failed["error"]["message"]
    assert fine["status"] == "Succeeded"


def test_tracked_properties_see_the_action_as_it_ended(tmp_path: Path) -> None:
    tracked = {"host": "@{action()['outputs']['body']['thing']}", "how": "@action()['status']"}

    async def work() -> None:
        async with engine_room(tmp_path) as room:
            view = await room.run({"Look": {**call("get", "/things/web-1", runAfter={}), "trackedProperties": tracked}})
            action = room.runs.published_run(view["run_id"])["properties"]["actions"]["Look"]
            assert action["trackedProperties"] == {"host": "web-1", "how": "Succeeded"}

    asyncio.run(work())


def test_tracked_properties_that_cannot_be_worked_out_fail_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            view = await room.run({"One": compose(1, runAfter={}, trackedProperties={"x": "@outputs('One')['no']"})})
            assert view["status"] == "Succeeded"
            assert "error" in room.runs.published_run(view["run_id"])["properties"]["actions"]["One"]["trackedProperties"]

    asyncio.run(work())


def test_what_reads_a_parameter_of_a_secure_type_is_hidden_and_is_used_all_the_same(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            parameters = {**CONNECTIONS, "Key": {"type": "securestring", "defaultValue": "s3cret"}}
            actions = {
                "Send": call("post", "/repeatable", {"key": "@parameters('key')"}, runAfter={}),
                "Pass": compose("@parameters('Key')", runAfter=after("Send")),
            }
            view = await room.run(actions, parameters=parameters)
            assert view["status"] == "Succeeded"
            assert room.world.deeds("again")[0]["body"] == {"key": "s3cret"}
            for key, part in (("Send", "inputs"), ("Pass", "inputs"), ("Pass", "outputs")):
                assert room.runs.payload(view["run_id"], key, part) == "***"

    asyncio.run(work())
