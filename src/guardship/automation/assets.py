"""Assets of runbooks: variables, credentials, certificates and connections. What is secret in them lies sealed.

A connection's fields are those of Azure's Run As connection (`TenantId, ApplicationId, CertificateThumbprint, SubscriptionId`); its
secret, and the cloud account it speaks through, stay in the server: a job never sees them.
"""

import json
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import LargeBinary, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.errors import Fault, GuardshipError
from guardship.ids import new_id
from guardship.storage.schema import Base, Json, Moment
from guardship.storage.vault import Vault


class AssetKind(StrEnum):
    VARIABLE = "variable"
    CREDENTIAL = "credential"
    CERTIFICATE = "certificate"
    CONNECTION = "connection"


class Asset(Base):
    __tablename__ = "automation_asset"

    asset_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(120))
    fields: Mapped[dict[str, Any]] = mapped_column(Json)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    changed_at: Mapped[datetime] = mapped_column(Moment)
    changed_by: Mapped[str] = mapped_column(String(200))

    __table_args__ = (UniqueConstraint("kind", "name"),)


class AssetNotFound(GuardshipError):
    code = "automation.asset_not_found"
    fault = Fault.NOT_FOUND

    def __init__(self, kind: AssetKind, name: str) -> None:
        super().__init__(f"{kind.capitalize()} {name} not found.", hint=f"create it under Playbooks, Runbooks & jobs: {kind} assets")


def put_asset(
    session: Session,
    kind: AssetKind,
    name: str,
    *,
    fields: dict[str, Any],
    secrets: dict[str, Any] | None,
    vault: Vault,
    by: str,
    at: datetime,
) -> Asset:
    """Create or replace; `secrets` of None keeps what is sealed."""
    asset = _find(session, kind, name)
    if asset is None:
        asset = Asset(asset_id=new_id("asst"), kind=kind, name=name, fields=fields, changed_at=at, changed_by=by)
        session.add(asset)
    asset.fields, asset.changed_at, asset.changed_by = fields, at, by
    if secrets is not None:
        asset.sealed = vault.seal(json.dumps(secrets).encode(), purpose=_purpose(kind, name))
    session.flush()
    return asset


def asset(session: Session, kind: AssetKind, name: str) -> Asset:
    found = _find(session, kind, name)
    if found is None:
        raise AssetNotFound(kind, name)
    return found


def secrets_of(found: Asset, vault: Vault) -> dict[str, Any]:
    if found.sealed is None:
        return {}
    opened: dict[str, Any] = json.loads(vault.unseal(found.sealed, purpose=_purpose(AssetKind(found.kind), found.name)))
    return opened


def assets(session: Session) -> list[Asset]:
    return list(session.scalars(select(Asset).order_by(Asset.kind, Asset.name)))


def remove_asset(session: Session, kind: AssetKind, name: str) -> None:
    session.delete(asset(session, kind, name))


def for_job(session: Session, kind: AssetKind, name: str, vault: Vault) -> dict[str, Any]:
    """What a job is given: all of a variable, credential or certificate, and the public fields of a connection."""
    found = asset(session, kind, name)
    if kind is AssetKind.CONNECTION:
        return dict(found.fields)
    return dict(found.fields) | secrets_of(found, vault)


def _find(session: Session, kind: AssetKind, name: str) -> Asset | None:
    return session.scalars(select(Asset).where(Asset.kind == kind, Asset.name == name)).first()


def _purpose(kind: AssetKind, name: str) -> str:
    return f"asset:{kind}:{name}"
