"""What the doors open to: everything that `server.py` has built and wired, handed to the API as one value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from guardship.api.news import News
from guardship.automation.workers import Jobs
from guardship.clock import Clock
from guardship.containment.clouds import Clouds
from guardship.containment.leases import Leases
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.identity.sessions import Policy
from guardship.playbooks.automation_rules import AutomationRules
from guardship.playbooks.connections import Connections
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.library import Library
from guardship.playbooks.runner import Runner
from guardship.playbooks.runs import Runs
from guardship.playbooks.standing import Standing
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
    connectors: ConnectorSet
    connections: Connections
    automation_rules: AutomationRules
    runner: Runner
    runs: Runs
    triggering: Triggering
    standing: Standing
    clouds: Clouds
    address: WorkspaceAddress
    leases: Leases
    lease: timedelta  # how long an isolation lasts, and by how much it is extended
    sign_in: Policy
    is_secure: bool  # whether cookies may only travel over TLS
    url: str
    local_token_hash: str
    static: Path
    version: str
    start_demo: Callable[[], bool]  # False when no lab is at hand
    health: Callable[[], Mapping[str, str]]
