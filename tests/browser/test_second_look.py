"""What somebody who is new to the console stumbled over: cut columns, acts at one press, dead ends, sentences that were not so."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.browser.conftest import Night, Visit, glance, watched, window
from tests.browser.making import SCRIPT, ask, button, imported, published, row, some, whole
from tests.browser.test_every_page import axe_findings, overflow
from tests.browser.test_words import FREE, GUARDED, change_answer, later, refuse

REQUEST = {"type": "Request", "kind": "Http", "inputs": {}}

# ---- runs


def outside(page: Page, frame: str, parts: str) -> list[str]:
    """Which parts stand wider than their frame."""
    found: list[str] = page.evaluate(
        """([frame, parts]) => {
          const around = document.querySelector(frame).getBoundingClientRect();
          return [...document.querySelectorAll(parts)].filter((each) => {
            const box = each.getBoundingClientRect();
            return box.left < around.left - 1 || box.right > around.right + 1;
          }).map((each) => each.className + " " + each.textContent);
        }""",
        [frame, parts],
    )
    return found


@pytest.mark.parametrize("width", [1280, 1440])
def test_a_run_stands_within_its_columns(visit: Visit, width: int) -> None:
    page = visit.page
    page.set_viewport_size({"width": width, "height": 900})
    visit.go(f"/runs/{visit.night.filled.run_ids[2294]}")
    page.wait_for_selector(".react-flow__node")
    expect(page.locator(".react-flow").get_by_role("button", name=re.compile("^Alert raised"))).to_be_visible()
    page.wait_for_function("document.querySelector('.react-flow__viewport').style.transform.includes('scale')")
    assert outside(page, ".run-middle", ".run-middle .facts, .time-bar, .time-bar > *, .react-flow, .react-flow__node") == []
    pane = page.locator(".run-pane").bounding_box()
    assert pane
    assert pane["x"] + pane["width"] <= width
    assert overflow(page) == []


def test_below_1280_the_action_is_a_tab_beside_the_graph(visit: Visit) -> None:
    page = visit.page
    page.set_viewport_size({"width": 1100, "height": 900})
    visit.go(f"/runs/{visit.night.filled.run_ids[2294]}")
    graph = page.locator(".react-flow")
    pane = page.get_by_role("complementary", name="Prove the cut")
    prove = graph.get_by_role("button", name=re.compile("^Prove the cut"))
    expect(prove).to_be_visible()
    expect(pane).to_have_count(0)
    prove.click()
    expect(pane).to_be_visible()
    expect(prove).to_be_hidden()
    assert axe_findings(page) == []
    button(page, "Run graph").click()
    expect(pane).to_have_count(0)
    expect(prove).to_be_visible()
    assert overflow(page) == []


def test_a_wheel_scrolls_the_graph_and_a_focus_brings_its_node_into_sight(visit: Visit) -> None:
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 620})
    visit.go(f"/runs/{visit.night.filled.run_ids[2294]}")
    graph = page.locator(".react-flow")
    first = graph.get_by_role("button", name=re.compile("^Alert raised"))
    expect(first).to_be_in_viewport()
    graph.hover()
    page.mouse.wheel(0, 400)
    expect(first).not_to_be_in_viewport()
    graph.get_by_role("button", name=re.compile("^Pick machine")).press("Shift+Tab")
    expect(first).to_be_focused()
    expect(first).to_be_in_viewport(ratio=1)


def test_one_click_on_the_trigger_shows_its_body_and_headers(visit: Visit) -> None:
    night = visit.night
    actions = {"A": {"type": "Compose", "inputs": 1, "runAfter": {}}}
    playbook_id = published(night, some("Called"), json.dumps({"definition": {"triggers": {"When_called": REQUEST}, "actions": actions}}))
    address = ask(night, "GET", f"playbooks/{playbook_id}")["callback_urls"]["When_called"]
    visit.page.request.post(address, data=json.dumps({"vm": "web-7"}), headers={"Content-Type": "application/json", "X-From": "the gate"})
    run_id = ask(night, "GET", f"runs?playbook_id={playbook_id}")[0]["run_id"]
    page = visit.go(f"/runs/{run_id}")
    page.locator(".react-flow").get_by_role("button", name=re.compile("^When called")).click()
    pane = page.get_by_role("complementary", name="When called")
    expect(pane.get_by_role("region", name="Body")).to_contain_text('"vm": "web-7"')
    expect(pane.get_by_role("region", name="Headers")).to_contain_text("the gate")
    expect(page.locator(".react-flow").get_by_role("button", name=re.compile("^When called"))).to_have_attribute("aria-pressed", "true")
    assert axe_findings(page) == []


# ---- acts that ask first


@pytest.mark.parametrize("path", ["/incidents/{incident}", "/alerts/{alert}"])
def test_a_playbook_is_run_only_after_it_was_asked(visit: Visit, path: str) -> None:
    night, name = visit.night, some("Answer")
    playbook_id = published(night, name, whole())
    page = visit.go(path.format(incident=night.filled.incident_id, alert=night.filled.alert_ids[8805]))
    opener = button(page, f"Run playbook: {name}")
    opener.click()
    dialog = page.get_by_role("alertdialog", name=f"Run {name}?")
    expect(dialog).to_contain_text("Alert 8805")
    expect(dialog).to_contain_text("It acts for real")
    expect(button(dialog, "Not now")).to_be_focused()
    assert axe_findings(page) == []
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()
    assert ask(night, "GET", f"runs?playbook_id={playbook_id}") == []
    opener.click()
    button(dialog, "Run playbook").click()
    expect(page.get_by_role("link", name=re.compile(r"^Run \d+ started$"))).to_be_visible()
    assert len(ask(night, "GET", f"runs?playbook_id={playbook_id}")) == 1


# ---- jobs


def test_a_job_that_runs_shows_its_lines_as_they_come(visit: Visit) -> None:
    night, name = visit.night, some("Runbook")
    said: list[dict[str, Any]] = []
    ask(night, "PUT", f"runbooks/{name}/draft", {"script": SCRIPT})
    ask(night, "POST", f"runbooks/{name}/publish")
    job = ask(night, "POST", "jobs", {"runbook": name, "parameters": {"VMName": "web-1"}})
    job_id = str(job["job_id"])
    page = visit.page
    change_answer(page, f"/jobs/{job_id}", lambda body: body.update(status="Running", ended_at=None))
    line = {"stream_id": 1, "kind": "Output", "at": job["created_at"], "text": "half way"}
    page.route(f"**/api/v1/jobs/{job_id}/streams", lambda route: route.fulfill(json=list(said)))
    visit.go(f"/jobs/{job_id}")
    streams = page.locator("pre.code").first
    expect(streams).to_have_text("")
    said.append(line)
    expect(streams).to_contain_text("half way")


# ---- people


def test_an_admin_changes_a_role_and_shuts_the_door(visit: Visit) -> None:
    night, name = visit.night, some("eve").replace(" ", "-")
    ask(night, "POST", "users", {"name": name, "role": "reader", "password": "a long enough word"})
    page = visit.go("/admin?tab=access")
    expect(row(page, name)).to_contain_text("May come in")
    expect(button(page, "Change jonas …")).to_have_count(0)
    expect(page.get_by_role("main")).to_contain_text("guardship admin reset")
    opener = button(page, f"Change {name} …")
    opener.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Role").select_option("responder")
    dialog.get_by_role("checkbox", name="Disabled").check()
    assert axe_findings(page) == []
    button(dialog, f"Change {name}").click()
    expect(row(page, name)).to_contain_text("responder")
    expect(row(page, name)).to_contain_text("Disabled since")
    expect(opener).to_be_focused()
    found = next(each for each in ask(night, "GET", "users") if each["name"] == name)
    assert (found["role"], found["disabled_at"] is None) == ("responder", False)
    opener.click()
    dialog.get_by_label("Role").select_option("reader")
    button(dialog, f"Change {name}").click()
    expect(row(page, name)).to_contain_text("reader")
    again = next(each for each in ask(night, "GET", "users") if each["name"] == name)
    assert again["disabled_at"] == found["disabled_at"]


def test_others_than_admins_read_a_sentence_instead_of_nothing(browser: Browser, night: Night) -> None:
    with glance(browser, night, "dark", user="mara") as visit:
        page = visit.go("/admin?tab=access")
        expect(page.get_by_role("main")).to_contain_text("Who may come in is for admins to see and to change.")
        expect(button(page, "Add a user")).to_have_count(0)


# ---- containment


def test_extending_says_for_how_long_and_that_another_person_approves(visit: Visit) -> None:
    isolation_id = visit.night.filled.isolation_ids["web-1"]
    page = visit.page
    page.route("**/extend", lambda route: route.fulfill(status=202, json={"approval_id": "appr_1"}))
    visit.go(f"/containment/{isolation_id}")
    button(page, "Extend …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This asks for 4 h more.")
    expect(dialog).to_contain_text("until another person has approved")
    dialog.get_by_label("Reason").fill("the disk is not read yet")
    button(dialog, "Ask for it").click()
    expect(button(dialog, "Close")).to_be_focused()


def choose(visit: Visit, machine: dict[str, Any]) -> Locator:
    plan = {"machine_name": machine["name"], "machine_id": machine["machine_id"], "is_protected": machine["is_protected"], "steps": []}
    visit.page.route("**/api/v1/machines", lambda route: route.fulfill(json=[FREE, GUARDED]))
    visit.page.route("**/api/v1/isolations/plan*", lambda route: route.fulfill(json=plan))
    button(visit.go("/containment"), "Isolate a machine …").click()
    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_label("Machine").select_option(label=machine["name"])
    return dialog


def test_isolating_says_that_the_cap_may_ask(visit: Visit) -> None:
    expect(choose(visit, FREE)).to_contain_text("as many machines are isolated as the cap allows")


def test_the_focus_stays_in_a_dialog_whose_act_was_held(visit: Visit) -> None:
    refuse(visit.page, "/api/v1/isolations", code="containment.held", detail="jump-1 is a protected machine")
    dialog = choose(visit, GUARDED)
    dialog.get_by_label("Reason").fill("it guesses passwords")
    dialog.get_by_role("button", name="Isolate jump-1").press("Enter")
    expect(dialog.get_by_role("link", name="Approvals")).to_be_focused()


def test_nobody_is_offered_to_approve_what_they_asked_for(visit: Visit) -> None:
    def ask_as_jonas(approvals: list[dict[str, Any]]) -> None:
        waiting = next(each for each in approvals if each["answer"] == "waiting")
        waiting.update(asked_by="user jonas", title="Isolate it for me", expires_at=later(waiting["asked_at"], 24))

    change_answer(visit.page, "/approvals", ask_as_jonas)
    page = visit.go("/admin?tab=approvals")
    own = page.get_by_role("region", name="Isolate it for me")
    expect(own).to_contain_text("You asked for this yourself: another person has to answer.")
    expect(button(own, "Approve")).to_have_count(0)


def test_a_longer_lease_that_waits_says_so(visit: Visit) -> None:
    change_answer(visit.page, "/approvals?waiting=true", lambda found: found[0].update(kind="containment.extend"))
    page = visit.go("/containment")
    expect(page.get_by_role("row").filter(has_text="Waits: longer lease")).to_have_count(1)


def test_no_isolation_is_said_plainly(visit: Visit) -> None:
    visit.page.route("**/api/v1/isolations", lambda route: route.fulfill(json=[]))
    page = visit.go("/containment")
    expect(page.get_by_role("main")).to_contain_text("No machine is isolated")
    expect(page.get_by_role("main")).not_to_contain_text("0 machines")


# ---- what is said


def test_the_title_counts_what_is_listed(visit: Visit) -> None:
    def add(found: dict[str, Any]) -> None:
        mine = found["incidents"][0]
        found["approvals"] = []
        found["incidents"] = [mine, *({**mine, "incident_id": f"inc_{number}", "number": number, "owner": None} for number in (7, 8))]

    change_answer(visit.page, "/overview", add)
    page = visit.go("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("3 things need you now")  # the lamp, and two that nobody has
    expect(page.get_by_role("table", name="Next in line").get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("table", name="Also open").get_by_role("row").filter(has_text="Mara Okafor")).to_have_count(1)
    assert axe_findings(page) == []


def test_the_age_of_a_closed_incident_does_not_grow(visit: Visit) -> None:
    closed = next(each for each in ask(visit.night, "GET", "incidents") if each["status"] == "Closed" and each["number"] != 1042)
    path = f"/incidents/{closed['incident_id']}"
    change_answer(visit.page, path, lambda found: found.update(closed_at=later(found["created_at"], 0.5)))
    facts = visit.go(path).locator(".record-facts")
    expect(facts).to_contain_text("was open 30 min")
    expect(facts.locator("div").filter(has_text="Opened")).not_to_contain_text(",")


def test_a_request_trigger_works_once_published_and_its_address_is_copied(browser: Browser, night: Night) -> None:
    context = window(browser, night)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    playbook_id = imported(night, some("Called"), whole(REQUEST))
    with watched(context, night) as visit:
        page = visit.go(f"/playbooks/{playbook_id}")
        expect(page.get_by_role("main")).to_contain_text("works from the moment it is published")
        expect(page.get_by_role("main")).not_to_contain_text("Publishing arms nothing")
        button(page, "Publish").click()
        expect(button(page, "Publish")).to_be_disabled()
        address = page.get_by_label("Address of its Request trigger")
        button(page, "Copy").click()
        expect(page.get_by_text("Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == address.input_value()
        assert axe_findings(page) == []
        ask(night, "PUT", f"playbooks/{playbook_id}/draft", {"document": whole(REQUEST).replace('"inputs": 1', '"inputs": 2')})
        visit.go(f"/playbooks/{playbook_id}")
        expect(button(page, "Publish")).to_be_enabled()


def test_a_playbook_without_an_address_still_says_that_publishing_arms_nothing(visit: Visit) -> None:
    page = visit.go(f"/playbooks/{imported(visit.night, some('Answer'), whole())}")
    expect(page.get_by_role("main")).to_contain_text("Publishing arms nothing")


def test_the_places_of_problems_stay_in_their_panel(visit: Visit) -> None:
    deep = "Step_" + "with_a_very_long_name_" * 6
    text = json.dumps({"definition": {"triggers": {"Start": REQUEST}, "actions": {deep: {"type": "Nothing_of_the_kind", "runAfter": {}}}}})
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    page = visit.go(f"/playbooks/{imported(visit.night, some('Wrong'), text)}")
    problems = page.locator(".problem-list")
    expect(problems).to_contain_text("very_long_name")
    assert problems.evaluate("(each) => each.scrollWidth - each.clientWidth") <= 0
    assert outside(page, "main .columns > div", ".problem-list li > *, .problem-list .mono") == []


# ---- finding


def finds(page: Page, text: str, goal: str | re.Pattern[str]) -> None:
    """Types and takes the goal, from where the page stands."""
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill(text)
    page.get_by_role("option", name=goal).first.click()
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_everything_with_a_name_is_found(visit: Visit) -> None:
    night, filled = visit.night, visit.night.filled
    runbook = some("Find me")
    ask(night, "PUT", f"runbooks/{runbook}/draft", {"script": SCRIPT})
    goals: list[tuple[str, str | re.Pattern[str], str]] = [
        ("Isolate one", "Playbook: Isolate one machine", f"/playbooks/{filled.playbook_ids['Isolate one machine']}"),
        (runbook, f"Runbook: {runbook}", "/runbooks/"),
        ("Medium and High", "Automation rule: Medium and High alerts", "/automation-rules"),
        ("DNS tunn", "Analytics rule: DNS tunnelling", "/analytics-rules"),
        ("Alert 8805", re.compile("^Alert 8805"), f"/alerts/{filled.alert_ids[8805]}"),
        (": db-1", re.compile(r"^Isolation \d+: db-1"), f"/containment/{filled.isolation_ids['db-1']}"),
        ("web-2", "Machine web-2", "/machines"),
        ("tokens", "Admin: API tokens", "/admin?tab=tokens"),
        ("audit", "Admin: Audit", "/admin?tab=audit"),
        ("access", "Admin: Access", "/admin?tab=access"),
        ("runbooks", "Runbooks & jobs", "/runbooks"),
    ]
    visit.page.route("**/api/v1/machines", lambda route: route.fulfill(json=[FREE]))
    page = visit.go("/")
    for text, goal, path in goals:
        finds(page, text, goal)
        expect(page).to_have_url(re.compile(re.escape(path)))


@pytest.mark.parametrize("text", ["203.0.113.66", "deploy"])
def test_an_address_or_an_account_leads_to_the_incident_that_names_it_and_to_the_logs(visit: Visit, text: str) -> None:
    page = visit.go("/")
    finds(page, text, f"Incident 1042 names {text}")
    expect(page).to_have_url(re.compile(f"/incidents/{visit.night.filled.incident_id}"))
    finds(page, text, f"Logs: alerts that name {text}")
    expect(page.get_by_role("textbox", name="Query")).to_have_value(re.compile(re.escape(text)))
    expect(page.get_by_role("main")).to_contain_text("Data leaving" if text != "deploy" else "Sign-in")


# ---- keys


def test_the_help_lists_only_keys_that_work_here(visit: Visit) -> None:
    page = visit.page
    for path, has_rows in (("/incidents", True), (f"/incidents/{visit.night.filled.incident_id}", False), ("/machines", False)):
        visit.go(path)
        page.keyboard.press("?")
        keys = page.get_by_role("dialog", name="Keys of this page")
        expect(keys.get_by_text("Walk the rows")).to_have_count(int(has_rows))
        page.keyboard.press("Escape")


def test_j_goes_to_the_first_row_and_on(visit: Visit) -> None:
    page = visit.go("/incidents")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("row").nth(1)).to_be_focused()
    page.keyboard.press("j")
    expect(page.get_by_role("row").nth(2)).to_be_focused()


def test_a_probe_says_its_whole_target_and_a_long_title_ends_with_its_frame(visit: Visit) -> None:
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 800})
    visit.go("/containment")
    targets = page.locator(".probe .mono")
    expect(targets.first).to_be_visible()
    assert targets.evaluate_all("(all) => all.every((each) => each.scrollWidth <= each.clientWidth + 1)")
    visit.go(f"/runs/{visit.night.filled.run_ids[2294]}")
    rows = page.locator(".node > .row")
    expect(rows.first).to_be_visible()
    assert rows.evaluate_all(
        "(all) => all.every((each) => each.getBoundingClientRect().right <= each.parentElement.getBoundingClientRect().right)"
    )


def test_the_edges_of_a_run_stay_while_the_clock_ticks(visit: Visit) -> None:
    page = visit.go(f"/runs/{visit.night.filled.run_ids[2294]}")
    expect(page.locator(".react-flow__edge").first).to_be_attached()
    visit.settle()
    page.evaluate("""() => {
        window.lost = 0;
        const watch = new MutationObserver((changes) => changes.forEach((change) => { window.lost += change.removedNodes.length; }));
        watch.observe(document.querySelector(".react-flow__edges"), { childList: true, subtree: true });
    }""")
    clock = page.get_by_text(re.compile(r"\d\d:\d\d:\d\d UTC$")).first
    for _ in range(2):
        seen = clock.text_content() or ""
        expect(clock).not_to_have_text(seen)
    assert page.evaluate("window.lost") == 0
