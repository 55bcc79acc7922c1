"""From the first hostile packet to the alert, from the alert to the attacker's last packet, from the PUT to the last packet.

Server and lab as the command starts them. Each round plays the attack, waits for the proof, releases the machine and resets the lab; one
series of rounds answers by the runbook's process, one by the containment connector.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.flows.company import Company
from tests.running import Message, until

from benchmarks.figures import Figure, at_most, quantile
from benchmarks.webhook import publish

ROUNDS = 20
MACHINE = "web-1"
TRIGGER = {
    "When_an_alert_is_raised": {
        "type": "ApiConnectionWebhook",
        "inputs": {
            "body": {"callback_url": "@{listCallbackUrl()}"},
            "host": {"connection": {"name": "@parameters('$connections')['ascalert']['connectionId']"}},
            "path": "/Microsoft.Security/Alert/subscribe",
        },
    }
}
ISOLATE = {
    "type": "ApiConnection",
    "inputs": {
        "host": {"connection": {"name": "@parameters('$connections')['containment']['connectionId']"}},
        "method": "post",
        "path": "/machines/@{encodeURIComponent(triggerBody()?['CompromisedEntity'])}/isolate",
        "body": {"reason": "@{triggerBody()?['AlertDisplayName']}"},
    },
    "runAfter": {},
}
BY_CONNECTOR: dict[str, Any] = {
    "parameters": {"$connections": {"type": "Object", "defaultValue": {}}},
    "triggers": TRIGGER,
    "actions": {
        "Alert_Severity": {
            "type": "If",
            "expression": {"and": [{"equals": ["@triggerBody()?['Severity']", "High"]}]},
            "actions": {"Isolate": ISOLATE},
            "else": {"actions": {}},
            "runAfter": {},
        }
    },
}


@dataclass(slots=True)
class Times:
    packet_to_alert_s: list[float] = field(default_factory=list)
    alert_to_last_ms: list[float] = field(default_factory=list)
    put_to_last_ms: list[float] = field(default_factory=list)


def figures(folder: Path, *, is_quick: bool) -> list[Figure]:
    rounds = 2 if is_quick else ROUNDS
    with Company(folder / "company") as company:
        runbook = _play(company, rounds)
        playbook_id, _ = publish(company.server, "Isolate by the connector", BY_CONNECTOR)
        rule = company.get("automation-rules")[0]
        changed = {"name": rule["name"], "conditions": rule["conditions"], "order": rule["order"], "playbook_id": playbook_id}
        company.put(f"automation-rules/{rule['rule_id']}", changed)
        connector = _play(company, rounds)
    packets = runbook.packet_to_alert_s + connector.packet_to_alert_s
    puts = runbook.put_to_last_ms + connector.put_to_last_ms
    return [
        Figure("first hostile packet to alert, p50", quantile(packets, 0.5), "s"),
        at_most("first hostile packet to alert, p95", quantile(packets, 0.95), "s", 5, note=f"of {len(packets)}; the rule runs every 2 s"),
        Figure("alert to last packet, runbook, p50", quantile(runbook.alert_to_last_ms, 0.5), "ms"),
        at_most("alert to last packet, runbook, p95", quantile(runbook.alert_to_last_ms, 0.95), "ms", 1000, note=f"of {rounds}"),
        Figure("alert to last packet, connector, p50", quantile(connector.alert_to_last_ms, 0.5), "ms"),
        at_most("alert to last packet, connector, p95", quantile(connector.alert_to_last_ms, 0.95), "ms", 250, note=f"of {rounds}"),
        Figure("PUT to last packet, p50", quantile(puts, 0.5), "ms"),
        at_most("PUT to last packet, p95", quantile(puts, 0.95), "ms", 5, note=f"of {len(puts)}"),
    ]


def _play(company: Company, rounds: int) -> Times:
    times = Times()
    for _ in range(rounds):
        mark = company.lab.mark()
        known = {row["isolation_id"] for row in company.isolations()}
        company.attack()
        first = company.lab.wait_for("first_hostile_packet", seconds=10, after=mark)
        last = company.lab.wait_for("last_packet", seconds=40, after=mark)
        isolation = until(lambda: _proved(company, known), seconds=30)  # noqa: B023  # asked before the next round
        alert = company.get("alerts", limit=1)[0]
        times.packet_to_alert_s.append((_at(alert["raised_at"]) - _at(first["at"])).total_seconds())
        times.alert_to_last_ms.append((_at(last["at"]) - _at(alert["raised_at"])).total_seconds() * 1000)
        times.put_to_last_ms.append(float(last["put_to_last_packet_ms"]))
        until(lambda: company.ended_run(), seconds=30)
        company.post(f"machines/{isolation['machine_name']}/release", {"reason": "the next round"})
        company.lab.reset()
    return times


def _proved(company: Company, known: set[str]) -> Message | None:
    """The isolation of this round, once a probe has looked."""
    rows = [row for row in company.isolations() if row["isolation_id"] not in known]
    return rows[0] if rows and rows[0]["verified_at"] else None


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)
