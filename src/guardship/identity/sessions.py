"""Signing in: with name and password, or by a one-time link; wrong tries are counted, sessions end and can be ended.

A session is a random token in a cookie, kept as its hash. Its guard, which all pages of the session share, is made from that token
and keeps forged requests out: a page sends it as a header, which no foreign page can.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.errors import Fault, GuardshipError, counted
from guardship.identity import audit
from guardship.identity.roles import Role
from guardship.identity.users import User, password_holds, totp_holds
from guardship.ids import new_id
from guardship.storage.database import Database
from guardship.storage.schema import Base, Moment
from guardship.storage.vault import Vault

PAUSE = timedelta(minutes=15)
LINK_LIFE = timedelta(minutes=30)
TRIES_PER_ADDRESS = 4  # times the tries of one name
_GUARD_LABEL = b"guardship page guard 1"


class SignedIn(Base):
    __tablename__ = "identity_session"

    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(String(40), index=True)
    address: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


class SignInLink(Base):
    __tablename__ = "identity_sign_in_link"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(40))
    expires_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class WrongTry(Base):
    __tablename__ = "identity_wrong_try"

    try_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    address: Mapped[str] = mapped_column(String(60), index=True)
    at: Mapped[datetime] = mapped_column(Moment)


class SignInRefused(GuardshipError):
    code = "identity.sign_in_refused"
    fault = Fault.NOT_SIGNED_IN


class SecondFactorNeeded(GuardshipError):
    code = "identity.second_factor_needed"
    fault = Fault.NOT_SIGNED_IN


class TooManyTries(GuardshipError):
    code = "identity.too_many_tries"
    fault = Fault.TOO_MANY


@dataclass(frozen=True, slots=True)
class NewSession:
    """`token` goes into the cookie and cannot be had again."""

    token: str
    user: User
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a person in a session, or an API token."""

    name: str
    display_name: str
    role: Role
    user_id: str | None
    session_id: str | None = None
    token_id: str | None = None
    scope: tuple[str, ...] = ()
    person: str | None = None  # who answers for what is done: the person, or who made the token


@dataclass(frozen=True, slots=True)
class Try:
    """Somebody says who they are, from an address."""

    name: str
    address: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    tries: int
    life: timedelta


def sign_in(database: Database, tried: Try, password: str, code: str, *, policy: Policy, vault: Vault) -> NewSession:
    """A new session; raises SignInRefused, SecondFactorNeeded or TooManyTries once the try is written down.

    The password is verified between two short transactions. The second counts again, so that tries at once gain nothing.
    """
    with database.reading() as session:
        demand_tries_left(session, tried, policy)
        user = _enabled(session, tried.name)
    holds = password_holds(user, password)
    with database.transaction() as session:
        outcome = _outcome(session, tried, user if holds else None, code, policy, vault)
        act = "session.opened" if isinstance(outcome, NewSession) else "session.refused"
        audit.record(session, who=f"user {tried.name[:64]}", act=act, subject=tried.address, at=tried.at)
    if isinstance(outcome, GuardshipError):
        raise outcome
    return outcome


def demand_tries_left(session: Session, tried: Try, policy: Policy) -> int:
    """How many wrong tries this name has left; raises TooManyTries."""
    tries = _recent(session, WrongTry.name == tried.name, tried.at)
    if tries >= policy.tries or _recent(session, WrongTry.address == tried.address, tried.at) >= policy.tries * TRIES_PER_ADDRESS:
        raise TooManyTries("too many wrong tries", hint="wait 15 minutes, or run `guardship admin reset NAME` on the machine itself")
    return policy.tries - tries


def count_wrong(session: Session, tried: Try) -> None:
    """Commit it, whatever is raised afterwards."""
    session.add(WrongTry(try_id=new_id("wtry"), name=tried.name[:64], address=tried.address[:60], at=tried.at))


def make_link(session: Session, user: User, *, at: datetime) -> str:
    """The secret of a link that signs this user in once."""
    token = secrets.token_urlsafe(32)
    session.add(SignInLink(token_hash=_hash(token), user_id=user.user_id, expires_at=at + LINK_LIFE))
    return token


