"""Tokens that let one machine, or one source, bring rows into named tables; only a hash of them is kept."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.clock import Clock
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.ids import new_id
from guardship.storage.database import Database
from guardship.storage.schema import Base, Json, Moment
from guardship.workspace.catalog import Catalog

PREFIX = "gsi_"


class IngestToken(Base):
    __tablename__ = "workspace_ingest_token"

    token_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    tables: Mapped[list[str]] = mapped_column(Json)
    machine: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


class TokenRefused(GuardshipError):
    code = "ingest.token_refused"
    fault = Fault.NOT_SIGNED_IN


class TableRefused(GuardshipError):
    code = "ingest.table_refused"
    fault = Fault.FORBIDDEN


@dataclass(frozen=True, slots=True)
class Issued:
    token_id: str
    token: str  # shown once


class IngestTokens:
    def __init__(self, database: Database, catalog: Catalog, clock: Clock) -> None:
        self._database = database
        self._catalog = catalog
        self._clock = clock

    def issue(self, name: str, *, tables: Sequence[str], machine: str | None, expires_at: datetime | None = None) -> Issued:
        with self._database.transaction() as session:
            return self.issue_in(session, name, tables=tables, machine=machine, expires_at=expires_at)

    def issue_in(
        self, session: Session, name: str, *, tables: Sequence[str], machine: str | None, expires_at: datetime | None = None
    ) -> Issued:
        """As `issue`, within a transaction of the caller."""
        for table in tables:
            self._catalog.table(table)
        issued = Issued(new_id("itok"), PREFIX + secrets.token_urlsafe(32))
        session.add(
            IngestToken(
                token_id=issued.token_id,
                name=name,
                token_hash=_hashed(issued.token),
                tables=list(tables),
                machine=machine,
                created_at=self._clock.now(),
                expires_at=expires_at,
            )
        )
        return issued

    def check(self, token: str, table: str) -> str | None:
        """The name of the machine the token is bound to, None for a source of many; raises where it may not write there."""
        with self._database.reading() as session:
            found = session.scalars(select(IngestToken).where(IngestToken.token_hash == _hashed(token))).one_or_none()
        if found is None or found.revoked_at is not None or (found.expires_at is not None and found.expires_at <= self._clock.now()):
            raise TokenRefused("this token is not valid", hint="ask an admin for a new one")
        if table not in found.tables:
            raise TableRefused(f"this token may not write to {table}")
        return found.machine

    def revoke(self, token_id: str) -> None:
        with self._database.transaction() as session:
            found = session.get(IngestToken, token_id)
            if found is None:
                raise NotFound("ingest token", token_id)
            found.revoked_at = found.revoked_at or self._clock.now()

    def all(self) -> list[IngestToken]:
        with self._database.reading() as session:
            return list(session.scalars(select(IngestToken).order_by(IngestToken.created_at)))


def _hashed(token: str) -> str:
    """A plain hash is enough: the token is 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()
