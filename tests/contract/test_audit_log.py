"""One suite over every audit log: in memory and in files."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sidecar.adapters.audit_files import FileAuditLog
from sidecar.domain.audit import (
    AuditLog,
    AuditRecord,
    Ed25519Signer,
    InvalidRecordError,
    MemoryAuditLog,
    PersonalDataError,
    VerifyingKey,
    extends,
    includes,
    kinds_with,
    leaf_hash,
    root_of,
    verify_checkpoint,
)
from sidecar.domain.evidence import MeetingSummary, evidence_of
from sidecar.domain.ids import MeetingId
from sidecar.domain.verify_evidence import verify

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SIGNER = Ed25519Signer("bank.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
ORIGIN = "bank.example/tillit"
ONE, OTHER = MeetingId("m_one"), MeetingId("m_other")
Make = Callable[..., AuditLog]


def in_memory(directory: Path, **options: Any) -> AuditLog:
    return MemoryAuditLog(SIGNER, origin=ORIGIN, **options)


def in_files(directory: Path, **options: Any) -> AuditLog:
    # Segments of four, so that every test crosses from one file to the next.
    return FileAuditLog(directory, SIGNER, origin=ORIGIN, create=True, segment_entries=4, **options)


@pytest.fixture(params=[in_memory, in_files])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return lambda **options: request.param(tmp_path / "log", **options)


@pytest.fixture
def log(make: Make) -> AuditLog:
    return make()


def record(number: int, meeting: MeetingId | None = ONE, **changes: Any) -> AuditRecord:
    values = {"kind": "hand.raised", "actor": "per_maja", "at": NOON + timedelta(seconds=number), "data": {"n": number}}
    return AuditRecord(meeting=meeting, **{**values, **changes})


def test_an_entry_gets_the_next_index_and_its_leaf_hash(log: AuditLog) -> None:
    first = log.append(record(0))
    rest = log.append(record(1), record(2))

    assert [ref.index for ref in (*first, *rest)] == [0, 1, 2]
    assert rest[0].leaf_hash == leaf_hash(log.read(ONE)[1].canonical)
    assert log.size == 3


def test_appending_nothing_changes_nothing(log: AuditLog) -> None:
    assert log.append() == ()
    assert log.size == 0


@pytest.mark.requirement("R117")
def test_a_meetings_entries_read_back_in_order_and_no_others(log: AuditLog) -> None:
    for number in range(11):
        log.append(record(number, ONE if number % 3 else OTHER))
    log.append(record(11, None))

    assert [entry.record.data["n"] for entry in log.read(ONE)] == [1, 2, 4, 5, 7, 8, 10]
    assert [entry.index for entry in log.read(OTHER)] == [0, 3, 6, 9]
    assert log.read(OTHER)[1].record == record(3, OTHER)
    assert log.read(MeetingId("m_none")) == []


@pytest.mark.requirement("R122")
def test_everything_reads_back_from_any_index_on(log: AuditLog) -> None:
    log.append(*(record(number, None) for number in range(10)))

    assert [entry.index for entry in log.read_all()] == list(range(10))
    assert [entry.record.data["n"] for entry in log.read_all(6)] == [7, 8, 9]
    assert list(log.read_all(9)) == []


def test_one_bad_record_keeps_all_that_came_with_it_out(log: AuditLog) -> None:
    with pytest.raises(InvalidRecordError):
        log.append(record(0), record(1, kind="hand.waved"))
    with pytest.raises(PersonalDataError):
        log.append(record(0), record(1, data={"a": "maja@example.org"}))

    assert log.size == 0


def test_a_plugins_kind_is_known_where_the_log_was_told(make: Make) -> None:
    log = make(kinds=kinds_with({"document_room.viewed": "A document was in view."}))

    log.append(record(0, kind="document_room.viewed"))

    assert log.read(ONE)[0].record.kind == "document_room.viewed"


@pytest.mark.requirement("R119")
def test_a_checkpoint_covers_every_entry_and_is_signed(log: AuditLog) -> None:
    refs = log.append(*(record(number) for number in range(9)))

    signed = log.checkpoint(NOON)

    assert verify_checkpoint(signed.note, [VerifyingKey.of(SIGNER)]) == signed
    assert signed.checkpoint.origin == ORIGIN
    assert signed.checkpoint.size == 9
    assert signed.checkpoint.root == root_of([ref.leaf_hash for ref in refs])
    assert signed.checkpoint.at == NOON


def test_an_empty_log_has_a_checkpoint_too(log: AuditLog) -> None:
    assert log.checkpoint(NOON).checkpoint.size == 0


@pytest.mark.requirement("R119")
@pytest.mark.parametrize("size", [1, 3, 4, 5, 8, 9, 13, 17])
def test_every_entry_is_proved_under_every_checkpoint(log: AuditLog, size: int) -> None:
    refs = log.append(*(record(number) for number in range(size)))
    checkpoint = log.checkpoint(NOON).checkpoint
    log.append(record(99), record(100))

    proofs = log.prove(range(size), size)

    for ref, path in zip(refs, proofs, strict=True):
        assert includes(ref.leaf_hash, index=ref.index, size=size, path=path, root=checkpoint.root)


@pytest.mark.requirement("R119")
def test_a_later_checkpoint_is_proved_to_extend_an_earlier_one(log: AuditLog) -> None:
    log.append(*(record(number) for number in range(6)))
    old = log.checkpoint(NOON).checkpoint
    log.append(*(record(number) for number in range(6, 15)))
    new = log.checkpoint(NOON).checkpoint

    assert extends(
        old_size=old.size,
        old_root=old.root,
        new_size=new.size,
        new_root=new.root,
        path=log.prove_growth(old.size, new.size),
    )


def test_there_is_no_proof_for_what_is_not_there(log: AuditLog) -> None:
    log.append(record(0), record(1))

    for indexes, size in (([2], 2), ([0], 3), ([-1], 2)):
        with pytest.raises(IndexError):
            log.prove(indexes, size)
    for old, new in ((0, 2), (2, 1), (1, 3)):
        with pytest.raises(IndexError):
            log.prove_growth(old, new)


@pytest.mark.requirement("R201")
def test_an_evidence_file_comes_straight_from_the_log(log: AuditLog) -> None:
    for number in range(10):
        log.append(record(number, ONE if number % 2 else OTHER))
    summary = MeetingSummary(ONE, "Advice", "Exempelbanken", "medium", "advice@1", NOON, NOON, "ended as planned")

    data = evidence_of(log, summary=summary, policy_text="", log_key=VerifyingKey.of(SIGNER), signer=SIGNER, now=NOON)

    report = verify(data, fingerprints=[VerifyingKey.of(SIGNER).fingerprint])
    assert report.genuine, report.problems
    assert report.entries == 5
