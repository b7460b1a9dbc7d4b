"""Joining with Chromium: from the adviser's click to the first picture on the customer's page, step by step."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks._seeded_bank import SeededBank, Visit
from sidecar.domain.meetings import Participant
from simulators.demo.story import DESKTOP, HANDHELD, browser_of
from simulators.demo.world import World

_JOIN_MS = 30_000
_ADVISERS = ("click", "admit")  # the moments that happen on the adviser's page

# Runs before every page's own scripts. Moments are milliseconds of the machine's clock, so that two pages compare.
# "loadeddata" fires when the first frame of a video element is decoded; media events reach the document only on
# their way down.
_WATCH = """(() => {
  const moments = (window.benchMoments = {});
  const note = (name) => { moments[name] ??= performance.timeOrigin + performance.now(); };
  const me = location.pathname.split("/")[2];
  window.RTCPeerConnection = class extends window.RTCPeerConnection {
    constructor(...given) {
      super(...given);
      this.addEventListener("connectionstatechange", () => {
        if (this.connectionState === "connected") note("connected");
      });
      this.addEventListener("track", ({ track }) => {
        if (track.kind === "video") track.addEventListener("unmute", () => note("packet"));
      });
    }
  };
  document.addEventListener("click", ({ target }) => { if (target.closest("button")) note("click"); }, true);
  document.addEventListener("loadeddata", ({ target }) => {
    const tile = target.closest("[data-participant]");
    if (tile && tile.dataset.participant !== me) note("frame");
  }, true);
})();"""
_MOMENTS = """() => {
  const moments = { ...window.benchMoments, page: performance.timeOrigin };
  const [navigation] = performance.getEntriesByType("navigation");
  moments.html = performance.timeOrigin + navigation.responseEnd;
  moments.ready = performance.timeOrigin + navigation.domContentLoadedEventEnd;
  for (const name of ["token", "join", "admit"]) {
    const entry = performance.getEntriesByType("resource").find((each) => each.name.endsWith(`/room/${name}`));
    if (!entry) continue;
    moments[`${name}_asked`] = performance.timeOrigin + entry.startTime;
    moments[name] = performance.timeOrigin + entry.responseEnd;
  }
  return moments;
}"""


@dataclass(frozen=True)
class Step:
    """A part of the way from click to picture. after, until: the moments it lies between."""

    title: str
    after: str
    until: str


STEPS = (
    Step("the door opens: POST admit, recorded", "click", "admit"),
    Step("the customer's page learns of it and leaves the lobby", "admit", "page"),
    Step("the room's HTML", "page", "html"),
    Step("scripts and styles, the page is ready", "html", "ready"),
    Step("to asking for a token (camera opens meanwhile)", "ready", "token_asked"),
    Step("POST token", "token_asked", "token"),
    Step("to sending the offer (gathered meanwhile)", "token", "join_asked"),
    Step("POST join: token spent, recorded, the bridge answers", "join_asked", "join"),
    Step("ICE and DTLS", "join", "connected"),
    Step("first packet of a picture", "connected", "packet"),
    Step("first frame decoded", "packet", "frame"),
)


class Browsers:
    """The adviser's browser, and a new one for each customer: nobody's cache knows the room before."""

    def __init__(self, world: World, bank: SeededBank, browser: Browser) -> None:
        self._world = world
        self._bank = bank
        self._browser = browser
        self._adviser = self._page(DESKTOP, "tillit_staff", bank.staff_visit())

    def join(self, adviser: Participant, customer: Participant) -> dict[str, float]:
        """Let one customer in with the adviser's own button; return the moments, in milliseconds."""
        self._adviser.goto(f"{self._world.bank}/v/{adviser.id}/room")
        self._adviser.wait_for_function("() => window.benchMoments.connected")
        guest = self._page(HANDHELD, "tillit_visit", self._bank.visit(customer))
        guest.goto(f"{self._world.bank}/v/{customer.id}/lobby")
        button = self._adviser.get_by_role("button", name=re.compile("Släpp in"))
        if not button.count():
            self._adviser.wait_for_timeout(500)  # the news of a new guest travels; then the panel may be shut
        if not button.count():
            self._adviser.get_by_role("button", name=re.compile("Mer")).click()
            self._adviser.get_by_role("menuitem", name=re.compile("Deltagare|Väntar|Lobby", re.IGNORECASE)).click()
        button.first.wait_for()
        guest.wait_for_timeout(1_000)  # the customer has been waiting: cameras run, pages are at rest
        self._adviser.evaluate("delete window.benchMoments.click")
        button.first.click()
        guest.wait_for_url(re.compile(r"/room$"))
        guest.wait_for_function("() => window.benchMoments.frame")
        moments = _moments(guest) | {k: v for k, v in _moments(self._adviser).items() if k in _ADVISERS}
        guest.context.close()
        self._adviser.goto("about:blank")
        return moments

    def _page(self, size: dict[str, int], cookie: str, visit: Visit) -> Page:
        context = self._browser.new_context(
            locale="sv-SE",
            viewport=size,  # type: ignore[arg-type]  # Playwright's own TypedDict has these two keys
            permissions=["camera", "microphone"],
            timezone_id="Europe/Stockholm",
        )
        context.add_cookies([{"name": cookie, "value": visit.cookie, "url": self._world.bank}])
        context.add_init_script(_WATCH)
        page = context.new_page()
        page.set_default_timeout(_JOIN_MS)
        return page


@contextmanager
def browsers(world: World, bank: SeededBank) -> Iterator[Browsers]:
    """Yield browsers that are signed in to the places of this bank."""
    with sync_playwright() as playwright, browser_of(playwright) as browser:
        yield Browsers(world, bank, browser)


def _moments(page: Page) -> dict[str, float]:
    found: Any = page.evaluate(_MOMENTS)
    return {str(name): float(at) for name, at in found.items()}
