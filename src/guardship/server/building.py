"""Build everything and hand each thing what it needs: the one place that knows all rooms."""

import hashlib
import importlib.metadata
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from guardship.api import app as api_app
from guardship.api.doors import Doors
from guardship.api.news import News
from guardship.automation.jobs import JobStore
from guardship.automation.workers import Jobs, WorkerSettings
from guardship.clock import Clock
from guardship.connectors.azure_automation import AzureAutomation
from guardship.connectors.azure_function import AzureFunction
from guardship.connectors.containment import ContainmentConnector
from guardship.connectors.http import ArmDoor, Door, Http
from guardship.connectors.javascript import JavaScript
from guardship.connectors.mail import MailServer
from guardship.connectors.outbound import OutboundRules
from guardship.containment.clouds import Clouds
from guardship.containment.leases import Leases
from guardship.detection.alerts import AlertContext
from guardship.detection.analytics import Scheduler
from guardship.detection.log_rows import LogRows
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.identity.sessions import Policy as SignInPolicy
from guardship.ids import new_id
from guardship.playbooks.automation_rules import AutomationRules
from guardship.playbooks.batches import Batches
from guardship.playbooks.child_runs import ChildRuns
from guardship.playbooks.connections import Connections
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.journal import Journal
from guardship.playbooks.library import Library
from guardship.playbooks.payloads import Payloads
from guardship.playbooks.polling import Asking
from guardship.playbooks.pruning import Keeping, Pruning
from guardship.playbooks.runner import Runner
from guardship.playbooks.runs import Runs
from guardship.playbooks.standing import Standing
from guardship.playbooks.triggering import Triggering
from guardship.sandbox.python_runbook import Limits
from guardship.server.connecting import Connecting, policy_of, release_in
from guardship.server.connectors import Stores, first_arm, published_connectors
from guardship.server.dispatching import dispatch_of
from guardship.server.machine_names import MachineNames
from guardship.settings import JobIsolation, Settings
from guardship.storage.blobs import Blobs
from guardship.storage.database import Database, place_of
from guardship.storage.layout import Layout
from guardship.storage.outbox import Outbox
from guardship.storage.vault import Vault
from guardship.workspace.catalog import Catalog
from guardship.workspace.custom_tables import CustomTables
from guardship.workspace.duckdb_store import DuckDbStore
from guardship.workspace.ingest import Ingest
from guardship.workspace.ingest_tokens import IngestTokens
from guardship.workspace.search import Search

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "::1/128", "fc00::/7")
_ARM_HOST = "management.azure.com"
_SIGNING_PURPOSE = "request trigger addresses"
STATIC = Path(api_app.__file__).with_name("static")


@dataclass(frozen=True, slots=True)
class House:
    """All that was built and has a life: started and stopped by `server/living.py`."""

    settings: Settings
    layout: Layout
    doors: Doors
    scheduler: Scheduler
    connecting: Connecting
    machine_names: MachineNames
    http: Http
    log_rows: LogRows
    journal: Journal
    pruning: Pruning
    local_token: str


@dataclass(frozen=True, slots=True)
class _Logs:
    catalog: Catalog
    store: DuckDbStore
    ingest: Ingest
    search: Search


@dataclass(frozen=True, slots=True)
class _Playing:
    http: Http
    http_doors: dict[str, Door]
    connectors: ConnectorSet
    connections: Connections
    library: Library
    rules: AutomationRules
    journal: Journal
    runner: Runner
    batches: Batches


def build(settings: Settings, layout: Layout, clock: Clock, *, url: str, start_demo: Callable[[], bool]) -> House:
    database = Database(place_of(settings.database_url.get_secret_value(), layout.database))
    vault, blobs = Vault.open(layout.vault_key), Blobs(layout.blobs)
    outbox, clouds, address = Outbox(database, clock), Clouds(), WorkspaceAddress(console_url=url)
    logs = _logs(settings, layout, clock)
    jobs = Jobs(JobStore(database, clock), _worker_settings(settings, layout))
    stores = _stores(settings, layout, logs, database, vault, clock, clouds, address)
    playing = _playing(settings, layout, stores, blobs, jobs, url)
    triggering, standing = _triggers(playing, database, vault, layout, clock, url)
    names = MachineNames(clouds)
    local_token = secrets.token_urlsafe(32)
    policy = policy_of(settings, is_lab=True)
    doors = Doors(
        clock=clock,
        database=database,
        vault=vault,
        blobs=blobs,
        outbox=outbox,
        news=News(clock),
        catalog=logs.catalog,
        store=logs.store,
        ingest=logs.ingest,
        ingest_tokens=IngestTokens(database, logs.catalog, clock),
        search=logs.search,
        jobs=jobs,
        library=playing.library,
        connectors=playing.connectors,
        connections=playing.connections,
        automation_rules=playing.rules,
        runner=playing.runner,
        runs=Runs(database, blobs, playing.library),
        triggering=triggering,
        standing=standing,
        clouds=clouds,
        address=address,
        leases=Leases(database, clock, policy, partial(release_in, clouds)),
        lease=policy.lease,
        sign_in=SignInPolicy(settings.sign_in_tries, timedelta(hours=settings.session_hours)),
        is_secure=url.startswith("https://"),
        url=url,
        local_token_hash=hashlib.sha256(local_token.encode()).hexdigest(),
        static=STATIC,
        version=importlib.metadata.version("guardship"),
        start_demo=start_demo,
        health=lambda: _health(layout, outbox),
    )
    scheduler = Scheduler(database, logs.search, logs.ingest, clock, AlertContext(address, names.resolve))
    connecting = Connecting(settings, database, vault, clock, clouds, isolations_folder=layout.isolations, http_doors=playing.http_doors)
    kept = (LogRows(logs.ingest), playing.journal, pruning_of(settings, database, blobs, clock))
    return House(settings, layout, doors, scheduler, connecting, names, playing.http, *kept, local_token)


