"""Encoded frames out of RTP packets that come late, twice, out of order, or not at all. Nothing is decoded.

A packet that does not come is waited for, since the bridge asks for it again. After that its frame is given up, and
of a picture everything until the next key frame: what refers to a missing frame would show ghosts.
Source: RFC 7741 (VP8), RFC 6184 (H264), RFC 7587 (Opus).
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

from sidecar.recorder.h264 import PictureSize, parameter_sets, size_from_sps
from sidecar.recorder.matroska import Codec

WAIT_S = 0.3  # for a packet that is asked for again
MOST_WAITING = 2048  # packets behind a gap
MAX_FRAME_BYTES = 4 << 20  # no picture of a meeting is that large; a sender that goes on is cut off

_word = struct.Struct(">I")


class Packet(NamedTuple):
    """One media packet as the bridge accounted for it. The packet path stores plain tuples of this form.

    number: unwrapped sequence number. second: second header byte, marker and payload type. arrived_s: steady.
    """

    number: int
    second: int
    timestamp: int
    payload: bytes
    arrived_s: float


class Frame(NamedTuple):
    """One encoded frame. timestamp: 32 bits, as its sender counted. arrived_s: of its last packet."""

    timestamp: int
    key: bool
    data: bytes
    arrived_s: float


class Depacketiser:
    """Puts the packets of one track in order and frames together."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.video = codec != "opus"
        self.lost = 0
        self.size: PictureSize | None = None
        self.sets: tuple[bytes, bytes] | None = None  # H264: sequence and picture parameter sets
        self._expected = -1
        self._waiting: dict[int, Packet] = {}
        self._gap_since = 0.0
        self._parts: list[bytes] = []
        self._bytes = 0
        self._timestamp = -1
        self._open = False  # a frame has begun and nothing of it is missing so far
        self._unit: bytearray | None = None  # that is still being put together; adding to bytes would copy them all
        self.needs_key = self.video

    def feed(self, packets: "list[tuple[int, int, int, bytes, float]]", now: float) -> list[Frame]:
        """Take packets as they came and return the frames that are whole. now: steady seconds."""
        frames: list[Frame] = []
        take = {"opus": self._sound, "VP8": self._vp8, "H264": self._h264}[self.codec]
        expected, waiting = self._expected, self._waiting
        for packet in packets:
            number = packet[0]
            if number == expected:
                take(packet, frames)
                expected += 1
                while waiting and (held := waiting.pop(expected, None)) is not None:
                    take(held, frames)
                    expected += 1
                if waiting:
                    self._gap_since = packet[4]
            elif expected < 0:
                take(packet, frames)
                expected = number + 1
            elif number > expected:
                if not waiting:
                    self._gap_since = packet[4]
                if len(waiting) < MOST_WAITING:
                    waiting[number] = Packet(*packet)
        if waiting and (now - self._gap_since >= WAIT_S or len(waiting) >= MOST_WAITING):
            expected = self._give_up(expected, now, take, frames)
        self._expected = expected
        return frames

    def _give_up(self, expected: int, now: float, take: "Callable[..., None]", frames: list[Frame]) -> int:
        """Go on behind the gap that was waited for long enough, up to one that was not. Returns what comes next."""
        waiting, full = self._waiting, len(self._waiting) >= MOST_WAITING
        for place, number in enumerate(sorted(waiting)):
            held = waiting[number]
            if number != expected:
                if place and not full and now - held.arrived_s < WAIT_S:
                    self._gap_since = held.arrived_s
                    break
                self.lost += number - expected
                self._broken()
            del waiting[number]
            take(held, frames)
            expected = number + 1
        return expected

    @property
    def is_waiting(self) -> bool:
        """Whether packets are held back behind one that is missing."""
        return bool(self._waiting)

    def interrupt(self) -> None:
        """Begin anew with whatever comes next: nothing before it was to be kept."""
        self._expected = -1
        self._waiting.clear()
        self._broken()

    def _broken(self) -> None:
        self._parts.clear()
        self._bytes = 0
        self._open = False
        self._unit = None
        self.needs_key = self.video

    @staticmethod
    def _sound(packet: "tuple[int, int, int, bytes, float]", frames: list[Frame]) -> None:
        _, _, timestamp, payload, arrived = packet
        if payload:
            frames.append(Frame(timestamp, True, payload, arrived))

    def _vp8(self, packet: "tuple[int, int, int, bytes, float]", frames: list[Frame]) -> None:
        _, second, timestamp, payload, arrived = packet
        if not payload:
            return None  # padding that probes the path
        first = payload[0]
        at = 1
        if first & 0x80:
            if len(payload) < 3:
                return self._broken()
            flags = payload[1]
            at = 2
            if flags & 0x80:
                at += 2 if payload[2] & 0x80 else 1
            if flags & 0x40:
                at += 1
            if flags & 0x30:
                at += 1
        if at >= len(payload):
            return self._broken()
        if first & 0x10 and not first & 0x07:
            if self._parts:
                self._broken()  # the frame before never ended
            self._open = True
            self._timestamp = timestamp
        elif not self._open or timestamp != self._timestamp:
            return self._broken()
        self._add(payload[at:])
        if second & 0x80 and self._open:
            data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts.clear()
            self._bytes = 0
            self._open = False
            key = not data[0] & 1
            if key:
                size = _vp8_size(data)
                if size is None:
                    return self._broken()
                self.size = size
                self.needs_key = False
            if not self.needs_key:
                frames.append(Frame(timestamp, key, data, arrived))
        return None

    def _h264(self, packet: "tuple[int, int, int, bytes, float]", frames: list[Frame]) -> None:
        """Put units together until the marker; each is kept with its length in front, as ISO files have it."""
        _, second, timestamp, payload, arrived = packet
        if not payload:
            return None
        if timestamp != self._timestamp:
            if self._parts or self._unit is not None:
                self._broken()  # the picture before never ended
            self._timestamp = timestamp
            self._open = True
        if not self._open:
            return None
        kind = payload[0] & 0x1F
        if 0 < kind < 24:
            self._add(_word.pack(len(payload)) + payload)
        elif kind == 24:
            position = 1
            while position + 2 < len(payload):
                length = payload[position] << 8 | payload[position + 1]
                unit = payload[position + 2 : position + 2 + length]
                if not unit or len(unit) < length:
                    return self._broken()
                self._add(_word.pack(length) + unit)
                position += 2 + length
        elif kind == 28 and len(payload) > 2:
            if payload[1] & 0x80:
                if self._unit is not None:
                    return self._broken()  # the one before never ended
                self._unit = bytearray((payload[0] & 0xE0 | payload[1] & 0x1F,))
            elif self._unit is None:
                return self._broken()
            self._unit += payload[2:]
            self._bytes += len(payload)
            if payload[1] & 0x40:
                self._parts.append(_word.pack(len(self._unit)) + self._unit)
                self._unit = None
        else:
            return self._broken()
        if self._bytes > MAX_FRAME_BYTES:
            return self._broken()
        if second & 0x80:
            self._h264_frame(timestamp, arrived, frames)
        return None

    def _h264_frame(self, timestamp: int, arrived: float, frames: list[Frame]) -> None:
        unfinished, parts = self._unit is not None, self._parts
        self._unit = None
        self._parts, self._bytes, self._open = [], 0, False
        self._timestamp = -1
        if unfinished or not parts:
            self._broken()
            return
        key = any(part[4] & 0x1F == 5 for part in parts)
        if key:
            own = parameter_sets([part[4:] for part in parts])
            sets = own or self.sets
            size = size_from_sps(sets[0]) if sets else None
            if sets is None or size is None:
                self._broken()
                return
            self.sets, self.size, self.needs_key = sets, size, False
            if own is None:  # a viewer can begin here without having seen what came before
                parts = [_word.pack(len(each)) + each for each in sets] + parts
        if not self.needs_key:
            frames.append(Frame(timestamp, key, b"".join(parts), arrived))

    def _add(self, part: bytes) -> None:
        self._bytes += len(part)
        if self._bytes > MAX_FRAME_BYTES:
            self._broken()
        else:
            self._parts.append(part)


def _vp8_size(frame: bytes) -> PictureSize | None:
    """Return a key frame's size, or None where its head is not one. Source: RFC 6386 section 9.1."""
    if len(frame) < 10 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    width, height = struct.unpack_from("<HH", frame, 6)
    width, height = width & 0x3FFF, height & 0x3FFF
    return PictureSize(width, height) if width and height else None
