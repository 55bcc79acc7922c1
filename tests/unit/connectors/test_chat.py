import asyncio
from typing import Any

from aiohttp import web
from tests.unit.connectors.asking import request_for, with_connection
from tests.unit.connectors.test_http import LOOPBACK, served

from guardship.connectors.chat import Chat
from guardship.connectors.http import Http
from guardship.playbooks.connector import ConnectorResponse


def test_a_webhook_of_the_connection_gets_the_text() -> None:
    kept: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        kept.append((request.method, await request.json()))
        return web.json_response({})

    async def work() -> ConnectorResponse:
        app = web.Application()
        app.router.add_route("*", "/hook", take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        http = Http({}, LOOPBACK)
        try:
            request = request_for("slack", "post_message", queries={"text": "hello"})
            place = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
            return await Chat("slack", http, None).call(request, with_connection(webhook=place))
        finally:
            await http.close()
            await runner.cleanup()

    assert asyncio.run(work()).body["ok"] is True
    assert kept == [("POST", {"text": "hello"})]


def test_a_webhook_that_refuses_fails_the_call() -> None:
    async def work(http: Http, base: str) -> Any:
        request = request_for("slack", "post_message", queries={"text": "hello"})
        return await Chat("slack", http, None).call(request, with_connection(webhook=f"{base}/nowhere"))

    assert served(work).status_code == 404


def test_without_a_webhook_and_a_lab_it_is_known_beforehand() -> None:
    async def work(http: Http, base: str) -> Any:
        return Chat("teams", http, None).missing("post_message", {}), Chat("teams", http, None).missing("post_message", {"webhook": base})

    assert served(work) == ("the connection teams lacks webhook, the address that takes its messages", None)
