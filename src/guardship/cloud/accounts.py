"""The cloud accounts we act in: an Azure subscription or the lab, with the sealed secret of the application we sign in as."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.clock import Clock
from guardship.cloud.arm_endpoint import ArmEndpoint, Secret
from guardship.errors import NotFound
from guardship.ids import new_id
from guardship.storage.schema import Base, Json, Moment
from guardship.storage.vault import Vault


class Account(Base):
    __tablename__ = "cloud_account"

    account_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    base_url: Mapped[str]
    tenant_id: Mapped[str]
    subscription_id: Mapped[str]
    client_id: Mapped[str]
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    ca_file: Mapped[str | None]
    hosts: Mapped[list[Any]] = mapped_column(Json)
    is_lab: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(Moment)


@dataclass(frozen=True, slots=True)
class AccountDetails:
    """What a person, or the lab, states about an account."""

    name: str
    endpoint: ArmEndpoint
    is_lab: bool = False


def save_account(session: Session, details: AccountDetails, vault: Vault, clock: Clock) -> Account:
    """A new account, or the one of this name with new details: a lab that starts again has a new secret."""
    account = session.scalar(select(Account).where(Account.name == details.name))
    if account is None:
        account = Account(account_id=new_id("acct"), name=details.name)
        session.add(account)
    endpoint = details.endpoint
    account.base_url = endpoint.base_url
    account.tenant_id = endpoint.tenant_id
    account.subscription_id = endpoint.subscription_id
    account.client_id = endpoint.client_id
    account.sealed_secret = vault.seal(endpoint.client_secret.get_secret_value().encode(), purpose=_purpose(account))
    account.ca_file = str(endpoint.ca_file) if endpoint.ca_file else None
    account.hosts = list(endpoint.hosts)
    account.is_lab = details.is_lab
    account.changed_at = clock.now()
    session.flush()
    return account


def find_account(session: Session, name: str) -> Account:
    account = session.scalar(select(Account).where(Account.name == name))
    if account is None:
        raise NotFound("cloud account", name)
    return account


def list_accounts(session: Session) -> list[Account]:
    return list(session.scalars(select(Account).order_by(Account.name)))


def delete_account(session: Session, name: str) -> None:
    session.delete(find_account(session, name))


def endpoint_of(account: Account, vault: Vault) -> ArmEndpoint:
    """Where and as whom to call; opens the seal."""
    return ArmEndpoint(
        base_url=account.base_url,
        tenant_id=account.tenant_id,
        subscription_id=account.subscription_id,
        client_id=account.client_id,
        client_secret=Secret(vault.unseal(account.sealed_secret, purpose=_purpose(account)).decode()),
        ca_file=Path(account.ca_file) if account.ca_file else None,
        hosts=tuple(str(host) for host in account.hosts),
    )


def _purpose(account: Account) -> str:
    return f"cloud_account/{account.account_id}/client_secret"
