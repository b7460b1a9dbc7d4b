"""One recording while it is made: what comes from the tracks, on one time line, as records ready to be sealed.

No clock, no disk and no network: it is given `now` (steady seconds) and packets, and hands out what to write.
"""

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sidecar.recorder.depacketise import Depacketiser
from sidecar.recorder.h264 import configuration
from sidecar.recorder.matroska import Block, Codec, Muxer, TrackEntry, opus_head, split_by_time
from sidecar.recorder.sealed import Kind
from sidecar.recorder.timing import SenderClock, TrackClock

KEY_FRAME_EVERY_S = 10.0  # a viewer can begin at each; browsers make none by themselves
CLOCK_RATES: dict[Codec, int] = {"opus": 48000, "VP8": 90000, "H264": 90000}
_MOST_CLUSTER_BYTES = 8 << 20
_EARLY_EVERY_MS = 250
_MOST_EARLY = 480  # two minutes without a report: there will be none
_IN_PLACE_MS = 2
_SILENT_S = 20.0  # clocks run apart: what is said of a stamp after so long says too little of those before
_position = struct.Struct(">Q")

Written = tuple[Kind, bytes]  # one record, in the order of the file


class Early(NamedTuple):
    """A frame from before its sender's clock was known well. origin: the recording's beginning as it was then."""

    at_ms: int
    timestamp: int
    arrived_s: float
    origin: float


@dataclass
class TrackInput:
    """One stream into the recording. owner: a participant's id. kind: "microphone", "camera" or "share".

    number: in the file, 0 before it is there. left_out: the file had no room for it. early: frames whose place on the
    time line is to be put right once the reports tell it; None afterwards. taken_s: when the last ones came.
    """

    owner: str
    kind: str
    codec: Codec
    clock: TrackClock
    frames: Depacketiser
    number: int = 0
    known: TrackEntry | None = None
    left_out: bool = False
    last_ms: int = -1
    early: list[Early] | None = field(default_factory=list)
    taken_s: float = float("inf")
    key_at_s: float = field(default=float("-inf"))

    def wants_key(self, now: float) -> bool:
        """Say whether the sender is to be asked for a picture one can begin with."""
        return self.frames.video and (self.frames.needs_key or now - self.key_at_s >= KEY_FRAME_EVERY_S)


