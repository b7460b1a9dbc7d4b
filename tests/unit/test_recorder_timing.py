"""One time line from clocks that disagree: voices and lips within 40 ms for as long as a meeting lasts."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.recorder.session import Session
from sidecar.recorder.timing import SenderClock, TrackClock


class Sender:
    """A person's machine: a wall clock that runs a little wrong, and media clocks that run wrong on their own."""

    def __init__(self, *, wall_ppm: float, sound_ppm: float, picture_ppm: float, set_wrong_s: float, seed: int) -> None:
        self.wall_ppm, self.set_wrong_s = wall_ppm, set_wrong_s
        self.rates = {"microphone": 48000 * (1 + sound_ppm / 1e6), "camera": 90000 * (1 + picture_ppm / 1e6)}
        self.random = random.Random(seed)
        self.clock = SenderClock()
        self.tracks = {"microphone": TrackClock(48000, self.clock), "camera": TrackClock(90000, self.clock)}

    def wall(self, t: float) -> float:
        return 3.9e9 + self.set_wrong_s + t * (1 + self.wall_ppm / 1e6)

    def stamp(self, kind: str, t: float) -> int:
        return int(1_000_000 + t * self.rates[kind]) & 0xFFFFFFFF

    def delay(self) -> float:
        return 0.02 + self.random.expovariate(1 / 0.015)

    def reports(self, t: float) -> None:
        arrived = t + self.delay()
        for kind, track in self.tracks.items():
            self.clock.heard(self.wall(t), arrived)
            track.report(self.stamp(kind, t), self.wall(t))

    def moment(self, kind: str, t: float) -> float:
        late = 0.05 if kind == "camera" else 0.0  # a picture is encoded for a while
        return self.tracks[kind].moment(self.stamp(kind, t), t + late + self.delay())


@pytest.mark.requirement("R208")
@given(st.floats(-100, 100), st.floats(-100, 100), st.floats(-100, 100), st.floats(-1e6, 1e6), st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_two_people_stay_within_40_ms_through_an_hour_of_wrong_clocks(
    wall: float, sound: float, picture: float, wrong_s: float, seed: int
) -> None:
    people = [
        Sender(wall_ppm=wall, sound_ppm=sound, picture_ppm=picture, set_wrong_s=wrong_s, seed=seed),
        Sender(wall_ppm=-wall, sound_ppm=picture, picture_ppm=-sound, set_wrong_s=-wrong_s, seed=seed + 1),
    ]
    worst = 0.0
    for tenth in range(0, 36_000, 5):
        t = tenth / 10
        if tenth % 50 == 0:
            for person in people:
                if person.random.random() > 0.1:  # a tenth of the reports is lost
                    person.reports(t)
        moments = [person.moment(kind, t) for person in people for kind in ("microphone", "camera")]
        if t > 60:
            worst = max(worst, max(moments) - min(moments))
    assert worst < 0.040


def test_stamps_no_honest_clock_makes_are_taken_as_of_their_arrival() -> None:
    track = TrackClock(90000, SenderClock())
    track.moment(0, 100.0)

    for number, stamp in enumerate((0x7FFFFFFF, 5, 0xFFFFFFFF, 0x80000000)):
        arrived = 101.0 + number
        assert abs(track.moment(stamp, arrived) - arrived) < 3.1


def test_a_report_that_lies_moves_nothing_far() -> None:
    clock = SenderClock()
    track = TrackClock(48000, clock)
    for n in range(50):
        track.moment(n * 960, 10 + n * 0.02)
    clock.heard(1.0, 11.0)
    track.report(0, 1e9)

    assert abs(track.moment(50 * 960, 11.0) - 11.0) < 3.1
    clock.heard(-1e12, 11.5)
    assert abs(track.moment(75 * 960, 11.5) - 11.5) < 3.1


def test_a_stamp_that_wraps_goes_on_without_a_jump() -> None:
    track = TrackClock(90000, SenderClock())
    first = track.moment(0xFFFFFFFF - 3000, 5.0)

    assert track.moment(3000, 5.0 + 6001 / 90000) - first == pytest.approx(6001 / 90000, abs=0.001)


def opus(first: int, count: int, at: float) -> list[tuple[int, int, int, bytes, float]]:
    return [(n, 111, n * 960, b"\xf8", at + (n - first) * 0.02) for n in range(first, first + count)]


@pytest.mark.requirement("R208")
def test_a_pause_leaves_no_hole_and_nothing_said_in_it() -> None:
    session = Session(recording="rec_a", now=100.0, at="a")
    track = session.track("p_a", "microphone", "opus")
    session.take(track, opus(0, 100, 100.0), 102.0)
    session.pause(102.0, "b", reason="consent")
    session.take(track, opus(100, 500, 102.0), 112.0)
    session.resume(112.0, "c")
    session.take(track, opus(600, 50, 112.0), 113.0)
    session.flush()

    assert session.position_ms(113.0) == 3000
    last = track.last_ms
    assert 2900 <= last <= 3010


def test_what_arrived_before_it_went_on_is_not_kept() -> None:
    session = Session(recording="rec_a", now=100.0, at="a")
    track = session.track("p_a", "microphone", "opus")
    session.pause(100.0, "b", reason="consent")
    session.resume(110.0, "c")

    session.take(track, opus(0, 50, 109.5), 110.6)

    assert session.media_bytes == 25
