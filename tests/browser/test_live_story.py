"""The story as a new user sees it: a server with nothing in it, the demo's button, a real attack, the answer, the release."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, expect
from tests.browser.conftest import Night, Visit, window
from tests.commands import command_up, environment_for
from tests.running import until

ATTACK_MS = 60_000


@contextmanager
def newcomer(browser: Browser, night: Night, home: Path, **settings: str) -> Iterator[Visit]:
    """Somebody who opens the link that the command prints, on a server with nothing in it."""
    output = home.with_name("out.txt")
    with output.open("w+") as log, command_up(environment_for(home) | settings, log, "--no-lab") as command:
        context = window(browser, night, user=None)
        try:
            until(lambda: "sign-in?link=" in output.read_text() or command.poll() is not None, seconds=60)
            link = re.search(r"http://127\.0\.0\.1:\d+/sign-in\?link=\S+", output.read_text())
            assert link, output.read_text()
            visit = Visit(context.new_page(), night, elsewhere=link[0].partition("/sign-in")[0])
            visit.watch()
            visit.page.goto(link[0])
            yield visit
            visit.check()
        finally:
            context.close()
            command.send_signal(signal.SIGINT)


def test_a_new_user_starts_the_demo_and_walks_from_the_alert_to_the_release(browser: Browser, night: Night, tmp_path: Path) -> None:
    with newcomer(browser, night, tmp_path / "home") as visit:
        start_the_demo(visit)
        for finding in ("New connections blocked", "Live sessions cut", "Cloud identity shut"):
            expect(visit.page.get_by_role("region", name=finding)).to_contain_text("Proved", timeout=ATTACK_MS)
        walk_to_the_job(visit)
        release(visit)


def test_where_the_session_lives_on_a_restart_ends_it(browser: Browser, night: Night, tmp_path: Path) -> None:
    with newcomer(browser, night, tmp_path / "home", GUARDSHIP_LAB_MODE="azure") as visit:
        start_the_demo(visit)
        sessions = visit.page.get_by_role("region", name="Live sessions cut")
        expect(sessions).to_contain_text("Not cut", timeout=ATTACK_MS)
        sessions.get_by_role("button", name="Restart web-1 …").click()
        dialog = visit.page.get_by_role("alertdialog")
        dialog.get_by_role("button", name="Restart web-1").click()
        expect(dialog).to_contain_text("Say why")
        dialog.get_by_label("Reason").fill("the session has to end")
        dialog.get_by_role("button", name="Restart web-1").click()
        expect(dialog).to_have_count(0)
        expect(sessions).to_contain_text("Proved")


def start_the_demo(visit: Visit) -> None:
    """Until the machine is isolated, and its isolation on the screen."""
    visit.page.get_by_role("button", name="Start the demo").click()
    isolated = visit.page.get_by_role("banner").get_by_role("link", name="1 isolated")
    expect(isolated).to_be_visible(timeout=ATTACK_MS)
    isolated.click()


def walk_to_the_job(visit: Visit) -> None:
    page = visit.go("/incidents")
    page.get_by_role("table", name="Incidents").locator("tbody tr").first.click()
    page.get_by_role("link", name=re.compile("^Runs")).click()
    page.get_by_role("region", name="Runs").get_by_role("link", name=re.compile("^Run ")).first.click()
    page.locator(".react-flow").get_by_role("button", name=re.compile("job", re.IGNORECASE)).first.click()
    expect(page.get_by_role("region", name="Input")).to_contain_text("web-1")
    expect(page.get_by_role("region", name="Job log")).to_contain_text("IsolatedNetwork-NSG")


def release(visit: Visit) -> None:
    page = visit.go("/containment")
    page.get_by_role("button", name="Release web-1 …").click()
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_label("Reason").fill("seen, and cleaned")
    dialog.get_by_role("button", name="Release web-1").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("main")).to_contain_text("Released")
    expect(page.get_by_role("banner").get_by_role("link", name="1 isolated")).to_have_count(0)
