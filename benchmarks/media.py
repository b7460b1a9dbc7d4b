"""How late sound and picture are through the bridge, beside the direct path; and what picture two and four people get.

Chromium's own pages send a drawn picture at 1280 x 720 and 30 fps, and a beep twice a second, each carrying the moment
it was made; the other page reads it when it is shown and heard. So everything is in it but camera, screen, microphone
and loudspeaker: encoder, network, jitter buffer, decoder. All pages share one machine with the bridge.

    python -m benchmarks.media [--quick]
"""

import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks._bridge_targets import OurBridge
from benchmarks.bridge import our_bridge
from benchmarks.common import arguments, figure, median, percentile, table
from simulators.demo.story import browser_of

_PAGE = (Path(__file__).parent / "_media_page.js").read_text()
_LOAD = (
    "Chromium, a drawn picture of 1280 x 720 at 30 fps and Opus each way, loopback; pages, encoders and bridge share "
    "the machine; from the moment drawn or sounded to the moment shown or heard"
)


@dataclass
class Seen:
    """What one page saw and heard. pictures, sounds: delays in ms."""

    pictures: list[float]
    sounds: list[float]
    height: int
    frames_per_s: float


def main() -> None:
    """Run the figures."""
    given = arguments(__doc__ or "")
    seconds, rounds = (4.0, 1) if given.quick else (15.0, 3)
    ours: list[Seen] = []
    peer: list[Seen] = []
    with sync_playwright() as playwright, browser_of(playwright) as browser:
        for _ in range(rounds):
            ours += through_bridge(browser, 2, seconds)
            peer += directly(browser, seconds)
        four = through_bridge(browser, 4, seconds)
    _delay("glass_to_glass_p50_ms", _all(ours, "pictures"), _all(peer, "pictures"), 0.5, least="120", aim="60")
    _delay("glass_to_glass_p95_ms", _all(ours, "pictures"), _all(peer, "pictures"), 0.95)
    _delay("mouth_to_ear_p50_ms", _all(ours, "sounds"), _all(peer, "sounds"), 0.5)
    _delay("mouth_to_ear_p95_ms", _all(ours, "sounds"), _all(peer, "sounds"), 0.95, least="150", aim="80")
    for people, seen in ((2, ours), (4, four)):
        rate, direct = median([s.frames_per_s for s in seen]), median([s.frames_per_s for s in peer])
        load = (
            f"{people} people in a room, each page's pictures of one other; the peer is the direct path of two. {_LOAD}"
        )
        figure(f"frames_per_s_{people}", rate, direct, rate / direct, "fps", len(seen), load)
        figure(f"picture_height_{people}", median([s.height for s in seen]), unit="lines", n=len(seen), load=load)
    table()


def through_bridge(browser: Browser, people: int, seconds: float) -> list[Seen]:
    """Let so many pages meet on the bridge; return what each saw of the others."""
    with tempfile.TemporaryDirectory() as folder, our_bridge(Path(folder)) as system, pages(browser, people) as met:
        _, _, url, _, keys = system.load_arguments
        bridge = OurBridge(url, keys)
        for number, page in enumerate(met):
            page.evaluate("answered", bridge.join("room", f"p_{number}", page.evaluate("toBridge()")))
        return measured(met, seconds, others=people - 1)


def directly(browser: Browser, seconds: float) -> list[Seen]:
    """Let two pages meet without anything in between."""
    with pages(browser, 2) as (one, other):
        offer = one.evaluate("toPeer()")
        one.evaluate("answered", other.evaluate("toPeer", offer))
        return measured([one, other], seconds, others=1)


@contextmanager
def pages(browser: Browser, count: int) -> Iterator[list[Page]]:
    """Open pages of their own, each with the bench's script."""
    contexts = [browser.new_context() for _ in range(count)]
    try:
        opened = [context.new_page() for context in contexts]
        for page in opened:
            page.add_script_tag(content=_PAGE)
            page.mouse.click(5, 5)  # sound plays only on a page somebody touched
        yield opened
    finally:
        for context in contexts:
            context.close()


def measured(met: Sequence[Page], seconds: float, *, others: int) -> list[Seen]:
    """Wait until everybody is seen, let the encoders settle, then measure for so long."""
    for page in met:
        page.wait_for_function("bench.pictures.length > 60 && bench.beeps.length > 2", timeout=30_000)
    met[0].wait_for_timeout(seconds * 500)
    for page in met:
        page.evaluate("clear()")
    began = time.monotonic()
    met[0].wait_for_timeout(seconds * 1000)
    found = [page.evaluate("bench") for page in met]
    spent = time.monotonic() - began
    all_sent = [sorted(each["sent"]) for each in found]
    seen = []
    for number, each in enumerate(found):
        sent = sorted(moment for other, moments in enumerate(all_sent) if other != number for moment in moments)
        delays = map(partial(_since_beep, sent), each["beeps"]) if others == 1 else iter(())
        seen.append(
            Seen(
                pictures=each["pictures"],
                sounds=[delay for delay in delays if delay is not None],
                height=each["size"][1],
                frames_per_s=len(each["pictures"]) / spent / others,
            )
        )
    return seen


def _since_beep(sent: Sequence[float], heard: float) -> float | None:
    """Return how long after the last beep before it this one was heard, None where none was sent."""
    before = bisect_right(sent, heard)
    return heard - sent[before - 1] if before else None


def _all(seen: Sequence[Seen], name: str) -> list[float]:
    return [delay for each in seen for delay in getattr(each, name)]


def _delay(
    name: str, ours: Sequence[float], peer: Sequence[float], share: float, *, least: str = "", aim: str = ""
) -> None:
    mine, theirs = percentile(ours, share), percentile(peer, share)
    figure(name, mine, theirs, theirs / mine, "ms", len(ours), f"2 people. {_LOAD}", least=least, aim=aim)


if __name__ == "__main__":
    main()
