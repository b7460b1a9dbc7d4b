"""The mailbox a demo user reads, in a real browser."""

import shutil
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

pytestmark = pytest.mark.e2e

HOSTILE = (
    "<h1>Ditt möte</h1><p><a href='http://exempelbanken.localhost/m/abc'>Öppna mötet</a></p>"
    "<script>parent.document.title = 'taken over'</script><img src='http://tracker.example/pixel.png'>"
    "<form action='http://thief.example'><button>Svara</button></form>"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(params=[(1280, 800), (390, 844), (320, 640)], ids=["desktop", "phone", "narrow"])
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, locale="sv-SE")
    yield context.new_page()
    context.close()


def mail(post: Any, html: str = "") -> None:
    letter = EmailMessage()
    letter["From"], letter["To"] = "Exempelbanken <mote@exempelbanken.example>", "maja.granlid@example.org"
    letter["Subject"] = "Ditt möte om bolån"
    letter.set_content("Öppna http://exempelbanken.localhost/m/abc. Koden är 481923.")
    if html:
        letter.add_alternative(html, subtype="html")
    host, _, port = post.smtp.partition(":")
    with smtplib.SMTP(host, int(port), timeout=5) as server:
        server.send_message(letter)


def test_a_new_message_appears_by_itself_and_is_said_once(post: Any, page: Page) -> None:
    page.goto(f"{post.page}/p/maja")
    assert "Ingen post än" in page.inner_text("#list")

    mail(post)

    page.wait_for_selector(".messages li")
    assert page.inner_text("[role=status]") == "Nytt meddelande från Exempelbanken."
    assert "Ditt möte om bolån" in page.inner_text("#list")


def test_links_open_beside_the_mailbox_and_codes_stand_out(post: Any, page: Page) -> None:
    mail(post)
    page.goto(f"{post.page}/p/maja")
    page.click(".messages a")

    link = page.locator(".letter .body a")
    assert link.get_attribute("href") == "http://exempelbanken.localhost/m/abc"
    assert link.get_attribute("rel") == "noopener noreferrer"
    assert page.inner_text(".letter .code") == "481923"


def test_a_hostile_letter_runs_nothing_and_calls_nobody(post: Any, page: Page) -> None:
    mail(post, HOSTILE)
    stopped: dict[str, str | None] = {}
    reached: list[str] = []
    page.on("requestfailed", lambda request: stopped.update({request.url: request.failure}))
    page.on("response", lambda response: reached.append(response.url))
    page.goto(f"{post.page}/p/maja")
    page.click(".messages a")
    frame = page.frame_locator("#frame")

    frame.locator("h1").wait_for()

    assert page.title().startswith("Ditt möte om bolån")
    assert all(url.startswith(post.page) for url in reached)
    assert stopped["http://tracker.example/pixel.png"] == "csp"


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
