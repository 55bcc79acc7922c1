"""What a newcomer makes and mends by hand: tokens, automation rules, runbooks, drafts of playbooks."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect
from tests.browser.conftest import Night, Visit, watched, window
from tests.browser.making import BROKEN, SCRIPT, ask, button, caret, imported, published, row, rule_on, runbook, some, whole

from guardship.identity import tokens
from guardship.identity.roles import Role
from guardship.storage.database import Database
from guardship.storage.layout import Layout

# ---- tokens


def test_a_token_is_made_shown_once_and_revoked(browser: Browser, night: Night) -> None:
    context = window(browser, night)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    name = some("ci")
    with watched(context, night) as visit:
        page = visit.go("/admin?tab=tokens")
        button(page, "New token …").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name").fill(name)
        dialog.get_by_label("Role").select_option("responder")
        dialog.get_by_role("checkbox", name="incidents").check()
        expect(dialog.get_by_label("Days it lives")).to_have_value("30")
        dialog.get_by_label("Days it lives").fill("7")
        button(dialog, "Create token").click()
        secret = dialog.get_by_label(f"Secret of {name}")
        expect(secret).to_be_focused()
        expect(dialog).to_contain_text("it will not be shown again")
        button(dialog, "Copy").click()
        expect(dialog.get_by_role("status")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == secret.input_value()
        with night.server.client(secret.input_value()) as api:
            assert (api.get("incidents").status_code, api.get("playbooks").status_code) == (200, 403)
            button(dialog, "Close").click()
            expect(button(page, "New token …")).to_be_focused()
            expect(row(page, name)).to_contain_text("responder")
            button(page, f"Revoke {name} …").click()
            button(page.get_by_role("alertdialog"), f"Revoke {name}").click()
            expect(row(page, name)).to_contain_text("Revoked")
            expect(button(page, f"Revoke {name} …")).to_have_count(0)
            assert api.get("incidents").status_code == 401
        assert [each["role"] for each in ask(night, "GET", "tokens") if each["name"] == name] == ["responder"]


def test_a_token_that_has_ended_says_so_and_offers_nothing(visit: Visit) -> None:
    name, then = some("ended"), datetime.now(UTC) - timedelta(days=9)
    database = Database(Layout(visit.night.server.home).database)
    with database.transaction() as session:
        tokens.create_token(session, name, role=Role.READER, scope=(), life=timedelta(days=1), by="jonas", at=then)
    database.close()
    page = visit.go("/admin?tab=tokens")
    expect(row(page, name)).to_contain_text("Expired")
    expect(button(page, f"Revoke {name} …")).to_have_count(0)


def test_a_token_that_is_refused_says_why_in_the_words_of_the_server(visit: Visit) -> None:
    page = visit.go("/admin?tab=tokens")
    button(page, "New token …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("   ")
    button(dialog, "Create token").click()
    expect(dialog.get_by_role("alert")).to_contain_text("body.name: String should have at least 1 character")


# ---- automation rules


def test_a_rule_says_what_it_would_have_caught_and_is_saved_off(visit: Visit) -> None:
    night, name, draft, by_hand = visit.night, some("Night watch"), some("Only a draft"), some("By hand")
    playbook_id = published(night, some("Answer"), whole())
    imported(night, draft, BROKEN)
    published(night, by_hand, whole({"type": "Request", "kind": "Http", "inputs": {"schema": {}}}))
    page = visit.go("/automation-rules")
    button(page, "New rule …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"{draft} (not published)")
    expect(dialog).to_contain_text(f"{by_hand} (no alert starts it)")
    dialog.get_by_label("Name").fill(name)
    choice = dialog.get_by_label("Starts the playbook")
    expect(choice.get_by_role("option", name=by_hand)).to_have_count(0)
    choice.select_option(playbook_id)
    every = len(ask(night, "POST", "automation-rules/backtest", {})["alert_ids"])
    expect(dialog.get_by_role("status")).to_have_text(f"Would have caught {every} of {every} alerts in 30 days")
    dialog.get_by_role("checkbox", name="High").check()
    caught = len(ask(night, "POST", "automation-rules/backtest", {"severities": ["High"]})["alert_ids"])
    assert caught < every
    expect(dialog.get_by_role("status")).to_have_text(f"Would have caught {caught} of {every} alerts in 30 days")
    expect(dialog).to_contain_text("saved switched off")
    button(dialog, "Save, switched off").click()
    expect(page.get_by_role("switch", name=f"{name}: Off")).not_to_be_checked()
    expect(row(page, name)).to_contain_text("High")


def test_a_rule_is_changed_by_the_names_of_analytics_rules_and_removed(visit: Visit) -> None:
    night = visit.night
    rule = rule_on(night, published(night, some("Answer"), whole()))
    known = ask(night, "GET", "analytics-rules")[0]
    page = visit.go("/automation-rules")
    button(page, f"Edit {rule['name']}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_have_value(rule["name"])
    dialog.get_by_role("checkbox", name=known["name"]).check()
    dialog.get_by_text("More conditions and order").click()
    dialog.get_by_label("Entities").fill("db-*, web-1")
    dialog.get_by_label("Order").fill("7")
    button(dialog, "Save").click()
    expect(row(page, rule["name"])).to_contain_text(known["name"])
    now = next(each for each in ask(night, "GET", "automation-rules") if each["rule_id"] == rule["rule_id"])
    assert (now["order"], now["is_enabled"], now["playbook_id"]) == (7, False, rule["playbook_id"])
    assert (now["conditions"]["analytics_rules"], now["conditions"]["entities"]) == ([known["rule_id"]], ["db-*", "web-1"])
    button(page, f"Remove {rule['name']} …").click()
    asked = page.get_by_role("alertdialog")
    expect(button(asked, "Keep the rule")).to_be_focused()
    button(asked, f"Remove {rule['name']}").click()
    expect(row(page, rule["name"])).to_have_count(0)


def test_a_name_that_is_taken_is_said_in_the_dialog(visit: Visit) -> None:
    rule = rule_on(visit.night, published(visit.night, some("Answer"), whole()))
    page = visit.go("/automation-rules")
    button(page, "New rule …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(rule["name"])
    dialog.get_by_label("Starts the playbook").select_option(rule["playbook_id"])
    button(dialog, "Save, switched off").click()
    expect(dialog.get_by_role("alert")).to_have_text(f"there is an automation rule called {rule['name']} already")


# ---- runbooks


def new_runbook(visit: Visit, name: str) -> Locator:
    """The dialog with this name in it."""
    page = visit.go("/runbooks")
    button(page, "New runbook …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    return dialog


def test_a_runbook_is_written_broken_mended_published_and_started(visit: Visit) -> None:
    name = some("Runbook")
    page = visit.page
    dialog = new_runbook(visit, name)
    button(dialog, "Create draft").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    script = page.get_by_role("textbox", name="Script")
    script.fill("def main(VMName: str):\n    print(\n")
    expect(button(page, "Publish")).to_be_disabled()  # what is not saved is not published
    button(page, "Save draft").click()
    page.get_by_role("button", name=re.compile("^line 2, column 10")).click()
    expect(script).to_be_focused()
    assert caret(script) == len("def main(VMName: str):\n    print")
    expect(page.get_by_role("region", name="Problems")).to_contain_text("was never closed")
    expect(button(page, "Publish")).to_be_disabled()  # nor what is known to be broken
    assert ask(visit.night, "GET", f"runbooks/{name}")["draft"] == "def main(VMName: str):\n    print(\n"
    script.fill(SCRIPT)
    button(page, "Save draft").click()
    expect(page.get_by_role("region", name="Problems")).to_contain_text("No problems")
    button(page, "Publish").click()
    expect(page.get_by_role("region", name="Parameters")).to_contain_text("VMName string mandatory")
    button(page, "Start …").click()
    dialog = page.get_by_role("dialog")
    button(dialog, "Start").click()
    expect(dialog.get_by_label("VMName")).to_be_focused()  # the browser asks for what is mandatory
    dialog.get_by_label("VMName").fill("web-1")
    expect(dialog.get_by_label("Times")).to_have_value("2")
    dialog.get_by_label("Tags").fill("{no")
    button(dialog, "Start").click()
    expect(dialog).to_contain_text("This is not JSON")
    dialog.get_by_label("Tags").fill('{"why": "a test"}')
    button(dialog, "Start").click()
    page.wait_for_url("**/jobs/*")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    job = ask(visit.night, "GET", f"jobs/{page.url.rpartition('/')[2]}")
    assert job["parameters"] == {"VMName": "web-1", "Times": 2, "Tags": {"why": "a test"}}


def test_a_runbook_s_network_is_granted_by_hand(visit: Visit) -> None:
    name = runbook(visit.night)
    page = visit.go(f"/runbooks/{name}")
    page.get_by_role("switch", name="Its jobs have no network").click()
    expect(page.get_by_role("switch", name="Its jobs may use the network")).to_be_checked()
    assert ask(visit.night, "GET", f"runbooks/{name}")["has_network"] is True


def test_a_new_runbook_does_not_write_over_another(visit: Visit) -> None:
    name = runbook(visit.night)
    page = visit.go("/runbooks")
    button(page, "New runbook …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name.upper())
    expect(dialog).to_contain_text(f"There is a runbook called {name.upper()} already")
    expect(button(dialog, "Create draft")).to_be_disabled()


def test_a_refused_publication_says_why(visit: Visit) -> None:
    name = some("Runbook")
    ask(visit.night, "PUT", f"runbooks/{name}/draft", {"script": SCRIPT})
    page = visit.go(f"/runbooks/{name}")
    ask(visit.night, "PUT", f"runbooks/{name}/draft", {"script": "def main(:\n"})  # meanwhile, by somebody else
    button(page, "Publish").click()
    expect(page.get_by_role("alert")).to_contain_text("invalid syntax")


@pytest.mark.parametrize("name", ["bad name/ü?", "a\\b", ".."])
def test_a_name_that_no_address_can_hold_is_said_in_the_form(visit: Visit, name: str) -> None:
    dialog = new_runbook(visit, name)
    expect(dialog).to_contain_text("A name has no / and no \\ in it")
    expect(button(dialog, "Create draft")).to_be_disabled()


def test_a_runbook_s_name_may_hold_any_other_sign(visit: Visit) -> None:
    name = some("bad name ü?#%2F&")
    page = visit.page
    dialog = new_runbook(visit, name)
    button(dialog, "Create draft").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


# ---- drafts of playbooks


def test_a_broken_draft_is_mended_at_the_place_of_its_problem(visit: Visit) -> None:
    playbook_id = imported(visit.night, some("Broken"), BROKEN)
    page = visit.go(f"/playbooks/{playbook_id}")
    button(page, "line 3, column 20").click()
    source = page.get_by_role("textbox", name="Source")
    expect(source).to_be_focused()
    assert caret(source) == BROKEN.index("}\n}")
    source.fill(whole())
    page.get_by_role("link", name="Machines").click()
    asked = page.get_by_role("alertdialog", name="Leave without saving?")
    button(asked, "Stay here").click()
    button(page, "Save draft").click()
    expect(page.get_by_role("region", name="Problems")).to_contain_text("No problems")
    expect(button(page, "Save draft")).to_be_focused()
    button(page, "Stop editing").click()
    expect(button(page, "Edit")).to_be_focused()
    button(page, "Publish").click()
    expect(page.get_by_role("region", name="Versions")).to_contain_text("1")
    expect(button(page, "Delete …")).to_have_count(0)


def test_a_published_playbook_says_that_its_draft_is_newer(visit: Visit) -> None:
    playbook_id = published(visit.night, some("Answer"), whole())
    page = visit.go(f"/playbooks/{playbook_id}")
    button(page, "Edit").click()
    page.get_by_role("textbox", name="Source").fill(BROKEN)
    button(page, "Save draft").click()
    expect(page.get_by_text("Version 1 is in force; the draft of")).to_be_visible()
    assert ask(visit.night, "GET", f"playbooks/{playbook_id}")["starts_from_alerts"] is True


def test_what_somebody_else_saved_is_not_written_over(visit: Visit) -> None:
    name = some("Ours")
    playbook_id = imported(visit.night, name, BROKEN)
    page = visit.go(f"/playbooks/{playbook_id}")
    button(page, "Edit").click()
    page.get_by_role("textbox", name="Source").fill("{ }")
    ask(visit.night, "PUT", f"playbooks/{playbook_id}/draft", {"document": whole()})
    button(page, "Save draft").click()
    expect(page.get_by_role("alert")).to_contain_text(f"changed {name} meanwhile")
    expect(page.get_by_role("textbox", name="Source")).to_have_value("{ }")
    page.get_by_role("link", name="Machines").click()
    button(page.get_by_role("alertdialog"), "Leave").click()
    page.wait_for_url("**/machines")
    assert ask(visit.night, "GET", f"playbooks/{playbook_id}")["source"] == whole()


def test_a_draft_is_deleted_once_no_rule_holds_it(visit: Visit) -> None:
    name = some("Draft")
    playbook_id = imported(visit.night, name, BROKEN)
    rule = rule_on(visit.night, playbook_id)
    page = visit.go(f"/playbooks/{playbook_id}")
    button(page, "Delete …").click()
    asked = page.get_by_role("alertdialog")
    button(asked, f"Delete {name}").click()
    expect(button(asked, f"Delete {name}")).to_be_focused()
    expect(asked.get_by_role("alert")).to_contain_text(f"is named by the automation rule {rule['name']}")
    ask(visit.night, "DELETE", f"automation-rules/{rule['rule_id']}")
    button(asked, f"Delete {name}").click()
    page.wait_for_url("**/playbooks")
    expect(page.get_by_role("table", name="Playbooks")).to_be_visible()
    expect(row(page, name)).to_have_count(0)


# ---- import


def file(name: str, text: str, encoding: str = "utf-8") -> dict[str, Any]:
    return {"name": name, "mimeType": "application/json", "buffer": text.encode(encoding)}


def test_several_files_are_imported_under_their_names_and_errors_name_the_file(visit: Visit) -> None:
    first, second, long = some("first"), some("second"), "l" * 121
    page = visit.go("/playbooks")
    button(page, "Import …").click()
    dialog = page.get_by_role("dialog")
    files: list[Any] = [file(f"{first}.json", whole()), file(f"{second}.jsonc", "// a note\n" + BROKEN, "utf-16"), file("notes.txt", "?")]
    dialog.locator("input[type=file]").set_input_files([*files, file(f"{long}.json", whole())])
    expect(dialog.get_by_role("alert")).to_have_text("notes.txt is neither .json nor .jsonc")
    expect(dialog.get_by_label(f"Name of the playbook in {first}.json")).to_have_value(first)
    button(dialog, "Import").click()
    expect(dialog).to_contain_text(f"{long}.json: body.name")
    expect(dialog.get_by_label(f"Name of the playbook in {first}.json")).to_have_count(0)  # it is kept, and not sent again
    button(dialog, f"Leave {long}.json out").click()
    page.keyboard.press("Escape")
    expect(row(page, first)).to_contain_text("No problems")
    row(page, second).click()
    expect(page.get_by_role("region", name="Problems")).to_contain_text("line 4, column 20")


def test_a_file_is_dropped_and_a_text_is_pasted(visit: Visit) -> None:
    dropped, pasted = some("dropped"), some("pasted")
    page = visit.go("/playbooks")
    button(page, "Import …").click()
    dialog = page.get_by_role("dialog")
    transfer = page.evaluate_handle(
        "([name, text]) => { const held = new DataTransfer(); held.items.add(new File([text], name)); return held; }",
        [f"{dropped}.json", whole()],
    )
    dialog.locator(".drop").dispatch_event("drop", {"dataTransfer": transfer})
    expect(dialog.get_by_label(f"Name of the playbook in {dropped}.json")).to_have_value(dropped)
    dialog.get_by_label("Name of a pasted one").fill(pasted)
    dialog.get_by_label("ARM template or definition").fill(whole())
    button(dialog, "Import").click()
    expect(dialog).to_have_count(0)
    expect(row(page, dropped)).to_have_count(1)
    expect(row(page, pasted)).to_have_count(1)


# ---- roles


@pytest.mark.parametrize(("role", "may_start"), [("reader", False), ("responder", True)])
def test_nobody_sees_a_button_they_may_not_use(browser: Browser, night: Night, role: str, may_start: bool) -> None:
    name, user = runbook(night), f"user-{uuid.uuid4().hex[:8]}"
    password = "a lamp at the harbour mouth"
    ask(night, "POST", "users", {"name": user, "role": role, "password": password})
    night.users[user] = {"name": user, "password": password}
    playbook_id = imported(night, some("Broken"), BROKEN)
    with watched(window(browser, night, user=user), night) as visit:
        page = visit.go(f"/runbooks/{name}")
        expect(button(page, "Start …")).to_have_count(int(may_start))
        for path, acts in (
            (f"/runbooks/{name}", ("Save draft", "Publish")),
            ("/runbooks", ("New runbook …",)),
            ("/playbooks", ("Import …",)),
            (f"/playbooks/{playbook_id}", ("Edit", "Delete …", "Publish", "line 3, column 20")),
            ("/automation-rules", ("New rule …",)),
            ("/admin?tab=tokens", ("New token …",)),
        ):
            visit.go(path)
            for act in acts:
                expect(button(page, act)).to_have_count(0)
            expect(page.get_by_role("switch")).to_have_count(0)
