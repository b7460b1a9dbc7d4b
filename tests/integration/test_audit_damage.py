"""Damage on disk: a torn tail is cut and told, everything else is refused and named."""

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sidecar.adapters.audit_files import FileAuditLog
from sidecar.adapters.audit_files.segments import line_of
from sidecar.domain.audit import (
    AuditDamagedError,
    AuditRecord,
    Ed25519Signer,
    VerifyingKey,
    encode,
    includes,
    leaf_hash,
)
from sidecar.domain.ids import MeetingId

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SIGNER = Ed25519Signer("bank.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
NEXT = Ed25519Signer("bank.example/log-2", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
ORIGIN = "bank.example/tillit"
MEETING = MeetingId("m_a")


def open_log(directory: Path, signer: Ed25519Signer = SIGNER) -> FileAuditLog:
    return FileAuditLog(directory, signer, origin=ORIGIN, create=True, segment_entries=8)


def record(number: int) -> AuditRecord:
    at = NOON + timedelta(seconds=number)
    return AuditRecord("hand.raised", MEETING, "per_maja", at, {"n": number})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A log of 21 entries in segments of 8, closed, without a checkpoint."""
    log = open_log(tmp_path)
    log.append(*(record(number) for number in range(21)))
    log.close()
    return tmp_path


def last(directory: Path) -> Path:
    return directory / "000000000016.jsonl"


@pytest.mark.requirement("R119")
@pytest.mark.parametrize("cut", [1, 2, 30, 100])
def test_a_torn_last_line_is_cut_off_and_told(directory: Path, cut: int) -> None:
    last(directory).write_bytes(last(directory).read_bytes()[:-cut])

    log = open_log(directory)

    assert [repair.index for repair in log.repairs] == [20]
    assert log.size == 20
    assert log.append(record(20))[0].index == 20
    assert log.verify().ok


@pytest.mark.requirement("R119")
def test_a_tail_torn_while_the_log_is_open_is_cut_before_the_next_entry(directory: Path) -> None:
    """Another process was killed in the middle of its write."""
    log = open_log(directory)
    with last(directory).open("ab") as file:
        file.write(b'{"index":21,"leaf":"00')

    assert log.append(record(21))[0].index == 21
    assert log.repairs[0].cut_bytes == 22
    assert log.verify().ok


def test_whole_lines_of_a_killed_process_are_kept(directory: Path) -> None:
    log = open_log(directory)
    canonical = encode(record(21))
    with last(directory).open("ab") as file:
        file.write(line_of(21, canonical, leaf_hash(canonical)))

    assert log.append(record(22))[0].index == 22
    assert [entry.record.data["n"] for entry in log.read(MEETING)][-2:] == [21, 22]
    assert log.verify().ok


@pytest.mark.requirement("R119")
def test_a_log_shorter_than_its_checkpoint_is_refused(directory: Path) -> None:
    log = open_log(directory)
    log.checkpoint(NOON)
    log.close()
    whole = last(directory).read_bytes().splitlines(keepends=True)
    last(directory).write_bytes(b"".join(whole[:-1]))

    with pytest.raises(AuditDamagedError, match="checkpoint covers more"):
        open_log(directory)


@pytest.mark.requirement("R119")
def test_damage_before_other_entries_is_no_torn_tail(directory: Path) -> None:
    data = last(directory).read_bytes()
    last(directory).write_bytes(data.replace(b'"n":18', b'"n":81') + b"x")  # longer, so that it is looked at

    with pytest.raises(AuditDamagedError) as refused:
        open_log(directory)
    assert refused.value.params["index"] == 18


@pytest.mark.requirement("R119")
@pytest.mark.parametrize("name", ["000000000016.jsonl", "000000000016.leaves"])
def test_a_missing_last_segment_is_refused_or_made_anew(directory: Path, name: str) -> None:
    (directory / name).unlink()
    (directory / "end").unlink()

    if name.endswith(".leaves"):  # only hashes of entries that are there
        assert open_log(directory).size == 21
        assert open_log(directory).verify().ok
    else:
        with pytest.raises(AuditDamagedError):
            open_log(directory)


def forge(line: bytes, number: int) -> bytes:
    """Return an entry's line rewritten with another content and a hash that fits it."""
    fields = json.loads(line)
    fields["record"]["data"]["n"] = number
    canonical = json.dumps(fields["record"], sort_keys=True, separators=(",", ":")).encode()
    return line_of(fields["index"], canonical, leaf_hash(canonical))


Tamper = Callable[[list[bytes]], list[bytes]]


@pytest.mark.requirement("R119")
@pytest.mark.parametrize(
    ("tamper", "bad"),
    [
        (lambda lines: [*lines[:3], lines[3].replace(b'"n":11', b'"n":99'), *lines[4:]], 11),
        (lambda lines: [*lines[:3], forge(lines[3], 99), *lines[4:]], 11),
        (lambda lines: [*lines[:3], *lines[4:]], 11),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], 11),
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], 13),
        (lambda lines: lines[:-1], 15),
        (lambda lines: [lines[0].replace(b'"size":', b'"size":0'), *lines[1:]], 8),
    ],
    ids=["changed", "forged", "removed", "swapped", "doubled", "cut", "respelt"],
)
def test_names_the_first_bad_entry_of_a_tampered_segment(directory: Path, tamper: Tamper, bad: int) -> None:
    path = directory / "000000000008.jsonl"
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))

    log = open_log(directory)

    report = log.verify()
    assert report.first_bad_index == bad
    assert not report.ok
    with pytest.raises(AuditDamagedError) as refused:
        list(log.read_all())
    assert refused.value.params["index"] == bad
    with pytest.raises(AuditDamagedError):
        log.read(MEETING)


