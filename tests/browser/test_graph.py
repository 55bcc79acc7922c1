"""The investigation graph of the night at Nordhafen: the path, the pane beside it, the table, the legend, and the keyboard."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from examples.nordhafen.story import Story
from playwright.sync_api import Browser, Locator, Page, Route, expect
from tests.browser.conftest import Night, Visit, glance
from tests.browser.test_every_page import axe_findings, overflow

STEPS = ["203.0.113.66 → web-1", "web-1 → jump-1", "jump-1 → db-1"]
THINGS = {
    "machine": "Machine, jump-1",
    "address": "Address, 203.0.113.66",
    "account": "Account, deploy",
    "process": "Process, pg_dump freight",
    "file": "File, authorized_keys",
    "alert": "Alert, Data leaving",
}


def graph_of(visit: Visit, more: str = "") -> Page:
    page = visit.go(f"/incidents/{visit.night.filled.incident_id}?tab=graph{more}")
    expect(page.get_by_role("complementary")).to_be_visible()
    return page


def pane_of(page: Page) -> Locator:
    return page.get_by_role("complementary")


def walk_to(page: Page, thing: str) -> None:
    """By keyboard alone: arrows to the thing, Enter."""
    things = page.get_by_role("listbox")
    things.focus()
    page.keyboard.press("Home")
    for _ in range(things.get_by_role("option").count()):
        current = things.get_attribute("aria-activedescendant")
        if (page.locator(f"#{current}").text_content() or "").startswith(thing):
            page.keyboard.press("Enter")
            return
        page.keyboard.press("ArrowRight")
    pytest.fail(f"the keyboard does not reach {thing}")


def test_the_pane_opens_on_the_machine_that_needs_somebody(visit: Visit) -> None:
    pane = pane_of(graph_of(visit))
    expect(pane.get_by_role("heading", level=2)).to_have_text("web-1")
    expect(pane).to_contain_text(re.compile(r"New connections blocked, \d\d:\d\d:\d\d"))
    expect(pane).to_contain_text("Session still live")
    expect(pane).to_contain_text("10.1.1.10")
    expect(pane).to_contain_text("3 in this incident")


def test_the_path_is_numbered_and_the_pane_says_what_breaks_it(visit: Visit) -> None:
    page = graph_of(visit)
    lines = page.get_by_role("region", name="Path into db-1").get_by_role("listitem").all_inner_texts()
    assert [re.sub(r"\s+", " ", line).split(" ", 1)[0] for line in lines] == ["1", "2", "3"]
    assert all(step in line for step, line in zip(STEPS, lines, strict=True))
    times = [re.findall(r"\d\d:\d\d:\d\d", line)[0] for line in lines]
    assert len(set(times)) == 3
    open_one = page.get_by_role("region", name="To break the path")
    expect(open_one).to_contain_text(re.compile(r"deploy was on jump-1 at \d\d:\d\d:\d\d; it is not isolated"))
    expect(open_one).to_contain_text(re.compile(r"Isolation waits for approval, \d+ min left"))
    open_one.get_by_role("link", name="Open the approval").click()
    page.wait_for_url("**/admin?tab=approvals")


def test_the_keyboard_reaches_everything_and_enter_chooses_it(visit: Visit) -> None:
    page = graph_of(visit)
    for thing in THINGS.values():
        walk_to(page, thing)
        expect(page.get_by_role("option", selected=True)).to_have_text(re.compile(f"^{thing}"))
    expect(pane_of(page).get_by_role("heading", level=2)).to_have_text("Data leaving to an address first seen tonight")
    assert "node=" in page.url
    page.reload()
    expect(pane_of(page).get_by_role("heading", level=2)).to_have_text("Data leaving to an address first seen tonight")


def test_a_thing_says_its_state(visit: Visit) -> None:
    page = graph_of(visit)
    for words in ("web-1, session still live", "jump-1, waits for approval", "db-1, isolated", "pg_dump freight, pid 4127"):
        expect(page.get_by_role("option").filter(has_text=words)).to_have_count(1)


def test_every_question_is_a_query_the_log_search_takes(visit: Visit) -> None:
    page = graph_of(visit)
    queries = []
    for thing in THINGS.values():
        walk_to(page, thing)
        expect(page.get_by_role("option", selected=True)).to_have_text(re.compile(f"^{thing}"))
        links = page.get_by_role("region", name=re.compile("^Ask about")).get_by_role("link").all()
        assert links, thing
        queries += [parse_qs(urlsplit(link.get_attribute("href") or "").query)["q"][0] for link in links]
    found = page.evaluate(
        """async (queries) => {
          const { guard } = await (await fetch("/api/v1/session")).json();
          const headers = { "Content-Type": "application/json", "X-Guard": guard };
          const ask = (query) => fetch("/api/v1/search/check", { method: "POST", headers, body: JSON.stringify({ query }) });
          return await Promise.all(queries.map(async (query) => (await ask(query)).json()));
        }""",
        queries,
    )
    assert [query for query, problems in zip(queries, found, strict=True) if problems != []] == []


def test_a_question_opens_the_log_search_with_its_answer(visit: Visit) -> None:
    page = graph_of(visit)
    pane_of(page).get_by_role("link", name="Who signed in here?").click()
    page.wait_for_url("**/logs?q=*")
    expect(page.get_by_label("Query", exact=True)).to_have_value(re.compile("Syslog"))
    answer = page.get_by_role("table", name="Log search")
    expect(answer.get_by_role("row").filter(has_text="203.0.113.66")).to_contain_text("deploy")


def test_the_table_holds_the_same_facts_in_the_order_of_time(visit: Visit) -> None:
    page = graph_of(visit)
    page.get_by_role("button", name="Table").click()
    table = page.get_by_role("table", name="Graph")
    heads = table.get_by_role("columnheader").all_inner_texts()
    assert heads[:5] == ["Step", "Time, UTC", "From", "What happened", "To"]
    rows = [row.get_by_role("cell").all_inner_texts() for row in table.locator("tbody tr").all()]
    assert [f"{row[0]} {row[2]} → {row[4]}" for row in rows if row[0]] == [f"{number} {step}" for number, step in enumerate(STEPS, start=1)]
    told = [" ".join(row[2:5]) for row in rows]
    order = [
        "failed sign-in, 1,284 times",
        "signed in as deploy web-1",
        "authorized_keys",
        "1.7 GiB out to port 443",
        "isolated db-1",
        "isolated web-1",
    ]
    places = [next(index for index, text in enumerate(told) if words in text) for words in order]
    assert places == sorted(places)
    table.locator("tbody tr").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("view=table.*node=|node=.*view=table"))


def test_the_legend_says_what_occurs_and_the_switch_takes_the_path_out(visit: Visit) -> None:
    page = graph_of(visit)
    legend = page.get_by_role("list", name="Legend").get_by_role("listitem")
    assert legend.all_inner_texts() == ["Lateral movement", "Data out", "Alert concerns", "Isolated"]
    page.get_by_role("switch", name="Lateral movement").click()
    expect(legend).to_have_text(["Alert concerns", "Isolated"])


def test_the_link_holds_what_is_chosen(visit: Visit) -> None:
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = graph_of(visit)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    address = page.evaluate("navigator.clipboard.readText()")
    page.goto(address)
    expect(pane_of(page).get_by_role("heading", level=2)).to_have_text("web-1")
    assert "node=" in address


def test_zooming_leaves_the_page_where_it_is(visit: Visit) -> None:
    page = graph_of(visit)
    page.wait_for_selector("canvas")
    for name in ("Zoom in", "Zoom out", "Show all"):
        page.get_by_role("button", name=name).click()
    assert overflow(page) == []


def without_approvals(page: Page) -> None:
    page.route("**/api/v1/approvals?*", lambda route: route.fulfill(json=[]))


def test_what_nobody_asked_for_yet_leads_to_the_dialog_that_isolates(visit: Visit) -> None:
    page = visit.page
    machine_id = str(Story(datetime.now(UTC)).machine_id("jump-1")).lower()
    machine = {"machine_id": machine_id, "name": "jump-1", "account": "nordhafen", "group": "admin-nsg", "location": "westeurope"}
    page.route(
        "**/api/v1/machines", lambda route: route.fulfill(json=[machine | {"os": "Linux", "is_protected": True, "isolation_id": None}])
    )
    without_approvals(page)
    graph_of(visit)
    page.get_by_role("region", name="To break the path").get_by_role("link", name="Isolate jump-1 …").click()
    expect(page.get_by_role("dialog").get_by_label("Machine")).to_have_value(machine_id)


def test_a_reader_is_not_offered_to_isolate(visit: Visit) -> None:
    page = visit.page
    without_approvals(page)

    def as_reader(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | {"role": "reader"})

    page.route("**/api/v1/session", as_reader)
    graph_of(visit)
    open_one = page.get_by_role("region", name="To break the path")
    expect(open_one).to_contain_text("it is not isolated")
    expect(open_one.get_by_role("link", name=re.compile("^Isolate"))).to_have_count(0)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("view", ["", "&view=table"], ids=["drawing", "table"])
def test_each_view_is_clean_in_each_theme(browser: Browser, night: Night, view: str, scheme: str) -> None:
    with glance(browser, night, scheme) as visit:
        page = graph_of(visit, view)
        if not view:
            page.wait_for_selector("canvas")
        assert axe_findings(page) == []
        assert overflow(page) == []
