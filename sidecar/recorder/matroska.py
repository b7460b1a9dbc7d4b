"""Matroska, written by hand: encoded frames in, clusters of SimpleBlocks out, nothing decoded.

A file is written once, front to back, and some of its head is only known later: tracks come and go, and the
duration at the end. The head keeps room for that, and what goes there is a `Patch`. All positions are bytes
from the start of the file. Source: RFC 9559; codec mappings from draft-ietf-cellar-codec.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sidecar.recorder.ebml import UNKNOWN_SIZE, children, element, real, size_of, text, unsigned, void

Codec = Literal["opus", "VP8", "H264"]
CODEC_IDS: dict[Codec, str] = {"opus": "A_OPUS", "VP8": "V_VP8", "H264": "V_MPEG4/ISO/AVC"}
MOST_TRACKS = 48
MAX_CLUSTER_MS = 30_000  # a block says its time in 16 bits, relative to its cluster

_EBML, _SEGMENT, _SEEK_HEAD, _INFO, _TRACKS, _CUES = (
    0x1A45DFA3, 0x18538067, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B,
)  # fmt: skip
_CLUSTER, _TIME, _SIMPLE_BLOCK, _DURATION = 0x1F43B675, 0xE7, 0xA3, 0x4489
_SEEK_HEAD_BYTES, _TRACKS_BYTES = 128, 8192
_DURATION_BYTES = 11
# Without a default a player guesses: ffmpeg assumes a thousand pictures a second.
_FRAME_NS = {"opus": 20_000_000, "VP8": 33_333_333, "H264": 33_333_333}
_PREROLL_NS = 80_000_000  # Opus needs so much sound before a seek to sound right (RFC 7845 section 4.6)
_block_head = struct.Struct(">BhB")


class Block(NamedTuple):
    """One encoded frame on the recording's time line. track: 1..126. at_ms: from its beginning."""

    at_ms: int
    track: int
    key: bool
    data: bytes


class Patch(NamedTuple):
    """Bytes that replace others written before."""

    position: int
    data: bytes


@dataclass(frozen=True)
class TrackEntry:
    """One track of the file. name: whose and what, by pseudonym ("p_... camera"). private: the codec's own head.

    frame_ns: how long a frame is shown where nothing else says so; 0 for what is usual.
    """

    number: int
    codec: Codec
    name: str
    width: int = 0
    height: int = 0
    private: bytes = b""
    frame_ns: int = 0

    @property
    def video(self) -> bool:
        return self.codec != "opus"


def opus_head(channels: int = 2) -> bytes:
    """Return the head of an Opus stream, nothing to be skipped: it begins in the middle of a call."""
    return b"OpusHead" + struct.pack("<BBHIhB", 1, channels, 0, 48000, 0, 0)


