"""Consent of a person to an act that is held: asked once for the same thing, answered once, with an end.

An answer is the event `ApprovalAnswered` in the outbox; whoever asked subscribes to it and knows its own `kind`.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.errors import Fault, GuardshipError, NotFound
from guardship.identity import audit
from guardship.ids import new_id
from guardship.storage import outbox
from guardship.storage.schema import Base, Json, Moment

ASKED = "ApprovalAsked"
ANSWERED = "ApprovalAnswered"
LIFE = timedelta(minutes=15)


class Answer(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Approval(Base):
    __tablename__ = "identity_approval"

    approval_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(80))
    subject: Mapped[str] = mapped_column(String(300), index=True)
    title: Mapped[str] = mapped_column(Text)
    detail: Mapped[Any] = mapped_column(Json)
    asked_by: Mapped[str] = mapped_column(String(200))
    person: Mapped[str | None] = mapped_column(String(200))  # behind who asked: of a playbook or job who started it, of a token who made it
    asked_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    answer: Mapped[str] = mapped_column(String(20), index=True)
    answered_by: Mapped[str | None] = mapped_column(String(200))
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    reason: Mapped[str | None] = mapped_column(Text)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class AlreadyAnswered(GuardshipError):
    code = "identity.already_answered"
    fault = Fault.CONFLICT


class OwnRequest(GuardshipError):
    code = "identity.own_request"
    fault = Fault.FORBIDDEN

    def __init__(self) -> None:
        super().__init__(
            "nobody approves what they asked for themselves, or by a playbook, job or token of theirs",
            hint="ask another responder, or have one added under Admin, Access",
        )


def ask(
    session: Session,
    *,
    kind: str,
    subject: str,
    title: str,
    detail: dict[str, Any],
    by: str,
    at: datetime,
    person: str | None = None,
    life: timedelta = LIFE,
) -> Approval:
    """The waiting approval of this kind and subject, made when there is none. `person` stands behind `by`, where that is not a person."""
    waiting = session.scalars(
        select(Approval).where(
            Approval.kind == kind, Approval.subject == subject, Approval.answer == Answer.WAITING, Approval.expires_at > at
        )
    ).first()
    if waiting:
        return waiting
    approval = Approval(
        approval_id=new_id("appr"),
        kind=kind,
        subject=subject,
        title=title,
        detail=detail,
        asked_by=by,
        person=person,
        asked_at=at,
        expires_at=at + life,
        answer=Answer.WAITING,
    )
    session.add(approval)
    told = {"approval_id": approval.approval_id, "kind": kind, "reason": detail.get("reason")}
    audit.record(session, who=by, act="approval.asked", subject=subject, at=at, detail=told)
    payload = {"approval_id": approval.approval_id, "kind": kind, "subject": subject, "title": title, "detail": detail}
    outbox.publish(session, f"approval:{approval.approval_id}", ASKED, payload, at=at)
    return approval


def answer(session: Session, approval_id: str, *, is_approved: bool, by: str, reason: str, at: datetime) -> Approval:
    """The first answer counts; nobody answers what they asked for, by their own hand or another."""
    approval = get(session, approval_id)
    if approval.answer != Answer.WAITING or approval.expires_at <= at:
        raise AlreadyAnswered(f"{approval.title}: this was {outcome_of(approval, at)}")
    if by in (approval.asked_by, approval.person):
        raise OwnRequest
    approval.answer = Answer.APPROVED if is_approved else Answer.REFUSED
    approval.answered_by, approval.answered_at, approval.reason = by, at, reason
    audit.record(
        session,
        who=by,
        act=f"approval.{approval.answer}",
        subject=approval.subject,
        at=at,
        detail={"approval_id": approval_id, "reason": reason},
    )
    payload = {"approval_id": approval_id, "kind": approval.kind, "subject": approval.subject, "answer": approval.answer, "by": by}
    outbox.publish(session, f"approval:{approval_id}", ANSWERED, payload | {"detail": approval.detail}, at=at)
    return approval


def withdraw(session: Session, *, subject: str, by: str, reason: str, at: datetime) -> None:
    """Nobody need answer what has become pointless: the waiting approvals of this subject end."""
    query = select(Approval).where(Approval.subject == subject, Approval.answer == Answer.WAITING)
    for approval in session.scalars(query):
        approval.answer, approval.answered_by, approval.answered_at, approval.reason = Answer.WITHDRAWN, by[:200], at, reason
        detail = {"approval_id": approval.approval_id, "reason": reason}
        audit.record(session, who=by, act="approval.withdrawn", subject=subject, at=at, detail=detail)


def use(session: Session, *, kind: str, subject: str, at: datetime) -> Approval | None:
    """Take an approval that was given and is not used up: it lets one act through."""
    approval = session.scalars(
        select(Approval).where(
            Approval.kind == kind,
            Approval.subject == subject,
            Approval.answer == Answer.APPROVED,
            Approval.used_at.is_(None),
            Approval.answered_at > at - LIFE,
        )
    ).first()
    if approval:
        approval.used_at = at
    return approval


def get(session: Session, approval_id: str) -> Approval:
    approval = session.get(Approval, approval_id)
    if approval is None:
        raise NotFound("approval", approval_id)
    return approval


def outcome_of(approval: Approval, at: datetime) -> str:
    """What became of it: refused by somebody, say, or expired."""
    if approval.answer == Answer.WAITING and approval.expires_at <= at:
        return Answer.EXPIRED.value
    return f"{approval.answer} by {approval.answered_by}" if approval.answered_by else approval.answer


def waiting(session: Session, *, at: datetime) -> list[Approval]:
    query = select(Approval).where(Approval.answer == Answer.WAITING, Approval.expires_at > at).order_by(Approval.expires_at)
    return list(session.scalars(query))


def recent(session: Session, *, limit: int = 100) -> list[Approval]:
    return list(session.scalars(select(Approval).order_by(Approval.asked_at.desc()).limit(limit)))
