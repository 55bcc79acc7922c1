"""Request triggers: a signed address, 202 after the commit, and the service's own shape of errors."""

import json
import uuid

import httpx
from tests.running import RunningServer, until


def published(api: httpx.Client, actions: dict[str, object]) -> dict[str, object]:
    trigger = {"manual": {"type": "Request", "kind": "Http", "inputs": {"schema": {}}}}
    document = json.dumps({"definition": {"triggers": trigger, "actions": actions}})
    draft = api.post("playbooks", json={"name": f"p-{uuid.uuid4().hex[:8]}", "document": document}).json()[0]
    assert draft["is_publishable"], draft
    found: dict[str, object] = api.post(f"playbooks/{draft['playbook_id']}/publish").json()
    return found


def url_of(playbook: dict[str, object]) -> str:
    return str(playbook["callback_urls"]["manual"])  # type: ignore[index]  # plain JSON


def test_a_signed_call_is_accepted_and_its_run_is_kept(server: RunningServer, api: httpx.Client) -> None:
    playbook = published(api, {"Keep": {"type": "Compose", "inputs": "@triggerBody()?['severity']", "runAfter": {}}})
    answer = httpx.post(url_of(playbook), json={"severity": "High"}, trust_env=False)
    assert answer.status_code == 202
    run_id = answer.headers["x-ms-workflow-run-id"]
    run = until(lambda: (found := api.get(f"runs/{run_id}").json())["ended_at"] and found)
    assert run["status"] == "Succeeded"
    assert api.get(f"runs/{run_id}/payload", params={"key": "Keep"}).json() == "High"


def test_a_response_action_answers_the_caller(api: httpx.Client) -> None:
    response = {"type": "Response", "kind": "Http", "inputs": {"statusCode": 418, "body": {"said": "@triggerBody()"}}, "runAfter": {}}
    answer = httpx.post(url_of(published(api, {"Answer": response})), json={"a": 1}, trust_env=False)
    assert (answer.status_code, answer.json()) == (418, {"said": {"a": 1}})


def test_a_wrong_signature_is_refused_in_the_services_own_shape(api: httpx.Client) -> None:
    url = url_of(published(api, {"Keep": {"type": "Compose", "inputs": 1, "runAfter": {}}}))
    answer = httpx.post(url[:-4] + "0000", json={}, trust_env=False)
    assert answer.status_code == 403
    assert set(answer.json()["error"]) == {"code", "message"}
    assert httpx.post(url, content=b"{", headers={"Content-Type": "application/json"}, trust_env=False).status_code == 400


def test_publishing_starts_nothing_from_alerts(api: httpx.Client) -> None:
    playbook = published(api, {"Keep": {"type": "Compose", "inputs": 1, "runAfter": {}}})
    assert not [rule for rule in api.get("automation-rules").json() if rule["playbook_id"] == playbook["playbook_id"]]


def test_an_answer_of_a_playbook_can_do_nothing_on_the_consoles_origin(api: httpx.Client) -> None:
    headers = {
        "Content-Type": "text/html",
        "Content-Security-Policy": "script-src 'unsafe-inline'",
        "Set-Cookie": "guardship=mine",
        "X-Content-Type-Options": "off",
        "Clear-Site-Data": '"*"',
        "X-Own": "@triggerBody()",
    }
    response = {"type": "Response", "kind": "Http", "inputs": {"statusCode": 200, "headers": headers, "body": "<script>"}, "runAfter": {}}
    url = url_of(published(api, {"Answer": response}))
    answer = httpx.post(url, json="a\r\nSet-Cookie: b=\u2019", trust_env=False)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "clear-site-data" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-own"] == "a Set-Cookie: b=?"


def test_readers_are_given_no_signed_address(server: RunningServer, api: httpx.Client) -> None:
    playbook_id = published(api, {"Keep": {"type": "Compose", "inputs": 1, "runAfter": {}}})["playbook_id"]
    shown = {}
    for role in ("reader", "responder"):
        secret = api.post("tokens", json={"name": role, "role": role}).json()["secret"]
        with server.client(secret) as client:
            shown[role] = list(client.get(f"playbooks/{playbook_id}").json()["callback_urls"])
    assert shown == {"reader": [], "responder": ["manual"]}