@pytest.mark.requirement("R119")
def test_a_forger_who_rewrites_entries_and_hashes_is_caught_by_the_checkpoint(directory: Path) -> None:
    log = open_log(directory)
    log.checkpoint(NOON)
    path, leaves = directory / "000000000008.jsonl", directory / "000000000008.leaves"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = forge(lines[3], 99)
    path.write_bytes(b"".join(lines))
    hashes = bytearray(leaves.read_bytes())
    hashes[96:128] = bytes.fromhex(json.loads(lines[3])["leaf"])
    leaves.write_bytes(hashes)

    report = log.verify()

    assert not report.ok
    assert report.problems == ("The checkpoint of 21 entries does not match the entries.",)
    log.reopen()
    with pytest.raises(AuditDamagedError, match="last checkpoint"):
        log.checkpoint(NOON)  # and nothing is signed over it


@pytest.mark.requirement("R119")
def test_a_missing_segment_in_the_middle_is_named(directory: Path) -> None:
    for ending in ("jsonl", "leaves"):
        (directory / f"000000000008.{ending}").unlink()

    report = open_log(directory).verify()

    assert report.first_bad_index == 8
    assert "segment from entry 8 on is missing" in report.problems[0]


@pytest.mark.requirement("R119")
def test_a_tampered_or_foreign_checkpoint_is_told(directory: Path) -> None:
    log = open_log(directory)
    log.checkpoint(NOON)
    path = directory / "checkpoints.jsonl"
    genuine = path.read_text()

    path.write_text(genuine.replace("12:00:00", "11:00:00"))
    assert "not signed" in log.verify().problems[0]
    path.write_text(genuine + "{}\n")
    assert "Checkpoint 2 cannot be read." in log.verify().problems
    path.write_text(genuine)
    assert log.verify().ok


def test_checkpoints_by_an_earlier_key_are_checked_with_that_key(directory: Path) -> None:
    log = open_log(directory)
    log.checkpoint(NOON)
    log.close()
    rotated = open_log(directory, NEXT)
    rotated.append(record(21))
    rotated.checkpoint(NOON)

    assert rotated.verify([VerifyingKey.of(SIGNER)]).ok
    assert not rotated.verify().ok
    assert rotated.verify([VerifyingKey.of(SIGNER)]).checkpoints == 2


def test_checking_with_several_processes_finds_the_same(directory: Path) -> None:
    log = open_log(directory)
    log.checkpoint(NOON)

    assert log.verify(processes=2) == log.verify()


