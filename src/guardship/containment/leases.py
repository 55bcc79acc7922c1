"""Leases: an isolation lasts for a set time; at its end somebody is asked, and it ends by itself only where policy says so.

One that cannot end without opening other isolated machines is always asked about, and the question names them.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from guardship.clock import Clock
from guardship.cloud.arm import Actor, ActorKind
from guardship.containment import isolations
from guardship.containment.guardrails import Policy
from guardship.containment.isolations import OPEN_STATES, Isolation, State
from guardship.errors import GuardshipError
from guardship.identity import approvals, audit
from guardship.identity.approvals import Approval
from guardship.storage import outbox
from guardship.storage.database import Database
from guardship.telemetry import get_log

END_KIND = "containment.lease_end"
EXTEND_KIND = "containment.extend"
TRY_AGAIN = timedelta(seconds=60)
EXTENDED = "containment.extended"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

log = get_log("leases")


class Release(Protocol):
    """Given by `server.py`; releases this isolation of the machine and no later one. `with_others` says that somebody has agreed to open
    what shares it."""

    def __call__(self, account: str, machine_id: str, actor: Actor, *, isolation_id: str, with_others: bool) -> object: ...


_IN_FORCE = (State.ISOLATED, State.DRIFTED, State.RELEASING)


class Leases:
    def __init__(self, database: Database, clock: Clock, policy: Policy, release: Release) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy
        self._release = release

    def look(self) -> int:
        """Deal with every lease that has ended; called every few seconds. Returns how many there were."""
        now = self._clock.now()
        with self._database.reading() as session:
            again = now - TRY_AGAIN if self._policy.releases_by_itself else _NEVER
            is_due = or_(Isolation.lease_asked_at.is_(None), Isolation.lease_asked_at <= again)
            query = select(Isolation).where(Isolation.state.in_(_IN_FORCE), Isolation.lease_ends_at <= now, is_due)
            ended = [each.isolation_id for each in session.scalars(query) if not _is_being_released(session, each)]
        for isolation_id in ended:
            with self._database.reading() as session:  # again, for the releases before it may have taken long
                isolation = isolations.get(session, isolation_id)
            if not _has_ended(isolation, now):
                continue
            if self._policy.releases_by_itself and self._let_go(isolation, "system lease", "the lease ended and policy releases by itself"):
                continue
            self._ask(isolation, now)  # where policy releases by itself, it is tried again in a while
        return len(ended)

    def ask_to_extend(self, isolation_id: str, *, by: str, reason: str, person: str | None = None) -> Approval:
        with self._database.transaction() as session:
            isolation = isolations.get(session, isolation_id)
            return approvals.ask(
                session,
                kind=EXTEND_KIND,
                subject=isolation_id,
                title=f"Keep {isolation.machine_name} isolated for {_told(self._policy.lease)} more: {reason}",
                detail={"isolation_id": isolation_id, "machine": isolation.machine_name},
                by=by,
                person=person,
                at=self._clock.now(),
            )

    def on_answer(self, event: outbox.Event) -> None:
        """The outbox's subscriber for answered approvals."""
        payload = event.payload
        if payload["kind"] == EXTEND_KIND and payload["answer"] == "approved":
            self._extend(payload["subject"], payload["approval_id"], payload["by"])
        elif payload["kind"] == END_KIND:
            if payload["answer"] == "approved":
                with self._database.reading() as session:
                    isolation = isolations.get(session, payload["subject"])
                others = payload["detail"].get("others")
                self._let_go(isolation, payload["by"], "the lease ended and a person released it", with_others=bool(others))
            else:
                self._extend(payload["subject"], payload["approval_id"], payload["by"])

    def _ask(self, isolation: Isolation, now: datetime) -> None:
        with self._database.transaction() as session:
            row = isolations.get(session, isolation.isolation_id)
            if not _has_ended(row, now):
                return
            row.lease_asked_at = now
            others = [each.machine_name for each in isolations.sharing(session, isolation.isolation_id)]
            too = f", and with it {', '.join(others)}" if others else ""
            approvals.ask(
                session,
                kind=END_KIND,
                subject=isolation.isolation_id,
                title=f"The lease of {isolation.machine_name} has ended: release it{too}?",
                detail={"isolation_id": isolation.isolation_id, "machine": isolation.machine_name, "others": others},
                by="system lease",
                at=now,
                life=timedelta(days=30),
            )
        log.info("lease.asked", isolation_id=isolation.isolation_id)

    def _extend(self, isolation_id: str, approval_id: str, by: str) -> None:
        """Once for each approval: its answer may be delivered again, and the audit log, written with the lease, remembers."""
        now = self._clock.now()
        with self._database.transaction() as session:
            isolation = isolations.get(session, isolation_id)
            if isolation.state not in OPEN_STATES or _was_extended_by(session, isolation_id, approval_id):
                return
            isolation.lease_ends_at = max(isolation.lease_ends_at, now) + self._policy.lease
            isolation.lease_asked_at = None
            detail = {"approval_id": approval_id, "machine": isolation.machine_name, "lease_ends_at": isolation.lease_ends_at.isoformat()}
            audit.record(session, who=by, act=EXTENDED, subject=isolation_id, at=now, detail=detail)

    def _let_go(self, isolation: Isolation, by: str, reason: str, *, with_others: bool = False) -> bool:
        """Whether it went, now or before; if not, the isolation says why, and a person is asked (again)."""
        kind, _, name = by.partition(" ")
        actor = Actor(ActorKind.USER if kind == "user" else ActorKind.SYSTEM, name or by, incident_id=isolation.incident_id, reason=reason)
        try:
            self._release(isolation.account, isolation.machine_id, actor, isolation_id=isolation.isolation_id, with_others=with_others)
        except GuardshipError as error:
            log.warning("lease.release_failed", isolation_id=isolation.isolation_id, reason=str(error))
            with self._database.transaction() as session:
                row = isolations.get(session, isolation.isolation_id)
                if row.state not in OPEN_STATES:
                    return True
                row.problem, row.lease_asked_at = str(error), None
            return False
        return True


def _has_ended(isolation: Isolation, now: datetime) -> bool:
    return isolation.state in _IN_FORCE and isolation.lease_ends_at <= now


def _was_extended_by(session: Session, isolation_id: str, approval_id: str) -> bool:
    acts = audit.entries(session, subject=isolation_id, limit=1000)
    return any(each.act == EXTENDED and each.detail.get("approval_id") == approval_id for each in acts)


def _is_being_released(session: Session, isolation: Isolation) -> bool:
    """Whether an answer of the cloud may still end it; a release that broke off is a lease's to end like any other isolation."""
    return isolation.state == State.RELEASING and isolations.has_unanswered(isolations.writes_of(session, isolation.isolation_id))


def _told(span: timedelta) -> str:
    hours, rest = divmod(int(span.total_seconds()), 3600)
    return f"{hours} h" if not rest else f"{hours} h {rest // 60} min"
