"""Prove that an isolation holds, by probes whose evidence is kept: nothing is green because it was asked for.

A `Prober`, given by `server.py`, sends real packets from inside the machines. Two controls must pass first: a connection between two
other machines, so that a prober that cannot send anything does not look like a machine that cannot. Findings:
`new_connections_blocked` (TCP in and out, UDP out, DNS out, IPv6), `live_sessions_cut`, `metadata_service_blocked`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from guardship.clock import Clock
from guardship.containment import isolations
from guardship.containment.isolations import Finding, ProbeRow, State
from guardship.errors import GuardshipError
from guardship.identity import audit
from guardship.ids import new_id
from guardship.storage import outbox
from guardship.storage.database import Database
from guardship.telemetry import get_log

VERIFIED = "IsolationVerified"
_IN_FORCE = (State.ISOLATED, State.DRIFTED)

log = get_log("verification")


class Question(StrEnum):
    """What a probe asks; each belongs to one finding, the control to none."""

    CONTROL = "control"
    TCP_IN = "tcp_in"
    TCP_OUT = "tcp_out"
    UDP_OUT = "udp_out"
    DNS_OUT = "dns_out"
    IPV6_OUT = "ipv6_out"
    METADATA = "metadata"
    LIVE_SESSION = "live_session"


CONNECTION_QUESTIONS = (Question.TCP_IN, Question.TCP_OUT, Question.UDP_OUT, Question.DNS_OUT, Question.IPV6_OUT)


@dataclass(frozen=True, slots=True)
class Probe:
    """One question answered by packets: `is_open` is None when the probe could not be made."""

    question: Question
    target: str
    is_open: bool | None
    detail: str
    is_simulated: bool = False  # no packet was sent: proves nothing


class Prober(Protocol):
    def probe(self, machine_id: str, *, avoid: frozenset[str]) -> Sequence[Probe]:
        """All questions for this machine. What the cloud cannot ask is answered with `is_open` None and the reason as detail.
        `avoid` are ids of isolated machines, which make bad neighbours to ask from."""
        ...


@dataclass(frozen=True, slots=True)
class Findings:
    new_connections_blocked: Finding
    live_sessions_cut: Finding
    metadata_service_blocked: Finding

    @property
    def is_contained(self) -> bool:
        return self.new_connections_blocked is Finding.VERIFIED and self.live_sessions_cut is Finding.VERIFIED


class Verification:
    def __init__(self, database: Database, clock: Clock, prober: Prober) -> None:
        self._database = database
        self._clock = clock
        self._prober = prober

    def on_isolation_opened(self, event: outbox.Event) -> None:
        self.verify(event.payload["isolation_id"])

    def verify(self, isolation_id: str) -> Findings | None:
        """Probe and write down; None when the isolation is not in force any more."""
        with self._database.reading() as session:
            isolation = isolations.get(session, isolation_id)
            isolated = frozenset(isolations.open_machines(session))
        if isolation.state not in _IN_FORCE:
            return None
        try:
            probes = list(self._prober.probe(isolation.machine_id, avoid=isolated))
        except GuardshipError as error:
            log.warning("verification.failed", isolation_id=isolation_id, reason=str(error))
            probes = [Probe(Question.CONTROL, isolation.machine_name, None, str(error))]
        findings = findings_of(probes)
        return findings if self._write_down(isolation_id, probes, findings, self._clock.now()) else None

    def _write_down(self, isolation_id: str, probes: list[Probe], findings: Findings, now: datetime) -> bool:
        """Whether it was still in force: what was seen of a machine that was released meanwhile says nothing about its isolation."""
        with self._database.transaction() as session:
            isolation = isolations.get(session, isolation_id)
            if isolation.state not in _IN_FORCE:
                return False
            is_first = isolation.verified_at is None
            known = _known(isolation)
            isolation.new_connections_blocked = findings.new_connections_blocked
            isolation.live_sessions_cut = findings.live_sessions_cut
            isolation.metadata_service_blocked = findings.metadata_service_blocked
            isolation.verified_at = now
            if isolation.contained_at is None and findings.is_contained and isolation.state == State.ISOLATED:
                isolation.contained_at = now
            session.add_all(_row(isolation_id, probe, now) for probe in probes)
            if not is_first and known == findings:
                return True
            detail = {"isolation_id": isolation_id, **{name: getattr(findings, name) for name in Findings.__dataclass_fields__}}
            audit.record(
                session, who="system verification", act="containment.verified", subject=isolation.machine_id, at=now, detail=detail
            )
            event = detail | {"machine_name": isolation.machine_name, "incident_id": isolation.incident_id, "run_id": isolation.run_id}
            outbox.publish(session, f"isolation:{isolation_id}", VERIFIED, event | {"at": now.isoformat()}, at=now)
            return True


def findings_of(probes: Sequence[Probe]) -> Findings:
    """A finding is verified when every probe of it was made with packets and none got through; failed when one got through."""
    if any(probe.is_simulated for probe in probes):
        return Findings(Finding.NOT_VERIFIED, Finding.NOT_VERIFIED, Finding.NOT_VERIFIED)
    has_control = any(probe.question is Question.CONTROL and probe.is_open for probe in probes)
    return Findings(
        _finding(
            [probe for probe in probes if probe.question in CONNECTION_QUESTIONS], needed=set(CONNECTION_QUESTIONS), has_control=has_control
        ),
        _finding([probe for probe in probes if probe.question is Question.LIVE_SESSION], needed={Question.LIVE_SESSION}, has_control=True),
        _finding([probe for probe in probes if probe.question is Question.METADATA], needed={Question.METADATA}, has_control=has_control),
    )


def _finding(probes: Sequence[Probe], *, needed: set[Question], has_control: bool) -> Finding:
    if any(probe.is_open for probe in probes):
        return Finding.FAILED
    answered = {probe.question for probe in probes if probe.is_open is False}
    unanswered = any(probe.is_open is None for probe in probes)
    return Finding.VERIFIED if has_control and not unanswered and needed <= answered else Finding.NOT_VERIFIED


def _known(isolation: isolations.Isolation) -> Findings:
    return Findings(
        Finding(isolation.new_connections_blocked), Finding(isolation.live_sessions_cut), Finding(isolation.metadata_service_blocked)
    )


def _row(isolation_id: str, probe: Probe, now: datetime) -> ProbeRow:
    result = "not made" if probe.is_open is None else "open" if probe.is_open else "shut"
    finding = "control"
    if probe.question in CONNECTION_QUESTIONS:
        finding = "new_connections_blocked"
    elif probe.question is Question.LIVE_SESSION:
        finding = "live_sessions_cut"
    elif probe.question is Question.METADATA:
        finding = "metadata_service_blocked"
    return ProbeRow(
        probe_id=new_id("prob"),
        isolation_id=isolation_id,
        finding=finding,
        name=probe.question,
        target=probe.target[:200],
        result=result,
        detail=probe.detail,
        at=now,
    )
