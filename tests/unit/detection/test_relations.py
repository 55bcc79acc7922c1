"""What the graph draws between the things of an alert: what the alert says, and no more."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.detection.rooms import START, Detection

from guardship.clock import azure_time
from guardship.detection.alerts import raise_alert
from guardship.detection.investigation import Graph, graph
from guardship.detection.relations import Edge

WEB: dict[str, Any] = {"Type": "host", "HostName": "web-1", "LastIpAddress": "10.0.0.4"}
INNER: dict[str, Any] = {"Type": "host", "HostName": "web-2", "IpInterfaces": ["10.0.0.5", "fd00::5"]}
ATTACKER: dict[str, Any] = {"Type": "ip", "Address": "203.0.113.66"}
ADA: dict[str, Any] = {"Type": "account", "Name": "ada"}
GUESSED = {"tactics": ("CredentialAccess",), "techniques": ("T1110.001",)}
GOT_IN = {"tactics": ("CredentialAccess", "InitialAccess"), "techniques": ("T1110.001", "T1078")}
MOVED = {"tactics": ("LateralMovement",), "techniques": ("T1021.004",)}
LEFT = {"tactics": ("Exfiltration",), "techniques": ("T1048",)}


def ip(address: str) -> dict[str, Any]:
    return {"Type": "ip", "Address": address}


def connection(source: str, target: str, port: int = 22) -> dict[str, Any]:
    return {"Type": "network-connection", "SourceAddress": ip(source), "DestinationAddress": ip(target), "DestinationPort": port}


def session(host: dict[str, Any], minute: float) -> dict[str, Any]:
    at = azure_time(START + timedelta(minutes=minute))
    return {"Type": "host-logon-session", "Host": host, "Account": ADA, "StartTimeUtc": at}


def drawn(detection: Detection, *alerts: tuple[list[dict[str, Any]], dict[str, Any]]) -> Graph:
    with detection.database.transaction() as transaction:
        for number, (entities, changes) in enumerate(alerts):
            finding = detection.finding(entities=entities, rule_id=f"rule_{number}", **changes)
            incident_id = raise_alert(transaction, finding, detection.context, at=START).incident_id
    with detection.database.reading() as reading:
        return graph(reading, incident_id)


def said(found: Graph) -> list[str]:
    """What lies between things, apart from the alerts' own links."""
    return [sentence(found, edge) for edge in found.edges if edge.kind not in ("contains", "names")]


def sentence(found: Graph, edge: Edge) -> str:
    labels = {node.node_id: node.label for node in found.nodes}
    step = "" if edge.step is None else f" {edge.step}"
    return f"{labels[edge.source_id]} {edge.kind} {labels[edge.target_id]}{step}"


@pytest.mark.parametrize(
    ("entities", "changes", "expected"),
    [
        ([WEB, ATTACKER, ADA], GOT_IN, ["203.0.113.66 guessed_at web-1", "203.0.113.66 signed_in_to web-1 1", "ada signed_in_to web-1"]),
        ([WEB, ATTACKER], GUESSED, ["203.0.113.66 guessed_at web-1"]),
        ([WEB, ATTACKER], {"tactics": ("InitialAccess",)}, ["203.0.113.66 connected_to web-1 1"]),
        (
            [WEB, ATTACKER, ip("203.0.113.7")],
            {"tactics": ("InitialAccess",)},
            ["203.0.113.66 seen_with web-1", "203.0.113.7 seen_with web-1"],
        ),
        ([WEB, INNER, ATTACKER], GOT_IN, ["203.0.113.66 guessed_at web-1", "203.0.113.66 guessed_at web-2"]),
        ([WEB, INNER, ADA], MOVED, []),
        ([WEB, INNER], MOVED | {"details": {"SourceHostName": "web-1", "DestinationHostName": "web-2"}}, ["web-1 signed_in_to web-2 1"]),
        ([WEB, INNER], MOVED | {"details": {"SourceHostName": "web-1"}}, []),
        ([WEB, INNER, connection("10.0.0.4", "fd00::5")], MOVED, ["web-1 connected_to web-2 1"]),
        ([WEB, INNER, connection("10.0.0.4", "10.0.0.5")], {}, ["web-1 connected_to web-2"]),
        ([WEB, ATTACKER], LEFT, ["web-1 sent_data_to 203.0.113.66"]),
        ([WEB, ATTACKER], {}, ["203.0.113.66 seen_with web-1"]),
        ([ATTACKER, ADA], {}, []),
    ],
    ids=[
        "guessed, then in",
        "guessed only",
        "got in somehow",
        "one of two addresses got in",
        "into one of two machines",
        "moved, nobody says from where",
        "extended properties say from where",
        "extended properties say half of it",
        "a connection says from where",
        "a connection that was no way in",
        "data left",
        "named together",
        "no machine",
    ],
)
def test_a_relation_says_no_more_than_the_alert(
    detection: Detection, entities: list[dict[str, Any]], changes: dict[str, Any], expected: list[str]
) -> None:
    assert said(drawn(detection, (entities, changes))) == expected


