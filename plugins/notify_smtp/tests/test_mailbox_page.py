"""The mailbox a demo user reads, in a real browser."""

import shutil
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from sidecar.testing import pages

pytestmark = pytest.mark.e2e

HOSTILE = (
    "<h1>Ditt möte</h1><p><a href='http://exempelbanken.localhost/m/abc'>Öppna mötet</a></p>"
    "<script>parent.document.title = 'taken over'</script><img src='http://tracker.example/pixel.png'>"
    "<form action='http://thief.example'><button>Svara</button></form>"
)

# Writes down what the status line says, as a screen reader hears it.
HEARD = """() => {
  const line = document.querySelector("[role=status]");
  window.heard = [];
  new MutationObserver(() => window.heard.push(line.textContent)).observe(line, {childList: true, subtree: true});
}"""


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


def mail(post: Any, html: str = "", *, sender: str = "Exempelbanken") -> None:
    letter = EmailMessage()
    letter["From"], letter["To"] = f"{sender} <mote@exempelbanken.example>", "maja.granlid@example.org"
    letter["Subject"] = "Ditt möte om bolån"
    letter.set_content("Öppna http://exempelbanken.localhost/m/abc. Koden är 481923.")
    if html:
        letter.add_alternative(html, subtype="html")
    host, _, port = post.smtp.partition(":")
    with smtplib.SMTP(host, int(port), timeout=30) as server:
        server.send_message(letter)


def test_a_new_message_appears_by_itself_and_is_said_once(post: Any, page: Page) -> None:
    page.goto(f"{post.page}/p/maja")
    expect(page.locator("#list")).to_contain_text("Ingen post än")
    page.evaluate(HEARD)

    mail(post)

    status = page.locator("[role=status]")
    expect(status).to_have_text("Nytt meddelande från Exempelbanken.")
    expect(page.locator("#list")).to_contain_text("Ditt möte om bolån")

    mail(post, sender="Granlid Bygg")  # said after whatever was said twice
    expect(status).to_have_text("Nytt meddelande från Granlid Bygg.")
    assert page.evaluate("window.heard") == [
        "Nytt meddelande från Exempelbanken.",
        "Nytt meddelande från Granlid Bygg.",
    ]


def test_a_message_that_came_while_the_page_was_loading_is_said_too(post: Any, page: Page) -> None:
    def late(route: Route) -> None:
        mail(post)
        route.continue_()

    page.route("**/events?*", late)
    page.goto(f"{post.page}/p/maja")

    expect(page.locator("[role=status]")).to_have_text("Nytt meddelande från Exempelbanken.")
    expect(page.locator("#list")).to_contain_text("Ditt möte om bolån")


def test_links_open_beside_the_mailbox_and_codes_stand_out(post: Any, page: Page) -> None:
    mail(post)
    page.goto(f"{post.page}/p/maja")
    page.click(".messages a")

    link = page.locator(".letter .body a")
    expect(link).to_have_attribute("href", "http://exempelbanken.localhost/m/abc")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(page.locator(".letter .code")).to_have_text("481923")


def test_a_hostile_letter_runs_nothing_and_calls_nobody(post: Any, page: Page) -> None:
    mail(post, HOSTILE)
    reached: list[str] = []
    page.on("response", lambda response: reached.append(response.url))
    page.goto(f"{post.page}/p/maja")
    with page.expect_event("requestfailed", lambda request: "tracker.example" in request.url) as stopped:
        page.click(".messages a")
    page.frame_locator("#frame").locator("h1").wait_for()
    page.wait_for_load_state()

    assert (stopped.value.url, stopped.value.failure) == ("http://tracker.example/pixel.png", "csp")
    assert page.title().startswith("Ditt möte om bolån")
    assert all(url.startswith(post.page) for url in reached)


def test_every_state_is_readable_for_all_and_fits_the_screen(post: Any, page: Page) -> None:
    def sound(path: str) -> str:
        page.goto(f"{post.page}{path}")
        findings = Axe().run(page).response["violations"]
        assert [(finding["id"], finding["nodes"][0]["html"]) for finding in findings] == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        return page.url

    sound("/")
    sound("/p/maja")
    mail(post, HOSTILE)
    sound("/p/maja")
    (message,) = post.received("maja.granlid@example.org")
    sound(f"/p/maja/{message['id']}")
    sound(f"/p/maja/{message['id']}?text")
    sound("/p/nobody")
