"""The process that looks at shares: what it answers, and what it can no longer do."""

import errno
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from sidecar import lockdown
from sidecar.domain import canary
from sidecar.firewall import sampler
from sidecar.firewall.wire import MAX_FRAME_BYTES, VERDICT_BYTES, Seen, Verdict, pack_frame, unpack_verdict

_WAIT_S = 90


class Sampler:
    """A line to a divided process, as the bridge has it."""

    def __init__(self, door: socket.socket) -> None:
        self.line, theirs = socket.socketpair()
        self.line.settimeout(_WAIT_S)
        socket.send_fds(door, [b"w"], [theirs.fileno()])
        theirs.close()
        word, handles, _, _ = socket.recv_fds(door, 1, 1)
        assert word == b"p"
        self.handle = handles[0]

    def asked(self, *frames: bytes) -> Verdict:
        """Send frames and return the verdict that is about the last of them."""
        for frame in frames:
            self.line.sendall(frame)
        while True:
            data = self.line.recv(VERDICT_BYTES, socket.MSG_WAITALL)
            assert data, "the sampler ended"
            verdict = unpack_verdict(data)
            if verdict.frames >= len(frames):
                return verdict

    def has_ended(self) -> bool:
        """Whether the process is over, which it is soon after whatever should end it."""
        return bool(select.select([self.handle], [], [], _WAIT_S)[0])


@pytest.fixture(scope="module")
def door() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    ours.settimeout(_WAIT_S)
    command = [sys.executable, "-m", "sidecar.firewall.sampler", str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=(theirs.fileno(),))
    theirs.close()
    assert ours.recv(1) == b"r"
    yield ours
    ours.close()
    assert process.wait(_WAIT_S) == 0  # it ends by itself when the bridge is gone


def encoded(*pages: np.ndarray[Any, Any]) -> list[bytes]:
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 960, 96, "yuv420p", Fraction(1, 5)
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    made = []
    for number, page in enumerate(pages):
        frame = av.VideoFrame.from_ndarray(page, format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, encoder.time_base
        made += [pack_frame("VP8", bytes(packet)) for packet in encoder.encode(frame)]
    return made


def plain() -> np.ndarray[Any, Any]:
    return np.tile(np.linspace(40, 240, 960).astype(np.uint8), (96, 1))


def marked(number: int) -> np.ndarray[Any, Any]:
    page, columns = plain(), np.array(canary.columns_of(number))
    cells = np.where([columns, ~columns], canary.LIGHT_PAGE.light, canary.LIGHT_PAGE.dark).astype(np.uint8)
    page[32:64] = np.tile(cells.repeat(16, axis=0).repeat(12, axis=1), 2)[:, :960]
    return page


@pytest.mark.requirement("R206")
def test_it_says_clean_until_a_canary_comes_and_which_one(door: socket.socket) -> None:
    asked = Sampler(door)
    first, second, third = encoded(plain(), plain(), marked(4711))

    assert asked.asked(first, second) == Verdict(Seen.CLEAN, 2, 0)
    asked.line.sendall(third)
    assert unpack_verdict(asked.line.recv(VERDICT_BYTES, socket.MSG_WAITALL)) == Verdict(Seen.CANARY, 3, 4711)


@pytest.mark.requirement("R206")
@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x10\x00\x00\x9d\x01\x2a\xff\x3f\xff\x3f" + b"\x00" * 99, bytes(5000)]
)
def test_what_cannot_be_decoded_is_unreadable_and_never_clean(door: socket.socket, data: bytes) -> None:
    for codec in ("VP8", "H264"):
        asked = Sampler(door)
        assert asked.asked(pack_frame(codec, data)).seen is Seen.UNREADABLE
        assert asked.asked(*encoded(plain())).seen is Seen.CLEAN  # the next whole picture mends it


@pytest.mark.requirement("R206")
@pytest.mark.parametrize(
    "bytes_", [struct.pack(">BI", 9, 1), struct.pack(">BI", 1, MAX_FRAME_BYTES + 1), b""], ids=["codec", "size", "end"]
)
def test_a_line_that_breaks_the_form_ends_its_sampler_and_no_other(door: socket.socket, bytes_: bytes) -> None:
    broken, other = Sampler(door), Sampler(door)
    broken.line.sendall(bytes_)
    if not bytes_:
        broken.line.close()

    assert broken.has_ended()
    assert other.asked(*encoded(plain())).seen is Seen.CLEAN


@pytest.mark.requirement("R206")
def test_the_divided_process_reaches_neither_files_nor_network_nor_programs() -> None:
    found, told = os.pipe()
    child = os.fork()
    if child == 0:
        ends = []
        try:
            lockdown.limit(memory_bytes=1 << 30, open_files=16)
            assert lockdown.shut()
            for act in (
                lambda: os.open("/etc/passwd", os.O_RDONLY),
                lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
                lambda: os.fork(),
                lambda: os.execv("/bin/true", ["true"]),
                lambda: os.kill(os.getppid(), 0),
                lambda: os.unlink("/tmp/none"),
            ):
                try:
                    act()
                    ends.append(0)
                except OSError as error:
                    ends.append(error.errno or 0)
        finally:
            os.write(told, bytes(ends))
            os._exit(0)
    os.close(told)
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert os.read(found, 100) == bytes([errno.EPERM] * 6)
    os.close(found)


WITH_A_THREAD = """
import os, threading
from sidecar import lockdown

shut, ends = threading.Event(), []

def other():
    shut.wait()
    try:
        ends.append(os.open("/etc/passwd", os.O_RDONLY))
    except OSError as error:
        ends.append(error.errno)

thread = threading.Thread(target=other)
thread.start()
assert lockdown.shut()
shut.set()
thread.join()
os.write(1, bytes(ends))
os._exit(0)
"""


def test_a_thread_that_a_library_had_made_before_is_shut_in_as_well() -> None:
    done = subprocess.run([sys.executable, "-c", WITH_A_THREAD], capture_output=True, timeout=_WAIT_S, check=False)

    assert (done.returncode, done.stdout) == (0, bytes([errno.EPERM])), done.stderr[-500:]


@pytest.mark.requirement("R206")
def test_where_no_process_can_be_shut_in_there_is_no_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(sys, "argv", ["sampler", str(theirs.fileno())])
    monkeypatch.setattr(lockdown, "shut", lambda: False)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        assert sampler.main() == 1  # and nothing was said to be ready
    finally:
        signal.signal(signal.SIGINT, interrupt)
    theirs.close()
    assert ours.recv(1) == b""
    ours.close()


@pytest.mark.requirement("R206")
def test_no_more_than_the_newest_picture_is_held() -> None:
    watched = sampler.Watched()
    for frame in encoded(plain(), marked(1), plain()):
        watched.take(1, frame[5:])
        watched.judge(1)

    planes = [each for each in vars(watched).values() if isinstance(each, np.ndarray)]
    assert len({id(each) for each in planes}) == 1


@pytest.mark.parametrize("data", [b"", b"\x01", bytes(7), b"\x09" + bytes(6), bytes(8)])
def test_a_verdict_that_is_none_is_not_believed(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"verdict|Seen"):
        unpack_verdict(data)
