"""Users, sessions, tokens, approvals and the audit chain."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from guardship.identity import approvals, audit, sessions, tokens, users
from guardship.identity.approvals import AlreadyAnswered
from guardship.identity.audit import AuditEntry
from guardship.identity.roles import NotAllowed, Role, demand
from guardship.identity.sessions import NewSession, Policy, SecondFactorNeeded, SignInRefused, TooManyTries
from guardship.identity.users import BadUser
from guardship.storage.database import Database
from guardship.storage.vault import Vault

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PASSWORD = "a lamp at the harbour mouth"
POLICY = Policy(tries=3, life=timedelta(hours=12))
VAULT = Vault(b"k" * 32)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = Database(tmp_path / "g.db")
    database.create_tables()
    with database.transaction() as session:
        yield session


@pytest.fixture
def mara(session: Session) -> users.User:
    return users.create_user(session, "mara", role=Role.RESPONDER, password=PASSWORD, at=NOW)


def sign_in(session: Session, password: str = PASSWORD, code: str = "", *, at: datetime = NOW, name: str = "mara") -> object:
    return sessions.sign_in(session, name, password, code, address="127.0.0.1", policy=POLICY, vault=VAULT, at=at)


def test_the_right_password_opens_a_session(session: Session, mara: users.User) -> None:
    new = sign_in(session)
    assert isinstance(new, NewSession)
    caller = sessions.caller_of(session, new.token, at=NOW)
    assert caller is not None
    assert (caller.name, caller.role) == ("mara", Role.RESPONDER)


def test_a_session_ends(session: Session, mara: users.User) -> None:
    new = sign_in(session)
    assert isinstance(new, NewSession)
    assert sessions.caller_of(session, new.token, at=NOW + timedelta(hours=13)) is None


def test_a_revoked_session_is_over_at_once(session: Session, mara: users.User) -> None:
    new = sign_in(session)
    assert isinstance(new, NewSession)
    sessions.revoke_all_of(session, mara.user_id, at=NOW)
    assert sessions.caller_of(session, new.token, at=NOW) is None


def test_wrong_tries_are_counted_and_then_pause(session: Session, mara: users.User) -> None:
    outcomes = [sign_in(session, "wrong") for _ in range(4)]
    assert [type(each) for each in outcomes] == [SignInRefused, SignInRefused, SignInRefused, TooManyTries]
    assert isinstance(sign_in(session), TooManyTries), "the right password does not end the pause"
    assert isinstance(sign_in(session, at=NOW + timedelta(minutes=16)), NewSession)


def test_an_unknown_name_is_refused_like_a_wrong_password(session: Session, mara: users.User) -> None:
    unknown, wrong = sign_in(session, name="nobody"), sign_in(session, "wrong")
    assert isinstance(unknown, SignInRefused)
    assert isinstance(wrong, SignInRefused)
    assert unknown.message == wrong.message


def test_a_second_factor_is_asked_for_and_holds_once(session: Session, mara: users.User) -> None:
    secret, _ = users.new_totp_secret(mara)
    users.confirm_totp(mara, secret, pyotp.TOTP(secret).at(NOW), VAULT, at=NOW)
    later = NOW + timedelta(minutes=1)
    assert isinstance(sign_in(session, at=later), SecondFactorNeeded)
    code = pyotp.TOTP(secret).at(later)
    assert isinstance(sign_in(session, code=code, at=later), NewSession)
    assert isinstance(sign_in(session, code=code, at=later), SignInRefused), "a code that was seen does not hold again"


def test_a_sign_in_link_works_once(session: Session, mara: users.User) -> None:
    token = sessions.make_link(session, mara, at=NOW)
    assert sessions.use_link(session, token, address="::1", policy=POLICY, at=NOW).user.name == "mara"
    with pytest.raises(SignInRefused):
        sessions.use_link(session, token, address="::1", policy=POLICY, at=NOW)


def test_a_sign_in_link_expires(session: Session, mara: users.User) -> None:
    token = sessions.make_link(session, mara, at=NOW)
    with pytest.raises(SignInRefused):
        sessions.use_link(session, token, address="::1", policy=POLICY, at=NOW + timedelta(hours=1))


def test_a_short_password_is_refused(session: Session) -> None:
    with pytest.raises(BadUser):
        users.create_user(session, "kim", role=Role.READER, password="short", at=NOW)


def test_a_token_has_an_end_and_can_be_revoked(session: Session) -> None:
    row, secret = tokens.create_token(session, "ci", role=Role.READER, scope=("search",), life=timedelta(days=1), by="mara", at=NOW)
    session.flush()
    assert tokens.caller_of_token(session, secret, at=NOW + timedelta(days=2)) is None
    caller = tokens.caller_of_token(session, secret, at=NOW)
    assert caller is not None
    assert caller.scope == ("search",)
    tokens.revoke_token(session, row.token_id, at=NOW)
    assert tokens.caller_of_token(session, secret, at=NOW) is None


def test_a_reader_may_not_what_a_responder_may() -> None:
    demand(Role.ADMIN, Role.RESPONDER, who="mara")
    with pytest.raises(NotAllowed):
        demand(Role.READER, Role.RESPONDER, who="kim")


def record_some(session: Session) -> None:
    for number in range(5):
        audit.record(session, who="user mara", act="test.act", subject=f"thing {number}", at=NOW, detail={"n": number})


def test_an_untouched_audit_chain_holds(session: Session) -> None:
    record_some(session)
    found = audit.verify(session)
    assert (found.entry_count, found.broken_at) == (5, None)


@pytest.mark.parametrize("change", [{"who": "user eve"}, {"detail": {"n": 99}}, {"previous_hash": "0" * 64}, {"entry_hash": "f" * 64}])
def test_a_changed_audit_entry_breaks_the_chain(session: Session, change: dict[str, object]) -> None:
    record_some(session)
    session.execute(update(AuditEntry).where(AuditEntry.number == 3).values(**change))
    session.expire_all()
    assert audit.verify(session).broken_at in (3, 4)


def test_a_missing_audit_entry_breaks_the_chain(session: Session) -> None:
    record_some(session)
    session.delete(session.get_one(AuditEntry, 2))
    session.flush()
    assert audit.verify(session).broken_at == 2


def ask(session: Session) -> approvals.Approval:
    return approvals.ask(session, kind="k", subject="s", title="Isolate jump-1", detail={}, by="run 2296", at=NOW)


def test_the_same_thing_is_asked_once(session: Session) -> None:
    first = ask(session)
    session.flush()
    assert ask(session) is first


def test_the_first_answer_counts(session: Session) -> None:
    approval = ask(session)
    session.flush()
    approvals.answer(session, approval.approval_id, is_approved=True, by="user mara", reason="seen", at=NOW)
    with pytest.raises(AlreadyAnswered):
        approvals.answer(session, approval.approval_id, is_approved=False, by="user jonas", reason="no", at=NOW)


def test_nobody_approves_what_they_asked_for(session: Session) -> None:
    approval = ask(session)
    session.flush()
    with pytest.raises(AlreadyAnswered):
        approvals.answer(session, approval.approval_id, is_approved=True, by="run 2296", reason="me", at=NOW)


def test_an_approval_lets_one_act_through(session: Session) -> None:
    approval = ask(session)
    session.flush()
    approvals.answer(session, approval.approval_id, is_approved=True, by="user mara", reason="seen", at=NOW)
    session.flush()
    assert approvals.use(session, kind="k", subject="s", at=NOW) is not None
    session.flush()
    assert approvals.use(session, kind="k", subject="s", at=NOW) is None


def test_an_approval_expires(session: Session) -> None:
    approval = ask(session)
    session.flush()
    with pytest.raises(AlreadyAnswered):
        approvals.answer(session, approval.approval_id, is_approved=True, by="user mara", reason="late", at=NOW + timedelta(hours=1))
