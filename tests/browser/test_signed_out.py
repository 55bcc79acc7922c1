"""Whoever is signed out, by hand or by time, stands before the sign-in page in every tab, with the way back to what was open."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import BrowserContext, Page, expect
from tests.browser.conftest import Visit, opened, sign_in


@contextmanager
def second_tab(visit: Visit) -> Iterator[Page]:
    """Another page of the same browser, on what nobody would guess."""
    other = opened(visit.page.context, visit.night)
    other.go("/logs?q=Syslog")
    yield other.page
    other.check()


def stands_before_sign_in(page: Page, way_back: str) -> None:
    page.wait_for_url(f"**/sign-in?next={way_back}")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Live")).to_have_count(0)


def end_session(context: BrowserContext) -> None:
    context.clear_cookies()  # as if its time had come


def test_signing_out_in_one_tab_does_so_in_the_others(stranger: Visit) -> None:
    sign_in(stranger, "mara")
    with second_tab(stranger) as other:
        stranger.page.bring_to_front()
        stranger.page.get_by_role("button", name="You: ").click()
        stranger.page.get_by_role("menuitem", name="Sign out").click()
        stranger.page.wait_for_url("**/sign-in*")
        stands_before_sign_in(other, "%2Flogs%3Fq%3DSyslog")
        other.get_by_label("Name").fill("mara")
        other.get_by_label("Password").fill(stranger.night.users["mara"]["password"])
        other.get_by_role("button", name="Sign in").click()
        other.wait_for_url("**/logs?q=Syslog")


def test_a_click_after_the_session_has_ended_leads_to_sign_in(stranger: Visit) -> None:
    sign_in(stranger, "mara")
    page = stranger.go("/logs")
    expect(page.get_by_text("Live")).to_be_visible()
    end_session(page.context)
    page.get_by_role("link", name="Machines").click()
    stands_before_sign_in(page, "%2Fmachines")


def test_news_that_are_refused_lead_to_sign_in(stranger: Visit) -> None:
    sign_in(stranger, "mara")
    page = stranger.go("/machines")
    expect(page.get_by_text("Live")).to_be_visible()
    end_session(page.context)
    page.route("**/api/v1/overview*", lambda route: route.abort())  # nothing but the news asks
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    stands_before_sign_in(page, "%2Fmachines")
