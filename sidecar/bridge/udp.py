"""UDP in batches: recvmmsg and sendmmsg on buffers that stay where they are. Linux only.

One `DatagramBatch` is one bound socket. Receiving fills up to `BATCH` packets with one system call; sending
queues pointers to packets wherever they lie and hands them over with one system call. Addresses of peers are
raw `sockaddr` bytes: they serve as dictionary keys, and are turned to text only for STUN answers.
"""

import ipaddress
import socket
import struct
import sys
from typing import Any

import cffi  # type: ignore[import-untyped]  # it ships no types

BATCH = 64
STRIDE = 2048  # bytes per packet buffer: an Ethernet frame and room to grow
HEADROOM = 64  # bytes free in front of a received packet, so that a longer header can be put there
SLOT_BYTES = STRIDE - HEADROOM - 64  # what one datagram may fill: the tail is for SRTP's tag
_SOCKET_BUFFER_BYTES = 4 << 20  # a burst of key frames in every room must fit
_CONTROL_BYTES = 64
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h, the same on x86-64 and arm64
# Where packet i's receive time lies in `clock`, in words of 8 bytes: seconds, then nanoseconds
CLOCK_STEP = _CONTROL_BYTES // 8
CLOCK_AT = 2  # behind the control message's header

_ffi = cffi.FFI()
_ffi.cdef(
    """
    struct iovec { void *iov_base; size_t iov_len; };
    struct msghdr {
        void *msg_name; unsigned int msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
        void *msg_control; size_t msg_controllen; int msg_flags;
    };
    struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
    int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, void *timeout);
    int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags);
    """
)
_libc: Any = _ffi.dlopen(None)
_HEADER_BYTES = _ffi.sizeof("struct mmsghdr")
_IOVEC_BYTES = _ffi.sizeof("struct iovec")
_LENGTH_AT = _ffi.offsetof("struct mmsghdr", "msg_len")
# The send arrays are written as words of 8 bytes: iov_base and iov_len; msg_name is a header's first word.
VECTOR_WORDS = _IOVEC_BYTES // 8
HEADER_WORDS = _HEADER_BYTES // 8


def address_of(cdata: Any) -> int:
    """Return where a C buffer lies, as a number."""
    return int(_ffi.cast("uintptr_t", cdata))


class PeerAddress:
    """Where a datagram goes: `sockaddr` bytes that live as long as this object does."""

    __slots__ = ("_holder", "bytes", "pointer")

    def __init__(self, raw: bytes) -> None:
        self.bytes = raw
        self._holder = _ffi.new("char[]", raw)
        self.pointer = address_of(self._holder)


def raw_address(host: str, port: int) -> bytes:
    """Return an address as the kernel writes it. The load generator and the tests use it."""
    packed = ipaddress.ip_address(host).packed
    if len(packed) == 4:
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + packed + bytes(8)
    return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + packed + bytes(4)


def host_and_port(raw: bytes) -> tuple[str, int]:
    """Return a kernel address as text and number."""
    (port,) = struct.unpack_from("!H", raw, 2)
    if len(raw) == 16:
        return socket.inet_ntop(socket.AF_INET, raw[4:8]), port
    return socket.inet_ntop(socket.AF_INET6, raw[8:24]), port


