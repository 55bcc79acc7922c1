"""The story as a new user sees it: a server with nothing in it, the demo's button, a real attack, the answer, the release."""

import re
import signal
from pathlib import Path

from playwright.sync_api import Browser, expect
from tests.browser.conftest import Night, Visit, window
from tests.commands import command_up, environment_for
from tests.running import until

ATTACK_MS = 60_000


def test_a_new_user_starts_the_demo_and_walks_from_the_alert_to_the_release(browser: Browser, night: Night, tmp_path: Path) -> None:
    output = tmp_path / "out.txt"
    with output.open("w+") as log, command_up(environment_for(tmp_path / "home"), log, "--no-lab") as command:
        context = window(browser, night, user=None)
        try:
            until(lambda: "sign-in?link=" in output.read_text() or command.poll() is not None, seconds=60)
            link = re.search(r"http://127\.0\.0\.1:\d+/sign-in\?link=\S+", output.read_text())
            assert link, output.read_text()
            visit = Visit(context.new_page(), night, elsewhere=link[0].partition("/sign-in")[0])
            visit.watch()
            visit.page.goto(link[0])
            see_the_machine_cut_off(visit)
            walk_to_the_job(visit)
            release(visit)
            visit.check()
        finally:
            context.close()
            command.send_signal(signal.SIGINT)


def see_the_machine_cut_off(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Start the demo").click()
    isolated = page.get_by_role("banner").get_by_role("link", name="1 isolated")
    expect(isolated).to_be_visible(timeout=ATTACK_MS)
    isolated.click()
    for finding in ("New connections blocked", "Live sessions cut", "Cloud identity shut"):
        expect(page.get_by_role("region", name=finding)).to_contain_text("Proved", timeout=ATTACK_MS)


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
