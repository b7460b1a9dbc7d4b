"""What each participant can take and is shown: sound first, then the pictures there is room for.

Every quarter of a second the downlink's budget is divided among the pictures this receiver could see. Those
left out are paused at the bridge. What a sender is asked for is the least that any of its receivers has.
"""

from typing import TYPE_CHECKING

from sidecar.bridge.bandwidth import (
    MIN_VIDEO_BPS,
    SOUND_ONLY_BPS,
    START_BPS,
    QualityLevel,
    Wish,
    allocate,
)
from sidecar.bridge.probe import Probe
from sidecar.bridge.streams import Track

if TYPE_CHECKING:
    from sidecar.bridge.peer import Peer

_REPORT_S = 1.0  # receiver reports, limits
_TELL_S = 5.0
_WORSE_AFTER_S = 1.0
_BETTER_AFTER_S = 4.0
_SHOW_AGAIN = 1.25  # a picture comes back when there is this much more room than it needs
_PROBE_FIRST_S = 4.0
_PROBE_LATEST_S = 32.0
_QUEUE_LONG_S, _QUEUE_GONE_S = 0.2, 0.05  # what is heard as a delay, and what is not
_OVERRUN = 1.5
_OVERRUN_LONGEST_S = 1.5  # by then a sender has heard of its limit
_WEAK_LOSS = 0.05
_WEAK_PICTURE_BPS = 250_000
_UNSEEN_BPS = 300_000  # a camera that nobody watches keeps its encoder warm
_LIMIT_FALLS = 0.97
_LOSS_MEMORY = 8  # looks, of four a second: single losses of a quiet voice are not a trend
_IMPORTANT_WEIGHT = 3.0