@pytest.mark.parametrize("damage", ["missing", "garbage", "behind", "ahead"])
def test_the_index_is_made_anew_when_it_is_no_good(directory: Path, damage: str) -> None:
    log = open_log(directory)
    assert len(log.read(MEETING)) == 21
    log.close()
    index = directory / "index.sqlite"
    if damage == "missing":
        index.unlink()
    elif damage == "garbage":
        index.write_bytes(b"no database at all" * 500)
    elif damage == "behind":
        log.append(*(record(number) for number in range(21, 40)))
    else:
        shorter = open_log(directory.with_name("shorter"))
        shorter.append(record(0))
        shorter.close()
        index.rename(directory.with_name("shorter") / "index.sqlite")
        assert [entry.index for entry in shorter.read(MEETING)] == [0]

    assert len(log.read(MEETING)) == (40 if damage == "behind" else 21)


@pytest.mark.parametrize("held", ["immediate", "exclusive"])
def test_an_index_that_another_process_holds_costs_no_entry(
    directory: Path, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    """A process that is catching up, or that stands still while it does, must not stop a signature's evidence."""
    monkeypatch.setattr("sidecar.adapters.audit_files.index._WAIT_S", 0.05)
    log = open_log(directory)
    assert len(log.read(MEETING)) == 21
    index = directory / "index.sqlite"
    before = index.stat().st_ino
    log.append(*(record(number) for number in range(21, 40)))
    with closing(sqlite3.connect(index, isolation_level=None)) as other:
        other.execute(f"begin {held}")
        assert [entry.index for entry in log.read(MEETING)] == list(range(40))
        other.execute("rollback")

    assert len(log.read(MEETING)) == 40
    assert index.stat().st_ino == before  # a good index was not thrown away


def test_readers_and_writers_at_once_keep_the_index_and_see_what_they_wrote(directory: Path) -> None:
    """Two openings as two processes have; whoever looked at the log's end early meets an index that is further on."""
    logs = [open_log(directory) for _ in range(2)]
    logs[0].read(MEETING)
    index = directory / "index.sqlite"
    before = index.stat().st_ino

    def work(worker: int) -> list[int]:
        log, mine = logs[worker % 2], MeetingId(f"m_{worker}")
        seen = []
        for number in range(40):
            log.append(AuditRecord("hand.raised", mine, "per_maja", NOON, {"n": number}))
            seen.append(len(log.read(mine)))
        return seen

    with ThreadPoolExecutor(8) as workers:
        assert list(workers.map(work, range(8))) == [list(range(1, 41))] * 8
    assert index.stat().st_ino == before


@pytest.mark.requirement("R119")
def test_an_index_that_points_elsewhere_is_not_believed(directory: Path) -> None:
    log = open_log(directory)
    log.read(MEETING)
    with sqlite3.connect(directory / "index.sqlite") as database:
        database.execute("update entries set offset = offset + 7 where at = 5")

    assert [entry.index for entry in log.read(MEETING)] == list(range(21))


def test_removed_segments_leave_their_hashes_and_every_proof(directory: Path) -> None:
    """R119 with R124: what the retention rule takes away does not weaken what remains."""
    log = open_log(directory)
    checkpoint = log.checkpoint(NOON).checkpoint
    refs = {entry.index: entry.leaf_hash for entry in log.read_all()}

    assert log.remove_before(17) == 16
    assert log.remove_before(17) == 0

    assert [entry.index for entry in log.read_all()] == [16, 17, 18, 19, 20]
    assert [entry.index for entry in log.read(MEETING)] == [16, 17, 18, 19, 20]
    for index in (0, 9, 18):
        path = log.prove([index], 21)[0]
        assert includes(refs[index], index=index, size=21, path=path, root=checkpoint.root)
    report = log.verify()
    assert report.ok
    assert (report.entries, report.removed) == (21, 16)
    assert not (directory / "000000000000.jsonl").exists()
    (directory / "index.sqlite").unlink()
    log.close()
    assert [entry.index for entry in log.read(MEETING)] == [16, 17, 18, 19, 20]


def test_the_last_segment_is_never_removed(directory: Path) -> None:
    assert open_log(directory).remove_before(1000) == 16


@pytest.mark.requirement("R122")
def test_the_files_are_open_json_lines(directory: Path) -> None:
    line = json.loads(last(directory).read_text().splitlines()[0])

    assert line["index"] == 16
    assert line["record"]["data"] == {"n": 16}
    assert line["size"] == len(json.dumps(line["record"], separators=(",", ":"), sort_keys=True))
