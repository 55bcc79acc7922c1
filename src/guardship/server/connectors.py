"""The published connectors with the back ends they have here: our own stores, the services themselves, recordings."""

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from guardship.clock import Clock
from guardship.cloud.arm import ArmClient
from guardship.connectors.arm_resources import ArmResources
from guardship.connectors.azure_automation import AzureAutomation
from guardship.connectors.chat import Chat
from guardship.connectors.http import Http
from guardship.connectors.key_vault import KeyVault
from guardship.connectors.log_search import DataCollector, LogSearch
from guardship.connectors.mail import Mail, MailServer
from guardship.connectors.published_connector import AZURE, LAB, REPLAY, BackEnd, PublishedConnector
from guardship.connectors.published_operations import shipped
from guardship.connectors.questions import MailBackEnd
from guardship.connectors.recordings import RecordedFile
from guardship.connectors.rest import Rest
from guardship.connectors.sentinel import Sentinel
from guardship.containment.clouds import Clouds
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.storage.database import Database
from guardship.storage.vault import Vault
from guardship.workspace.custom_tables import CustomTables
from guardship.workspace.search import Search

_BUILT_APART = (AzureAutomation.name,)


@dataclass(frozen=True, slots=True)
class Stores:
    """What connectors act on."""

    database: Database
    vault: Vault
    clock: Clock
    clouds: Clouds
    address: WorkspaceAddress
    search: Search
    custom_tables: CustomTables
    recordings: Path
    mail_server: MailServer
    has_lab_mailbox: bool  # no mail server is set, so what is sent goes to the lab


def published_connectors(stores: Stores, http: Http, http_doors: Container[str] = ()) -> list[PublishedConnector]:
    """`http_doors` are the hosts with doors of their own, which may come while the server runs."""
    lab = _lab(stores, http)
    made = []
    for name, published in shipped().items():
        if name in _BUILT_APART:
            continue
        ends: dict[str, BackEnd] = {REPLAY: RecordedFile(name, stores.recordings)}
        if name in lab:
            ends[LAB] = lab[name]
        if published.rest is not None:
            ends[AZURE] = Rest(published, published.rest, http, http_doors)
        made.append(PublishedConnector(published, ends, recordings=stores.recordings))
    return made


def _lab(stores: Stores, http: Http) -> dict[str, BackEnd]:
    mail = {name: Mail(name, stores.mail_server) for name in ("office365", "smtp")}
    lab_mail = mail["smtp"] if stores.has_lab_mailbox else None
    return {
        "azuresentinel": Sentinel(stores.database, stores.address, stores.clock).back_end(),
        "azuremonitorlogs": LogSearch(stores.search).back_end(),
        "azureloganalyticsdatacollector": DataCollector(stores.custom_tables).back_end(),
        "office365": MailBackEnd(mail["office365"]),
        "smtp": MailBackEnd(mail["smtp"]),
        "teams": Chat("teams", http, lab_mail),
        "slack": Chat("slack", http, lab_mail),
        "arm": ArmResources(lambda: first_arm(stores.clouds)).back_end(),
        "keyvault": KeyVault(stores.database, stores.vault, stores.clock).back_end(),
    }


def first_arm(clouds: Clouds) -> ArmClient | None:
    found = next(iter(clouds.by_name.values()), None)
    return found.arm if found else None
