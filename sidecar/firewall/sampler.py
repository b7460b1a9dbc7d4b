"""Decodes shared pictures and looks for a canary. `python -m sidecar.firewall.sampler DESCRIPTOR`.

The process the bridge starts decodes nothing: it loads the libraries, and divides for each share. The new process
limits itself, closes every way out, and only then reads frames: what participants sent is decoded here, and a decoder
is where hostile bytes do harm. Whoever takes it over has the one share they sent. A picture lives until the next one.
"""

import os
import select
import signal
import socket
import sys
import time
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

from sidecar import lockdown
from sidecar.domain.canary import DARK_PAGE, columns_of
from sidecar.firewall.detect import find_canary
from sidecar.firewall.wire import CODECS, FRAME_HEAD, MAX_FRAME_BYTES, Seen, Verdict
from sidecar.recorder.h264 import byte_stream

EVERY_S = 0.2  # between two looks; what came in between is decoded, since the next picture builds on it
_MEMORY_BYTES = 1 << 30  # of address space: the libraries' own code and two pictures of the largest size
_OPEN_FILES = 16
_CPU_S = 4  # for one frame and one look
_MAX_PIXELS = 4096 * 4096
_GREY_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuv444p", "nv12", "gray"})
_NAMES = {CODECS["VP8"]: "vp8", CODECS["H264"]: "h264"}


class Watched:
    """The newest picture of one share."""

    def __init__(self) -> None:
        self._decoder: Any = None
        self._codec = 0
        self._grey: NDArray[np.uint8] | None = None
        self._judged: NDArray[np.uint8] | None = None
        self._canary = 0
        self.readable = False

    def take(self, codec: int, data: bytes) -> None:
        """Decode one frame."""
        if codec != self._codec:
            self._decoder, self._codec = av.CodecContext.create(_NAMES[codec], "r"), codec
            self._decoder.thread_count = 1
            self._decoder.flags |= Flags.low_delay  # each frame answers with its own picture
        self.readable = False
        frame = byte_stream(data) if codec == CODECS["H264"] else data
        if not frame:
            return  # the decoder would take it for the end of the stream
        try:
            pictures = self._decoder.decode(av.Packet(frame))
        except (av.FFmpegError, ValueError, MemoryError):
            return  # the next key frame mends it
        for picture in pictures:
            if picture.width * picture.height > _MAX_PIXELS or picture.format.name not in _GREY_FORMATS:
                return
            plane = picture.planes[0]
            rows: NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            self._grey = rows[: picture.height, : picture.width].copy()
            self.readable = True

    def judge(self, frames: int) -> Verdict:
        """Look at the newest picture."""
        grey = self._grey
        if not self.readable or grey is None:
            return Verdict(Seen.UNREADABLE, frames, 0)
        if self._judged is None or not np.array_equal(self._judged, grey):
            self._judged, self._canary = grey, find_canary(grey) or 0
        return Verdict(Seen.CANARY if self._canary else Seen.CLEAN, frames, self._canary)


def watch(descriptor: int) -> None:
    """Answer until the other side closes."""
    watched, taken, judged, due = Watched(), 0, 0, 0.0
    arrived = select.poll()
    arrived.register(descriptor, select.POLLIN)
    while True:
        if arrived.poll(None if taken == judged else max(0, 1000 * (due - time.monotonic()))):
            lockdown.allow_cpu(_CPU_S)
            codec, length = FRAME_HEAD.unpack(_exactly(descriptor, FRAME_HEAD.size))
            if codec not in _NAMES or length > MAX_FRAME_BYTES:
                return
            watched.take(codec, _exactly(descriptor, length))
            taken += 1
        now = time.monotonic()
        if taken != judged and now >= due:
            due, judged = now + EVERY_S, taken
            os.write(descriptor, watched.judge(taken).pack())


def _exactly(descriptor: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _warm() -> None:
    """Have everything loaded that a divided process may no longer open."""
    av.logging.set_level(None)
    for name in _NAMES.values():
        av.CodecContext.create(name, "r")
    av.VideoFrame(16, 16, "yuv420p").to_ndarray()
    columns = np.array(columns_of(1))
    cells = np.where([columns, ~columns], DARK_PAGE.light, DARK_PAGE.dark).astype(np.uint8)
    if find_canary(cells.repeat(8, axis=0).repeat(4, axis=1)) != 1:
        raise RuntimeError("the sampler does not know a canary when it sees one")


def _can_be_shut() -> bool:
    """Try on a process of its own whether this system can shut one in."""
    number = os.fork()
    if number == 0:
        os._exit(0 if lockdown.shut() else 1)
    return os.waitpid(number, 0)[1] == 0


def _live(descriptor: int) -> None:
    """Be the divided process. Never returns."""
    try:
        lockdown.limit(memory_bytes=_MEMORY_BYTES, open_files=_OPEN_FILES)
        if lockdown.shut():
            watch(descriptor)
    except BaseException:  # noqa: S110 - the process ends either way, and the bridge sees that
        pass
    finally:
        os._exit(0)


def main() -> int:
    """Divide for each descriptor that comes over the given one, and answer with a handle of the new process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the bridge says when
    _warm()
    if not _can_be_shut():
        return 1  # there will be no sampler here, and readiness shows it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    with socket.socket(fileno=int(sys.argv[1])) as bridge:
        bridge.sendall(b"r")
        while True:
            _, received, _, _ = socket.recv_fds(bridge, 1, 1)
            if not received:
                return 0
            number = os.fork()
            if number == 0:
                bridge.close()
                _live(received[0])
            os.close(received[0])
            try:
                handle = os.pidfd_open(number)
            except OSError:  # gone already
                bridge.sendall(b"x")
            else:
                socket.send_fds(bridge, [b"p"], [handle])
                os.close(handle)


if __name__ == "__main__":
    raise SystemExit(main())
