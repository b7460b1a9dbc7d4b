"""One time line from clocks that disagree: voices and lips within 40 ms for as long as a meeting lasts."""

import random
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.adapters.recording_vault import FileRecordings
from sidecar.recorder.matroska import Codec
from sidecar.recorder.reading import Outline, blocks_between, outline_of
from sidecar.recorder.sealed import SealedReader, SealedWriter
from sidecar.recorder.session import Session, TrackInput
from sidecar.recorder.timing import SenderClock, TrackClock

DEK = bytes(32)
CODECS: dict[str, Codec] = {"microphone": "opus", "camera": "VP8"}
HEADS = {"microphone": b"\xf8", "camera": b"\x10\x10\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 640, 360)}


class Sender:
    """A person's machine: a wall clock that runs a little wrong, and media clocks that run wrong on their own."""

    def __init__(self, name: str, *, wall: float, sound: float, picture: float, set_wrong_s: float, seed: int) -> None:
        """wall, sound, picture: by how many millionths each clock is wrong."""
        self.name, self.wall_ppm, self.set_wrong_s = name, wall, set_wrong_s
        self.rates = {"microphone": 48000 * (1 + sound / 1e6), "camera": 90000 * (1 + picture / 1e6)}
        self.random = random.Random(seed)
        self.tracks: dict[str, TrackInput] = {}
        self.on_the_way: dict[str, list[tuple[int, int, int, bytes, float]]] = defaultdict(list)
        self.reported: list[tuple[float, str, int, float]] = []
        self._sent: dict[str, int] = defaultdict(int)

    def wall(self, t: float) -> float:
        return 3.9e9 + self.set_wrong_s + t * (1 + self.wall_ppm / 1e6)

    def stamp(self, kind: str, t: float) -> int:
        return int(1_000_000 + t * self.rates[kind]) & 0xFFFFFFFF

    def delay(self) -> float:
        return 0.02 + self.random.expovariate(1 / 0.015)

    def reports(self, t: float) -> None:
        for kind in self.tracks:
            self.reported.append((t + self.delay(), kind, self.stamp(kind, t), self.wall(t)))

    def sends(self, kind: str, t: float) -> None:
        """Send a frame that says when it was made."""
        late = 0.05 if kind == "camera" else 0.0  # a picture is encoded for a while
        arrives = t + late + self.delay()
        payload = HEADS[kind] + round(t * 1000).to_bytes(4, "big")
        second = 0x80 | 96 if kind == "camera" else 111
        self.on_the_way[kind].append((self._sent[kind], second, self.stamp(kind, t), payload, arrives))
        self._sent[kind] += 1


class Meeting:
    """Machines that send into one recording, and that recording read again."""

    def __init__(self, folder: Path, *people: Sender) -> None:
        self.session = Session(recording="rec_a", now=0.0, at="2026-11-24T12:00:00.000Z")
        self.people = people
        self.path = folder / "rec_a.rec"
        self._writer = SealedWriter(self.path, recording="rec_a", dek=DEK)
        self._now = self._taken_at = 0.0

    def taps(self, person: Sender, *kinds: str) -> None:
        for kind in kinds:
            person.tracks[kind] = self.session.track(person.name, kind, CODECS[kind])

    def goes_on(self, times: Iterable[float], *, reports_every_s: float = 5.0) -> None:
        """Have every frame of these moments sent, with a report now and then, a tenth of which is lost."""
        for t in times:
            for person in self.people:
                for kind in person.tracks:
                    person.sends(kind, t)
                if t // reports_every_s != self._now // reports_every_s and person.random.random() > 0.1:
                    person.reports(t)
            self._now = t
            if t - self._taken_at >= 0.25:
                self._take(t)

    def switches_off(self, person: Sender, kind: str) -> None:
        """Have a track send no more; what is on the way comes."""
        self._take(self._now + 1.0)
        del person.tracks[kind]

    def comes_back(self, person: Sender) -> None:
        """Have somebody leave, and come back on another machine."""
        self._take(self._now)
        person.on_the_way.clear()
        self.session.restart(person.name, self._now)
        person.set_wrong_s -= 3000

    def _take(self, now: float) -> None:
        self._taken_at = now
        for person in self.people:
            for at, kind, stamp, theirs in sorted(each for each in person.reported if each[0] <= now):
                self.session.report(person.name, kind, timestamp=stamp, theirs_s=theirs, now=at)
            person.reported = [each for each in person.reported if each[0] > now]
            for kind, track in person.tracks.items():
                came = sorted((each for each in person.on_the_way[kind] if each[4] <= now), key=lambda each: each[4])
                person.on_the_way[kind] = [each for each in person.on_the_way[kind] if each[4] > now]
                self.session.take(track, came, now)
        for kind_of, data in self.session.flush():
            self._writer.append(kind_of, data)

    def ends(self) -> None:
        self._take(self._now + 1.0)
        for kind_of, data in self.session.finish(self._now + 1.0, "2026-11-24T13:00:00.000Z", reason="stopped"):
            self._writer.append(kind_of, data)
        self._writer.close()

    def seen(self) -> dict[int, dict[tuple[str, str], int]]:
        """Return where a viewer finds the frame of each moment: moment in ms -> whose and what -> position in ms."""
        found: dict[int, dict[tuple[str, str], int]] = defaultdict(dict)
        with SealedReader(self.path, recording="rec_a", dek=DEK) as reader:
            outline = outline_of(reader)
            names = {each.number: (each.owner, each.kind) for each in outline.tracks}
            for block in blocks_between(reader, outline, 0, outline.duration_ms + 1000):
                found[int.from_bytes(block.data[-4:], "big")][names[block.track]] = block.at_ms
        return found

    def outline(self) -> Outline:
        with SealedReader(self.path, recording="rec_a", dek=DEK) as reader:
            return outline_of(reader)


def steps(first: float, last: float, step: float) -> Iterator[float]:
    return (first + n * step for n in range(round((last - first) / step)))


def apart(found: dict[int, dict[tuple[str, str], int]], *, of: int) -> dict[int, int]:
    """Return how far apart the frames of each moment are that came from so many streams."""
    return {t: max(each.values()) - min(each.values()) for t, each in found.items() if len(each) == of}


def honest(name: str, seed: int) -> Sender:
    return Sender(name, wall=30, sound=-20, picture=10, set_wrong_s=seed * 100.0, seed=seed)


@pytest.mark.requirement("R208")
@given(st.floats(-100, 100), st.floats(-100, 100), st.floats(-100, 100), st.floats(-1e6, 1e6), st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_two_people_stay_within_40_ms_through_an_hour_of_wrong_clocks(
    tmp_path_factory: pytest.TempPathFactory, wall: float, sound: float, picture: float, wrong_s: float, seed: int
) -> None:
    """From the first frame: what was written before the first reports came is put right by them."""
    elin = Sender("p_elin", wall=wall, sound=sound, picture=picture, set_wrong_s=wrong_s, seed=seed)
    maja = Sender("p_maja", wall=-wall, sound=picture, picture=-sound, set_wrong_s=-wrong_s, seed=seed + 1)
    meeting = Meeting(tmp_path_factory.mktemp("hour"), elin, maja)
    meeting.taps(elin, "microphone", "camera")
    meeting.taps(maja, "microphone", "camera")

    meeting.goes_on(steps(0, 60, 0.04))
    meeting.goes_on(steps(60, 3600, 1.0))
    meeting.ends()

    found = apart(meeting.seen(), of=4)
    assert min(found) < 200
    assert len(found) > 5000
    assert max(found.values()) < 40


@pytest.mark.requirement("R208")
@pytest.mark.parametrize("seed", range(4))
def test_a_camera_switched_on_late_and_a_person_who_comes_back_are_in_step_from_their_first_frame(
    tmp_path: Path, seed: int
) -> None:
    elin, maja = honest("p_elin", seed), honest("p_maja", seed + 10)
    meeting = Meeting(tmp_path, elin, maja)
    meeting.taps(elin, "microphone")
    meeting.taps(maja, "microphone", "camera")
    meeting.goes_on(steps(0, 60, 0.04))
    meeting.taps(elin, "camera")
    meeting.goes_on(steps(60, 90, 0.04))
    meeting.comes_back(maja)
    meeting.goes_on(steps(90, 150, 0.04))
    meeting.ends()

    found = apart(meeting.seen(), of=4)
    assert 60_000 <= min(found) < 60_200
    assert any(90_000 <= t < 90_200 for t in found)
    assert max(found.values()) < 40


@pytest.mark.requirement("R208")
@pytest.mark.parametrize("pause_s", [10, 40])
@pytest.mark.parametrize("seed", range(4))
def test_a_pause_among_the_first_seconds_puts_nobody_out_of_step(tmp_path: Path, seed: int, pause_s: int) -> None:
    """What came before the pause is put right by reports that came after it."""
    elin, maja = honest("p_elin", seed), honest("p_maja", seed + 10)
    meeting = Meeting(tmp_path, elin, maja)
    meeting.taps(elin, "microphone", "camera")
    meeting.taps(maja, "microphone", "camera")
    meeting.goes_on(steps(0, 4, 0.04))
    meeting.session.pause(4.0, "b", reason="consent")
    again = 4 + pause_s
    meeting.goes_on(steps(4, again, 0.04))
    meeting.session.resume(float(again), "c")
    meeting.goes_on(steps(again, again + 46, 0.04))
    meeting.ends()

    seen = meeting.seen()
    found = apart(seen, of=4)
    again_ms, end_ms = again * 1000, again * 1000 + 45_000
    assert max(found.values()) < 40
    assert all(abs(at - t) < 200 for t in range(200, 3600, 40) for at in seen[t].values())
    assert all(
        abs(at - (t - pause_s * 1000)) < 200 for t in range(again_ms + 400, end_ms, 40) for at in seen[t].values()
    )
    assert not any(4_100 < t < again_ms - 100 for t in seen)


@pytest.mark.parametrize("on_s", [3, 8, 15, 22])
@pytest.mark.parametrize("stepped_s", [0.0, 1.5])
def test_a_camera_that_was_on_for_seconds_and_is_again_after_an_hour_is_in_step_both_times(
    tmp_path: Path, on_s: int, stepped_s: float
) -> None:
    """What reports say of a stamp, they say of about that time: in an hour clocks run apart, or are set anew."""
    elin = Sender("p_elin", wall=90, sound=-40, picture=60, set_wrong_s=50.0, seed=on_s)
    maja = honest("p_maja", on_s + 1)
    meeting = Meeting(tmp_path, elin, maja)
    meeting.taps(elin, "microphone", "camera")
    meeting.taps(maja, "microphone", "camera")
    meeting.goes_on(steps(0, on_s, 0.04), reports_every_s=2.0)
    meeting.switches_off(elin, "camera")
    meeting.goes_on(steps(on_s, 60, 0.04), reports_every_s=2.0)
    meeting.goes_on(steps(60, 1800, 1.0))
    elin.set_wrong_s += stepped_s
    meeting.goes_on(steps(1800, 3601, 1.0))
    meeting.taps(elin, "camera")
    meeting.goes_on(steps(3601, 3660, 0.04))
    meeting.ends()

    found = apart(meeting.seen(), of=4)
    assert len([t for t in found if t < on_s * 1000]) > on_s * 20
    assert any(3_601_000 <= t < 3_601_200 for t in found)
    assert max(found.values()) < 40


@pytest.mark.requirement("R208")
def test_a_recording_of_a_few_seconds_is_put_right_by_the_reports_it_has(tmp_path: Path) -> None:
    elin = honest("p_elin", 3)
    meeting = Meeting(tmp_path, elin)
    meeting.taps(elin, "microphone", "camera")
    meeting.goes_on(steps(0, 4, 0.04), reports_every_s=1.0)
    meeting.ends()

    lips = apart(meeting.seen(), of=2)
    assert len(lips) > 80
    assert max(lips.values()) < 20
    assert len(meeting.outline().shifts) == 2


def test_without_any_report_frames_stay_as_of_their_arrival(tmp_path: Path) -> None:
    elin = honest("p_elin", 3)
    meeting = Meeting(tmp_path, elin)
    meeting.taps(elin, "microphone")
    meeting.goes_on(steps(0, 200, 0.04), reports_every_s=1000.0)
    meeting.ends()

    assert meeting.outline().shifts == ()
    assert elin.tracks["microphone"].early is None  # and nothing is gathered for ever


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(-4, 4)), max_size=12), st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_whatever_reports_say_no_track_changes_the_order_of_its_frames_or_moves_far(
    tmp_path_factory: pytest.TempPathFactory, lies: list[tuple[float, float]], seed: int
) -> None:
    """A picture builds on the one before; and a sender who lies must not push others off the time line."""
    elin = honest("p_elin", seed)
    meeting = Meeting(tmp_path_factory.mktemp("lies"), elin)
    meeting.taps(elin, "camera")
    elin.reported += [(at, "camera", elin.stamp("camera", at), elin.wall(at) + wrong) for at, wrong in lies]
    meeting.goes_on(steps(0, 30, 0.04), reports_every_s=1000.0)
    meeting.ends()

    with SealedReader(meeting.path, recording="rec_a", dek=DEK) as reader:
        outline = outline_of(reader)
        blocks = blocks_between(reader, outline, 0, 60_000)
    made = [int.from_bytes(block.data[-4:], "big") for block in blocks]
    assert made == sorted(made)
    assert all(first.at_ms <= second.at_ms for first, second in pairwise(blocks))
    assert all(-6600 < block.at_ms - at < 4100 for block, at in zip(blocks, made, strict=True))


def test_what_puts_frames_right_is_kept_in_the_index(tmp_path: Path) -> None:
    elin = honest("p_elin", 3)
    meeting = Meeting(tmp_path, elin)
    meeting.taps(elin, "microphone", "camera")
    meeting.goes_on(steps(0, 4, 0.04), reports_every_s=1.0)
    meeting.ends()
    outline = meeting.outline()
    index = tmp_path / "rec_a.idx"

    FileRecordings._keep_index(index, "rec_a", DEK, outline)

    assert outline.shifts
    assert FileRecordings._read_index(index, "rec_a", DEK) == outline


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
