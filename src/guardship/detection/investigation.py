"""The graph of an incident: its alerts, and the machines, accounts and addresses they name, each once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from guardship.detection.alerts import Alert, alerts_of_incident
from guardship.detection.entities import identities, label_of
from guardship.detection.incidents import get_incident

_KINDS = {"host": "machine", "ip": "address"}


@dataclass(frozen=True, slots=True)
class Node:
    node_id: str
    kind: str  # incident, alert, machine, account, address, or the published type of the entity
    label: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Edge:
    source_id: str
    target_id: str
    kind: str  # contains, names, signed_in_to, connected_to, possibly_same


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph(session: Session, incident_id: str) -> Graph:
    incident = get_incident(session, incident_id)
    drawing = _Drawing()
    drawing.add(
        Node(
            incident.incident_id,
            "incident",
            incident.title,
            {"number": incident.number, "severity": incident.severity, "status": incident.status},
        )
    )
    for alert in alerts_of_incident(session, incident_id):
        drawing.add_alert(incident_id, alert)
    return Graph(tuple(drawing.nodes.values()), tuple(dict.fromkeys(drawing.edges + drawing.possibly_same())))


class _Drawing:
    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self._by_identity: dict[str, str] = {}  # strong and weak keys to the node that has them

    def add(self, node: Node) -> None:
        self.nodes.setdefault(node.node_id, node)

    def add_alert(self, incident_id: str, alert: Alert) -> None:
        details = {
            "number": alert.number,
            "severity": alert.severity,
            "rule": alert.rule_name,
            "raised_at": alert.raised_at,
            "status": alert.status,
        }
        self.add(Node(alert.alert_id, "alert", alert.title, details))
        self.edges.append(Edge(incident_id, alert.alert_id, "contains"))
        named = [(self._entity(entity), entity) for entity in alert.entities]
        for node_id, _ in named:
            self.edges.append(Edge(alert.alert_id, node_id, "names"))
        self._relate(named)

    def _entity(self, entity: Mapping[str, Any]) -> str:
        """The node of this entity: the one that shares a strong identifier, or is the same in every word."""
        known = identities(entity)
        strong = [identity.key for identity in known if identity.is_strong]
        for key in strong:
            if key in self._by_identity:
                return self._by_identity[key]
        plain = {name: value for name, value in entity.items() if name != "$id"}
        kind = _KINDS.get(str(entity.get("Type")), str(entity.get("Type")))
        node_id = strong[0] if strong else "|".join([kind, *(f"{name}={plain[name]}" for name in sorted(plain))])
        self.add(Node(node_id, kind, label_of(entity), plain))
        for key in strong:
            self._by_identity.setdefault(key, node_id)
        return node_id

    def _relate(self, named: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Within one alert: addresses reached the machine, accounts have a session on it."""
        machines = [node_id for node_id, entity in named if entity.get("Type") == "host"]
        for node_id, entity in named:
            kind = {"ip": "connected_to", "account": "signed_in_to"}.get(str(entity.get("Type")))
            self.edges += [Edge(node_id, machine_id, kind) for machine_id in machines if kind]

    def possibly_same(self) -> list[Edge]:
        """Nodes that share only a weak identifier: drawn as a guess, never merged."""
        first: dict[str, str] = {}
        edges: list[Edge] = []
        for node in self.nodes.values():
            if node.kind in ("incident", "alert"):
                continue
            for identity in identities(node.details):
                other = first.setdefault(identity.key, node.node_id)
                if other != node.node_id and not identity.is_strong:
                    edges.append(Edge(other, node.node_id, "possibly_same"))
        return edges
