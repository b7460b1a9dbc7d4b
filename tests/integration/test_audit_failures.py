"""The disk is full, gone, read-only or lies: no act goes on without its record."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sidecar.adapters.audit_files import FileAuditLog
from sidecar.domain.audit import AuditRecord, Ed25519Signer
from sidecar.domain.errors import AuditUnavailableError, ConfigurationError
from sidecar.domain.ids import MeetingId

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SIGNER = Ed25519Signer("bank.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
ORIGIN = "bank.example/tillit"
MEETING = MeetingId("m_a")


def open_log(directory: Path, **options: Any) -> FileAuditLog:
    return FileAuditLog(directory, SIGNER, origin=ORIGIN, segment_entries=64, **options)


def record(number: int = 0) -> AuditRecord:
    return AuditRecord("hand.raised", MEETING, "per_maja", NOON, {"n": number})


@pytest.fixture
def log(tmp_path: Path) -> FileAuditLog:
    log = open_log(tmp_path / "log", create=True)
    log.append(record(0), record(1))
    return log


@pytest.mark.requirement("R119")
def test_a_full_disk_refuses_the_record_and_leaves_no_half_line(log: FileAuditLog, tmp_path: Path) -> None:
    segment = tmp_path / "log" / "000000000000.jsonl"
    whole = segment.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 50, hard))  # the 51st byte does not fit
    try:
        with pytest.raises(AuditUnavailableError):
            log.append(record(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert segment.stat().st_size == whole
    assert log.append(record(3))[0].index == 2  # there is room again: nobody has to repair anything
    assert [entry.record.data["n"] for entry in log.read(MEETING)] == [0, 1, 3]
    assert log.verify().ok


@pytest.mark.requirement("R119")
def test_after_a_failed_sync_nothing_is_written_until_it_is_reopened(
    log: FileAuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second sync would succeed: Linux calls the pages it could not write clean."""
    other = open_log(tmp_path / "log")

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(AuditUnavailableError, match="synced"):
            log.append(record(2))

    with pytest.raises(AuditUnavailableError, match="reopened"):
        log.append(record(3))
    with pytest.raises(AuditUnavailableError, match="reopened"):
        other.append(record(4))
    with pytest.raises(AuditUnavailableError):
        log.checkpoint(NOON)

    before = (tmp_path / "log" / "000000000000.jsonl").stat().st_ino
    log.reopen()
    assert (tmp_path / "log" / "000000000000.jsonl").stat().st_ino != before  # written to fresh blocks
    log.append(record(5))
    other.append(record(6))  # it, too, goes on in the new file
    assert [entry.record.data["n"] for entry in log.read(MEETING)][-2:] == [5, 6]
    assert log.verify().ok


@pytest.mark.requirement("R119")
def test_a_failed_sync_between_two_segments_stops_the_log_too(
    log: FileAuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    log.append(*(record(number) for number in range(62)))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(AuditUnavailableError):
            log.append(record(64))

    with pytest.raises(AuditUnavailableError, match="reopened"):
        log.append(record(65))
    log.reopen()
    assert log.append(record(66))[0].index == 64
    assert log.verify().ok


@pytest.mark.requirement("R119")
def test_a_directory_taken_away_refuses_the_record(log: FileAuditLog, tmp_path: Path) -> None:
    """The open file would take the bytes, into nothing."""
    shutil.rmtree(tmp_path / "log")

    with pytest.raises(AuditUnavailableError):
        log.append(record(2))


def test_a_missing_log_is_not_begun_by_itself(tmp_path: Path) -> None:
    for directory in (tmp_path / "none", tmp_path):
        with pytest.raises(AuditUnavailableError):
            open_log(directory)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(AuditUnavailableError):
        open_log(tmp_path / "log", create=True)


def test_a_directory_that_is_a_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    with pytest.raises(AuditUnavailableError):
        open_log(tmp_path / "log", create=True)


def test_another_logs_directory_is_refused(log: FileAuditLog, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"bank\.example/tillit"):
        FileAuditLog(tmp_path / "log", SIGNER, origin="other.example/tillit")


@pytest.mark.parametrize("entries", [0, 1, 3, 100, -4])
def test_a_segment_holds_a_power_of_two(tmp_path: Path, entries: int) -> None:
    with pytest.raises(ConfigurationError):
        FileAuditLog(tmp_path, SIGNER, origin=ORIGIN, create=True, segment_entries=entries)


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_audit_failures import AuditUnavailableError, open_log, record
log = open_log(Path({directory!r}))
done = 0
for number in range(100, 140):
    try:
        log.append(record(number))
        done += 1
    except AuditUnavailableError:
        break
print(done, flush=True)
"""


@pytest.mark.requirement("R119")
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        ("fdatasync:error=EIO:when=6", "synced"),
        ("pwrite64:error=ENOSPC:when=11", "full"),
        ("pwrite64:signal=KILL:when=11", "killed"),
        ("fdatasync:signal=KILL:when=6", "killed"),
    ],
)
def test_a_fault_in_the_kernel_never_loses_what_was_answered(
    log: FileAuditLog, tmp_path: Path, fault: str, kept: str
) -> None:
    """Faults put into the real system calls of another process, at one chosen call."""
    code = WRITER.format(tests=str(Path(__file__).parent), directory=str(tmp_path / "log"))
    call = fault.partition(":")[0]
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={fault}"]
    done = subprocess.run(
        [*command, sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    if kept != "killed":
        assert done.stdout.strip() == "5", done.stderr
    if kept == "synced":
        with pytest.raises(AuditUnavailableError, match="reopened"):
            log.append(record(1))
        log.reopen()
    log.append(record(2))
    numbers = [entry.record.data["n"] for entry in log.read(MEETING)]
    assert numbers[:7] == [0, 1, 100, 101, 102, 103, 104]
    assert numbers[-1] == 2
    assert log.verify().ok
