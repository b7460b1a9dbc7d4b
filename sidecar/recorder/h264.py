"""What a file must say of an H264 stream: its parameter sets and the size of its pictures.

Source: ITU-T H.264 section 7.3.2.1 (sequence parameter set), ISO/IEC 14496-15 section 5.3.3 (avcC).
"""

from collections.abc import Sequence
from typing import NamedTuple

_SPS, _PPS = 7, 8
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128})
_MAX_GOLOMB_BITS = 32
_LARGEST = 8192  # pixels a side


class PictureSize(NamedTuple):
    width: int
    height: int


def parameter_sets(units: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Return the sequence and the picture parameter set among these units, None unless both are there."""
    sps = next((unit for unit in units if unit and unit[0] & 0x1F == _SPS), None)
    pps = next((unit for unit in units if unit and unit[0] & 0x1F == _PPS), None)
    return (sps, pps) if sps is not None and pps is not None and len(sps) >= 4 else None


def configuration(sets: tuple[bytes, bytes]) -> bytes:
    """Return the decoder configuration record (avcC) of a stream whose units have four bytes of length."""
    sps, pps = sets
    return (
        bytes((1, sps[1], sps[2], sps[3], 0xFF, 0xE1))
        + len(sps).to_bytes(2, "big")
        + sps
        + b"\x01"
        + len(pps).to_bytes(2, "big")
        + pps
    )


def byte_stream(frame: bytes) -> bytes:
    """Return a frame of units with their lengths in front as one with start codes, which decoders take bare."""
    units, position = [], 0
    while position + 4 <= len(frame):
        length = int.from_bytes(frame[position : position + 4], "big")
        units.append(frame[position + 4 : position + 4 + length])
        position += 4 + length
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in units)


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the parameter set is cut short")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _MAX_GOLOMB_BITS:
                raise ValueError("a number without an end")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        value = self.golomb()
        return (value + 1) // 2 if value & 1 else -(value // 2)


def size_from_sps(unit: bytes) -> PictureSize | None:
    """Return the size of the pictures, cropped as shown, or None where the set cannot be read."""
    try:
        return _size(_Bits(unit[1:256].replace(b"\x00\x00\x03", b"\x00\x00")))
    except ValueError:
        return None


def _size(bits: _Bits) -> PictureSize:
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    chroma = 1
    if profile in _HIGH_PROFILES:
        chroma = bits.golomb()
        if chroma == 3:
            bits.take(1)
        bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.take(1):
            for index in range(8 if chroma != 3 else 12):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.golomb(), 255)):
            bits.signed()
    bits.golomb()
    bits.take(1)
    width = (bits.golomb() + 1) * 16
    height_units = bits.golomb() + 1
    frames_only = bits.take(1)
    height = (2 - frames_only) * height_units * 16
    if not frames_only:
        bits.take(1)
    bits.take(1)
    if bits.take(1):
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        across = 1 if chroma in (0, 3) else 2
        down = (1 if chroma != 1 else 2) * (2 - frames_only)
        width -= (left + right) * across
        height -= (top + bottom) * down
    if not 0 < width <= _LARGEST or not 0 < height <= _LARGEST:
        raise ValueError("no picture has this size")
    return PictureSize(width, height)


def _skip_scaling_list(bits: _Bits, count: int) -> None:
    last = following = 8
    for _ in range(count):
        if following:
            following = (last + bits.signed() + 256) % 256
        last = following or last
