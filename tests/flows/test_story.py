"""The main job from attack to proof, and the ways in which it must not go through."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.flows.company import RULE, Company
from tests.running import until

from guardship.cloud.azure.connectivity import Connectivity

IS_PROOF = os.environ.get("GUARDSHIP_PROVE") == "1"


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with Company(tmp_path) as company:
        yield company


def statuses(actions: list[dict[str, object]]) -> dict[str, str]:
    found = {}
    for action in actions:
        found[str(action["name"])] = str(action["status"])
        for branch in action.get("branches") or ():  # type: ignore[attr-defined]
            found |= statuses(branch["actions"])
    return found


def test_the_attack_ends_in_a_proved_isolation_and_a_release_puts_everything_back(company: Company) -> None:
    company.attack()
    isolation = company.verified_isolation()
    assert (isolation["machine_name"], isolation["state"]) == ("web-1", "isolated")
    findings = {name: isolation[name] for name in ("new_connections_blocked", "live_sessions_cut", "metadata_service_blocked")}
    assert set(findings.values()) == {"verified"}
    run = company.ended_run()
    assert run["status"] == "Succeeded"
    assert isolation["run_id"] == run["run_id"]
    company.lab.wait_for("mail")
    last = company.lab.wait_for("last_packet")
    assert last["put_to_last_packet_ms"] < 100

    alert = company.get("alerts")[0]
    assert (alert["severity"], alert["compromised_entity"]) == ("High", "web-1")
    kinds = {entity["Type"] for entity in company.get(f"alerts/{alert['alert_id']}")["entities"]}
    assert {"host", "account", "ip"} <= kinds
    incident = company.get(f"incidents/{alert['incident_id']}")
    assert {"alert", "run", "containment"} <= {entry["kind"] for entry in incident["timeline"]}
    graph = company.get(f"incidents/{alert['incident_id']}/graph")
    kind_of = {node["node_id"]: node["kind"] for node in graph["nodes"]}
    assert {"incident", "alert", "machine", "account", "address"} <= set(kind_of.values())
    way = [(edge["step"], kind_of[edge["source_id"]], edge["kind"], kind_of[edge["target_id"]]) for edge in graph["edges"] if edge["step"]]
    assert way == [(1, "address", "signed_in_to", "machine")]

    company.post("machines/web-1/release", {"reason": "the demo is over"})
    assert company.get(f"isolations/{isolation['isolation_id']}")["state"] == "released"
    targets = company.lab.ready["probe_targets"]
    check = Connectivity(company.lab.client()).check(company.lab.machine("web-1"), targets["tcp"]["address"], targets["tcp"]["port"], "Tcp")
    assert check.reachable
    assert company.get("audit/verification")["is_whole"]


def test_where_open_sessions_outlive_the_change_the_finding_says_so(tmp_path: Path) -> None:
    with Company(tmp_path, mode="azure") as company:
        company.attack()
        isolation = company.verified_isolation()
        assert (isolation["new_connections_blocked"], isolation["live_sessions_cut"]) == ("verified", "failed")
        probes = company.get(f"isolations/{isolation['isolation_id']}")["probes"]
        assert any(probe["finding"] == "live_sessions_cut" and probe["result"] == "open" for probe in probes)
        restarted = company.post(f"isolations/{isolation['isolation_id']}/end-sessions", {"reason": "the session has to end"})
        assert restarted["live_sessions_cut"] == "verified", "a restart ends what the group left open"


def test_a_rule_that_is_off_raises_nothing_and_nothing_is_isolated(company: Company) -> None:
    company.put(f"analytics-rules/{RULE}/switch", {"is_enabled": False})
    company.attack()
    company.lab.wait_for("session_opened")
    time.sleep(5)
    assert company.get("alerts") == []
    assert company.isolations() == []


def test_an_automation_rule_that_is_off_starts_nothing(company: Company) -> None:
    rule = company.get("automation-rules")[0]
    company.put(f"automation-rules/{rule['rule_id']}/switch", {"is_enabled": False})
    company.attack()
    until(lambda: company.get("alerts"))
    time.sleep(1)
    assert company.get("runs") == []
    assert company.post("automation-rules/backtest", rule["conditions"])["alert_ids"] == [company.get("alerts")[0]["alert_id"]]


def test_at_severity_medium_the_run_ends_on_the_else_branch(company: Company) -> None:
    rule = company.get(f"analytics-rules/{RULE}")
    company.put(f"analytics-rules/{RULE}", {"definition": rule["definition"] | {"severity": "Medium"}})
    company.put(f"analytics-rules/{RULE}/switch", {"is_enabled": True, "frequency_seconds": 2})
    company.attack()
    run = company.ended_run()
    view = company.get(f"runs/{run['run_id']}")
    assert run["status"] == "Succeeded"
    assert statuses(view["actions"])["Create_job"] == "Skipped"
    assert company.isolations() == []
    assert company.get("jobs") == []
    why = json.dumps(view["actions"][0]["why"])
    assert "Medium" in why


def test_a_playbook_runs_on_a_past_alert_without_any_rule(company: Company) -> None:
    rule = company.get("automation-rules")[0]
    company.put(f"automation-rules/{rule['rule_id']}/switch", {"is_enabled": False})
    company.attack()
    alert = until(lambda: company.get("alerts"))[0]
    started = company.post(f"alerts/{alert['alert_id']}/runs", {"playbook_id": rule["playbook_id"]})
    run = company.ended_run()
    assert (run["run_id"], run["status"]) == (started["run_id"], "Succeeded")
    trigger = company.get(f"runs/{run['run_id']}/payload")
    assert trigger["body"]["SystemAlertId"] == alert["alert_id"]
    published = company.get(f"runs/{run['run_id']}/published")
    assert published["properties"]["actions"]["Create_job"]["status"] == "Succeeded"


def forge(company: Company, count: int) -> None:
    """Rows of attacks that never were, brought with the machines' own tokens; jump-1 left out, it is protected anyway."""
    machines = [name for name in company.tokens if name != "jump-1"]
    now = time.time()
    for number, machine in enumerate(machines):
        rows = []
        for index in range(count // len(machines) + 1):
            address, moment = f"198.51.{number}.{index % 250 + 1}", time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - index))
            row = {"Computer": machine, "ProcessName": "sshd", "Facility": "auth"}
            failed = f"Failed password for root from {address} port {1000 + index} ssh2"
            rows += [row | {"TimeGenerated": f"{moment}.{tick}Z", "SyslogMessage": failed} for tick in range(6)]
            accepted = f"Accepted password for root from {address} port {1000 + index} ssh2"
            rows.append(row | {"TimeGenerated": f"{moment}.9Z", "SyslogMessage": accepted})
        with company.server.client(company.tokens[machine]) as source:
            answer = source.post("ingest/Syslog", json=rows)
        assert answer.json()["accepted"] == len(rows), answer.text


