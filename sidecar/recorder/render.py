"""A part of a recording as a viewer gets it: decoded, put side by side, watermarked, encoded anew, as WebM.

Run as a program (`python -m sidecar.recorder.render`) in a process of its own with little memory, little time and
no way out: what participants sent is decoded here, and a decoder is where hostile bytes do harm. It shuts itself in,
then reads one request from its standard input and writes one WebM to its standard output.
"""

import argparse
import json
import resource
import struct
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from sidecar import lockdown
from sidecar.recorder import canvas
from sidecar.recorder.h264 import byte_stream
from sidecar.recorder.matroska import Block, Muxer, TrackEntry, opus_head, split_by_time

FPS = 15
RATE = 48000
_FRAME = 960  # samples of 20 ms
_PREROLL_MS = 100  # sound encoded before the part begins: cut by the player, it makes parts join without a click
_VIDEO_BITS, _SOUND_BITS = 900_000, 40_000
_MAX_PIXELS = 4096 * 4096
_head = struct.Struct(">BqBI")
_OPEN_FILES = 16
NOT_SHUT_IN = 3  # exit status where this system cannot shut a process in
_SHOWN_FOR_MS = 4000  # a camera whose last picture is older than this has stopped


@dataclass(frozen=True)
class Source:
    """One track to be shown or heard. label: the person's name today."""

    number: int
    kind: str
    codec: str
    label: str


@dataclass(frozen=True)
class Part:
    """What is asked for."""

    from_ms: int
    to_ms: int
    text: str
    code: str
    sources: tuple[Source, ...]
    head: bool = True


def pack(part: Part, blocks: Iterable[Block]) -> bytes:
    """Return a request as bytes: a line of JSON, then the blocks."""
    about = {
        "from_ms": part.from_ms,
        "to_ms": part.to_ms,
        "text": part.text,
        "code": part.code,
        "head": part.head,
        "sources": [{"number": s.number, "kind": s.kind, "codec": s.codec, "label": s.label} for s in part.sources],
    }
    return b"".join(
        (
            json.dumps(about).encode() + b"\n",
            *(_head.pack(b.track, b.at_ms, b.key, len(b.data)) + b.data for b in blocks),
        )
    )


def unpack(stream: BinaryIO) -> tuple[Part, list[Block]]:
    about: dict[str, Any] = json.loads(stream.readline())
    sources = tuple(
        Source(int(s["number"]), str(s["kind"]), str(s["codec"]), str(s["label"])) for s in about["sources"]
    )
    part = Part(
        int(about["from_ms"]), int(about["to_ms"]), str(about["text"]), str(about["code"]), sources, bool(about["head"])
    )
    blocks = []
    while head := stream.read(_head.size):
        track, at_ms, key, length = _head.unpack(head)
        blocks.append(Block(at_ms, track, bool(key), stream.read(length)))
    return part, blocks


