"""Proof by trying: new connections from inside a machine, and its live flows where the cloud can tell.

Azure answers `networkWatchers/{watcher}/connectivityCheck` for Tcp, Http, Https and Icmp. The lab answers it from inside the source
machine's namespace, takes Udp and Dns and sources outside as well, and tells flows and who answers probes (see `lab/arm.py`):

    {"connectionStatus": "Unreachable", "avgLatencyInMs": null, "detail": "nothing came back within 0.8 s", "dataPlane": "packets"}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from guardship.cloud.arm import ArmClient, ArmError, check_response
from guardship.cloud.provider import Machine
from guardship.cloud.writes import Actor, ActorKind

_VERIFICATION = Actor(ActorKind.SYSTEM, "verification")
_LAB_VERSION = "2024-05-01"


@dataclass(frozen=True, slots=True)
class Reachability:
    reachable: bool  # something came back, a refused port included: the path is open
    detail: str
    latency_ms: float | None
    is_simulated: bool = False  # no packet was sent: the lab runs without namespaces


@dataclass(frozen=True, slots=True)
class Flow:
    protocol: str
    direction: str  # Inbound or Outbound, seen from the machine
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int
    is_live: bool  # payload is getting through now
    evidence: str
    bytes_sent: int
    bytes_received: int
    is_simulated: bool = False


class Target(NamedTuple):
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class ProbeTargets:
    """Who answers in the lab; `inbound_from` is a source outside."""

    inbound_from: str
    tcp: Target
    udp: Target
    dns: Target
    tcp6: Target | None
    is_simulated: bool


class Connectivity:
    def __init__(self, arm: ArmClient) -> None:
        self._arm = arm
        self._subscription = f"/subscriptions/{arm.endpoint.subscription_id}"
        self._watchers: dict[str, str] = {}

    def check(
        self, source_id: str, destination: str, port: int, protocol: str, *, location: str = "", seconds: float | None = None
    ) -> Reachability:
        """`destination` is an address or a machine's id; protocol Tcp, Http, and in the lab Udp and Dns."""
        end: dict[str, Any] = {"port": port} | ({"resourceId": destination} if destination.startswith("/") else {"address": destination})
        body: dict[str, Any] = {"source": {"resourceId": source_id}, "destination": end, "protocol": protocol}
        if seconds is not None:
            body["probeSeconds"] = seconds
        response = self._arm.call("POST", f"{self._watcher(location)}/connectivityCheck", actor=_VERIFICATION, body=body)
        found = self._arm.wait(response)
        latency = found.get("avgLatencyInMs")
        return Reachability(
            reachable=str(found.get("connectionStatus", "")).lower() in {"reachable", "connected", "degraded"},
            detail=str(found.get("detail") or found.get("connectionStatus") or ""),
            latency_ms=None if latency is None else float(latency),
            is_simulated=found.get("dataPlane") == "simulated",
        )

    def live_flows(self, machine: Machine) -> list[Flow] | None:
        """The machine's connections with whether each is live; None when the cloud cannot tell."""
        found = self._lab(f"{machine.resource_id}/providers/Guardship.Lab/flows")
        if found is None:
            return None
        return [_flow(row, is_simulated=found.get("dataPlane") == "simulated") for row in found.get("value") or ()]

    def probe_targets(self) -> ProbeTargets | None:
        """Lab only; None elsewhere."""
        found = self._lab(f"{self._subscription}/providers/Guardship.Lab/probeTargets")
        if found is None:
            return None
        return ProbeTargets(
            inbound_from=str(found["inboundFrom"]),
            tcp=_target(found["tcp"]),
            udp=_target(found["udp"]),
            dns=_target(found["dns"]),
            tcp6=_target(found["tcp6"]) if found.get("tcp6") else None,
            is_simulated=found.get("dataPlane") == "simulated",
        )

    def end_sessions(self, machine: Machine, *, actor: Actor) -> None:
        """Restart the machine, which drops the sessions inside it: what a cloud that keeps live flows can do."""
        self._arm.wait(self._arm.call("POST", f"{machine.resource_id}/restart", actor=actor))

    def _lab(self, path: str) -> dict[str, Any] | None:
        response = self._arm.call("GET", path, actor=_VERIFICATION, api_version=_LAB_VERSION)
        if response.status in {400, 404} or not isinstance(response.body, dict):
            return None
        found: dict[str, Any] = check_response(response).body
        return found

    def _watcher(self, location: str) -> str:
        if location not in self._watchers:
            found = self._arm.list(f"{self._subscription}/providers/Microsoft.Network/networkWatchers")
            near = [body for body in found if not location or str(body.get("location", "")).lower() == location.lower()]
            if not near:
                raise ArmError("NetworkWatcherMissing", 404, f"the subscription has no network watcher in {location or 'any region'}")
            self._watchers[location] = str(near[0]["id"])
        return self._watchers[location]


def _target(body: Mapping[str, Any]) -> Target:
    return Target(str(body["address"]), int(body["port"]))


def _flow(row: Mapping[str, Any], *, is_simulated: bool) -> Flow:
    return Flow(
        protocol=str(row["protocol"]),
        direction=str(row["direction"]),
        local_address=str(row["localAddress"]),
        local_port=int(row["localPort"]),
        remote_address=str(row["remoteAddress"]),
        remote_port=int(row["remotePort"]),
        is_live=bool(row["live"]),
        evidence=str(row["evidence"]),
        bytes_sent=int(row["bytesSent"]),
        bytes_received=int(row["bytesReceived"]),
        is_simulated=is_simulated,
    )
