"""What is kept beside a recording to spare the next reader, where versions of the product run side by side."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sidecar.adapters.recording_vault import FileRecordings
from sidecar.adapters.sealing import seal
from sidecar.domain.ids import RecordingId
from sidecar.recorder.reading import outline_of
from sidecar.recorder.sealed import SealedReader, SealedWriter
from sidecar.recorder.session import Session

RECORDING = RecordingId("rec_" + "a" * 20)
PURPOSE = f"recording-index-2:{RECORDING}"


class Kept:
    """A recording of forty nine voices, one more than its file has room for, and its vault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dek = self.vault().new_key(RECORDING)
        session = Session(recording=RECORDING, now=0.0, at="2026-11-24T12:00:00.000Z")
        for number in range(49):
            track = session.track(f"p_{number:02}", "microphone", "opus")
            session.take(track, [(n, 111, n * 960, b"\xf8\xff\xfe", n / 50) for n in range(10)], 0.3)
        writer = SealedWriter(self.path(".rec"), recording=RECORDING, dek=self.dek)
        for kind, data in session.finish(1.0, "2026-11-24T12:00:01.000Z", reason="stopped"):
            writer.append(kind, data)
        writer.close()

    def vault(self) -> FileRecordings:
        """Return the vault of a process that has read nothing yet."""
        return FileRecordings(self.folder, kek=bytes(32))

    def path(self, ending: str) -> Path:
        return self.folder / f"{RECORDING}{ending}"

    def left_out(self) -> list[str]:
        return [each.participant for each in self.vault().outline(RECORDING).left_out]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_what_an_earlier_version_kept_of_a_recording_is_neither_trusted_nor_touched(kept: Kept) -> None:
    """It knew of no stream without room and of nothing to be put right; and it cannot read what is kept now."""
    earlier: dict[str, Any] = {"complete": True, "stop_reason": "stopped", "began_at": "2026-11-24T12:00:00.000Z"}
    earlier |= {"duration_ms": 1000, "tracks": [], "stretches": [], "pauses": []}
    its_own = seal(kept.dek, json.dumps(earlier).encode(), purpose=f"recording-index:{RECORDING}")
    kept.path(".idx").write_bytes(its_own)

    assert kept.left_out() == ["p_48"]
    assert kept.path(".idx").read_bytes() == its_own
    assert kept.path(".idx2").exists()
    earlier |= {"left_out": [], "shifts": []}
    kept.path(".idx2").write_bytes(seal(kept.dek, json.dumps(earlier).encode(), purpose=f"recording-index:{RECORDING}"))
    assert kept.left_out() == ["p_48"]


def test_what_was_kept_is_read_instead_of_the_media(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kept.vault().outline(RECORDING)
    monkeypatch.setattr(SealedReader, "records", None)

    assert kept.vault().outline(RECORDING) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.pop("left_out"),
        lambda values: values.pop("shifts"),
        lambda values: values.update(tracks=[{"name": "p_a"}]),
        lambda values: values.update(stretches=[1]),
        lambda values: values.update(pauses=None),
    ],
)
def test_what_was_kept_and_cannot_be_read_is_made_anew(kept: Kept, change: Any) -> None:
    right = kept.vault().outline(RECORDING)
    with SealedReader(kept.path(".rec"), recording=RECORDING, dek=kept.dek) as reader:
        values = asdict(outline_of(reader))
    change(values)
    spoilt = seal(kept.dek, json.dumps(values).encode(), purpose=PURPOSE)
    kept.path(".idx2").write_bytes(spoilt)

    assert kept.vault().outline(RECORDING) == right
    assert kept.path(".idx2").read_bytes() != spoilt


@pytest.mark.parametrize("content", [b"", b"nothing sealed"])
def test_what_is_no_index_at_all_is_made_anew(kept: Kept, content: bytes) -> None:
    kept.path(".idx2").write_bytes(content)

    assert kept.left_out() == ["p_48"]


@pytest.mark.parametrize("value", [[], None, 7, "text"])
def test_an_index_that_holds_something_else_is_made_anew(kept: Kept, value: object) -> None:
    kept.path(".idx2").write_bytes(seal(kept.dek, json.dumps(value).encode(), purpose=PURPOSE))

    assert kept.left_out() == ["p_48"]


def test_a_recording_that_is_deleted_leaves_no_index_of_any_version(kept: Kept) -> None:
    kept.vault().outline(RECORDING)
    kept.path(".idx").write_bytes(b"of an earlier version")

    kept.vault().destroy(RECORDING)

    assert list(kept.folder.iterdir()) == []
