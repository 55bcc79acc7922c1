"""Jobs: one execution of a runbook each, with states and streams in Azure's words.

A job is created once by its name, so that a playbook that asks again after a crash gets the same job. A job whose process died with
the server starts again from the beginning, as the next attempt of the same job, three at most.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String, Text, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.automation import runbooks
from guardship.automation.parameters import Parameter, check
from guardship.clock import Clock
from guardship.errors import NotFound
from guardship.ids import new_id
from guardship.storage.database import Database
from guardship.storage.schema import Base, Counter, Json, Moment

MOST_ATTEMPTS = 3
LONGEST_STREAM_LINE = 1024 * 1024


class JobStatus(StrEnum):
    NEW = "New"
    QUEUED = "Queued"
    STARTING = "Starting"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    SUSPENDED = "Suspended"
    COMPLETED = "Completed"
    FAILED = "Failed"


ENDED = frozenset({JobStatus.STOPPED, JobStatus.COMPLETED, JobStatus.FAILED})
UNDER_WAY = frozenset({JobStatus.STARTING, JobStatus.RUNNING, JobStatus.STOPPING})


class StreamKind(StrEnum):
    OUTPUT = "Output"
    WARNING = "Warning"
    ERROR = "Error"
    VERBOSE = "Verbose"
    PROGRESS = "Progress"
    DEBUG = "Debug"


class JobRow(Base):
    __tablename__ = "automation_job"

    job_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    runbook: Mapped[str] = mapped_column(String(120), index=True)
    version_id: Mapped[str] = mapped_column(String(40))
    parameters: Mapped[dict[str, Any]] = mapped_column(Json)
    run_on: Mapped[str] = mapped_column(String(120))
    status: Mapped[str] = mapped_column(String(20), index=True)
    attempt: Mapped[int] = mapped_column(default=0)
    exception: Mapped[str | None] = mapped_column(Text)
    walls: Mapped[str | None] = mapped_column(String(30))
    limits_held: Mapped[list[str]] = mapped_column(Json)
    actor: Mapped[str] = mapped_column(String(200))
    person: Mapped[str | None] = mapped_column(String(200))  # behind the actor
    run_id: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(Moment, index=True)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class StreamRow(Base):
    __tablename__ = "automation_job_stream"

    stream_id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(String(40))
    attempt: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (Index("ix_automation_job_stream_job", "job_id", "stream_id"),)


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands now."""

    job_id: str
    name: str
    runbook: str
    parameters: dict[str, Any]
    run_on: str
    status: JobStatus
    attempt: int
    exception: str | None
    walls: str | None
    limits_held: tuple[str, ...]
    actor: str
    person: str | None
    run_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class StreamLine:
    stream_id: int
    attempt: int
    kind: StreamKind
    text: str
    at: datetime


