"""Users, sessions, tokens, approvals and the audit chain."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from guardship.errors import GuardshipError
from guardship.identity import approvals, audit, sessions, tokens, users
from guardship.identity.approvals import AlreadyAnswered, Answer, OwnRequest
from guardship.identity.audit import AuditEntry
from guardship.identity.roles import NotAllowed, Role, demand
from guardship.identity.sessions import Caller, NewSession, Policy, SecondFactorNeeded, SignInRefused, TooManyTries, Try
from guardship.identity.users import BadUser
from guardship.storage.database import Database
from guardship.storage.vault import Vault

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PASSWORD = "a lamp at the harbour mouth"
POLICY = Policy(tries=3, life=timedelta(hours=12))
VAULT = Vault(b"k" * 32)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.transaction() as session:
        yield session


@pytest.fixture
def mara(database: Database) -> users.User:
    with database.transaction() as session:
        return users.create_user(session, "mara", role=Role.RESPONDER, password=PASSWORD, at=NOW)


def sign_in(database: Database, password: str = PASSWORD, code: str = "", *, at: datetime = NOW, name: str = "mara") -> NewSession:
    return sessions.sign_in(database, Try(name, "127.0.0.1", at), password, code, policy=POLICY, vault=VAULT)


def refusal(database: Database, password: str = PASSWORD, code: str = "", *, at: datetime = NOW, name: str = "mara") -> GuardshipError:
    with pytest.raises(GuardshipError) as refused:
        sign_in(database, password, code, at=at, name=name)
    return refused.value


def caller_of(database: Database, token: str, at: datetime = NOW) -> Caller | None:
    with database.reading() as session:
        return sessions.caller_of(session, token, at=at)


def test_the_right_password_opens_a_session(database: Database, mara: users.User) -> None:
    caller = caller_of(database, sign_in(database).token)
    assert caller is not None
    assert (caller.name, caller.role, caller.person) == ("mara", Role.RESPONDER, "user mara")


def test_a_session_ends(database: Database, mara: users.User) -> None:
    assert caller_of(database, sign_in(database).token, NOW + timedelta(hours=13)) is None


def test_a_revoked_session_is_over_at_once(database: Database, mara: users.User) -> None:
    new = sign_in(database)
    with database.transaction() as session:
        sessions.revoke_all_of(session, mara.user_id, at=NOW)
    assert caller_of(database, new.token) is None


def test_wrong_tries_are_counted_and_then_pause(database: Database, mara: users.User) -> None:
    outcomes = [refusal(database, "wrong") for _ in range(4)]
    assert [type(each) for each in outcomes] == [SignInRefused, SignInRefused, SignInRefused, TooManyTries]
    assert isinstance(refusal(database), TooManyTries), "the right password does not end the pause"
    assert sign_in(database, at=NOW + timedelta(minutes=16)).token


def test_an_unknown_name_is_refused_like_a_wrong_password(database: Database, mara: users.User) -> None:
    unknown, wrong = refusal(database, name="nobody"), refusal(database, "wrong")
    assert isinstance(unknown, SignInRefused)
    assert isinstance(wrong, SignInRefused)
    assert unknown.message == wrong.message


def test_others_write_while_a_password_is_verified(database: Database, mara: users.User, monkeypatch: pytest.MonkeyPatch) -> None:
    def verify_and_write(user: users.User | None, password: str) -> bool:
        with database.transaction() as session:
            users.create_user(session, "kim", role=Role.READER, password=None, at=NOW)
        return users.password_holds(user, password)

    monkeypatch.setattr(sessions, "password_holds", verify_and_write)
    assert sign_in(database).token


def test_tries_at_once_gain_nothing(database: Database, mara: users.User, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the right password is verified, wrong ones use up the tries."""

    def verify_meanwhile(user: users.User | None, password: str) -> bool:
        monkeypatch.setattr(sessions, "password_holds", users.password_holds)
        for _ in range(POLICY.tries):
            refusal(database, "wrong")
        return users.password_holds(user, password)

    monkeypatch.setattr(sessions, "password_holds", verify_meanwhile)
    assert isinstance(refusal(database), TooManyTries)


