from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.connectors.asking import ask, request_for, with_connection

from guardship.automation import assets
from guardship.automation.assets import AssetKind
from guardship.clock import SystemClock
from guardship.connectors.acting import Acting
from guardship.connectors.key_vault import KeyVault
from guardship.identity import audit
from guardship.storage.database import Database
from guardship.storage.vault import Vault


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "g.db")
    made.create_tables()
    yield made
    made.close()


@pytest.fixture
def end(database: Database, tmp_path: Path) -> Acting:
    vault, at = Vault.open(tmp_path / "vault.key"), SystemClock().now()
    with database.transaction() as session:
        for kind, name, secrets in (
            (AssetKind.VARIABLE, "api-key", {"value": "s3cret"}),
            (AssetKind.CREDENTIAL, "mail", {"password": "pw"}),
        ):
            assets.put_asset(session, kind, name, fields={}, secrets=secrets, vault=vault, by="ada", at=at)
    return KeyVault(database, vault, SystemClock()).back_end()


def test_a_sealed_variable_is_a_secret_and_its_reading_is_in_the_audit(database: Database, end: Acting) -> None:
    answer = ask(end, request_for("keyvault", "get_secret", secret="api-key"))
    assert (answer.body["value"], answer.body["name"]) == ("s3cret", "api-key")
    with database.reading() as session:
        (entry,) = audit.entries(session, subject="api-key")
    assert (entry.act, entry.who) == ("secret.read", "playbook isolate, run 7")


def test_a_credential_gives_its_password(end: Acting) -> None:
    assert ask(end, request_for("keyvault", "get_secret", secret="mail")).body["value"] == "pw"


def test_the_connections_own_secrets_come_first(end: Acting) -> None:
    given = with_connection(secrets={"api-key": "own"})
    assert ask(end, request_for("keyvault", "get_secret", secret="api-key"), given).body["value"] == "own"


def test_a_secret_that_is_not_there_is_a_404_with_the_way_out(end: Acting) -> None:
    answer = ask(end, request_for("keyvault", "get_secret", secret="none"))
    assert answer.status_code == 404
    assert "secret called none" in answer.body["error"]["message"]
    assert "seal it as a variable" in answer.body["error"]["message"]
