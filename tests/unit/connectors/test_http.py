import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.unit.connectors.test_azure_automation import context
from tests.unit.playbooks.engine_room import after, compose, engine_room

from guardship.connectors.http import ArmDoor, DoorAnswer, Http
from guardship.connectors.outbound import OutboundRules
from guardship.playbooks.connector import CallContext, CallFailed, ConnectorRequest, ConnectorResponse

LOOPBACK = OutboundRules(allowed_networks=("127.0.0.0/8",))
Work = Callable[[Http, str], Awaitable[Any]]


async def echo(request: web.Request) -> web.StreamResponse:
    return web.json_response(
        {"method": request.method, "headers": dict(request.headers), "query": dict(request.query), "text": await request.text()}
    )


async def redirect(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(request.query["to"])


async def accepted(request: web.Request) -> web.StreamResponse:
    return web.Response(status=202, headers={"Location": request.query["to"], "Retry-After": "0"})


class Slow:
    """Answers 202 twice, then 200."""

    def __init__(self) -> None:
        self.asked = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.asked < 3:
            return web.Response(status=202, headers={"Location": "/slow", "Retry-After": "0"})
        return web.json_response({"asked": self.asked})


async def picture(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"\x89PNG", content_type="image/png")


def served(work: Work, rules: OutboundRules = LOOPBACK, doors: dict[str, Any] | None = None) -> Any:
    async def run() -> Any:
        app = web.Application()
        app.router.add_route("*", "/echo", echo)
        app.router.add_route("*", "/slow", Slow().answer)
        app.router.add_get("/redirect", redirect)
        app.router.add_get("/accepted", accepted)
        app.router.add_get("/picture", picture)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server = site._server
        assert server is not None
        port = server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # an asyncio.Server
        http = Http(doors or {}, rules)
        try:
            return await work(http, f"http://127.0.0.1:{port}")
        finally:
            await http.close()
            await runner.cleanup()

    return asyncio.run(run())


def ask(path: str, method: str = "POST", body: Any = None, headers: dict[str, str] | None = None, **options: Any) -> Work:
    def work(http: Http, base: str) -> Awaitable[ConnectorResponse]:
        url = path if path.startswith("http") else base + path.replace("OTHER", base.replace("127.0.0.1", "localhost"))
        return http.call(ConnectorRequest(method.lower(), method, url, {}, {"q": "1"}, headers or {}, body, options), context())

    return work


def followed(path: str, method: str = "POST", headers: dict[str, str] | None = None, **options: Any) -> Work:
    """As the engine does it: what was accepted is asked for where the answer says, until it is something else."""

    async def work(http: Http, base: str) -> ConnectorResponse:
        url = base + path.replace("OTHER", base.replace("127.0.0.1", "localhost"))
        request = ConnectorRequest(method.lower(), method, url, {}, {"q": "1"}, headers or {}, None, options)
        answer = await http.call(request, context())
        while answer.status_code == 202:
            answer = await http.call(replace(request, poll=answer.headers["Location"]), context())
        return answer

    return work


def test_a_body_goes_out_as_json_with_the_keys_that_stay_the_same_over_attempts() -> None:
    answer = served(ask("/echo", body={"vm": "web-1"}))
    assert answer.body["text"] == '{"vm": "web-1"}'
    assert answer.body["query"] == {"q": "1"}
    assert answer.body["headers"]["Idempotency-Key"] == "ab" * 32
    assert answer.body["headers"]["x-ms-client-request-id"] == "abababab-abab-abab-abab-abababababab"
    assert answer.body["headers"]["Content-Type"] == "application/json"


def test_basic_and_raw_authentication_are_sent() -> None:
    basic = served(ask("/echo", authentication={"type": "Basic", "username": "ada", "password": "p"}))
    assert basic.body["headers"]["Authorization"] == f"Basic {base64.b64encode(b'ada:p').decode()}"
    raw = served(ask("/echo", authentication={"type": "Raw", "value": "Token x"}))
    assert raw.body["headers"]["Authorization"] == "Token x"


def test_an_authentication_that_is_not_built_is_refused_by_name() -> None:
    with pytest.raises(CallFailed, match="kerberos"):
        served(ask("/echo", authentication={"type": "Kerberos"}))


def test_a_private_address_is_refused_unless_it_is_allowed() -> None:
    for address in (
        "http://10.0.0.1/x",
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://169.254.169.254/metadata",
        "http://[::ffff:10.0.0.1]/",
    ):
        with pytest.raises(CallFailed, match="private") as caught:
            served(ask(address, "GET"), OutboundRules())
        assert caught.value.code == "OutboundRefused"


def test_a_name_that_resolves_to_a_private_address_is_not_connected_to() -> None:
    with pytest.raises(CallFailed):
        served(ask("http://localhost:1/x", "GET"), OutboundRules())


def test_a_host_outside_the_list_is_refused() -> None:
    rules = OutboundRules(allowed_hosts=(".example.org",))
    assert rules.refuse_host("api.example.org") is None
    assert rules.refuse_host("example.org.evil.net") is not None


def test_a_redirect_to_a_forbidden_host_is_refused() -> None:
    with pytest.raises(CallFailed, match="private"):
        served(ask("/redirect?to=http://10.1.1.1/steal", "GET"))


def test_a_redirect_on_the_same_host_is_followed_with_what_was_sent() -> None:
    answer = served(ask("/redirect?to=/echo", "GET", headers={"X-Case": "1"}))
    assert (answer.body["method"], answer.body["headers"]["X-Case"]) == ("GET", "1")


def test_secrets_stay_with_their_host_when_a_redirect_leaves_it() -> None:
    answer = served(ask("/redirect?to=OTHER/echo", "GET", authentication={"type": "Raw", "value": "Token x"}))
    assert "Authorization" not in answer.body["headers"]


def test_no_key_of_any_name_follows_to_another_host_whichever_way_it_leads() -> None:
    secret = {"X-Api-Key": "k", "Cookie": "c", "Accept": "application/json"}
    for path in ("/redirect?to=OTHER/echo", "/accepted?to=OTHER/echo"):
        headers = served(followed(path, "GET", headers=secret, authentication={"type": "Raw", "value": "Token x"})).body["headers"]
        assert not {"X-Api-Key", "Cookie", "Authorization"} & set(headers)
        assert headers["Accept"] == "application/json"
    assert served(followed("/accepted?to=/echo", "GET", headers=secret)).body["headers"]["X-Api-Key"] == "k"


def test_an_answer_that_is_not_ready_leads_to_no_door() -> None:
    with pytest.raises(CallFailed, match="not reached this way"):
        served(
            followed("/accepted?to=http://door.example/x", "GET"),
            OutboundRules(allowed_networks=("127.0.0.0/8",)),
            {"door.example": object()},
        )


@pytest.mark.parametrize(
    "address",
    [
        "168.63.129.16",
        "64:ff9b::a9fe:a9fe",
        "::7f00:1",
        "2002:7f00:1::1",
        "::ffff:127.0.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "fe80::1",
    ],
)
def test_no_way_of_writing_leads_to_a_private_address(address: str) -> None:
    assert OutboundRules().refuse_address(address) is not None


def test_only_an_entry_with_a_dot_takes_what_is_below() -> None:
    rules = OutboundRules(allowed_hosts=("example.org", ".example.net"))
    assert [rules.refuse_host(host) is None for host in ("example.org", "evil.example.org", "a.example.net", "example.net")] == [
        True,
        False,
        True,
        True,
    ]
    assert OutboundRules().refuse_address("8.8.8.8") is None


def test_a_call_that_was_accepted_says_where_its_answer_is_and_is_asked_for_there() -> None:
    assert served(ask("/slow")).headers["Location"].startswith("http://127.0.0.1:")
    assert served(followed("/slow")).body == {"asked": 3}


def test_what_is_neither_json_nor_text_comes_as_content() -> None:
    assert served(ask("/picture", "GET")).body == {"$content-type": "image/png", "$content": base64.b64encode(b"\x89PNG").decode()}


def test_a_host_that_does_not_answer_may_be_tried_again() -> None:
    with pytest.raises(CallFailed) as caught:
        served(ask("http://127.0.0.1:1/", "GET"))
    assert caught.value.may_retry


def test_a_playbook_posts_and_reads_the_answer(tmp_path: Path) -> None:
    async def work(http: Http, base: str) -> Any:
        async with engine_room(tmp_path, connectors=(http,)) as room:
            inputs = {"method": "POST", "uri": "@{triggerBody()?['callback']}/echo", "body": {"vm": "@{triggerBody()?['vm']}"}}
            actions = {
                "Post": {"type": "Http", "inputs": inputs, "runAfter": {}},
                "Said": compose("@body('Post')?['text']", runAfter=after("Post")),
            }
            view = await room.run(actions, {"callback": base, "vm": "web-1"})
            posted: Any = room.runs.payload(view["run_id"], "Post", "outputs")
            return room.runs.payload(view["run_id"], "Said", "outputs"), posted["headers"]

    said, headers = served(work)
    assert said == '{"vm": "web-1"}'
    assert headers["Content-Type"].startswith("application/json")


class KeptDoor:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []

    def call(self, method: str, url: str, *, body: Any, headers: Any, context: CallContext) -> DoorAnswer:
        self.calls.append((method, url, body))
        return DoorAnswer(200, {}, {"through": "door"})


def test_a_host_that_maps_to_arm_leaves_through_its_door_alone() -> None:
    door = KeptDoor()
    answer = served(ask("https://management.azure.com/subscriptions/s", "PUT", {"a": 1}), doors={"management.azure.com": door})
    assert answer.body == {"through": "door"}
    assert door.calls == [("PUT", "https://management.azure.com/subscriptions/s?q=1", {"a": 1})]


def test_a_redirect_does_not_reach_a_door() -> None:
    with pytest.raises(CallFailed, match="not reached this way"):
        served(ask("/redirect?to=https://management.azure.com/x", "GET"), doors={"management.azure.com": KeptDoor()})


def test_a_door_without_an_account_says_so() -> None:
    with pytest.raises(CallFailed) as caught:
        served(ask("https://management.azure.com/x", "GET"), doors={"management.azure.com": ArmDoor(lambda: None)})
    assert caught.value.code == "CloudAccountMissing"


@pytest.mark.parametrize("host", ["westeurope.management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn."])
def test_no_name_of_a_resource_manager_is_reached_around_the_gate(host: str) -> None:
    with pytest.raises(CallFailed, match="without a connected account"):
        served(ask(f"https://{host}/subscriptions/s", "GET"), doors={"management.azure.com": KeptDoor()})


def test_a_dot_at_the_end_of_a_name_does_not_lead_around_its_door() -> None:
    answer = served(ask("https://management.azure.com./subscriptions/s", "GET"), doors={"management.azure.com": KeptDoor()})
    assert answer.body == {"through": "door"}
