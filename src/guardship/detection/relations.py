"""What an alert says of the things it names: who signed in where, what ran, what left, and when.

    {"Type": "host-logon-session", "Host": {"$ref": "1"}, "Account": {"$ref": "3"}, "StartTimeUtc": "2026-11-24T02:58:28Z"}
    {"Type": "network-connection", "SourceAddress": {"Type": "ip", "Address": "10.1.1.10"}, "DestinationAddress": {"$ref": "4"}}
    {"Type": "process", "Host": {"$ref": "1"}, "Account": {"$ref": "3"}, "CommandLine": "pg_dump", "CreationTimeUtc": "…"}

Sessions and connections say it outright. Without them the techniques do, as long as one thing only can be meant; where an alert
leaves that open, its things are no more than seen together.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

ADDRESS, MACHINE, ACCOUNT = "ip", "host", "account"
SESSION, CONNECTION = "host-logon-session", "network-connection"
FACTS = (SESSION, CONNECTION)  # these tie others together and are no things of their own

_SIGN_IN = ("T1078", "T1021")
_GUESSING = ("T1110",)
_LEAVING = ("T1048", "T1041", "T1567", "T1020", "T1029", "T1030", "T1537")
# Names of CommonSecurityLog, of the network session schema, and of our own tables and rules.
_SOURCES = ("SourceHostName", "SrcHostname", "SourceIP", "SrcIpAddr")
_TARGETS = ("DestinationHostName", "DstHostname", "DestinationIP", "DstIpAddr")
_BYTES = ("SentBytes", "SrcBytes", "BytesSrcToDest")
_FAILURES = ("FailedSignIns", "FailedLogons")


class Relation(StrEnum):
    CONTAINS = "contains"
    NAMES = "names"
    SIGNED_IN_TO = "signed_in_to"
    CONNECTED_TO = "connected_to"
    SENT_DATA_TO = "sent_data_to"
    GUESSED_AT = "guessed_at"
    RAN = "ran"
    RAN_ON = "ran_on"
    LIES_ON = "lies_on"
    SEEN_WITH = "seen_with"
    POSSIBLY_SAME = "possibly_same"


@dataclass(frozen=True, slots=True)
class Edge:
    source_id: str
    target_id: str
    kind: Relation
    at: datetime | None = None
    is_movement: bool = False  # a way by which an attacker came to the target
    step: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)  # count, bytes, port, account


@dataclass(frozen=True, slots=True)
class Thing:
    """An entity with the node that stands for it; what it points to is resolved."""

    node_id: str
    type: str
    entity: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Activity:
    """An alert as far as it tells of things; `thing_at` finds what an entity points to."""

    things: Sequence[Thing]
    facts: Sequence[Mapping[str, Any]]  # its sessions and connections
    thing_at: Callable[[Any], Thing | None]  # of a nested entity or a reference
    tactics: Sequence[str]
    techniques: Sequence[str]
    started_at: datetime
    ended_at: datetime
    properties: Mapping[str, Any]

    def of(self, kind: str) -> list[Thing]:
        return list({thing.node_id: thing for thing in self.things if thing.type == kind}.values())

    def has_technique(self, prefixes: Iterable[str]) -> bool:
        return any(technique.startswith(tuple(prefixes)) for technique in self.techniques)

    @property
    def is_access(self) -> bool:
        return self.has_technique(_SIGN_IN) or bool({"InitialAccess", "LateralMovement"} & set(self.tactics))

    @property
    def is_leaving(self) -> bool:
        return self.has_technique(_LEAVING) or "Exfiltration" in self.tactics

    @property
    def got_in_at(self) -> datetime:
        """Guessing goes before what it wins; anything else begins with it."""
        return self.ended_at if self.has_technique(_GUESSING) else self.started_at


def relations_of(alert: Activity) -> list[Edge]:
    edges = [*_sessions(alert), *_connections(alert)]
    edges += [*_by_properties(alert), *_guesses(alert), *_by_technique(alert)] if not edges else _guesses(alert)
    edges += [*_processes(alert), *_files(alert)]
    return [*edges, *_seen_together(alert, edges)]


def _sessions(alert: Activity) -> list[Edge]:
    """Who had a session on a machine, and from where, if only one place leads there."""
    edges = []
    for session in (fact for fact in alert.facts if fact.get("Type") == SESSION):
        machine, account = alert.thing_at(session.get("Host")), alert.thing_at(session.get("Account"))
        if machine is None:
            continue
        at = _moment(session.get("StartTimeUtc"))
        if account:
            edges.append(Edge(account.node_id, machine.node_id, Relation.SIGNED_IN_TO, at))
        sources = {source.node_id for source, target, _ in _ends(alert) if target.node_id == machine.node_id}
        if len(sources) == 1:
            details = {"account": account.entity.get("Name")} if account else {}
            edges.append(Edge(sources.pop(), machine.node_id, Relation.SIGNED_IN_TO, at, is_movement=True, details=details))
    return edges


def _connections(alert: Activity) -> list[Edge]:
    ends = _ends(alert)
    at = alert.started_at if len(ends) == 1 else None  # several: the alert does not say which came first
    edges = []
    for source, target, port in ends:
        if alert.is_leaving and source.type == MACHINE and target.type == ADDRESS:
            edges.append(Edge(source.node_id, target.node_id, Relation.SENT_DATA_TO, at, details=_sent(alert, port)))
        else:
            is_movement = alert.is_access and target.type == MACHINE
            edges.append(Edge(source.node_id, target.node_id, Relation.CONNECTED_TO, at, is_movement, details=port))
    return edges


def _ends(alert: Activity) -> list[tuple[Thing, Thing, dict[str, Any]]]:
    found = []
    for fact in alert.facts:
        source, target = alert.thing_at(fact.get("SourceAddress")), alert.thing_at(fact.get("DestinationAddress"))
        if fact.get("Type") == CONNECTION and source and target and source.node_id != target.node_id:
            port = fact.get("DestinationPort")
            found.append((source, target, {"port": port} if port else {}))
    return found


def _by_properties(alert: Activity) -> list[Edge]:
    """Extended properties that say which of the things was the source and which the target."""
    source, target = _property_thing(alert, _SOURCES), _property_thing(alert, _TARGETS)
    if not (alert.is_access and source and target and source.node_id != target.node_id and target.type == MACHINE):
        return []
    return [Edge(source.node_id, target.node_id, _way_in(alert), alert.got_in_at, is_movement=True)]


def _property_thing(alert: Activity, names: Iterable[str]) -> Thing | None:
    values = {str(alert.properties[name]).lower() for name in names if alert.properties.get(name)}
    found = [
        thing
        for thing in (*alert.of(MACHINE), *alert.of(ADDRESS))
        if {str(thing.entity.get(name)).lower() for name in ("HostName", "NetBiosName", "Address")} & values
    ]
    return found[0] if len(found) == 1 else None


def _guesses(alert: Activity) -> list[Edge]:
    machines, addresses = alert.of(MACHINE), alert.of(ADDRESS)
    if not alert.has_technique(_GUESSING):
        return []
    count = _number(alert.properties, _FAILURES) if len(machines) == len(addresses) == 1 else None
    details = {"count": count} if count is not None else {}
    return [
        Edge(address.node_id, machine.node_id, Relation.GUESSED_AT, alert.started_at, details=details)
        for address in addresses
        for machine in machines
    ]


def _by_technique(alert: Activity) -> list[Edge]:
    """One address and one machine: the technique says what was between them."""
    machines, addresses, accounts = alert.of(MACHINE), alert.of(ADDRESS), alert.of(ACCOUNT)
    if len(machines) != 1:
        return []
    machine, edges = machines[0].node_id, []
    if len(addresses) == 1 and alert.is_leaving:
        edges.append(Edge(machine, addresses[0].node_id, Relation.SENT_DATA_TO, alert.started_at, details=_sent(alert, {})))
    elif len(addresses) == 1 and alert.is_access:
        edges.append(Edge(addresses[0].node_id, machine, _way_in(alert), alert.got_in_at, is_movement=True))
    if len(accounts) == 1 and alert.has_technique(_SIGN_IN):
        edges.append(Edge(accounts[0].node_id, machine, Relation.SIGNED_IN_TO, alert.got_in_at))
    return edges


def _way_in(alert: Activity) -> Relation:
    return Relation.SIGNED_IN_TO if alert.has_technique(_SIGN_IN) else Relation.CONNECTED_TO


def _processes(alert: Activity) -> list[Edge]:
    edges = []
    for process in alert.of("process"):
        at = _moment(process.entity.get("CreationTimeUtc"))
        machine, account = _place_of(alert, process), alert.thing_at(process.entity.get("Account"))
        if machine:
            edges.append(Edge(process.node_id, machine.node_id, Relation.RAN_ON, at))
        if account:
            edges.append(Edge(account.node_id, process.node_id, Relation.RAN, at))
    return edges


def _files(alert: Activity) -> list[Edge]:
    places = [(file, _place_of(alert, file)) for file in alert.of("file")]
    return [Edge(file.node_id, machine.node_id, Relation.LIES_ON, alert.started_at) for file, machine in places if machine]


def _place_of(alert: Activity, thing: Thing) -> Thing | None:
    """The machine it names, else the only one of the alert."""
    machines = alert.of(MACHINE)
    return alert.thing_at(thing.entity.get("Host")) or (machines[0] if len(machines) == 1 else None)


def _seen_together(alert: Activity, edges: Sequence[Edge]) -> list[Edge]:
    """What nothing else ties to anything is seen with the machine of the alert."""
    machines = alert.of(MACHINE)
    tied = {end for edge in edges for end in (edge.source_id, edge.target_id)}
    free = {thing.node_id: thing for thing in alert.things if thing.type != MACHINE and thing.node_id not in tied}
    if len(machines) != 1:
        return []
    return [Edge(node_id, machines[0].node_id, Relation.SEEN_WITH, alert.started_at) for node_id in free]


def _sent(alert: Activity, port: Mapping[str, Any]) -> dict[str, Any]:
    count = _number(alert.properties, _BYTES)
    return {**port, "bytes": count} if count is not None else dict(port)


def _number(properties: Mapping[str, Any], names: Iterable[str]) -> int | None:
    texts = (str(properties[name]) for name in names if properties.get(name) is not None)
    return next((int(text) for text in texts if text.isdecimal()), None)


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
