import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.unit.playbooks.engine_room import Room, after, call, compose, engine_room, statuses

from guardship.connectors.http import Http
from guardship.connectors.outbound import OutboundRules
from guardship.errors import NotFound
from guardship.playbooks.firing import Firing
from guardship.playbooks.messages import AddressCall

ASK = {
    "Ask": {
        **call("post", "/things/@{encodeURIComponent('door')}/$subscriptions", {"notificationUrl": "@{listCallbackUrl()}"}),
        "type": "ApiConnectionWebhook",
        "runAfter": {},
    },
    "Answer": compose("@body('Ask')?['choice']", runAfter=after("Ask")),
}


async def waiting(room: Room, run_id: str) -> str:
    """The token of the address that the run gave to the desk, once it waits."""
    async with asyncio.timeout(10):
        while not (room.desk.seen and room.runs.view(run_id)["status"] == "Waiting"):
            await asyncio.sleep(0.01)
    return str(room.desk.seen[-1].body["notificationUrl"]).rsplit("/", 1)[1]


def said(choice: str, sender: str = "somebody") -> AddressCall:
    return AddressCall(sender, {"Content-Type": "application/json"}, {}, {"choice": choice})


def outputs(room: Room, run_id: str, key: str) -> Any:
    return room.runs.payload(run_id, key, "outputs")


