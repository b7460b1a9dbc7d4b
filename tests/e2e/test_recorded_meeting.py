"""Three people recorded in three browsers; the recorder is killed; two watch what it wrote; then its key goes.

The product runs here over a folder, its media bridge is a process of its own that records and is killed for real.
"""

import io
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from sidecar.domain import clock
from sidecar.domain.permissions import Capacity
from sidecar.domain.recordings import Recording, RecordingState
from sidecar.recorder.canvas import read_code
from sidecar.testing import AGNES, COLM, FRIDA, TURE, Browser, Clock, Product, guest
from tests.e2e.bridge_beside import BridgeBeside, until_true
from tests.e2e.room_steps import CHROMIUM, FLAGS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

LISTENS = """
    window.tones = 0;
    const make = AudioContext.prototype.createOscillator;
    AudioContext.prototype.createOscillator = function () { window.tones += 1; return make.call(this); };
"""


class Running(Clock):
    """The real time, and later where a test says so."""

    def __init__(self) -> None:
        self.later = timedelta()

    def __call__(self) -> datetime:
        return clock.utc_now() + self.later


class Bank:
    """The product, served over HTTP, with its bridge beside it."""

    def __init__(self, folder: Path) -> None:
        self.clock = Running()
        self.product = Product(folder, clock=self.clock, more="[web]\nsecure_cookies = false\n")
        services = self.product.services
        self._beside = BridgeBeside(self.product, "--recordings", str(services.settings.stores.data_dir / "recordings"))
        self.url, self.bridge, media = self._beside.url, self._beside.process, self._beside.conference
        services.conference = services.room._conference = services.recordings._conference = media
        customer = self.product.customer(AGNES, segment="corporate")
        self.booked = self.product.book(
            type_name="corporate-fx",
            adviser=FRIDA,
            customer=customer,
            guests=[guest(TURE, Capacity.REPRESENTATIVE)],
            starts_at=self.clock(),
        )
        self.frida = self.product.opens(self.booked, FRIDA)
        self._closing = threading.Event()
        self._worker = threading.Thread(target=self._look_after, daemon=True)
        self._worker.start()

    def _look_after(self) -> None:
        """Ask after the recording as the worker does: else it would end by itself."""
        while not self._closing.wait(1.0):
            self.product.services.recordings.look_after()

    def admits(self, capacity: Capacity, who: Any) -> Browser:
        browser = self.product.arrives(self.product.place_of(self.booked, capacity)).waits(who)
        assert self.frida.post("room/admit", {"participant": browser.place}).status_code == 200
        return browser

    @property
    def recording(self) -> Recording:
        return self.product.services.meetings.recordings(meeting=self.booked.id)[0]

    def watched(self) -> list[dict[str, Any]]:
        """Return what the audit log says of each part of the recording that was fetched."""
        return [dict(each.data) for each in self.product.records(self.booked) if each.kind == "recording.watched"]

    def until(self, *states: RecordingState) -> Recording:
        deadline = time.monotonic() + 90
        while self.recording.state not in states:
            assert time.monotonic() < deadline, self.recording
            time.sleep(0.1)
        return self.recording

    def close(self) -> None:
        self._closing.set()
        self._worker.join(30)
        self._beside.close()


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    made = Bank(tmp_path_factory.mktemp("bank"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as running:
        opened = running.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, "--autoplay-policy=no-user-gesture-required"]
        )
        yield opened
        opened.close()


COMPLAINTS: list[str] = []


def page_of(chromium: Chromium, bank: Bank, who: Browser, path: str, *, width: int = 1280) -> Page:
    """Open a page in a browser that has this person's cookies."""
    context: BrowserContext = chromium.new_context(
        base_url=bank.url, viewport={"width": width, "height": 844 if width < 600 else 800}, locale="sv-SE"
    )
    for name in ("tillit_staff", "tillit_visit"):
        if value := who.cookie(name):
            context.add_cookies([{"name": name, "value": value, "url": bank.url}])
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(LISTENS)
    page.on("pageerror", lambda error: COMPLAINTS.append(str(error)))
    page.on("console", lambda line: COMPLAINTS.append(line.text) if "Content Security" in line.text else None)
    page.goto(path)
    return page


def room_of(chromium: Chromium, bank: Bank, who: Browser, *, width: int = 1280) -> Page:
    page = page_of(chromium, bank, who, f"/v/{who.place}/room", width=width)
    expect(page.locator("#over")).to_be_hidden(timeout=60_000)
    return page


def holds(page: Page, expression: str, *, within_s: float = 90) -> None:
    """Wait until an expression is true; Playwright's own waiting needs an eval that our pages forbid."""
    deadline = time.monotonic() + within_s
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(100)


def photograph(page: Page, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"recording-{name}.png")


def burnt_in(page: Page) -> str | None:
    """Read the watermark out of the pixels the viewer's browser shows."""
    page.evaluate("document.getElementById('picture').controls = false")
    shot = page.locator("#picture").screenshot()
    page.evaluate("document.getElementById('picture').controls = true")
    return read_code(np.asarray(Image.open(io.BytesIO(shot)).convert("L")))


def watches(page: Page) -> str:
    """Play, and return what is burnt into the picture."""
    page.get_by_role("button", name="Spela upp").click()
    holds(page, "document.getElementById('picture').currentTime > 0.4")
    deadline = time.monotonic() + 60
    while (code := burnt_in(page)) is None:
        assert time.monotonic() < deadline, "no watermark can be read"
        page.wait_for_timeout(300)
    return code


