import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.unit.playbooks.engine_room import Room, after, compose, engine_room

from guardship.clock import SystemClock
from guardship.playbooks.automation_rules import AutomationRules, BadCondition, Conditions, NewRule, would_have_caught
from guardship.playbooks.run_rows import RunFilter
from guardship.playbooks.triggering import BadSignature, RequestCall, Triggering, WrongTrigger
from guardship.storage.outbox import Event

TRIGGER = {
    "alert": {
        "type": "ApiConnectionWebhook",
        "inputs": {
            "host": {"connection": {"name": "@parameters('$connections')['ascalert']['connectionId']"}},
            "body": {"callback_url": "@{listCallbackUrl()}"},
            "path": "/Microsoft.Security/Alert/subscribe",
        },
    }
}
NOTE = {"Note": compose("@triggerBody()?['CompromisedEntity']", runAfter={})}


def alert(number: int = 1, severity: str = "High", **more: Any) -> dict[str, Any]:
    return {
        "alert_id": f"alrt_{number}",
        "incident_id": "incd_1",
        "rule_id": "rule_1",
        "rule_name": "Sign-in after password guessing",
        "severity": severity,
        "product": "Guardship",
        "entities": [{"$id": "1", "Type": "host", "HostName": "web-1"}],
        "compromised_entity": "web-1",
        "triggers": {"security_center_alert": {"Severity": severity, "CompromisedEntity": "web-1"}},
        **more,
    }


def raised(payload: dict[str, Any]) -> Event:
    return Event("evnt_1", f"alert:{payload.get('alert_id')}", "AlertRaised", payload, datetime.now(UTC))


def triggering_of(room: Room) -> Triggering:
    return Triggering(room.library, room.runner, room.rules, SystemClock(), base_url="http://127.0.0.1:24080", signing_key=b"k" * 32)


def armed(room: Room, conditions: Conditions, *, on: bool = True, **more: Any) -> str:
    playbook_id = room.publish(NOTE, triggers=TRIGGER, **more)
    rule = room.rules.create(NewRule("answer", playbook_id, conditions), by="ada")
    room.rules.switch(rule.rule_id, on=on, by="ada")
    return playbook_id


def runs_after(home: Path, payloads: list[dict[str, Any]], conditions: Conditions, **more: Any) -> list[dict[str, Any]]:
    async def work() -> list[dict[str, Any]]:
        async with engine_room(home) as room:
            armed(room, conditions, **more)
            triggering = triggering_of(room)
            for payload in payloads:
                await asyncio.to_thread(triggering.on_alert_raised, raised(payload))
            runs = room.runs.rows.runs(_all())
            for run in runs:
                await room.runner.wait_ended(run.run_id)
            return [room.runs.view(run.run_id) for run in runs]

    return asyncio.run(work())


def _all() -> RunFilter:
    return RunFilter()


def test_a_rule_that_is_on_starts_its_playbook_with_the_whole_payload(tmp_path: Path) -> None:
    (view,) = runs_after(tmp_path, [alert()], Conditions(severities=("High",)))
    assert (view["status"], view["alert_id"], view["incident_id"]) == ("Succeeded", "alrt_1", "incd_1")
    assert view["trigger"]["by"] == "automation rule answer"


def test_a_rule_that_is_off_starts_nothing(tmp_path: Path) -> None:
    assert runs_after(tmp_path, [alert()], Conditions(), on=False) == []


def test_an_event_that_comes_twice_starts_one_run(tmp_path: Path) -> None:
    assert len(runs_after(tmp_path, [alert(), alert()], Conditions())) == 1


def test_trigger_conditions_keep_a_run_from_starting(tmp_path: Path) -> None:
    trigger = {"alert": {**TRIGGER["alert"], "conditions": [{"expression": "@equals(triggerBody()?['Severity'], 'High')"}]}}

    async def work() -> list[bool]:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish(NOTE, triggers=trigger)
            triggering = triggering_of(room)
            return [
                await asyncio.to_thread(triggering.run_on, playbook_id, alert(1, severity), by="ada") is not None
                for severity in ("High", "Low")
            ]

    assert asyncio.run(work()) == [True, False]


