"""The data plane of a host that refuses namespaces: no packet moves; the same rules are judged instead.

Everything it answers is labelled `simulated`, here and wherever it is shown: it proves nothing about packets.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address

from guardship.clock import iso
from guardship.cloud.azure.network import METADATA_ADDRESS, Direction, Packet, judge
from guardship.lab.attacks import GUESS_SECONDS, GUESSES
from guardship.lab.channel import Message
from guardship.lab.company import ATTACKER, DATABASE_PORT, DNS_PORT, ECHO_PORT, HTTP_PORT, SSH_PORT, TARGET, Host
from guardship.lab.filter import TrackingMode
from guardship.lab.system_log import sshd_row
from guardship.lab.world import Placement, World

News = Callable[[str, Message], None]
DETAIL = "simulated: rules were judged, no packet was sent"
_PORTS = {"ssh": SSH_PORT, "http": HTTP_PORT, "database": DATABASE_PORT, "echo": ECHO_PORT, "dns": DNS_PORT}
_SOURCE_PORT = 51544


class Simulation:
    kind = "simulated"

    def __init__(self, hosts: tuple[Host, ...], mode: TrackingMode, news: News) -> None:
        self._hosts = {host.name: host for host in hosts}
        self._mode = mode
        self._news = news
        self._world: World | None = None
        self._attacking: asyncio.Task[None] | None = None
        self._opened_at: datetime | None = None
        self._is_live = False
        self._traffic: asyncio.Task[None] | None = None

    async def start(self, world: World) -> None:
        self._world = world

    async def start_traffic(self) -> None:
        self._traffic = asyncio.create_task(self._tell_traffic())

    async def apply(self, world: World) -> None:
        self._world = world
        if self._is_live and self._mode is TrackingMode.CUTTING and not self._passes(ATTACKER, TARGET, "Tcp", SSH_PORT):
            self._is_live = False
            self._news(ATTACKER, {"news": "last_packet", "monotonic": time.monotonic(), "bytes": 0})

    async def probe(self, machine: str, protocol: str, address: str, port: int, seconds: float) -> Message:
        self._hosts[machine]
        answered = self._reaches(machine, protocol, address, port)
        return {"answered": answered, "detail": DETAIL, "latency_ms": 0.0}

    async def flows(self, machine: str) -> list[Message]:
        if machine != TARGET or self._opened_at is None:
            return []
        return [
            {
                "protocol": "Tcp",
                "direction": "Inbound",
                "localAddress": self._address(TARGET),
                "localPort": SSH_PORT,
                "remoteAddress": self._address(ATTACKER),
                "remotePort": _SOURCE_PORT,
                "openedAt": iso(self._opened_at),
                "bytesSent": 0,
                "bytesReceived": 0,
                "live": self._is_live,
                "evidence": DETAIL,
            }
        ]

    async def attack(self, seed: int) -> None:
        await self.end_sessions()
        self._attacking = asyncio.create_task(self._play())

    async def end_sessions(self, machine: str | None = None) -> None:
        if self._attacking:
            self._attacking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._attacking
        self._attacking, self._opened_at, self._is_live = None, None, False

    async def stop(self) -> None:
        await self.end_sessions()
        if self._traffic:
            self._traffic.cancel()

    async def _play(self) -> None:
        self._news(ATTACKER, {"news": "first_hostile_packet", "monotonic": time.monotonic(), "target": self._address(TARGET)})
        for count, user in enumerate(GUESSES, start=1):
            if not self._passes(ATTACKER, TARGET, "Tcp", SSH_PORT):
                self._news(ATTACKER, {"news": "attack_failed", "monotonic": time.monotonic(), "why": "no answer", "guess": count})
                return
            self._log(f"Failed password for invalid user {user} from {self._address(ATTACKER)} port {50_000 + count} ssh2")
            self._news(ATTACKER, {"news": "guess", "monotonic": time.monotonic(), "user": user, "count": count})
            await asyncio.sleep(GUESS_SECONDS)
        self._log(f"Accepted password for deploy from {self._address(ATTACKER)} port {_SOURCE_PORT} ssh2")
        self._opened_at, self._is_live = datetime.now(UTC), True
        self._news(ATTACKER, {"news": "session_opened", "monotonic": time.monotonic(), "user": "deploy", "source_port": _SOURCE_PORT})

    def _log(self, message: str) -> None:
        self._news(TARGET, {"news": "syslog", "rows": [sshd_row(TARGET, self._address(TARGET), message, number=2000)]})

    async def _tell_traffic(self) -> None:
        while True:
            await asyncio.sleep(1)
            answered = sum(self._passes("clients", name, "Tcp", HTTP_PORT) for name in ("web-1", "web-2"))
            self._news("clients", {"news": "traffic", "answered": answered, "unanswered": 2 - answered})

    def _placement(self, machine: str) -> Placement | None:
        assert self._world is not None
        return next((placement for placement in self._world.placements() if placement.machine == machine), None)

    def _addresses(self, machine: str) -> tuple[str, ...]:
        placement = self._placement(machine)
        return placement.addresses if placement else self._hosts[machine].addresses

    def _address(self, machine: str) -> str:
        return self._addresses(machine)[0]

    def _passes(self, source: str, destination: str, protocol: str, port: int) -> bool:
        return self._reaches(source, protocol, self._address(destination), port)

    def _reaches(self, source: str, protocol: str, address: str, port: int) -> bool:
        own = [known for known in self._addresses(source) if ip_address(known).version == ip_address(address).version]
        transport = {"http": "Tcp", "dns": "Udp"}.get(protocol.lower(), protocol)
        if not own or not self._allows(source, Direction.OUTBOUND, transport, own[0], address, port):
            return False
        if address == METADATA_ADDRESS:
            return True
        owner = next((name for name in self._hosts if address in self._addresses(name)), None)
        if owner is None or port not in {_PORTS[offer] for offer in self._hosts[owner].offers}:
            return False
        return self._allows(owner, Direction.INBOUND, transport, own[0], address, port)

    def _allows(self, machine: str, direction: Direction, protocol: str, source: str, destination: str, port: int) -> bool:
        placement = self._placement(machine)
        if placement is None:
            return True
        assert self._world is not None
        groups = self._world.groups()
        subnet = groups[placement.subnet_group].rules if placement.subnet_group else None
        interface = groups[placement.interface_group].rules if placement.interface_group else None
        packet = Packet(direction, protocol, source, destination, _SOURCE_PORT, port)
        return judge(subnet, interface, packet, self._world.space()).is_allowed
