"""The panel at a phone's width, when signing does not go straight: each ending has its words, and nothing is lost."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from sidecar.testing import MAJA, Browser

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
SIGN, LONG_MS = "Skriv under: BankID", 30_000


def opened(page: Page, who: Browser, *, by_itself: bool = True) -> Locator:
    """Open the room and the panel in it; return the panel. by_itself: it opens for whoever's turn it is."""
    page.goto(f"/v/{who.place}/room")
    panel = page.locator("[data-panel=signing]")
    if not by_itself:
        page.locator("#more").click()
        page.locator("#menu-items [data-key=signing] button").click()
    expect(panel).to_be_visible(timeout=LONG_MS)
    return panel


def deed(panel: Locator, title: str) -> Locator:
    return panel.locator("article").filter(has=panel.page.get_by_role("heading", name=title, exact=True))


def picture(page: Page, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"signing-panel-{name}.png")


@pytest.mark.requirement("R057", "R079", "R080")
def test_each_way_a_signing_can_end_has_its_words_and_leaves_nothing_half_done(
    room: Any, maja: Browser, browse: Callable[[Browser], BrowserContext], tmp_path: Path
) -> None:
    hers = browse(maja)
    page = hers.new_page()

    # The service is down, the page is closed in the middle, and it goes on in a new one
    note = room.opens(maja, title="Skuldebrev")
    mine = deed(opened(page, maja), "Skuldebrev")
    room.bankid.phone("faults", reset=True, error="internalError")
    mine.get_by_role("button", name=SIGN).click()
    expect(mine.locator(".note.caution")).to_contain_text("Det beror inte på dig", timeout=LONG_MS)
    picture(page, "service-down", tmp_path)
    room.bankid.phone("faults", reset=True)
    mine.get_by_role("button", name=SIGN).click()
    expect(mine.locator("svg.qr")).to_be_visible(timeout=LONG_MS)
    picture(page, "waiting", tmp_path)
    page.close()
    page = hers.new_page()
    mine = deed(opened(page, maja), "Skuldebrev")
    expect(mine.locator("svg.qr")).to_be_visible(timeout=LONG_MS)
    room.answer(MAJA)
    expect(mine.get_by_text("Klart. Alla har skrivit under")).to_be_visible(timeout=LONG_MS)
    picture(page, "signed", tmp_path)
    assert room.show(maja, note)["state"] == "sealed"

    # She says no, and is asked once
    room.opens(maja, title="Försäkring")
    other = deed(opened(page, maja), "Försäkring")
    other.get_by_role("button", name="Jag vill inte skriva under i dag").click()
    picture(page, "decline-asked", tmp_path)
    page.get_by_role("button", name="Ja, jag skriver inte under").click()
    expect(other.get_by_text("Någon ville inte. Därför gäller inget")).to_be_visible(timeout=LONG_MS)
    expect(other.get_by_role("button", name=SIGN)).to_have_count(0)
    picture(page, "declined", tmp_path)

    # The time runs out
    room.opens(maja, title="Fullmakt", deadline=room.product.clock.now + timedelta(minutes=2))
    room.later(180)
    late = deed(opened(page, maja, by_itself=False), "Fullmakt")
    expect(late.get_by_text("Tiden har gått ut.")).to_be_visible(timeout=LONG_MS)
    expect(late.get_by_role("button", name=SIGN)).to_have_count(0)
    expect(page.locator("[data-panel=signing] article h3").first).to_have_text("Fullmakt")  # the newest on top
    picture(page, "expired", tmp_path)
    assert Axe().run(page, context="[data-panel=signing]").response["violations"] == []

    # She leaves: the adviser sees it, and takes the request back
    room.opens(maja, title="Tillägg")
    desk = browse(room.adviser).new_page()
    theirs = deed(opened(desk, room.adviser, by_itself=False), "Tillägg")
    expect(theirs.get_by_text("Står på tur")).to_be_visible(timeout=LONG_MS)
    page.close()
    assert maja.post("room/leave").status_code == 200
    with ThreadPoolExecutor(1) as worker:  # a thread of its own, as it has no event loop and this one has
        worker.submit(room.product.worker).result()
    expect(theirs.get_by_text("Är inte i mötet. Dokumentet väntar")).to_be_visible(timeout=LONG_MS)
    picture(desk, "party-gone", tmp_path)
    theirs.get_by_role("button", name="Ta tillbaka").click()
    expect(theirs.get_by_text("Banken har tagit tillbaka det här.")).to_be_visible(timeout=LONG_MS)
    picture(desk, "withdrawn", tmp_path)
    assert room.product.kinds(room.meeting).count("pades_signing.signed") == 1


@pytest.mark.requirement("R079")
def test_what_was_opened_before_the_line_stood_is_told_once_it_stands(
    room: Any, maja: Browser, browse: Callable[[Browser], BrowserContext]
) -> None:
    """What is announced between the page's first look and its line of news is in nobody's ear."""
    page = browse(maja).new_page()
    lines: list[Route] = []
    page.route("**/events", lambda line: lines.append(line))  # the line is slow to come
    with page.expect_response("**/x/pades_signing/signings") as first_look:
        page.goto(f"/v/{maja.place}/room")
    assert first_look.value.json()["signings"] == []

    room.opens(maja, title="Skuldebrev")
    lines[0].continue_()

    told = page.locator("#line-answer").get_by_text("Nu är det din tur att skriva under Skuldebrev.")
    expect(told).to_be_visible(timeout=LONG_MS)
    expect(page.locator("[data-panel=signing]")).to_be_visible()
