"""Isolations, the writes that made them and what probes saw: the rows and their questions.

One open isolation a machine: later writes and interfaces join it, and one write may belong to the isolations of many machines. Findings
are kept apart (`new_connections_blocked`, `live_sessions_cut`, `metadata_service_blocked`), each `verified`, `failed` or `not_verified`.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Index, String, Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

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


PROBES_KEPT = timedelta(days=1)
OPEN_STATES = (State.APPLYING, State.ISOLATED, State.RELEASING, State.DRIFTED)


class Isolation(Base):
    __tablename__ = "containment_isolation"

    isolation_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    account: Mapped[str] = mapped_column(String(120))
    machine_id: Mapped[str] = mapped_column(String(300), index=True)
    machine_name: Mapped[str] = mapped_column(String(120))
    is_simulated: Mapped[bool]
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
    verified_at: Mapped[datetime | None] = mapped_column(Moment)  # the last look
    contained_at: Mapped[datetime | None] = mapped_column(Moment)  # the first look that proved it
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
    account: Mapped[str] = mapped_column(String(120))
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


class WriteLink(Base):
    """Which isolations a write belongs to: a subnet's group may cut many machines at once."""

    __tablename__ = "containment_write_isolation"

    write_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    isolation_id: Mapped[str] = mapped_column(String(40), primary_key=True, index=True)


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


def open_isolation(session: Session, machine_id: str) -> Isolation | None:
    query = select(Isolation).where(Isolation.machine_id == machine_id.lower(), Isolation.state.in_(OPEN_STATES))
    return session.scalars(query).first()


def open_machines(session: Session) -> list[str]:
    """Ids of the machines that are isolated."""
    return list(session.scalars(select(Isolation.machine_id).where(Isolation.state.in_(OPEN_STATES))))


def isolation_of(session: Session, machine: str) -> Isolation:
    """As `open_by_name`; raises NotFound, which names the machines that are isolated."""
    found = open_by_name(session, machine)
    if found is None:
        names = sorted(session.scalars(select(Isolation.machine_name).where(Isolation.state.in_(OPEN_STATES))))
        raise NotFound("isolated machine", machine, hint=f"isolated are {', '.join(names)}" if names else "no machine is isolated")
    return found


def open_by_name(session: Session, machine: str) -> Isolation | None:
    """By the machine's name or id, as they were when it was isolated."""
    return session.scalars(select(Isolation).where(_is_meant(machine), Isolation.state.in_(OPEN_STATES))).first()


def last_of(session: Session, machine: str) -> Isolation | None:
    """The machine's newest isolation, open or not, by its name or id."""
    return session.scalars(select(Isolation).where(_is_meant(machine)).order_by(Isolation.number.desc())).first()


def was_released_by(session: Session, isolation: Isolation, *, run_id: str) -> bool:
    """Whether it ended by a write of this run."""
    releases = [write for write in writes_of(session, isolation.isolation_id) if write.sort == Sort.RELEASES]
    return isolation.state == State.RELEASED and bool(releases) and releases[-1].actor.get("run_id") == run_id


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


def link(session: Session, write_id: str, isolation_id: str) -> None:
    session.merge(WriteLink(write_id=write_id, isolation_id=isolation_id))
    session.flush()


def writes_of(session: Session, isolation_id: str) -> list[WriteRow]:
    """In the order they were sent."""
    query = select(WriteRow).join(WriteLink, WriteLink.write_id == WriteRow.write_id).where(WriteLink.isolation_id == isolation_id)
    return list(session.scalars(query.order_by(WriteRow.sent_at, WriteRow.write_id)))


def of_write(session: Session, write_id: str) -> list[Isolation]:
    query = select(Isolation).join(WriteLink, WriteLink.isolation_id == Isolation.isolation_id).where(WriteLink.write_id == write_id)
    return list(session.scalars(query.order_by(Isolation.number)))


def sharing(session: Session, isolation_id: str) -> list[Isolation]:
    """Other isolations in force by the resources that this one has changed and not put back: to put them back ends those too."""
    in_force = (WriteState.DONE, WriteState.SENT)
    writes = writes_of(session, isolation_id)
    own = not_back(writes) | {each.resource_id.lower() for each in writes if each.sort == Sort.ISOLATES and each.state == WriteState.SENT}
    query = (
        select(Isolation)
        .join(WriteLink, WriteLink.isolation_id == Isolation.isolation_id)
        .join(WriteRow, WriteRow.write_id == WriteLink.write_id)
        .where(Isolation.isolation_id != isolation_id, Isolation.state.in_(OPEN_STATES))
        .where(WriteRow.sort == Sort.ISOLATES, WriteRow.state.in_(in_force), func.lower(WriteRow.resource_id).in_(own))
    )
    return list(session.scalars(query.distinct().order_by(Isolation.number)))


def lost_write(session: Session, resource_id: str) -> WriteRow | None:
    """The write that moved an interface to where it is, if that was the last word to it and counts as failed."""
    query = select(WriteRow).where(func.lower(WriteRow.resource_id) == resource_id.lower(), WriteRow.state != WriteState.HELD)
    last = session.scalars(query.order_by(WriteRow.sent_at.desc(), WriteRow.write_id.desc())).first()
    return last if last is not None and last.sort == Sort.ISOLATES and last.state == WriteState.FAILED else None


def has_unanswered(writes: list[WriteRow]) -> bool:
    return any(write.state == WriteState.SENT for write in writes)


def not_back(writes: list[WriteRow]) -> set[str]:
    """Resources (lower-cased ids) that an isolation changed and whose last word is not a release."""
    last: dict[str, str] = {}
    for write in writes:
        if write.state == WriteState.DONE and write.sort != Sort.NEITHER:
            key = write.resource_id.lower()
            if write.sort == Sort.ISOLATES or key in last:
                last[key] = write.sort
    return {key for key, sort in last.items() if sort == Sort.ISOLATES}


def probes_of(session: Session, isolation_id: str, *, limit: int = 60) -> list[ProbeRow]:
    query = select(ProbeRow).where(ProbeRow.isolation_id == isolation_id).order_by(ProbeRow.at.desc(), ProbeRow.probe_id.desc())
    return list(session.scalars(query.limit(limit)))


def prune_probes(session: Session, *, at: datetime) -> int:
    """Forget looks that are older than a day, but never an isolation's last one. Returns how many probes went."""
    later = aliased(ProbeRow)
    is_not_last = select(later.probe_id).where(later.isolation_id == ProbeRow.isolation_id, later.at > ProbeRow.at).exists()
    old = select(ProbeRow.probe_id).where(ProbeRow.at < at - PROBES_KEPT, is_not_last)
    gone = list(session.scalars(old))
    for start in range(0, len(gone), 500):
        session.execute(delete(ProbeRow).where(ProbeRow.probe_id.in_(gone[start : start + 500])))
    return len(gone)


def _is_meant(machine: str) -> ColumnElement[bool]:
    return (func.lower(Isolation.machine_name) == machine.lower()) | (Isolation.machine_id == machine.lower())
