"""Isolations and the writes that made them: the rows, what they say, and the readable file that lies beside each.

One open isolation a machine: later writes and interfaces join it. Findings are kept apart (`new_connections_blocked`,
`live_sessions_cut`, `metadata_service_blocked`), each `verified`, `failed` or `not_verified`.
"""

import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Index, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.clock import iso
from guardship.errors import NotFound
from guardship.ids import new_id
from guardship.storage.schema import Base, Json, Moment


class State(StrEnum):
    APPLYING = "applying"
    ISOLATED = "isolated"
    RELEASING = "releasing"
    RELEASED = "released"
    DRIFTED = "drifted"
    FAILED = "failed"


class Finding(StrEnum):
    VERIFIED = "verified"
    FAILED = "failed"
    NOT_VERIFIED = "not_verified"


class Sort(StrEnum):
    """What a write does to a machine, by its effective rules before and after."""

    ISOLATES = "isolates"
    RELEASES = "releases"
    NEITHER = "neither"


class WriteState(StrEnum):
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    HELD = "held"


OPEN_STATES = (State.APPLYING, State.ISOLATED, State.RELEASING, State.DRIFTED)


class Isolation(Base):
    __tablename__ = "containment_isolation"

    isolation_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    account: Mapped[str] = mapped_column(String(120))
    machine_id: Mapped[str] = mapped_column(String(300), index=True)
    machine_name: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(20), index=True)
    opened_at: Mapped[datetime] = mapped_column(Moment)
    opened_by: Mapped[dict[str, Any]] = mapped_column(Json)
    incident_id: Mapped[str | None] = mapped_column(String(40), index=True)
    run_id: Mapped[str | None] = mapped_column(String(40), index=True)
    lease_ends_at: Mapped[datetime] = mapped_column(Moment)
    lease_asked_at: Mapped[datetime | None] = mapped_column(Moment)
    new_connections_blocked: Mapped[str] = mapped_column(String(20))
    live_sessions_cut: Mapped[str] = mapped_column(String(20))
    metadata_service_blocked: Mapped[str] = mapped_column(String(20))
    verified_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_by: Mapped[str | None] = mapped_column(String(200))
    end_reason: Mapped[str | None] = mapped_column(Text)
    problem: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index(
            "uq_containment_isolation_open",
            "machine_id",
            unique=True,
            sqlite_where=state.in_(OPEN_STATES),
            postgresql_where=state.in_(OPEN_STATES),
        ),
    )


class WriteRow(Base):
    """One ARM write that the gate let through, held or answered. `before` is the whole resource as read, `body` what was asked."""

    __tablename__ = "containment_write"

    write_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    isolation_id: Mapped[str | None] = mapped_column(String(40), index=True)
    sort: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    method: Mapped[str] = mapped_column(String(10))
    resource_id: Mapped[str] = mapped_column(String(400), index=True)
    api_version: Mapped[str] = mapped_column(String(30))
    machine_ids: Mapped[list[str]] = mapped_column(Json)
    before: Mapped[Any] = mapped_column(Json, nullable=True)
    before_etag: Mapped[str | None] = mapped_column(String(120))
    body: Mapped[Any] = mapped_column(Json, nullable=True)
    after: Mapped[Any] = mapped_column(Json, nullable=True)
    actor: Mapped[dict[str, Any]] = mapped_column(Json)
    idempotency_key: Mapped[str | None] = mapped_column(String(120), index=True)
    sent_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    problem: Mapped[str | None] = mapped_column(Text)


class ProbeRow(Base):
    """The evidence of one probe."""

    __tablename__ = "containment_probe"

    probe_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    isolation_id: Mapped[str] = mapped_column(String(40), index=True)
    finding: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(40))
    target: Mapped[str] = mapped_column(String(200))
    result: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Moment)


@dataclass(frozen=True, slots=True)
class Undo:
    """The request that puts one resource back to what it was."""

    method: str
    resource_id: str
    api_version: str
    body: Any


def open_isolation(session: Session, machine_id: str) -> Isolation | None:
    query = select(Isolation).where(Isolation.machine_id == machine_id.lower(), Isolation.state.in_(OPEN_STATES))
    return session.scalars(query).first()


def get(session: Session, isolation_id: str) -> Isolation:
    row = session.get(Isolation, isolation_id)
    if row is None:
        raise NotFound("isolation", isolation_id)
    return row


def begin(session: Session, facts: dict[str, Any], *, at: datetime) -> Isolation:
    number = (session.scalar(select(func.max(Isolation.number))) or 0) + 1
    unknown = Finding.NOT_VERIFIED
    row = Isolation(
        isolation_id=new_id("isol"),
        number=number,
        state=State.APPLYING,
        opened_at=at,
        new_connections_blocked=unknown,
        live_sessions_cut=unknown,
        metadata_service_blocked=unknown,
        **facts,
    )
    session.add(row)
    session.flush()
    return row


def writes_of(session: Session, isolation_id: str) -> list[WriteRow]:
    """In the order they were sent."""
    return list(
        session.scalars(select(WriteRow).where(WriteRow.isolation_id == isolation_id).order_by(WriteRow.sent_at, WriteRow.write_id))
    )


def probes_of(session: Session, isolation_id: str, *, limit: int = 60) -> list[ProbeRow]:
    query = select(ProbeRow).where(ProbeRow.isolation_id == isolation_id).order_by(ProbeRow.at.desc(), ProbeRow.probe_id.desc())
    return list(session.scalars(query.limit(limit)))


def undo_of(writes: list[WriteRow]) -> list[Undo]:
    """For each resource that the isolation changed: back to what it was before the first of its writes, newest resource first."""
    first: dict[str, WriteRow] = {}
    for write in writes:
        if write.sort == Sort.ISOLATES and write.state in (WriteState.DONE, WriteState.SENT):
            first.setdefault(write.resource_id.lower(), write)
    return [_undo(write) for write in reversed(list(first.values()))]


def save_file(folder: Path, isolation: Isolation, undo: list[Undo], endpoint: dict[str, str]) -> Path:
    """Write `<number>-<machine>.json`: readable, and enough to release with the server dead."""
    target = folder / f"{isolation.number:06d}-{isolation.machine_name}.json"
    content = {
        "what": f"Isolation {isolation.number} of {isolation.machine_name}",
        "how_to_undo": f"guardship release --offline {target.name}  (or send the requests below to ARM)",
        "machine_id": isolation.machine_id,
        "state": isolation.state,
        "opened_at": iso(isolation.opened_at),
        "opened_by": isolation.opened_by,
        "account": isolation.account,
        "endpoint": endpoint,
        "undo": [{"method": u.method, "resource_id": u.resource_id, "api_version": u.api_version, "body": u.body} for u in undo],
    }
    draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    return target


def _undo(write: WriteRow) -> Undo:
    if write.before is None:
        return Undo("DELETE", write.resource_id, write.api_version, None)
    return Undo("PUT", write.resource_id, write.api_version, write.before)
