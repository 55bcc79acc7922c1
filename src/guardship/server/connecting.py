"""Connect cloud accounts: an ARM client with the ledger as its observer, and what acts through it."""

import socket
from datetime import timedelta
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardship.clock import Clock
from guardship.cloud.accounts import Account, AccountDetails, endpoint_of, list_accounts, save_account
from guardship.cloud.arm import Actor, ArmClient
from guardship.cloud.arm_endpoint import PUBLIC_HOST, ArmEndpoint, Secret
from guardship.cloud.azure.compute import AzureProvider
from guardship.cloud.azure.connectivity import Connectivity
from guardship.connectors.http import ArmDoor, Door
from guardship.containment import way_back
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
from guardship.identity import audit
from guardship.settings import Settings
from guardship.storage.database import Database
from guardship.storage.vault import Vault
from guardship.telemetry import get_log

LAB_ACCOUNT = "lab"
_IN_FORCE = (State.ISOLATED, State.RELEASING, State.DRIFTED)
_LOCAL_ADDRESSES = Path("/proc/net/fib_trie"), Path("/proc/net/if_inet6")

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
        endpoint = ArmEndpoint(
            base_url=str(ready["arm_url"]),
            tenant_id=str(ready["tenant_id"]),
            subscription_id=str(ready["subscription_id"]),
            client_id=str(ready["client_id"]),
            client_secret=Secret(str(ready["client_secret"])),
            ca_file=Path(str(ready["ca_file"])),
            hosts=(urlsplit(str(ready["arm_url"])).netloc,),
        )
        with self._database.transaction() as session:
            account = save_account(session, AccountDetails(LAB_ACCOUNT, endpoint, is_lab=True), self._vault, self._clock)
        return self._connect(account, is_simulated=ready.get("data_plane") == "simulated")

    def settle(self) -> None:
        """Ask each cloud what became of writes whose answer never came; called every few seconds."""
        for access in list(self._clouds.by_name.values()):
            try:
                access.ledger.reconcile(access.arm)
            except GuardshipError as error:
                log.warning("cloud.not_reconciled", account=access.name, reason=str(error))

    def _connect(self, account: Account, *, is_simulated: bool = False) -> CloudAccess:
        settings = self._settings
        endpoint = endpoint_of(account, self._vault)
        policy = policy_of(settings, is_lab=account.is_lab)
        where = {"base_url": endpoint.base_url, "tenant_id": endpoint.tenant_id, "client_id": endpoint.client_id}
        group = f"/subscriptions/{account.subscription_id}/resourceGroups/{settings.isolation_resource_group}"
        group += f"/providers/Microsoft.Network/networkSecurityGroups/{settings.isolation_group}"
        ledger = Ledger(
            self._database,
            self._clock,
            policy,
            folder=self._folder,
            account=account.name,
            endpoint=where,
            closed_group_id=group,
            is_simulated=is_simulated,
        )
        arm = ArmClient(endpoint, ledger, self._clock)
        provider, connectivity = AzureProvider(arm), Connectivity(arm)
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
            isolator=Isolator(self._database, provider, arm, ledger),
            verification=Verification(self._database, self._clock, ArmProber(provider, connectivity)),
        )
        self._clouds.by_name[account.name] = access
        for host in access.hosts:
            self._http_doors[host.lower()] = ArmDoor(lambda: self._clouds.by_name[account.name].arm)
        try:
            end_released_by_hand(self._database, access)
            ledger.reconcile(arm, is_starting=True)
            self._look_what_is_open_again(access, is_lab=account.is_lab)
        except GuardshipError as error:
            log.warning("cloud.not_reconciled", account=account.name, reason=str(error))
        log.info("cloud.connected", account=account.name, base_url=endpoint.base_url)
        return access

    def _look_what_is_open_again(self, access: CloudAccess, *, is_lab: bool) -> None:
        """Isolations in force that the cloud does not show any more: released while we could not see it, or the lab is a new one."""
        with self._database.reading() as session:
            query = select(Isolation).where(Isolation.account == access.name, Isolation.state.in_(_IN_FORCE))
            opened = list(session.scalars(query))
        around = Surroundings(access.arm)
        for isolation in opened:
            closed = _closed_interfaces(around, isolation)
            if not closed or all(closed):
                continue  # a machine that is gone is a person's to release
            if any(closed):
                access.ledger.outcomes.drifted(isolation.isolation_id, "some of its interfaces were open when the server started")
            elif is_lab:
                reason = "found open: the lab was started anew, or somebody put the group back"
                access.ledger.outcomes.end(isolation.isolation_id, by="the lab", reason=reason)
            else:
                access.ledger.outcomes.end(isolation.isolation_id, by="somebody outside", reason="found open when the server started")


def _closed_interfaces(around: Surroundings, isolation: Isolation) -> list[bool]:
    """Whether it is closed, for each interface of the machine that the cloud still shows."""
    return [is_closed(around.view(body)) for body in around.interfaces_of(isolation.machine_id)]


def end_released_by_hand(database: Database, access: CloudAccess) -> None:
    """Isolations that somebody released by their file while no server ran. First of all, and also while they were being applied: a write
    that was put back looks like one that never got there, and its run would send it again."""
    with database.reading() as session:
        query = select(Isolation).where(Isolation.account == access.name, Isolation.state.in_(OPEN_STATES))
        found = [(isolation, _reason_of_offline_release(session, isolation)) for isolation in session.scalars(query)]
    around = Surroundings(access.arm)
    for isolation, reason in found:
        if reason is None:
            continue
        closed = _closed_interfaces(around, isolation)
        if closed and not any(closed):
            access.ledger.outcomes.end(isolation.isolation_id, by=way_back.BY_HAND, reason=reason)


def _reason_of_offline_release(session: Session, isolation: Isolation) -> str | None:
    """Why somebody released it by its file while no server ran, or None."""
    for entry in audit.entries(session, subject=isolation.machine_id):
        if entry.act == way_back.RELEASED_OFFLINE and entry.detail.get("isolation_id") == isolation.isolation_id:
            return str(entry.detail.get("reason") or "released by its file")
    return None


def policy_of(settings: Settings, *, is_lab: bool) -> Policy:
    return Policy(
        cap_count=settings.isolation_cap_count,
        cap_percent=settings.isolation_cap_percent,
        lease=timedelta(minutes=settings.isolation_lease_minutes),
        releases_by_itself=settings.isolation_release_by_itself,
        own_addresses=frozenset() if is_lab else own_addresses() | set(settings.own_addresses),
        own_ports=frozenset({settings.listen_port, settings.clients_port, settings.agents_port}),
    )


def release_in(clouds: Clouds, account: str, machine_id: str, actor: Actor, *, isolation_id: str, with_others: bool = False) -> object:
    return clouds.named(account).isolator.release(machine_id, actor=actor, isolation_id=isolation_id, with_others=with_others)


def own_addresses() -> frozenset[str]:
    """Every address of this host but its loopback's, as the kernel knows them."""
    found = set()
    tree, six = (path.read_text("ascii") if path.exists() else "" for path in _LOCAL_ADDRESSES)
    lines = tree.splitlines()
    for line, following in pairwise(lines):
        if following.strip() == "/32 host LOCAL":
            found.add(line.rpartition(" ")[2])
    for line in six.splitlines():
        found.add(str(ip_address(int(line.split()[0], 16).to_bytes(16, "big"))))
    return frozenset(address for address in found if not ip_address(address).is_loopback)


def _answers(base_url: str) -> bool:
    parts = urlsplit(base_url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 443), timeout=0.5):
            return True
    except OSError:
        return False
