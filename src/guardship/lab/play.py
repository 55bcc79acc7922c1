"""The lab at work: it builds the company, listens to the command's orders and tells what happens."""

import asyncio
import gc
import json
import os
import secrets
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Coroutine
from pathlib import Path

from guardship.identity.certificates import CA_FILE, server_context
from guardship.lab import arm_reads
from guardship.lab.arm import Arm, Written
from guardship.lab.channel import ChannelClosed, Message
from guardship.lab.company import ATTACKER_ADDRESSES, ISOLATED_GROUP, NETWORK_PATH, PROTECTED_TAG, TARGET, build_world, hosts, stable_uuid
from guardship.lab.config import Handover, LabConfig
from guardship.lab.events import Events
from guardship.lab.fabric import Fabric, Fork, end_machines
from guardship.lab.http_door import HttpDoor
from guardship.lab.identity import Identity
from guardship.lab.mailbox import Mailbox
from guardship.lab.metadata import Metadata
from guardship.lab.netlink import NetlinkRefused
from guardship.lab.plane import DataPlane
from guardship.lab.process import NamespacesRefused
from guardship.lab.simulation import Simulation
from guardship.lab.uplink import Uplink
from guardship.lab.world import MACHINE_TYPE, RESOURCE_GROUP, SUBSCRIPTION_ID, TENANT_ID

_REMEMBERED_WRITES = 200
_PACKET_SECONDS = 0.05  # how long before a write the last packet may lie and still be its doing


