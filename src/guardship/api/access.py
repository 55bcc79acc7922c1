"""Who may come in: a signed-in person, an API token, or the command on this machine; and which role a door asks for.

A person's request that changes something carries the session's guard as a header and comes from our own origin, so that no foreign
page can send it. Tokens carry no cookie and need neither.
"""

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from guardship.api.doors import Doors
from guardship.errors import Fault, GuardshipError
from guardship.identity import sessions, tokens
from guardship.identity.roles import NotAllowed, Role, demand
from guardship.identity.sessions import Caller

PREFIX = "/api/v1"
GUARD_HEADER = "X-Guard"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_WITHOUT_TOKENS = {"session", "ingest"}  # for people, and for ingest tokens, which are of another kind


class NotSignedIn(GuardshipError):
    code = "api.not_signed_in"
    fault = Fault.NOT_SIGNED_IN

    def __init__(self) -> None:
        super().__init__("sign in first", hint="in a script: an API token as `Authorization: Bearer …`")


class Forged(GuardshipError):
    code = "api.forged"
    fault = Fault.FORBIDDEN

    def __init__(self) -> None:
        super().__init__("this request does not come from a page of this server", hint="load the page again")


def doors_here(request: Request) -> Doors:
    doors: Doors = request.app.state.doors
    return doors


DoorsHere = Annotated[Doors, Depends(doors_here)]


def cookie_name(doors: Doors) -> str:
    return "__Host-guardship" if doors.is_secure else "guardship"


def address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def caller(request: Request, doors: DoorsHere) -> Caller:
    """Whoever asks; raises NotSignedIn."""
    found = _by_header(request, doors) or _by_cookie(request, doors)
    if found is None:
        raise NotSignedIn
    _demand_scope(found, request)
    return found


def reader(found: Annotated[Caller, Depends(caller)]) -> Caller:
    return found


def responder(found: Annotated[Caller, Depends(caller)]) -> Caller:
    demand(found.role, Role.RESPONDER, who=found.name)
    return found


def admin(found: Annotated[Caller, Depends(caller)]) -> Caller:
    demand(found.role, Role.ADMIN, who=found.name)
    return found


Reader = Annotated[Caller, Depends(reader)]
Responder = Annotated[Caller, Depends(responder)]
Admin = Annotated[Caller, Depends(admin)]


def who(found: Caller) -> str:
    """How the audit names a caller."""
    return found.name if found.token_id or found.user_id is None else f"user {found.name}"


def _by_header(request: Request, doors: Doors) -> Caller | None:
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret:
        return None
    if hmac.compare_digest(hashlib.sha256(secret.encode()).hexdigest(), doors.local_token_hash):
        return Caller("local command", "Command on this machine", Role.ADMIN, None)
    with doors.database.reading() as session:
        return tokens.caller_of_token(session, secret, at=doors.clock.now())


def _by_cookie(request: Request, doors: Doors) -> Caller | None:
    token = request.cookies.get(cookie_name(doors))
    if not token:
        return None
    with doors.database.reading() as session:
        found = sessions.caller_of(session, token, at=doors.clock.now())
        if found is not None and request.method not in _SAFE:
            _demand_own_page(request, token)
    return found


def _demand_own_page(request: Request, token: str) -> None:
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("Host"):
        raise Forged
    if not sessions.guard_holds(token, request.headers.get(GUARD_HEADER, "")):
        raise Forged


def scopes(app: FastAPI) -> list[str]:
    """What the scope of a token can hold: the first part of each address that a token opens."""
    return sorted({scope_of(path) for path in app.openapi()["paths"] if path.startswith(PREFIX)} - _WITHOUT_TOKENS)


def scope_of(path: str) -> str:
    return path.removeprefix(f"{PREFIX}/").partition("/")[0]


def _demand_scope(found: Caller, request: Request) -> None:
    if not found.scope:
        return
    if scope_of(request.url.path) not in found.scope:
        raise NotAllowed(f"{found.name} may use {', '.join(found.scope)} only", hint="create a token with a wider scope")
