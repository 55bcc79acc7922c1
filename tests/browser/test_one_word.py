"""One thing has one word: in a list and on its page, in English and in German; and what waits for another is not mine to do."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from tests.browser.conftest import Visit
from tests.browser.making import SCRIPT, ask, row, runbook
from tests.browser.test_words import change_answer


def in_german(visit: Visit) -> None:
    visit.page.add_init_script("localStorage.setItem('guardship.language', 'de')")


@pytest.mark.parametrize(
    ("language", "standing", "runs"),
    [("en", "Published, with a newer draft", "version 1 runs"), ("de", "Veröffentlicht, mit neuerem Entwurf", "Version 1 läuft")],
)
def test_a_runbook_stands_the_same_in_the_list_and_on_its_page(visit: Visit, language: str, standing: str, runs: str) -> None:
    name = runbook(visit.night)
    ask(visit.night, "PUT", f"runbooks/{name}/draft", {"script": SCRIPT})
    visit.page.add_init_script(f"localStorage.setItem('guardship.language', '{language}')")
    page = visit.go("/runbooks")
    expect(row(page, name)).to_contain_text(f"{standing} · {runs}")
    row(page, name).click()
    expect(page.locator(".facts")).to_contain_text(standing)
    expect(page.locator(".facts")).to_contain_text(runs)


def test_a_job_that_is_done_is_done_on_its_page_too(visit: Visit) -> None:
    job_id = ask(visit.night, "POST", "jobs", {"runbook": runbook(visit.night), "parameters": {"VMName": "web-1"}})["job_id"]
    change_answer(visit.page, f"/jobs/{job_id}", lambda job: job.update(status="Completed", ended_at=job["created_at"]))
    expect(visit.go(f"/jobs/{job_id}").locator(".facts .verdict")).to_have_text("Done")


def test_an_ended_lease_has_nothing_left(visit: Visit) -> None:
    def ended(isolations: list[dict[str, Any]]) -> None:
        isolations[-1].update(state="released", ended_at=isolations[-1]["opened_at"])

    change_answer(visit.page, "/isolations", ended)
    cells = visit.go("/containment").get_by_role("table", name="Containment").get_by_role("row").filter(has_text="Released")
    expect(cells.first.get_by_role("cell").last).to_have_text("–")


def test_an_answered_approval_begins_with_a_capital(visit: Visit) -> None:
    def answered(approvals: list[dict[str, Any]]) -> None:
        approvals[0].update(answer="refused", answered_by="user mara", reason="no")

    change_answer(visit.page, "/approvals", answered)
    expect(visit.go("/admin?tab=approvals").locator(".verdict").first).to_have_text("Refused")


def test_german_is_german_throughout(visit: Visit) -> None:
    in_german(visit)
    page = visit.go("/")
    expect(page.get_by_role("link", name="Öffnen").first).to_be_visible()
    for card in page.locator(".lease").all():
        assert fits(card)
    chain = visit.go("/admin?tab=audit").get_by_role("status").filter(has_text="Einträge")
    expect(chain.first).to_have_text(re.compile(r"^\d+ Einträge, jeder folgt auf "))


def fits(card: Locator) -> bool:
    return bool(card.evaluate("(each) => each.scrollWidth <= each.clientWidth"))


def test_what_i_asked_for_myself_is_not_mine_to_answer(visit: Visit) -> None:
    def mine(overview: dict[str, Any]) -> None:
        overview.update(not_cut=[], incidents=[], approvals=[overview["approvals"][0] | {"asked_by": "user jonas"}])

    change_answer(visit.page, "/overview", mine)
    page = visit.go("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing needs you now")
    expect(page.get_by_role("link", name="Review")).to_have_count(0)
    expect(page.get_by_role("table", name="Also open")).to_contain_text("waits for another person")


def test_what_another_asked_for_is_mine_to_answer(visit: Visit) -> None:
    def theirs(overview: dict[str, Any]) -> None:
        overview.update(not_cut=[], incidents=[], approvals=[overview["approvals"][0] | {"asked_by": "user mara", "person": None}])

    change_answer(visit.page, "/overview", theirs)
    page = visit.go("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("One thing needs you now")
    expect(page.get_by_role("link", name="Review")).to_have_count(1)
