"""EBML: elements of Matroska as bytes, and read back from bytes that may be broken.

Source: RFC 8794 (EBML), RFC 9559 (Matroska).
"""

import struct
from collections.abc import Iterator

UNKNOWN_SIZE = b"\x01\xff\xff\xff\xff\xff\xff\xff"  # RFC 8794 section 6.2: runs to the end of the file
_VOID = 0xEC
_MOST_DEPTH_BYTES = 8


def size_of(number: int, width: int = 0) -> bytes:
    """Return a data size as a variable-length integer. width: bytes to use, 0 for as few as will do."""
    if not width:
        width = 1
        while number >= (1 << 7 * width) - 1:  # all ones is reserved for "unknown"
            width += 1
    return (number | 1 << 7 * width).to_bytes(width, "big")


def id_bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def element(number: int, *parts: bytes) -> bytes:
    """Return an element with these parts as its data."""
    data = b"".join(parts)
    return id_bytes(number) + size_of(len(data)) + data


def unsigned(number: int, value: int) -> bytes:
    return element(number, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def real(number: int, value: float) -> bytes:
    return element(number, struct.pack(">d", value))


def text(number: int, value: str) -> bytes:
    return element(number, value.encode())


def void(length: int) -> bytes:
    """Return a filler of exactly so many bytes. length: 0, or at least 2."""
    if length == 0:
        return b""
    if length < 2:
        raise ValueError("a filler has at least two bytes")
    width = 1 if length < 100 else 8
    return id_bytes(_VOID) + size_of(length - 1 - width, width) + bytes(length - 1 - width)


def children(data: bytes | memoryview) -> Iterator[tuple[int, int, int]]:
    """Yield (id, start, end) of each element's data, one after the other. Raises ValueError where it breaks off."""
    position, size = 0, len(data)
    while position < size:
        number, position = _number(data, position, keep_marker=True, most=4)
        length, position = _number(data, position, keep_marker=False, most=_MOST_DEPTH_BYTES)
        if position + length > size:
            raise ValueError("an element reaches beyond its end")
        yield number, position, position + length
        position += length


def _number(data: bytes | memoryview, position: int, *, keep_marker: bool, most: int) -> tuple[int, int]:
    if position >= len(data):
        raise ValueError("an element is cut short")
    first = data[position]
    width = 9 - first.bit_length()
    if width > most or position + width > len(data):
        raise ValueError("an element is cut short")
    value = int.from_bytes(data[position : position + width], "big")
    if not keep_marker:
        value &= (1 << 7 * width) - 1
    return value, position + width