def use_link(session: Session, token: str, *, address: str, policy: Policy, at: datetime) -> NewSession:
    taken = session.execute(
        update(SignInLink)
        .where(SignInLink.token_hash == _hash(token), SignInLink.used_at.is_(None), SignInLink.expires_at > at)
        .values(used_at=at)
        .returning(SignInLink.user_id)
    ).scalar()
    user = session.get(User, taken) if taken else None
    if user is None or user.disabled_at is not None:
        raise SignInRefused(
            "this sign-in link was used or has expired", hint="start the command again, or run `guardship admin reset NAME` on the machine"
        )
    return _open(session, user, address, policy, at)


def caller_of(session: Session, token: str, *, at: datetime) -> Caller | None:
    row = session.execute(
        select(SignedIn, User)
        .join(User, User.user_id == SignedIn.user_id)
        .where(SignedIn.token_hash == _hash(token), SignedIn.revoked_at.is_(None), SignedIn.expires_at > at, User.disabled_at.is_(None))
    ).first()
    if row is None:
        return None
    signed_in, user = row
    person = f"user {user.name}"
    return Caller(user.name, user.display_name, Role(user.role), user.user_id, session_id=signed_in.session_id, person=person)


def guard_of(token: str) -> str:
    """The guard of all pages of the session with this token; who knows the guard cannot tell the token."""
    return hmac.new(token.encode(), _GUARD_LABEL, hashlib.sha256).hexdigest()


def guard_holds(token: str, guard: str) -> bool:
    return hmac.compare_digest(guard_of(token).encode(), guard.encode())


def revoke(session: Session, session_id: str, *, at: datetime) -> None:
    session.execute(update(SignedIn).where(SignedIn.session_id == session_id, SignedIn.revoked_at.is_(None)).values(revoked_at=at))


def revoke_all_of(session: Session, user_id: str, *, at: datetime, but: str | None = None) -> None:
    """All sessions of a user, `but` the one with this id."""
    of_user = update(SignedIn).where(SignedIn.user_id == user_id, SignedIn.revoked_at.is_(None))
    session.execute((of_user if but is None else of_user.where(SignedIn.session_id != but)).values(revoked_at=at))


def forget_tries(session: Session, name: str) -> None:
    session.execute(delete(WrongTry).where(WrongTry.name == name))


def sweep(session: Session, *, at: datetime) -> None:
    """Forget what has no use any more."""
    session.execute(delete(SignedIn).where(SignedIn.expires_at < at - timedelta(days=30)))
    session.execute(delete(SignInLink).where(SignInLink.expires_at < at))
    session.execute(delete(WrongTry).where(WrongTry.at < at - PAUSE))


def _open(session: Session, user: User, address: str, policy: Policy, at: datetime) -> NewSession:
    token = secrets.token_urlsafe(32)
    expires_at = at + policy.life
    session.add(
        SignedIn(
            session_id=new_id("sess"),
            token_hash=_hash(token),
            user_id=user.user_id,
            address=address,
            created_at=at,
            expires_at=expires_at,
        )
    )
    return NewSession(token, user, expires_at)


def _outcome(
    session: Session, tried: Try, verified: User | None, code: str, policy: Policy, vault: Vault
) -> NewSession | SignInRefused | SecondFactorNeeded | TooManyTries:
    """Given, not raised, so that the wrong try is committed. `verified` is the user as read before, if the password was right."""
    try:
        left = demand_tries_left(session, tried, policy)
    except TooManyTries as error:
        return error
    user = _enabled(session, tried.name)
    if verified is None or user is None or user.password_hash != verified.password_hash:
        return _refused(session, tried, left, "Name or password is wrong.")
    if user.sealed_totp is not None and not code:
        return SecondFactorNeeded("the code of the authenticator app is needed")
    if not totp_holds(user, code, vault, at=tried.at):
        return _refused(session, tried, left, "The code is wrong, or was used already.")
    forget_tries(session, tried.name)
    return _open(session, user, tried.address, policy, tried.at)


def _enabled(session: Session, name: str) -> User | None:
    return session.scalars(select(User).where(User.name == name, User.disabled_at.is_(None))).first()


def _refused(session: Session, tried: Try, left: int, reason: str) -> SignInRefused:
    count_wrong(session, tried)
    return SignInRefused(reason, hint=f"{counted(left - 1, 'try', 'tries')} left, then a 15 minute pause.")


def _recent(session: Session, condition: object, at: datetime) -> int:
    query = select(func.count()).select_from(WrongTry).where(condition, WrongTry.at > at - PAUSE)  # type: ignore[arg-type]  # a column test
    return session.scalar(query) or 0


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