def render(part: Part, blocks: list[Block]) -> bytes:
    """Return the part as WebM. Its times are those of the recording."""
    by_track: dict[int, list[Block]] = defaultdict(list)
    for block in blocks:
        by_track[block.track].append(block)
    out = [*_pictures(part, by_track), *_sound(part, by_track)]
    muxer = Muxer(doc_type="webm")
    head = muxer.head()
    patches = [
        muxer.put_track(TrackEntry(1, "VP8", "picture", canvas.WIDTH, canvas.HEIGHT, frame_ns=1_000_000_000 // FPS)),
        muxer.put_track(TrackEntry(2, "opus", "sound", private=opus_head())),
    ]
    made = bytearray(head)
    for position, data in patches:
        made[position : position + len(data)] = data
    if not part.head:
        made.clear()
    for group in split_by_time(out):
        made += muxer.cluster(group)
    return bytes(made)


# Pictures


def _pictures(part: Part, by_track: dict[int, list[Block]]) -> list[Block]:
    sources = [s for s in part.sources if s.kind in ("camera", "share")]
    times = [part.from_ms + round(n * 1000 / FPS) for n in range(max(1, (part.to_ms - part.from_ms) * FPS // 1000))]
    shown = {s.number: _Shown(s, by_track[s.number]) for s in sources}
    values, weights = canvas.watermark(part.text, part.code)
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = canvas.WIDTH, canvas.HEIGHT, "yuv420p"
    encoder.time_base, encoder.bit_rate = Fraction(1, FPS), _VIDEO_BITS
    encoder.thread_count = 1  # here and below: a process that is shut in makes no threads
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "g": "9999"}
    out = []
    for number, at in enumerate(times):
        live = [s for s in sources if shown[s.number].at(at) is not None]
        share = next((s for s in live if s.kind == "share"), None)
        cameras = [s for s in live if s.kind == "camera"]
        stage = canvas.blank()
        order = ([share] if share else []) + cameras
        for source, (x, y, width, height) in zip(order, canvas.places(len(cameras), share is not None), strict=False):
            picture = shown[source.number].fitted(width, height)
            if picture is not None:
                inner_y, inner_x = picture[0].shape
                canvas.put(stage, picture, x + (width - inner_x) // 4 * 2, y + (height - inner_y) // 4 * 2)
            canvas.label(stage[0], source.label, x, y, width, height)
        canvas.lay_over(stage[0], values, weights)
        frame = av.VideoFrame.from_ndarray(_packed(stage), format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        out += [(at, packet) for packet in encoder.encode(frame)]
    out += [(times[-1], packet) for packet in encoder.encode(None)]
    return [Block(at, 1, bool(packet.is_keyframe), bytes(packet)) for at, packet in out]


class _Shown:
    """One picture track, decoded as far as it is needed."""

    def __init__(self, source: Source, blocks: list[Block]) -> None:
        self._blocks = iter(blocks)
        self._next = next(self._blocks, None)
        self._decoder: Any = av.CodecContext.create("vp8" if source.codec == "VP8" else "h264", "r")
        self._h264 = source.codec == "H264"
        self._decoder.thread_count = 1
        self._frame: Any = None
        self._frame_at = 0
        self._fitted: tuple[tuple[int, int], int, tuple[canvas.Plane, ...]] | None = None

    def at(self, moment: int) -> Any:
        """Return the picture that was in sight at this moment, None where there was none."""
        while self._next is not None and self._next.at_ms <= moment:
            block, self._next = self._next, next(self._blocks, None)
            try:
                data = byte_stream(block.data) if self._h264 else block.data
                for frame in self._decoder.decode(av.Packet(data)):
                    if frame.width * frame.height <= _MAX_PIXELS:
                        self._frame, self._frame_at = frame, block.at_ms
            except av.FFmpegError:
                continue  # a picture that cannot be decoded is not shown; the next key frame mends it
        if self._frame is None or moment - self._frame_at > _SHOWN_FOR_MS:
            return None
        return self._frame

    def fitted(self, width: int, height: int) -> tuple[canvas.Plane, ...] | None:
        """Return the current picture's planes in the largest size that fits."""
        frame = self._frame
        size = canvas.fitted((frame.width, frame.height), (width, height))
        if self._fitted is None or self._fitted[:2] != (size, self._frame_at):
            small = frame.reformat(width=size[0], height=size[1], format="yuv420p", threads=1)
            planes = []
            for number, plane in enumerate(small.planes):
                shift = 1 if number else 0
                rows: NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                planes.append(rows[: size[1] >> shift, : size[0] >> shift])
            self._fitted = (size, self._frame_at, tuple(planes))
        return self._fitted[2]


def _packed(stage: tuple[canvas.Plane, canvas.Plane, canvas.Plane]) -> NDArray[np.uint8]:
    flat = np.concatenate([plane.reshape(-1) for plane in stage])
    return flat.reshape(canvas.HEIGHT * 3 // 2, canvas.WIDTH)


# Sound


def _sound(part: Part, by_track: dict[int, list[Block]]) -> list[Block]:
    start = max(0, part.from_ms - _PREROLL_MS)
    samples = (part.to_ms - start) * RATE // 1000
    mix = np.zeros((samples + _FRAME, 1), np.float32)
    for source in part.sources:
        if source.kind == "microphone":
            _mix_in(mix, by_track[source.number], start)
    loud = np.clip(mix[:samples], -1.0, 1.0)
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE, "stereo", "s16", _SOUND_BITS
    encoder.options = {"application": "voip"}
    whole = (loud * 32000).astype(np.int16).repeat(2)
    packets = []
    for number in range(samples // _FRAME):
        piece = whole[number * _FRAME * 2 : (number + 1) * _FRAME * 2].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE, number * _FRAME
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return [Block(start + number * 20, 2, True, bytes(packet)) for number, packet in enumerate(packets)]


def _mix_in(mix: NDArray[np.float32], blocks: list[Block], start: int) -> None:
    decoder: Any = av.CodecContext.create("libopus", "r")
    decoder.extradata = opus_head()
    to_mono = AudioResampler(format="flt", layout="mono", rate=RATE)
    at = -1
    for block in blocks:
        wanted = (block.at_ms - start) * RATE // 1000
        if at < 0 or abs(wanted - at) > RATE // 25:  # 40 ms: else frames follow each other without a seam
            at = wanted
        try:
            frames = [small for frame in decoder.decode(av.Packet(block.data)) for small in to_mono.resample(frame)]
        except av.FFmpegError:
            continue
        for frame in frames:
            piece = frame.to_ndarray().reshape(-1, 1)
            first, last = max(0, at), min(len(mix), at + len(piece))
            if first < last:
                mix[first:last] += piece[first - at : last - at]
            at += len(piece)


def _warm() -> None:
    """Have everything loaded and opened that a process that is shut in may no longer open: codecs, scaler, fonts."""
    av.logging.set_level(None)
    empty = Part(0, 100, "Å", "00000000", ())
    own = [*_pictures(empty, {}), *_sound(empty, {})]
    sources = (Source(1, "camera", "VP8", "Å"), Source(2, "microphone", "opus", ""), Source(3, "camera", "H264", ""))
    render(Part(0, 100, "Å", "00000000", sources), own)


def main() -> int:
    """Serve one request. Limits are set and every way out is closed before any of it is read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", type=int, default=1 << 30, help="bytes of address space")
    parser.add_argument("--seconds", type=int, default=60, help="of processor time")
    given = parser.parse_args()
    lockdown.limit(memory_bytes=given.memory, open_files=_OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_CPU, (given.seconds, given.seconds))
    _warm()
    if not lockdown.shut():
        return NOT_SHUT_IN
    part, blocks = unpack(sys.stdin.buffer)
    made = render(part, blocks)
    sys.stdout.buffer.write(made)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
