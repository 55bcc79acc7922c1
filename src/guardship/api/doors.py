"""What the doors open to: everything that `server.py` has built and wired, handed to the API as one value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from guardship.api.news import News
from guardship.automation.workers import Jobs
from guardship.clock import Clock
from guardship.cloud.arm import ArmClient
from guardship.cloud.provider import CloudProvider
from guardship.containment.isolation import Isolator
from guardship.containment.leases import Leases
from guardship.containment.verification import Verification
from guardship.identity.sessions import Policy
from guardship.playbooks.library import Library
from guardship.playbooks.runner import Runner
from guardship.playbooks.triggering import Triggering
from guardship.storage.blobs import Blobs
from guardship.storage.database import Database
from guardship.storage.outbox import Outbox
from guardship.storage.vault import Vault
from guardship.workspace.catalog import Catalog
from guardship.workspace.duckdb_store import DuckDbStore
from guardship.workspace.ingest import Ingest
from guardship.workspace.ingest_tokens import IngestTokens
from guardship.workspace.search import Search


@dataclass(frozen=True, slots=True)
class CloudAccess:
    """One connected cloud account with what acts on it."""

    name: str
    is_lab: bool
    is_simulated: bool
    subscription_id: str
    client_id: str
    tenant_id: str
    hosts: tuple[str, ...]
    arm: ArmClient
    provider: CloudProvider
    isolator: Isolator
    verification: Verification


@dataclass(slots=True)
class Clouds:
    """The connected accounts; the lab's comes and goes while the server runs."""

    by_name: dict[str, CloudAccess] = field(default_factory=dict)

    def first(self) -> CloudAccess | None:
        return next(iter(self.by_name.values()), None)

    def of_resource(self, resource_id: str) -> CloudAccess | None:
        wanted = resource_id.lower()
        return next((each for each in self.by_name.values() if f"/subscriptions/{each.subscription_id}".lower() in wanted), None)


@dataclass(frozen=True, slots=True)
class Doors:
    clock: Clock
    database: Database
    vault: Vault
    blobs: Blobs
    outbox: Outbox
    news: News
    catalog: Catalog
    store: DuckDbStore
    ingest: Ingest
    ingest_tokens: IngestTokens
    search: Search
    jobs: Jobs
    library: Library
    runner: Runner
    triggering: Triggering
    clouds: Clouds
    leases: Leases
    sign_in: Policy
    is_secure: bool  # whether cookies may only travel over TLS
    url: str
    local_token_hash: str
    static: Path
    version: str
    start_demo: Callable[[], bool]  # False when no lab is at hand
    health: Callable[[], Mapping[str, str]]
