"""Opening a recording in the middle: no more of it is read than the part takes."""

import os
import struct
from pathlib import Path

from sidecar.recorder.reading import blocks_between, outline_of
from sidecar.recorder.sealed import SealedReader, SealedWriter
from sidecar.recorder.session import Session

MINUTES = 5
DEK = bytes(32)


def picture(number: int, at_s: float, *, whole: bool) -> tuple[int, int, int, bytes, float]:
    """Return the packet of one VP8 picture of 1280 x 720 (RFC 7741)."""
    body = b"\x10\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 1280, 720) if whole else b"\x11"
    return number, 0x80 | 96, int(at_s * 90_000), b"\x10" + body + os.urandom(800), at_s


def test_a_share_that_ended_long_ago_does_not_make_every_later_part_a_reading_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.rec"
    session = Session(recording="r", now=0.0, at="2026-11-24T12:00:00.000Z")
    writer = SealedWriter(path, recording="r", dek=DEK)
    share, camera = session.track("p_a", "share", "VP8"), session.track("p_b", "camera", "VP8")
    for number in range(MINUTES * 120):
        now = number * 0.5
        session.take(camera, [picture(number, now, whole=number % 20 == 0)], now)
        if number < 20:
            session.take(share, [picture(number, now, whole=number == 0)], now)
        for kind, data in session.flush():
            writer.append(kind, data)
    for kind, data in session.finish(MINUTES * 60.0, "2026-11-24T12:05:00.000Z", reason="stopped"):
        writer.append(kind, data)
    writer.close()

    with SealedReader(path, recording="r", dek=DEK) as reader:
        outline = outline_of(reader)
        opened = 0
        read = reader.records

        def counted(**where: int) -> object:
            nonlocal opened
            opened += 1
            return read(**where)

        reader.records = counted  # type: ignore[method-assign, assignment]
        late = blocks_between(reader, outline, 280_000, 284_000)
        assert opened < len(outline.stretches) / 5
        assert {block.track for block in late} == {camera.number}

        early = blocks_between(reader, outline, 5_000, 9_000)
        assert {block.track for block in early} == {share.number, camera.number}


def test_a_part_that_begins_just_before_a_whole_picture_begins_with_the_one_before(tmp_path: Path) -> None:
    """Else a camera would go out of sight for the rest of that half second."""
    path = tmp_path / "r.rec"
    session = Session(recording="r", now=0.0, at="2026-11-24T12:00:00.000Z")
    writer = SealedWriter(path, recording="r", dek=DEK)
    camera = session.track("p_b", "camera", "VP8")
    for number in range(80):
        now = number * 0.1
        session.take(camera, [picture(number, now, whole=number in (0, 42))], now)
        if number % 5 == 2:  # half a second from 3.8 to 4.2, whose last picture is a whole one
            for kind, data in session.flush():
                writer.append(kind, data)
    for kind, data in session.finish(8.0, "2026-11-24T12:00:08.000Z", reason="stopped"):
        writer.append(kind, data)
    writer.close()

    with SealedReader(path, recording="r", dek=DEK) as reader:
        outline = outline_of(reader)
        blocks = blocks_between(reader, outline, 4_000, 8_000)
        later = blocks_between(reader, outline, 5_000, 8_000)

    assert (blocks[0].at_ms, blocks[0].key) == (0, True)
    assert [block.at_ms for block in later if block.key] == [4_200]  # and no farther back than it must
