"""The file: Matroska that other programs read, sealed so that nobody else does, and broken off anywhere."""

import contextlib
import io
import os
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.recorder.ebml import children, size_of, void
from sidecar.recorder.handover import HandoverError, KeyOffers, seal_for
from sidecar.recorder.matroska import Block, Muxer, TrackEntry, blocks_of, opus_head, split_by_time
from sidecar.recorder.reading import blocks_between, outline_of
from sidecar.recorder.sealed import HEAD_BYTES, DamagedError, Kind, SealedReader, SealedWriter
from sidecar.recorder.session import Session

DEK = bytes(32)
blocks = st.builds(
    Block, st.integers(0, 200_000), st.integers(1, 126), st.booleans(), st.binary(min_size=1, max_size=300)
)


@given(st.lists(blocks, min_size=1, max_size=40))
@settings(max_examples=80, deadline=None)
def test_every_block_that_goes_into_clusters_comes_out_as_it_was(given_blocks: list[Block]) -> None:
    muxer = Muxer()
    muxer.head()
    found = [block for group in split_by_time(given_blocks) for block in blocks_of(muxer.cluster(group))]

    assert sorted(found) == sorted(given_blocks)
    assert [block.at_ms for block in found] == sorted(block.at_ms for block in given_blocks)


@given(st.integers(0, (1 << 55) - 1))
def test_a_size_is_read_back_as_it_was_written(number: int) -> None:
    encoded = size_of(number)
    width = 9 - encoded[0].bit_length()

    assert len(encoded) == width
    assert int.from_bytes(encoded, "big") & (1 << 7 * width) - 1 == number
    assert encoded != b"\xff" * len(encoded)


@given(st.integers(2, 9000))
def test_a_filler_is_exactly_as_long_as_asked(length: int) -> None:
    assert len(void(length)) == length
    assert [number for number, _, _ in children(void(length))] == [0xEC]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_cluster_are_refused_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        blocks_of(data)


def test_tracks_come_later_and_the_file_has_room_for_a_whole_meeting_of_them() -> None:
    muxer = Muxer()
    head = bytearray(muxer.head())
    for number in range(1, 49):
        patch = muxer.put_track(TrackEntry(number, "opus", f"p_{'x' * 20} microphone", private=opus_head()))
        assert patch.position + len(patch.data) == len(head)
        head[patch.position :] = patch.data
    with pytest.raises(ValueError, match="room"):
        muxer.put_track(TrackEntry(49, "opus", "one too many", private=opus_head()))
    body = bytes(head) + muxer.cluster([Block(0, 48, True, b"\xf8\xff\xfe")])

    with av.open(io.BytesIO(body)) as container:
        assert len(container.streams.audio) == 48


# Sealed


def written(path: Path, records: int = 20) -> int:
    writer = SealedWriter(path, recording="rec_a", dek=DEK)
    for number in range(records):
        writer.append(Kind.NOTE, b'{"event":"x","n":%d,"position_ms":0}' % number)
    writer.append(Kind.END, b'{"event":"end"}')
    writer.close()
    return path.stat().st_size


def read(path: Path, *, recording: str = "rec_a", dek: bytes = DEK) -> list[bytes]:
    with SealedReader(path, recording=recording, dek=dek) as reader:
        return [record.data for record in reader.records()]


