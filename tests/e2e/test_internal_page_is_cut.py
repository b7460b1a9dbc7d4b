"""An adviser opens an internal page in the window she shares: the share ends, she reads why, the customer saw nothing.

The product runs over a folder, its bridge is a process of its own, the pictures are Chromium's.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect, sync_playwright

from sidecar.domain import canary, clock
from sidecar.domain.permissions import Capacity
from sidecar.testing import MAJA, Browser, Product
from tests.e2e.bridge_beside import BridgeBeside, until_true
from tests.e2e.room_steps import CHROMIUM, FLAGS, answer, control

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

NUMBER, WAIT_MS = 7, 60_000
# The window she picks: moving text, and on demand the strip of an internal system along its upper edge.
WINDOW = """
    window.internal = false;
    navigator.mediaDevices.getDisplayMedia = async () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 1280, height: 720 });
        const pen = canvas.getContext("2d");
        const columns = COLUMNS;
        let turn = 0;
        setInterval(() => {
            turn += 1;
            pen.fillStyle = "#fff";
            pen.fillRect(0, 0, 1280, 720);
            pen.fillStyle = "#222";
            pen.font = "16px sans-serif";
            const words = `Ränta 3,45 % av 2 270 000 kronor ${turn >> 3}`;
            for (let line = 0; line < 28; line += 1) pen.fillText(`${line} ${words}`, 40, 60 + line * 22);
            if (!window.internal) return;
            for (let x = 0; x < 1280; x += 12) {
                const above = columns[(x / 12) % 64];
                pen.fillStyle = above ? "LIGHT" : "DARK";
                pen.fillRect(x, 0, 12, 12);
                pen.fillStyle = above ? "DARK" : "LIGHT";
                pen.fillRect(x, 12, 12, 12);
            }
        }, 100);
        const stream = canvas.captureStream(10);
        stream.getVideoTracks()[0].getSettings = () => ({ displaySurface: "window" });
        return stream;
    };
"""
WINDOW = (
    WINDOW.replace("COLUMNS", json.dumps(canary.columns_of(NUMBER)))
    .replace("LIGHT", f"rgb({canary.LIGHT_PAGE.light} {canary.LIGHT_PAGE.light} {canary.LIGHT_PAGE.light})")
    .replace("DARK", f"rgb({canary.LIGHT_PAGE.dark} {canary.LIGHT_PAGE.dark} {canary.LIGHT_PAGE.dark})")
)


class Bank:
    """The product with the firewall, served over HTTP, its bridge beside it; adviser and customer are inside."""

    def __init__(self, folder: Path) -> None:
        more = f"[plugins.share_firewall.systems]\ncustomer-records = {NUMBER}\n\n[web]\nsecure_cookies = false\n"
        self.product = Product(folder, clock=clock.utc_now, with_plugins=["share_firewall"], more=more)
        services = self.product.services
        self._beside = BridgeBeside(self.product)
        self.url, media = self._beside.url, self._beside.conference
        services.conference = services.room._conference = services.share_firewall._conference = media
        self.meeting = self.product.book(starts_at=clock.utc_now())
        self.elin = self.product.opens(self.meeting)
        self.maja = self.product.arrives(self.product.place_of(self.meeting, Capacity.CUSTOMER)).waits(MAJA)
        assert self.elin.post("room/admit", {"participant": self.maja.place}).status_code == 200

    def cuts(self) -> list[dict[str, Any]]:
        return [dict(each.data) for each in self.product.records(self.meeting) if each.kind == "share.cut"]

    def close(self) -> None:
        self._beside.close()


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    made = Bank(tmp_path)
    yield made
    made.close()


@pytest.fixture
def chromium() -> Iterator[Chromium]:
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def room_of(chromium: Chromium, bank: Bank, who: Browser, *, width: int) -> Page:
    context = chromium.new_context(
        base_url=bank.url, viewport={"width": width, "height": 844 if width < 600 else 800}, locale="sv-SE"
    )
    for cookie in ("tillit_staff", "tillit_visit"):
        if value := who.cookie(cookie):
            context.add_cookies([{"name": cookie, "value": value, "url": bank.url}])
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.add_init_script(WINDOW)
    page.goto(f"/v/{who.place}/room")
    expect(page.locator("#over")).to_be_hidden(timeout=WAIT_MS)
    return page


def photograph(page: Page, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"firewall-{name}.png")


@pytest.mark.requirement("R206", "R035")
def test_an_internal_page_in_a_shared_window_ends_the_share(chromium: Chromium, bank: Bank) -> None:
    elin, maja = room_of(chromium, bank, bank.elin, width=1280), room_of(chromium, bank, bank.maja, width=390)

    control(elin, "share").click()
    expect(maja.locator("#line-share")).to_be_visible(timeout=WAIT_MS)
    shown = "[...document.querySelectorAll('video')].some((each) => each.videoWidth === 1280 && !each.paused)"
    until(maja, shown)
    assert bank.cuts() == []

    elin.evaluate("window.internal = true")
    began = time.monotonic()
    why = "Vi stoppade delningen, för fönstret visade något som bara är till för banken. Ingen bild sparades."
    expect(answer(elin)).to_contain_text(why, timeout=WAIT_MS)
    print(f"from the page in the window to the sentence on her screen: {time.monotonic() - began:.2f} s")
    expect(elin.locator("#line-share")).to_be_hidden()
    expect(maja.locator("#line-share")).to_be_hidden()
    until_true(bank.cuts)
    elin.wait_for_timeout(500)  # nothing the server says later takes the sentence away
    expect(answer(elin)).to_contain_text(why)
    photograph(elin, "cut-1280")
    photograph(maja, "cut-390")
    assert {"reason": "canary", "canary": NUMBER, "system": "customer-records"}.items() <= bank.cuts()[0].items()
    until_true(lambda: not bank.product.place_of(bank.meeting, Capacity.ADVISER).sharing)

    elin.evaluate("window.internal = false")
    control(elin, "share").click()
    until(maja, shown)


def until(page: Page, expression: str, *, within_s: float = 60) -> None:
    """Wait until an expression is true; Playwright's own waiting needs an eval that our pages forbid."""
    deadline = time.monotonic() + within_s
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(100)
