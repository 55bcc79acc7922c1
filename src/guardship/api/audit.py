"""The audit log, and whether its chain holds."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from guardship.api.access import DoorsHere, Reader
from guardship.identity import audit

router = APIRouter(tags=["audit"])


class Entry(BaseModel):
    number: int
    at: datetime
    who: str
    act: str
    subject: str
    detail: dict[str, Any]
    entry_hash: str


class Verdict(BaseModel):
    is_whole: bool
    entry_count: int
    broken_at: int | None
    reason: str


@router.get("/audit")
def list_entries(
    doors: DoorsHere, caller: Reader, before: int | None = None, subject: str | None = None, limit: int = Query(100, ge=1, le=1000)
) -> list[Entry]:
    """Newest first; `before` pages on by number."""
    with doors.database.reading() as session:
        rows = audit.entries(session, before=before, subject=subject, limit=limit)
    return [
        Entry(number=r.number, at=r.at, who=r.who, act=r.act, subject=r.subject, detail=r.detail, entry_hash=r.entry_hash) for r in rows
    ]


@router.get("/audit/verification")
def verify(doors: DoorsHere, caller: Reader) -> Verdict:
    with doors.database.reading() as session:
        found = audit.verify(session)
    return Verdict(is_whole=found.broken_at is None, entry_count=found.entry_count, broken_at=found.broken_at, reason=found.reason)
