"""Connections: what a connector needs to reach its target. Bound by the connector's name, so one serves all playbooks."""

from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import Any

import orjson
from sqlalchemy import LargeBinary, String, select
from sqlalchemy.orm import Mapped, mapped_column

from guardship.clock import Clock
from guardship.ids import new_id
from guardship.storage.database import Database
from guardship.storage.schema import Base, Moment
from guardship.storage.vault import Vault


class Connection(Base):
    __tablename__ = "playbooks_connection"

    connection_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    connector: Mapped[str] = mapped_column(String(80), unique=True)
    display_name: Mapped[str] = mapped_column(String(120))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    changed_at: Mapped[datetime] = mapped_column(Moment)
    changed_by: Mapped[str] = mapped_column(String(120))


class Connections:
    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._known: dict[str, Mapping[str, Any]] = {}
        self._lock = Lock()

    def put(self, connector: str, parameters: Mapping[str, Any], *, by: str, display_name: str = "") -> str:
        """Set the parameters of a connector's connection; they are kept sealed."""
        name = connector.lower()
        sealed = self._vault.seal(orjson.dumps(dict(parameters)), purpose=f"connection:{name}")
        with self._database.transaction() as session:
            row = session.scalars(select(Connection).where(Connection.connector == name)).one_or_none()
            if row is None:
                row = Connection(connection_id=new_id("conn"), connector=name, display_name=display_name or connector)
                session.add(row)
            row.sealed, row.changed_at, row.changed_by = sealed, self._clock.now(), by
            row.display_name = display_name or row.display_name
        with self._lock:
            self._known.pop(name, None)
        return row.connection_id

    def parameters(self, connector: str) -> Mapping[str, Any]:
        """Unsealed, for the call alone; empty when nobody set any."""
        name = connector.lower()
        with self._lock:
            known = self._known.get(name)
        if known is None:
            with self._database.reading() as session:
                row = session.scalars(select(Connection).where(Connection.connector == name)).one_or_none()
            known = orjson.loads(self._vault.unseal(row.sealed, purpose=f"connection:{name}")) if row else {}
            with self._lock:
                self._known[name] = known
        return known

    def all(self) -> list[Connection]:
        with self._database.reading() as session:
            return list(session.scalars(select(Connection).order_by(Connection.connector)).all())
