"""A playbook as people write them, from the incident's trigger to its timeline, in the real engine over real incidents."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.unit.detection.rooms import ADDRESS, Detection, detecting
from tests.unit.playbooks.engine_room import CONNECTIONS, after, engine_room, statuses

from guardship.connectors.log_search import LogSearch
from guardship.connectors.published_connector import LAB, PublishedConnector
from guardship.connectors.published_operations import shipped
from guardship.connectors.sentinel import Sentinel
from guardship.detection import incidents
from guardship.detection.alerts import Alert, payload_of_incident, raise_alert
from guardship.playbooks.firing import Firing

TRIGGER = {
    "Microsoft_Sentinel_incident": {
        "type": "ApiConnectionWebhook",
        "inputs": {
            "body": {"callback_url": "@{listCallbackUrl()}"},
            "host": {"connection": {"name": "@parameters('$connections')['azuresentinel']['connectionId']"}},
            "path": "/incident-creation",
        },
    }
}


def call(connector: str, method: str, path: str, body: Any, **more: Any) -> dict[str, Any]:
    host = {"connection": {"name": f"@parameters('$connections')['{connector}']['connectionId']"}}
    return {
        "type": "ApiConnection",
        "inputs": {"host": host, "method": method, "path": path, "body": body, **more.pop("inputs", {})},
        **more,
    }


ACTIONS = {
    "Entities_-_Get_Hosts": call("azuresentinel", "post", "/entities/host", "@triggerBody()?['object']?['properties']?['relatedEntities']"),
    "Run_query": call(
        "azuremonitorlogs",
        "post",
        "/queryData",
        "print failures = 20",
        inputs={"queries": {"timerange": "Last 24 hours", "resourcename": "soc"}},
        runAfter=after("Entities_-_Get_Hosts"),
    ),
    "For_each": {
        "type": "Foreach",
        "foreach": "@body('Entities_-_Get_Hosts')?['Hosts']",
        "actions": {
            "Add_comment": call(
                "azuresentinel",
                "post",
                "/Incidents/Comment",
                {
                    "incidentArmId": "@triggerBody()?['object']?['id']",
                    "message": "<p>@{items('For_each')?['HostName']}: @{first(body('Run_query')?['value'])?['failures']} failures</p>",
                },
            )
        },
        "runAfter": after("Run_query"),
    },
    "Update_incident": call(
        "azuresentinel",
        "put",
        "/Incidents",
        {
            "incidentArmId": "@triggerBody()?['object']?['id']",
            "status": "Closed",
            "classification": {"ClassificationAndReason": "BenignPositive - SuspiciousButExpected", "ClassificationReasonText": "a test"},
            "tagsToAdd": {"TagsToAdd": [{"Tag": "seen"}]},
        },
        runAfter=after("For_each"),
    ),
}


async def play(home: Path, detection: Detection, alert: Alert) -> dict[str, str]:
    real = (
        PublishedConnector(shipped()["azuresentinel"], {LAB: Sentinel(detection.database, ADDRESS, detection.clock).back_end()}),
        PublishedConnector(shipped()["azuremonitorlogs"], {LAB: LogSearch(detection.workspace.search).back_end()}),
    )
    with detection.database.reading() as session:
        payload = payload_of_incident(incidents.get_incident(session, alert.incident_id), [alert], ADDRESS)
    async with engine_room(home, connectors=real) as room:
        document = json.dumps({"parameters": CONNECTIONS, "triggers": TRIGGER, "actions": ACTIONS}).encode()
        (draft,) = room.library.import_definition("triage", document, by="ada")
        room.library.publish(draft.playbook_id, by="ada")
        accepted = await room.runner.accept_soon(Firing(draft.playbook_id, None, payload["triggers"]["sentinel_incident"]))
        async with asyncio.timeout(30):
            await room.runner.wait_ended(accepted.run_id)
        return statuses(room.runs.view(accepted.run_id))


def test_a_playbook_reads_searches_comments_and_closes_its_incident(tmp_path: Path) -> None:
    with detecting(tmp_path) as detection:
        with detection.database.transaction() as session:
            alert = raise_alert(session, detection.finding(), detection.context, at=detection.clock.now())
        assert set(asyncio.run(play(tmp_path / "engine", detection, alert)).values()) == {"Succeeded"}
        with detection.database.reading() as session:
            incident = incidents.get_incident(session, alert.incident_id)
            comments = [entry.text for entry in incidents.timeline(session, alert.incident_id) if entry.kind == "comment"]
        assert comments == ["<p>web-1: 20 failures</p>"]
        assert (incident.status, incident.classification, incident.tags) == ("Closed", "BenignPositive", ["seen"])