def test_split_on_makes_one_run_an_item(tmp_path: Path) -> None:
    trigger = {"alert": {**TRIGGER["alert"], "splitOn": "@triggerBody()?['Entities']"}}

    async def work() -> list[Any]:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish({"Note": compose("@triggerBody()", runAfter={})}, triggers=trigger)
            payload = alert(triggers={"security_center_alert": {"Entities": ["a", "b"]}})
            await asyncio.to_thread(triggering_of(room).run_on, playbook_id, payload, by="ada")
            runs = room.runs.rows.runs(_all())
            for run in runs:
                await room.runner.wait_ended(run.run_id)
            return sorted(str(room.runs.payload(run.run_id, "Note", "outputs")) for run in runs)

    assert asyncio.run(work()) == ["a", "b"]


def test_run_on_a_past_alert_needs_no_rule_and_may_be_done_again(tmp_path: Path) -> None:
    async def work() -> list[str]:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish(NOTE, triggers=TRIGGER)
            triggering = triggering_of(room)
            accepted = [await asyncio.to_thread(triggering.run_on, playbook_id, alert(), by="ada") for _ in range(2)]
            return [await room.runner.wait_ended(one.run_id) for one in accepted if one is not None]

    assert asyncio.run(work()) == ["Succeeded", "Succeeded"]


def test_a_playbook_without_an_alert_trigger_is_refused_on_an_alert(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish(NOTE)
            assert not triggering_of(room).fits_alerts(playbook_id)
            with pytest.raises(WrongTrigger):
                await asyncio.to_thread(triggering_of(room).run_on, playbook_id, alert(), by="ada")

    asyncio.run(work())


def test_a_signed_address_starts_a_run_and_a_wrong_signature_does_not(tmp_path: Path) -> None:
    async def work() -> tuple[Any, str]:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish({"Say": compose("@triggerBody()?['x']", runAfter={})})
            triggering = triggering_of(room)
            signature = triggering.callback_url(playbook_id, "manual").rpartition("sig=")[2]
            request = RequestCall("POST", {"Content-Type": "application/json"}, {}, {"x": 1})
            with pytest.raises(BadSignature):
                await triggering.fire_request(playbook_id, "manual", request, signature="0" * 64)
            fired = await triggering.fire_request(playbook_id, "Manual", request, signature=signature)
            return fired.response, await room.runner.wait_ended(fired.accepted[0].run_id)

    assert asyncio.run(work()) == (None, "Succeeded")


def test_a_response_action_answers_the_caller(tmp_path: Path) -> None:
    async def work() -> tuple[int, Any]:
        async with engine_room(tmp_path) as room:
            actions = {
                "Sum": compose("@add(triggerBody()?['a'], triggerBody()?['b'])", runAfter={}),
                "Answer": {"type": "Response", "inputs": {"statusCode": 201, "body": {"sum": "@outputs('Sum')"}}, "runAfter": after("Sum")},
            }
            playbook_id = room.publish(actions)
            fired = await triggering_of(room).fire_manually(playbook_id, None, RequestCall("POST", {}, {}, {"a": 2, "b": 3}), by="ada")
            assert fired.response is not None
            return fired.response.status_code, fired.response.body

    assert asyncio.run(work()) == (201, {"sum": 5})


@pytest.mark.parametrize(
    ("conditions", "caught"),
    [
        (Conditions(), ["alrt_1", "alrt_2"]),
        (Conditions(severities=("High",)), ["alrt_1"]),
        (Conditions(analytics_rules=("sign-in*",)), ["alrt_1", "alrt_2"]),
        (Conditions(analytics_rules=("rule_9",)), []),
        (Conditions(entities=("WEB-*",)), ["alrt_1", "alrt_2"]),
        (Conditions(products=("Defender",)), []),
        (Conditions(severities=("High", "Low"), tags=("vip",)), ["alrt_2"]),
    ],
)
def test_conditions_say_what_they_would_have_caught(conditions: Conditions, caught: list[str]) -> None:
    assert would_have_caught(conditions, [alert(1), alert(2, "Low", tags=["VIP"])]) == caught


def test_a_severity_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadCondition, match="Critical"):
        Conditions(severities=("Critical",))


