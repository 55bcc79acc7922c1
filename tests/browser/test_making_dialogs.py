"""Every dialog that makes or takes away: where the focus starts, what axe says, and that Escape leaves nothing behind."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect
from tests.browser.conftest import Night, Visit, glance
from tests.browser.making import BROKEN, ask, button, imported, published, rule_on, runbook, some, whole
from tests.browser.test_every_page import axe_findings, overflow


def new_token(visit: Visit) -> tuple[Locator, str]:
    page = visit.go("/admin?tab=tokens")
    return button(page, "New token …"), "Name"


def revoke(visit: Visit) -> tuple[Locator, str]:
    token = ask(visit.night, "POST", "tokens", {"name": some("token")})["token"]
    page = visit.go("/admin?tab=tokens")
    return button(page, f"Revoke {token['name']} …"), "Keep it valid"


def new_user(visit: Visit) -> tuple[Locator, str]:
    page = visit.go("/admin?tab=access")
    return button(page, "Add a user"), "Name"


def new_rule(visit: Visit) -> tuple[Locator, str]:
    page = visit.go("/automation-rules")
    return button(page, "New rule …"), "Name"


def edit_rule(visit: Visit) -> tuple[Locator, str]:
    rule = rule_on(visit.night, published(visit.night, some("Playbook"), whole()))
    page = visit.go("/automation-rules")
    return button(page, f"Edit {rule['name']}"), "Name"


def remove_rule(visit: Visit) -> tuple[Locator, str]:
    rule = rule_on(visit.night, published(visit.night, some("Playbook"), whole()))
    page = visit.go("/automation-rules")
    return button(page, f"Remove {rule['name']} …"), "Keep the rule"


def new_runbook(visit: Visit) -> tuple[Locator, str]:
    page = visit.go("/runbooks")
    return button(page, "New runbook …"), "Name"


def start_runbook(visit: Visit) -> tuple[Locator, str]:
    page = visit.go(f"/runbooks/{runbook(visit.night)}")
    return button(page, "Start …"), "VMName"


def import_playbook(visit: Visit) -> tuple[Locator, str]:
    page = visit.go("/playbooks")
    return button(page, "Import …"), "Choose files …"


def delete_playbook(visit: Visit) -> tuple[Locator, str]:
    page = visit.go(f"/playbooks/{imported(visit.night, some('Playbook'), BROKEN)}")
    return button(page, "Delete …"), "Keep the draft"


DIALOGS = (new_token, revoke, new_user, new_rule, edit_rule, remove_rule, new_runbook, start_runbook, import_playbook, delete_playbook)


def kept(night: Night) -> list[Any]:
    return [ask(night, "GET", each) for each in ("tokens", "users", "automation-rules", "runbooks", "playbooks", "jobs")]


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("dialog", DIALOGS, ids=lambda each: each.__name__)
def test_a_dialog_is_clean_and_escape_leaves_nothing_behind(
    browser: Browser, night: Night, dialog: Callable[[Visit], tuple[Locator, str]], scheme: str
) -> None:
    with glance(browser, night, scheme) as visit:
        opener, first = dialog(visit)
        before = kept(night)
        opener.click()
        shown = visit.page.locator("[role=dialog], [role=alertdialog]")
        expect(visit.page.locator(":focus")).to_have_accessible_name(re.compile(f"^{re.escape(first)}"))
        expect(shown.locator("[aria-busy=true]")).to_have_count(0)
        assert axe_findings(visit.page) == []
        assert overflow(visit.page) == []
        visit.page.keyboard.press("Escape")
        expect(shown).to_have_count(0)
        expect(opener).to_be_focused()
        assert kept(night) == before


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_pages_where_texts_are_edited_are_clean(browser: Browser, night: Night, scheme: str) -> None:
    with glance(browser, night, scheme) as visit:
        page = visit.go(f"/runbooks/{runbook(night)}")
        assert axe_findings(page) == []
        visit.go(f"/playbooks/{imported(night, some('Playbook'), BROKEN)}")
        button(page, "Edit").click()
        expect(page.get_by_role("textbox", name="Source")).to_be_visible()
        assert axe_findings(page) == []
        assert overflow(page) == []
