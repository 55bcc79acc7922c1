"""A run that asks to isolate a protected machine: it waits as a row, over a restart, for somebody else than who started it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.flows.company import Company
from tests.running import until

PASSWORD = "a lamp at the harbour mouth"
PLAYBOOK = {
    "triggers": {"manual": {"type": "Request", "kind": "Http", "inputs": {"schema": {}}}},
    "parameters": {"$connections": {"type": "Object", "defaultValue": {}}},
    "actions": {
        "Isolate": {
            "type": "ApiConnection",
            "runAfter": {},
            "inputs": {
                "method": "post",
                "path": "/machines/@{encodeURIComponent('jump-1')}/isolate",
                "host": {"connection": {"name": "@parameters('$connections')['containment']['connectionId']"}},
                "body": {"reason": "seen"},
            },
        }
    },
}


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with Company(tmp_path) as company:
        yield company


@contextmanager
def signed_in(company: Company, name: str) -> Iterator[httpx.Client]:
    with company.server.visitor() as client:
        answer = client.post("session", json={"name": name, "password": PASSWORD})
        client.headers["X-Guard"] = str(answer.json()["guard"])
        yield client


def waiting_run(company: Company, run_id: str) -> Any:
    def look() -> Any:
        run = company.get(f"runs/{run_id}")
        return run if run["status"] == "Waiting" else None

    return until(look)


def test_who_started_it_may_not_approve_and_the_yes_of_another_lets_it_go_on(company: Company) -> None:
    for name in ("alice", "bob"):
        company.post("users", {"name": name, "role": "admin", "password": PASSWORD})
    (draft,) = company.post("playbooks", {"name": "Isolate", "document": json.dumps(PLAYBOOK)})
    company.post(f"playbooks/{draft['playbook_id']}/publish")
    with signed_in(company, "alice") as alice:
        secret = alice.post("tokens", json={"name": "deploy", "role": "admin"}).json()["secret"]
    with company.server.client(secret) as deploy:
        fired = deploy.post(f"playbooks/{draft['playbook_id']}/run", json={})
        (run_id,) = fired.json()["run_ids"]
    action = waiting_run(company, run_id)["actions"][0]
    assert (action["status"], action["code"]) == ("Waiting", "WaitsForApproval")
    assert "jump-1 is a protected machine" in action["error"]["message"]

    company.server.kill()
    company.restart()
    (approval,) = company.get("approvals", waiting=True)
    path, yes = f"approvals/{approval['approval_id']}/answer", {"is_approved": True, "reason": "seen"}
    with signed_in(company, "alice") as alice:
        assert alice.post(path, json=yes).json()["code"] == "identity.own_request"
    with signed_in(company, "bob") as bob:
        assert bob.post(path, json=yes).status_code == 200
    run = company.ended_run()
    assert (run["run_id"], run["status"]) == (run_id, "Succeeded")
    (isolation,) = company.isolations()
    assert (isolation["machine_name"], isolation["run_id"]) == ("jump-1", run_id)
