"""The graph of an incident as it is asked for: the way an attacker took, and every isolation that is in force."""

from datetime import UTC, datetime, timedelta

import httpx
from tests.running import RunningServer

from guardship.containment import isolations
from guardship.containment.isolations import State
from guardship.detection.alerts import AlertContext, raise_alert
from guardship.detection.finding import Finding
from guardship.detection.severity import Severity
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.storage.database import Database
from guardship.storage.layout import Layout

MACHINE_ID = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/graph-1"
NOW = datetime.now(UTC)


def raised(database: Database) -> str:
    finding = Finding(
        title="Guessed and got in",
        severity=Severity.HIGH,
        entities=[{"Type": "host", "HostName": "graph-1", "AzureID": MACHINE_ID}, {"Type": "ip", "Address": "198.51.100.9"}],
        started_at=NOW - timedelta(minutes=5),
        ended_at=NOW,
        techniques=("T1110.001", "T1078"),
        fingerprint="graph",
    )
    with database.transaction() as session:
        return raise_alert(session, finding, AlertContext(WorkspaceAddress()), at=NOW).incident_id


def isolate(database: Database) -> str:
    """By hand, for no incident in particular."""
    facts = {
        "account": "nowhere",
        "machine_id": MACHINE_ID.lower(),
        "machine_name": "graph-1",
        "is_simulated": False,
        "opened_by": {"kind": "user", "name": "ada"},
        "incident_id": None,
        "run_id": None,
        "lease_ends_at": NOW + timedelta(hours=4),
    }
    with database.transaction() as session:
        row = isolations.begin(session, facts, at=NOW)
        row.state = State.ISOLATED
        return row.isolation_id


def test_the_graph_numbers_the_way_and_shows_an_isolation_of_another_hand(server: RunningServer, api: httpx.Client) -> None:
    database = Database(Layout(server.home).database)
    try:
        incident_id, isolation_id = raised(database), isolate(database)
    finally:
        database.close()
    graph = api.get(f"incidents/{incident_id}/graph").json()
    (machine,) = (node for node in graph["nodes"] if node["kind"] == "machine")
    assert [each["isolation_id"] for each in api.get(f"incidents/{incident_id}").json()["isolations"]] == [isolation_id]
    assert machine["isolation"]["isolation_id"] == isolation_id
    (step,) = (edge for edge in graph["edges"] if edge["step"])
    assert (step["kind"], step["target_id"], step["step"], step["is_movement"]) == ("signed_in_to", machine["node_id"], 1, True)
    assert datetime.fromisoformat(step["at"]) == NOW
