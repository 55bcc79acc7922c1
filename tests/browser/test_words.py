"""What the console says: reasons, counts, days, titles, names; and its dialogs, each open."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from tests.browser.conftest import Night, Visit, glance
from tests.browser.test_every_page import axe_findings

from guardship.cli.local_server import LocalServer

Answer = dict[str, Any]
DAY = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d:\d\d"
LONG_DAY = re.compile(r"^(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day \d{1,2} [A-Z][a-z]+$")
FREE = {"machine_id": "/machines/web-2", "name": "web-2", "is_protected": False, "isolation_id": None}
GUARDED = {"machine_id": "/machines/jump-1", "name": "jump-1", "is_protected": True, "isolation_id": None}
_COUNT_CHANGES = """
  window.changes = 0;
  for (const region of document.querySelectorAll("[role=status], [role=alert], [aria-live]"))
    new MutationObserver(() => window.changes++).observe(region, {subtree: true, childList: true, characterData: true});
"""


def change_answer(page: Page, path: str, change: Callable[[Any], object]) -> None:
    """What the server says to `path`, with something in it changed."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        change(body)
        route.fulfill(response=response, json=body)

    page.route(f"**/api/v1{path}", answer)


def refuse(page: Page, path: str, *, code: str, detail: str, status: int = 409) -> None:
    body = {"type": "about:blank", "title": "Refused", "status": status, "code": code, "detail": detail, "hint": None}
    page.route(f"**{path}", lambda route: route.fulfill(status=status, json=body) if route.request.method == "POST" else route.fallback())


def later(moment: str, hours: float) -> str:
    return (datetime.fromisoformat(moment) + timedelta(hours=hours)).isoformat()


def isolation_path(night: Night, machine: str) -> str:
    return f"/isolations/{night.filled.isolation_ids[machine]}"


def test_why_an_incident_was_closed_stays_readable(visit: Visit) -> None:
    server = LocalServer.find(visit.night.server.home)
    incident = next(each for each in server.ask("GET", "incidents") if each["status"] == "Closed")
    page = visit.go(f"/incidents/{incident['incident_id']}")
    page.get_by_role("button", name="Open again").click()
    page.get_by_role("button", name="Close …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Classification").select_option(label="False positive")
    dialog.get_by_label("Because of").select_option(label="inaccurate data")
    dialog.get_by_label("Reason").fill("the nightly backup looked like a theft")
    dialog.get_by_role("button", name="Close", exact=True).click()
    expect(dialog).to_have_count(0)
    facts = page.locator(".record-facts")
    expect(facts).to_contain_text("False positive, inaccurate data")
    expect(facts).to_contain_text("the nightly backup looked like a theft")
    line = page.get_by_role("region", name="Timeline").get_by_role("listitem").filter(has_text="nightly backup")
    expect(line).to_contain_text("Closed as false positive, inaccurate data: the nightly backup looked like a theft")


@pytest.mark.parametrize(
    ("language", "row", "rows", "waits"),
    [
        ("en", "1 row, complete", "2 rows, complete", "1 waits for approval"),
        ("de", "1 Zeile, voll", "2 Zeilen, voll", "1 wartet auf Freigabe"),
    ],
)
def test_a_count_and_its_noun_agree(visit: Visit, language: str, row: str, rows: str, waits: str) -> None:
    visit.page.add_init_script(f"localStorage.setItem('guardship.language', '{language}')")
    page = visit.go("/logs")
    query = page.get_by_role("textbox")
    for count, told in ((1, row), (2, rows)):
        query.fill(f"SecurityIncident | take {count}")
        query.press("Shift+Enter")
        expect(page.get_by_role("main")).to_contain_text(told)
    expect(visit.go("/containment").get_by_role("main")).to_contain_text(waits)


def test_times_of_another_day_say_which(visit: Visit) -> None:
    def another_day(isolation: Answer) -> None:
        isolation["lease_ends_at"] = later(datetime.now(UTC).isoformat(), 30)
        for name in ("opened_at", "contained_at", "verified_at"):
            isolation[name] = isolation[name] and later(isolation[name], -30)
        for write in isolation["writes"]:
            write["sent_at"] = later(write["sent_at"], -30)

    path = isolation_path(visit.night, "web-1")
    change_answer(visit.page, path, another_day)
    page = visit.go(path.replace("isolations", "containment"))
    expect(page.get_by_role("region", name="Lease", exact=True)).to_contain_text(re.compile(f"ends {DAY} UTC"))
    expect(page.get_by_role("region", name="New connections blocked")).to_contain_text(re.compile(f"Probed {DAY}"))
    steps = page.get_by_role("region", name="How it went").locator(".mono")
    assert all(re.fullmatch(DAY, text) for text in steps.all_inner_texts())


