"""Signing in and out."""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from guardship.api.access import DoorsHere, Reader, address_of, cookie_name, who
from guardship.api.doors import Doors
from guardship.identity import audit, sessions
from guardship.identity.sessions import NewSession, Try

router = APIRouter(tags=["session"])


class SignIn(BaseModel):
    name: str = Field(max_length=64)
    password: str = Field(max_length=1024)
    code: str = Field("", max_length=10, description="Of the authenticator app, where one is set up.")


class SignInLink(BaseModel):
    token: str = Field(max_length=200)


class Me(BaseModel):
    """Who is signed in; `guard` goes into the header `X-Guard` of every request that changes something."""

    name: str
    display_name: str
    role: str
    guard: str
    now: datetime


@router.post("/session")
def sign_in(body: SignIn, request: Request, response: Response, doors: DoorsHere) -> Me:
    """Sign in with name and password."""
    tried = Try(body.name.strip().lower(), address_of(request), doors.clock.now())
    new = sessions.sign_in(doors.database, tried, body.password, body.code.strip(), policy=doors.sign_in, vault=doors.vault)
    return _welcome(new, response, doors)


@router.post("/session/link")
def use_link(body: SignInLink, request: Request, response: Response, doors: DoorsHere) -> Me:
    """Sign in with a one-time link."""
    at, address = doors.clock.now(), address_of(request)
    with doors.database.transaction() as session:
        new = sessions.use_link(session, body.token, address=address, policy=doors.sign_in, at=at)
        audit.record(session, who=f"user {new.user.name}", act="session.opened", subject=address, at=at, detail={"by": "link"})
    return _welcome(new, response, doors)


@router.get("/session")
def me(request: Request, doors: DoorsHere, caller: Reader) -> Me:
    """Who is signed in, with the guard of this session's pages."""
    token = request.cookies.get(cookie_name(doors), "")
    guard = sessions.guard_of(token) if caller.session_id is not None else ""
    return Me(name=caller.name, display_name=caller.display_name, role=caller.role, guard=guard, now=doors.clock.now())


@router.delete("/session", status_code=204)
def sign_out(response: Response, doors: DoorsHere, caller: Reader) -> None:
    at = doors.clock.now()
    with doors.database.transaction() as session:
        if caller.session_id is not None:
            sessions.revoke(session, caller.session_id, at=at)
        audit.record(session, who=who(caller), act="session.closed", subject="", at=at)
    response.delete_cookie(cookie_name(doors), path="/")


def _welcome(new: NewSession, response: Response, doors: Doors) -> Me:
    response.set_cookie(
        cookie_name(doors),
        new.token,
        max_age=int(doors.sign_in.life.total_seconds()),
        path="/",
        secure=doors.is_secure,
        httponly=True,
        samesite="strict",
    )
    guard = sessions.guard_of(new.token)
    return Me(name=new.user.name, display_name=new.user.display_name, role=new.user.role, guard=guard, now=doors.clock.now())
