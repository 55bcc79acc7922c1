"""The prober that asks through ARM: connectivity checks from inside the machines, and the machine's live flows.

All questions go at once, each bounded by a short wait: a packet that is dropped is only known by the silence after it. Where a cloud
cannot ask a question (Azure checks no UDP), the probe says so and the finding stays `not_verified`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from guardship.cloud.azure.connectivity import Connectivity, Flow, ProbeTargets, Target
from guardship.cloud.provider import CloudProvider, Machine
from guardship.containment.verification import Probe, Question
from guardship.errors import GuardshipError, counted

PROBE_SECONDS = 0.8
METADATA_ADDRESS, METADATA_PORT = "169.254.169.254", 80
SSH_PORT = 22
MOST_NEIGHBOURS = 3
_OUTSIDE = Target("1.1.1.1", 443)

Ask = Callable[[], Probe]


class ArmProber:
    def __init__(self, provider: CloudProvider, connectivity: Connectivity) -> None:
        self._provider = provider
        self._connectivity = connectivity

    def probe(self, machine_id: str, *, avoid: frozenset[str]) -> Sequence[Probe]:
        machine = self._provider.machine(machine_id)
        targets = self._connectivity.probe_targets()
        others = [each for each in self._provider.machines() if each.machine_id != machine.machine_id]
        neighbours = sorted(others, key=lambda each: each.machine_id in avoid)[:MOST_NEIGHBOURS]
        asks: list[Ask] = [*self._connections(machine, targets), lambda: self._sessions(machine)]
        own = str(machine.resource_id)
        reaches = targets.tcp if targets else _OUTSIDE
        controls: list[Ask] = [self._check(Question.CONTROL, str(each.resource_id), *reaches, "Tcp") for each in neighbours]
        from_near: list[Ask] = [self._check(Question.TCP_IN, str(each.resource_id), own, SSH_PORT, "Tcp") for each in neighbours]
        if not neighbours:
            controls.append(self._check(Question.CONTROL, None, *reaches, "Tcp"))
        with ThreadPoolExecutor(max_workers=len(asks) + 2 * len(neighbours) + 1, thread_name_prefix="probe") as pool:
            waiting = [[pool.submit(ask) for ask in each] for each in (controls, from_near, asks)]
            asked, near, rest = ([future.result() for future in each] for each in waiting)
        return [*asked, *_trusted(near, asked), *rest]

    def _connections(self, machine: Machine, targets: ProbeTargets | None) -> list[Ask]:
        own = str(machine.resource_id)
        tcp = targets.tcp if targets else _OUTSIDE
        asks = [
            self._check(Question.TCP_OUT, own, *tcp, "Tcp"),
            self._check(Question.METADATA, own, METADATA_ADDRESS, METADATA_PORT, "Tcp"),
        ]
        if targets:
            asks.append(self._check(Question.TCP_IN, targets.inbound_from, own, SSH_PORT, "Tcp"))
        for question, target, protocol in (
            (Question.UDP_OUT, targets.udp if targets else None, "Udp"),
            (Question.DNS_OUT, targets.dns if targets else None, "Dns"),
            (Question.IPV6_OUT, targets.tcp6 if targets else None, "Tcp"),
        ):
            source = own if target else None
            asks.append(self._check(question, source, *(target or Target("", 0)), protocol))
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
            return Probe(question, told, found.reachable, found.detail + suffix, found.is_simulated)

        return ask

    def _sessions(self, machine: Machine) -> Probe:
        try:
            flows = self._connectivity.live_flows(machine)
        except GuardshipError as error:
            return Probe(Question.LIVE_SESSION, machine.name, None, str(error))
        if flows is None:
            return Probe(Question.LIVE_SESSION, machine.name, None, "this cloud cannot tell which sessions live")
        live = [flow for flow in flows if flow.is_live]
        is_simulated = any(flow.is_simulated for flow in flows)
        if live:
            return Probe(Question.LIVE_SESSION, _told(live[0]), True, live[0].evidence, is_simulated)
        return Probe(Question.LIVE_SESSION, machine.name, False, f"{counted(len(flows), 'session')} seen, none carries data", is_simulated)


def _trusted(from_near: list[Probe], controls: list[Probe]) -> list[Probe]:
    """What neighbours saw who can reach anything at all; the word of all when none can, for then nothing is proved anyway."""
    able = [probe for probe, control in zip(from_near, controls, strict=False) if control.is_open]
    return able or from_near


def _told(flow: Flow) -> str:
    local, remote = f"{flow.local_address}:{flow.local_port}", f"{flow.remote_address}:{flow.remote_port}"
    return f"{remote} → {local}" if flow.direction == "Inbound" else f"{local} → {remote}"
