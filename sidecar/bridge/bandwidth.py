"""How much a participant can take: an estimate of its way down from when packets left and arrived.

The client's transport feedback says when each packet arrived. Packets that wait in a queue arrive later and
later: then the rate goes below what really got through. Nothing waits and nothing is lost: the rate may grow.
Clients without transport feedback report REMB instead, and a falling REMB counts as congestion.

Pure arithmetic on values; `Downlink` is told the time. Rates are bits a second.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sidecar.bridge.transport_cc import Delivery

START_BPS = 3_000_000  # 1080p at once on a good path; congestion shows within half a second on a bad one
MAX_BPS = 12_000_000
MIN_BPS = 40_000  # one voice
SOUND_ONLY_BPS = 120_000  # below this a picture is worse than none, and costs the voice its place
PROBE_BPS = 220_000
MIN_VIDEO_BPS = 150_000  # a camera below this shows nothing of use
AUDIO_RESERVE_BPS = 50_000  # per voice: Opus with in-band error correction and headers

_QUEUE_CONGESTED_S = 0.08  # waiting time that no ordinary jitter makes in the best packet of a report
_QUEUE_FREE_S = 0.03
_LOSS_CONGESTED = 0.10
_LOSS_FREE = 0.02
_BACK_OFF = 0.85
_GROWTH_PER_S = 0.12
_FAST_GROWTH_PER_S, _FAST_AFTER_S = 0.35, 10.0  # when nothing has been wrong for so long
_DECREASE_INTERVAL_S = 0.6  # a decrease needs a round trip and an encoder's reaction before it shows
_BASE_WINDOW_S = 15.0
_RATE_WINDOW_S = 1.0
_REPORT_SPAN_S = 0.1
_REPORTS_CONGESTED = 2


class Downlink:
    """The estimate for one participant. `budget` is what may be sent to it."""

    def __init__(self, now: float) -> None:
        self.budget = float(START_BPS)
        self.loss = 0.0
        self.queue_s = 0.0
        self.draining = False  # pictures are held back until the queue is gone: what gets through says nothing now
        self.delivered = 0.0
        self._reports: deque[tuple[float, int, int, int]] = deque()
        self._sums = [0, 0, 0]  # arrived, lost, arrived bytes within the window
        self._base = [float("inf"), float("inf")]
        self._base_turned_at = now
        self._congested_reports = 0
        self._decreased_at = 0.0
        self._grown_at = now
        self._last_remb = 0.0
        self._probe_congested = False

    def on_feedback(self, delivery: Delivery, now: float) -> None:
        """Take one report."""
        self._measure(delivery, now)
        if not delivery.arrived:
            return
        best = delivery.best_delay_s
        if now - self._base_turned_at > _BASE_WINDOW_S:
            # The client's clock drifts against ours, and routes change: the base is the best of a while.
            self._base = [self._base[1], float("inf")]
            self._base_turned_at = now
        self._base[1] = min(self._base[1], best)
        self.queue_s = best - min(self._base)
        if self.queue_s > _QUEUE_CONGESTED_S:
            self._congested_reports += 1
        else:
            self._congested_reports = 0
        if self.draining:
            self._congested_reports, self._grown_at = 0, now
        elif self._congested_reports >= _REPORTS_CONGESTED:
            self._decrease(self.delivered * _BACK_OFF, now)
        elif self.loss > _LOSS_CONGESTED:
            self._decrease(self._after_loss(), now)
        elif self.queue_s < _QUEUE_FREE_S and self.loss < _LOSS_FREE:
            self._grow(now)
        else:
            self._grown_at = now

    def on_remb(self, bits_per_second: int, sent_bps: float, now: float) -> None:
        """Take a client's own estimate, from one that sends no transport feedback.

        Its estimate is also low when little was sent; then it rises. One that is below what is sent and does
        not rise is congestion.
        """
        rises = bits_per_second > self._last_remb
        self._last_remb = float(bits_per_second)
        self.delivered = sent_bps
        if bits_per_second < sent_bps and not rises:
            self._lower(bits_per_second, now)
        elif bits_per_second > sent_bps and self.loss < _LOSS_FREE:
            self._grow(now)

    def on_loss(self, fraction: float, sent_bps: float, now: float) -> None:
        """Take a receiver report's loss (0..1), from a client that sends no transport feedback."""
        self.loss += (fraction - self.loss) / 2  # a report covers a second: few packets of a quiet stream
        self.delivered = sent_bps * (1 - self.loss)
        if self.loss > _LOSS_CONGESTED:
            self._decrease(self._after_loss(), now)

    def begin_probe(self) -> None:
        """Padding at PROBE_BPS is sent from now on."""
        self._probe_congested = False

    def end_probe(self) -> bool:
        """Return whether the padding came through; then the budget is what it proved."""
        if self._probe_congested or self.loss > _LOSS_CONGESTED or self.queue_s > _QUEUE_CONGESTED_S:
            return False
        self.budget = max(self.budget, float(PROBE_BPS))
        return True

    def _measure(self, delivery: Delivery, now: float) -> None:
        window, sums = self._reports, self._sums
        window.append((now, delivery.arrived, delivery.lost, delivery.arrived_bytes))
        sums[0] += delivery.arrived
        sums[1] += delivery.lost
        sums[2] += delivery.arrived_bytes
        while now - window[0][0] > _RATE_WINDOW_S:
            _, arrived, lost, arrived_bytes = window.popleft()
            sums[0] -= arrived
            sums[1] -= lost
            sums[2] -= arrived_bytes
        total = sums[0] + sums[1]
        # A handful of packets says nothing about loss.
        self.loss = sums[1] / total if total >= 10 else 0.0
        # Each report covers the time before it: the first one's is about as long as the others'.
        self.delivered = sums[2] * 8 / (now - window[0][0] + _REPORT_SPAN_S)

    def _after_loss(self) -> float:
        """Return the rate after a loss: half of it off, never below what did get through.

        A path that loses packets without being narrow (a bad radio) is not starved by this.
        """
        return max(self.budget * (1 - 0.5 * self.loss), self.delivered * _BACK_OFF)

    def _decrease(self, bits_per_second: float, now: float) -> None:
        self._probe_congested = True
        if now - self._decreased_at >= _DECREASE_INTERVAL_S:
            self._lower(bits_per_second, now)

    def _lower(self, bits_per_second: float, now: float) -> None:
        self._probe_congested = True
        self._decreased_at = self._grown_at = now
        self.budget = max(float(MIN_BPS), min(self.budget, bits_per_second))

    def _grow(self, now: float) -> None:
        elapsed = min(1.0, now - self._grown_at)
        self._grown_at = now
        if now - self._decreased_at < 2 * _DECREASE_INTERVAL_S:
            return
        # Beyond what is really used nothing was proven; up to the start value it is assumed.
        ceiling = min(float(MAX_BPS), max(float(START_BPS), 1.5 * self.delivered + 200_000))
        fast = now - self._decreased_at > _FAST_AFTER_S
        growth = 1 + (_FAST_GROWTH_PER_S if fast else _GROWTH_PER_S) * elapsed
        if self.budget < ceiling:
            self.budget = min(ceiling, self.budget * growth)


class QualityLevel(StrEnum):
    """What the participant is told about its own connection."""

    GOOD = "good"
    WEAK = "weak"
    SOUND_ONLY = "sound_only"


@dataclass(frozen=True, slots=True)
class Wish:
    """One picture somebody wants to see. key: whatever the caller knows it by. weight: its part of the rate."""

    key: int
    weight: float = 1.0


def allocate(budget: float, voices: int, wishes: Sequence[Wish]) -> dict[int, int]:
    """Return what each picture may cost, by key. Voices are served first; pictures left out are paused.

    wishes: the most important first. The last ones go when the rest would fall below MIN_VIDEO_BPS.
    """
    left = budget * 0.95 - voices * AUDIO_RESERVE_BPS
    kept = list(wishes)
    if budget < SOUND_ONLY_BPS:
        return {}
    while len(kept) > 1 and left / sum(wish.weight for wish in kept) < MIN_VIDEO_BPS:
        kept.pop()
    total = sum(wish.weight for wish in kept)
    # One picture stays down to the sound-only limit, at whatever rate is left.
    return {wish.key: max(MIN_VIDEO_BPS // 2, int(left * wish.weight / total)) for wish in kept}