class Lab:
    def __init__(self, config: LabConfig, handover: Handover, events: Events, *, with_ipv6: bool) -> None:
        self._config = config
        self._handover = handover
        self._events = events
        self._with_ipv6 = with_ipv6
        self._world = build_world(with_ipv6=with_ipv6)
        self._client_secret = config.client_secret or secrets.token_urlsafe(24)
        self._identity = Identity(config.client_id or stable_uuid("client"), self._client_secret)
        self._uplink = Uplink(config.ingest, events.tell)
        self._writes: deque[Written] = deque(maxlen=_REMEMBERED_WRITES)
        self._attack_state = "quiet"
        self._orders: asyncio.Queue[Message | None] = asyncio.Queue()
        self._background: set[asyncio.Task[None]] = set()

    async def play(self, forks: tuple[Fork, ...] | None, refusal: str) -> None:
        """Until `stop`, the end of the orders, or SIGTERM."""
        self._events.start()
        if self._config.ingest_url:
            self._uplink.start()
        plane = await self._started_plane(forks, refusal)
        arm = Arm(self._world, plane, self._identity, with_ipv6=self._with_ipv6, told=self._written)
        arm_socket, smtp_socket = socket.socket(fileno=self._handover.arm_socket), socket.socket(fileno=self._handover.smtp_socket)
        door = HttpDoor(arm_socket, server_context(self._handover.certificate), arm.answer)
        mailbox = Mailbox(smtp_socket, lambda mail: self._events.tell("mail", mail))
        try:
            door.open()
            await mailbox.open()
            await plane.start_traffic()
            gc.freeze()  # a full collection in mid-write would hold up packets by milliseconds
            self._events.tell("ready", self._ready(arm_socket, smtp_socket, plane, forks))
            await self._obey(plane, arm, door)
        finally:
            mailbox.close()
            await door.close()
            await plane.stop()
            self._uplink.stop() if self._config.ingest_url else None
            self._events.tell("stopped", {})

    async def _started_plane(self, forks: tuple[Fork, ...] | None, refusal: str) -> DataPlane:
        """The fabric, or the simulation and the reason for it: a kernel may also lack links or the packet filter."""
        if forks is not None:
            try:
                fabric = Fabric(forks, self._config.mode, Metadata(self._world, self._identity).answer, self._heard)
                await fabric.start(self._world)
            except (NamespacesRefused, NetlinkRefused, ChannelClosed, OSError) as error:
                end_machines(forks)
                refusal = str(error)
            else:
                return fabric
        self._events.tell("simulated", {"why": refusal})
        simulation = Simulation(hosts(with_ipv6=self._with_ipv6), self._config.mode, self._heard)
        await simulation.start(self._world)
        return simulation

    def _ready(self, arm_socket: socket.socket, smtp_socket: socket.socket, plane: DataPlane, forks: tuple[Fork, ...] | None) -> Message:
        arm_port = arm_socket.getsockname()[1]
        host = f"[{self._config.arm_host}]" if ":" in self._config.arm_host else self._config.arm_host
        return {
            "mode": self._config.mode.value,
            "data_plane": plane.kind,
            "arm_url": f"https://{host}:{arm_port}",
            "arm_port": arm_port,
            "smtp_port": smtp_socket.getsockname()[1],
            "ca_file": str(Path(self._config.ca_dir) / CA_FILE),
            "tenant_id": TENANT_ID,
            "subscription_id": SUBSCRIPTION_ID,
            "resource_group": RESOURCE_GROUP,
            "client_id": self._identity.client_id,
            "client_secret": self._client_secret,
            "ipv6": self._with_ipv6,
            "target": TARGET,
            "attacker": ATTACKER_ADDRESSES[0],
            "isolated_group": f"{NETWORK_PATH}/networkSecurityGroups/{ISOLATED_GROUP}",
            "machines": [self._machine(body) for body in self._world.of_type(MACHINE_TYPE)],
            "probe_targets": arm_reads.probe_targets(with_ipv6=self._with_ipv6),
            "pids": {fork.host.name: fork.pid for fork in forks or () if plane.kind == "packets"},
            "pid": os.getpid(),
            "boot_seconds": round(time.monotonic() - self._handover.started_at, 3),
        }

    def _machine(self, body: Message) -> Message:
        addresses = next((place.addresses for place in self._world.placements() if place.machine == body["name"]), ())
        is_protected = body["tags"].get(PROTECTED_TAG) == "true"
        return {"name": body["name"], "resource_id": body["id"], "addresses": list(addresses), "protected": is_protected}

    async def _obey(self, plane: DataPlane, arm: Arm, door: HttpDoor) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._orders.put_nowait, None)
        threading.Thread(target=self._read_orders, args=(loop,), name="lab-orders", daemon=True).start()
        while (order := await self._orders.get()) is not None and order.get("do") != "stop":
            try:
                await self._act(order, plane, arm, door)
            except (ValueError, KeyError, TypeError, ChannelClosed, TimeoutError) as error:
                self._events.tell("error", {"what": "an order failed", "order": order, "detail": repr(error)})

    async def _act(self, order: Message, plane: DataPlane, arm: Arm, door: HttpDoor) -> None:
        match order.get("do"):
            case "attack":
                self._attack_state = "guessing"
                await plane.attack(int(order.get("seed", self._config.seed)))
            case "reset":
                await plane.end_sessions()
                await arm.reset()
                self._attack_state = "quiet"
                self._events.tell("reset", {})
            case "fault":
                arm.operations.set_fault(order)
                self._events.tell("fault", {"kind": order["kind"]})
            case "down":
                self._later(self._down(door, float(order["seconds"])))
            case "status":
                self._events.tell("status", self._status(plane))
            case _:
                self._events.tell("error", {"what": "unknown order", "order": order})

    async def _down(self, door: HttpDoor, seconds: float) -> None:
        self._events.tell("arm_down", {"seconds": seconds})
        await door.refuse_for(seconds)
        self._events.tell("arm_up", {})

    def _later(self, act: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(act)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _status(self, plane: DataPlane) -> Message:
        places = [
            {
                "machine": place.machine,
                "addresses": list(place.addresses),
                "group": place.interface_group,
                "subnet_group": place.subnet_group,
            }
            for place in self._world.placements()
        ]
        return {"mode": self._config.mode.value, "data_plane": plane.kind, "attack": self._attack_state, "machines": places}

    def _written(self, write: Written) -> None:
        self._writes.append(write)
        milliseconds = round((write.enforced_at - write.started_at) * 1000, 3)
        self._events.tell(
            "put", {"resource_id": write.resource_id, "method": write.method, "enforced_in_ms": milliseconds}, at=write.started_at
        )

    def _heard(self, machine: str, message: Message) -> None:
        """News of a machine, in the loop's thread."""
        news = message.pop("news")
        at = message.pop("monotonic", None)
        match news:
            case "syslog":
                self._uplink.send(machine, message["rows"])
                return
            case "last_packet":
                self._attack_state = "silent"
                message["put_to_last_packet_ms"] = self._since_write(at)
            case "session_opened" | "session_resumed":
                self._attack_state = "session open"
            case "attack_failed":
                self._attack_state = "failed"
        self._events.tell(news, {"machine": machine, **message}, at=at)

    def _since_write(self, last_at: float) -> float | None:
        for write in reversed(self._writes):
            if write.started_at <= last_at + _PACKET_SECONDS:
                return round(max(0.0, last_at - write.started_at) * 1000, 3)  # packets are 2 ms apart
        return None

    def _read_orders(self, loop: asyncio.AbstractEventLoop) -> None:
        """A thread of its own, for standard input may be a pipe, a terminal or a file."""
        rest = b""
        while chunk := _read_input():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                loop.call_soon_threadsafe(self._orders.put_nowait, _order(line))
        loop.call_soon_threadsafe(self._orders.put_nowait, None)


def _read_input() -> bytes:
    try:
        return os.read(0, 65536)
    except OSError:
        return b""


def _order(line: bytes) -> Message:
    try:
        found = json.loads(line)
    except ValueError:
        return {"do": f"unreadable: {line[:100]!r}"}
    return found if isinstance(found, dict) else {"do": repr(found)}
