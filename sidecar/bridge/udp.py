"""UDP in batches: recvmmsg and sendmmsg on buffers that stay where they are. Linux only.

One `DatagramBatch` is one bound socket. Receiving fills up to `BATCH` packets with one system call; sending
queues pointers to packets wherever they lie and hands them over with one system call. Addresses of peers are
raw `sockaddr` bytes: they serve as dictionary keys, and are turned to text only for STUN answers.
"""

import errno
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
# The send arrays are written as words of 8 bytes. An iovec is two: address and length. In a message header:
_VECTOR_WORDS = _IOVEC_BYTES // 8
_HEADER_WORDS = _HEADER_BYTES // 8
_VECTOR_OF_MESSAGE = _ffi.offsetof("struct msghdr", "msg_iov") // 8
_VECTORS_IN_MESSAGE = _ffi.offsetof("struct msghdr", "msg_iovlen") // 8
_CONTROL_IN_MESSAGE = _ffi.offsetof("struct msghdr", "msg_controllen") // 8
_UDP_SEGMENT = 103  # linux/udp.h
_SEGMENT_CONTROL_BYTES = 24  # CMSG_SPACE of two bytes
_MAX_SEGMENTS = 40  # times the largest packet stays below a datagram's 65,507 bytes
_segment_control = struct.Struct("@Nii")  # cmsg_len, cmsg_level, cmsg_type


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
        self._out_controls = _ffi.new("char[]", BATCH * _SEGMENT_CONTROL_BYTES)
        self._vectors_address = address_of(self._out_vectors)
        self._vectors = memoryview(_ffi.buffer(self._out_vectors)).cast("B").cast("Q")
        self._headers = memoryview(_ffi.buffer(self._out_headers)).cast("B").cast("Q")
        self._segments = memoryview(_ffi.buffer(self._out_controls)).cast("B").cast("H")
        for i in range(BATCH):
            header = self._out_headers[i].msg_hdr
            header.msg_namelen = self.name_bytes
            header.msg_control = self._out_controls + i * _SEGMENT_CONTROL_BYTES
            _segment_control.pack_into(
                _ffi.buffer(self._out_controls), i * _SEGMENT_CONTROL_BYTES, 18, socket.IPPROTO_UDP, _UDP_SEGMENT
            )
        self._messages = 0
        self._run_to: PeerAddress | None = None
        self._run_bytes = self._run_start = 0
        self.joins_packets = True
        self.queued = 0
        self.received = self.sent = self.unsent = 0  # datagrams, since the start
        self.watched = False

    def receive(self) -> int:
        """Return how many packets the buffers hold now: 0 when the socket is empty."""
        count: int = _libc.recvmmsg(self.fd, self._in_headers, BATCH, socket.MSG_DONTWAIT, _ffi.NULL)
        if count <= 0:
            return 0
        self.received += count
        return count

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
        """Queue a packet that lies at `pointer` until the next `flush`. Its buffer must stay untouched.

        Packets of one length that follow each other to one receiver become one message, which the kernel cuts
        up again (UDP_SEGMENT): the parts of a video frame are such packets. The last may be shorter.
        """
        place = self.queued
        self.queued = place + 1
        vectors, headers = self._vectors, self._headers
        vectors[place * _VECTOR_WORDS] = pointer
        vectors[place * _VECTOR_WORDS + 1] = length
        if to is self._run_to and length <= self._run_bytes:
            message = self._messages - 1
            count = place + 1 - self._run_start
            headers[message * _HEADER_WORDS + _VECTORS_IN_MESSAGE] = count
            if count == 2:
                headers[message * _HEADER_WORDS + _CONTROL_IN_MESSAGE] = _SEGMENT_CONTROL_BYTES
                self._segments[message * (_SEGMENT_CONTROL_BYTES // 2) + 8] = self._run_bytes
            if length < self._run_bytes or count == _MAX_SEGMENTS:
                self._run_to = None
        else:
            message = self._messages
            self._messages = message + 1
            at = message * _HEADER_WORDS
            headers[at] = to.pointer
            headers[at + _VECTOR_OF_MESSAGE] = self._vectors_address + place * _IOVEC_BYTES
            headers[at + _VECTORS_IN_MESSAGE] = 1
            headers[at + _CONTROL_IN_MESSAGE] = 0
            self._run_to = to if self.joins_packets else None
            self._run_bytes, self._run_start = length, place
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
        done, messages = 0, self._messages
        while done < messages:
            sent = _libc.sendmmsg(self.fd, self._out_headers + done, messages - done, socket.MSG_DONTWAIT)
            if sent <= 0:
                self._refused(done)
                sent = 1
            done += sent
        self.sent += self.queued
        self.queued = self._messages = 0
        self._run_to = None

    def _refused(self, message: int) -> None:
        """The kernel did not take a message: one packet is lost, joined ones are tried one by one."""
        full = _ffi.errno in (errno.EAGAIN, errno.ENOBUFS)
        header = self._out_headers[message].msg_hdr
        count = header.msg_iovlen
        if full or count == 1:
            self.unsent += count
            return
        # A device or a route that cannot cut messages up: none is joined from here on.
        self.joins_packets = False
        header.msg_iovlen, header.msg_controllen = 1, 0
        for _ in range(count):
            if _libc.sendmmsg(self.fd, self._out_headers + message, 1, socket.MSG_DONTWAIT) <= 0:
                self.unsent += 1
            header.msg_iov += 1

    def close(self) -> None:
        """Close the socket. The buffers live as long as somebody holds them."""
        self.socket.close()
