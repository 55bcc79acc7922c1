"""What is pressed twice in one moment is done once: a double click makes one token, one run, one job."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Request, expect
from tests.browser.conftest import Visit
from tests.browser.making import ask, button, published, runbook, some, whole


def create_token(visit: Visit) -> tuple[Locator, str]:
    button(visit.go("/admin?tab=tokens"), "New token …").click()
    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(some("twice"))
    return button(dialog, "Create token"), "/tokens"


def run_playbook(visit: Visit) -> tuple[Locator, str]:
    name = some("Twice")
    published(visit.night, name, whole())
    alert_id = visit.night.filled.alert_ids[8805]
    button(visit.go(f"/alerts/{alert_id}"), f"Run playbook: {name}").click()
    return button(visit.page.get_by_role("alertdialog"), "Run playbook"), f"/alerts/{alert_id}/runs"


def start_runbook(visit: Visit) -> tuple[Locator, str]:
    button(visit.go(f"/runbooks/{runbook(visit.night)}"), "Start …").click()
    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_label("VMName").fill("web-1")
    return button(dialog, "Start"), "/jobs"


@pytest.mark.parametrize("act", [create_token, run_playbook, start_runbook], ids=lambda each: each.__name__)
def test_a_double_click_does_it_once(visit: Visit, act: Callable[[Visit], tuple[Locator, str]]) -> None:
    pressed, path = act(visit)
    sent: list[str] = []

    def count(request: Request) -> None:
        if request.method == "POST" and request.url.endswith(f"/api/v1{path}"):
            sent.append(request.url)

    visit.page.on("request", count)
    pressed.dblclick()
    expect(pressed).to_have_count(0)
    visit.settle()
    assert len(sent) == 1


def test_a_double_click_makes_one_token(visit: Visit) -> None:
    before = len(ask(visit.night, "GET", "tokens"))
    pressed, _ = create_token(visit)
    pressed.dblclick()
    expect(pressed).to_have_count(0)
    visit.page.reload()
    visit.settle()
    assert len(ask(visit.night, "GET", "tokens")) == before + 1
