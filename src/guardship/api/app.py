"""The application: every door under /api/v1, the console for everything else, and the headers that each answer carries."""

from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardship.api import (
    alerts,
    analytics_rules,
    approvals,
    audit,
    automation_rules,
    callbacks,
    console,
    incidents,
    ingest,
    isolations,
    jobs,
    machines,
    overview,
    playbooks,
    problems,
    runbooks,
    runs,
    search,
    sessions,
    stream,
    system,
    triggers,
    users,
)
from guardship.api.access import PREFIX
from guardship.api.doors import Doors
from guardship.api.limits import Bounded

_ROOMS = (
    sessions,
    users,
    audit,
    approvals,
    overview,
    alerts,
    incidents,
    analytics_rules,
    automation_rules,
    playbooks,
    runs,
    runbooks,
    jobs,
    isolations,
    machines,
    search,
    ingest,
    system,
    stream,
)


def create_app(doors: Doors) -> FastAPI:
    app = describe()
    app.state.doors = doors
    app.add_middleware(Bounded, doors=doors)
    app.add_middleware(_Hardened, is_secure=doors.is_secure)  # the outermost: a refusal carries its headers too
    return app


def describe() -> FastAPI:
    """The application without what it opens to: enough for its OpenAPI document."""
    app = FastAPI(
        title="Guardship",
        version="1",
        summary="Sees, knows, acts and keeps clean.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": problems.Problem, "description": "What went wrong and the way out"}},
    )
    problems.install(app)
    v1 = APIRouter(prefix=PREFIX)
    for room in _ROOMS:
        v1.include_router(room.router)
    app.include_router(v1)
    app.include_router(triggers.router)
    app.include_router(callbacks.router)
    app.include_router(console.router)
    return app


class _Hardened:
    """Plain ASGI, so that streams pass through untouched: puts the safe headers on every answer."""

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self._app = app
        self._headers = dict(_HEADERS) | ({"Strict-Transport-Security": "max-age=31536000"} if is_secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_hardened)


_HEADERS = {
    "Content-Security-Policy": console.CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
