"""What several tests of the desk do."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect
from werkzeug.serving import make_server

from sidecar.bootstrap import Services
from sidecar.domain.clock import utc_now
from sidecar.web.app import create_app
from simulators.demo.world import BANK_HOST

STRONG = "Lösenord och säkerhetsnyckel"
NAMES = {"elin": "Elin Sjöhage", "berit": "Berit Lundhag", "rolf": "Rolf Stenmark", "nils": "Nils Brovall"}
SCREENSHOTS = os.environ.get("SCREENSHOTS", "")  # a folder for pictures of what was looked at

SignIn = Callable[[str], Page]


def photograph(page: Page, name: str) -> None:
    """Keep the whole page as a picture, where somebody asked for pictures."""
    if SCREENSHOTS:
        folder = Path(SCREENSHOTS)
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png", full_page=True)


def at_identity_service(page: Page, who: str, how: str) -> None:
    page.get_by_label(re.compile(who)).check()
    page.get_by_label(re.compile(how)).check()
    page.get_by_role("button", name="Logga in").click()


@contextmanager
def another_process(services: Services) -> Iterator[str]:
    """Serve the product from here, over the same stores: a clock, hours or fault of its own. Cookies go along."""
    server = make_server("127.0.0.1", 0, create_app(services), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{BANK_HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(timeout=5)


def tab_to(page: Page, wanted: Locator, *, at_most: int = 40) -> None:
    """Press Tab until the focus is there, as somebody without a mouse would."""
    expect(wanted).to_be_visible()
    for _ in range(at_most):
        page.keyboard.press("Tab")
        if wanted.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {wanted}")


def hold_the_time(page: Page) -> None:
    """Let no time pass on this page and those after it but what the test lets pass."""
    page.clock.install()
    page.clock.pause_at(utc_now() + timedelta(minutes=1))


def fill_booking(
    page: Page, *, customer: str = "Maja", kind: str = "Bolån", purpose: str = "Utöka lånet", bank: str = ""
) -> None:
    """bank: where it is served, if not as usual."""
    page.goto(f"{bank}/desk/book")
    page.get_by_role("radio", name=re.compile(kind)).check()
    page.get_by_role("combobox", name="Kund").press_sequentially(customer)
    page.get_by_role("option", name=re.compile(customer)).click()
    expect(page.get_by_role("combobox", name="Kund")).to_have_value(re.compile(customer))
    page.get_by_label("Syfte, står i inbjudan").fill(purpose)


def send(page: Page, url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send an act from this browser, with its cookies, past every button of the page."""
    found: dict[str, Any] = page.evaluate(
        """async ([url, body]) => {
            const csrf = document.querySelector('meta[name="csrf"]').content;
            const headers = {"Content-Type": "application/json", "X-Tillit-CSRF": csrf};
            const answer = await fetch(url, {method: "POST", headers, body: JSON.stringify(body)});
            return {status: answer.status, body: await answer.json().catch(() => ({}))};
        }""",
        [url, body],
    )
    return found
