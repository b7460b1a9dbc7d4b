"""What the tests of the room page share: a browser that enters rooms, and names for what one does there."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from sidecar.domain import clock
from sidecar.testing.pages import chromium, hear_complaints
from tests.e2e import room_stub as stub

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream=fps=30",
    "--use-fake-ui-for-media-stream", "--disable-features=WebRtcHideLocalIpsWithMdns",
]  # fmt: skip
ELIN, MAJA, SAMIR, TURE, KIM, AINO = stub.ELIN, stub.MAJA, stub.SAMIR, stub.TURE, stub.KIM, stub.AINO
SCREENS = ((1280, 800), (390, 844), (844, 390), (640, 400), (320, 640))  # the last but one is a laptop at 200 %
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>{name}"
BERIT = {
    "id": "p_berit", "name": "Berit Lundhag", "verified": "BankID, tillitsnivå 3", "capacity_label": "Kund",
    "since": clock.to_text(stub.NOON),
}  # fmt: skip
# Lets a test look at what the page really sends: its connections, and every track it ever put on a sender; and at
# every sentence a screen reader was given, also one that the next has replaced.
WATCH = """
    window.seen = { peers: [], tracks: [], said: [] };
    addEventListener("DOMContentLoaded", () => {
        const region = document.getElementById("announce");
        const hear = () => { if (region.textContent) seen.said.push(region.textContent); };
        if (region) new MutationObserver(hear).observe(region, { childList: true });
    });
    const Peer = RTCPeerConnection;
    window.RTCPeerConnection = class extends Peer {
        constructor(...given) { super(...given); seen.peers.push(this); }
    };
    const replace = RTCRtpSender.prototype.replaceTrack;
    RTCRtpSender.prototype.replaceTrack = function (track) {
        if (track) seen.tracks.push(track.label);
        return replace.call(this, track);
    };
"""
# A person who picks something in the browser's own window picker, which no test can reach.
PICKS = """
    window.picked = null;
    navigator.mediaDevices.getDisplayMedia = async (wishes) => {
        window.wishes = wishes;
        const canvas = document.createElement("canvas");
        canvas.getContext("2d").fillRect(0, 0, 10, 10);
        const stream = canvas.captureStream(5);
        const [track] = stream.getVideoTracks();
        Object.defineProperty(track, "label", { value: "the shared thing" });
        track.getSettings = () => ({ displaySurface: window.surface });
        window.picked = track;
        return stream;
    };
