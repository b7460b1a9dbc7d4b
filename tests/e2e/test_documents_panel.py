"""The documents' panel in real browsers: an adviser leads, a customer follows, and what is not for them is nowhere."""

import base64
import io
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageChops
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, Route, expect, sync_playwright
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas
from werkzeug.serving import WSGIRequestHandler, make_server

from sidecar.domain.permissions import Capacity
from sidecar.testing import MAJA, Browser, Clock, Product
from tests.e2e.room_steps import CHROMIUM, FLAGS, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

HOST = "exempelbanken.example"
SECRET = "2 270 000 kr"


class Running(Clock):
    """A clock that runs, from the tests' noon."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self._began)


def paper(secret: str = SECRET) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    canvas.setTitle("Skuldebrev")
    for heading, lines in (
        ("3. Belopp och ränta", ["Lån före utökning 1 850 000 kr", f"Nytt belopp {secret}", "3.2 Räntan kan ändras"]),
        ("6. Om du inte kan betala", ["Hör av dig till banken så snart du ser att en betalning blir sen."]),
        ("7. Underskrift", ["Ort och datum"]),
    ):  # fmt: skip
        canvas.setFont("Times-Bold", 20)
        canvas.drawString(70, 740, heading)
        canvas.setFont("Times-Roman", 14)
        for place, line in enumerate(lines):
            canvas.drawString(70, 690 - 40 * place, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


class Silent(WSGIRequestHandler):
    """A server that does not write a line for each request."""

    def log(self, type: str, message: str, *args: Any) -> None:
        return None


@dataclass
class Person:
    """Somebody in the room, in a browser of their own."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def opens_documents(self) -> None:
        panel = self.page.locator("[data-panel=documents]")
        if not panel.is_visible():
            self.page.locator("[data-opens=documents]").first.click()
        expect(panel).to_be_visible()

    @property
    def panel(self) -> Any:
        return self.page.locator("[data-panel=documents] .dr")

    def sees(self, page: int, pages: int = 3) -> None:
        expect(self.panel.locator(".dr-count")).to_have_text(f"Sida {page} av {pages}", timeout=60_000)
        expect(self.panel.locator(".dr-image")).to_be_visible()

    def picture(self) -> Image.Image:
        """Return the very pixels this browser was given."""
        data = self.page.evaluate(
            """() => {
                const image = document.querySelector(".dr-image");
                const canvas = document.createElement("canvas");
                [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
                canvas.getContext("2d").drawImage(image, 0, 0);
                return canvas.toDataURL("image/png").split(",")[1];
            }"""
        )
        return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


@dataclass
class Meeting:
    """The two in the room, and the product they meet in."""

    product: Product
    elin: Person
    maja: Person
    adviser: Browser
    customer: Browser

    def shows(self) -> str:
        """Let Elin bring the paper and show it."""
        self.elin.opens_documents()
        self.elin.panel.locator("input[type=file]").last.set_input_files(
            files=[{"name": "Skuldebrev.pdf", "mimeType": "application/pdf", "buffer": paper()}]
        )
        self.elin.sees(1)
        self.elin.panel.get_by_role("button", name="Visa för alla").click()
        self.maja.sees(1)
        state = self.adviser.get("x/document_room/state").get_json()
        return str(state["stage"]["document"])

    def acts(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.adviser.post(f"x/document_room/{path}", body)
        assert answer.status_code in (200, 201), answer.text
        return answer.get_json()


@dataclass
class Stand:
    """One product behind a real server, and one browser program, for all meetings of this module."""

    product: Product
    port: int
    chromium: Chromium


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium on this machine")
    settings = "[plugins.document_room]\nclause_seconds = 2\n[web]\nsecure_cookies = false\n"
    product = Product(
        tmp_path_factory.mktemp("product"), clock=Running(), with_plugins=["document_room"], more=settings
    )
    server = make_server("127.0.0.1", 0, product.app, threaded=True, request_handler=Silent)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    rules = [
        f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
        f"--unsafely-treat-insecure-origin-as-secure=http://{HOST}:{server.server_port}",
    ]
    with sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *rules])
        yield Stand(product, server.server_port, chromium)
        chromium.close()
    server.shutdown()
    serving.join(10)
    server.server_close()


@pytest.fixture
def meeting(stand: Stand) -> Iterator[Meeting]:
    product = stand.product
    booked = product.book()
    customer = product.arrives(product.place_of(booked, Capacity.CUSTOMER)).waits(MAJA)
    adviser = product.opens(booked)
    adviser.joins()
    adviser.post("room/admit", {"participant": customer.place})
    customer.joins()
    elin, maja = (enter(stand, who) for who in (adviser, customer))
    yield Meeting(product, elin, maja, adviser, customer)
    for person in (elin, maja):
        person.page.context.close()
    adviser.post("room/end")


