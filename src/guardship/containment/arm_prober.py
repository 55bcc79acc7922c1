"""The prober that asks through ARM: connectivity checks from inside the machines, and the machine's live flows.

All questions go at once, each bounded by a short wait: a packet that is dropped is only known by the silence after it. Where a cloud
cannot ask a question (Azure checks no UDP), the probe says so and the finding stays `not_verified`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from guardship.cloud.azure.connectivity import Connectivity, Flow, ProbeTargets
from guardship.cloud.provider import CloudProvider, Machine
from guardship.containment.verification import Probe, Question
from guardship.errors import GuardshipError

PROBE_SECONDS = 0.8
METADATA_ADDRESS, METADATA_PORT = "169.254.169.254", 80
SSH_PORT = 22
_OUTSIDE = ("1.1.1.1", 443)

Ask = Callable[[], Probe]


class ArmProber:
    def __init__(self, provider: CloudProvider, connectivity: Connectivity) -> None:
        self._provider = provider
        self._connectivity = connectivity

    def probe(self, machine_id: str) -> Sequence[Probe]:
        machine = self._provider.machine(machine_id)
        targets = self._connectivity.probe_targets()
        neighbour = next((each for each in self._provider.machines() if each.machine_id != machine.machine_id), None)
        asks = [*self._connections(machine, neighbour, targets), lambda: self._sessions(machine)]
        with ThreadPoolExecutor(max_workers=len(asks), thread_name_prefix="probe") as pool:
            return list(pool.map(lambda ask: ask(), asks))

    def _connections(self, machine: Machine, neighbour: Machine | None, targets: ProbeTargets | None) -> list[Ask]:
        own = str(machine.resource_id)
        tcp = (targets.tcp.address, targets.tcp.port) if targets else _OUTSIDE
        inbound = targets.inbound_from if targets else str(neighbour.resource_id) if neighbour else None
        asks = [
            self._check(Question.CONTROL, str(neighbour.resource_id) if neighbour else None, *tcp, "Tcp"),
            self._check(Question.TCP_IN, inbound, own, SSH_PORT, "Tcp"),
            self._check(Question.TCP_OUT, own, *tcp, "Tcp"),
            self._check(Question.METADATA, own, METADATA_ADDRESS, METADATA_PORT, "Tcp"),
        ]
        if targets and neighbour:
            asks.append(self._check(Question.TCP_IN, str(neighbour.resource_id), own, SSH_PORT, "Tcp"))
        for question, target, protocol in (
            (Question.UDP_OUT, targets.udp if targets else None, "Udp"),
            (Question.DNS_OUT, targets.dns if targets else None, "Dns"),
            (Question.IPV6_OUT, targets.tcp6 if targets else None, "Tcp"),
        ):
            source = own if target else None
            asks.append(self._check(question, source, target.address if target else "", target.port if target else 0, protocol))
        return asks

    def _check(self, question: Question, source: str | None, destination: str, port: int, protocol: str) -> Ask:
        name = destination.rpartition("/")[2] or destination
        told = f"{(source or '').rpartition('/')[2]} → {name}:{port}"

        def ask() -> Probe:
            if source is None:
                return Probe(question, told, None, "this cloud cannot ask that")
            try:
                found = self._connectivity.check(source, destination, port, protocol, seconds=PROBE_SECONDS)
            except GuardshipError as error:
                return Probe(question, told, None, str(error))
            suffix = " (simulated)" if found.is_simulated else ""
            return Probe(question, told, found.reachable, found.detail + suffix)

        return ask

    def _sessions(self, machine: Machine) -> Probe:
        try:
            flows = self._connectivity.live_flows(machine)
        except GuardshipError as error:
            return Probe(Question.LIVE_SESSION, machine.name, None, str(error))
        if flows is None:
            return Probe(Question.LIVE_SESSION, machine.name, None, "this cloud cannot tell which sessions live")
        live = [flow for flow in flows if flow.is_live]
        if live:
            return Probe(Question.LIVE_SESSION, _told(live[0]), True, live[0].evidence)
        return Probe(Question.LIVE_SESSION, machine.name, False, f"none of {len(flows)} sessions carries data")


def _told(flow: Flow) -> str:
    local, remote = f"{flow.local_address}:{flow.local_port}", f"{flow.remote_address}:{flow.remote_port}"
    return f"{remote} → {local}" if flow.direction == "Inbound" else f"{local} → {remote}"