@pytest.mark.requirement("R100", "R208")
def test_a_file_broken_off_anywhere_opens_up_to_its_last_whole_record(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    size = written(whole)
    content, expected = whole.read_bytes(), read(whole)
    before = 0

    for cut in range(HEAD_BYTES, size, 7):
        path = tmp_path / "cut"
        path.write_bytes(content[:cut])
        found = read(path)
        assert found == expected[: len(found)]
        assert len(found) >= before
        before = len(found)


@pytest.mark.requirement("R100")
@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_one_changed_byte_is_noticed_or_cuts_the_file_and_never_passes(
    tmp_path_factory: pytest.TempPathFactory, where: int, change: int
) -> None:
    path = tmp_path_factory.mktemp("seal") / "file"
    size = written(path, 6)
    whole = read(path)
    content = bytearray(path.read_bytes())
    content[where % size] ^= change
    path.write_bytes(content)

    try:
        found = read(path)
    except DamagedError:
        return
    assert found == whole[: len(found)]
    assert len(found) < len(whole)


def test_a_record_moved_left_out_or_repeated_does_not_open(tmp_path: Path) -> None:
    path = tmp_path / "file"
    written(path, 4)
    content = path.read_bytes()
    with SealedReader(path, recording="rec_a", dek=DEK) as reader:
        at = [record.offset for record in reader.records()]
    pieces = [content[a:b] for a, b in zip(at, [*at[1:], len(content)], strict=True)]
    for order in ([1, 0, 2, 3, 4], [0, 2, 3, 4], [0, 0, 1, 2, 3, 4]):
        path.write_bytes(content[:HEAD_BYTES] + b"".join(pieces[each] for each in order))
        with pytest.raises(DamagedError):
            read(path)


@pytest.mark.requirement("R100", "R208")
def test_another_recordings_key_or_name_opens_nothing_and_nothing_is_in_the_clear(tmp_path: Path) -> None:
    path = tmp_path / "file"
    written(path)

    with pytest.raises(DamagedError):
        read(path, dek=os.urandom(32))
    with pytest.raises(DamagedError):
        read(path, recording="rec_b")
    assert b"event" not in path.read_bytes()
    with pytest.raises(FileExistsError):
        SealedWriter(path, recording="rec_a", dek=DEK)


def test_a_recording_without_any_media_has_an_outline_all_the_same(tmp_path: Path) -> None:
    session = Session(recording="rec_a", now=5.0, at="2026-11-24T12:00:00.000Z")
    writer = SealedWriter(tmp_path / "file", recording="rec_a", dek=DEK)
    for kind, data in session.flush() + session.finish(6.0, "2026-11-24T12:00:01.000Z", reason="stopped"):
        writer.append(kind, data)
    writer.close()

    with SealedReader(tmp_path / "file", recording="rec_a", dek=DEK) as reader:
        outline = outline_of(reader)

    assert outline.complete
    assert outline.duration_ms == 1000
    assert outline.tracks == ()


def voices(session: Session, count: int) -> None:
    for number in range(count):
        track = session.track(f"p_{number:02}", "microphone", "opus")
        session.take(track, [(n, 111, n * 960, b"\xf8\xff\xfe", n / 50) for n in range(10)], 0.3)


@pytest.mark.requirement("R208")
def test_a_stream_that_finds_no_room_is_noted_by_name_and_spoils_no_other(tmp_path: Path) -> None:
    session = Session(recording="rec_a", now=0.0, at="2026-11-24T12:00:00.000Z")
    writer = SealedWriter(tmp_path / "file", recording="rec_a", dek=DEK)
    for _ in range(2):
        voices(session, 60)
    for kind, data in session.finish(1.0, "2026-11-24T12:00:01.000Z", reason="stopped"):
        writer.append(kind, data)
    writer.close()

    with SealedReader(tmp_path / "file", recording="rec_a", dek=DEK) as reader:
        outline = outline_of(reader)
        tracks = {block.track for block in blocks_between(reader, outline, 0, 1000)}
    assert [each.owner for each in outline.left_out] == [f"p_{number}" for number in range(48, 60)]
    assert {(each.number, each.kind, each.codec) for each in outline.left_out} == {(0, "microphone", "opus")}
    assert [(each.number, each.owner) for each in outline.tracks] == [(n + 1, f"p_{n:02}") for n in range(48)]
    assert tracks == set(range(1, 49))


@pytest.mark.requirement("R208")
def test_a_camera_that_never_showed_anything_takes_nobodys_place(tmp_path: Path) -> None:
    """A block says its track in seven bits: a number beyond them would be somebody else's."""
    session = Session(recording="rec_a", now=0.0, at="2026-11-24T12:00:00.000Z")
    for number in range(130):
        session.track(f"p_x{number}", "camera", "VP8")
    voices(session, 2)

    assert [session.tracks[f"p_0{n}", "microphone", "opus"].number for n in (0, 1)] == [1, 2]


# The key on its way


@pytest.mark.requirement("R106", "R208")
def test_a_recordings_key_opens_once_for_that_recording_and_nobody_else() -> None:
    offers = KeyOffers()
    name, public = offers.offer()
    sealed = seal_for(public, DEK, recording="rec_a")

    assert DEK not in sealed
    assert offers.open(name, sealed, recording="rec_a") == DEK
    with pytest.raises(HandoverError):
        offers.open(name, sealed, recording="rec_a")
    name, public = offers.offer()
    with pytest.raises(HandoverError):
        offers.open(name, seal_for(public, DEK, recording="rec_b"), recording="rec_a")
    name, _ = offers.offer()
    with pytest.raises(HandoverError):
        offers.open(name, sealed, recording="rec_a")
    with pytest.raises(HandoverError):
        seal_for(b"short", DEK, recording="rec_a")


def test_the_end_of_a_long_recording_is_as_short_as_a_short_ones() -> None:
    """Nothing is gathered in memory for it: the recorder serves many rooms for hours."""

    def end_of(seconds: int) -> bytes:
        session = Session(recording="rec_a", now=0.0, at="2026-11-24T12:00:00.000Z")
        track = session.track("p_a", "microphone", "opus")
        for second in range(seconds):
            packets = [(n, 111, n * 960, b"\xf8\xff\xfe", n / 50) for n in range(second * 50, second * 50 + 50)]
            session.take(track, packets, second + 1.0)
            session.flush()
        kind, data = session.finish(float(seconds), "2026-11-24T13:00:00.000Z", reason="stopped")[-1]
        assert kind is Kind.END
        return data

    assert len(end_of(400)) - len(end_of(4)) < 10