class Muxer:
    """Writes one file: `head`, then patches and clusters as they come, then `tail`."""

    def __init__(self, *, doc_type: Literal["matroska", "webm"] = "matroska") -> None:
        ebml = element(
            _EBML,
            unsigned(0x4286, 1),
            unsigned(0x42F7, 1),
            unsigned(0x42F2, 4),
            unsigned(0x42F3, 8),
            text(0x4282, doc_type),
            unsigned(0x4287, 4),
            unsigned(0x4285, 2),
        )
        self._size_at = len(ebml) + 4
        self._segment_at = self._size_at + 8
        self._seek_at = self._segment_at
        info = [
            unsigned(0x2AD7B1, 1_000_000),
            text(0x4D80, "Tillit"),
            text(0x5741, "Tillit"),
        ]
        self._info_at = self._seek_at + _SEEK_HEAD_BYTES
        before = b"".join(info)
        body = element(_INFO, before, void(_DURATION_BYTES))
        self._duration_at = self._info_at + len(body) - _DURATION_BYTES
        self._tracks_at = self._info_at + len(body)
        self._head = (
            ebml + _SEGMENT.to_bytes(4, "big") + UNKNOWN_SIZE + void(_SEEK_HEAD_BYTES) + body + void(_TRACKS_BYTES)
        )
        self.written = 0
        self.tracks: list[TrackEntry] = []
        self.duration_ms = 0
        self._cues: list[tuple[int, int, int]] = []  # time, track, cluster position

    def head(self) -> bytes:
        """Return the beginning of the file, with room for what is not known yet."""
        self.written = len(self._head)
        return self._head

    def put_track(self, entry: TrackEntry) -> Patch:
        """Add a track, or replace the one of that number. Raises ValueError when there is no room for more."""
        kept = [each for each in self.tracks if each.number != entry.number]
        kept.append(entry)
        kept.sort(key=lambda each: each.number)
        data = element(_TRACKS, *(_track(each) for each in kept))
        room = _TRACKS_BYTES - len(data)
        if len(kept) > MOST_TRACKS or room < 0 or room == 1:
            raise ValueError("the file has no room for another track")
        self.tracks = kept
        return Patch(self._tracks_at, data + void(room))

    def cluster(self, blocks: Sequence[Block]) -> bytes:
        """Return one cluster with these blocks. Their times may span MAX_CLUSTER_MS at the most."""
        ordered = sorted(blocks, key=lambda block: block.at_ms)
        base = max(0, ordered[0].at_ms)
        parts = [unsigned(_TIME, base)]
        pack = _block_head.pack
        cued: set[int] = set()
        for at_ms, track, key, data in ordered:
            parts.append(b"\xa3" + size_of(len(data) + 4))
            parts.append(pack(0x80 | track, at_ms - base, 0x80 if key else 0))
            parts.append(data)
            if key and track not in cued:
                cued.add(track)
                self._cues.append((at_ms, track, self.written - self._segment_at))
        body = b"".join(parts)
        made = b"\x1f\x43\xb6\x75" + size_of(len(body), 4) + body
        self.written += len(made)
        self.duration_ms = max(self.duration_ms, ordered[-1].at_ms)
        return made

    def tail(self) -> tuple[bytes, list[Patch]]:
        """Return the cues, which end the file, and what is to be filled in at its head."""
        cues_at = self.written - self._segment_at
        video = {entry.number for entry in self.tracks if entry.video}
        points = [cue for cue in self._cues if cue[1] in video] or self._cues
        cues = element(
            _CUES,
            *(
                element(
                    0xBB,
                    unsigned(0xB3, at),
                    element(0xB7, unsigned(0xF7, track), unsigned(0xF1, position)),
                )
                for at, track, position in points
            ),
        )
        if not points:
            cues = b""
        self.written += len(cues)
        found = [(_INFO, self._info_at), (_TRACKS, self._tracks_at)]
        places = [(number, at - self._segment_at) for number, at in found]
        if cues:
            places.append((_CUES, cues_at))
        seek = element(
            _SEEK_HEAD,
            *(
                element(0x4DBB, element(0x53AB, number.to_bytes(4, "big")), unsigned(0x53AC, place))
                for number, place in places
            ),
        )
        longest = max((_FRAME_NS[each.codec] for each in self.tracks), default=0) / 1_000_000
        return cues, [
            Patch(self._size_at, size_of(self.written - self._segment_at, 8)),
            Patch(self._seek_at, seek + void(_SEEK_HEAD_BYTES - len(seek))),
            Patch(self._duration_at, real(_DURATION, float(self.duration_ms + longest))),
        ]


def _track(entry: TrackEntry) -> bytes:
    parts = [
        unsigned(0xD7, entry.number),
        unsigned(0x73C5, entry.number),
        unsigned(0x83, 1 if entry.video else 2),
        unsigned(0x9C, 0),
        text(0x86, CODEC_IDS[entry.codec]),
        unsigned(0x23E383, entry.frame_ns or _FRAME_NS[entry.codec]),
        text(0x536E, entry.name[:120]),
    ]
    if entry.private:
        parts.append(element(0x63A2, entry.private[:1024]))
    if entry.video:
        parts.append(element(0xE0, unsigned(0xB0, entry.width), unsigned(0xBA, entry.height)))
    else:
        parts += [
            unsigned(0x56BB, _PREROLL_NS),
            element(0xE1, real(0xB5, 48000.0), unsigned(0x9F, 2)),
        ]
    return element(0xAE, *parts)


def split_by_time(blocks: Iterable[Block]) -> list[list[Block]]:
    """Return blocks in groups that each fit one cluster."""
    groups: list[list[Block]] = []
    for block in sorted(blocks, key=lambda each: each.at_ms):
        if groups and block.at_ms - groups[-1][0].at_ms <= MAX_CLUSTER_MS:
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


def blocks_of(cluster: bytes) -> list[Block]:
    """Return the blocks of one cluster's bytes. Raises ValueError where they are no cluster of ours."""
    found: list[Block] = []
    for number, start, end in children(cluster):
        if number != _CLUSTER:
            raise ValueError("this is no cluster")
        body = cluster[start:end]
        base = 0
        for inner, first, last in children(body):
            if inner == _TIME:
                base = int.from_bytes(body[first:last], "big")
            elif inner == _SIMPLE_BLOCK:
                if last - first < 4:
                    raise ValueError("a block is cut short")
                track, offset, flags = _block_head.unpack_from(body, first)
                found.append(Block(base + offset, track & 0x7F, bool(flags & 0x80), body[first + 4 : last]))
    return found
