"""Runbooks: scripts with a draft, a published version and all versions kept. Jobs run published versions only."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import String, Text, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.automation import powershell
from guardship.automation.parameters import Parameter, parse_python, python_parameters
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.ids import new_id
from guardship.storage.schema import Base, Json, Moment


class RunbookKind(StrEnum):
    PYTHON = "Python"
    POWERSHELL = "PowerShell"


class RunbookState(StrEnum):
    """Azure's words for where a runbook stands."""

    NEW = "New"
    EDIT = "Edit"
    PUBLISHED = "Published"


class Runbook(Base):
    __tablename__ = "automation_runbook"

    runbook_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    draft: Mapped[str | None] = mapped_column(Text)
    draft_changed_at: Mapped[datetime] = mapped_column(Moment)
    published_version: Mapped[int | None]
    has_network: Mapped[bool] = mapped_column(default=False)

    @property
    def state(self) -> RunbookState:
        if self.published_version is None:
            return RunbookState.NEW
        return RunbookState.EDIT if self.draft is not None else RunbookState.PUBLISHED


class RunbookVersion(Base):
    __tablename__ = "automation_runbook_version"

    version_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    runbook_id: Mapped[str] = mapped_column(String(40), index=True)
    number: Mapped[int]
    script: Mapped[str] = mapped_column(Text)
    parameters: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    published_at: Mapped[datetime] = mapped_column(Moment)
    published_by: Mapped[str] = mapped_column(String(200))

    __table_args__ = (UniqueConstraint("runbook_id", "number"),)


class NotPublished(GuardshipError):
    code = "automation.not_published"
    fault = Fault.CONFLICT


def save_draft(session: Session, name: str, script: str, *, kind: RunbookKind, at: datetime) -> Runbook:
    """Keep the text as it is, broken or not: a draft is never lost."""
    runbook = _find(session, name)
    if runbook is None:
        runbook = Runbook(runbook_id=new_id("rbk"), name=name, kind=kind, draft=script, draft_changed_at=at, has_network=False)
        session.add(runbook)
    runbook.draft, runbook.draft_changed_at = script, at
    session.flush()
    return runbook


def publish(session: Session, name: str, *, by: str, at: datetime) -> RunbookVersion:
    """Make the draft the version that jobs run; raises ScriptError, with its place, and keeps the draft when it is broken."""
    runbook = runbook_named(session, name)
    if runbook.draft is None:
        raise NotPublished(f"runbook {name} has no draft to publish")
    parameters = parameters_of(RunbookKind(runbook.kind), runbook.draft)
    last = session.scalar(select(func.max(RunbookVersion.number)).where(RunbookVersion.runbook_id == runbook.runbook_id)) or 0
    version = RunbookVersion(
        version_id=new_id("rbkv"),
        runbook_id=runbook.runbook_id,
        number=last + 1,
        script=runbook.draft,
        parameters=[parameter.to_json() for parameter in parameters],
        published_at=at,
        published_by=by,
    )
    session.add(version)
    runbook.published_version, runbook.draft = version.number, None
    session.flush()
    return version


def parameters_of(kind: RunbookKind, script: str) -> tuple[Parameter, ...]:
    if kind is RunbookKind.PYTHON:
        parse_python(script)
        return python_parameters(script)
    return powershell.powershell_parameters(script)


def runbook_named(session: Session, name: str) -> Runbook:
    runbook = _find(session, name)
    if runbook is None:
        raise NotFound("runbook", name, hint="create and publish it first")
    return runbook


def published(session: Session, name: str) -> tuple[Runbook, RunbookVersion]:
    """The runbook and the version that a job runs now."""
    runbook = runbook_named(session, name)
    if runbook.published_version is None:
        raise NotPublished(f"runbook {name} is not published", hint="publish its draft first")
    return runbook, version_of(session, runbook, runbook.published_version)


def version_of(session: Session, runbook: Runbook, number: int) -> RunbookVersion:
    version = session.scalars(
        select(RunbookVersion).where(RunbookVersion.runbook_id == runbook.runbook_id, RunbookVersion.number == number)
    ).first()
    if version is None:
        raise NotFound(f"version of runbook {runbook.name}", str(number))
    return version


def versions(session: Session, runbook: Runbook) -> list[RunbookVersion]:
    query = select(RunbookVersion).where(RunbookVersion.runbook_id == runbook.runbook_id).order_by(RunbookVersion.number.desc())
    return list(session.scalars(query))


def runbooks(session: Session) -> list[Runbook]:
    return list(session.scalars(select(Runbook).order_by(Runbook.name)))


def _find(session: Session, name: str) -> Runbook | None:
    """Names ignore case, as Azure's do."""
    return session.scalars(select(Runbook).where(func.lower(Runbook.name) == name.lower())).first()
