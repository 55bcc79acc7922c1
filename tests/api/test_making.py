"""What people make and mend: drafts of playbooks, automation rules, tokens, drafts of runbooks; each refusal says what holds it."""

import json
import uuid
from typing import Any

import httpx
from tests.running import RunningServer

BROKEN = '{\n  "triggers": {},\n  "actions": {"A": }\n}'


def whole(value: str = "one") -> str:
    """A playbook that alerts start."""
    host = {"connection": {"name": "@parameters('$connections')['ascalert']['connectionId']"}}
    trigger = {"type": "ApiConnectionWebhook", "inputs": {"host": host, "path": "/Microsoft.Security/Alert/subscribe"}}
    actions = {"A": {"type": "Compose", "inputs": value, "runAfter": {}}}
    connections = {"$connections": {"defaultValue": {}, "type": "Object"}}
    return json.dumps({"definition": {"parameters": connections, "triggers": {"Alert": trigger}, "actions": actions}})


def some_name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def imported(api: httpx.Client, document: str) -> str:
    answer = api.post("playbooks", json={"name": some_name("playbook"), "document": document})
    assert answer.status_code == 201, answer.text
    return str(answer.json()[0]["playbook_id"])


def playbook(api: httpx.Client, playbook_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"playbooks/{playbook_id}").json()
    return found


def rule_on(api: httpx.Client, playbook_id: str) -> dict[str, Any]:
    answer = api.post("automation-rules", json={"name": some_name("rule"), "playbook_id": playbook_id})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def acts(api: httpx.Client, subject: str) -> list[str]:
    return [entry["act"] for entry in api.get("audit").json() if entry["subject"] == subject]


def test_a_broken_draft_is_mended_and_published(api: httpx.Client) -> None:
    playbook_id = imported(api, BROKEN)
    draft = api.put(f"playbooks/{playbook_id}/draft", json={"document": whole()}).json()
    assert (draft["is_publishable"], draft["problems"]) == (True, [])
    assert playbook(api, playbook_id)["source"] == whole()
    assert api.post(f"playbooks/{playbook_id}/publish").status_code == 200
    assert "playbook.draft_saved" in acts(api, playbook_id)


def test_a_published_version_stays_in_force_under_a_broken_draft(api: httpx.Client) -> None:
    playbook_id = imported(api, whole())
    in_force = api.post(f"playbooks/{playbook_id}/publish").json()["current_version_id"]
    draft = api.put(f"playbooks/{playbook_id}/draft", json={"document": BROKEN}).json()
    assert (draft["problems"][0]["line"], draft["problems"][0]["column"]) == (3, 20)
    now = playbook(api, playbook_id)
    assert (now["current_version_id"], now["source"], now["starts_from_alerts"]) == (in_force, BROKEN, True)


def test_a_draft_that_somebody_changed_meanwhile_is_not_written_over(api: httpx.Client) -> None:
    playbook_id = imported(api, BROKEN)
    seen_at = playbook(api, playbook_id)["changed_at"]
    first = api.put(f"playbooks/{playbook_id}/draft", json={"document": whole(), "seen_at": seen_at}).json()
    late = api.put(f"playbooks/{playbook_id}/draft", json={"document": "{}", "seen_at": seen_at})
    assert (late.status_code, late.json()["code"]) == (409, "playbooks.draft_changed")
    assert playbook(api, playbook_id)["source"] == whole()
    assert api.delete(f"playbooks/{playbook_id}", params={"seen_at": seen_at}).status_code == 409
    again = {"document": whole("two"), "seen_at": first["changed_at"]}
    assert api.put(f"playbooks/{playbook_id}/draft", json=again).status_code == 200


