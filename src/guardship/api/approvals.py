"""What waits for a person's consent."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from guardship.api.access import DoorsHere, Reader, Responder, who
from guardship.identity import approvals
from guardship.identity.roles import NotAllowed

router = APIRouter(tags=["approvals"])


class ApprovalOut(BaseModel):
    approval_id: str
    kind: str
    subject: str
    title: str
    detail: dict[str, Any]
    asked_by: str
    person: str | None = Field(description="Who stands behind a playbook, job or token that asked; they cannot answer either.")
    asked_at: datetime
    expires_at: datetime
    answer: str
    answered_by: str | None
    answered_at: datetime | None
    reason: str | None


class AnswerIn(BaseModel):
    is_approved: bool
    reason: str = Field(min_length=1, max_length=1000)


@router.get("/approvals")
def list_approvals(doors: DoorsHere, caller: Reader, waiting: bool = False) -> list[ApprovalOut]:
    with doors.database.reading() as session:
        rows = approvals.waiting(session, at=doors.clock.now()) if waiting else approvals.recent(session)
    return [_out(row) for row in rows]


@router.post("/approvals/{approval_id}/answer")
def answer(approval_id: str, body: AnswerIn, doors: DoorsHere, caller: Responder) -> ApprovalOut:
    """The first answer counts. People answer, not tokens or the command, and nobody what they asked for themselves."""
    if caller.user_id is None:
        raise NotAllowed(f"{caller.name} is not a person, and consent is a person's", hint="sign in to the console as a responder")
    with doors.database.transaction() as session:
        row = approvals.answer(session, approval_id, is_approved=body.is_approved, by=who(caller), reason=body.reason, at=doors.clock.now())
    return _out(row)


def _out(row: approvals.Approval) -> ApprovalOut:
    return ApprovalOut.model_validate(row, from_attributes=True)
