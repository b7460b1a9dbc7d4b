"""RTP as it lies in a buffer: headers, header extensions, and the first bytes of a video payload.

Nothing here decodes a picture: it looks for the few bits that say "a picture can start here".
Source: RFC 3550 (RTP), RFC 8285 (extensions), RFC 4588 (RTX), RFC 7741 (VP8), RFC 6184 (H264).
"""

import struct
from dataclasses import dataclass

HEADER = struct.Struct("!BBHII")  # V P X CC | M PT | sequence | timestamp | SSRC
HEADER_BYTES = 12
# What we send: no contributing sources, and one extension word that holds abs-send-time or nothing at all.
STAMPED_HEADER = struct.Struct("!BBHIIII")
STAMPED_HEADER_BYTES = 20
ONE_WORD_EXTENSION = 0xBEDE0001
ONE_BYTE_PROFILE = 0xBEDE

SEQUENCE_MASK = 0xFFFF
TIMESTAMP_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Parsed:
    """Where things are in one RTP packet. extensions: id -> (start, end) of the value."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    extensions: dict[int, tuple[int, int]]
    payload_at: int
    end: int


def parse(data: bytes | memoryview) -> Parsed | None:
    """Return where things are, or None when the packet is malformed. Padding is cut off.

    The packet path in forwarding.py reads the same bits without making an object.
    """
    size = len(data)
    if size < HEADER_BYTES:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first >> 6 != 2:
        return None
    position = HEADER_BYTES + (first & 15) * 4
    extensions: dict[int, tuple[int, int]] = {}
    if first & 0x10:
        if position + 4 > size:
            return None
        profile, words = struct.unpack_from("!HH", data, position)
        start, position = position + 4, position + 4 + words * 4
        if position > size:
            return None
        if profile == ONE_BYTE_PROFILE:
            extensions = _one_byte_extensions(data, start, position)
    end = size
    if first & 0x20:
        end -= data[-1]
        if data[-1] == 0:
            return None
    if position > end:
        return None
    return Parsed(
        marker=bool(second & 0x80),
        payload_type=second & 0x7F,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        extensions=extensions,
        payload_at=position,
        end=end,
    )


def _one_byte_extensions(data: bytes | memoryview, position: int, end: int) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    while position < end:
        head = data[position]
        if head == 0:
            position += 1
            continue
        number, value_end = head >> 4, position + 2 + (head & 15)
        if number == 15 or value_end > end:
            break
        found[number] = (position + 1, value_end)
        position = value_end
    return found


@dataclass(frozen=True)
class Vp8Descriptor:
    """The VP8 payload descriptor. *_at: offsets of what a change of source must renumber, or 0."""

    starts_key_frame: bool
    picture_id: int
    picture_id_at: int
    tl0_index: int
    tl0_index_at: int


def vp8_descriptor(data: bytes | memoryview, start: int, end: int) -> Vp8Descriptor | None:
    """Return the descriptor at `start`, or None when it is cut short. Source: RFC 7741 section 4.2."""
    position = start
    if position >= end:
        return None
    first = data[position]
    position += 1
    picture_id = picture_id_at = tl0_index = tl0_index_at = 0
    if first & 0x80:
        if position >= end:
            return None
        flags = data[position]
        position += 1
        if flags & 0x80:
            if position + 1 >= end:
                return None
            if data[position] & 0x80:
                picture_id_at = position
                picture_id = (data[position] & 0x7F) << 8 | data[position + 1]
                position += 2
            else:
                position += 1  # 7 bits: too short to renumber usefully, no browser sends it
        if flags & 0x40:
            if position >= end:
                return None
            tl0_index_at = position
            tl0_index = data[position]
            position += 1
        if flags & 0x30:
            position += 1
    if position >= end:
        return None
    begins = first & 0x10 and not first & 0x07
    return Vp8Descriptor(
        starts_key_frame=bool(begins and not data[position] & 0x01),
        picture_id=picture_id,
        picture_id_at=picture_id_at,
        tl0_index=tl0_index,
        tl0_index_at=tl0_index_at,
    )


def h264_starts_key_frame(data: bytes | memoryview, start: int, end: int) -> bool:
    """Return whether a picture that needs no other begins here. Source: RFC 6184 sections 5.6 to 5.8."""
    if start + 2 >= end:
        return False
    unit = data[start] & 0x1F
    if unit in (5, 7):  # IDR slice, sequence parameter set
        return True
    if unit == 24 and start + 3 < end:  # STAP-A: size (2 bytes), then the first unit
        return data[start + 3] & 0x1F in (5, 7)
    if unit == 28:  # FU-A: the start of a fragmented unit
        return bool(data[start + 1] & 0x80) and data[start + 1] & 0x1F in (5, 7)
    return False


def starts_key_frame(codec: str, data: bytes | memoryview, start: int, end: int) -> bool:
    """Return whether a receiver can begin with this packet. Sound always can."""
    if codec == "VP8":
        descriptor = vp8_descriptor(data, start, end)
        return descriptor is not None and descriptor.starts_key_frame
    if codec == "H264":
        return h264_starts_key_frame(data, start, end)
    return True


def extend(sequence: int, newest: int) -> int:
    """Return the full number of a 16-bit sequence number, the one nearest to `newest`."""
    difference = (sequence - newest) & SEQUENCE_MASK
    return newest + difference - (0x10000 if difference >= 0x8000 else 0)