def test_a_draft_of_one_of_several_playbooks_keeps_its_own(api: httpx.Client) -> None:
    name = some_name("one")
    definition = json.loads(whole())["definition"]
    resources = [
        {"type": "Microsoft.Logic/workflows", "name": each, "properties": {"definition": definition}} for each in (name, some_name("two"))
    ]
    template = {"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "resources": resources}
    playbook_id = next(
        each["playbook_id"] for each in api.post("playbooks", json={"document": json.dumps(template)}).json() if each["name"] == name
    )
    assert api.put(f"playbooks/{playbook_id}/draft", json={"document": json.dumps(template)}).json()["problems"] == []
    resources[0]["name"] = some_name("other")
    found = api.put(f"playbooks/{playbook_id}/draft", json={"document": json.dumps(template)}).json()["problems"]
    assert found[0]["message"] == f"there is no playbook called {name} in this document"


def test_a_draft_is_deleted_and_the_audit_says_so(api: httpx.Client) -> None:
    playbook_id = imported(api, BROKEN)
    assert api.delete(f"playbooks/{playbook_id}").status_code == 204
    assert api.get(f"playbooks/{playbook_id}").status_code == 404
    assert "playbook.deleted" in acts(api, playbook_id)


def test_a_draft_that_a_rule_names_is_kept_until_the_rule_goes(api: httpx.Client) -> None:
    playbook_id = imported(api, BROKEN)
    rule = rule_on(api, playbook_id)
    refused = api.delete(f"playbooks/{playbook_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "playbooks.in_use")
    assert rule["name"] in refused.json()["detail"]
    assert api.delete(f"automation-rules/{rule['rule_id']}").status_code == 204
    assert api.delete(f"playbooks/{playbook_id}").status_code == 204


def test_a_playbook_that_was_published_is_never_deleted(api: httpx.Client) -> None:
    playbook_id = imported(api, whole())
    api.post(f"playbooks/{playbook_id}/publish")
    refused = api.delete(f"playbooks/{playbook_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "playbooks.in_use")
    assert "published" in refused.json()["detail"]
    assert playbook(api, playbook_id)["current_version_id"]


def test_only_admins_mend_and_delete(server: RunningServer, api: httpx.Client) -> None:
    playbook_id = imported(api, BROKEN)
    secret = api.post("tokens", json={"name": "responder", "role": "responder"}).json()["secret"]
    with server.client(secret) as responder:
        assert responder.put(f"playbooks/{playbook_id}/draft", json={"document": whole()}).status_code == 403
        assert responder.delete(f"playbooks/{playbook_id}").status_code == 403
        assert responder.get("tokens/choices").status_code == 403
    assert playbook(api, playbook_id)["source"] == BROKEN


def test_a_rule_needs_a_name_of_its_own_and_a_playbook_that_is_there(api: httpx.Client) -> None:
    playbook_id = imported(api, whole())
    first, second = rule_on(api, playbook_id), rule_on(api, playbook_id)
    body = {"name": first["name"], "playbook_id": playbook_id}
    for answer in (api.post("automation-rules", json=body), api.put(f"automation-rules/{second['rule_id']}", json=body)):
        assert (answer.status_code, answer.json()["code"]) == (409, "playbooks.rule_name_taken")
    assert api.put(f"automation-rules/{first['rule_id']}", json=body).status_code == 200
    gone = {"name": some_name("rule"), "playbook_id": "plbk_gone"}
    for answer in (api.post("automation-rules", json=gone), api.put(f"automation-rules/{second['rule_id']}", json=gone)):
        assert (answer.status_code, answer.json()["code"]) == (404, "guardship.not_found")


def test_a_token_takes_scopes_that_there_are(server: RunningServer, api: httpx.Client) -> None:
    choices = api.get("tokens/choices").json()
    assert {"incidents", "playbooks", "search"} <= set(choices["scopes"])
    assert (choices["roles"], choices["days"], choices["most_days"]) == (["reader", "responder", "admin"], 30, 365)
    refused = api.post("tokens", json={"name": "t", "scope": ["incidents", "incidence"]})
    assert (refused.status_code, refused.json()["detail"]) == (400, "there is no scope incidence")
    assert api.post("tokens", json={"name": "t", "days": 366}).status_code == 400
    with server.client(api.post("tokens", json={"name": "t", "scope": ["incidents"]}).json()["secret"]) as scoped:
        opened = {scope for scope in ("incidents", "playbooks", "search/tables", "runbooks") if scoped.get(scope).status_code == 200}
    assert opened == {"incidents"}


def test_a_token_gives_away_no_more_than_it_has(server: RunningServer, api: httpx.Client) -> None:
    made = api.post("tokens", json={"name": "narrow", "role": "admin", "scope": ["tokens", "search"]}).json()
    with server.client(made["secret"]) as narrow:
        for scope in ([], ["users"], ["search", "users"]):
            assert narrow.post("tokens", json={"name": "wide", "role": "admin", "scope": scope}).status_code == 403
        assert narrow.post("tokens", json={"name": "as narrow", "scope": ["search"]}).status_code == 201


def test_a_broken_draft_of_a_runbook_is_kept_with_its_place(api: httpx.Client) -> None:
    name = some_name("Runbook")
    api.put(f"runbooks/{name}/draft", json={"script": "def main(:\n    pass\n"})
    found = api.get(f"runbooks/{name}").json()
    assert found["draft"] == "def main(:\n    pass\n"
    assert (found["draft_problem"]["line"], found["draft_problem"]["column"]) == (1, 10)
    assert api.post(f"runbooks/{name}/publish").json()["line"] == 1
    api.put(f"runbooks/{name}/draft", json={"script": "def main(Name: str) -> None:\n    pass\n"})
    assert api.get(f"runbooks/{name}").json()["draft_problem"] is None
