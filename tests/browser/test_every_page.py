"""Every page in the dark and in the light: axe, our own content policy, no foreign request, no console error, nothing outside the frame."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tests.browser.conftest import Night, Visit, glance

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
ALLOWED = Path(__file__).with_name("axe_allowed.toml")
MOST_ALLOWED = 0  # may only shrink

PAGES = {
    "overview": "/",
    "alerts": "/alerts",
    "alert": "/alerts/{alert}",
    "incidents": "/incidents",
    "incident": "/incidents/{incident}",
    "graph": "/incidents/{incident}?tab=graph",
    "entities": "/incidents/{incident}?tab=entities",
    "runs of the incident": "/incidents/{incident}?tab=runs",
    "playbooks": "/playbooks",
    "playbook": "/playbooks/{playbook}",
    "automation rules": "/automation-rules",
    "analytics rules": "/analytics-rules",
    "runs": "/runs",
    "run": "/runs/{run}",
    "run that waits": "/runs/{waiting_run}",
    "runbooks": "/runbooks",
    "containment": "/containment",
    "containment of one": "/containment/{isolation}",
    "machines": "/machines",
    "logs": "/logs",
    "admin": "/admin",
    "approvals": "/admin?tab=approvals",
    "audit": "/admin?tab=audit",
    "tokens": "/admin?tab=tokens",
    "no such page": "/nowhere",
}


def address_of(path: str, night: Night) -> str:
    filled = night.filled
    return path.format(
        alert=filled.alert_ids[8805],
        incident=filled.incident_id,
        playbook=filled.playbook_ids["Isolate on a High alert"],
        run=filled.run_ids[2294],
        waiting_run=filled.run_ids[2296],
        isolation=filled.isolation_ids["web-1"],
    )


def allowed() -> list[dict[str, str]]:
    entries: list[dict[str, str]] = tomllib.loads(ALLOWED.read_text("utf-8")).get("allowed", [])
    return entries


def axe_findings(page: Page) -> list[str]:
    """What axe finds outside the list: rule, element, and what it says."""
    page.evaluate(AXE.read_text("utf-8"))  # through the debugger: our content policy keeps scripts of others out
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    known = {(entry["rule"], entry["element"]) for entry in allowed()}
    return [
        f"{violation['id']}: {node['target'][0]}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for violation in found["violations"]
        for node in violation["nodes"]
        if (violation["id"], node["target"][0]) not in known
    ]


def overflow(page: Page) -> list[str]:
    """The page itself never scrolls: its panes do, each alone."""
    found: list[str] = page.evaluate(
        """() => {
          const root = document.documentElement;
          const wrong = root.scrollWidth > innerWidth || root.scrollHeight > innerHeight ? [`page ${root.scrollWidth}x${root.scrollHeight}`] : [];
          const main = document.querySelector("main");
          if (main && main.scrollWidth > main.clientWidth + 1) wrong.push(`main ${main.scrollWidth} in ${main.clientWidth}`);
          return wrong;
        }"""
    )
    return found


def stand_still(visit: Visit, name: str) -> None:
    """What a page draws by a worker or after the fonts is there too."""
    if name in ("runs", "run", "run that waits"):
        visit.page.wait_for_selector(".react-flow__node")
    elif name == "graph":
        visit.page.wait_for_selector("canvas")
    visit.page.evaluate("document.fonts.ready.then(() => true)")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_in_its_frame_and_axe_finds_nothing(browser: Browser, night: Night, name: str, scheme: str) -> None:
    with glance(browser, night, scheme) as visit:
        page = visit.go(address_of(PAGES[name], night))
        stand_still(visit, name)
        assert axe_findings(page) == []
        assert overflow(page) == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_sign_in_page_stands_in_its_frame_and_axe_finds_nothing(browser: Browser, night: Night, scheme: str) -> None:
    with glance(browser, night, scheme, user=None) as visit:
        page = visit.go("/sign-in")
        assert axe_findings(page) == []
        assert overflow(page) == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_release_dialog_is_clean_too(browser: Browser, night: Night, scheme: str) -> None:
    with glance(browser, night, scheme) as visit:
        page = visit.go(address_of(PAGES["containment of one"], night))
        page.get_by_role("button", name="Release web-1 …").click()
        page.get_by_role("alertdialog").get_by_label("Reason").wait_for()
        assert axe_findings(page) == []


def test_the_list_of_what_axe_may_find_only_shrinks() -> None:
    entries = allowed()
    assert len(entries) <= MOST_ALLOWED
    assert all(entry.keys() == {"rule", "element", "reason"} for entry in entries)
