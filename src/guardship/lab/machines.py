"""One machine of the lab: a process with a network namespace of its own, real doors, and ears for the lab's questions.

It is forked from the lab before any thread runs and dies with it. `eth0` is moved in from the fabric between "ready" and "go".
"""

import asyncio
import os
import signal
import socket
import traceback
from pathlib import Path

from guardship.lab.attacks import Attacker
from guardship.lab.channel import Channel, Message
from guardship.lab.company import ATTACKER, Host
from guardship.lab.doors import Doors
from guardship.lab.flows import Flows
from guardship.lab.netlink import Routes
from guardship.lab.probes import probe
from guardship.lab.process import CLONE_NEWNET, die_with, unshare
from guardship.lab.traffic import Traffic

READY, GO = b"ready\n", b"go\n"
LINK = "eth0"
GATEWAY, GATEWAY6 = "169.254.1.1", "fe80::1"
"""On the fabric's side of every link; each machine owns its addresses alone and sends all else there."""


def start_machine(host: Host, connection: socket.socket, lab_pid: int) -> None:
    """The whole life of the forked process; does not return."""
    code = 1
    try:
        die_with(lab_pid)
        for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches the whole terminal group: the lab ends us in its order
            signal.signal(number, signal.SIG_IGN)
        unshare(CLONE_NEWNET)
        set_kernel("ipv6/conf/default/accept_dad", "0")
        set_kernel("ipv6/conf/default/accept_ra", "0")
        connection.sendall(READY)
        if connection.recv(len(GO)) == GO:
            set_addresses(Routes(), (), host.addresses)
            asyncio.run(_Machine(host).live(connection))
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def set_kernel(name: str, value: str) -> None:
    """A network setting of this namespace; without IPv6 its settings are not there."""
    path = Path("/proc/sys/net") / name
    if path.exists():
        path.write_text(value)


def set_addresses(routes: Routes, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    if not before:
        routes.set_up("lo")
        routes.set_up(LINK)
    for address in after:
        routes.add_address(alone(address), LINK)
    for address in set(before) - set(after):
        routes.delete_address(alone(address), LINK)
    # Written again each time: the kernel drops a link's routes with its last address.
    routes.add_route(f"{GATEWAY}/32", LINK)
    routes.add_route("0.0.0.0/0", LINK, gateway=GATEWAY)
    if any(":" in address for address in after):
        routes.add_route("::/0", LINK, gateway=GATEWAY6)


def alone(address: str) -> str:
    return f"{address}/128" if ":" in address else f"{address}/32"


class _Machine:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._addresses = host.addresses
        self._flows = Flows()
        self._doors = Doors(host.name, host.addresses[0], self._flows, self._log)
        self._traffic = Traffic(host.name, self._tell)
        self._attacker = Attacker(self._tell)
        self._channel: Channel | None = None

    async def live(self, connection: socket.socket) -> None:
        self._channel = await Channel.over(connection)
        await self._doors.open(self._host.offers, with_ipv6=any(":" in address for address in self._addresses))
        self._tell({"news": "up"})
        await self._channel.listen(self._answer, lambda _: None)

    async def _answer(self, message: Message) -> Message:
        match message["do"]:
            case "traffic":
                self._traffic.start()
            case "probe":
                return await probe(message["protocol"], message["address"], message["port"], seconds=message["seconds"])
            case "flows":
                return {"flows": await self._flows.report()}
            case "addresses":
                set_addresses(Routes(), self._addresses, tuple(message["addresses"]))
                self._addresses = tuple(message["addresses"])
            case "attack" if self._host.name == ATTACKER:
                await self._attacker.start(message["target"], message["seed"])
            case "end_sessions":
                await self._attacker.stop()
                self._doors.end_sessions()
        return {}

    def _log(self, row: Message) -> None:
        if not self._host.is_outside:
            self._tell({"news": "syslog", "rows": [row]})

    def _tell(self, message: Message) -> None:
        if self._channel:
            self._channel.tell(message)
