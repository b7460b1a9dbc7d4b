"""RTP and RTCP: where things are, and that what is written reads back."""

import struct

import pytest

from sidecar.bridge import rtcp, rtp


def packet(*, extension: bytes = b"", payload: bytes = b"abc", padding: bytes = b"") -> bytes:
    first = 0x80 | (0x10 if extension else 0) | (0x20 if padding else 0)
    return struct.pack("!BBHII", first, 0x80 | 96, 7, 1000, 0x1234) + extension + payload + padding


def test_finds_extensions_and_payload() -> None:
    data = packet(extension=struct.pack("!HHBBBHBBB", 0xBEDE, 2, 0x10, 0xAA, 0x31, 513, 0, 0, 0))
    parsed = rtp.parse(data)
    assert parsed is not None
    assert (parsed.marker, parsed.payload_type, parsed.sequence) == (True, 96, 7)
    assert data[slice(*parsed.extensions[1])] == b"\xaa"
    assert data[slice(*parsed.extensions[3])] == struct.pack("!H", 513)
    assert data[parsed.payload_at : parsed.end] == b"abc"


def test_padding_is_cut_off() -> None:
    data = packet(padding=b"\0\0\3")
    parsed = rtp.parse(data)
    assert parsed is not None
    assert data[parsed.payload_at : parsed.end] == b"abc"


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        packet()[:11],
        b"\x00" + packet()[1:],
        packet(extension=struct.pack("!HH", 0xBEDE, 400)),
        packet(payload=b"", padding=b"\xff"),
        packet(padding=b"\0"),
        b"\x9f" + packet()[1:],
    ],
)
def test_a_malformed_packet_is_none(broken: bytes) -> None:
    assert rtp.parse(broken) is None


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        (bytes([0x90, 0x80, 0x81, 0x02, 0x00]), True),
        (bytes([0x90, 0x80, 0x81, 0x02, 0x01]), False),  # an inter frame
        (bytes([0x80, 0x80, 0x81, 0x02, 0x00]), False),  # not the start of a partition
        (bytes([0x91, 0x80, 0x81, 0x02, 0x00]), False),  # the second partition
        (bytes([0x10, 0x00]), True),
        (bytes([0x90, 0x80, 0x81]), False),
        (b"", False),
    ],
)
def test_knows_a_vp8_key_frame(payload: bytes, key: bool) -> None:
    assert rtp.starts_key_frame("VP8", payload, 0, len(payload)) is key


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        (bytes([0x67, 1, 2]), True),
        (bytes([0x65, 1, 2]), True),
        (bytes([0x61, 1, 2]), False),
        (bytes([0x78, 0, 10, 0x67, 1]), True),
        (bytes([0x7C, 0x85, 1]), True),
        (bytes([0x7C, 0x05, 1]), False),
        (b"\x67", False),
    ],
)
def test_knows_an_h264_key_frame(payload: bytes, key: bool) -> None:
    assert rtp.starts_key_frame("H264", payload, 0, len(payload)) is key


def test_sequence_numbers_are_extended_to_the_nearest() -> None:
    assert rtp.extend(0xFFFF, 0x10000) == 0xFFFF
    assert rtp.extend(3, 0x1FFFE) == 0x20003
    assert rtp.extend(0x8000, 0x20000) == 0x18000


def test_a_sender_report_reads_back() -> None:
    report = rtcp.SenderReport(7, 0x1122334455667788, 900, 12, 3400)
    assert rtcp.parse(rtcp.sender_report(report, "c" * 16)) == [report]


def test_a_receiver_report_reads_back() -> None:
    block = rtcp.ReportBlock(7, 25, 400, 70000, 30, 0x99, 65536)
    assert rtcp.parse(rtcp.receiver_report(1, [block])) == [block]


def test_a_nack_reads_back_across_the_wrap() -> None:
    missing = (65530, 65533, 65535, 0, 4, 20, 40)
    assert rtcp.parse(rtcp.nack(1, 7, missing)) == [rtcp.Nack(7, missing)]


def test_requests_for_key_frames_are_the_same_thing() -> None:
    fir = struct.pack("!BBHIIIBBH", 0x84, 206, 4, 1, 0, 7, 3, 0, 0)
    assert rtcp.parse(rtcp.pli(1, 7)) == rtcp.parse(fir) == [rtcp.KeyFrameRequest(7)]


@pytest.mark.parametrize("bits", [1, 262_143, 262_144, 3_000_000, 2**40])
def test_a_remb_reads_back_within_its_precision(bits: int) -> None:
    (read,) = rtcp.parse(rtcp.remb(1, bits, [7, 8]))
    assert isinstance(read, rtcp.Remb)
    assert bits * 0.999 <= read.bits_per_second <= bits


def test_transport_feedback_reads_back() -> None:
    arrivals = {100 + n: 5_000_000 + n * 1700 for n in range(60) if n not in (7, 8, 9, 30)}
    arrivals[140] = 5_900_000  # so late that its delta needs two bytes
    data = rtcp.transport_feedback(1, 7, count=3, base=98, arrivals=arrivals)
    assert len(data) % 4 == 0
    (read,) = rtcp.parse(data)
    assert isinstance(read, rtcp.TransportFeedback)
    assert read.base == 98
    assert [98 + i for i, symbol in enumerate(read.symbols) if symbol] == sorted(arrivals)
    assert read.symbols[140 - 98] == 2
    assert read.reference == 5_000_000 // 64000


def test_a_broken_compound_packet_is_read_as_far_as_it_holds() -> None:
    good = rtcp.pli(1, 7)
    assert rtcp.parse(good + b"\x80\xce\xff\xff" + good) == [rtcp.KeyFrameRequest(7)]