class Session:
    """Collects frames and gives out records. All times in and out of it are the bridge's steady seconds."""

    def __init__(self, *, recording: str, now: float, at: str) -> None:
        self.recording = recording
        self.paused = False
        self.tracks: dict[tuple[str, str, str], TrackInput] = {}
        self.media_bytes = 0
        self._muxer = Muxer()
        self._senders: dict[str, SenderClock] = {}
        self._origin = now  # the moment that is 0 ms on the time line; moves on with each pause
        self._from = now  # nothing that came before is kept
        self._blocks: list[Block] = []
        self._ready: list[Written] = []
        self._paused_at = 0.0
        self._write(Kind.MEDIA, self._muxer.head())
        self._note("begin", now, at)

    # Tracks

    def track(self, owner: str, kind: str, codec: Codec) -> TrackInput:
        """Return the input of this stream, the same one when a person comes back."""
        key = (owner, kind, codec)
        found = self.tracks.get(key)
        if found is None:
            sender = self._senders.setdefault(owner, SenderClock())
            clock = TrackClock(CLOCK_RATES[codec], sender)
            found = TrackInput(owner, kind, codec, clock, Depacketiser(codec))
            self.tracks[key] = found
        return found

    def restart(self, owner: str, now: float) -> None:
        """A person's streams begin anew: other stamps, other numbers, perhaps another machine."""
        sender = self._senders[owner] = SenderClock()
        for track in self.tracks.values():
            if track.owner == owner:
                self._begin_anew(track, sender, now)
                track.frames.interrupt()

    def report(self, owner: str, kind: str, *, timestamp: int, theirs_s: float, now: float) -> None:
        """Take a sender report: its stamp is that moment of the sender's own clock."""
        sender = self._senders.get(owner)
        if sender is None:
            return
        for track in self.tracks.values():
            if track.owner == owner and track.early and _is_silent(track, now) and sender.is_sure(now):
                self._put_right(track, now)  # by what the reports said until now
        sender.heard(theirs_s, now)
        for track in self.tracks.values():
            if track.owner == owner and track.kind == kind:
                track.clock.report(timestamp, theirs_s)

    def take(self, track: TrackInput, packets: "list[tuple[int, int, int, bytes, float]]", now: float) -> None:
        """Take packets of a track as they came. Nothing is kept while it pauses."""
        frames = track.frames.feed(packets, now)
        if self.paused or not frames or track.left_out:
            return
        changes = track.known is None or track.codec == "H264"  # its head can be told anew
        if changes and not self._announce(track, now):
            return
        if _is_silent(track, now):  # a camera that is on again: its last report is as old as its last picture
            self._begin_anew(track, self._senders[track.owner], now)
        track.taken_s = now
        origin, number, moment = self._origin, track.number, track.clock.moment
        last, blocks, video, early = track.last_ms, self._blocks, track.frames.video, track.early
        for timestamp, key, data, arrived in frames:
            at_ms = int((moment(timestamp, arrived) - origin) * 1000 + 0.5)
            if arrived < self._from:
                continue
            if at_ms <= last:
                at_ms = last + 1
            last = at_ms
            if key and video:
                track.key_at_s = now
            self.media_bytes += len(data)
            blocks.append(Block(at_ms, number, key, data))
            if early is not None and _is_next(early, at_ms, origin):
                early.append(Early(at_ms, timestamp, arrived, origin))
        track.last_ms = last
        if early and self._is_settled(track, early, now):
            self._put_right(track, now)

    def _announce(self, track: TrackInput, now: float) -> bool:
        """Write the track into the file's head, once what must stand there is known."""
        frames = track.frames
        size = frames.size
        if frames.video and size is None:
            return False
        private = opus_head() if not frames.video else configuration(frames.sets) if frames.sets else b""
        width, height = size or (0, 0)
        known = track.known
        if known is not None and known.private == private:
            return True
        number = track.number or len(self._muxer.tracks) + 1
        entry = TrackEntry(number, track.codec, f"{track.owner} {track.kind}", width, height, private)
        try:
            patch = self._muxer.put_track(entry)
        except ValueError:
            if known is None:
                track.left_out = True
                self._note("left-out", now, "", owner=track.owner, kind=track.kind, codec=track.codec)
            return known is not None  # one that only changes goes on under the head it had
        if known is None:
            self._note("track", now, "", number=number, owner=track.owner, kind=track.kind, codec=track.codec)
        track.known, track.number = entry, number
        self._patch(patch.position, patch.data)
        return True

    # Time

    @staticmethod
    def _is_settled(track: TrackInput, early: list[Early], now: float) -> bool:
        """Say whether the reports tell the track's clock well, and what is written by now follows them."""
        if len(early) >= _MOST_EARLY:
            return True
        shift = _shift(track, early[-1]) if track.clock.is_sure(now) else None
        return shift is not None and abs(shift) <= _IN_PLACE_MS

    def _put_right(self, track: TrackInput, now: float) -> None:
        """Note by how much the track's early frames are to be moved: (position, milliseconds), a line between two."""
        early, track.early = track.early, None
        shifts: list[tuple[int, int]] = []
        before: Early | None = None
        for each in early or ():
            shift = _shift(track, each)
            if shift is None:
                continue
            if before is not None and before.origin != each.origin:
                shifts.append((each.at_ms - 1, shifts[-1][1]))  # up to a pause it was as before
            before = each
            shifts.append((each.at_ms, shift))
        if early and before is early[-1]:
            shifts.append((track.last_ms, shifts[-1][1]))  # what came after the last one kept
        if any(shift for _, shift in shifts):
            self._note("clock", now, "", number=track.number, shifts=shifts)

    def _begin_anew(self, track: TrackInput, sender: SenderClock, now: float) -> None:
        """Take what comes as of its arrival until reports tell more, as at the first."""
        self._put_right(track, now)
        track.early = []
        track.clock = TrackClock(CLOCK_RATES[track.codec], sender)

    def position_ms(self, now: float) -> int:
        """Return how long the recording is at this moment."""
        return max(0, int(((self._paused_at if self.paused else now) - self._origin) * 1000))

    def pause(self, now: float, at: str, *, reason: str) -> None:
        """Keep nothing from now on. What was taken before stays."""
        if not self.paused:
            self._cluster()
            self._note("pause", now, at, reason=reason)
            self.paused, self._paused_at = True, now

    def resume(self, now: float, at: str) -> None:
        """Go on where the time line stood."""
        if self.paused:
            self._origin += now - self._paused_at
            self._from = now
            self.paused = False
            for track in self.tracks.values():
                track.frames.interrupt()
            self._note("resume", now, at)

    # Out

    def flush(self) -> list[Written]:
        """Return what is to be written now."""
        self._cluster()
        ready, self._ready = self._ready, []
        return ready

    def finish(self, now: float, at: str, *, reason: str) -> list[Written]:
        """Return the last records: the cues, what the head lacked, and the end."""
        for track in self.tracks.values():
            self._put_right(track, now)
        self._cluster()
        cues, patches = self._muxer.tail()
        if cues:
            self._write(Kind.MEDIA, cues)
        for patch in patches:
            self._patch(patch.position, patch.data)
        values = {"event": "end", "at": at, "position_ms": self.position_ms(now), "reason": reason}
        self._write(Kind.END, json.dumps(values, separators=(",", ":")).encode())
        ready, self._ready = self._ready, []
        return ready

    def _cluster(self) -> None:
        blocks, self._blocks = self._blocks, []
        for group in split_by_time(blocks):
            for part in _by_size(group):
                self._write(Kind.MEDIA, self._muxer.cluster(part))

    def _note(self, event: str, now: float, at: str, **values: Any) -> None:
        note = {"event": event, "position_ms": self.position_ms(now)} | ({"at": at} if at else {}) | values
        self._write(Kind.NOTE, json.dumps(note, separators=(",", ":")).encode())

    def _patch(self, position: int, data: bytes) -> None:
        self._write(Kind.PATCH, _position.pack(position) + data)

    def _write(self, kind: Kind, data: bytes) -> None:
        self._ready.append((kind, data))


def _is_next(early: list[Early], at_ms: int, origin: float) -> bool:
    """Say whether this frame is kept as an early one: now and then, and the first one after a pause."""
    return not early or at_ms - early[-1].at_ms >= _EARLY_EVERY_MS or early[-1].origin != origin


def _is_silent(track: TrackInput, now: float) -> bool:
    """Say whether the track has sent nothing for long."""
    return now - track.taken_s >= _SILENT_S


def _shift(track: TrackInput, early: Early) -> int | None:
    """Return by how many milliseconds a frame is to be moved as the reports have it now, None where they do not say."""
    moment = track.clock.reported(early.timestamp, early.arrived_s)
    return None if moment is None else round((moment - early.origin) * 1000) - early.at_ms


def _by_size(blocks: list[Block]) -> Iterable[list[Block]]:
    """Return blocks in parts that each fit one record."""
    part: list[Block] = []
    size = 0
    for block in blocks:
        if part and size + len(block.data) > _MOST_CLUSTER_BYTES:
            yield part
            part, size = [], 0
        part.append(block)
        size += len(block.data) + 16
    if part:
        yield part