def every_run(company: Company) -> list[dict[str, object]]:
    """Page by page."""
    runs: list[dict[str, object]] = []
    while page := company.get("runs", limit=500, **({"before": runs[-1]["number"]} if runs else {})):
        runs += page
    return runs


def test_a_flood_of_forged_alerts_isolates_no_more_than_the_cap(company: Company) -> None:
    count = 1_000 if IS_PROOF else 60
    print(f"{count} forged alerts; 1000 with GUARDSHIP_PROVE=1")
    forge(company, count)
    until(lambda: len(company.get("alerts", limit=2000)) >= count, seconds=20 + count / 10, every=0.5)
    until(lambda: len(every_run(company)) >= count and all(run["ended_at"] for run in every_run(company)), seconds=90 + count / 2, every=1)
    assert {row["machine_name"] for row in company.isolations() if row["state"] != "failed"} == {company.isolations()[0]["machine_name"]}
    waiting = company.get("approvals", waiting=True)
    assert len(waiting) == 2, "one for each machine above the cap, not one for each alert"


def test_an_approved_write_is_carried_out_when_its_job_has_long_ended(company: Company) -> None:
    company.post("jobs", {"runbook": "IsolateVM", "parameters": {"VMName": "jump-1"}, "name": "cut jump-1"})
    job = until(lambda: (found := company.get("jobs/cut jump-1"))["ended_at"] and found)
    assert job["status"] == "Failed"
    approval = company.get("approvals", waiting=True)[0]
    assert approval["approval_id"] in job["exception"] or "approve" in job["exception"]
    with closing(company.server.person()) as person:
        answer = person.post(f"approvals/{approval['approval_id']}/answer", json={"is_approved": True, "reason": "seen"})
    assert answer.status_code == 200, answer.text
    assert company.verified_isolation()["machine_name"] == "jump-1"


@pytest.mark.parametrize(
    ("change", "words"),
    [("connection", "Connection AzureRunAsConnection not found"), ("machine", "web-1x"), ("group", "IsolatedNetwork-NSG")],
)
def test_what_the_runbook_needs_and_is_not_there_is_named_on_the_job(company: Company, change: str, words: str) -> None:
    machine = "web-1"
    if change == "connection":
        assert company.api.delete("assets/connection/AzureRunAsConnection").status_code == 204
    elif change == "machine":
        machine = "web-1x"
    else:
        arm = company.lab.client()
        from guardship.cloud.arm import Actor, ActorKind

        arm.call("DELETE", str(company.lab.ready["isolated_group"]), actor=Actor(ActorKind.USER, "tester"))
    company.post("jobs", {"runbook": "IsolateVM", "parameters": {"VMName": machine}, "name": change})
    job = until(lambda: (found := company.get(f"jobs/{change}"))["ended_at"] and found)
    assert job["status"] == "Failed"
    texts = [line["text"] for line in company.get(f"jobs/{change}/streams")]
    assert words in " ".join([str(job["exception"]), *texts])
    assert company.isolations() == []


def test_arm_that_is_away_for_a_while_is_waited_for(company: Company) -> None:
    seconds = 30 if IS_PROOF else 3
    print(f"ARM is away for {seconds} s; for 30 s with GUARDSHIP_PROVE=1")
    company.lab.order(do="down", seconds=seconds)
    company.lab.wait_for("arm_down")
    company.post("jobs", {"runbook": "IsolateVM", "parameters": {"VMName": "web-1"}, "name": "patient"})
    job = until(lambda: (found := company.get("jobs/patient"))["ended_at"] and found, seconds=60 + seconds)
    assert job["status"] == "Completed", job["exception"]
    assert company.verified_isolation()["new_connections_blocked"] == "verified"
