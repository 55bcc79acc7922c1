"""How much a request may send before anything looks at it: little from a stranger, more from who is signed in.

The doors that read their bodies piece by piece, each with a bound of its own, are left alone.
"""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardship.api.access import PREFIX, caller
from guardship.api.bodies import BodyTooLarge
from guardship.api.doors import Doors
from guardship.api.problems import answer
from guardship.errors import GuardshipError

MOST_OF_A_STRANGER = 64 * 1024
MOST_SIGNED_IN = 48 * 1024 * 1024  # a playbook of twenty million characters, as JSON
_BOUND_THEMSELVES = (f"{PREFIX}/ingest/", "/workflows/")


class Bounded:
    """Plain ASGI: ends a request with 401 or 413 as soon as more has come than its sender may send."""

    def __init__(self, app: ASGIApp, *, doors: Doors) -> None:
        self._app = app
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_BOUND_THEMSELVES):
            await self._app(scope, receive, send)
            return
        size, most, is_refused = 0, MOST_OF_A_STRANGER, False

        async def receive_bounded() -> Message:
            nonlocal size, most, is_refused
            message = await receive()
            size += len(message.get("body", b""))
            try:
                if most < size and most == MOST_OF_A_STRANGER:
                    await asyncio.to_thread(caller, Request(scope), self._doors)
                    most = MOST_SIGNED_IN
                if most < size:
                    raise BodyTooLarge(most, "send it in parts")
            except GuardshipError as error:
                is_refused = True
                await answer(error)(scope, receive, send)
                return {"type": "http.disconnect"}
            return message

        async def send_unless_refused(message: Message) -> None:
            if not is_refused:
                await send(message)

        await self._app(scope, receive_bounded, send_unless_refused)