def test_the_day_of_an_alert_an_incident_and_its_runs_is_said(visit: Visit) -> None:
    filled = visit.night.filled
    change_answer(visit.page, f"/alerts/{filled.alert_ids[8805]}", lambda alert: alert.update(raised_at=later(alert["raised_at"], -30)))
    expect(visit.go(f"/alerts/{filled.alert_ids[8805]}").locator(".facts")).to_contain_text(re.compile(f"{DAY} UTC"))

    def older(incident: Answer) -> None:
        incident["created_at"] = later(incident["created_at"], -30)
        for run in incident["runs"]:
            run["accepted_at"] = later(run["accepted_at"], -30)

    change_answer(visit.page, f"/incidents/{filled.incident_id}", older)
    page = visit.go(f"/incidents/{filled.incident_id}?tab=runs")
    expect(page.locator(".record-facts")).to_contain_text(re.compile(f"Opened{DAY}, "))
    expect(page.get_by_role("region", name="Runs").locator(".card-body").first).to_contain_text(re.compile(DAY))


def test_the_timeline_says_when_the_day_changes(visit: Visit) -> None:
    filled = visit.night.filled

    def two_days(incident: Answer) -> None:
        lines = incident["timeline"]
        for index, entry in enumerate(lines):
            entry["at"] = later(f"{'2026-03-01' if index < 2 else '2026-03-02'}T03:00:00+00:00", index / 60)

    change_answer(visit.page, f"/incidents/{filled.incident_id}", two_days)
    page = visit.go(f"/incidents/{filled.incident_id}")
    timeline = page.get_by_role("region", name="Timeline")
    days = timeline.get_by_role("heading", level=3)
    expect(days).to_have_text(["Monday 2 March", "Sunday 1 March"])
    expect(timeline.locator("h3 + ol").nth(1).get_by_role("listitem")).to_have_count(2)


def test_each_count_in_the_rail_is_found_on_its_page(visit: Visit) -> None:
    rail = visit.go("/").get_by_role("navigation", name="Places")
    expect(rail.get_by_role("link", name="Containment").locator(".rail-count")).to_have_text("2")
    expect(rail.get_by_role("link", name="Admin").locator(".rail-count")).to_have_count(0)
    rail.get_by_role("link", name="Containment").click()
    rows = visit.page.get_by_role("table", name="Containment").locator("tbody tr")
    expect(rows.filter(has_text="Not cut")).to_have_count(1)
    waiting = rows.filter(has_text="Waits for approval")
    expect(waiting).to_contain_text("jump-1")
    waiting.click()
    visit.page.wait_for_url("**/admin?tab=approvals")


def test_what_waits_elsewhere_is_counted_under_admin(visit: Visit) -> None:
    change_answer(
        visit.page, "/overview", lambda overview: overview["approvals"].append(overview["approvals"][0] | {"kind": "playbooks.publish"})
    )
    rail = visit.go("/machines").get_by_role("navigation", name="Places")
    expect(rail.get_by_role("link", name="Containment").locator(".rail-count")).to_have_text("2")
    expect(rail.get_by_role("link", name="Admin").locator(".rail-count")).to_have_text("1")


def test_each_page_has_a_title_of_its_own(visit: Visit) -> None:
    filled = visit.night.filled
    titles = {
        "/": "Overview",
        "/incidents": "Incidents",
        f"/incidents/{filled.incident_id}": "Incident 1042",
        f"/alerts/{filled.alert_ids[8805]}": "Alert 8805",
        f"/runs/{filled.run_ids[2294]}": "Run 2294",
        f"/playbooks/{filled.playbook_ids['Isolate on a High alert']}": "Isolate on a High alert",
        "/automation-rules": "Automation rules",
        "/containment": "Containment",
        f"/containment/{filled.isolation_ids['db-1']}": "db-1",
        "/logs": "Logs",
        "/admin?tab=audit": "Admin",
        "/nowhere": "There is no such page",
    }
    for path, title in titles.items():
        visit.go(path)
        expect(visit.page).to_have_title(f"{title} - Guardship")


def test_the_title_follows_from_a_record_to_a_list(visit: Visit) -> None:
    page = visit.go(f"/incidents/{visit.night.filled.incident_id}")
    expect(page).to_have_title("Incident 1042 - Guardship")
    page.get_by_role("navigation", name="Places").get_by_role("link", name="Machines").click()
    expect(page).to_have_title("Machines - Guardship")


def test_who_is_not_signed_in_reads_a_title_too(stranger: Visit) -> None:
    stranger.go("/sign-in")
    expect(stranger.page).to_have_title("Sign in - Guardship")


def test_what_is_wrong_with_a_query_is_said_once(visit: Visit) -> None:
    page = visit.go("/logs")
    query = page.get_by_role("textbox", name="Query")
    query.fill("Syslog\n| where Wrong == 1")
    told = page.get_by_text("no column called Wrong")
    expect(told).to_have_count(1)
    page.evaluate(_COUNT_CHANGES)
    with page.expect_response("**/search"):
        query.press("Shift+Enter")
    expect(page.get_by_role("button", name="Run")).to_be_enabled()
    expect(told).to_have_count(1)
    expect(page.get_by_role("main").get_by_role("alert")).to_have_count(0)
    assert page.evaluate("window.changes") == 0
    expect(query).to_have_accessible_description(re.compile("line 2, column 9: no column called Wrong"))