def enter(stand: Stand, who: Browser) -> Person:
    context = stand.chromium.new_context(viewport={"width": 1280, "height": 800}, locale="sv-SE")
    for name in ("tillit_visit", "tillit_staff"):
        if who.cookie(name):
            context.add_cookies([{"name": name, "value": who.cookie(name), "domain": HOST, "path": "/"}])
    page = context.new_page()
    person = Person(page)
    page.on("pageerror", lambda error: person.problems.append(str(error)))
    page.on("console", lambda said: person.problems.append(said.text) if "Content Security" in said.text else None)
    page.goto(f"http://{HOST}:{stand.port}/v/{who.place}/room")
    expect(page.locator("#room")).to_be_visible()
    return person


def keep(page: Page, name: str) -> None:
    """Keep a picture of the page where somebody wants to look at it."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"documents-{name}.png")


@pytest.mark.requirement("R053", "R072", "R080", "R041")
def test_the_customer_follows_the_adviser_page_by_page_looks_ahead_and_comes_back(meeting: Meeting) -> None:
    meeting.shows()
    expect(meeting.maja.page.locator("[data-panel=documents]")).to_be_visible()  # beside the faces, by itself
    elins, majas = meeting.elin.picture(), meeting.maja.picture()
    assert elins.size == majas.size
    assert ImageChops.difference(elins, majas).getbbox() is not None, "each carries its reader's own name"

    meeting.elin.panel.get_by_role("button", name="Nästa").click()
    meeting.maja.sees(2)
    meeting.maja.panel.get_by_role("button", name="Nästa").click()
    meeting.maja.sees(3)
    expect(meeting.maja.panel.locator(".dr-line")).to_contain_text("Du läser på egen hand. Elin")
    keep(meeting.maja.page, "ahead")
    meeting.elin.page.keyboard.press("PageUp")
    meeting.elin.sees(1)
    meeting.maja.sees(3)
    meeting.maja.panel.get_by_role("button", name="Följ med").click()
    meeting.maja.sees(1)
    meeting.elin.panel.get_by_role("button", name="Sluta visa").click()
    expect(meeting.maja.panel.get_by_role("heading", name="Visades tidigare")).to_be_visible()
    assert [meeting.elin.problems, meeting.maja.problems] == [[], []]


@pytest.mark.requirement("R036", "R037")
def test_a_hidden_value_is_in_neither_pixels_nor_page_of_who_may_not_see_it(meeting: Meeting) -> None:
    id = meeting.shows()
    before = meeting.maja.picture()
    place = meeting.customer.place
    # The picture with nothing hidden is off her screen before the new one is asked for.
    with meeting.maja.page.expect_response(re.compile(rf"/documents/{id}/\d+/pages/1$")):
        meeting.acts(f"documents/{id}/masks", {"value": SECRET, "instead": "Beviljat", "hide_from": [place]})
    expect(meeting.maja.panel.locator(".dr-chips")).to_contain_text("Delar är dolda för dig")
    meeting.maja.sees(1)
    after = meeting.maja.picture()
    box = ImageChops.difference(before, after).getbbox()
    assert box is not None
    inside = after.crop((box[2] - 30, box[1] + 4, box[2] - 4, box[3] - 4)).getcolors(5000) or []
    assert max(colour[0] for _, colour in inside) < 130, "paper and ink are gone from there"
    meeting.maja.panel.get_by_text("Sidan som text").click()
    expect(meeting.maja.panel.locator(".dr-words")).to_contain_text("[Beviljat]")
    assert "270 000" not in meeting.maja.page.content()
    keep(meeting.maja.page, "masked")
    meeting.elin.panel.get_by_text("Sidan som text").click()
    expect(meeting.elin.panel.locator(".dr-words")).to_contain_text(SECRET)


@pytest.mark.requirement("R037")
def test_a_new_version_that_may_show_what_is_hidden_waits_for_the_advisers_word(meeting: Meeting) -> None:
    id = meeting.shows()
    meeting.acts(f"documents/{id}/masks", {"value": SECRET, "hide_from": [meeting.customer.place]})
    expect(meeting.maja.panel.locator(".dr-chips")).to_contain_text("Delar är dolda för dig")

    meeting.elin.panel.locator(".dr-tools input[type=file]").set_input_files(
        files=[{"name": "v2.pdf", "mimeType": "application/pdf", "buffer": paper("2.270.000 SEK")}]
    )

    said = meeting.elin.panel.get_by_text("Se över det dolda i version 2")
    expect(said).to_be_visible()
    expect(meeting.maja.panel.locator(".dr-viewer")).to_contain_text("Rådgivaren ser över")
    expect(meeting.maja.panel.locator(".dr-image[src]")).to_have_count(0)
    keep(meeting.elin.page, "unsettled")
    keep(meeting.maja.page, "waiting")
    meeting.acts(f"documents/{id}/masks", {"value": "2.270.000 SEK", "hide_from": [meeting.customer.place]})
    meeting.elin.panel.get_by_role("button", name="Allt är dolt som ska vara det").click()
    meeting.maja.sees(1)
    meeting.maja.panel.get_by_text("Sidan som text").click()
    expect(meeting.maja.panel.locator(".dr-words")).to_contain_text("Nytt belopp [█]")
    expect(said).to_be_hidden()
    assert [meeting.elin.problems, meeting.maja.problems] == [[], []]


@pytest.mark.requirement("R155")
def test_a_withdrawn_document_leaves_every_screen_and_can_be_brought_back(meeting: Meeting) -> None:
    meeting.shows()
    meeting.elin.panel.get_by_role("button", name="Ta tillbaka").click()
    expect(meeting.elin.panel.get_by_role("button", name="Avbryt")).to_be_focused()
    keep(meeting.elin.page, "withdraw")
    meeting.elin.panel.get_by_role("button", name="Fel dokument").click()
    expect(meeting.maja.panel.locator(".dr-viewer")).to_be_hidden()
    expect(meeting.maja.panel.locator(".dr-image[src]")).to_have_count(0)
    expect(meeting.maja.panel.get_by_text("Inga dokument än")).to_be_visible()
    keep(meeting.maja.page, "empty")
    meeting.elin.panel.get_by_role("button", name="Ångra").click()
    expect(meeting.maja.panel.get_by_role("button", name="Skuldebrev").first).to_be_visible()


@pytest.mark.requirement("R050", "R209")
def test_a_clause_in_view_long_enough_is_read_and_one_jumped_past_alarms_both(meeting: Meeting) -> None:
    id = meeting.shows()
    reports: list[Route] = []  # her page has told nobody that she read on, until its first word was looked at
    meeting.maja.page.route("**/reading", lambda route: reports.append(route))
    first = meeting.acts(f"documents/{id}/clauses", {"title": "Räntan kan ändras", "words": "3.2 Räntan"})["id"]
    meeting.acts(f"documents/{id}/clauses", {"title": "Dröjsmål", "words": "6. Om du"})
    row = meeting.maja.panel.locator(".dr-marks li").first
    expect(row).to_contain_text("Inte läst än")
    keep(meeting.maja.page, "clauses")
    until(meeting.maja.page, lambda: bool(reports))
    for report in reports:
        report.continue_()
    meeting.maja.page.unroute("**/reading")
    expect(row).to_have_attribute("data-state", "seen", timeout=60_000)
    seen = meeting.product.stub.service("documents").seen(id, meeting.customer.place)
    assert dict(seen.seconds)[1] >= 2
    assert first in seen.acknowledged
    assert not seen.complete

    meeting.acts("present", {"document": id, "page": 3})
    meeting.maja.sees(3)
    expect(meeting.maja.page.get_by_text("Du gick förbi en viktig punkt: Dröjsmål").first).to_be_visible()
    expect(meeting.elin.page.get_by_text("gick förbi en viktig punkt: Dröjsmål").first).to_be_visible()
    keep(meeting.maja.page, "passed")
    keep(meeting.elin.page, "passed-adviser")
    meeting.maja.panel.get_by_role("button", name="Gå till punkten Dröjsmål").click()
    meeting.maja.panel.get_by_role("button", name="Jag har läst Dröjsmål").click()
    expect(meeting.maja.panel.locator(".dr-marks li").nth(1)).to_have_attribute(
        "data-state", re.compile("acknowledged|seen")
    )
    assert meeting.product.stub.service("documents").seen(id, meeting.customer.place).complete


def test_the_panel_is_accessible_works_by_keyboard_and_fits_a_phone(meeting: Meeting) -> None:
    meeting.shows()
    maja, elin = meeting.maja, meeting.elin
    elin.panel.get_by_text("Mer om dokumentet").click()
    for person in (elin, maja):
        found = Axe().run(person.page, context="[data-panel=documents]")
        assert [each["id"] for each in found.response["violations"]] == []
    keep(elin.page, "adviser")
    maja.panel.locator(".dr-title").focus()
    maja.page.keyboard.press("PageDown")
    maja.sees(2)
    expect(maja.panel.locator(".dr-image")).to_have_attribute("alt", "Skuldebrev, sida 2 av 3")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for width, height in ((390, 844), (320, 640)):
        maja.page.set_viewport_size({"width": width, "height": height})
        until(maja.page, lambda: maja.page.evaluate(overflow) <= 0)
        keep(maja.page, f"phone-{width}")
    elin.page.set_viewport_size({"width": 390, "height": 844})
    keep(elin.page, "adviser-phone")


def test_a_refused_file_says_why_in_the_panel_and_a_picture_is_taken(meeting: Meeting) -> None:
    meeting.maja.opens_documents()
    field_of_files = meeting.maja.panel.locator("input[type=file]")
    field_of_files.set_input_files(files=[{"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"MZ not a pdf"}])
    expect(meeting.maja.page.get_by_text("Det här slaget av fil tas inte emot").first).to_be_visible()
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(out, "JPEG")
    field_of_files.set_input_files(files=[{"name": "kvitto.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}])
    expect(meeting.maja.panel.get_by_role("button", name="kvitto")).to_be_visible()
    keep(meeting.maja.page, "uploaded")
