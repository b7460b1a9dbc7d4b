"""A recording read again: whole, still growing, or broken off. Its time line, its tracks, and parts of its media."""

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
    """One track, by pseudonym. private: as the file's head has it."""

    number: int
    owner: str
    kind: str
    codec: str


@dataclass(frozen=True)
class Outline:
    """What a recording holds, without its media.

    complete: it was ended properly; else it was broken off, and reaches as far as its last whole record.
    pauses: (position_ms, when it stopped, when it went on), RFC 3339.
    """

    complete: bool
    began_at: str
    duration_ms: int
    stop_reason: str
    tracks: tuple[TrackInfo, ...]
    stretches: tuple[Stretch, ...] = field(repr=False)
    pauses: tuple[tuple[int, str, str], ...] = ()


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
        stop_reason=str(end.get("reason", "")),
        tracks=tuple(
            TrackInfo(int(each["number"]), str(each["owner"]), str(each["kind"]), str(each["codec"]))
            for each in notes
            if each["event"] == "track"
        ),
        stretches=tuple(stretches),
        pauses=tuple(_pauses(notes)),
    )


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
    a beginning for so long had ended: it is not looked for in all that came since.
    """
    video = {each.number for each in outline.tracks if each.codec != "opus"}
    begins = dict.fromkeys(video, from_ms)
    for stretch in outline.stretches:
        if stretch.first_ms > from_ms:
            break
        if stretch.first_ms < from_ms - _ENDED_MS:
            continue
        for number in video & set(stretch.keys):
            begins[number] = stretch.first_ms
    earliest = max(0, min([from_ms - 200, *begins.values()]))
    found: list[Block] = []
    for stretch in outline.stretches:
        if stretch.last_ms < earliest or stretch.first_ms >= to_ms:
            continue
        record = next(reader.records(index=stretch.number, offset=stretch.offset))
        for block in blocks_of(record.data):
            start = begins[block.track] if block.track in video else from_ms - 200
            if start <= block.at_ms < to_ms:
                found.append(block)
    found.sort(key=lambda block: block.at_ms)
    return found


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
