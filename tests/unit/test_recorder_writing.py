"""A disk that is slow to make a recording's file, while its start is undone: nothing of it comes afterwards."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.adapters.recording_vault import FileRecordings
from sidecar.domain.ids import RecordingId
from sidecar.recorder.sealed import Kind
from sidecar.recorder.session import Written
from sidecar.recorder.writing import DiskThread, OutFile

RECORDING = RecordingId("rec_" + "a" * 20)
MEDIA: list[Written] = [(Kind.MEDIA, b"voice" * 1000)]


class SlowDisk:
    """A disk that hangs in every sync until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hangs, self.may = threading.Event(), threading.Event()
        self.fails = False
        self.syncs = 0
        self._real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def _sync(self, handle: int) -> None:
        self.syncs += 1
        self.hangs.set()
        assert self.may.wait(60)
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._real(handle)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest.fixture
def vault(folder: Path) -> FileRecordings:
    return FileRecordings(folder, kek=bytes(32))


@pytest.fixture
def disk(folder: Path) -> Iterator[DiskThread]:
    made = DiskThread(folder)
    yield made
    made.stop()


@pytest.fixture
def slow(disk: DiskThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    made = SlowDisk(monkeypatch)
    yield made
    made.may.set()


def done(disk: DiskThread, file: OutFile) -> None:
    """Return when all that was asked of the disk is done."""
    over = threading.Event()
    disk.close(file, over.set)
    assert over.wait(60)


def begun(disk: DiskThread, vault: FileRecordings, failures: list[str]) -> OutFile:
    tried = threading.Event()
    file = disk.open(RECORDING, vault.new_key(RECORDING), failures.append, tried.set)
    disk.put(file, MEDIA)
    assert tried.wait(60)
    return file


def test_a_file_whose_start_was_undone_before_its_turn_came_is_never_made(
    disk: DiskThread, vault: FileRecordings, folder: Path, slow: SlowDisk
) -> None:
    failures: list[str] = []
    tried = threading.Event()
    other = disk.open("rec_other", bytes(32), failures.append, tried.set)
    assert slow.hangs.wait(60)
    file = disk.open(RECORDING, vault.new_key(RECORDING), failures.append)
    disk.put(file, MEDIA)

    disk.close(file)
    vault.destroy(RECORDING)
    slow.may.set()
    assert tried.wait(60)
    done(disk, other)

    assert not file.made
    assert slow.syncs == 2, "more than the other's beginning and end"
    assert [each.name for each in folder.iterdir()] == ["rec_other.rec"]
    assert begun(disk, vault, failures).made
    assert failures == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_file_whose_start_was_undone_while_it_was_made_is_removed(
    disk: DiskThread, vault: FileRecordings, folder: Path, slow: SlowDisk, fails: bool
) -> None:
    failures: list[str] = []
    file = disk.open(RECORDING, vault.new_key(RECORDING), failures.append)
    disk.put(file, MEDIA)
    assert slow.hangs.wait(60)
    slow.fails = fails

    disk.close(file)
    slow.may.set()
    done(disk, file)

    assert not file.made
    assert [each.suffix for each in folder.iterdir()] == [".key"]
    assert failures == (["disk-failed"] if fails else [])
    vault.destroy(RECORDING)
    slow.fails = False
    assert begun(disk, vault, failures).made


def test_a_file_that_was_made_keeps_all_that_came_before_it_was_closed(
    disk: DiskThread, vault: FileRecordings, folder: Path
) -> None:
    file = begun(disk, vault, [])
    disk.put(file, MEDIA)
    done(disk, file)

    assert file.made
    assert (folder / f"{RECORDING}.rec").stat().st_size > 2 * 5000
