"""Watching shares: their pictures go to a sampler too, and one that shows a bank's internal page is cut.

The web process says whose shares are watched. Those open only while there is a sampler, are forwarded only once their
first picture was found clean, and are cut when a later one is not, or when nobody could look at them for a while. A
recording gets their packets only after they were looked at. See sidecar.firewall for the sampler.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast

from sidecar.bridge.samplers import SamplerLine, Samplers
from sidecar.firewall.wire import CODECS, Seen, Verdict, pack_frame
from sidecar.recorder.depacketise import Depacketiser
from sidecar.recorder.matroska import Codec

if TYPE_CHECKING:
    from sidecar.bridge.peer import Peer
    from sidecar.bridge.streams import Track

log = logging.getLogger(__name__)

LOOK_S = 0.1  # between two times that packets go to the samplers
BLIND_S = 3.0  # a share that could not be looked at for this long is cut: a lost key frame is back in half of it
FIRST_S = 10.0  # before the first look nothing is shown, so there is time

CutReason = Literal["canary", "blind", "down"]
_Packets = list[tuple[int, int, int, bytes, float]]


class Watcher:
    """All watched shares of a bridge."""

    def __init__(self, monotonic: Callable[[], float], changed: Callable[[], None]) -> None:
        """changed: called when watched shares may open that could not, or the other way round."""
        self.monotonic = monotonic
        self.samplers = Samplers(on_ready=self._ready, on_lost=self._lost)
        self._changed = changed
        self._watches: dict[Track, ShareWatch] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> bool:
        """Whether a share can be looked at now."""
        return self.samplers.state == "ok"

    def begin(self, peer: "Peer", track: "Track") -> None:
        """Watch a track from now on. Nothing of it is shown until its first picture was found clean."""
        if track not in self._watches:
            self._watches[track] = ShareWatch(self, peer, track)
            self._keep_looking()

    def end(self, track: "Track") -> None:
        """Watch a track no longer. Does nothing for one that is not watched."""
        watch = self._watches.pop(track, None)
        if watch is not None:
            watch.close()

    async def stop(self) -> None:
        """Let go of everything."""
        if self._timer is not None:
            self._timer.cancel()
        for track in list(self._watches):
            self.end(track)
        await self.samplers.stop()

    def _ready(self) -> None:
        self._changed()
        self._keep_looking()

    def _lost(self) -> None:
        for track, watch in list(self._watches.items()):
            if track.flowing:
                watch.cut("down")
            else:
                self.end(track)
        self._changed()

    def _keep_looking(self) -> None:
        if self._watches and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self.monotonic()
        for watch in list(self._watches.values()):
            try:
                watch.look(now)
            except Exception:
                log.exception("a share could not be watched")
                watch.cut("blind")
        self._keep_looking()


class ShareWatch:
    """One share under watch, from the moment it may flow to the moment it may not."""

    def __init__(self, watcher: Watcher, peer: "Peer", track: "Track") -> None:
        self._watcher = watcher
        self._peer = peer
        self._track = track
        self._line: SamplerLine | None = None
        self._frames: Depacketiser | None = None
        self._sent = 0
        self._held: deque[tuple[int, float, _Packets]] = deque()  # frames sent by then, when, what a recording gets
        self._begin_anew()

    def _begin_anew(self) -> None:
        """What comes next is another share: nothing of it was looked at yet."""
        self._track.watch, self._track.clear = [], False
        if self._line is not None:
            self._line.close()
        self._line = self._frames = None
        self._sent = 0
        self._held.clear()

    def look(self, now: float) -> None:
        """Send on what came since the last time, and see whether somebody still looks."""
        track, packets = self._track, self._track.watch
        if not track.flowing:
            if self._frames is not None:
                self._begin_anew()
            return
        if packets:
            track.watch = []
            self._take(packets, now)
        elif self._frames is not None and self._frames.is_waiting:
            self._take([], now)
        if self._frames is not None and self._frames.needs_key:
            track.request_key_frame(now)
        if self._held and now - self._held[0][1] > (BLIND_S if track.clear else FIRST_S):
            self.cut("blind")

    def _take(self, packets: _Packets, now: float) -> None:
        if packets:
            codec = self._track.codecs.get(packets[-1][1] & 0x7F)
            name = codec.name if codec is not None else ""
            if name in CODECS and (self._frames is None or self._frames.codec != name):
                self._frames = Depacketiser(cast(Codec, name))
        if self._frames is not None:
            for frame in self._frames.feed(packets, now):
                self._sent += 1
                self._send(pack_frame(self._frames.codec, frame.data))
        if any(packet[3] for packet in packets):  # the rest only probes the path
            self._held.append((self._sent, now, packets))

    def _send(self, data: bytes) -> None:
        if self._line is None:
            self._line = self._watcher.samplers.line(self._judge, lambda: self.cut("blind"))
        if self._line is not None:
            self._line.send(data)

    def _judge(self, verdict: Verdict) -> None:
        track = self._track
        if verdict.seen is Seen.CANARY:
            self.cut("canary", verdict.canary)
            return
        if verdict.seen is Seen.UNREADABLE or not 0 < verdict.frames <= self._sent:
            track.request_key_frame(self._watcher.monotonic())
            return
        while self._held and self._held[0][0] <= verdict.frames:
            _, _, packets = self._held.popleft()
            if track.tap is not None:
                track.tap += packets
        if not track.clear:
            track.clear = True
            self._peer.room.arrange()

    def cut(self, reason: CutReason, canary: int = 0) -> None:
        """Close the share, and say so."""
        self._watcher.end(self._track)
        self._peer.cut_share(reason, canary)

    def close(self) -> None:
        """Let the track be. It is shown again only once it is watched again, or need not be."""
        self._begin_anew()
        self._track.watch = None
