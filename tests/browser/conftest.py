"""A real server on the story's data and a real browser; each page is watched for what a page must never do."""

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from examples.nordhafen.load import Filled, fill
from examples.nordhafen.runs import Playing
from examples.nordhafen.story import Story
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, StorageState, expect, sync_playwright
from tests.running import RunningServer

from guardship.server.building import STATIC
from guardship.storage.database import Database
from guardship.storage.layout import Layout

CHROMIUM = Path("/usr/bin/chromium")
WIDTH, HEIGHT = 1440, 900
STORY = Path(__file__).parents[2] / "examples/nordhafen/story.toml"
_REPORT_VIOLATIONS = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


@dataclass
class Night:
    """The server with the story in it."""

    server: RunningServer
    filled: Filled
    users: dict[str, dict[str, str]]
    long_run_id: str
    states: dict[str, StorageState] = field(default_factory=dict)
    windows: dict[str, BrowserContext] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.server.url


@dataclass
class Visit:
    """One page, and everything it did that it should not have."""

    page: Page
    night: Night
    faults: list[str] = field(default_factory=list)
    elsewhere: str = ""  # the address of another server than the night's

    @property
    def url(self) -> str:
        return self.elsewhere or self.night.url

    def go(self, path: str) -> Page:
        """Open a page of the console and wait until it stands."""
        self.page.goto(self.url + path)
        self.settle()
        return self.page

    def settle(self) -> None:
        self.page.wait_for_selector("h1, h2")
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)
        self.page.wait_for_load_state("load")

    def check(self) -> None:
        self.faults += [f"content policy: {each}" for each in self.page.evaluate("window.violations ?? []")]
        assert self.faults == []

    def watch(self) -> None:
        self.page.add_init_script(_REPORT_VIOLATIONS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        is_answer = message.text.startswith("Failed to load resource")  # an answer of ours that is no 2xx: the page shows it
        if message.type == "error" and not is_answer:
            self.faults.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.faults.append(f"asked {request.url}")


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    if not (STATIC / "index.html").exists():
        pytest.fail("the console is not built: run `make run`, or `.venv/bin/python tools/prepare.py dev`", pytrace=False)
    home = tmp_path_factory.mktemp("nordhafen") / "home"
    filled = fill(home)
    long_run_id = play_long_run(home, filled)
    story: dict[str, Any] = tomllib.loads(STORY.read_text("utf-8"))
    with RunningServer(home, sign_in_tries="5") as server:
        yield Night(server, filled, {user["name"]: user for user in story["users"]}, long_run_id)


def play_long_run(home: Path, filled: Filled) -> str:
    """200 steps: twenty conditions, each with nine actions around it; yesterday, under a number before all others."""
    layout = Layout(home)
    database = Database(layout.database)
    try:
        playing = Playing(Story(datetime.now(UTC) - timedelta(hours=20)), database, layout)
        playing.publish("Two hundred steps", json.dumps({"definition": long_definition()}), by="jonas")
        run = {"number": 2200, "playbook": "Two hundred steps", "at": "03:00:00", "by": "jonas"}
        alert: dict[str, Any] = {"alert_id": filled.alert_ids[8805], "incident_id": None, "triggers": {"security_center_alert": {}}}
        return playing.run(run, alert)
    finally:
        database.close()


def long_definition() -> dict[str, Any]:
    trigger = {
        "type": "ApiConnectionWebhook",
        "inputs": {
            "host": {"connection": {"name": "@parameters('$connections')['ascalert']['connectionId']"}},
            "path": "/Microsoft.Security/Alert/subscribe",
        },
    }
    actions: dict[str, Any] = {}
    for group in range(20):
        before = {f"After_{group - 1}": ["Succeeded"]} if group else {}
        inside = {f"Step_{group}_{step}": composed({f"Step_{group}_{step - 1}": ["Succeeded"]} if step else {}) for step in range(8)}
        actions[f"Condition_{group}"] = {"type": "If", "expression": {"equals": [1, 1]}, "actions": inside, "runAfter": before}
        actions[f"After_{group}"] = composed({f"Condition_{group}": ["Succeeded"]})
    return {"parameters": {"$connections": {"defaultValue": {}, "type": "Object"}}, "triggers": {"Alert": trigger}, "actions": actions}


def composed(run_after: dict[str, list[str]]) -> dict[str, Any]:
    return {"type": "Compose", "inputs": {"text": "a step"}, "runAfter": run_after}


@pytest.fixture(scope="session")
def browser(night: Night) -> Iterator[Browser]:
    """After the story: Playwright keeps an event loop in this thread, and the story's runs need one of their own."""
    if not CHROMIUM.exists():
        pytest.fail("there is no Chromium: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


def window(browser: Browser, night: Night, *, scheme: str = "dark", user: str | None = "jonas") -> BrowserContext:
    """A window with nothing kept from others; signed in, unless `user` is None."""
    state = _signed_in(browser, night, user) if user else None
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme="dark" if scheme == "dark" else "light",
        storage_state=state,
        locale="en-GB",
        reduced_motion="reduce",
    )
    context.set_default_timeout(10_000)
    return context


def opened(context: BrowserContext, night: Night) -> Visit:
    visit = Visit(context.new_page(), night)
    visit.watch()
    return visit


@contextmanager
def glance(browser: Browser, night: Night, scheme: str, *, user: str | None = "jonas") -> Iterator[Visit]:
    """A page in a window that is kept for all glances of its kind: what was loaded once is not loaded again.

    It is closed in any case: a page holds its news open, and a browser opens six connections to one host.
    """
    kind = f"{scheme} {user}"
    if kind not in night.windows:
        night.windows[kind] = window(browser, night, scheme=scheme, user=user)
    visit = opened(night.windows[kind], night)
    try:
        yield visit
        visit.check()
    finally:
        visit.page.close()


def _signed_in(browser: Browser, night: Night, user: str) -> StorageState:
    if user not in night.states:
        context = window(browser, night, user=None)
        try:
            sign_in(opened(context, night), user)
            night.states[user] = context.storage_state()
        finally:
            context.close()
    return night.states[user]


def sign_in(visit: Visit, user: str) -> None:
    """By name and password, as a person does."""
    page = visit.go("/sign-in")
    page.get_by_label("Name").fill(user)
    page.get_by_label("Password").fill(visit.night.users[user]["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{visit.night.url}/")
    visit.settle()


@contextmanager
def watched(context: BrowserContext, night: Night) -> Iterator[Visit]:
    """A visit whose pages are judged at its end."""
    visit = opened(context, night)
    try:
        yield visit
        visit.check()
    finally:
        context.close()


@pytest.fixture
def visit(browser: Browser, night: Night) -> Iterator[Visit]:
    """Jonas Lind, an admin, signed in, in the dark."""
    with watched(window(browser, night), night) as visit:
        yield visit


@pytest.fixture
def stranger(browser: Browser, night: Night) -> Iterator[Visit]:
    """Nobody yet."""
    with watched(window(browser, night, user=None), night) as visit:
        yield visit
