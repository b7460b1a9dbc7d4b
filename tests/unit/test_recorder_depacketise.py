"""Frames out of RTP: whatever order, whatever is lost, whatever somebody invents."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.recorder.depacketise import MOST_WAITING, WAIT_S, Depacketiser, Frame
from sidecar.recorder.matroska import Codec

Tuple = tuple[int, int, int, bytes, float]
KEY = b"\x10\x02\x00\x9d\x01\x2a\x80\x02\x68\x01"  # a VP8 key frame's head: 640x360


def vp8(frames: int, *, pieces: int = 3, start: int = 70000, key_every: int = 1000) -> list[Tuple]:
    """Return the packets of so many pictures, the first of them a key frame."""
    packets: list[Tuple] = []
    number = start
    for index in range(frames):
        body = (KEY if index % key_every == 0 else b"\x11") + bytes([index & 255]) * 40
        size = -(-len(body) // pieces)
        for piece in range(pieces):
            last = piece == pieces - 1
            head = b"\x10" if piece == 0 else b"\x00"
            data = head + body[piece * size : (piece + 1) * size]
            packets.append((number, 96 | (0x80 if last else 0), index * 3000, data, index / 30))
            number += 1
    return packets


def all_of(codec: Codec, packets: Sequence[Tuple], *, now: float = 1e9) -> list[Frame]:
    reader = Depacketiser(codec)
    return reader.feed(list(packets), 0.0) + reader.feed([], now)


@pytest.mark.requirement("R208")
@given(st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_packets_in_any_order_and_twice_give_every_picture_once_and_in_order(random: object, pieces: int) -> None:
    packets = vp8(20, pieces=pieces)
    first, rest = packets[0], packets[1:] * 2
    random.shuffle(rest)  # type: ignore[attr-defined]

    frames = all_of("VP8", [first, *rest])

    assert [frame.timestamp for frame in frames] == [index * 3000 for index in range(20)]
    assert frames[0].key
    assert frames[0].data.startswith(KEY)
    assert frames[7].data == b"\x11" + b"\x07" * 40


@pytest.mark.requirement("R208")
@given(st.sets(st.integers(1, 89), max_size=12))
@settings(max_examples=60, deadline=None)
def test_after_a_lost_packet_nothing_is_kept_until_the_next_key_frame(lost: set[int]) -> None:
    packets = [packet for place, packet in enumerate(vp8(30, key_every=10)) if place not in lost]

    frames = all_of("VP8", packets)

    broken = {place // 3 for place in lost}
    for frame in frames:
        index = frame.timestamp // 3000
        assert index not in broken
        assert not any(each in broken for each in range(index // 10 * 10, index))
    whole = {index for index in range(30) if not any(each in broken for each in range(index // 10 * 10, index + 1))}
    assert {frame.timestamp // 3000 for frame in frames} == whole


def test_a_missing_packet_is_waited_for_and_the_frame_saved_when_it_comes() -> None:
    packets = vp8(3)
    reader = Depacketiser("VP8")

    assert len(reader.feed(packets[:4] + packets[5:], 0.1)) == 1
    assert reader.is_waiting
    assert [frame.timestamp for frame in reader.feed([packets[4]], WAIT_S / 2)] == [3000, 6000]
    assert reader.lost == 0


def test_a_packet_that_never_comes_costs_its_frame_and_asks_for_a_key_frame() -> None:
    packets = vp8(3)
    reader = Depacketiser("VP8")
    reader.feed(packets[:4] + packets[5:], 0.1)

    assert reader.feed([], 0.1 + 2 * WAIT_S) == []
    assert reader.needs_key
    assert reader.lost == 1


def test_sound_goes_on_after_a_loss_and_padding_is_no_sound() -> None:
    packets: list[Tuple] = [(n, 111, n * 960, b"" if n == 5 else bytes([n]), n / 50) for n in range(10) if n != 3]

    frames = all_of("opus", packets)

    assert [frame.data[0] for frame in frames] == [0, 1, 2, 4, 6, 7, 8, 9]


def unit(kind: int, size: int = 30) -> bytes:
    return bytes([0x60 | kind]) + bytes(size)


SPS = bytes.fromhex("6742c01fda014016e8400000030040000007a3c60ca8")
PPS = bytes.fromhex("68ce3c80")


def test_h264_units_come_whole_joined_or_in_fragments() -> None:
    joined = b"\x18" + len(SPS).to_bytes(2, "big") + SPS + len(PPS).to_bytes(2, "big") + PPS
    idr = unit(5, 100)
    fragments = [bytes([0x7C, 0x85]) + idr[1:50], bytes([0x7C, 0x05]) + idr[50:80], bytes([0x7C, 0x45]) + idr[80:]]
    packets: list[Tuple] = [(10, 97, 0, joined, 0.0)]
    packets += [(11 + n, 97 | (0x80 if n == 2 else 0), 0, data, 0.0) for n, data in enumerate(fragments)]
    packets.append((14, 97 | 0x80, 3000, unit(1), 0.03))

    reader = Depacketiser("H264")
    first, second = reader.feed(packets, 0.1)

    assert first.key
    assert not second.key
    assert first.data == b"".join(len(each).to_bytes(4, "big") + each for each in (SPS, PPS, idr))
    assert reader.size is not None
    assert reader.sets == (SPS, PPS)


@pytest.mark.parametrize("codec", ["VP8", "H264", "opus"])
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_invented_packets_never_raise_and_never_pile_up(codec: Codec, data: st.DataObject) -> None:
    """A modified client sends what it likes: it must not stop the recording of the others."""
    packet = st.tuples(
        st.integers(0, 1 << 40),
        st.integers(0, 255),
        st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=60),
        st.floats(0, 10, allow_nan=False),
    )
    reader = Depacketiser(codec)

    for now in range(4):
        for frame in reader.feed(data.draw(st.lists(packet, max_size=40)), float(now)):
            assert frame.data
    assert len(reader._waiting) <= MOST_WAITING


def test_a_sender_that_leaves_gap_upon_gap_is_not_waited_for_without_end() -> None:
    reader = Depacketiser("opus")
    packets: list[Tuple] = [(n * 2, 111, n, b"x", 0.0) for n in range(3 * MOST_WAITING)]

    frames = reader.feed(packets, 0.0)

    assert len(frames) >= MOST_WAITING
    assert not reader.is_waiting
