"""The graph of an incident: its alerts, the things they name, each once, what was between them, and the way an attacker took."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from guardship.detection.alerts import Alert, alerts_of_incident
from guardship.detection.entities import identities, label_of
from guardship.detection.incidents import get_incident
from guardship.detection.path import Movement, steps_of
from guardship.detection.relations import ADDRESS, FACTS, MACHINE, Activity, Edge, Relation, Thing, relations_of

_KINDS = {"host": "machine", "ip": "address"}
# A looser word for what a stronger one says of the same two things.
_LOOSER = {
    Relation.CONNECTED_TO: (Relation.SIGNED_IN_TO, Relation.SENT_DATA_TO),
    Relation.SEEN_WITH: (
        Relation.SIGNED_IN_TO,
        Relation.CONNECTED_TO,
        Relation.SENT_DATA_TO,
        Relation.GUESSED_AT,
        Relation.RAN,
        Relation.RAN_ON,
        Relation.LIES_ON,
    ),
}


@dataclass(frozen=True, slots=True)
class Node:
    node_id: str
    kind: str  # incident, alert, machine, account, address, process, file, or the published type of the entity
    label: str
    details: Mapping[str, Any]
    first_at: datetime | None = None  # when the earliest activity begins that names it


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph(session: Session, incident_id: str) -> Graph:
    incident = get_incident(session, incident_id)
    facts = {"number": incident.number, "severity": incident.severity, "status": incident.status}
    alerts = alerts_of_incident(session, incident_id)
    drawing = _Drawing(alerts)
    drawing.add(Node(incident_id, "incident", incident.title, facts))
    for alert in alerts:
        drawing.add_alert(incident_id, alert)
    edges = _numbered(_plain([*drawing.edges, *drawing.possibly_same()]))
    return Graph(tuple(drawing.nodes.values()), tuple(edges))


class _Drawing:
    def __init__(self, alerts: Iterable[Alert]) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self._by_identity: dict[str, str] = {}  # strong and weak keys to the node that has them
        self._hosts_at: dict[str, list[Mapping[str, Any]]] = {}  # machines by the addresses they say they have
        for alert in alerts:
            for host in (entity for entity in alert.entities if entity.get("Type") == MACHINE):
                for address in {host.get("LastIpAddress"), *(host.get("IpInterfaces") or ())} - {None}:
                    self._hosts_at.setdefault(str(address), []).append(host)

    def add(self, node: Node) -> None:
        """What another alert says more of a thing is kept; what was said first stays."""
        known = self.nodes.get(node.node_id)
        if known is None:
            self.nodes[node.node_id] = node
            return
        moments = [moment for moment in (known.first_at, node.first_at) if moment]
        self.nodes[node.node_id] = replace(known, details={**node.details, **known.details}, first_at=min(moments, default=None))

    def add_alert(self, incident_id: str, alert: Alert) -> None:
        details = {
            "number": alert.number,
            "severity": alert.severity,
            "rule": alert.rule_name,
            "raised_at": alert.raised_at,
            "status": alert.status,
            "description": alert.description,
            "alert_id": alert.alert_id,
        }
        self.add(Node(alert.alert_id, "alert", alert.title, details, alert.started_at))
        self.edges.append(Edge(incident_id, alert.alert_id, Relation.CONTAINS, alert.raised_at))
        entities = _AlertEntities(alert, self)
        things = [entities.thing(entity) for entity in alert.entities if entity.get("Type") not in FACTS]
        self.edges += [Edge(alert.alert_id, thing.node_id, Relation.NAMES, alert.started_at) for thing in things]
        self.edges += relations_of(
            Activity(
                things=things,
                facts=[entity for entity in alert.entities if entity.get("Type") in FACTS],
                thing_at=entities.thing_at,
                tactics=alert.tactics,
                techniques=alert.techniques,
                started_at=alert.started_at,
                ended_at=alert.ended_at,
                properties=alert.details,
            )
        )

    def node_of(self, entity: Mapping[str, Any], place: str, at: datetime) -> str:
        """The node of this entity: the one that shares a strong identifier, or is the same in every word."""
        strong = [identity.key for identity in identities(entity) if identity.is_strong]
        if place:  # `/etc/passwd` is another file on another machine
            strong = [f"{key}|on={place}" for key in strong]
        node_id = next((self._by_identity[key] for key in strong if key in self._by_identity), None)
        plain = {name: value for name, value in entity.items() if name != "$id"}
        kind = _KINDS.get(str(entity.get("Type")), str(entity.get("Type")))
        if node_id is None:
            words = [f"{name}={value}" for name, value in sorted(plain.items()) if not isinstance(value, Mapping | list)]
            node_id = strong[0] if strong else "|".join([kind, *words, *([f"on={place}"] if place else [])])
        self.add(Node(node_id, kind, _label_of(entity), plain, at))
        for key in strong:
            self._by_identity.setdefault(key, node_id)
        return node_id

    def host_at(self, address: Any) -> Mapping[str, Any] | None:
        """The machine that has this address, if one only says so."""
        hosts = self._hosts_at.get(str(address), [])
        names = {_label_of(host).lower() for host in hosts}
        return hosts[0] if len(names) == 1 else None

    def possibly_same(self) -> list[Edge]:
        """Nodes that share only a weak identifier: drawn as a guess, never merged."""
        first: dict[str, str] = {}
        edges: list[Edge] = []
        for node in self.nodes.values():
            if node.kind in ("incident", "alert", "process"):  # every machine has a process 1
                continue
            for identity in identities(node.details):
                other = first.setdefault(identity.key, node.node_id)
                if other != node.node_id and not identity.is_strong:
                    edges.append(Edge(other, node.node_id, Relation.POSSIBLY_SAME))
        return edges


class _AlertEntities:
    """The entities of one alert: what stands inside another, or is referred to by its number, is found too."""

    def __init__(self, alert: Alert, drawing: _Drawing) -> None:
        self._drawing = drawing
        self._at = alert.started_at
        self._named = [entity for entity in alert.entities if entity.get("Type") not in FACTS]
        self._by_number = {str(entity["$id"]): entity for each in alert.entities for entity in _inside(each) if "$id" in entity}

    def thing_at(self, value: Any) -> Thing | None:
        if not isinstance(value, Mapping):
            return None
        found = self._by_number.get(str(value["$ref"])) if "$ref" in value else value
        return self.thing(found) if found and found.get("Type") else None

    def thing(self, entity: Mapping[str, Any]) -> Thing:
        meant = self._meant(entity)
        host = self._place_of(meant) if meant.get("Type") in ("process", "file") else None
        node_id = self._drawing.node_of(meant, host.node_id if host else "", self._at)
        return Thing(node_id, str(meant.get("Type")), meant)

    def _place_of(self, entity: Mapping[str, Any]) -> Thing | None:
        """The machine it names, else the only one of the alert."""
        hosts = [each for each in self._named if each.get("Type") == MACHINE]
        return self.thing_at(entity.get("Host") or (hosts[0] if len(hosts) == 1 else None))

    def _meant(self, entity: Mapping[str, Any]) -> Mapping[str, Any]:
        """An address of a machine is the machine; a name inside an entity is the one thing of that name the alert lists."""
        if entity.get("Type") == ADDRESS:
            return self._drawing.host_at(entity.get("Address")) or entity
        known = identities(entity)
        keys = {identity.key for identity in known if identity.is_strong} or {identity.key for identity in known}
        same = [each for each in self._named if keys & {identity.key for identity in identities(each)}]
        return same[0] if len(same) == 1 else entity


def _inside(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for each in value.values():
            yield from _inside(each)


def _label_of(entity: Mapping[str, Any]) -> str:
    """A process is called by what it ran."""
    if entity.get("Type") == "process":
        image = entity.get("ImageFile")
        return str(entity.get("CommandLine") or (image.get("Name") if isinstance(image, Mapping) else "") or label_of(entity))
    return label_of(entity)


def _plain(edges: Iterable[Edge]) -> list[Edge]:
    """Each relation once, at its earliest; none where a stronger one is known."""
    found: dict[tuple[str, str, Relation], Edge] = {}
    for edge in edges:
        known = found.get((edge.source_id, edge.target_id, edge.kind), edge)
        moments = [moment for moment in (known.at, edge.at) if moment]
        found[(edge.source_id, edge.target_id, edge.kind)] = replace(
            known,
            at=min(moments, default=None),
            is_movement=known.is_movement or edge.is_movement,
            details={**edge.details, **known.details},
        )
    return [edge for edge in found.values() if not any(key in found for key in _stronger(edge))]


def _stronger(edge: Edge) -> Iterator[tuple[str, str, Relation]]:
    for kind in _LOOSER.get(edge.kind, ()):
        yield edge.source_id, edge.target_id, kind
        if edge.kind is Relation.SEEN_WITH:
            yield edge.target_id, edge.source_id, kind


def _numbered(edges: Iterable[Edge]) -> list[Edge]:
    edges = list(edges)
    movements = [Movement(edge.source_id, edge.target_id, edge.at) for edge in edges if edge.is_movement]
    steps = steps_of(movements)
    return [
        replace(edge, step=steps.get(Movement(edge.source_id, edge.target_id, edge.at))) if edge.is_movement else edge for edge in edges
    ]