@pytest.mark.requirement("R066", "R099", "R208")
def test_a_meeting_is_recorded_with_everybodys_yes_and_a_late_joiner_pauses_it(chromium: Chromium, bank: Bank) -> None:
    agnes = bank.admits(Capacity.CUSTOMER, AGNES)
    frida_page = room_of(chromium, bank, bank.frida)
    agnes_page = room_of(chromium, bank, agnes, width=390)
    expect(frida_page.locator("figure.tile").filter(has_text=AGNES.name)).to_be_visible()

    frida_page.get_by_role("button", name=re.compile("^Mer")).click()
    frida_page.get_by_role("menuitem", name="Spela in mötet").click()
    frida_page.get_by_role("button", name="Fråga alla").click()
    expect(frida_page.locator("#line-answer")).to_contain_text("syfte")
    frida_page.get_by_label("Syfte").select_option("client-order")
    frida_page.get_by_label("Lag som kräver det").select_option("mifid-ii-16-7")
    photograph(frida_page, "form-1280")
    frida_page.get_by_role("button", name="Fråga alla").click()

    dialog = agnes_page.get_by_role("dialog", name="Får mötet spelas in?")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("MiFID")
    expect(frida_page.locator("#line-recording")).to_contain_text(AGNES.name)
    expect(frida_page.locator("#line-answer")).to_be_hidden()  # the refusal goes with what it refused
    photograph(agnes_page, "consent-390")
    assert Axe().run(agnes_page).violations_count == 0
    dialog.get_by_role("button", name="Ja, det går bra").click()

    for page in (frida_page, agnes_page):
        expect(page.locator("#line-recording")).to_contain_text("Mötet spelas in")
        expect(page.locator("#promise")).to_contain_text("spelas in för att lagen kräver det")
        holds(page, "window.tones >= 2")
    photograph(frida_page, "running-1280")
    photograph(agnes_page, "running-390")
    frida_page.wait_for_timeout(3000)

    ture = bank.admits(Capacity.REPRESENTATIVE, TURE)
    ture_page = room_of(chromium, bank, ture)
    expect(frida_page.locator("#line-recording")).to_contain_text("uppehåll")
    bank.until(RecordingState.PAUSED)
    photograph(frida_page, "paused-1280")
    ture_page.get_by_role("button", name="Ja, det går bra").click()
    expect(frida_page.locator("#line-recording")).to_contain_text("Mötet spelas in")
    bank.until(RecordingState.RUNNING)
    frida_page.wait_for_timeout(6000)
    assert COMPLAINTS == []


@pytest.mark.requirement("R103", "R104", "R208")
def test_after_the_recorder_was_killed_two_people_watch_it_each_under_their_own_watermark(
    chromium: Chromium, bank: Bank
) -> None:
    bank.bridge.send_signal(signal.SIGKILL)
    bank.bridge.wait(10)
    for _ in range(20):  # until it must have stopped, and then until its file must be closed
        bank.clock.later += timedelta(seconds=15)
        bank.product.worker()
    assert (bank.recording.state, bank.recording.confirmed) == (RecordingState.STOPPED, True)
    path = f"/desk/recordings/{bank.recording.id}"

    codes = []
    for who in (FRIDA, COLM):
        page = page_of(chromium, bank, bank.product.signs_in(who), path)
        codes.append(watches(page))
        expect(page.locator("#trouble")).to_contain_text("bröts av")
        photograph(page, f"viewer-{who.key}-1280")
        if who is COLM:
            assert Axe().run(page).violations_count == 0
            page.get_by_label("Hastighet").select_option("2")
            holds(page, "document.getElementById('picture').playbackRate === 2")
            page.locator("#chapters button").last.click()
            holds(page, "document.getElementById('picture').currentTime > 2.5")
            page.set_viewport_size({"width": 390, "height": 844})
            photograph(page, "viewer-390")
            until_true(lambda: {0, 4} <= {int(each["from_s"]) for each in bank.watched()})
        page.context.close()

    assert codes[0] != codes[1]
    records = bank.product.records(bank.booked)
    opened = [each for each in records if each.kind == "recording.opened"]
    assert [each.data["watermark"] for each in opened] == [f"wm-{code}" for code in codes]
    assert len({each.actor for each in opened}) == 2
    assert {each["playback"] for each in bank.watched()} == {each.data["playback"] for each in opened}
    assert COMPLAINTS == []


@pytest.mark.requirement("R102", "R208")
def test_at_its_date_the_key_is_gone_and_nobody_can_watch_it_any_more(chromium: Chromium, bank: Bank) -> None:
    folder = bank.product.folder / "data" / "recordings"
    colm = bank.product.signs_in(COLM)
    opened = colm.post(f"/desk/recordings/{bank.recording.id}/open").get_json()
    kept = [path.read_bytes() for path in folder.glob("*.rec")]
    assert len(kept) == 1

    bank.clock.later = bank.recording.delete_at - clock.utc_now() + timedelta(minutes=1)
    bank.product.worker()

    assert list(folder.iterdir()) == []
    assert colm.get(opened["url"] + "0").status_code != 200
    page = page_of(chromium, bank, bank.product.signs_in(COLM), f"/desk/recordings/{bank.recording.id}")
    expect(page.locator("main")).to_contain_text("raderad och dess nyckel förstörd")
    photograph(page, "deleted-1280")
    assert "recording.deleted" in bank.product.kinds(bank.booked)
