"""What a person, playbook, job or the server itself did to the world: one row an act, each chained to the one before by its hash.

The hash of an entry covers the hash of the entry before it, so a row that is changed, taken out or put in later breaks the chain
from there on; `verify` names the first broken entry.
"""

import hashlib
import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.clock import iso
from guardship.storage.schema import Base, Json, Moment

FIRST_HASH = "0" * 64


class AuditEntry(Base):
    __tablename__ = "identity_audit_entry"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Moment)
    who: Mapped[str] = mapped_column(String(200))
    act: Mapped[str] = mapped_column(String(80), index=True)
    subject: Mapped[str] = mapped_column(String(300), index=True)
    detail: Mapped[Any] = mapped_column(Json)
    previous_hash: Mapped[str] = mapped_column(String(64))
    entry_hash: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`entry_count` entries hold together, or `broken_at` is the number of the first that does not."""

    entry_count: int
    broken_at: int | None
    reason: str


def record(session: Session, *, who: str, act: str, subject: str, at: datetime, detail: dict[str, Any] | None = None) -> int:
    """Append an entry in the session's transaction and return its number. `act` is a verb with a dot: `containment.isolate`."""
    last = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc()).limit(1)).first()
    number = last.number + 1 if last else 1
    previous = last.entry_hash if last else FIRST_HASH
    entry = AuditEntry(number=number, at=at, who=who, act=act, subject=subject, detail=detail or {}, previous_hash=previous)
    entry.entry_hash = _hash_of(entry)
    session.add(entry)
    session.flush()
    return number


def verify(session: Session) -> Verdict:
    with closing(session.scalars(select(AuditEntry).order_by(AuditEntry.number).execution_options(yield_per=500))) as found:
        return _verdict_on(found)


def _verdict_on(found: Iterable[AuditEntry]) -> Verdict:
    previous, count = FIRST_HASH, 0
    for entry in found:
        if entry.number != count + 1:
            return Verdict(count, count + 1, f"entry {count + 1} is missing")
        if entry.previous_hash != previous:
            return Verdict(count, entry.number, f"entry {entry.number} does not follow the one before it")
        if _hash_of(entry) != entry.entry_hash:
            return Verdict(count, entry.number, f"entry {entry.number} was changed after it was written")
        previous, count = entry.entry_hash, entry.number
    return Verdict(count, None, "every entry follows the one before it")


def entries(session: Session, *, before: int | None = None, subject: str | None = None, limit: int = 100) -> list[AuditEntry]:
    query = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntry.number < before)
    if subject is not None:
        query = query.where(AuditEntry.subject == subject)
    return list(session.scalars(query))


def _hash_of(entry: AuditEntry) -> str:
    facts = [entry.previous_hash, entry.number, iso(entry.at), entry.who, entry.act, entry.subject, entry.detail]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