def test_a_run_that_was_refused_says_why_beside_the_query(visit: Visit) -> None:
    refuse(visit.page, "/api/v1/search", code="query.timeout", detail="the query took longer than 30 s and was stopped", status=503)
    page = visit.go("/logs")
    page.get_by_role("button", name="Run").click()
    told = page.get_by_text("the query took longer than 30 s")
    expect(told).to_have_count(1)
    page.get_by_role("textbox", name="Query").fill("Syslog | take 1")
    expect(told).to_have_count(0)


def test_an_automation_rule_names_its_analytics_rule(visit: Visit) -> None:
    rule = LocalServer.find(visit.night.server.home).ask("GET", "analytics-rules")[0]
    change_answer(visit.page, "/automation-rules", lambda rules: rules[0]["conditions"].update(analytics_rules=[rule["rule_id"]]))
    cell = visit.go("/automation-rules").get_by_role("cell").filter(has_text="analytics rules")
    expect(cell).to_contain_text(rule["name"])
    expect(cell).not_to_contain_text(rule["rule_id"])


def open_new_user(visit: Visit) -> None:
    visit.go("/admin?tab=access").get_by_role("button", name="Add a user").click()


def open_account(visit: Visit) -> None:
    page = visit.go("/")
    page.get_by_role("button", name=re.compile("^You")).click()
    page.get_by_role("menuitem", name="Password and second factor").click()


def _choose_machine(visit: Visit, machine: Answer) -> Locator:
    step = {"interface": f"{machine['name']}-nic", "address": "10.1.1.5", "group_before": "web-nsg", "group_after": "IsolatedNetwork-NSG"}
    plan = {"machine_name": machine["name"], "is_protected": machine["is_protected"], "steps": [step | {"way_left_open": None}]}
    visit.page.route("**/api/v1/machines", lambda route: route.fulfill(json=[FREE, GUARDED]))
    visit.page.route("**/api/v1/isolations/plan*", lambda route: route.fulfill(json=plan))
    visit.go("/containment").get_by_role("button", name="Isolate a machine …").click()
    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_label("Machine").select_option(label=machine["name"])
    expect(dialog).to_contain_text("IsolatedNetwork-NSG")
    return dialog


def open_isolate(visit: Visit) -> None:
    dialog = _choose_machine(visit, FREE)
    dialog.get_by_role("button", name="Isolate web-2").click()
    expect(dialog).to_contain_text("Say why")


def open_isolate_protected(visit: Visit) -> None:
    expect(_choose_machine(visit, GUARDED)).to_contain_text("This machine is protected")


def open_isolate_held(visit: Visit) -> None:
    refuse(visit.page, "/api/v1/isolations", code="containment.held", detail="jump-1 is a protected machine: a person has to approve")
    dialog = _choose_machine(visit, GUARDED)
    dialog.get_by_label("Reason").fill("it guesses passwords")
    dialog.get_by_role("button", name="Isolate jump-1").click()
    expect(dialog).to_contain_text("It waits for another person's approval")


def _open_on_web_1(visit: Visit, button: str) -> None:
    path = isolation_path(visit.night, "web-1")
    change_answer(visit.page, path, lambda isolation: isolation.update(can_restart=True))
    visit.go(path.replace("isolations", "containment")).get_by_role("button", name=button).click()


def open_release(visit: Visit) -> None:
    _open_on_web_1(visit, "Release web-1 …")


def open_extend(visit: Visit) -> None:
    _open_on_web_1(visit, "Extend …")


def open_restart(visit: Visit) -> None:
    _open_on_web_1(visit, "Restart web-1 …")


def open_close(visit: Visit) -> None:
    visit.go(f"/incidents/{visit.night.filled.incident_id}").get_by_role("button", name="Close …").click()


def open_import(visit: Visit) -> None:
    visit.go("/playbooks").get_by_role("button", name="Import …").click()


def open_arm(visit: Visit) -> None:
    change_answer(visit.page, "/automation-rules", lambda rules: rules[0].update(is_enabled=False))
    visit.go("/automation-rules").get_by_role("switch").first.click()


def open_palette(visit: Visit) -> None:
    visit.go("/machines").keyboard.press("Control+k")


def open_keys(visit: Visit) -> None:
    visit.go("/machines").keyboard.press("?")


DIALOGS = {
    opener.__name__.removeprefix("open_").replace("_", " "): opener
    for opener in (
        open_new_user,
        open_account,
        open_isolate,
        open_isolate_protected,
        open_isolate_held,
        open_release,
        open_extend,
        open_restart,
        open_close,
        open_import,
        open_arm,
        open_palette,
        open_keys,
    )
}


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("name", DIALOGS)
def test_axe_finds_nothing_on_an_open_dialog(browser: Browser, night: Night, name: str, scheme: str) -> None:
    with glance(browser, night, scheme) as visit:
        DIALOGS[name](visit)
        dialog = visit.page.locator("[role=dialog], [role=alertdialog], dialog[open]")
        expect(dialog).to_have_count(1)
        visit.page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
        assert axe_findings(visit.page) == []