def test_rules_are_off_until_switched_on_and_keep_their_order(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            playbook_id = room.publish(NOTE, triggers=TRIGGER)
            rules: AutomationRules = room.rules
            late = rules.create(NewRule("late", playbook_id, order=200), by="ada")
            early = rules.create(NewRule("early", playbook_id, order=1), by="ada")
            assert rules.fitting(alert()) == []
            for rule in (late, early):
                rules.switch(rule.rule_id, on=True, by="ada")
            assert [rule.name for rule in rules.fitting(alert())] == ["early", "late"]
            rules.delete(early.rule_id)
            assert [rule.name for rule in rules.all()] == ["late"]

    asyncio.run(work())


def incident_trigger(path: str = "/incident-creation") -> dict[str, Any]:
    host = {"connection": {"name": "@parameters('$connections')['azuresentinel']['connectionId']"}}
    return {
        "it": {"type": "ApiConnectionWebhook", "inputs": {"host": host, "path": path, "body": {"callback_url": "@{listCallbackUrl()}"}}}
    }


def incident(**more: Any) -> dict[str, Any]:
    body = {"object": {"properties": {"title": "Many failed logons"}}}
    facts = {"incident_id": "inc_1", "severity": "High", "rule_ids": ["r1"], "rule_names": ["Guessing"], "products": ["Guardship"]}
    return {**facts, "entities": [], "tags": [], "triggers": {"sentinel_incident": body}, **more}


def test_an_incident_starts_what_is_armed_for_incidents_and_leaves_the_rest(tmp_path: Path) -> None:
    async def work() -> list[Any]:
        async with engine_room(tmp_path) as room:
            of_incidents = room.publish(
                {"Note": compose("@triggerBody()?['object']?['properties']?['title']", runAfter={})},
                name="incidents",
                triggers=incident_trigger(),
            )
            of_alerts = room.publish(NOTE, name="alerts", triggers=TRIGGER)
            for name, playbook_id in (("one", of_incidents), ("two", of_alerts)):
                rule = room.rules.create(NewRule(name, playbook_id, Conditions(analytics_rules=("Guess*",))), by="ada")
                room.rules.switch(rule.rule_id, on=True, by="ada")
            triggering = triggering_of(room)
            for _ in range(2):
                await asyncio.to_thread(triggering.on_incident_created, raised(incident()))
            runs = room.runs.rows.runs(_all())
            for run in runs:
                await room.runner.wait_ended(run.run_id)
            assert {run.playbook_id for run in runs} == {of_incidents}
            return [room.runs.payload(run.run_id, "Note", "outputs") for run in runs]

    assert asyncio.run(work()) == ["Many failed logons"]


def test_a_playbook_for_one_kind_of_entity_is_not_started_with_another(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            trigger = incident_trigger("/entity/@{encodeURIComponent('Account')}")
            playbook_id = room.publish({"Note": compose("@triggerBody()?['Entity']?['kind']", runAfter={})}, triggers=trigger)
            triggering = triggering_of(room)
            account = incident(triggers={"sentinel_entity_account": {"Entity": {"kind": "Account"}}})
            accepted = await asyncio.to_thread(triggering.run_on, playbook_id, account, by="ada")
            assert accepted is not None
            await room.runner.wait_ended(accepted.run_id)
            assert room.runs.payload(accepted.run_id, "Note", "outputs") == "Account"
            with pytest.raises(WrongTrigger):
                host = incident(triggers={"sentinel_entity_host": {}})
                await asyncio.to_thread(triggering.run_on, playbook_id, host, by="ada")

    asyncio.run(work())
