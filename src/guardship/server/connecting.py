"""Connect cloud accounts: an ARM client with the ledger as its observer, and what acts through it."""

import socket
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import select

from guardship.clock import Clock
from guardship.cloud.accounts import Account, AccountDetails, endpoint_of, list_accounts, save_account
from guardship.cloud.arm import Actor, ArmClient
from guardship.cloud.arm_endpoint import PUBLIC_HOST, Secret
from guardship.cloud.azure.compute import AzureProvider
from guardship.cloud.azure.connectivity import Connectivity
from guardship.connectors.http import ArmDoor, Door
from guardship.containment import isolations
from guardship.containment.arm_prober import ArmProber
from guardship.containment.clouds import CloudAccess, Clouds
from guardship.containment.exposure import is_closed
from guardship.containment.guardrails import Policy
from guardship.containment.isolation import Isolator
from guardship.containment.isolations import OPEN_STATES, Isolation, State
from guardship.containment.ledger import Ledger
from guardship.containment.surroundings import Surroundings
from guardship.containment.verification import Verification
from guardship.errors import GuardshipError
from guardship.settings import Settings
from guardship.storage.database import Database
from guardship.storage.vault import Vault
from guardship.telemetry import get_log

LAB_ACCOUNT = "lab"

log = get_log("connecting")


class Connecting:
    def __init__(
        self,
        settings: Settings,
        database: Database,
        vault: Vault,
        clock: Clock,
        clouds: Clouds,
        *,
        isolations_folder: Path,
        http_doors: dict[str, Door],
    ) -> None:
        """`http_doors` is the Http action's own map: every name of a connected ARM leads through the gate there too."""
        self._settings = settings
        self._database = database
        self._vault = vault
        self._clock = clock
        self._clouds = clouds
        self._folder = isolations_folder
        self._http_doors = http_doors

    def connect_known(self) -> None:
        """The accounts of the database; a lab only while it answers, for each start of the command makes a new one."""
        with self._database.reading() as session:
            accounts = list_accounts(session)
        for account in accounts:
            if not account.is_lab or _answers(account.base_url):
                self._connect(account)

    def connect_lab(self, ready: dict[str, object]) -> CloudAccess:
        """The lab, by the words it said when it was ready. A lab that was started anew has released everything."""
        details = AccountDetails(
            name=LAB_ACCOUNT,
            base_url=str(ready["arm_url"]),
            tenant_id=str(ready["tenant_id"]),
            subscription_id=str(ready["subscription_id"]),
            client_id=str(ready["client_id"]),
            client_secret=Secret(str(ready["client_secret"])),
            ca_file=Path(str(ready["ca_file"])),
            hosts=(urlsplit(str(ready["arm_url"])).netloc,),
            is_lab=True,
        )
        with self._database.transaction() as session:
            account = save_account(session, details, self._vault, self._clock)
        found = self._connect(account, is_simulated=ready.get("data_plane") == "simulated")
        self._end_what_is_open_again(found)
        return found

    def _connect(self, account: Account, *, is_simulated: bool = False) -> CloudAccess:
        settings = self._settings
        endpoint = endpoint_of(account, self._vault)
        policy = policy_of(settings, is_lab=account.is_lab)
        where = {"base_url": endpoint.base_url, "tenant_id": endpoint.tenant_id, "client_id": endpoint.client_id}
        ledger = Ledger(self._database, self._clock, policy, folder=self._folder, account=account.name, endpoint=where)
        arm = ArmClient(endpoint, ledger, self._clock)
        provider, connectivity = AzureProvider(arm), Connectivity(arm)
        group = f"/subscriptions/{account.subscription_id}/resourceGroups/{settings.isolation_resource_group}"
        group += f"/providers/Microsoft.Network/networkSecurityGroups/{settings.isolation_group}"
        access = CloudAccess(
            name=account.name,
            is_lab=account.is_lab,
            is_simulated=is_simulated,
            subscription_id=account.subscription_id,
            hosts=(PUBLIC_HOST, urlsplit(account.base_url).netloc, *endpoint.hosts),
            arm=arm,
            provider=provider,
            connectivity=connectivity,
            ledger=ledger,
            isolator=Isolator(self._database, provider, arm, closed_group_id=group),
            verification=Verification(self._database, self._clock, ArmProber(provider, connectivity)),
        )
        self._clouds.by_name[account.name] = access
        for host in access.hosts:
            self._http_doors[host.lower()] = ArmDoor(lambda: self._clouds.by_name[account.name].arm)
        try:
            ledger.reconcile(arm)
        except GuardshipError as error:
            log.warning("cloud.not_reconciled", account=account.name, reason=str(error))
        log.info("cloud.connected", account=account.name, base_url=endpoint.base_url)
        return access

    def _end_what_is_open_again(self, access: CloudAccess) -> None:
        with self._database.reading() as session:
            query = select(Isolation).where(Isolation.account == access.name, Isolation.state.in_(OPEN_STATES))
            opened = list(session.scalars(query))
        for isolation in opened:
            machine = access.provider.machine(isolation.machine_id)
            around = Surroundings(access.arm)
            if all(is_closed(around.view(interface.body)) for interface in access.provider.interfaces_of(machine)):
                continue
            with self._database.transaction() as session:
                row = isolations.get(session, isolation.isolation_id)
                row.state, row.ended_at, row.ended_by = State.RELEASED, self._clock.now(), "the lab"
                row.end_reason = "the lab was started anew; its machines are as at the start"


def policy_of(settings: Settings, *, is_lab: bool) -> Policy:
    return Policy(
        cap_count=settings.isolation_cap_count,
        cap_percent=settings.isolation_cap_percent,
        lease=timedelta(minutes=settings.isolation_lease_minutes),
        releases_by_itself=settings.isolation_release_by_itself,
        own_addresses=frozenset() if is_lab else _own_addresses(),
    )


def release_in(clouds: Clouds, account: str, machine: str, actor: Actor) -> object:
    return clouds.named(account).isolator.release(machine, actor=actor)


def _own_addresses() -> frozenset[str]:
    try:
        return frozenset(str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None))
    except OSError:
        return frozenset()


def _answers(base_url: str) -> bool:
    parts = urlsplit(base_url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 443), timeout=0.5):
            return True
    except OSError:
        return False
