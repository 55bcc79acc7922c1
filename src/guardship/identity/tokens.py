"""API tokens: for scripts and other servers; each with a role, a scope and an end, kept as a hash."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.errors import Fault, GuardshipError
from guardship.identity.roles import Role, includes
from guardship.identity.sessions import Caller
from guardship.identity.users import User
from guardship.ids import new_id
from guardship.storage.schema import Base, Json, Moment

PREFIX = "gs_"
_USER = "user "  # begins `created_by` where a person made it
LONGEST_LIFE = timedelta(days=365)


class ApiToken(Base):
    __tablename__ = "identity_api_token"

    token_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    scope: Mapped[list[str]] = mapped_column(Json)
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


class BadToken(GuardshipError):
    code = "identity.bad_token"
    fault = Fault.BAD_INPUT


def create_token(
    session: Session, name: str, *, role: Role, scope: tuple[str, ...], life: timedelta, by: str, at: datetime
) -> tuple[ApiToken, str]:
    """The token's row and its secret, which is shown once. `by` answers for what is done with it.

    `scope` holds first parts of API paths (`runs`, `search`); empty means all.
    """
    if not timedelta() < life <= LONGEST_LIFE:
        raise BadToken("a token lives between a moment and 365 days")
    secret = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        token_id=new_id("tokn"),
        name=name,
        token_hash=_hash(secret),
        role=role,
        scope=list(scope),
        created_by=by,
        created_at=at,
        expires_at=at + life,
    )
    session.add(row)
    return row, secret


def caller_of_token(session: Session, secret: str, *, at: datetime) -> Caller | None:
    """Who comes with this secret. A token can do no more than the user who made it may by now, and nothing once they may not come in."""
    row = session.scalars(
        select(ApiToken).where(ApiToken.token_hash == _hash(secret), ApiToken.revoked_at.is_(None), ApiToken.expires_at > at)
    ).first()
    if row is None:
        return None
    scope, role = tuple(row.scope), Role(row.role)
    if row.created_by.startswith(_USER):
        maker = session.scalars(select(User).where(User.name == row.created_by.removeprefix(_USER), User.disabled_at.is_(None))).first()
        if maker is None:
            return None
        role = role if includes(Role(maker.role), role) else Role(maker.role)
    return Caller(f"token {row.name}", row.name, role, None, token_id=row.token_id, scope=scope, person=row.created_by)


def tokens(session: Session) -> list[ApiToken]:
    return list(session.scalars(select(ApiToken).order_by(ApiToken.created_at.desc())))


def revoke_token(session: Session, token_id: str, *, at: datetime) -> None:
    session.execute(update(ApiToken).where(ApiToken.token_id == token_id, ApiToken.revoked_at.is_(None)).values(revoked_at=at))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
