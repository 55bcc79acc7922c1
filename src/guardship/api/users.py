"""Users, their second factor, and API tokens."""

from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from guardship.api.access import Admin, DoorsHere, Reader, address_of, scopes, who
from guardship.identity import audit, sessions, tokens, users
from guardship.identity.roles import NotAllowed, Role, includes
from guardship.identity.sessions import Try
from guardship.identity.tokens import ApiToken, BadToken
from guardship.identity.users import BadUser, User

router = APIRouter(tags=["access"])

DAYS = 30  # that a token lives, unless somebody says otherwise


class UserOut(BaseModel):
    name: str
    display_name: str
    role: Role
    has_password: bool
    has_second_factor: bool
    created_at: datetime
    disabled_at: datetime | None


class NewUser(BaseModel):
    name: str
    display_name: str = ""
    role: Role = Role.READER
    password: str = Field(max_length=1024)


class UserChange(BaseModel):
    role: Role | None = None
    is_disabled: bool | None = None


class PasswordChange(BaseModel):
    old: str = Field("", max_length=1024)
    new: str = Field(max_length=1024)


class SecondFactor(BaseModel):
    secret: str
    address: str


class SecondFactorCode(BaseModel):
    """`old_code` is one of the second factor in force, where there is one."""

    secret: str = Field(max_length=64)
    code: str = Field(max_length=10)
    old_code: str = Field("", max_length=10)


class TokenOut(BaseModel):
    token_id: str
    name: str
    role: Role
    scope: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class NewToken(BaseModel):
    """An empty scope opens every door that the role opens."""

    name: str = Field(min_length=1, max_length=120)
    role: Role = Role.READER
    scope: list[str] = []
    days: int = Field(DAYS, ge=1, le=tokens.LONGEST_LIFE.days)


class TokenChoices(BaseModel):
    """What a new token can be given."""

    roles: list[Role]
    scopes: list[str]
    days: int
    most_days: int


class TokenSecret(BaseModel):
    """`secret` is shown this once."""

    token: TokenOut
    secret: str


@router.get("/users")
def list_users(doors: DoorsHere, caller: Admin) -> list[UserOut]:
    with doors.database.reading() as session:
        return [_user(row) for row in session.scalars(select(User).order_by(User.name))]


@router.post("/users", status_code=201)
def create_user(body: NewUser, doors: DoorsHere, caller: Admin) -> UserOut:
    at = doors.clock.now()
    with doors.database.transaction() as session:
        row = users.create_user(session, body.name, role=body.role, password=body.password, at=at, display_name=body.display_name)
        audit.record(session, who=who(caller), act="user.created", subject=row.name, at=at, detail={"role": row.role})
        return _user(row)


@router.patch("/users/{name}")
def change_user(name: str, body: UserChange, doors: DoorsHere, caller: Admin) -> UserOut:
    """Change role or access; open sessions of the user end."""
    at = doors.clock.now()
    with doors.database.transaction() as session:
        row = users.user_named(session, name)
        if row.user_id == caller.user_id:
            raise BadUser(
                "nobody changes their own role or access", hint="ask another admin, or use `guardship admin reset` on the machine"
            )
        row.role = body.role or row.role
        if body.is_disabled is not None:
            row.disabled_at = at if body.is_disabled else None
        sessions.revoke_all_of(session, row.user_id, at=at)
        audit.record(session, who=who(caller), act="user.changed", subject=name, at=at, detail=body.model_dump(exclude_none=True))
        return _user(row)


@router.post("/users/me/password", status_code=204)
def change_password(body: PasswordChange, request: Request, doors: DoorsHere, caller: Reader) -> None:
    """Other sessions of the user end. A wrong old password counts like one at the sign-in."""
    tried = Try(caller.name, address_of(request), at := doors.clock.now())
    with doors.database.reading() as session:
        known = _own(session.get(User, caller.user_id or ""))
        sessions.demand_tries_left(session, tried, doors.sign_in)
    if known.password_hash is not None and not users.password_holds(known, body.old):
        with doors.database.transaction() as session:
            sessions.demand_tries_left(session, tried, doors.sign_in)
            _write_refusal(session, tried, "user.password_refused")
        raise BadUser("the old password is wrong")
    password_hash = users.hash_password(body.new)
    with doors.database.transaction() as session:
        sessions.demand_tries_left(session, tried, doors.sign_in)
        row = _own(session.get(User, known.user_id))
        if row.password_hash != known.password_hash:
            raise BadUser("the password was changed meanwhile", hint="sign in again")
        row.password_hash = password_hash
        sessions.revoke_all_of(session, row.user_id, at=at, but=caller.session_id)
        audit.record(session, who=who(caller), act="user.password_changed", subject=row.name, at=at)


