"""The sign-in page a demo user presses, in a real browser."""

import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from sidecar.plugin_api import utc_now
from sidecar.testing import pages

pytestmark = pytest.mark.e2e

REDIRECT = "http://exempelbanken.localhost:8080/staff/callback"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with pages.chromium(["--no-sandbox"], executable=shutil.which("chromium") or "") as chromium:
        yield chromium


@pytest.fixture(params=[(1280, 800), (390, 844), (320, 640)], ids=["desktop", "phone", "narrow"])
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, locale="sv-SE")
    yield context.new_page()
    context.close()


@pytest.mark.requirement("R007")
def test_a_person_signs_in_by_keyboard_and_lands_back_where_they_came_from(service: Any, page: Page) -> None:
    """The page's policy lets its form lead to the registered address, and nowhere else."""
    plugin = service.plugin()
    went = plugin.begin(redirect_uri=REDIRECT, purpose="call", now=utc_now())
    page.route(f"{REDIRECT}*", lambda route: route.fulfill(body="<title>back</title>", content_type="text/html"))
    page.goto(went.url)
    page.get_by_label("Elin Sjöhage").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="Logga in").press("Enter")
    page.wait_for_url(f"{REDIRECT}*")

    query = dict(parse_qsl(urlsplit(page.url).query))
    assert plugin.complete(query=query, state=went.state, now=utc_now()).name == "Berit Lundhag"


def test_the_page_is_readable_for_all_and_fits_the_screen(service: Any, page: Page) -> None:
    went = service.plugin().begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now())
    for url in (went.url, service.issuer, f"{service.issuer}/authorize"):
        page.goto(url)
        findings = Axe().run(page).response["violations"]
        assert [(finding["id"], finding["nodes"][0]["html"]) for finding in findings] == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_language_can_be_changed_without_losing_the_request(service: Any, page: Page) -> None:
    went = service.plugin().begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now())
    page.goto(went.url)
    page.get_by_role("button", name="English").click()

    expect(page.locator("h1")).to_have_text("Sign in at work")
    expect(page.locator("html")).to_have_attribute("lang", "en")
