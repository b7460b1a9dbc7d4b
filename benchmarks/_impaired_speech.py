"""Speech from one browser to another over a bad network: said, carried, heard, compared.

Everything is real: Chromium's encoder, jitter buffer and concealment, the bridge as it is shipped, and a UDP relay that
loses, delays and narrows (`sidecar.testing.bad_network`). All meetings of a measurement hear the same words at the same
time, so that one over a good network says what the machine itself costs at that moment.
"""

import base64
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, Route

from benchmarks._bridge_targets import OurBridge
from benchmarks._intelligibility import SPEECH_HZ, Speech, understood
from benchmarks.bridge import our_bridge
from sidecar.testing.bad_network import BadNetwork, Way, bad_network_thread

_PAGE = (Path(__file__).parent / "_speech_page.js").read_text()
_URL = "https://speech.test/"  # answered by the browser itself; sound worklets need a secure page
_LATE_S = 1.5  # what is still on its way when the last word is said
_SETTLE_S = 4.0  # reports have come and gone: a sender knows what its hearer misses
_FEC = "useinbandfec=1"

Size = tuple[int, int, int]


@dataclass(frozen=True)
class Heard:
    """What one hearer got. understood: STOI. mended, concealed: shares of packets, of samples. buffer_s: mean wait."""

    understood: float
    packets: int
    lost: int
    mended: float
    concealed: float
    buffer_s: float


class Meetings:
    """Meetings of two on one page: a speaker and a hearer each."""

    def __init__(self, page: Page, bridge: OurBridge, speech: Speech, open_things: ExitStack) -> None:
        self.page = page
        self.bridge = bridge
        self._speech = speech
        self._open = open_things
        self._hearers: list[str] = []
        samples = (speech.signal * 32767).astype("<i2").tobytes()
        page.evaluate("prepare", base64.b64encode(samples).decode())

    def meet(
        self,
        room: str,
        *,
        speaker: tuple[Way, Way] | None = None,
        hearer: tuple[Way, Way] | None = None,
        size: Size | None = None,
        mended: bool = True,
    ) -> None:
        """Let two meet on the bridge. speaker, hearer: their networks, up and down; None is a good one.

        size: of the picture both send. mended: False takes error correction out of the speaker's voice.
        """
        for who, ways in (("speaker", speaker), ("hearer", hearer)):
            self.enter(room, who, ways, speaks=who == "speaker", size=size, mended=mended)
        self._hearers.append(f"{room}-hearer")

    def enter(
        self,
        room: str,
        who: str,
        ways: tuple[Way, Way] | None = None,
        *,
        speaks: bool = False,
        size: Size | None = None,
        mended: bool = True,
    ) -> None:
        """Let one enter a room of the bridge."""
        name = f"{room}-{who}"
        offer = self.page.evaluate("toBridge", {"name": name, "speaks": speaks, "size": size})
        answer = self.bridge.join(room, f"p_{who}", offer)
        if not mended:
            answer = answer.replace(_FEC, "useinbandfec=0")
        if ways is not None:
            answer = self._network(_candidate(answer), *ways).redirect(answer)
        self.page.evaluate("answered", {"name": name, "sdp": answer})

    def meet_directly(self, room: str, ways: tuple[Way, Way], *, size: Size | None = None) -> None:
        """Let two meet without a bridge, over the same kind of network. ways: from the hearer, to the hearer."""
        up, down = ways
        network = self._network(None, down, up)
        speaker, hearer = f"{room}-speaker", f"{room}-hearer"
        offer = self.page.evaluate("toPeer", {"name": speaker, "speaks": True, "size": size})
        told = {"name": hearer, "speaks": False, "size": size, "offer": network.redirect_near(offer)}
        answer = self.page.evaluate("toPeer", told)
        self.page.evaluate("answered", {"name": speaker, "sdp": network.redirect(answer)})
        self._hearers.append(hearer)

    def settle(self, seconds: float = _SETTLE_S) -> None:
        """Wait until everybody is connected, and a little more."""
        names = [name.replace("hearer", who) for name in self._hearers for who in ("speaker", "hearer")]
        ready = "(names) => names.every((name) => people[name].pc.connectionState === 'connected')"
        self.page.wait_for_function(ready, arg=names, timeout=30_000)
        self.page.wait_for_timeout(seconds * 1000)

    def listen(self) -> dict[str, Heard]:
        """Say the speech once in all meetings; return what was heard, by room."""
        self.page.evaluate("listenAnew()")
        before = {name: self.look(name)["heard"] for name in self._hearers}
        self.page.evaluate("say()")
        self.page.wait_for_timeout(_LATE_S * 1000)
        after = {name: self.look(name)["heard"] for name in self._hearers}
        recorded = {name: base64.b64decode(self.page.evaluate("heard", name)) for name in self._hearers}
        return {
            name.removesuffix("-hearer"): self._judge(sound, before[name], after[name])
            for name, sound in recorded.items()
        }

    def look(self, name: str) -> dict[str, Any]:
        """Return what one person's connection says: sent, voice, came, heard, quality."""
        found: dict[str, Any] = self.page.evaluate("look", name)
        return found

    def _judge(self, recorded: bytes, before: dict[str, float], after: dict[str, float]) -> Heard:
        heard = np.frombuffer(recorded, "<i2").astype(np.float64) / 32768

        def grown(name: str) -> float:
            return after.get(name, 0) - before.get(name, 0)

        packets = grown("packets")
        return Heard(
            understood=understood(self._speech, heard, SPEECH_HZ) if len(heard) > SPEECH_HZ else 0.0,
            packets=int(packets),
            lost=int(grown("lost")),
            mended=grown("mended") / max(1.0, packets),
            concealed=grown("concealed") / max(1.0, grown("samples")),
            buffer_s=after.get("buffer", 0.0),
        )

    def _network(self, far: tuple[str, int] | None, up: Way, down: Way) -> BadNetwork:
        return self._open.enter_context(bad_network_thread(far, up=up, down=down))


@contextmanager
def meetings(browser: Browser, speech: Speech, folder: Path) -> Iterator[Meetings]:
    """A page and a bridge to hold meetings on."""
    with ExitStack() as open_things, our_bridge(folder) as system:
        _, _, url, _, keys = system.load_arguments
        context = browser.new_context()
        open_things.callback(context.close)
        page = context.new_page()
        page.route(_URL, _empty)
        page.goto(_URL)
        page.mouse.click(5, 5)  # sound plays only on a page somebody touched
        page.add_script_tag(content=_PAGE)
        yield Meetings(page, OurBridge(url, keys), speech, open_things)


def bad(*, seed: int = 5, **faults: Any) -> tuple[Way, Way]:
    """Return a network that is equally bad both ways."""
    return Way(seed=seed, **faults), Way(seed=seed + 1, **faults)


def _empty(route: Route) -> None:
    route.fulfill(body="<!doctype html><title>speech</title>", content_type="text/html")


def _candidate(description: str) -> tuple[str, int]:
    words = next(line for line in description.splitlines() if line.startswith("a=candidate:")).split(" ")
    return words[4], int(words[5])