class QualityKeeper:
    """One participant's share of pictures, and what it is told about its connection."""

    def __init__(self, peer: "Peer", now: float) -> None:
        self._peer = peer
        self.shares: dict[Track, int] = {}
        self._refused: frozenset[Track] = frozenset()
        self.sound_only = False
        self.level = QualityLevel.GOOD
        self.loss = 0.0  # on the way down, over some seconds
        self.up_bps = 0.0
        self.down_bps = 0.0
        self._other_since = now
        self._told_at = 0.0
        self._reported_at = now
        self._counted = (0, 0)
        self._limit = 0
        self._limit_sent_at = 0.0
        self._probe_at = 0.0
        self._probe_wait_s = _PROBE_FIRST_S
        self._probe = Probe(peer)
        self._looked = (now, 0)
        self._overrun_until = 0.0

    def may_see(self, track: Track) -> bool:
        """Whether there is room for this picture. A new one is given the benefit of the doubt."""
        return not self.sound_only and track not in self._refused

    def open(self, now: float) -> None:
        """Say at once what the sender may use: the bridge, and so everybody behind it, assumes a good path."""
        self._limit, self._limit_sent_at = START_BPS, now
        self._peer.feedback.send_limit(START_BPS)

    def tick(self, now: float) -> None:
        """Four times a second."""
        peer = self._peer
        self.loss += (peer.downlink.loss - self.loss) / _LOSS_MEMORY
        candidates = peer.room.candidates(peer)
        before = (self._refused, self.sound_only)
        self._divide(candidates, now)
        if (self._refused, self.sound_only) != before:
            peer.room.arrange()
        self._judge(bool(candidates), now)
        if now - self._reported_at >= _REPORT_S:
            self._measure(now)
            peer.feedback.send_receiver_report(now)
        self._limit_sender(now)

    # The way down

    def _divide(self, candidates: "list[tuple[Track, bool]]", now: float) -> None:
        peer = self._peer
        tracks = [track for track, _ in candidates]
        wishes = [
            Wish(key, _IMPORTANT_WEIGHT if important and len(candidates) > 1 else 1.0)
            for key, (_, important) in enumerate(candidates)
        ]
        voices = sum(slot.source is not None for slot in peer.audio_slots)
        budget = peer.downlink.budget
        if tracks:
            self._consider_sound_only(budget, now)
        overrun = self._is_overrun(now)
        if self.sound_only:
            self.shares, self._refused = {}, frozenset(tracks)
            return
        if overrun:
            # The limits are on their way to the senders; what still comes would stand before the voice.
            self.shares = {tracks[k]: bps for k, bps in allocate(budget, voices, wishes).items()}
            self._refused = frozenset(tracks)
            return
        fits = allocate(budget, voices, wishes)
        fits_well = allocate(budget / _SHOW_AGAIN, voices, wishes)
        shown = {k for k in fits if k in fits_well or tracks[k] not in self._refused}
        # Room that a picture waits for is not given away, so shares are those of the full division.
        self.shares = {tracks[k]: bps for k, bps in fits.items() if k in shown}
        self._refused = frozenset(track for track in tracks if track not in self.shares)

    def _is_overrun(self, now: float) -> bool:
        """Whether far more is sent than the path takes, and its queue is long: pictures wait until that is gone."""
        downlink = self._peer.downlink
        sent = sum(slot.octets for slot in self._peer.slot_by_ssrc.values())
        elapsed, bits = now - self._looked[0], (sent - self._looked[1]) * 8
        self._looked = (now, sent)
        if self._overrun_until:
            if self.sound_only or now >= self._overrun_until or downlink.queue_s < _QUEUE_GONE_S:
                self._overrun_until = 0.0
        elif downlink.queue_s > _QUEUE_LONG_S and bits > _OVERRUN * downlink.budget * elapsed:
            self._overrun_until = now + _OVERRUN_LONGEST_S
        downlink.draining = bool(self._overrun_until)
        return downlink.draining

    def _consider_sound_only(self, budget: float, now: float) -> None:
        if not self.sound_only:
            if budget < SOUND_ONLY_BPS:
                self.sound_only = True
                self._probe_at = now + self._probe_wait_s
            return
        if self._probe.outcome is not None:
            self._judge_probe(now, came_through=self._probe.outcome)
            self._probe.outcome = None
        elif not self._probe.running and now >= self._probe_at:
            self._probe.begin(now)

    def _judge_probe(self, now: float, *, came_through: bool) -> None:
        if came_through:
            self.sound_only = False
            self._probe_wait_s = _PROBE_FIRST_S
        else:
            self._probe_wait_s = min(_PROBE_LATEST_S, 2 * self._probe_wait_s)
            self._probe_at = now + self._probe_wait_s

    # The way up

    def _limit_sender(self, now: float) -> None:
        peer = self._peer
        limit = 0
        for track in peer.tracks.values():
            if track.video and track.open:
                # Also of those to whom it is paused just now: they want it again at this rate.
                needs = [other.quality.shares.get(track) for other in peer.room.peers.values() if other is not peer]
                limit += min((need for need in needs if need is not None), default=_UNSEEN_BPS)
        limit = max(limit, MIN_VIDEO_BPS // 2) + 64_000  # and its voice
        if limit < self._limit * _LIMIT_FALLS or now - self._limit_sent_at >= _REPORT_S:
            self._limit, self._limit_sent_at = limit, now
            peer.feedback.send_limit(limit)

    # Telling

    def _measure(self, now: float) -> None:
        peer = self._peer
        elapsed = now - self._reported_at
        self._reported_at = now
        up = sum(track.bytes_received for track in peer.tracks.values())
        down = sum(slot.octets for slot in peer.slot_by_ssrc.values())
        self.up_bps = (up - self._counted[0]) * 8 / elapsed
        self.down_bps = (down - self._counted[1]) * 8 / elapsed
        self._counted = (up, down)

    def _judge(self, pictures: bool, now: float) -> None:
        peer = self._peer
        if self.sound_only and pictures:
            found = QualityLevel.SOUND_ONLY
        elif (
            peer.downlink.loss > _WEAK_LOSS
            or bool(self._refused)
            or any(bps < _WEAK_PICTURE_BPS for bps in self.shares.values())
            or peer.uplink_loss > 2 * _WEAK_LOSS
        ):
            found = QualityLevel.WEAK
        else:
            found = QualityLevel.GOOD
        if found == self.level:
            self._other_since = now
        else:
            order = list(QualityLevel)
            worse = order.index(found) > order.index(self.level)
            if now - self._other_since >= (_WORSE_AFTER_S if worse else _BETTER_AFTER_S):
                self.level = found
                self._told_at = 0.0
                peer.room.tell_others(peer, peer.media_message())
        if now - self._told_at >= _TELL_S:
            self._told_at = now
            peer.channel.send(
                {
                    "type": "quality",
                    "level": str(self.level),
                    "up_kbps": round(self.up_bps / 1000),
                    "down_kbps": round(self.down_bps / 1000),
                }
            )
