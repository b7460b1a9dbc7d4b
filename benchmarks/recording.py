"""Figures of recording: CPU a recorded minute beside aiortc's MediaRecorder, encryption's share, how many a core holds.

A meeting here is two people at 1280x720, 30 fps, about 1.5 Mbit/s of VP8 each, and two voices in Opus. The CPU of
ours is from the tapped packets to synced, encrypted files. The peer gets the same pictures and voices, decodes them,
as its interface asks, and encodes them again. The ramp runs the whole bridge: forwarding and recording on one core.

    python -m benchmarks.recording [--quick]
"""

import asyncio
import os
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaRecorder
from aiortc.mediastreams import MediaStreamError

from benchmarks._bridge_pictures import FPS, encode_loop
from benchmarks._recorded_rooms import carried_recordings
from benchmarks.common import alternate, arguments, figure, median, table
from sidecar.recorder import sealed
from sidecar.recorder.session import Session
from sidecar.recorder.writing import DiskThread

_TICK_S = 0.25
_LOAD = "2 people, 720p30 VP8 1.5 Mbit/s + Opus each"
Packet = tuple[int, int, int, bytes, float]


def voice(seconds: int) -> list[bytes]:
    """Return encoded speech-like sound, one frame for each 20 ms."""
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48000, "stereo", "s16", 32000
    noise = np.random.default_rng(1)
    packets: list[bytes] = []
    for number in range(seconds * 50):
        samples = (noise.standard_normal(960) * 3000 * (1 + number % 25 // 12)).astype(np.int16).repeat(2)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48000, number * 960
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


class Meeting:
    """The packets of one meeting, tick by tick, the same again and again."""

    def __init__(self, pictures: list[list[bytes]], sound: list[bytes], seconds: int) -> None:
        self.seconds = seconds
        chance = random.Random(1)
        self.streams: list[tuple[str, str, str, list[list[Packet]]]] = []
        for owner in ("p_a", "p_b"):
            number = chance.randrange(1 << 15)
            picture: list[Packet] = []
            for index in range(seconds * FPS):
                parts = pictures[index % len(pictures)]
                for place, part in enumerate(parts):
                    head = b"\x90\x80\x80\x00" if place == 0 else b"\x80\x80\x80\x00"
                    marker = 0x80 if place == len(parts) - 1 else 0
                    picture.append((number, 96 | marker, index * 3000, head + part, index / FPS + place * 0.0003))
                    number += 1
            words = [(n, 111, n * 960, sound[n % len(sound)], n * 0.02) for n in range(seconds * 50)]
            self.streams.append((owner, "camera", "VP8", self._ticks(picture)))
            self.streams.append((owner, "microphone", "opus", self._ticks(words)))

    @property
    def bytes(self) -> int:
        """What came, without the heads of the packets."""
        return sum(len(packet[3]) for *_, ticks in self.streams for tick in ticks for packet in tick)

    def _ticks(self, packets: list[Packet]) -> list[list[Packet]]:
        ticks: list[list[Packet]] = [[] for _ in range(int(self.seconds / _TICK_S) + 1)]
        for packet in packets:
            ticks[int(packet[4] / _TICK_S)].append(packet)
        return ticks


def ours(meeting: Meeting, folder: Path) -> float:
    """Record the meeting as the bridge does and return CPU seconds per meeting minute, all threads, sync included."""
    disk = DiskThread(folder)
    name = f"rec_{time.monotonic_ns()}"
    tried = threading.Event()
    out = disk.open(name, os.urandom(32), lambda reason: None, tried.set)
    used = time.process_time()
    session = Session(recording=name, now=0.0, at="2026-11-24T12:00:00.000Z")
    inputs = [(session.track(owner, kind, codec), ticks) for owner, kind, codec, ticks in meeting.streams]  # type: ignore[arg-type]
    for tick in range(len(meeting.streams[0][3])):
        now = (tick + 1) * _TICK_S
        for track, ticks in inputs:
            tap: list[Packet] = []
            for number, second, stamp, payload, arrived in ticks[tick]:
                tap.append((number, second, stamp, payload, arrived))  # what the packet path does
            session.take(track, tap, now)
        if tick % 20 == 0:
            for index, (track, _) in enumerate(inputs):
                session.report(track.owner, track.kind, timestamp=int(now * 1000), theirs_s=now + index, now=now)
        if tick % 2:
            disk.put(out, session.flush())
    disk.put(out, session.finish(meeting.seconds, "2026-11-24T12:01:00.000Z", reason="stopped"))
    tried.wait()  # a file that is closed before it is made is given up
    disk.close(out)
    disk.stop()
    spent = time.process_time() - used
    size = (folder / f"{name}.rec").stat().st_size
    assert size > meeting.bytes * 0.97, f"of {meeting.bytes} bytes that came only {size} were recorded"
    return spent * 60 / meeting.seconds


class _Plain:
    """Stands in for the cipher: the same bytes, not encrypted, a tag's room behind them."""

    def __init__(self, key: bytes) -> None:
        del key

    def encrypt(self, nonce: bytes, data: bytes, about: bytes) -> bytes:
        return data + bytes(16)


def without_encryption(measure: Callable[[], float]) -> float:
    cipher = vars(sealed)["AESGCM"]
    vars(sealed)["AESGCM"] = _Plain
    try:
        return measure()
    finally:
        vars(sealed)["AESGCM"] = cipher


class _Decoded(MediaStreamTrack):
    """A received track as aiortc hands it on: decoded, frame by frame, as fast as it is asked for."""

    def __init__(self, kind: str, encoded: list[bytes]) -> None:
        super().__init__()
        self.kind = kind
        self._encoded = iter(encoded)
        self._decoder: Any = av.CodecContext.create("vp8" if kind == "video" else "libopus", "r")
        self._number = 0
        self._ready: list[Any] = []

    async def recv(self) -> Any:
        while not self._ready:
            data = next(self._encoded, None)
            if data is None:
                raise MediaStreamError
            self._ready += self._decoder.decode(av.Packet(data))
        frame = self._ready.pop(0)
        step, rate = (3000, 90000) if self.kind == "video" else (960, 48000)
        frame.pts, frame.time_base = self._number * step, Fraction(1, rate)
        self._number += 1
        return frame


def peer(pictures: list[list[bytes]], sound: list[bytes], seconds: int, folder: Path) -> float:
    """Record the same with MediaRecorder, one file a person, and return CPU seconds per meeting minute."""
    frames = [b"".join(parts) for parts in pictures]
    video = [frames[index % len(frames)] for index in range(seconds * FPS)]
    voices = [sound[index % len(sound)] for index in range(seconds * 50)]

    async def record() -> None:
        for person in range(2):
            path = folder / f"peer-{person}.webm"
            recorder = MediaRecorder(str(path), format="webm")
            tracks = [_Decoded("video", video), _Decoded("audio", voices)]
            for track in tracks:
                recorder.addTrack(track)
            await recorder.start()
            contexts = list(recorder._MediaRecorder__tracks.values())  # type: ignore[attr-defined]
            await asyncio.gather(*(context.task for context in contexts))
            await recorder.stop()
            with av.open(str(path)) as made:
                assert (made.duration or 0) > seconds * 900_000, "the peer stopped early"

    used = time.process_time()
    asyncio.run(record())
    return (time.process_time() - used) * 60 / seconds


def main() -> int:
    """Print the figures."""
    given = arguments("Figures of recording.")
    pictures, sound = encode_loop(), voice(2)
    meeting = Meeting(pictures, sound, 30 if given.quick else 120)
    seconds, rounds = (2, 1) if given.quick else (6, 3)
    folder = Path(tempfile.mkdtemp(prefix="recording-bench-"))
    try:
        ours(meeting, folder)  # warm
        mine, theirs = alternate(
            lambda: statistics.median(ours(meeting, folder) for _ in range(3)),
            lambda: peer(pictures, sound, seconds, folder),
            rounds=rounds,
        )
        figure(
            "cpu_s_per_meeting_minute",
            median(mine),
            median(theirs),
            median(theirs) / median(mine),
            "s",
            rounds,
            f"{_LOAD}; ours: packets to encrypted, synced Matroska, {meeting.seconds} s of meeting; the peer: decoding "
            f"and MediaRecorder to WebM, {seconds} s of meeting",
            least="ratio 100, 0.6 s",
            aim="ratio 500, 0.3 s",
        )
        sealed_s, plain_s = alternate(
            lambda: ours(meeting, folder),
            lambda: without_encryption(lambda: ours(meeting, folder)),
            rounds=3 if given.quick else 9,
        )
        share = max(0.0, 1 - median(plain_s) / median(sealed_s)) * 100
        figure(
            "encryption_share",
            share,
            None,
            None,
            "% of the CPU",
            len(sealed_s),
            f"{_LOAD}; AES-256-GCM against the same run that writes as many bytes unencrypted",
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = carried_recordings(given.quick)
    figure(
        "recordings_per_core",
        found.recordings,
        None,
        None,
        "recordings",
        found.steps,
        f"the whole bridge on one core, forwarding and recording each room: {_LOAD}, receivers reading; {found.told}",
        least="20",
        aim="60",
    )
    figure(
        "recordings_per_core_by_cpu",
        found.by_cpu,
        None,
        None,
        "recordings",
        found.steps,
        "the same run, from the CPU of each delivered packet: what a core would hold with nothing else on the machine",
    )
    table()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