class JobStore:
    """The rows of jobs and their streams. `automation/workers.py` runs them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(
        self,
        name: str,
        runbook: str,
        parameters: dict[str, Any],
        *,
        run_on: str,
        actor: str,
        run_id: str | None,
        person: str | None = None,
    ) -> tuple[Job, bool]:
        """The job of this name and whether it is new; parameters are checked against the published version."""
        with self._database.transaction() as session:
            known = session.scalars(select(JobRow).where(JobRow.name == name)).first()
            if known is not None:
                return _job(known), False
            found, version = runbooks.published(session, runbook)
            declared = tuple(Parameter.from_json(each) for each in version.parameters)
            row = JobRow(
                job_id=new_id("job"),
                name=name,
                runbook=found.name,
                version_id=version.version_id,
                parameters=check(parameters, declared),
                run_on=run_on,
                status=JobStatus.NEW,
                attempt=0,
                limits_held=[],
                actor=actor,
                person=person,
                run_id=run_id,
                created_at=self._clock.now(),
            )
            session.add(row)
            session.flush()
            return _job(row), True

    def get(self, name_or_id: str) -> Job:
        with self._database.reading() as session:
            return _job(_row(session, name_or_id))

    def list(self, *, runbook: str | None = None, limit: int = 100) -> list[Job]:
        query = select(JobRow).order_by(JobRow.created_at.desc()).limit(limit)
        if runbook is not None:
            query = query.where(func.lower(JobRow.runbook) == runbook.lower())
        with self._database.reading() as session:
            return [_job(row) for row in session.scalars(query)]

    def streams(self, name_or_id: str, *, after: int = 0) -> "tuple[StreamLine, ...]":
        with self._database.reading() as session:
            job_id = _row(session, name_or_id).job_id
            rows = session.scalars(
                select(StreamRow).where(StreamRow.job_id == job_id, StreamRow.stream_id > after).order_by(StreamRow.stream_id)
            )
            return tuple(StreamLine(row.stream_id, row.attempt, StreamKind(row.kind), row.text, row.at) for row in rows)

    def output(self, name_or_id: str) -> str:
        """The lines of the Output stream of the last attempt."""
        lines = self.streams(name_or_id)
        last = max((line.attempt for line in lines), default=0)
        return "\n".join(line.text for line in lines if line.kind is StreamKind.OUTPUT and line.attempt == last)

    def write(self, job_id: str, attempt: int, lines: "tuple[tuple[StreamKind, str], ...]") -> None:
        now = self._clock.now()
        with self._database.transaction() as session:
            session.execute(
                insert(StreamRow),
                [
                    {"job_id": job_id, "attempt": attempt, "kind": kind, "text": text[:LONGEST_STREAM_LINE], "at": now}
                    for kind, text in lines
                ],
            )

    def take_back(self) -> "tuple[str, ...]":
        """After a start: jobs whose process died with the server go back in line or, after the last attempt, fail. Returns those in line."""
        with self._database.transaction() as session:
            for row in session.scalars(select(JobRow).where(JobRow.status.in_(UNDER_WAY))):
                if row.status == JobStatus.STOPPING:
                    row.status, row.ended_at = JobStatus.STOPPED, self._clock.now()
                    continue
                is_last = row.attempt >= MOST_ATTEMPTS
                row.status = JobStatus.FAILED if is_last else JobStatus.QUEUED
                if is_last:
                    row.exception = f"its process died with the server {MOST_ATTEMPTS} times"
                    row.ended_at = self._clock.now()
            session.flush()
            waiting = select(JobRow.job_id).where(JobRow.status.in_((JobStatus.NEW, JobStatus.QUEUED))).order_by(JobRow.created_at)
            return tuple(session.scalars(waiting))

    def begin(self, job_id: str) -> tuple[Job, runbooks.RunbookVersion, runbooks.Runbook] | None:
        """Mark as starting and give what is to be run; None when the job was stopped or taken meanwhile."""
        with self._database.transaction() as session:
            row = session.get(JobRow, job_id)
            if row is None or row.status not in (JobStatus.NEW, JobStatus.QUEUED):
                return None
            row.status, row.attempt, row.started_at = JobStatus.STARTING, row.attempt + 1, self._clock.now()
            version = session.get_one(runbooks.RunbookVersion, row.version_id)
            return _job(row), version, session.get_one(runbooks.Runbook, version.runbook_id)

    def mark_running(self, job_id: str, *, walls: str) -> bool:
        """False when somebody has asked meanwhile that it stop: then it must not run."""
        with self._database.transaction() as session:
            changed = session.execute(
                update(JobRow)
                .where(JobRow.job_id == job_id, JobRow.status == JobStatus.STARTING)
                .values(status=JobStatus.RUNNING, walls=walls)
                .returning(JobRow.job_id)
            )
            return changed.scalar() is not None

    def ask_to_stop(self, name_or_id: str) -> Job:
        """A job in line stops at once; one under way is marked and its worker ends it."""
        with self._database.transaction() as session:
            row = _row(session, name_or_id)
            if row.status in (JobStatus.NEW, JobStatus.QUEUED):
                row.status, row.ended_at = JobStatus.STOPPED, self._clock.now()
            elif row.status in UNDER_WAY:
                row.status = JobStatus.STOPPING
            return _job(row)

    def end(self, job_id: str, status: JobStatus, *, exception: str | None, limits_held: tuple[str, ...]) -> Job:
        with self._database.transaction() as session:
            row = session.get_one(JobRow, job_id)
            row.status, row.exception, row.limits_held, row.ended_at = status, exception, list(limits_held), self._clock.now()
            return _job(row)


def _row(session: Session, name_or_id: str) -> JobRow:
    row = session.get(JobRow, name_or_id) or session.scalars(select(JobRow).where(JobRow.name == name_or_id)).first()
    if row is None:
        raise NotFound("job", name_or_id)
    return row


def _job(row: JobRow) -> Job:
    return Job(
        job_id=row.job_id,
        name=row.name,
        runbook=row.runbook,
        parameters=row.parameters,
        run_on=row.run_on,
        status=JobStatus(row.status),
        attempt=row.attempt,
        exception=row.exception,
        walls=row.walls,
        limits_held=tuple(row.limits_held),
        actor=row.actor,
        person=row.person,
        run_id=row.run_id,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
