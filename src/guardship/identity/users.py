"""Local users: argon2id passwords, an optional second factor, one role each.

A password takes time and memory on purpose, so it is hashed and verified outside of any transaction, few at once, and only so many
may wait for their turn.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.errors import Fault, GuardshipError, NotFound, counted
from guardship.identity.roles import Role
from guardship.ids import new_id
from guardship.storage.schema import Base, Moment
from guardship.storage.vault import Vault

LEAST_PASSWORD_LENGTH = 12
HASHES_AT_ONCE = 2
MOST_WAITING = 16  # for their turn; those beyond are turned away, so that sign-ins cannot hold every thread of the doors

_turns = threading.BoundedSemaphore(HASHES_AT_ONCE)
_places = threading.BoundedSemaphore(MOST_WAITING + HASHES_AT_ONCE)
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


class User(Base):
    __tablename__ = "identity_user"

    user_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(120))
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    sealed_totp: Mapped[bytes | None] = mapped_column(LargeBinary)
    totp_step: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Moment)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)


class BadUser(GuardshipError):
    code = "identity.bad_user"
    fault = Fault.BAD_INPUT


class TooBusy(GuardshipError):
    code = "identity.too_busy"
    fault = Fault.UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("too many people sign in just now", hint="try again in a few seconds")


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


def create_user(session: Session, name: str, *, role: Role, password: str | None, at: datetime, display_name: str = "") -> User:
    """A user without a password can only come in by a one-time link. Call it first in its transaction: it hashes before it asks."""
    if not _NAME.fullmatch(name):
        raise BadUser(f"{name!r} cannot be a user's name", hint="lower-case letters, digits and . _ @ -, 64 at most")
    password_hash = None if password is None else hash_password(password)
    if session.scalars(select(User).where(User.name == name)).first():
        raise BadUser(f"there is a user called {name} already")
    user = User(user_id=new_id("user"), name=name, display_name=display_name or name, role=role, created_at=at, totp_step=0)
    user.password_hash = password_hash
    session.add(user)
    session.flush()
    return user


def user_named(session: Session, name: str) -> User:
    user = session.scalars(select(User).where(User.name == name)).first()
    if user is None:
        known = session.scalars(select(User.name).order_by(User.name).limit(10)).all()
        raise NotFound("user", name, hint=f"there are: {', '.join(known)}" if known else "make one with `guardship admin create`")
    return user


def hash_password(password: str) -> str:
    """What is kept of a new password; raises BadUser when it is too short, TooBusy."""
    if len(password) < LEAST_PASSWORD_LENGTH:
        raise BadUser(
            f"the password has {counted(len(password), 'character')}",
            hint=f"at least {LEAST_PASSWORD_LENGTH}; a sentence is easiest to keep",
        )
    with _turn():
        return _hasher().hash(password)


def password_holds(user: User | None, password: str) -> bool:
    """Takes as long for an unknown name as for a known one; raises TooBusy."""
    with _turn():
        stored = user.password_hash if user and user.password_hash else _decoy_hash()
        try:
            _hasher().verify(stored, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
    return user is not None and user.password_hash is not None


def new_totp_secret(user: User) -> tuple[str, str]:
    """A secret for a second factor and the address an authenticator app reads; in force once `confirm_totp` saw a code of it."""
    secret = pyotp.random_base32()
    return secret, pyotp.TOTP(secret).provisioning_uri(name=user.name, issuer_name="Guardship")


def confirm_totp(user: User, secret: str, code: str, vault: Vault, *, at: datetime) -> None:
    try:
        holds = pyotp.TOTP(secret).verify(code, for_time=at, valid_window=1)
    except ValueError:  # no base32
        holds = False
    if not holds:
        raise BadUser("that code does not belong to the secret", hint="check the clock of the device that shows it")
    user.sealed_totp = vault.seal(secret.encode(), purpose=f"totp:{user.user_id}")
    user.totp_step = int(at.timestamp()) // 30


def totp_holds(user: User, code: str, vault: Vault, *, at: datetime) -> bool:
    """A code holds for its half minute and the one on each side, and only once."""
    if user.sealed_totp is None:
        return True
    totp = pyotp.TOTP(vault.unseal(user.sealed_totp, purpose=f"totp:{user.user_id}").decode())
    step = int(at.timestamp()) // 30
    for candidate in (step - 1, step, step + 1):
        if candidate > user.totp_step and pyotp.utils.strings_equal(totp.generate_otp(candidate), code):
            user.totp_step = candidate
            return True
    return False


@contextmanager
def _turn() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise TooBusy
    try:
        with _turns:
            yield
    finally:
        _places.release()


@cache
def _decoy_hash() -> str:
    return _hasher().hash("nobody has this password")
