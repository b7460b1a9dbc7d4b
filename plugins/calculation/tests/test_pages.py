"""The calculator in real browsers: adviser and customer see the same figures, by eye, keyboard and screen reader."""

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from sidecar.testing import pages

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
NO_MEDIA = "RTCPeerConnection.prototype.setRemoteDescription = async () => {};"


@pytest.fixture
def base(room: Any) -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", 0, room.product.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(5)


@pytest.fixture
def chromium(base: str) -> Iterator[Browser]:
    with pages.chromium(FLAGS, executable=CHROMIUM) as opened:
        yield opened


def panel(chromium: Browser, base: str, who: Any, complaints: list[str], *, size: tuple[int, int]) -> Page:
    context = chromium.new_context(
        base_url=base, viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce"
    )
    cookies = who.client._cookies.values()
    context.add_cookies([{"name": c.key, "value": c.value, "domain": "127.0.0.1", "path": "/"} for c in cookies])
    context.add_init_script(NO_MEDIA)
    page = context.new_page()
    page.set_default_timeout(pages.PATIENCE_MS)
    pages.hear_complaints(page, complaints)
    page.goto(f"/v/{who.place}/room")
    page.locator("#more").click()
    page.locator("#menu-items [data-key=calculation] button").click()
    expect(page.locator("[data-panel=calculation]")).to_be_visible()
    return page


def picture(page: Page, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"calculation-{name}.png")


@pytest.mark.requirement("R098")
def test_both_see_the_same_figures_as_soon_as_they_are_made(
    room: Any, base: str, chromium: Browser, tmp_path: Path
) -> None:
    complaints: list[str] = []
    elin = panel(chromium, base, room.elin, complaints, size=(1280, 800))
    maja = panel(chromium, base, room.maja, complaints, size=(390, 844))
    expect(maja.get_by_text("Ingen kalkyl ännu")).to_be_visible()
    picture(maja, "empty-phone", tmp_path)

    elin.get_by_label("Lånebelopp").first.fill("2 270 000")
    elin.get_by_label("Lånebelopp").first.press("Enter")
    expect(elin.locator(".calc-main b")).to_contain_text("kr")
    expect(maja.locator(".calc-main b")).to_have_text(elin.locator(".calc-main b").inner_text())

    # The slider by keyboard, and the picture's table for who does not see it.
    years = elin.locator("#calc-years-slider")
    years.focus()
    years.press("ArrowLeft")
    expect(elin.locator("#calc-years")).to_have_value("39")
    expect(maja.locator(".calc-figures")).to_contain_text("39")
    maja.get_by_text("Visa som tabell").click()
    expect(maja.locator(".calc-years tbody tr")).to_have_count(39)

    # A refusal says what helps, and nothing is lost.
    elin.get_by_label("Bostadens värde").first.fill("2 500 000")
    elin.get_by_label("Bostadens värde").first.press("Enter")
    expect(elin.get_by_role("alert").filter(has_text="85 procent")).to_be_visible()
    picture(elin, "adviser", tmp_path)
    elin.get_by_role("button", name="Tillbaka till förra kalkylen").click()
    expect(maja.locator(".calc-figures")).to_contain_text("40")
    elin.get_by_role("button", name="Lägg in i formuläret").scroll_into_view_if_needed()
    picture(elin, "figures", tmp_path)
    maja.locator(".calc-chart").scroll_into_view_if_needed()
    picture(maja, "customer-phone", tmp_path)
    assert maja.locator("#calc-amount").count() == 0
    assert pages.findings(elin, within="[data-panel=calculation]") == []
    assert pages.findings(maja, within="[data-panel=calculation]") == []
    assert maja.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []
    for page in (elin, maja):
        page.context.close()
