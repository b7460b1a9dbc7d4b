"""A recording read again: whole, still growing, or broken off. Its time line, its tracks, and parts of its media."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sidecar.recorder.matroska import Block, blocks_of
from sidecar.recorder.sealed import HEAD_BYTES, Kind, SealedReader

_CLUSTER_ID = b"\x1f\x43\xb6\x75"
_ENDED_MS = 60_000  # six times as long as a picture that goes on stays without a new beginning


class Stretch(NamedTuple):
    """One record of media: where it is, and what of the time line it holds. keys: tracks a picture begins in."""

    number: int
    offset: int
    first_ms: int
    last_ms: int
    keys: tuple[int, ...]


@dataclass(frozen=True)
class TrackInfo:
    """One track, by pseudonym. number: in the file, 0 where it is not in it."""

    number: int
    owner: str
    kind: str
    codec: str


@dataclass(frozen=True)
class Outline:
    """What a recording holds, without its media.

    complete: it was ended properly; else it was broken off, and reaches as far as its last whole record.
    pauses: (position_ms, when it stopped, when it went on), RFC 3339. left_out: streams the file had no room for.
    shifts: (track, ((position_ms, by how much to move what is there), ...)), a line between two: where frames belong
    that were written before their sender's clock was known.
    """

    complete: bool
    began_at: str
    duration_ms: int
    tracks: tuple[TrackInfo, ...]
    stretches: tuple[Stretch, ...] = field(repr=False)
    pauses: tuple[tuple[int, str, str], ...] = ()
    left_out: tuple[TrackInfo, ...] = ()
    shifts: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = field(default=(), repr=False)


def outline_of(reader: SealedReader) -> Outline:
    """Return the outline. Raises DamagedError. The whole file is read through: only the media tell what they hold."""
    notes: list[dict[str, Any]] = []
    stretches: list[Stretch] = []
    end: dict[str, Any] = {}
    for record in reader.records():
        if record.kind is Kind.NOTE:
            notes.append(record.note)
        elif record.kind is Kind.END:
            end = record.note
        elif record.kind is Kind.MEDIA and record.data[:4] == _CLUSTER_ID:
            blocks = blocks_of(record.data)
            if blocks:
                times = [block.at_ms for block in blocks]
                keys = tuple(sorted({block.track for block in blocks if block.key}))
                stretches.append(Stretch(record.number, record.offset, min(times), max(times), keys))
    begin = next((note for note in notes if note["event"] == "begin"), {})
    last = max((each.last_ms for each in stretches), default=0)
    return Outline(
        complete=bool(end),
        began_at=str(begin.get("at", "")),
        duration_ms=max(last + 20 if stretches else 0, int(end.get("position_ms", 0))),
        tracks=tuple(_track(each) for each in notes if each["event"] == "track"),
        stretches=tuple(stretches),
        pauses=tuple(_pauses(notes)),
        left_out=tuple(_track(each) for each in notes if each["event"] == "left-out"),
        shifts=tuple(
            (int(each["number"]), tuple((int(at), int(by)) for at, by in each["shifts"]))
            for each in notes
            if each["event"] == "clock"
        ),
    )


def _track(note: dict[str, Any]) -> TrackInfo:
    return TrackInfo(int(note.get("number", 0)), str(note["owner"]), str(note["kind"]), str(note["codec"]))


def _pauses(notes: list[dict[str, Any]]) -> Iterator[tuple[int, str, str]]:
    paused: dict[str, Any] = {}
    for note in notes:
        if note["event"] == "pause":
            paused = note
        elif note["event"] == "resume" and paused:
            yield int(paused["position_ms"]), str(paused["at"]), str(note["at"])
            paused = {}


def blocks_between(reader: SealedReader, outline: Outline, from_ms: int, to_ms: int) -> list[Block]:
    """Return the blocks of [from_ms, to_ms), and before them what a decoder needs to get there.

    That is each picture's last beginning at or before from_ms; sound begins a little earlier too. A picture without
    a beginning for so long had ended: it is not looked for in all that came since. Each block is where it belongs.
    """
    video = {each.number for each in outline.tracks if each.codec != "opus"}
    farthest = max((abs(by) for _, points in outline.shifts for _, by in points), default=0)
    first_ms = from_ms - farthest
    begins = dict.fromkeys(video, first_ms)
    for stretch in outline.stretches:
        if stretch.first_ms > first_ms:
            break
        if stretch.first_ms < from_ms - _ENDED_MS:
            continue
        for number in video & set(stretch.keys):
            if stretch.last_ms <= first_ms or begins[number] == first_ms:  # else it may begin in it, but too late
                begins[number] = stretch.first_ms
    earliest = max(0, min([first_ms - 200, *begins.values()]))
    found: list[Block] = []
    newest: dict[int, int] = {}
    for stretch in outline.stretches:
        if stretch.last_ms < earliest or stretch.first_ms >= to_ms + farthest:
            continue
        record = next(reader.records(index=stretch.number, offset=stretch.offset))
        for block in blocks_of(record.data):
            belongs = max(_moved(outline, block.track, block.at_ms), newest.get(block.track, 0))
            is_wanted = block.at_ms >= begins[block.track] if block.track in video else belongs >= from_ms - 200
            if is_wanted and belongs < to_ms:
                newest[block.track] = belongs  # a track's frames never change places: the next builds on this one
                found.append(block._replace(at_ms=belongs))
    found.sort(key=lambda block: block.at_ms)
    return found


def _moved(outline: Outline, track: int, at_ms: int) -> int:
    """Return where on the time line a track's frame belongs that was written as of at_ms."""
    for number, points in outline.shifts:
        if number == track and points[0][0] <= at_ms <= points[-1][0]:
            place = bisect_right(points, at_ms, key=lambda point: point[0])
            (before, by), (after, then) = points[place - 1], points[min(place, len(points) - 1)]
            return at_ms + by + (then - by) * (at_ms - before) // max(1, after - before)
    return at_ms


def matroska_of(path: Path, *, recording: str, dek: bytes) -> bytes:
    """Return the whole recording as one Matroska file in memory: for tests and small ones."""
    out = bytearray()
    with SealedReader(path, recording=recording, dek=dek) as reader:
        for record in reader.records(offset=HEAD_BYTES):
            if record.kind is Kind.MEDIA:
                out += record.data
            elif record.kind is Kind.PATCH:
                position, data = record.patch
                out[position : position + len(data)] = data
    return bytes(out)