def _logs(settings: Settings, layout: Layout, clock: Clock) -> _Logs:
    catalog = Catalog.load(layout.custom_tables)
    store = DuckDbStore(layout.logs, catalog, memory_limit=f"{settings.log_memory_mb}MB")
    return _Logs(catalog, store, Ingest(store, catalog, clock), Search(store, catalog, clock))


def _stores(
    settings: Settings,
    layout: Layout,
    logs: _Logs,
    database: Database,
    vault: Vault,
    clock: Clock,
    clouds: Clouds,
    address: WorkspaceAddress,
) -> Stores:
    return Stores(
        database=database,
        vault=vault,
        clock=clock,
        clouds=clouds,
        address=address,
        search=logs.search,
        custom_tables=CustomTables(logs.catalog, logs.store, logs.ingest, layout.custom_tables),
        recordings=layout.recordings,
        mail_server=mail_server(settings),
        has_lab_mailbox=not settings.smtp_host,
    )


def _playing(settings: Settings, layout: Layout, stores: Stores, blobs: Blobs, jobs: Jobs, url: str) -> _Playing:
    database, vault, clock, clouds = stores.database, stores.vault, stores.clock, stores.clouds
    http_doors: dict[str, Door] = {_ARM_HOST: ArmDoor(lambda: first_arm(clouds))}
    http = Http(http_doors, outbound_rules(settings))
    children, batches = ChildRuns(), Batches(database, clock)
    inside = (children, batches, AzureFunction(http), JavaScript(layout.jobs / "code"))
    own = (*inside, AzureAutomation(jobs), ContainmentConnector(clouds, database, clock), http)
    connectors = ConnectorSet([*own, *published_connectors(stores, http, http_doors)])
    connections = Connections(database, vault, clock)
    library = Library(database, connectors, clock, vault=vault, address=url)
    fault_points = FaultPoints(settings.fault_points)
    journal = Journal(database, blobs, Payloads(vault), clock, fault_points, seat=_seat(layout))
    dispatch = dispatch_of(settings, database, journal, clock)
    runner = Runner(journal, library, connectors, connections, clock, fault_points, dispatch=dispatch)
    children.attach(library.published_named, runner.accept_soon)
    return _Playing(http, http_doors, connectors, connections, library, AutomationRules(database, clock), journal, runner, batches)


def _triggers(playing: _Playing, database: Database, vault: Vault, layout: Layout, clock: Clock, url: str) -> tuple[Triggering, Standing]:
    key = _signing_key(vault, layout)
    triggering = Triggering(playing.library, playing.runner, playing.rules, clock, base_url=url, signing_key=key)
    asking = Asking(playing.runner.caller, clock, triggering.callback_url)
    standing = Standing(database, playing.library, clock, asking, playing.batches, triggering.fire)
    triggering.stand(standing)
    playing.batches.attach(playing.library.published_named, triggering.fire, standing.is_on)
    return triggering, standing


def pruning_of(settings: Settings, database: Database, blobs: Blobs, clock: Clock) -> Pruning:
    return Pruning(database, blobs, clock, Keeping(settings.run_keep_days or None, settings.run_keep_mb or None))


def _worker_settings(settings: Settings, layout: Layout) -> WorkerSettings:
    limits = Limits(wall_seconds=settings.job_seconds, memory_mb=settings.job_memory_mb)
    return WorkerSettings(
        folder=layout.jobs,
        socket=layout.job_door,
        slots=settings.job_slots,
        limits=limits,
        none_allowed=settings.job_isolation is JobIsolation.NONE,
    )


def mail_server(settings: Settings) -> MailServer:
    if not settings.smtp_host:
        return MailServer("127.0.0.1", settings.lab_mail_port, settings.smtp_from)
    password = settings.smtp_password.get_secret_value()
    return MailServer(
        settings.smtp_host, settings.smtp_port, settings.smtp_from, settings.smtp_security.value, settings.smtp_user, password
    )


def outbound_rules(settings: Settings) -> OutboundRules:
    hosts = tuple(host.removeprefix("*") for host in settings.outbound_hosts)  # `*.example.org` is `.example.org` there
    return OutboundRules(allowed_hosts=hosts, allowed_networks=PRIVATE_NETWORKS if settings.outbound_private else ())


def _seat(layout: Layout) -> str:
    """Names the server of this data folder, which has one at a time, among all that work on its database."""
    file = layout.run / "seat"
    if not file.exists():
        file.write_text(new_id("seat"))
    return f"{file.read_text()}/"


def _signing_key(vault: Vault, layout: Layout) -> bytes:
    """Kept sealed beside the vault's key: addresses that were handed out stay valid."""
    file = layout.vault_key.with_name("signing.key")
    if not file.exists():
        file.touch(mode=0o600)
        file.write_bytes(vault.seal(secrets.token_bytes(32), purpose=_SIGNING_PURPOSE))
    return vault.unseal(file.read_bytes(), purpose=_SIGNING_PURPOSE)


def _health(layout: Layout, outbox: Outbox) -> dict[str, str]:
    wal = layout.database.with_name(layout.database.name + "-wal")
    return {
        "wal_bytes": str(wal.stat().st_size if wal.exists() else 0),
        "outbox_waiting": str(outbox.waiting_count()),
        "disk_free_bytes": str(shutil.disk_usage(layout.home).free),
    }