@router.post("/users/me/second-factor")
def new_second_factor(doors: DoorsHere, caller: Reader) -> SecondFactor:
    """A secret for an authenticator app; it is in force once a code of it was confirmed."""
    with doors.database.reading() as session:
        secret, address = users.new_totp_secret(_own(session.get(User, caller.user_id or "")))
    return SecondFactor(secret=secret, address=address)


@router.put("/users/me/second-factor", status_code=204)
def confirm_second_factor(body: SecondFactorCode, request: Request, doors: DoorsHere, caller: Reader) -> None:
    """Put the secret in force; where one is in force, a code of it is needed too."""
    tried = Try(caller.name, address_of(request), at := doors.clock.now())
    with doors.database.transaction() as session:
        row = _own(session.get(User, caller.user_id or ""))
        sessions.demand_tries_left(session, tried, doors.sign_in)
        may = users.totp_holds(row, body.old_code, doors.vault, at=at)
        if not may:
            _write_refusal(session, tried, "user.second_factor_refused")
        else:
            users.confirm_totp(row, body.secret, body.code, doors.vault, at=at)
            audit.record(session, who=who(caller), act="user.second_factor_set", subject=row.name, at=at)
    if not may:
        raise BadUser("a code of the second factor in force is needed as well")


@router.get("/tokens")
def list_tokens(doors: DoorsHere, caller: Admin) -> list[TokenOut]:
    with doors.database.reading() as session:
        return [_token(row) for row in tokens.tokens(session)]


@router.get("/tokens/choices")
def token_choices(request: Request, caller: Admin) -> TokenChoices:
    """Roles up to the caller's own, scopes, and how long a token may live."""
    roles = [role for role in Role if includes(caller.role, role)]
    return TokenChoices(roles=roles, scopes=scopes(request.app), days=DAYS, most_days=tokens.LONGEST_LIFE.days)


@router.post("/tokens", status_code=201)
def create_token(body: NewToken, request: Request, doors: DoorsHere, caller: Admin) -> TokenSecret:
    known = scopes(request.app)
    if unknown := [scope for scope in body.scope if scope not in known]:
        raise BadToken(f"there is no scope {unknown[0]}", hint=f"scopes are {', '.join(known)}")
    if caller.scope and not (body.scope and set(body.scope) <= set(caller.scope)):
        raise NotAllowed(f"{caller.name} cannot give away more than it has", hint=f"name scopes of {', '.join(caller.scope)}")
    at = doors.clock.now()
    with doors.database.transaction() as session:
        row, secret = tokens.create_token(
            session,
            body.name,
            role=body.role,
            scope=tuple(body.scope),
            life=timedelta(days=body.days),
            by=caller.person or who(caller),  # a token made with a token is its maker's, too
            at=at,
        )
        audit.record(session, who=who(caller), act="token.created", subject=row.name, at=at, detail={"role": row.role, "scope": row.scope})
        return TokenSecret(token=_token(row), secret=secret)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(token_id: str, doors: DoorsHere, caller: Admin) -> None:
    at = doors.clock.now()
    with doors.database.transaction() as session:
        tokens.revoke_token(session, token_id, at=at)
        audit.record(session, who=who(caller), act="token.revoked", subject=token_id, at=at)


def _write_refusal(session: Session, tried: Try, act: str) -> None:
    """In a transaction that commits; what is raised about it is raised after that."""
    sessions.count_wrong(session, tried)
    audit.record(session, who=f"user {tried.name}", act=act, subject=tried.address, at=tried.at)


def _own(row: User | None) -> User:
    if row is None:
        raise BadUser("this is for signed-in people, not for tokens")
    return row


def _user(row: User) -> UserOut:
    return UserOut(
        name=row.name,
        display_name=row.display_name,
        role=Role(row.role),
        has_password=row.password_hash is not None,
        has_second_factor=row.sealed_totp is not None,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _token(row: ApiToken) -> TokenOut:
    return TokenOut(
        token_id=row.token_id,
        name=row.name,
        role=Role(row.role),
        scope=row.scope,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
