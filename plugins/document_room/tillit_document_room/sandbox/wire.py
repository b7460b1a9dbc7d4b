"""How the two processes speak: a length, a JSON header, and bytes. Each side bounds what it accepts."""

import json
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

_HEAD = struct.Struct(">IQ")
HEADER_BYTES = 4 * 1024 * 1024  # the text of a full page with a place for each letter fits


class BrokenWireError(Exception):
    """The other side ended, stalled or sent nonsense."""


def frame(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """Return one message as bytes."""
    words = json.dumps(header, separators=(",", ":")).encode()
    return _HEAD.pack(len(words), len(payload)) + words + payload


def read_frame(read: Callable[[int], bytes], *, payload_bytes: int) -> tuple[dict[str, Any], bytes]:
    """Return the next message. read(n): returns at most n bytes, none at the end. Raises BrokenWireError."""
    header_size, payload_size = _HEAD.unpack(_exactly(read, _HEAD.size))
    if header_size > HEADER_BYTES or payload_size > payload_bytes:
        raise BrokenWireError("too long")
    try:
        header = json.loads(_exactly(read, header_size))
    except (ValueError, RecursionError) as error:
        raise BrokenWireError("no JSON") from error
    if not isinstance(header, dict):
        raise BrokenWireError("no object")
    return header, _exactly(read, payload_size)


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    parts, missing = [], size
    while missing:
        part = read(min(missing, 1 << 20))
        if not part:
            raise BrokenWireError("ended")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything to a blocking descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class DeadlineReader:
    """Reads a socket until a moment of the monotonic clock, whatever the pace of the other side."""

    def __init__(self, source: socket.socket, until: float) -> None:
        self._source, self._until = source, until

    def __call__(self, size: int) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0:
            raise BrokenWireError("late")
        self._source.settimeout(left)
        try:
            return self._source.recv(size)
        except TimeoutError as error:
            raise BrokenWireError("late") from error
        except OSError as error:
            raise BrokenWireError("ended") from error
