"""The network between the machines: links to every namespace, routes, the metadata service, and the packet filter in between.

Routed, not bridged, as Azure routes: each machine owns a single address and sends everything to the fabric, so that neighbours in
one subnet pass the filter too. Runs in the thread whose network namespace is the fabric's.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from guardship.cloud.azure.network import METADATA_ADDRESS, PLATFORM_ADDRESS
from guardship.lab.channel import Channel, ChannelClosed, Message
from guardship.lab.company import ATTACKER, DNS_PORT, HTTP_PORT, TARGET, Host
from guardship.lab.doors import Names
from guardship.lab.filter import PacketFilter, Port, TrackingMode
from guardship.lab.http_door import Answer, HttpDoor
from guardship.lab.machines import GATEWAY, GATEWAY6, GO, LINK, READY, alone, set_kernel, start_machine
from guardship.lab.netlink import Routes, Tables
from guardship.lab.process import CLONE_NEWNET, NamespacesRefused, unshare
from guardship.lab.world import World

News = Callable[[str, Message], None]


@dataclass(frozen=True, slots=True)
class Fork:
    """A machine's process and our end of its line."""

    host: Host
    pid: int
    connection: socket.socket


def fork_machines(hosts: tuple[Host, ...]) -> tuple[Fork, ...]:
    """One process a host, each in a network namespace of its own. Before any thread runs."""
    forks: list[Fork] = []
    lab_pid = os.getpid()
    for host in hosts:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            for fork in forks:
                fork.connection.close()
            start_machine(host, theirs, lab_pid)
        theirs.close()
        forks.append(Fork(host, pid, ours))
    for fork in forks:
        if fork.connection.recv(len(READY)) != READY:
            end_machines(tuple(forks))
            raise NamespacesRefused(f"the machine {fork.host.name} did not get a network namespace")
    return tuple(forks)


def end_machines(forks: tuple[Fork, ...]) -> None:
    for fork in forks:
        fork.connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(fork.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(fork.pid, 0)


class Fabric:
    """The real data plane."""

    kind = "packets"

    def __init__(self, forks: tuple[Fork, ...], mode: TrackingMode, metadata: Answer, news: News) -> None:
        self._forks = forks
        self._metadata = metadata
        self._news = news
        self._links = {fork.host.name: f"v{number}" for number, fork in enumerate(forks, start=1)}
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._channels: dict[str, Channel] = {}
        self._listening: list[asyncio.Task[None]] = []
        self._up = {fork.host.name: asyncio.Event() for fork in forks}
        unshare(CLONE_NEWNET)
        self._routes = Routes()
        self._filter = PacketFilter(Tables(), mode)

    async def start(self, world: World) -> None:
        """Wire every machine and let it live; the filter is loaded before the first packet can pass."""
        self._prepare()
        for fork in self._forks:
            self._wire(fork)
        self._load(world)
        await self._open_platform()
        for fork in self._forks:
            fork.connection.sendall(GO)
            channel = await Channel.over(fork.connection)
            self._channels[fork.host.name] = channel
            self._listening.append(asyncio.create_task(channel.listen(_no_questions, self._heard(fork.host.name))))
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in self._up.values())), 10)

    async def start_traffic(self) -> None:
        for channel in self._channels.values():
            await channel.ask({"do": "traffic"})

    async def apply(self, world: World) -> None:
        """Enforce the world as it is now. The usual case, another group on an interface, needs no await."""
        moved = [placement for placement in world.placements() if self._addresses[placement.machine] != placement.addresses]
        for placement in moved:
            before = self._addresses[placement.machine]
            self._route(placement.machine, before, placement.addresses)
            await self._channels[placement.machine].ask({"do": "addresses", "addresses": list(placement.addresses)})
        self._load(world)

    async def probe(self, machine: str, protocol: str, address: str, port: int, seconds: float) -> Message:
        question: Message = {"do": "probe", "protocol": protocol, "address": address, "port": port, "seconds": seconds}
        return await self._channels[machine].ask(question, seconds=seconds + 5)

    async def flows(self, machine: str) -> list[Message]:
        answer = await self._channels[machine].ask({"do": "flows"})
        found: list[Message] = answer["flows"]
        return found

    async def attack(self, seed: int) -> None:
        await self._channels[ATTACKER].ask({"do": "attack", "target": self._addresses[TARGET][0], "seed": seed})

    async def end_sessions(self, machine: str | None = None) -> None:
        for channel in [self._channels[machine]] if machine else self._channels.values():
            with contextlib.suppress(ChannelClosed, TimeoutError):
                await channel.ask({"do": "end_sessions"})

    async def stop(self) -> None:
        for task in self._listening:
            task.cancel()
        end_machines(self._forks)

    def _prepare(self) -> None:
        for name, value in (
            ("ipv4/ip_forward", "1"),
            ("ipv6/conf/all/forwarding", "1"),
            ("ipv6/conf/default/accept_dad", "0"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("netfilter/nf_conntrack_tcp_loose", "0"),  # a mid-stream packet must not open a flow the wrong way round
        ):
            set_kernel(name, value)
        self._routes.set_up("lo")
        for address in (METADATA_ADDRESS, PLATFORM_ADDRESS):
            self._routes.add_address(f"{address}/32", "lo")

    async def _open_platform(self) -> None:
        """The metadata service and the platform's name server, on the fabric itself."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind((METADATA_ADDRESS, HTTP_PORT))
        HttpDoor(listening, None, self._metadata).open()
        await asyncio.get_running_loop().create_datagram_endpoint(Names, local_addr=(PLATFORM_ADDRESS, DNS_PORT))

    def _wire(self, fork: Fork) -> None:
        link = self._links[fork.host.name]
        self._routes.add_veth(link, peer=LINK, peer_pid=fork.pid)
        self._routes.set_up(link)
        self._routes.add_address(f"{GATEWAY}/32", link)
        if any(":" in address for address in fork.host.addresses):
            self._routes.add_address(f"{GATEWAY6}/64", link)
        self._route(fork.host.name, (), fork.host.addresses)

    def _route(self, machine: str, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        link = self._links[machine]
        for address in set(before) - set(after):
            self._routes.delete_route(alone(address), link)
        for address in after:
            self._routes.add_route(alone(address), link)
        self._addresses[machine] = after

    def _load(self, world: World) -> None:
        ports = tuple(
            Port(self._links[placement.machine], placement.subnet_group, placement.interface_group) for placement in world.placements()
        )
        self._filter.load(world.groups(), ports, world.space())

    def _heard(self, machine: str) -> Callable[[Message], None]:
        def hear(message: Message) -> None:
            if message["news"] == "up":
                self._up[machine].set()
            else:
                self._news(machine, message)

        return hear


async def _no_questions(_: Message) -> Message:
    return {}
