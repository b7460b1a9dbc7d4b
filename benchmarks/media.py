"""How late sound and picture are through the bridge, what comes of a bad network, and whether 1080p arrives.

Chromium's own pages send a drawn picture at 1280 x 720 and 30 fps, and a beep twice a second, each carrying the moment
it was made; the other page reads it when it is shown and heard. So everything is in it but camera, screen, microphone
and loudspeaker: encoder, network, jitter buffer, decoder. All pages share one machine with the bridge.

Over a bad network speech is said, heard and compared (`_impaired_speech.py`); the peer are two pages that meet directly
over a network as bad. 1080p comes encoded beforehand, so that no encoder's speed is in the figure.

    python -m benchmarks.media [--quick] [--only delay|speech|narrow|full_hd]
"""

import argparse
import asyncio
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks._bridge_targets import OurBridge
from benchmarks._impaired_speech import Heard, bad, meetings
from benchmarks._intelligibility import GOOD, SENTENCES, spoken
from benchmarks.bridge import our_bridge
from benchmarks.common import arguments, figure, median, percentile, table
from sidecar.bridge.testing import Client, FullHdTrack
from simulators.demo.story import browser_of

_PAGE = (Path(__file__).parent / "_media_page.js").read_text()
_LOAD = (
    "Chromium, a drawn picture of 1280 x 720 at 30 fps and Opus each way, loopback; pages, encoders and bridge share "
    "the machine; from the moment drawn or sounded to the moment shown or heard"
)

_BAD: dict[str, Any] = {"delay_s": 0.08, "jitter_s": 0.02, "loss": 0.05}
_SMALL = (640, 360, 30)


@dataclass
class Seen:
    """What one page saw and heard. pictures, sounds: delays in ms."""

    pictures: list[float]
    sounds: list[float]
    height: int
    frames_per_s: float


def main() -> None:
    """Run the figures."""
    parts = {"delay": delay, "speech": speech, "narrow": narrow, "full_hd": full_hd}

    def only(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--only", choices=list(parts), help="one part of it")

    given = arguments(__doc__ or "", only)
    with sync_playwright() as playwright, browser_of(playwright) as browser:
        for name, part in parts.items():
            if given.only in (None, name):
                part(browser, quick=given.quick)
    table()


def speech(browser: Browser, *, quick: bool) -> None:
    """What is understood when packets are lost, late and shaken."""
    said = spoken(SENTENCES[:2] if quick else SENTENCES)
    with tempfile.TemporaryDirectory() as folder, meetings(browser, said, Path(folder)) as met:
        met.meet("good")
        met.meet("hearer", hearer=bad(**_BAD))
        met.meet("speaker", speaker=bad(**_BAD))
        met.meet_directly("direct", bad(**_BAD))
        met.settle()
        found = met.listen()
    load = (
        f"{len(said.spans)} sentences of espeak-ng, Opus, no picture, 80 to 100 ms and 5 % of packets lost each way; "
        f"over a good network at the same time {found['good'].understood:.3f}; the peer without a bridge; "
        "STOI, 1 is as it was said"
    )
    peer, least, aim = found["direct"].understood, f"{GOOD}", "0.95"
    for name, who in (("speech_intelligibility_5pct_80ms", "hearer"), ("speech_up_5pct_80ms", "speaker")):
        ours = found[who].understood
        figure(name, ours, peer, ours / peer, "STOI", len(said.spans), f"the {who}'s; {load}", least=least, aim=aim)


def narrow(browser: Browser, *, quick: bool) -> None:
    """What is left at 150 kbit/s each way, from the moment it narrows, and once that has settled."""
    said = spoken(SENTENCES[:2] if quick else SENTENCES)
    ours, peer = bad(), bad()
    with tempfile.TemporaryDirectory() as folder, meetings(browser, said, Path(folder)) as met:
        met.meet("ours", hearer=ours, size=_SMALL)
        met.meet_directly("peer", peer, size=_SMALL)
        met.settle()
        for way in (*ours, *peer):
            way.bits_per_second = 150_000
        first = met.listen()
        then = met.listen()
    load = (
        f"{len(said.spans)} sentences, pictures of 640 x 360 both ways, the hearer's good network becomes one of "
        "150 kbit/s each way with a queue of 0.5 s; the peer without a bridge; "
    )
    for name, found, when in (
        ("sound_kept_at_150kbit", then, "once settled"),
        ("sound_kept_as_it_narrows", first, "the first seconds"),
    ):
        mine, theirs = found["ours"].understood, found["peer"].understood
        least = f"{GOOD}" if found is then else ""
        figure(name, mine, theirs, mine / theirs, "STOI", len(said.spans), load + when, least=least)
    kept, theirs_kept = (_came(first[room]) for room in ("ours", "peer"))
    figure(
        "voice_packets_kept_as_it_narrows", kept, theirs_kept, kept / theirs_kept, "%", 1, load + "the first seconds"
    )


def full_hd(browser: Browser, *, quick: bool) -> None:
    """1080p from a sender with an encoder of its own, decoded by a browser behind the bridge."""
    seconds = 4 if quick else 20
    with (
        tempfile.TemporaryDirectory() as folder,
        meetings(browser, spoken(SENTENCES[:1]), Path(folder)) as met,
        full_hd_sender(met.bridge, "studio"),
    ):
        met.enter("studio", "viewer")
        ends_at = time.monotonic() + 30
        while (before := met.look("studio-viewer"))["came"].get("height", 0) < FullHdTrack.HEIGHT:
            if time.monotonic() > ends_at:
                raise RuntimeError(f"no full HD came: {before}")
            met.page.wait_for_timeout(100)
        met.page.wait_for_timeout(seconds * 1000)
        after = met.look("studio-viewer")
    rate = (after["came"]["frames"] - before["came"]["frames"]) / (after["at"] - before["at"]) * 1000
    load = "1920 x 1080 VP8 at 30 fps and 2 Mbit/s, encoded beforehand, through the bridge to Chromium, decoded"
    figure("full_hd_frames_per_s", rate, unit="fps", n=seconds, load=load, least="24", aim="30")
    figure("full_hd_height", after["came"]["height"], unit="lines", load=load, least="1080")


@contextmanager
def full_hd_sender(bridge: OurBridge, room: str) -> Iterator[None]:
    """A participant that sends 1080p, on a thread of its own: the browser's driver has this one."""
    joined, done = Event(), Event()

    async def send() -> None:
        async with Client(camera=FullHdTrack(), microphone=False, video_slots=1) as client:
            await client.answered(bridge.join(room, "p_studio", await client.offer()))
            joined.set()
            await asyncio.to_thread(done.wait)

    thread = Thread(target=lambda: asyncio.run(send()), daemon=True)
    thread.start()
    try:
        if not joined.wait(30):
            raise RuntimeError("the sender did not join")
        yield
    finally:
        done.set()
        thread.join(10)


def _came(heard: Heard) -> float:
    return 100 * heard.packets / max(1, heard.packets + heard.lost)


def delay(browser: Browser, *, quick: bool) -> None:
    """How late picture and sound are."""
    seconds, rounds = (4.0, 1) if quick else (15.0, 3)
    ours: list[Seen] = []
    peer: list[Seen] = []
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