class DatagramBatch:
    """One bound UDP socket with its receive and send buffers.

    data: received packet i lies at `i * STRIDE + HEADROOM`, `length(i)` bytes long. peers: whoever proved to
    be at an address, kept by the ICE agents.
    """

    def __init__(self, host: str, port: int) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError("the bridge needs Linux: recvmmsg and sendmmsg")
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.socket.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER_BYTES)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket.bind((host, port))
        self.fd = self.socket.fileno()
        self.host, self.port = self.socket.getsockname()[:2]
        self.peers: dict[bytes, Any] = {}
        self.name_bytes = 28 if family == socket.AF_INET6 else 16
        # Receiving
        self._packets = _ffi.new("char[]", BATCH * STRIDE)
        self._names = _ffi.new("char[]", BATCH * self.name_bytes)
        self._controls = _ffi.new("char[]", BATCH * _CONTROL_BYTES)
        self._in_vectors = _ffi.new("struct iovec[]", BATCH)
        self._in_headers = _ffi.new("struct mmsghdr[]", BATCH)
        self.data = memoryview(_ffi.buffer(self._packets)).cast("B")
        self.names = memoryview(_ffi.buffer(self._names)).cast("B")
        self.clock = memoryview(_ffi.buffer(self._controls)).cast("B").cast("q")
        self.header_words = memoryview(_ffi.buffer(self._in_headers)).cast("B").cast("I")
        self.header_step = _HEADER_BYTES // 4
        self.length_word = _LENGTH_AT // 4
        self.packet_pointers = [self._packets + i * STRIDE + HEADROOM for i in range(BATCH)]
        self.packet_addresses = [address_of(pointer) for pointer in self.packet_pointers]
        for i in range(BATCH):
            self._in_vectors[i].iov_base = self.packet_pointers[i]
            self._in_vectors[i].iov_len = SLOT_BYTES
            header = self._in_headers[i].msg_hdr
            header.msg_name = self._names + i * self.name_bytes
            header.msg_namelen = self.name_bytes
            header.msg_iov = self._in_vectors + i
            header.msg_iovlen = 1
            header.msg_control = self._controls + i * _CONTROL_BYTES
            header.msg_controllen = _CONTROL_BYTES
        # Sending
        self._out_packets = _ffi.new("char[]", BATCH * STRIDE)
        self.out_data = memoryview(_ffi.buffer(self._out_packets)).cast("B")
        self.out_pointers = [self._out_packets + i * STRIDE + HEADROOM for i in range(BATCH)]
        self.out_addresses = [address_of(pointer) for pointer in self.out_pointers]
        self._out_vectors = _ffi.new("struct iovec[]", BATCH)
        self._out_headers = _ffi.new("struct mmsghdr[]", BATCH)
        for i in range(BATCH):
            self._out_headers[i].msg_hdr.msg_iov = self._out_vectors + i
            self._out_headers[i].msg_hdr.msg_iovlen = 1
            self._out_headers[i].msg_hdr.msg_namelen = self.name_bytes
        self.out_vectors = memoryview(_ffi.buffer(self._out_vectors)).cast("B").cast("Q")
        self.out_headers = memoryview(_ffi.buffer(self._out_headers)).cast("B").cast("Q")
        self.queued = 0
        self.unsent = 0
        self.watched = False

    def receive(self) -> int:
        """Return how many packets the buffers hold now: 0 when the socket is empty."""
        count: int = _libc.recvmmsg(self.fd, self._in_headers, BATCH, socket.MSG_DONTWAIT, _ffi.NULL)
        return count if count > 0 else 0

    def length(self, i: int) -> int:
        """Return the bytes of packet i."""
        return int(self.header_words[i * self.header_step + self.length_word])

    def name(self, i: int) -> bytes:
        """Return where packet i came from."""
        return bytes(self.names[i * self.name_bytes : (i + 1) * self.name_bytes])

    def received_at(self, i: int) -> float:
        """Return the kernel's receive time of packet i, seconds since the epoch."""
        at = i * CLOCK_STEP + CLOCK_AT
        return float(self.clock[at] + self.clock[at + 1] * 1e-9)

    def queue(self, pointer: int, length: int, to: PeerAddress) -> None:
        """Queue a packet that lies at `pointer` until the next `flush`. Its buffer must stay untouched."""
        i = self.queued
        self.out_vectors[i * VECTOR_WORDS] = pointer
        self.out_vectors[i * VECTOR_WORDS + 1] = length
        self.out_headers[i * HEADER_WORDS] = to.pointer
        self.queued = i + 1
        if self.queued == BATCH:
            self.flush()

    def send(self, data: bytes, to: PeerAddress) -> None:
        """Queue a copy of `data`."""
        i = self.queued
        start = i * STRIDE + HEADROOM
        self.out_data[start : start + len(data)] = data
        self.queue(self.out_addresses[i], len(data), to)

    def flush(self) -> None:
        """Send all that is queued. A packet the kernel refuses is lost, as on any network."""
        done = 0
        while done < self.queued:
            sent = _libc.sendmmsg(self.fd, self._out_headers + done, self.queued - done, socket.MSG_DONTWAIT)
            if sent <= 0:
                self.unsent += 1
                sent = 1
            done += sent
        self.queued = 0

    def close(self) -> None:
        """Close the socket. The buffers live as long as somebody holds them."""
        self.socket.close()