"""


@pytest.fixture(scope="module")
def quiet() -> Iterator[stub.Stub]:
    """The scripted server with the bridge that says what a test wants."""
    server = stub.Stub()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def real() -> Iterator[stub.Stub]:
    """The scripted server with our own bridge behind it."""
    server = stub.Stub(real=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def room_browser() -> Iterator[Browser]:
    with chromium(FLAGS, executable=CHROMIUM) as opened:
        yield opened


Enter = Callable[..., Page]


@pytest.fixture
def enter(room_browser: Browser) -> Iterator[Enter]:
    """Opens rooms. Any complaint in a console fails the test: a broken security policy shows there."""
    complaints: list[str] = []

    def go(
        server: Any,
        stage: Any,
        *,
        size: tuple[int, int] = (1280, 800),
        query: str = "",
        script: str = "",
        first: Callable[[Page], object] = lambda page: None,
    ) -> Page:
        context = room_browser.new_context(
            base_url=server.url, viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce"
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.add_init_script(WATCH + script)
        hear_complaints(page, complaints)
        first(page)
        page.goto(f"/v/{stage.state['me']['id']}/room{query}")
        return page

    yield go
    for context in room_browser.contexts:
        context.close()
    # A test that takes the network away is also told so by the browser.
    complaints = [each for each in complaints if "ERR_INTERNET_DISCONNECTED" not in each]
    assert complaints == [], complaints


def joined(page: Page) -> Page:
    expect(page.locator("#over")).to_be_hidden(timeout=60_000)
    return page


def cameras(*people: dict[str, Any]) -> list[tuple[str, str]]:
    return [(person["id"], "camera") for person in people]


def tile(page: Page, person: dict[str, Any]) -> Locator:
    return page.locator(f".tile[data-participant={person['id']}]")


def control(page: Page, name: str) -> Locator:
    return page.locator(f"[data-button={name}]")


def answer(page: Page) -> Locator:
    return page.locator("#line-answer [data-words]")


def open_panel(page: Page, name: str) -> Locator:
    page.locator("#more").click()
    page.locator(f"#menu-items [data-key={name}] button").click()
    panel = page.locator(f"[data-panel={name}]")
    expect(panel).to_be_visible()
    return panel


def outside_the_screen(page: Page) -> list[str]:
    """Return what stands out of the window: the room never scrolls, in either direction."""
    return list(
        page.evaluate(
            """() => [...document.querySelectorAll("#room :is(button, h1, .tile, .line, .promise, .panel)")]
                .filter((one) => one.checkVisibility() && !one.closest(".well, .menu-box, .controls"))
                .filter((one) => {
                    const box = one.getBoundingClientRect();
                    return box.right > innerWidth + 1 || box.left < -1 || box.bottom > innerHeight + 1 || box.top < -1;
                })
                .map((one) => one.outerHTML.slice(0, 120))
                .concat(document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [])"""
        )
    )


def settled(page: Page, width: int, height: int) -> None:
    """Resize the window; what stands out of it once the layout has come to rest fails the test."""
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    comes_to(page, lambda: outside_the_screen(page), [])


def picture(page: Page, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"room-{name}.png")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.dataset.button ?? document.activeElement.id ?? ''"))


def measured(page: Page, person: dict[str, Any]) -> tuple[int, float]:
    found = tile(page, person).evaluate("(one) => [one.dataset.frames, one.dataset.audioEnergy]")
    return int(found[0] or 0), float(found[1] or 0)


def sees_and_hears(page: Page, person: dict[str, Any]) -> bool:
    """Whether a second of this person's picture, and sound, has really arrived."""
    frames, energy = measured(page, person)
    return frames > 30 and energy > 0.01


def told(stage: Any, kind: str) -> list[dict[str, Any]]:
    """Return what the page has told its bridge so far, of one kind, the newest last."""
    return [said for said in stage.heard if said["type"] == kind]


def asked_for(page: Page, stage: Any, wanted: list[Any]) -> None:
    """Wait until the page has asked the server for exactly this; then it has a moment to ask for more, and does not."""
    comes_to(page, lambda: stage.posted, wanted)
    page.wait_for_timeout(200)
    assert stage.posted == wanted


class Next:
    """The page that comes by itself after this one, held back until this one has been looked at."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._held: list[Route] = []

    def hold(self, page: Page) -> None:
        page.route(self._address, lambda route: self._held.append(route))

    def let_come(self, page: Page) -> None:
        until(page, lambda: bool(self._held))
        self._held[0].continue_()
        page.wait_for_url(self._address)


@contextmanager
def kept_here(page: Page, address: str) -> Iterator[None]:
    """Hold back the page that comes next by itself, for the length of the block. It has to come after it."""
    following = Next(address)
    following.hold(page)
    yield
    following.let_come(page)


def comes_to(page: Page, read: Callable[[], object], wanted: object, *, within_ms: int = 30_000) -> None:
    """Return as soon as what is read is what is wanted. Raises AssertionError with what was read last."""
    until(page, lambda: read() == wanted, within_ms=within_ms, otherwise=read)


def until(
    page: Page,
    condition: Callable[[], bool],
    *,
    within_ms: int = 30_000,
    otherwise: Callable[[], object] = lambda: None,
) -> None:
    """Return as soon as the condition holds. Raises AssertionError, with what `otherwise` finds, when it never does."""
    for _ in range(within_ms // 100):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"did not come to hold within {within_ms} ms: {otherwise()}")
