"""The rate a receiver can take, found over a simulated narrow link; and how it is divided."""

from itertools import pairwise

import pytest

from sidecar.bridge import rtcp
from sidecar.bridge.bandwidth import (
    MIN_VIDEO_BPS,
    PROBE_BPS,
    START_BPS,
    Downlink,
    Wish,
    allocate,
)
from sidecar.bridge.probe import due_bytes
from sidecar.bridge.transport_cc import SentLog

PACKET_BYTES = 1000


class Link:
    """A path with a queue: packets leave one after the other at its rate, what waits too long is lost."""

    def __init__(self, bits_per_second: float, *, queue_s: float = 0.4, delay_s: float = 0.03) -> None:
        self.rate, self.queue_s, self.delay_s = bits_per_second, queue_s, delay_s
        self._free_at = 0.0
        self._client_clock = 1000.0

    def send(self, now: float) -> float | None:
        starts_at = max(now, self._free_at)
        if starts_at - now > self.queue_s:
            return None
        self._free_at = starts_at + PACKET_BYTES * 8 / self.rate
        return self._free_at + self.delay_s + self._client_clock


class Sender:
    """Sends at the smaller of what it wants and the budget, reports come back ten times a second."""

    def __init__(self, link: Link, wants_bps: float) -> None:
        self.link, self.wants_bps = link, wants_bps
        self.now = 100.0
        self.downlink = Downlink(self.now)
        self.log = SentLog()
        self._reported = 0
        self._count = 0

    def run(self, seconds: float) -> None:
        arrivals: dict[int, float] = {}
        ends_at = self.now + seconds
        next_report = self.now + 0.1
        while self.now < ends_at:
            self.now += PACKET_BYTES * 8 / min(self.wants_bps, self.downlink.budget)
            number = self.log.next
            self.log.record(self.now, PACKET_BYTES)
            at = self.link.send(self.now)
            if at is not None:
                arrivals[number] = at
            if self.now >= next_report:
                next_report += 0.1
                self._report(arrivals)

    def _report(self, arrivals: dict[int, float]) -> None:
        clock = self.now + 1000.0
        seen = {n: round(at * 1e6) for n, at in arrivals.items() if at <= clock and n >= self._reported}
        if not seen:
            return
        self._count += 1
        data = rtcp.transport_feedback(1, 7, count=self._count, base=self._reported, arrivals=seen)
        self._reported = max(seen) + 1
        (report,) = rtcp.parse(data)
        assert isinstance(report, rtcp.TransportFeedback)
        delivery = self.log.match(report)
        if delivery is not None:
            self.downlink.on_feedback(delivery, self.now)


@pytest.mark.requirement("R144")
def test_a_good_path_carries_1080p_from_the_start() -> None:
    sender = Sender(Link(20_000_000), 2_800_000)
    sender.run(5)
    assert sender.downlink.budget >= START_BPS
    assert sender.downlink.queue_s < 0.03


@pytest.mark.requirement("R144")
@pytest.mark.parametrize("rate", [300_000, 800_000, 2_000_000])
def test_a_narrow_path_is_found_and_kept_to(rate: int) -> None:
    sender = Sender(Link(rate), 2_800_000)
    sender.run(20)
    assert 0.5 * rate < sender.downlink.budget < 1.1 * rate
    assert sender.downlink.loss < 0.05


def test_while_a_queue_drains_what_gets_through_is_not_taken_for_the_path() -> None:
    """Pictures are held back until the queue is gone: only the voice is left to be delivered."""
    link = Link(1_000_000)
    sender = Sender(link, 2_800_000)
    sender.run(10)
    before = sender.downlink.budget
    sender.downlink.draining = True
    link.rate, sender.wants_bps = 40_000, 60_000
    sender.run(2)
    assert sender.downlink.queue_s > 0.08
    assert sender.downlink.budget == before


def test_losses_without_a_queue_are_congestion_too() -> None:
    """A policer drops at once and never delays."""
    sender = Sender(Link(600_000, queue_s=0.01), 2_800_000)
    sender.run(20)
    assert 200_000 < sender.downlink.budget < 800_000


def test_the_rate_comes_back_when_the_path_widens() -> None:
    link = Link(400_000)
    sender = Sender(link, 2_800_000)
    sender.run(15)
    link.rate = 20_000_000
    sender.run(25)
    assert sender.downlink.budget > 2_000_000


def test_little_traffic_is_not_taken_for_a_narrow_path() -> None:
    """Cameras off leaves 40 kbit/s of voice: the picture that follows must not start at that."""
    sender = Sender(Link(20_000_000), 40_000)
    sender.run(30)
    assert sender.downlink.budget >= START_BPS


