"""The doors that strangers call: addresses that actions gave away, child playbooks, and the switch of what starts by itself."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.running import RunningServer

CONNECTIONS = {"$connections": {"type": "Object", "defaultValue": {}}}
MANUAL = {"manual": {"type": "Request", "kind": "Http", "inputs": {}}}


def published(api: httpx.Client, name: str, actions: dict[str, Any], triggers: dict[str, Any] | None = None) -> str:
    document = json.dumps({"parameters": CONNECTIONS, "triggers": triggers or MANUAL, "actions": actions})
    (draft,) = api.post("playbooks", json={"name": name, "document": document}).raise_for_status().json()
    assert draft["is_publishable"], draft["problems"]
    api.post(f"playbooks/{draft['playbook_id']}/publish").raise_for_status()
    return str(draft["playbook_id"])


def run(api: httpx.Client, playbook_id: str, body: Any = None) -> str:
    return str(api.post(f"playbooks/{playbook_id}/run", json={"body": body}).raise_for_status().json()["run_ids"][0])


def until(api: httpx.Client, run_id: str, *statuses: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        view: dict[str, Any] = api.get(f"runs/{run_id}").raise_for_status().json()
        if view["status"] in statuses:
            return view
        time.sleep(0.05)
    raise AssertionError(f"still {view['status']}: {view}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One whose playbooks may call loopback: here they call the server itself."""
    with RunningServer(tmp_path_factory.mktemp("callbacks") / "home", outbound_private="true") as server:
        yield server


@pytest.fixture
def api(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def open_server(server: RunningServer) -> Iterator[httpx.Client]:
    """A stranger: no token, no session."""
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client:
        yield client


def waiting(api: httpx.Client, server: RunningServer, name: str) -> tuple[str, str]:
    """A run that gave its own server's Request trigger an address, and that address."""
    keeper = published(api, f"{name} keeper", {"Keep": {"type": "Compose", "inputs": "@triggerBody()", "runAfter": {}}})
    address = api.get(f"playbooks/{keeper}").json()["callback_urls"]["manual"]
    hook = {
        "Ask": {
            "type": "HttpWebhook",
            "inputs": {"subscribe": {"method": "POST", "uri": address, "body": {"address": "@{listCallbackUrl()}"}}},
            "runAfter": {},
        },
        "Answer": {"type": "Compose", "inputs": "@body('Ask')", "runAfter": {"Ask": ["Succeeded"]}},
    }
    run_id = run(api, published(api, name, hook))
    until(api, run_id, "Waiting")
    kept = api.get("runs", params={"playbook_id": keeper}).json()
    payload = api.get(f"runs/{kept[0]['run_id']}/payload", params={"key": "Keep", "part": "outputs"}).json()
    return run_id, str(payload["address"]).rpartition("/callbacks/")[2]


def test_a_stranger_with_the_address_answers_and_the_second_is_told_so(
    api: httpx.Client, server: RunningServer, open_server: httpx.Client
) -> None:
    run_id, token = waiting(api, server, "Callback one")
    assert open_server.post(f"/callbacks/{token}", json={"choice": "isolate"}).json() == {"disposition": "taken"}
    until(api, run_id, "Succeeded")
    assert api.get(f"runs/{run_id}/payload", params={"key": "Answer", "part": "outputs"}).json() == {"choice": "isolate"}
    assert open_server.post(f"/callbacks/{token}", json={"choice": "wait"}).json() == {"disposition": "late"}


def test_looking_at_an_address_answers_nothing_and_its_button_does(
    api: httpx.Client, server: RunningServer, open_server: httpx.Client
) -> None:
    run_id, token = waiting(api, server, "Callback two")
    page = open_server.get(f"/callbacks/{token}", params={"choice": "<b>Approve</b>"})
    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;b&gt;Approve&lt;/b&gt;" in page.text
    assert "<b>" not in page.text
    assert api.get(f"runs/{run_id}").json()["status"] == "Waiting"
    answered = open_server.post(f"/callbacks/{token}", params={"choice": "Approve"}, headers={"Accept": "text/html"})
    assert "Your answer was taken" in answered.text
    until(api, run_id, "Succeeded")
    assert api.get(f"runs/{run_id}/payload", params={"key": "Answer", "part": "outputs"}).json() == {"SelectedOption": "Approve"}


def test_an_address_nobody_gave_away_is_not_found(open_server: httpx.Client) -> None:
    answer = open_server.post(f"/callbacks/{'x' * 43}", json={})
    assert answer.status_code == 404


def test_a_body_that_is_no_json_is_refused_and_the_wait_goes_on(
    api: httpx.Client, server: RunningServer, open_server: httpx.Client
) -> None:
    run_id, token = waiting(api, server, "Callback three")
    broken = open_server.post(f"/callbacks/{token}", content=b"{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400
    assert api.get(f"runs/{run_id}").json()["status"] == "Waiting"


def test_a_playbook_that_starts_by_itself_is_off_until_it_is_switched_on(api: httpx.Client) -> None:
    every = {"Every": {"type": "Recurrence", "recurrence": {"frequency": "Hour", "interval": 1}}}
    playbook_id = published(api, "Every hour", {"Note": {"type": "Compose", "inputs": 1, "runAfter": {}}}, every)
    (trigger,) = api.get(f"playbooks/{playbook_id}").json()["triggers"]
    assert (trigger["kind"], trigger["starts_by_itself"], trigger["is_on"], trigger["due_at"]) == ("Recurrence", True, False, None)
    on = api.post(f"playbooks/{playbook_id}/switch-on").raise_for_status().json()["triggers"][0]
    assert on["is_on"]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not api.get("runs", params={"playbook_id": playbook_id}).json():
        time.sleep(0.05)
    assert len(api.get("runs", params={"playbook_id": playbook_id}).json()) == 1
    off = api.post(f"playbooks/{playbook_id}/switch-off").raise_for_status().json()["triggers"][0]
    assert (off["is_on"], off["due_at"]) == (False, None)


def test_only_what_starts_by_itself_has_a_switch(api: httpx.Client) -> None:
    playbook_id = published(api, "By hand", {"Note": {"type": "Compose", "inputs": 1, "runAfter": {}}})
    assert api.post(f"playbooks/{playbook_id}/switch-on").status_code == 409


def test_the_path_behind_an_address_is_the_triggers_relative_path(api: httpx.Client) -> None:
    trigger = {"manual": {"type": "Request", "kind": "Http", "inputs": {"method": "GET", "relativePath": "hosts/{host}"}}}
    respond = {
        "Say": {"type": "Response", "inputs": {"statusCode": 200, "body": "@triggerOutputs()['relativePathParameters']"}, "runAfter": {}}
    }
    playbook_id = published(api, "By path", respond, trigger)
    address = api.get(f"playbooks/{playbook_id}").json()["callback_urls"]["manual"]
    place, _, query = address.partition("?")
    assert httpx.get(f"{place}/hosts/web-1?{query}", trust_env=False).json() == {"host": "web-1"}
    assert httpx.get(f"{place}/machines/web-1?{query}", trust_env=False).status_code == 404
