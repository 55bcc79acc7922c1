"""The playbooks we keep: a draft as its author wrote it, and immutable published versions. Publishing arms nothing.

A text that cannot be read is kept all the same, with what is wrong and where. A run keeps the version it began with for life.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

import orjson
from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.clock import Clock
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.ids import new_id
from guardship.playbooks.arm.lenient_json import JsonSyntax, decode
from guardship.playbooks.arm.place import ArmPlace
from guardship.playbooks.arm.standard import is_zip
from guardship.playbooks.automation_rules import AutomationRule
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.firing import NotPublished, Published
from guardship.playbooks.reading import read_workflow
from guardship.playbooks.secure_parameters import opened, sealed
from guardship.playbooks.validation import Checked, CheckedWorkflow, Located, check_document
from guardship.storage.database import Database
from guardship.storage.schema import Base, Json, Moment
from guardship.storage.vault import Vault

MOST_NAME = 120


class Playbook(Base):
    __tablename__ = "playbooks_playbook"

    playbook_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(MOST_NAME), unique=True)
    state: Mapped[str] = mapped_column(String(12))  # draft, published
    source: Mapped[str] = mapped_column(Text)  # the draft, as it was given
    definition_text: Mapped[str | None] = mapped_column("definition", Text)  # None: the draft cannot be read
    parameters: Mapped[Any] = mapped_column(Json)
    problems: Mapped[Any] = mapped_column(Json)
    ignored: Mapped[Any] = mapped_column(Json)
    current_version_id: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(Moment)
    changed_at: Mapped[datetime] = mapped_column(Moment)
    changed_by: Mapped[str] = mapped_column(String(120))

    @property
    def definition(self) -> Any:
        return None if self.definition_text is None else orjson.loads(self.definition_text)


class PlaybookVersion(Base):
    """Never changed: runs refer to it."""

    __tablename__ = "playbooks_version"

    version_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    playbook_id: Mapped[str] = mapped_column(ForeignKey("playbooks_playbook.playbook_id"), index=True)
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(MOST_NAME))
    definition_text: Mapped[str] = mapped_column("definition", Text)  # text, because the order of an object's fields counts
    parameters: Mapped[Any] = mapped_column(Json)
    published_at: Mapped[datetime] = mapped_column(Moment)
    published_by: Mapped[str] = mapped_column(String(120))

    __table_args__ = (UniqueConstraint("playbook_id", "number"),)

    @property
    def definition(self) -> Any:
        return orjson.loads(self.definition_text)


class NotPublishable(GuardshipError):
    code = "playbooks.not_publishable"
    fault = Fault.BAD_INPUT

    def __init__(self, name: str, problems: tuple[Located, ...]) -> None:
        first = problems[0]
        place = f"{first.path or 'the text'}, line {first.line}, column {first.column}"
        super().__init__(f"{name} cannot be published: {place}: {first.message}", hint=first.hint)
        self.problems = problems


class DraftChanged(GuardshipError):
    code = "playbooks.draft_changed"
    fault = Fault.CONFLICT

    def __init__(self, row: Playbook) -> None:
        super().__init__(f"{row.changed_by or 'somebody'} changed {row.name} meanwhile", hint="load it again to see what is there now")


class InUse(GuardshipError):
    code = "playbooks.in_use"
    fault = Fault.CONFLICT


@dataclass(frozen=True, slots=True)
class Draft:
    playbook_id: str
    name: str
    changed_at: datetime
    problems: tuple[Located, ...]
    ignored: tuple[str, ...]
    connectors: tuple[str, ...]  # that its connections name
    needs_deployment: tuple[Located, ...] = ()  # values that a deployment alone can tell; no problems

    @property
    def is_publishable(self) -> bool:
        return not self.problems


class Library:
    def __init__(
        self,
        database: Database,
        connectors: ConnectorSet,
        clock: Clock,
        *,
        place: ArmPlace | None = None,
        vault: Vault | None = None,
        address: str = "",
    ) -> None:
        """`address` is the server's own, for the addresses that playbooks give away."""
        self._database = database
        self._vault = vault
        self._connectors = connectors
        self._clock = clock
        self._place = place or ArmPlace()
        self._address = address
        self._versions: dict[str, Published] = {}
        self._current: dict[str, str] = {}
        self._lock = Lock()

    def check(self, name: str, document: str | bytes, *, parameters: Mapping[str, Any] | None = None) -> Checked:
        return check_document(name, document, self._connectors, parameters=parameters or {}, place=self._place, now=self._clock.now())

    def import_definition(
        self, name: str, document: str | bytes, *, by: str = "", parameters: Mapping[str, Any] | None = None
    ) -> list[Draft]:
        """Keep every playbook of a document as a draft; one of the same name gets the text as its new draft."""
        checked = self.check(name, document, parameters=parameters)
        source = _text_of(document) if not isinstance(document, bytes) or not is_zip(document) else ""
        with self._database.transaction() as session:
            if not checked.workflows:
                return [self._write(session, self._named(session, name), source, None, checked, by)]
            several = len(checked.workflows) > 1
            named = [((one.name if several or not name else name)[:MOST_NAME], one) for one in checked.workflows]
            return [self._write(session, self._named(session, one_name), source, one, checked, by) for one_name, one in named]

    def change_draft(
        self,
        playbook_id: str,
        document: str | bytes,
        *,
        by: str,
        parameters: Mapping[str, Any] | None = None,
        seen_at: datetime | None = None,
    ) -> Draft:
        """Keep a new text, broken or not; what is published stays in force. Raises DraftChanged if it changed since `seen_at`."""
        name = self.get(playbook_id).name
        checked = self.check(name, document, parameters=parameters)
        only = checked.workflows[0] if len(checked.workflows) == 1 else None
        one = only or next((each for each in checked.workflows if each.name.casefold() == name.casefold()), None)
        with self._database.transaction() as session:
            row = _unchanged(session, playbook_id, seen_at)
            return self._write(session, row, _text_of(document), one, checked, by)

    def delete(self, playbook_id: str, *, seen_at: datetime | None = None) -> Playbook:
        """Remove a draft; raises InUse, with what holds it, when it was ever published or an automation rule names it."""
        with self._database.transaction() as session:
            row = _unchanged(session, playbook_id, seen_at)
            if row.current_version_id is not None:
                hint = "its runs refer to its versions; switch off the automation rules that start it instead"
                raise InUse(f"{row.name} has been published and cannot be deleted", hint=hint)
            rules = session.scalars(select(AutomationRule.name).where(AutomationRule.playbook_id == playbook_id)).all()
            if rules:
                raise InUse(
                    f"{row.name} is named by the automation rule {', '.join(sorted(rules))}", hint="remove or change the rule first"
                )
            session.delete(row)
        return row

    def _named(self, session: Session, name: str) -> Playbook:
        """The playbook of that name, or a new one."""
        row = session.scalars(select(Playbook).where(func.lower(Playbook.name) == name.lower())).one_or_none()
        if row is None:
            row = Playbook(playbook_id=new_id("plbk"), name=name, state="draft", current_version_id=None, created_at=self._clock.now())
            session.add(row)
        return row

    def _write(self, session: Session, row: Playbook, source: str, one: CheckedWorkflow | None, checked: Checked, by: str) -> Draft:
        problems = (*checked.problems, *(one.problems if one else ()))
        if one is None and not problems:
            called = f" called {row.name}" if checked.workflows else ""
            problems = (Located("", 1, 1, "InvalidDefinition", f"there is no playbook{called} in this document"),)
        row.source = source if one is None or one.source is None else one.source
        row.changed_at, row.changed_by = self._clock.now(), by
        row.definition_text = orjson.dumps(one.definition).decode() if one else None
        row.parameters = sealed(one.parameters, one.found.secure, row.playbook_id, self._vault) if one else {}
        row.problems = [problem.as_json() for problem in problems]
        row.ignored = checked.ignored
        session.flush()
        connectors = {use.connector for use in one.workflow.connections.values()} if one else set()
        needs = tuple(checked.needs_deployment)
        return Draft(row.playbook_id, row.name, row.changed_at, problems, tuple(checked.ignored), tuple(sorted(connectors)), needs)

    def publish(self, playbook_id: str, *, by: str) -> str:
        """Make the draft the version that new runs take; gives its id. Refused while the draft has problems."""
        with self._database.transaction() as session:
            row = _find(session, playbook_id)
            text = self._publishable(row)
            last = session.scalar(select(func.max(PlaybookVersion.number)).where(PlaybookVersion.playbook_id == playbook_id)) or 0
            version = PlaybookVersion(
                version_id=new_id("vers"),
                playbook_id=playbook_id,
                number=last + 1,
                name=row.name,
                definition_text=text,
                parameters=row.parameters,
                published_at=self._clock.now(),
                published_by=by,
            )
            session.add(version)
            row.state, row.current_version_id = "published", version.version_id
        with self._lock:
            self._current[playbook_id] = version.version_id
        return version.version_id

    def _publishable(self, row: Playbook) -> str:
        """The draft's definition, checked again: a connector may have gone since the draft was kept."""
        problems = tuple(Located(**problem) for problem in row.problems)
        definition, text = row.definition, row.definition_text
        if not problems and text is not None:
            checked = self.check(row.name, row.source)
            problems = tuple(problem for one in checked.workflows if one.definition == definition for problem in one.problems)
        if problems or text is None:
            raise NotPublishable(row.name, problems or (Located("", 1, 1, "InvalidDefinition", "the draft cannot be read"),))
        return text

    def get(self, playbook_id: str) -> Playbook:
        with self._database.reading() as session:
            return _find(session, playbook_id)

    def named(self, name: str) -> Playbook:
        with self._database.reading() as session:
            row = session.scalars(select(Playbook).where(func.lower(Playbook.name) == name.lower())).one_or_none()
        if row is None:
            raise NotFound("playbook", name)
        return row

    def all(self) -> list[Playbook]:
        with self._database.reading() as session:
            return list(session.scalars(select(Playbook).order_by(Playbook.name)).all())

    def versions(self, playbook_id: str) -> list[PlaybookVersion]:
        with self._database.reading() as session:
            query = select(PlaybookVersion).where(PlaybookVersion.playbook_id == playbook_id).order_by(PlaybookVersion.number.desc())
            return list(session.scalars(query).all())

    def published(self, playbook_id: str) -> Published:
        """What a new run of this playbook takes; raises when it was never published."""
        with self._lock:
            version_id = self._current.get(playbook_id)
        if version_id is None:
            row = self.get(playbook_id)
            if row.current_version_id is None:
                raise NotPublished(f"{row.name} is a draft; publish it first")
            version_id = row.current_version_id
            with self._lock:
                self._current[playbook_id] = version_id
        return self.version(version_id)

    def published_named(self, name: str) -> Published:
        return self.published(self.named(name).playbook_id)

    def version(self, version_id: str) -> Published:
        with self._lock:
            known = self._versions.get(version_id)
        if known is not None:
            return known
        with self._database.reading() as session:
            row = session.get(PlaybookVersion, version_id)
        if row is None:
            raise NotFound("playbook version", version_id)
        parameters = opened(row.parameters, row.playbook_id, self._vault)
        workflow, _ = read_workflow(row.name, row.definition, parameters, self._connectors, address=self._address)
        made = Published(row.playbook_id, row.name, version_id, workflow)
        with self._lock:
            self._versions[version_id] = made
        return made


def _find(session: Session, playbook_id: str) -> Playbook:
    row = session.get(Playbook, playbook_id)
    if row is None:
        raise NotFound("playbook", playbook_id)
    return row


def _unchanged(session: Session, playbook_id: str, seen_at: datetime | None) -> Playbook:
    row = _find(session, playbook_id)
    if seen_at is not None and row.changed_at != seen_at:
        raise DraftChanged(row)
    return row


def _text_of(document: str | bytes) -> str:
    try:
        return decode(document)
    except JsonSyntax:
        written = document.encode("utf-8", errors="replace") if isinstance(document, str) else document
        return written.decode("utf-8", errors="replace")
