import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.unit.playbooks.engine_room import Room, build, compose
from tests.unit.playbooks.test_webhooks import http, service

from guardship.playbooks.polling import Asking
from guardship.playbooks.run_rows import RunFilter
from guardship.playbooks.standing import Standing, StartsNotByItself, TriggerState
from guardship.playbooks.triggering import RequestCall, Triggering, WrongPath, WrongTrigger

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class Hands:
    """A clock that somebody moves."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()


@dataclass
class Post:
    room: Room
    clock: Hands
    standing: Standing
    triggering: Triggering

    async def look(self) -> None:
        """What the loop does when it wakes."""
        await self.standing._look()
        async with asyncio.timeout(10):
            while any(not run.ended_at for run in self.runs()):
                await asyncio.sleep(0.01)

    def runs(self) -> list[Any]:
        return list(self.room.runs.rows.runs(RunFilter()))

    def state(self, playbook_id: str, name: str = "Every") -> TriggerState:
        return next(state for state in self.standing.states(playbook_id) if state.trigger_name == name)


@asynccontextmanager
async def post(home: Path, clock: Hands | None = None) -> AsyncIterator[Post]:
    hands = clock or Hands()
    connector = http()
    room = build(home, clock=hands, connectors=(connector,))
    batches = room.batches
    triggering = Triggering(room.library, room.runner, room.rules, hands, base_url="http://127.0.0.1:24080", signing_key=b"k" * 32)
    standing = Standing(
        room.database, room.library, hands, Asking(room.runner.caller, hands, triggering.callback_url), batches, triggering.fire
    )
    triggering.stand(standing)
    batches.attach(room.library.published_named, triggering.fire, standing.is_on)
    await room.runner.start()
    try:
        yield Post(room, hands, standing, triggering)
    finally:
        await room.runner.stop(grace_seconds=0.2)
        await connector.close()
        room.database.close()


def every(**recurrence: Any) -> dict[str, Any]:
    return {"Every": {"type": "Recurrence", "recurrence": recurrence}}


NOTE = {"Note": compose("@triggerOutputs()?['scheduledTime']", runAfter={})}
Work = Callable[[Post], Awaitable[None]]


def played(home: Path, work: Work, clock: Hands | None = None) -> None:
    async def go() -> None:
        async with post(home, clock) as place:
            await work(place)

    asyncio.run(go())


def test_publishing_starts_nothing_and_switching_on_does(tmp_path: Path) -> None:
    async def work(place: Post) -> None:
        playbook_id = place.room.publish(NOTE, triggers=every(frequency="Hour", interval=1))
        await place.look()
        assert place.runs() == []
        await place.standing.switch_on(playbook_id, by="ada")
        await place.look()
        place.clock.at += timedelta(minutes=59)
        await place.look()
        assert len(place.runs()) == 1
        place.clock.at += timedelta(minutes=1)
        await place.look()
        assert len(place.runs()) == 2
        await place.standing.switch_off(playbook_id, by="ada")
        place.clock.at += timedelta(hours=5)
        await place.look()
        assert len(place.runs()) == 2

    played(tmp_path, work)


def test_moments_missed_while_nobody_looked_are_counted_and_the_latest_is_made_up_for(tmp_path: Path) -> None:
    async def work(place: Post) -> None:
        playbook_id = place.room.publish(NOTE, triggers=every(frequency="Hour", interval=1))
        await place.standing.switch_on(playbook_id, by="ada")
        await place.look()
        place.clock.at += timedelta(hours=5, minutes=10)
        await place.look()
        assert len(place.runs()) == 2
        state = place.state(playbook_id)
        assert (state.missed_count, state.missed_at) == (4, START + timedelta(hours=5))
        assert state.due_at == START + timedelta(hours=6)

    played(tmp_path, work)


def test_a_moment_that_was_fired_before_a_crash_is_not_fired_again(tmp_path: Path) -> None:
    clock = Hands()

    async def work(place: Post) -> None:
        playbook_id = place.room.publish(NOTE, triggers=every(frequency="Hour", interval=1))
        await place.standing.switch_on(playbook_id, by="ada")
        row = place.state(playbook_id)
        await place.standing._take(row)
        with place.room.database.transaction() as session:  # as if the process had died before the row moved on
            kept = session.get(TriggerState, (playbook_id, "Every"))
            assert kept is not None
            kept.due_at = row.due_at
        await place.look()
        assert len(place.runs()) == 1

    played(tmp_path, work, clock)


def test_another_recurrence_begins_anew_when_it_is_published_and_the_same_one_goes_on(tmp_path: Path) -> None:
    async def work(place: Post) -> None:
        playbook_id = place.room.publish(NOTE, triggers=every(frequency="Hour", interval=1))
        await place.standing.switch_on(playbook_id, by="ada")
        await place.look()
        place.clock.at += timedelta(minutes=20)
        place.room.publish(NOTE | {"More": compose(1, runAfter={})}, triggers=every(frequency="Hour", interval=1))
        place.standing.republished(playbook_id)
        assert place.state(playbook_id).due_at == START + timedelta(hours=1)
        place.room.publish(NOTE, triggers=every(frequency="Minute", interval=5))
        place.standing.republished(playbook_id)
        assert place.state(playbook_id).due_at == place.clock.at

    played(tmp_path, work)


def test_what_does_not_start_by_itself_cannot_be_switched_on(tmp_path: Path) -> None:
    async def work(place: Post) -> None:
        playbook_id = place.room.publish(NOTE)
        with pytest.raises(StartsNotByItself, match="no trigger"):
            await place.standing.switch_on(playbook_id, by="ada")

    played(tmp_path, work)


def test_asking_fires_on_200_with_a_body_and_follows_location_and_retry_after(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if len(asked) == 1:
            return web.Response(status=202, headers={"Location": "/next", "Retry-After": "30"})
        if len(asked) == 2:
            return web.json_response({"found": 1})
        return web.Response(status=200)

    async def work(place: Post) -> None:
        async with service(answer) as base:
            poll = {
                "Every": {
                    "type": "Http",
                    "inputs": {"method": "GET", "uri": f"{base}/first"},
                    "recurrence": {"frequency": "Hour", "interval": 1},
                }
            }
            playbook_id = place.room.publish({"Note": compose("@triggerBody()", runAfter={})}, triggers=poll)
            await place.standing.switch_on(playbook_id, by="ada")
            await place.look()
            assert place.runs() == []
            assert place.state(playbook_id).due_at == START + timedelta(seconds=30)
            place.clock.at += timedelta(seconds=30)
            await place.look()
            assert [place.room.runs.payload(run.run_id, "Note", "outputs") for run in place.runs()] == [{"found": 1}]
            place.clock.at += timedelta(hours=1)
            await place.look()
            assert len(place.runs()) == 1
        assert asked == ["/first", "/next", "/first"]

    played(tmp_path, work)


def test_asking_that_fails_is_written_down_and_goes_on(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "no"}, status=403)

    async def work(place: Post) -> None:
        async with service(answer) as base:
            poll = {"Every": {"type": "Http", "inputs": {"method": "GET", "uri": base}, "recurrence": {"frequency": "Hour", "interval": 1}}}
            playbook_id = place.room.publish(NOTE, triggers=poll)
            await place.standing.switch_on(playbook_id, by="ada")
            await place.look()
            state = place.state(playbook_id)
            assert state.problem == "asking was answered with status 403"
            assert state.due_at == START + timedelta(hours=1)

    played(tmp_path, work)


def test_a_subscription_is_told_our_address_and_a_call_of_it_fires_while_it_is_on(tmp_path: Path) -> None:
    heard: list[tuple[str, Any]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        heard.append((request.method, await request.text()))
        return web.json_response({})

    async def work(place: Post) -> None:
        async with service(answer) as base:
            hook = {
                "Every": {
                    "type": "HttpWebhook",
                    "inputs": {
                        "subscribe": {"method": "POST", "uri": base, "body": "@listCallbackUrl()"},
                        "unsubscribe": {"method": "DELETE", "uri": base},
                    },
                }
            }
            playbook_id = place.room.publish({"Note": compose("@triggerBody()", runAfter={})}, triggers=hook)
            address = place.triggering.callback_url(playbook_id, "Every")
            call, signature = RequestCall("POST", {}, {}, {"n": 1}), address.rpartition("sig=")[2]
            with pytest.raises(WrongTrigger, match="switched off"):
                await place.triggering.fire_request(playbook_id, "Every", call, signature=signature)
            await place.standing.switch_on(playbook_id, by="ada")
            assert heard == [("POST", address)]
            fired = await place.triggering.fire_request(playbook_id, "Every", call, signature=signature)
            assert len(fired.accepted) == 1
            await place.standing.switch_off(playbook_id, by="ada")
            assert heard[1][0] == "DELETE"

    played(tmp_path, work)


def batch_trigger(**criteria: Any) -> dict[str, Any]:
    return {"Every": {"type": "Batch", "inputs": {"mode": "Inline", "configurations": {"few": {"releaseCriteria": criteria}}}}}


SEND: dict[str, Any] = {
    "Send": {
        "type": "SendToBatch",
        "inputs": {
            "batchName": "few",
            "partitionName": "@triggerBody()?['to']",
            "content": "@triggerBody()?['what']",
            "host": {"triggerName": "Every", "workflow": {"id": "/x/workflows/Collect"}},
        },
        "runAfter": {},
    }
}


async def sent(place: Post, *messages: tuple[str, str]) -> None:
    for to, what in messages:
        view = await place.room.run(SEND, {"to": to, "what": what}, name="Sender")
        assert view["status"] == "Succeeded", view


def collected(place: Post, playbook_id: str) -> list[Any]:
    """What the runs of the batch playbook got, the oldest first."""
    found = [run for run in place.runs() if run.playbook_id == playbook_id]
    return [place.room.runs.payload(run.run_id, "Note", "outputs") for run in reversed(found)]


def test_a_batch_goes_when_it_has_as_many_messages_as_it_says_each_partition_for_itself(tmp_path: Path) -> None:
    async def work(place: Post) -> None:
        playbook_id = place.room.publish(
            {"Note": compose("@triggerBody()", runAfter={})}, name="Collect", triggers=batch_trigger(messageCount=2)
        )
        await place.standing.switch_on(playbook_id, by="ada")
        await sent(place, ("a", "1"), ("b", "2"), ("a", "3"))
        await place.look()
        bodies = collected(place, playbook_id)
        assert [(body["batchName"], body["partitionName"]) for body in bodies] == [("few", "a")]
        assert [item["content"] for item in bodies[0]["items"]] == ["1", "3"]

    played(tmp_path, work)


def test_a_batch_goes_at_its_moment_and_not_while_it_is_off(tmp_path: Path) -> None:
    async def work(place: Post) -> None:
        trigger = batch_trigger(recurrence={"frequency": "Minute", "interval": 10})
        playbook_id = place.room.publish({"Note": compose("@triggerBody()", runAfter={})}, name="Collect", triggers=trigger)
        await sent(place, ("a", "1"))
        place.clock.at += timedelta(minutes=30)
        await place.look()
        assert collected(place, playbook_id) == []
        await place.standing.switch_on(playbook_id, by="ada")
        await place.look()
        assert [item["content"] for item in collected(place, playbook_id)[0]["items"]] == ["1"]

    played(tmp_path, work)


def test_a_batch_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def work(place: Post) -> None:
        place.room.publish(NOTE, name="Collect", triggers={"Every": batch_trigger(messageCount=2)["Every"]})
        actions = {"Send": {**SEND["Send"], "inputs": {**SEND["Send"]["inputs"], "batchName": "other"}}}
        view = await place.room.run(actions, {}, name="Sender")
        assert view["actions"][0]["error"]["message"] == "the trigger Every of Collect has no batch other, it has few"

    played(tmp_path, work)


def test_the_values_of_a_relative_path_come_with_the_trigger(tmp_path: Path) -> None:
    async def work(place: Post) -> None:
        triggers = {
            "manual": {"type": "Request", "kind": "Http", "inputs": {"relativePath": "/hosts/{host}/ports/{port}", "method": "GET"}}
        }
        actions = {"Note": compose("@triggerOutputs()['relativePathParameters']", runAfter={})}
        playbook_id = place.room.publish(actions, triggers=triggers)
        fired = await place.triggering.fire_manually(
            playbook_id, None, RequestCall("GET", {}, {}, None, "hosts/web%201/ports/22"), by="ada"
        )
        async with asyncio.timeout(5):
            await place.room.runner.wait_ended(fired.accepted[0].run_id)
        assert place.room.runs.payload(fired.accepted[0].run_id, "Note", "outputs") == {"host": "web 1", "port": "22"}
        with pytest.raises(WrongPath, match=r"hosts/\{host\}"):
            await place.triggering.fire_manually(playbook_id, None, RequestCall("GET", {}, {}, None, "hosts"), by="ada")

    played(tmp_path, work)


def test_a_body_that_does_not_fit_the_schema_is_refused_where_the_trigger_says_so(tmp_path: Path) -> None:
    async def work(place: Post) -> None:
        schema = {"type": "object", "required": ["host"], "properties": {"host": {"type": "string"}}}
        trigger = {"type": "Request", "kind": "Http", "inputs": {"schema": schema}, "operationOptions": "EnableSchemaValidation"}
        playbook_id = place.room.publish(NOTE, triggers={"manual": trigger})
        with pytest.raises(Exception, match="'host' is a required property"):
            await place.triggering.fire_manually(playbook_id, None, RequestCall("POST", {}, {}, {}), by="ada")

    played(tmp_path, work)


def test_the_tracking_id_is_what_the_trigger_says(tmp_path: Path) -> None:
    async def work(place: Post) -> None:
        trigger = {"type": "Request", "kind": "Http", "inputs": {}, "correlation": {"clientTrackingId": "@{triggerBody()?['ticket']}"}}
        playbook_id = place.room.publish({"Note": compose(1, runAfter={})}, triggers={"manual": trigger})
        await place.triggering.fire_manually(playbook_id, None, RequestCall("POST", {}, {}, {"ticket": "T-7"}), by="ada")
        await place.look()
        assert [run.client_tracking_id for run in place.runs()] == ["T-7"]

    played(tmp_path, work)