def test_a_report_that_is_cut_short_says_nothing() -> None:
    log = SentLog()
    for n in range(10):
        log.record(float(n), 100)
    assert log.match(rtcp.TransportFeedback(0, 5, [1] * 10, b"\1" * 3)) is None
    assert log.match(rtcp.TransportFeedback(0, 5, [1] * 10, b"\1" * 10)) is not None


def test_a_number_counts_once_however_often_it_is_reported() -> None:
    log = SentLog()
    for n in range(10):
        log.record(float(n), 100)
    report = rtcp.TransportFeedback(0, 5, [1] * 10, b"\1" * 10)
    first = log.match(report)
    assert first is not None
    assert (first.arrived, first.arrived_bytes) == (10, 1000)
    assert log.match(report) is None


def test_reports_about_numbers_never_sent_are_ignored() -> None:
    log = SentLog()
    assert log.match(rtcp.TransportFeedback(0, 5, [1] * 10, b"\1" * 10)) is None
    log.record(1.0, 100)
    found = log.match(rtcp.TransportFeedback(0, 5, [1] * 10, b"\1" * 10))
    assert found is not None
    assert found.arrived == 1


@pytest.mark.requirement("R146")
def test_voices_are_served_before_pictures() -> None:
    shares = allocate(500_000, 7, [Wish(1)])
    assert shares == {1: int(500_000 * 0.95 - 7 * 50_000)}


@pytest.mark.requirement("R145")
def test_the_least_important_pictures_go_first() -> None:
    wishes = [Wish(1, 3.0), Wish(2), Wish(3), Wish(4)]
    assert set(allocate(3_000_000, 4, wishes)) == {1, 2, 3, 4}
    assert set(allocate(900_000, 4, wishes)) == {1, 2}
    assert all(bps >= MIN_VIDEO_BPS // 2 for bps in allocate(900_000, 4, wishes).values())


@pytest.mark.requirement("R147")
def test_below_the_limit_no_picture_is_left() -> None:
    assert allocate(110_000, 1, [Wish(1)]) == {}
    assert allocate(130_000, 1, [Wish(1)]) == {1: MIN_VIDEO_BPS // 2}


def test_nobody_to_see_needs_nothing() -> None:
    assert allocate(3_000_000, 1, []) == {}


def test_a_remb_that_falls_below_what_is_sent_is_congestion() -> None:
    downlink = Downlink(0.0)
    downlink.on_remb(2_500_000, 2_000_000, 1.0)
    downlink.on_remb(300_000, 2_000_000, 2.0)
    assert downlink.budget == 300_000


def test_a_remb_that_is_low_because_little_was_sent_is_not() -> None:
    downlink = Downlink(0.0)
    downlink.on_remb(60_000, 40_000, 1.0)
    downlink.on_remb(90_000, 1_500_000, 2.0)  # the picture has begun, the estimate follows
    assert downlink.budget >= START_BPS


def test_a_rate_lowered_by_remb_comes_back() -> None:
    downlink = Downlink(0.0)
    downlink.on_remb(2_500_000, 2_000_000, 1.0)
    downlink.on_remb(300_000, 2_000_000, 2.0)
    for second in range(3, 40):
        sent = downlink.budget * 0.9
        downlink.on_remb(int(sent * 1.5), sent, float(second))
    assert downlink.budget > 1_500_000


def test_a_probe_that_met_congestion_has_failed() -> None:
    downlink = Downlink(0.0)
    downlink.on_remb(100_000, 200_000, 1.0)
    downlink.on_remb(90_000, 200_000, 2.0)
    downlink.begin_probe()
    downlink.on_remb(80_000, 200_000, 10.0)
    assert not downlink.end_probe()
    downlink.begin_probe()
    assert downlink.end_probe()
    assert downlink.budget == 220_000


@pytest.mark.requirement("R146")
def test_a_try_for_a_picture_grows_slowly_and_never_bursts() -> None:
    """A try begins where a path that just carries a voice has room left, and ends at what a picture needs."""
    rates = [(due_bytes(t / 50 + 0.02) - due_bytes(t / 50)) * 8 / 0.02 for t in range(125)]
    assert 50_000 < rates[0] < 60_000
    assert rates[-1] == pytest.approx(PROBE_BPS)
    assert all(-1 < later - before < 5_000 for before, later in pairwise(rates))
    assert due_bytes(10) == pytest.approx(due_bytes(2.5))