async def ended(room: Room, run_id: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        await room.runner.wait_ended(run_id)
    return room.runs.view(run_id)


def test_an_action_waits_until_its_address_is_called_and_has_the_body_as_its_answer(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            accepted = await room.runner.accept_soon(Firing(room.publish(ASK), None, {}))
            token = await waiting(room, accepted.run_id)
            assert room.desk.seen[-1].body["notificationUrl"] == f"http://127.0.0.1:24080/callbacks/{token}"
            assert await room.runner.messages.call_back(token, said("isolate")) == "taken"
            view = await ended(room, accepted.run_id)
            assert statuses(view) == {"Ask": "Succeeded", "Answer": "Succeeded"}
            assert outputs(room, accepted.run_id, "Answer") == "isolate"

    asyncio.run(work())


def test_a_second_call_of_an_address_is_a_duplicate_and_one_after_the_end_is_late(tmp_path: Path) -> None:
    async def work() -> None:
        actions = ASK | {"Rest": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Second"}}, "runAfter": after("Answer")}}
        async with engine_room(tmp_path) as room:
            accepted = await room.runner.accept_soon(Firing(room.publish(actions), None, {}))
            token = await waiting(room, accepted.run_id)
            first, second = await asyncio.gather(*(room.runner.messages.call_back(token, said(choice)) for choice in ("yes", "no")))
            assert {first, second} <= {"taken", "duplicate"}
            view = await ended(room, accepted.run_id)
            assert view["status"] == "Succeeded"
            assert outputs(room, accepted.run_id, "Answer") in ("yes", "no")
            assert await room.runner.messages.call_back(token, said("again")) == "late"

    asyncio.run(work())


def test_an_address_nobody_gave_away_is_not_found(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            with pytest.raises(NotFound):
                await room.runner.messages.call_back("x" * 43, said("yes"))

    asyncio.run(work())


def test_nobody_calling_in_time_ends_the_action_timed_out(tmp_path: Path) -> None:
    async def work() -> None:
        actions = {"Ask": {**ASK["Ask"], "limit": {"timeout": "PT1S"}}, "Late": compose("nobody", runAfter=after("Ask", on=("TimedOut",)))}
        async with engine_room(tmp_path) as room:
            view = await room.run(actions)
            assert statuses(view) == {"Ask": "TimedOut", "Late": "Succeeded"}
            assert view["status"] == "Succeeded"

    asyncio.run(work())


def test_a_wait_survives_a_restart_and_its_address_stays_the_same(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            accepted = await room.runner.accept_soon(Firing(room.publish(ASK), None, {}))
            token = await waiting(room, accepted.run_id)
        async with engine_room(tmp_path) as room:
            assert await room.runner.messages.call_back(token, said("later")) == "taken"
            await ended(room, accepted.run_id)
            assert outputs(room, accepted.run_id, "Answer") == "later"
            assert len(room.world.deeds("subscribe")) == 1

    asyncio.run(work())


def test_a_call_may_come_before_the_subscription_is_answered(tmp_path: Path) -> None:
    async def work() -> None:
        slow = call(
            "post", "/things/@{encodeURIComponent('door')}/$subscriptions", {"notificationUrl": "@{listCallbackUrl()}", "seconds": 1}
        )
        actions = {"Ask": {**slow, "type": "ApiConnectionWebhook", "runAfter": {}}, "Answer": ASK["Answer"]}
        async with engine_room(tmp_path) as room:
            accepted = await room.runner.accept_soon(Firing(room.publish(actions), None, {}))
            async with asyncio.timeout(5):
                while not room.desk.seen:
                    await asyncio.sleep(0.01)
            token = str(room.desk.seen[0].body["notificationUrl"]).rsplit("/", 1)[1]
            assert await room.runner.messages.call_back(token, said("quick")) == "taken"
            await ended(room, accepted.run_id)
            assert outputs(room, accepted.run_id, "Answer") == "quick"

    asyncio.run(work())


def child(room: Room, actions: dict[str, Any]) -> None:
    room.publish(actions, name="Notify")


RUN_CHILD = {
    "Child": {
        "type": "Workflow",
        "inputs": {
            "host": {
                "triggerName": "manual",
                "workflow": {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Logic/workflows/Notify"},
            },
            "body": {"name": "@triggerBody()?['name']"},
        },
        "runAfter": {},
    },
    "After": compose("@body('Child')?['hello']", runAfter=after("Child")),
}
RESPONSE = {"type": "Response", "inputs": {"statusCode": 200, "body": {"hello": "@triggerBody()?['name']"}}, "runAfter": {}}


def test_a_playbook_runs_another_and_has_its_response_as_the_answer(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            child(room, {"Say": RESPONSE})
            view = await room.run(RUN_CHILD, {"name": "ada"}, name="Parent")
            assert view["status"] == "Succeeded"
            assert outputs(room, view["run_id"], "After") == "ada"

    asyncio.run(work())


def test_a_child_without_a_response_answers_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            child(room, {"Rest": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {}}})
            view = await room.run(RUN_CHILD, {"name": "ada"}, name="Parent")
            assert view["status"] == "Succeeded"
            assert outputs(room, view["run_id"], "Child")["statusCode"] == 202

    asyncio.run(work())


def test_a_child_that_ends_without_its_response_fails_the_action_with_the_reason(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            child(room, {"Break": compose("@int('x')", runAfter={}), "Say": {**RESPONSE, "runAfter": after("Break")}})
            view = await room.run(RUN_CHILD, {"name": "ada"}, name="Parent")
            assert statuses(view) == {"Child": "Failed", "After": "Skipped"}
            assert "without a Response" in view["actions"][0]["error"]["message"]

    asyncio.run(work())


def test_a_playbook_that_starts_itself_comes_to_an_end(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            looping = {"Again": RUN_CHILD["Child"], "Say": {**RESPONSE, "runAfter": after("Again")}}
            child(room, looping)
            view = await room.run(RUN_CHILD, {"name": "ada"}, name="Parent")
            assert view["status"] == "Failed"

    asyncio.run(work())


def test_a_child_that_is_not_here_is_named(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_room(tmp_path) as room:
            view = await room.run(RUN_CHILD, {"name": "ada"}, name="Parent")
            assert view["actions"][0]["error"] == {
                "code": "WorkflowNotFound",
                "message": "there is no published playbook called Notify here",
            }

    asyncio.run(work())


@asynccontextmanager
async def service(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = site._server
    assert server is not None
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]  # an asyncio.Server
    finally:
        await runner.cleanup()


def http() -> Http:
    return Http({}, OutboundRules(allowed_networks=("127.0.0.0/8",)))


def test_a_cancelled_wait_unsubscribes_once(tmp_path: Path) -> None:
    heard: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        heard.append((request.method, request.path))
        return web.json_response({})

    async def work() -> None:
        connector = http()
        async with service(answer) as base, engine_room(tmp_path, connectors=(connector,)) as room:
            hook = {
                "subscribe": {"method": "POST", "uri": f"{base}/on", "body": {"to": "@{listCallbackUrl()}"}},
                "unsubscribe": {"method": "DELETE", "uri": f"{base}/off"},
            }
            playbook_id = room.publish({"Hook": {"type": "HttpWebhook", "inputs": hook, "runAfter": {}}})
            accepted = await room.runner.accept_soon(Firing(playbook_id, None, {}))
            async with asyncio.timeout(5):
                while room.runs.view(accepted.run_id)["status"] != "Waiting":
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(room.runner.messages.cancel, accepted.run_id, by="ada", reason="enough")
            assert (await ended(room, accepted.run_id))["status"] == "Cancelled"
            async with asyncio.timeout(5):
                while len(heard) < 2:
                    await asyncio.sleep(0.01)
            await connector.close()
        assert heard == [("POST", "/on"), ("DELETE", "/off")]

    asyncio.run(work())


def test_an_accepted_call_is_asked_for_until_it_is_done_and_the_run_waits_as_a_row(tmp_path: Path) -> None:
    asked: list[str] = []
    is_done = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(f"{request.method} {request.path} {request.headers.get('Authorization', '')}".strip())
        if request.path == "/start":
            return web.Response(status=202, headers={"Location": "/status/1", "Retry-After": "1"})
        if not is_done.is_set():
            return web.Response(status=202, headers={"Location": "/status/1", "Retry-After": "1"})
        return web.json_response({"done": True})

    async def work() -> None:
        connector = http()
        async with service(answer) as base, engine_room(tmp_path, connectors=(connector,)) as room:
            inputs = {"method": "POST", "uri": f"{base}/start", "body": {}, "authentication": {"type": "Raw", "value": "Token x"}}
            accepted = await room.runner.accept_soon(
                Firing(room.publish({"Call": {"type": "Http", "inputs": inputs, "runAfter": {}}}), None, {})
            )
            async with asyncio.timeout(5):
                while room.runs.view(accepted.run_id)["status"] != "Waiting":
                    await asyncio.sleep(0.01)
            is_done.set()
            view = await ended(room, accepted.run_id)
            await connector.close()
            assert view["status"] == "Succeeded"
            assert outputs(room, accepted.run_id, "Call")["body"] == {"done": True}
        assert asked[0] == "POST /start Token x"
        assert set(asked[1:]) == {"GET /status/1 Token x"}

    asyncio.run(work())


def test_the_asynchronous_pattern_can_be_switched_off(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=202, headers={"Location": "/status/1"})

    async def work() -> None:
        connector = http()
        async with service(answer) as base, engine_room(tmp_path, connectors=(connector,)) as room:
            action = {"type": "Http", "inputs": {"method": "POST", "uri": base}, "operationOptions": "DisableAsyncPattern", "runAfter": {}}
            view = await room.run({"Call": action})
            await connector.close()
            assert outputs(room, view["run_id"], "Call")["statusCode"] == 202

    asyncio.run(work())
