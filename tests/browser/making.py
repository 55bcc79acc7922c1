"""What the tests of making and mending share: texts of playbooks and runbooks, and the API that lays things out for them."""

import json
import uuid
from typing import Any

from playwright.sync_api import Locator, Page
from tests.browser.conftest import Night

BROKEN = '{\n  "triggers": {},\n  "actions": {"A": }\n}'
SCRIPT = "def main(VMName: str, Times: int = 2, Tags: dict = {}) -> None:\n    print(VMName)\n"


def whole(trigger: dict[str, Any] | None = None) -> str:
    host = {"connection": {"name": "@parameters('$connections')['ascalert']['connectionId']"}}
    alert = {"type": "ApiConnectionWebhook", "inputs": {"host": host, "path": "/Microsoft.Security/Alert/subscribe"}}
    actions = {"A": {"type": "Compose", "inputs": 1, "runAfter": {}}}
    connections = {"$connections": {"defaultValue": {}, "type": "Object"}}
    return json.dumps({"definition": {"parameters": connections, "triggers": {"Start": trigger or alert}, "actions": actions}}, indent=1)


def some(kind: str) -> str:
    return f"{kind} {uuid.uuid4().hex[:8]}"


def ask(night: Night, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    with night.server.client() as api:
        answer = api.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


def imported(night: Night, name: str, document: str) -> str:
    return str(ask(night, "POST", "playbooks", {"name": name, "document": document})[0]["playbook_id"])


def published(night: Night, name: str, document: str) -> str:
    playbook_id = imported(night, name, document)
    ask(night, "POST", f"playbooks/{playbook_id}/publish")
    return playbook_id


def runbook(night: Night) -> str:
    name = some("Runbook")
    ask(night, "PUT", f"runbooks/{name}/draft", {"script": SCRIPT})
    ask(night, "POST", f"runbooks/{name}/publish")
    return name


def rule_on(night: Night, playbook_id: str) -> dict[str, Any]:
    made: dict[str, Any] = ask(night, "POST", "automation-rules", {"name": some("Rule"), "playbook_id": playbook_id})
    return made


def row(page: Page, text: str) -> Locator:
    return page.get_by_role("row").filter(has_text=text)


def caret(field: Locator) -> int:
    return int(field.evaluate("(each) => each.selectionStart"))


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)
