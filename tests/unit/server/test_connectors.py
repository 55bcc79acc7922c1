from pathlib import Path

from guardship.clock import SystemClock
from guardship.connectors.http import Http
from guardship.connectors.mail import MailServer
from guardship.connectors.outbound import OutboundRules
from guardship.containment.clouds import Clouds
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.server.connectors import Stores, published_connectors
from guardship.storage.database import Database
from guardship.storage.vault import Vault
from guardship.workspace.catalog import Catalog
from guardship.workspace.custom_tables import CustomTables
from guardship.workspace.duckdb_store import DuckDbStore
from guardship.workspace.ingest import Ingest
from guardship.workspace.search import Search

ELSEWHERE = {"token": "t", "api_key": "k", "username": "u", "password": "p", "vaultName": "v", "instance": "i"}


def cannot(folder: Path, connection: dict[str, str], *, has_lab_mailbox: bool = True) -> dict[str, int]:
    """Of each connector, how many operations have no back end here."""
    clock, catalog = SystemClock(), Catalog.load()
    database, store = Database(folder / "g.db"), DuckDbStore(folder / "l.duckdb", catalog)
    ingest = Ingest(store, catalog, clock)
    stores = Stores(
        database=database,
        vault=Vault.open(folder / "k"),
        clock=clock,
        clouds=Clouds(),
        address=WorkspaceAddress(),
        search=Search(store, catalog, clock),
        custom_tables=CustomTables(catalog, store, ingest, folder / "t"),
        recordings=folder / "r",
        mail_server=MailServer(),
        has_lab_mailbox=has_lab_mailbox,
    )
    made = published_connectors(stores, Http({}, OutboundRules()))
    found = {one.name: sum(one.missing(operation.name, connection) is not None for operation in one.operations) for one in made}
    database.close()
    return {name: count for name, count in found.items() if count}


def test_what_our_own_stores_carry_out_runs_without_any_connection(tmp_path: Path) -> None:
    missing = cannot(tmp_path, {})
    for name in ("azuresentinel", "azuremonitorlogs", "azureloganalyticsdatacollector", "office365", "teams", "slack", "arm", "keyvault"):
        assert name not in missing


def test_services_with_a_key_run_once_the_connection_has_it(tmp_path: Path) -> None:
    missing = cannot(tmp_path, ELSEWHERE)
    for name in ("virustotal", "azuread", "azureadip", "microsoftgraphsecurity", "service-now", "jira"):
        assert name not in missing
        assert name in cannot(tmp_path, {})


def test_defender_runs_all_but_what_passes_the_gate(tmp_path: Path) -> None:
    assert cannot(tmp_path, ELSEWHERE)["wdatp"] == 2


def test_a_chat_needs_a_webhook_where_there_is_no_lab(tmp_path: Path) -> None:
    assert "teams" in cannot(tmp_path, {}, has_lab_mailbox=False)
    assert "teams" not in cannot(tmp_path, {"webhook": "https://example.org/hook"}, has_lab_mailbox=False)
