"""A playbook that starts by itself: off when it is published, on and off by a switch that asks first."""

from playwright.sync_api import expect
from tests.browser.conftest import Visit
from tests.browser.making import ask, button, published, some, whole

EVERY_HOUR = {"type": "Recurrence", "recurrence": {"frequency": "Hour", "interval": 1}}


def test_a_schedule_is_off_until_somebody_says_yes_and_off_again(visit: Visit) -> None:
    name = some("Hourly")
    playbook_id = published(visit.night, name, whole(EVERY_HOUR))
    page = visit.go(f"/playbooks/{playbook_id}")
    card = page.get_by_role("region", name="Starts by itself")
    expect(card).to_contain_text("Off")
    button(card, "Switch on").click()
    dialog = page.get_by_role("alertdialog")
    expect(button(dialog, "Leave it as it is")).to_be_focused()
    expect(dialog).to_contain_text("Nobody is asked again")
    button(dialog, "Switch on").click()
    expect(card).to_contain_text("On")
    expect(card).to_contain_text("due")
    assert ask(visit.night, "GET", f"playbooks/{playbook_id}")["triggers"][0]["is_on"]
    button(card, "Switch off").click()
    button(page.get_by_role("alertdialog"), "Switch off").click()
    expect(card).to_contain_text("Off")
    assert not ask(visit.night, "GET", f"playbooks/{playbook_id}")["triggers"][0]["is_on"]


def test_a_playbook_that_alerts_start_has_no_switch(visit: Visit) -> None:
    playbook_id = published(visit.night, some("Alerts"), whole())
    page = visit.go(f"/playbooks/{playbook_id}")
    expect(page.get_by_role("heading", name="Versions")).to_be_visible()
    expect(page.get_by_text("Starts by itself")).to_have_count(0)
