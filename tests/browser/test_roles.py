"""What a page offers goes by the role: a reader sees everything and can change nothing; a responder can end what goes on."""

import json
import re

import pytest
from playwright.sync_api import Route, expect
from tests.browser.conftest import Visit
from tests.browser.making import ask, published, some

PAGES: dict[str, list[str | re.Pattern[str]]] = {
    "/": [],
    "/incidents/{incident}": ["Take it", "Close …", "Add", re.compile("^Run playbook")],
    "/containment": [re.compile("^Restart"), re.compile("^Isolate"), re.compile("^Release"), "Extend …", "Probe again"],
    "/admin?tab=approvals": ["Approve", "Refuse"],
    "/analytics-rules": [],
    "/automation-rules": ["New rule …"],
    "/playbooks": ["Import …"],
    "/runbooks": ["New runbook …"],
}


@pytest.mark.parametrize("path", PAGES)
def test_a_reader_is_offered_no_act(visit: Visit, path: str) -> None:
    def as_reader(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | {"role": "reader"})

    visit.page.route("**/api/v1/session", as_reader)
    page = visit.go(path.format(incident=visit.night.filled.incident_id))
    expect(page.locator("main h1")).to_be_visible()
    for name in PAGES[path]:
        expect(page.get_by_role("main").get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_role("switch")).to_have_count(0)


@pytest.mark.parametrize("path", [path for path, names in PAGES.items() if names and "rules" not in path and "book" not in path])
def test_a_responder_is_offered_them(visit: Visit, path: str) -> None:
    page = visit.go(path.format(incident=visit.night.filled.incident_id))
    offered = [name for name in PAGES[path] if page.get_by_role("main").get_by_role("button", name=name).count()]
    expect(page.get_by_role("main").get_by_role("button", name=PAGES[path][-1]).first).to_be_visible()
    assert offered


def test_a_run_that_waits_is_cancelled_with_a_reason(visit: Visit) -> None:
    night = visit.night
    actions = {"Wait": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Day"}}, "runAfter": {}}}
    definition = {"triggers": {"manual": {"type": "Request", "kind": "Http", "inputs": {}}}, "actions": actions}
    playbook_id = published(night, some("Waiting"), json.dumps({"definition": definition}))
    run_id = ask(night, "POST", f"playbooks/{playbook_id}/run", {})["run_ids"][0]
    page = visit.go(f"/runs/{run_id}")
    page.get_by_role("button", name="Cancel …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox", name="Reason")).to_be_focused()
    dialog.get_by_role("button", name=re.compile(r"^Cancel run \d+$")).click()
    expect(dialog).to_be_visible()  # a reason is asked for
    dialog.get_by_role("textbox", name="Reason").fill("not wanted any more")
    dialog.get_by_role("button", name=re.compile(r"^Cancel run \d+$")).click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Cancel …")).to_have_count(0)
    run = ask(night, "GET", f"runs/{run_id}")
    assert run["status"] == "Cancelled"
    assert "not wanted any more" in run["error"]["message"]
