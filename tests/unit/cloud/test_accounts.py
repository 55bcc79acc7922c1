from datetime import UTC, datetime
from pathlib import Path

import pytest

from guardship.clock import HeldClock
from guardship.cloud.accounts import AccountDetails, delete_account, endpoint_of, find_account, list_accounts, save_account
from guardship.cloud.arm import ArmEndpoint, Secret
from guardship.errors import NotFound
from guardship.storage.database import Database
from guardship.storage.vault import Vault

CLOCK = HeldClock(datetime(2026, 11, 24, tzinfo=UTC))


def details(secret: str = "s3cret") -> AccountDetails:
    endpoint = ArmEndpoint("https://127.0.0.1:24444", "tenant", "subscription", "client", Secret(secret), Path("/ca.pem"))
    return AccountDetails("lab", endpoint, is_lab=True)


def test_an_account_is_kept_with_its_secret_sealed(database: Database) -> None:
    vault = Vault(b"k" * 32)
    with database.transaction() as session:
        save_account(session, details(), vault, CLOCK)
    with database.reading() as session:
        account = find_account(session, "lab")
        assert b"s3cret" not in account.sealed_secret
        endpoint = endpoint_of(account, vault)
    assert endpoint.client_secret.get_secret_value() == "s3cret"
    assert endpoint.ca_file == Path("/ca.pem")
    assert "s3cret" not in repr(endpoint)


def test_saving_again_changes_the_account_of_that_name(database: Database) -> None:
    vault = Vault(b"k" * 32)
    with database.transaction() as session:
        first = save_account(session, details(), vault, CLOCK).account_id
        second = save_account(session, details("new"), vault, CLOCK).account_id
        assert first == second
        assert len(list_accounts(session)) == 1
        assert endpoint_of(find_account(session, "lab"), vault).client_secret.get_secret_value() == "new"


def test_a_deleted_account_is_not_found(database: Database) -> None:
    with database.transaction() as session:
        save_account(session, details(), Vault(b"k" * 32), CLOCK)
        delete_account(session, "lab")
        with pytest.raises(NotFound):
            find_account(session, "lab")