def test_a_password_that_was_changed_while_it_was_verified_does_not_hold(
    database: Database, mara: users.User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify_and_change(user: users.User | None, password: str) -> bool:
        with database.transaction() as session:
            users.user_named(session, "mara").password_hash = users.hash_password("another lamp at the mouth")
        return users.password_holds(user, password)

    monkeypatch.setattr(sessions, "password_holds", verify_and_change)
    assert isinstance(refusal(database), SignInRefused)


def test_few_passwords_are_verified_at_once_and_few_wait(mara: users.User, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        now = most = 0
        lock = threading.Lock()

        def verify(self, stored: str, password: str) -> None:
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(0.1)
            with self.lock:
                self.now -= 1

    def tried(_: int) -> bool:
        try:
            return users.password_holds(mara, PASSWORD)
        except users.TooBusy:
            return False

    slow = Slow()
    monkeypatch.setattr(users, "_hasher", lambda: slow)
    count = users.HASHES_AT_ONCE + users.MOST_WAITING
    with ThreadPoolExecutor(count + 4) as pool:
        held = list(pool.map(tried, range(count + 4)))
    assert slow.most == users.HASHES_AT_ONCE
    assert sum(held) == count


def test_all_pages_of_a_session_share_its_guard(database: Database, mara: users.User) -> None:
    one, other = sign_in(database).token, sign_in(database).token
    assert sessions.guard_holds(one, sessions.guard_of(one))
    assert not sessions.guard_holds(one, sessions.guard_of(other))
    assert one not in sessions.guard_of(one)


def test_a_second_factor_is_asked_for_and_holds_once(database: Database, mara: users.User) -> None:
    secret, _ = users.new_totp_secret(mara)
    with database.transaction() as session:
        users.confirm_totp(users.user_named(session, "mara"), secret, pyotp.TOTP(secret).at(NOW), VAULT, at=NOW)
    later = NOW + timedelta(minutes=1)
    assert isinstance(refusal(database, at=later), SecondFactorNeeded)
    code = pyotp.TOTP(secret).at(later)
    assert sign_in(database, code=code, at=later).token
    assert isinstance(refusal(database, code=code, at=later), SignInRefused), "a code that was seen does not hold again"


def test_a_secret_that_is_none_is_refused(mara: users.User) -> None:
    with pytest.raises(BadUser):
        users.confirm_totp(mara, "not base32!", "123456", VAULT, at=NOW)


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
    with pytest.raises(OwnRequest):
        approvals.answer(session, approval.approval_id, is_approved=True, by="run 2296", reason="me", at=NOW)


def test_nobody_approves_what_a_run_or_token_of_theirs_asked_for(session: Session) -> None:
    approval = approvals.ask(session, kind="k", subject="s", title="t", detail={}, by="playbook Isolate", person="user mara", at=NOW)
    session.flush()
    with pytest.raises(OwnRequest):
        approvals.answer(session, approval.approval_id, is_approved=True, by="user mara", reason="me", at=NOW)
    approvals.answer(session, approval.approval_id, is_approved=True, by="user jonas", reason="seen", at=NOW)


def test_who_made_a_token_answers_for_what_is_done_with_it(session: Session) -> None:
    mara = users.create_user(session, "mara", role=Role.ADMIN, password=None, at=NOW)
    _, secret = tokens.create_token(session, "deploy", role=Role.ADMIN, scope=(), life=timedelta(days=1), by="user mara", at=NOW)
    session.flush()
    caller = tokens.caller_of_token(session, secret, at=NOW)
    assert caller is not None
    assert (caller.name, caller.person, caller.role) == ("token deploy", "user mara", Role.ADMIN)
    mara.role = Role.READER
    session.flush()
    less = tokens.caller_of_token(session, secret, at=NOW)
    assert less is not None
    assert less.role == Role.READER, "no more than who made it may by now"
    mara.disabled_at = NOW
    session.flush()
    assert tokens.caller_of_token(session, secret, at=NOW) is None


def test_what_has_become_pointless_is_withdrawn(session: Session) -> None:
    approval = ask(session)
    session.flush()
    approvals.withdraw(session, subject=approval.subject, by="user mara", reason="over", at=NOW)
    session.flush()
    assert approvals.waiting(session, at=NOW) == []
    assert (approval.answer, approval.reason) == (Answer.WITHDRAWN, "over")
    with pytest.raises(AlreadyAnswered, match="withdrawn by user mara"):
        approvals.answer(session, approval.approval_id, is_approved=True, by="user jonas", reason="late", at=NOW)


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