def test_guessing_goes_before_what_it_wins(detection: Detection) -> None:
    found = drawn(detection, ([WEB, ATTACKER], GOT_IN | {"details": {"FailedSignIns": "12"}}))
    guessed, got_in = (next(edge for edge in found.edges if edge.kind == kind) for kind in ("guessed_at", "signed_in_to"))
    assert (guessed.at, guessed.details) == (START - timedelta(minutes=1), {"count": 12})
    assert got_in.at == START


def test_sessions_and_connections_give_a_way_its_order(detection: Detection) -> None:
    third = {"Type": "host", "HostName": "web-3", "LastIpAddress": "10.0.0.6"}
    facts = [connection("10.0.0.4", "10.0.0.5"), connection("10.0.0.5", "10.0.0.6"), session(third, 9), session({"$ref": "2"}, 5)]
    entry = ([WEB, ATTACKER, session(WEB, 1), connection("203.0.113.66", "10.0.0.4")], GUESSED)
    found = drawn(detection, entry, ([WEB, INNER, third, ADA, *facts], MOVED))
    steps = [edge for edge in found.edges if edge.step is not None]
    assert [sentence(found, edge) for edge in steps] == [
        "203.0.113.66 signed_in_to web-1 1",
        "web-2 signed_in_to web-3 3",
        "web-1 signed_in_to web-2 2",
    ]
    assert {edge.details["account"] for edge in steps} == {"ada"}
    assert "host-logon-session" not in {node.kind for node in found.nodes}
    assert "10.0.0.4" not in {node.label for node in found.nodes}


def test_a_session_that_two_places_lead_to_has_no_way_of_its_own(detection: Detection) -> None:
    entities = [WEB, session(WEB, 1), connection("203.0.113.66", "10.0.0.4"), connection("203.0.113.7", "10.0.0.4")]
    found = drawn(detection, (entities, {}))
    assert [edge.step for edge in found.edges if edge.step is not None] == []
    assert said(found) == ["ada signed_in_to web-1", "203.0.113.66 connected_to web-1", "203.0.113.7 connected_to web-1"]


def test_what_was_sent_says_how_much_and_to_which_port(detection: Detection) -> None:
    entities = [WEB, ATTACKER, connection("10.0.0.4", "203.0.113.66", 443)]
    found = drawn(detection, (entities, LEFT | {"details": {"SentBytes": 2048}}))
    (sent,) = (edge for edge in found.edges if edge.kind == "sent_data_to")
    assert (sent.at, sent.details, sent.step) == (START - timedelta(minutes=1), {"port": 443, "bytes": 2048}, None)


def test_processes_and_files_are_things_of_their_own(detection: Detection) -> None:
    process = {
        "Type": "process",
        "ProcessId": "4127",
        "CommandLine": "pg_dump freight",
        "CreationTimeUtc": "2026-11-24T03:03:20.1234567Z",
        "Host": {"$ref": "1"},
        "Account": {"Type": "account", "Name": "postgres"},
    }
    file = {"Type": "file", "Name": "passwd", "Directory": "/etc"}
    found = drawn(detection, ([WEB, process, file], {}), ([WEB, file | {"Host": {"$ref": "1"}}], {}))
    assert said(found) == ["pg_dump freight ran_on web-1", "postgres ran pg_dump freight", "passwd lies_on web-1"]
    assert sorted(node.kind for node in found.nodes if node.kind not in ("alert", "incident")) == ["account", "file", "machine", "process"]
    (ran,) = (edge for edge in found.edges if edge.kind == "ran")
    assert ran.at
    assert ran.at.isoformat() == "2026-11-24T03:03:20.123456+00:00"


def test_an_address_two_machines_claim_is_neither(detection: Detection) -> None:
    other = {"Type": "host", "HostName": "web-2", "LastIpAddress": "10.0.0.4"}
    found = drawn(detection, ([WEB, other, connection("203.0.113.66", "10.0.0.4")], MOVED))
    assert said(found) == ["203.0.113.66 connected_to 10.0.0.4"]
