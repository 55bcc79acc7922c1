"""The night at Nordhafen, walked in a browser as a responder walks it."""

import re

import pyotp
import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit, sign_in

STILL_CONNECTED = "The attacker is still connected to web-1"


def test_mara_signs_in_and_sees_the_one_thing_that_needs_her(stranger: Visit) -> None:
    sign_in(stranger, "mara")
    page = stranger.page
    expect(page.get_by_role("heading", level=1)).to_have_text("2 things need you now")
    expect(page.get_by_role("heading", name=STILL_CONNECTED)).to_be_visible()
    expect(page.locator("main .lamp")).to_have_count(1)
    expect(page.get_by_role("banner").get_by_role("link", name="2 isolated")).to_be_visible()


def test_a_wrong_password_says_how_many_tries_are_left(stranger: Visit) -> None:
    page = stranger.go("/sign-in")
    page.get_by_label("Name").fill("nobody-here")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("4 tries left")


@pytest.mark.parametrize(("path", "title"), [("/", "need"), ("/containment", "Containment"), ("/incidents", "Incidents")])
def test_whoever_is_not_signed_in_comes_back_to_the_page_they_wanted(stranger: Visit, path: str, title: str) -> None:
    page = stranger.page
    page.goto(f"{stranger.night.url}{path}")
    page.get_by_label("Name").fill("mara")
    page.get_by_label("Password").fill(stranger.night.users["mara"]["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("main").get_by_role("heading", level=1)).to_contain_text(title)
    stranger.settle()
    assert page.url == f"{stranger.night.url}{path}"


def test_the_timeline_has_a_line_for_each_entry(visit: Visit) -> None:
    page = visit.go(f"/incidents/{visit.night.filled.incident_id}")
    page.locator(".timeline li").first.wait_for()
    heights = page.locator(".timeline li").evaluate_all("(rows) => rows.map((row) => row.getBoundingClientRect().height)")
    assert len(heights) > 5
    assert max(heights) < 80


def test_the_lamp_leads_to_the_session_that_lives_on(visit: Visit) -> None:
    page = visit.go("/")
    page.locator("main .lamp").get_by_role("link", name="Open containment").click()
    page.wait_for_url(f"**/containment/{visit.night.filled.isolation_ids['web-1']}")
    finding = page.get_by_role("region", name="Live sessions cut")
    expect(finding).to_contain_text("Not cut")
    expect(finding).to_contain_text("203.0.113.66:51544 → web-1:22")
    expect(page.get_by_role("region", name="New connections blocked")).to_contain_text("Proved")
    expect(page.get_by_role("region", name="Cloud identity shut")).to_contain_text("Proved")


def test_the_timeline_holds_alerts_events_and_our_own_acts_newest_first(visit: Visit) -> None:
    page = visit.go(f"/incidents/{visit.night.filled.incident_id}")
    lines = page.get_by_role("region", name="Timeline").get_by_role("listitem")
    texts = lines.all_inner_texts()
    order = ["Isolate jump-1 waits", "1 session still live", "Data leaving", "deploy signed in to web-1", "Password guessing"]
    places = [next(index for index, text in enumerate(texts) if wanted in text) for wanted in order]
    assert places == sorted(places)
    page.get_by_role("button", name=re.compile("^Alerts")).click()
    expect(lines.filter(has_text="Data leaving")).to_have_count(0)
    expect(lines.filter(has_text="1 session still live")).to_have_count(1)


def test_the_graph_has_a_twin_that_is_a_table(visit: Visit) -> None:
    page = visit.go(f"/incidents/{visit.night.filled.incident_id}?tab=graph")
    expect(page.get_by_role("img", name=re.compile("Investigation graph.*web-1"))).to_be_visible()
    page.get_by_role("button", name="Table").click()
    table = page.get_by_role("table", name="Graph")
    expect(table.get_by_role("row").filter(has_text="203.0.113.66").filter(has_text="web-1").first).to_be_visible()


def test_one_click_on_an_action_shows_its_input_and_output_side_by_side(visit: Visit) -> None:
    page = visit.go(f"/runs/{visit.night.filled.run_ids[2294]}")
    page.locator(".react-flow").get_by_role("button", name=re.compile("^Prove the cut")).click()
    pane = page.get_by_role("complementary", name="Prove the cut")
    expect(pane.get_by_role("region", name="Input")).to_contain_text("/machines/db-1/verify")
    expect(pane.get_by_role("region", name="Output")).to_contain_text('"live_sessions_cut": "verified"')
    left, right = (pane.get_by_role("region", name=name).bounding_box() for name in ("Input", "Output"))
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["x"] < right["x"]
    expect(page).to_have_url(re.compile("action=Prove_the_cut"))


def test_a_condition_says_why_this_branch(visit: Visit) -> None:
    page = visit.go(f"/runs/{visit.night.filled.run_ids[2292]}")
    graph = page.locator(".react-flow")
    graph.get_by_role("button", name=re.compile("^Is the severity High")).click()
    why = page.get_by_role("region", name="Why this branch")
    expect(why).to_contain_text("triggerBody()?['Severity']")
    expect(why).to_contain_text('"Medium"')
    expect(why).to_contain_text("false")
    expect(graph.get_by_role("button", name=re.compile("^Run IsolateVM"))).to_contain_text("Skipped")


def test_a_run_says_whether_its_effect_was_proved(visit: Visit) -> None:
    page = visit.go("/runs")
    runs = page.get_by_role("complementary", name="Runs").get_by_role("listitem")
    for number, word in ((2294, "Proved"), (2295, "Not proved"), (2296, "Waiting"), (2293, "Done"), (2284, "Failed")):
        expect(runs.filter(has_text=str(number))).to_contain_text(word)


def _open_release(visit: Visit) -> Page:
    page = visit.go(f"/containment/{visit.night.filled.isolation_ids['db-1']}")
    page.get_by_role("button", name="Release db-1 …").click()
    return page


def test_enter_never_releases_and_the_focus_goes_back(visit: Visit) -> None:
    page = _open_release(visit)
    dialog = page.get_by_role("alertdialog")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    expect(dialog).to_contain_text("IsolatedNetwork-NSG → data-nsg")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    dialog.get_by_label("Reason").press_sequentially("all clear")
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    assert asked == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Release db-1 …")).to_be_focused()


def test_a_release_without_a_reason_is_an_error_at_its_field(visit: Visit) -> None:
    page = _open_release(visit)
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_role("button", name="Release db-1").click()
    expect(dialog).to_contain_text("Say why; it goes into the audit log.")
    expect(dialog.get_by_label("Reason")).to_have_attribute("aria-invalid", "true")


def test_the_palette_finds_the_incident_by_keyboard_alone(visit: Visit) -> None:
    page = visit.go("/machines")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").press_sequentially("1042")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{visit.night.filled.incident_id}")


def test_arrows_walk_a_table_and_enter_opens_its_row(visit: Visit) -> None:
    page = visit.go("/incidents")
    rows = page.get_by_role("table", name="Incidents").locator("tbody tr")
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(rows.first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{visit.night.filled.incident_id}")


def test_a_question_mark_lists_the_keys_and_f6_walks_the_regions(visit: Visit) -> None:
    page = visit.go("/incidents")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Walk the rows")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("F6")
    page.keyboard.press("F6")
    assert page.evaluate("document.activeElement.closest('nav.rail, header.top, main') !== null")


def test_language_and_colours_switch_and_are_kept(visit: Visit) -> None:
    page = visit.go("/containment")
    page.get_by_role("button", name="You: Jonas Lind").click()
    page.get_by_role("menuitemradio", name="Deutsch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Eindämmung")
    page.get_by_role("button", name="Sie: Jonas Lind").click()
    page.get_by_role("menuitemradio", name="Hell").click()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Eindämmung")
    assert page.evaluate("[document.documentElement.lang, document.documentElement.style.colorScheme]") == ["de", "light"]


def test_a_table_can_be_had_as_csv(visit: Visit) -> None:
    page = visit.go("/incidents")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").click()
    text = waiting.value.path().read_text("utf-8")
    assert text.startswith("Severity,#,Title")
    assert '1042,"Password guessing on web-1, then data leaving db-1"' in text


def test_an_admin_adds_a_person_who_then_guards_their_way_in(visit: Visit, stranger: Visit) -> None:
    page = visit.go("/admin?tab=access")
    page.get_by_role("button", name="Add a user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(re.compile("^Name")).fill("lena")
    dialog.get_by_label("Shown as").fill("Lena Kask")
    dialog.get_by_label("First password").fill("a first password")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("main")).to_contain_text("Lena Kask")

    stranger.night.users["lena"] = {"name": "lena", "password": "a first password"}
    sign_in(stranger, "lena")
    page = stranger.page
    page.get_by_role("button", name="You: Lena Kask").click()
    page.get_by_role("menuitem", name="Password and second factor").click()
    password = page.get_by_role("form", name="Password")
    password.get_by_label("Password now").fill("a first password")
    password.get_by_label("New password").fill("a second password")
    password.get_by_role("button", name="Change it").click()
    expect(password.get_by_role("status")).to_contain_text("Changed")
    factor = page.get_by_role("form", name="Second factor")
    factor.get_by_role("button", name="Set it up").click()
    secret = factor.get_by_label("Secret for the app").input_value()
    factor.get_by_label("Code the app shows now").fill("000000")
    factor.get_by_role("button", name="Put it in force").click()
    expect(factor.get_by_role("alert")).to_be_visible()
    factor.get_by_label("Code the app shows now").fill(pyotp.TOTP(secret).now())
    factor.get_by_role("button", name="Put it in force").click()
    expect(factor.get_by_role("status")).to_contain_text("In force")
    page.get_by_role("button", name="Close").click()

    page.get_by_role("button", name="You: Lena Kask").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.wait_for_url("**/sign-in*")
    page.get_by_label("Name").fill("lena")
    page.get_by_label("Password").fill("a second password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label(re.compile("code", re.IGNORECASE))).to_be_visible()
