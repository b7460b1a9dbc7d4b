"""What plugins recorded becomes rows of the evidence file, and the stand-alone verifier agrees with each."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sidecar.domain.audit import AuditRecord, Ed25519Signer, Entry, MemoryAuditLog, VerifyingKey, kinds_with
from sidecar.domain.evidence import MeetingSummary, evidence_of
from sidecar.domain.evidence_rows import documents_shown, figures_shown, signatures_made
from sidecar.domain.ids import MeetingId
from sidecar.domain.verify_evidence import verify

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MEETING = MeetingId("m_a")
SIGNER = Ed25519Signer("bank.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
NOTE, CONTRACT, SEAL, SUM = "ab" * 32, "cd" * 32, "ef" * 32, "12" * 32
SUMMARY = MeetingSummary(
    meeting=MEETING,
    title="Mortgage",
    brand="Bank",
    band="high",
    policy_ref="mortgage@1",
    started_at=NOON,
    ended_at=NOON + timedelta(hours=1),
    outcome="ended as planned",
)
KINDS = (
    *("room.presented", "room.page_viewed", "room.page_read", "room.withdrawn", "loan.made", "loan.shown"),
    *("sign.opened", "sign.signed", "sign.sealed", "sign.preserved", "sign.declined"),
)


def log_of(*told: tuple[str, str, Mapping[str, Any]]) -> MemoryAuditLog:
    """Return a log in which these happened, a minute apart. told: (kind, actor, data)."""
    log = MemoryAuditLog(SIGNER, origin="bank.example", kinds=kinds_with(dict.fromkeys(KINDS, "It happened.")))
    for minute, (kind, actor, data) in enumerate(told):
        log.append(AuditRecord(kind=kind, meeting=MEETING, actor=actor, at=NOON + timedelta(minutes=minute), data=data))
    return log


def entries(*told: tuple[str, str, Mapping[str, Any]]) -> list[Entry]:
    return log_of(*told).read(MEETING)


def version(number: int = 1, sha256: str = NOTE, **more: Any) -> dict[str, Any]:
    return {"document": "d_note", "version": number, "sha256": sha256, **more}


@pytest.mark.requirement("R120")
def test_a_version_is_one_row_with_all_who_had_it_in_view_and_when() -> None:
    first, second = documents_shown(
        entries(
            ("room.presented", "st_elin", version(page=1)),
            ("room.page_viewed", "per_maja", version(page=1)),
            ("room.page_viewed", "st_elin", version(page=1)),
            ("room.page_read", "per_maja", version(page=1, seconds=20)),
            ("room.page_viewed", "per_maja", version(2, CONTRACT)),
            ("room.withdrawn", "st_elin", version(2, CONTRACT)),
        )
    )

    assert (first.entry, first.document, first.version, first.sha256) == (1, "d_note", 1, NOTE)
    assert first.shown_to == ("per_maja", "st_elin")
    assert (first.from_at, first.until_at) == (NOON, NOON + timedelta(minutes=3))
    assert (second.entry, second.version, second.until_at) == (5, 2, NOON + timedelta(minutes=4))


def test_what_names_no_version_is_no_row() -> None:
    assert documents_shown(entries(("room.presented", "st_elin", {"document": "d_note"}))) == []
    assert documents_shown(entries(("room.withdrawn", "st_elin", version()))) == []


@pytest.mark.requirement("R117")
def test_a_signature_is_a_row_for_each_document_it_stands_under() -> None:
    told = [
        ("room.page_viewed", "per_maja", version()),
        ("sign.opened", "st_elin", {"signing": "sg_1", "documents_sha256": [NOTE, CONTRACT]}),
        ("sign.signed", "per_maja", {"signing": "sg_1", "method": "bankid"}),
        ("sign.signed", "per_ture", {"signing": "sg_2", "method": "bankid"}),
    ]
    rows = signatures_made(entries(*told))

    assert [(row.entry, row.document, row.version, row.sha256) for row in rows] == [
        (3, "d_note", 1, NOTE),
        (3, "", 0, CONTRACT),
    ]
    assert {(row.signer, row.method, row.pades_level) for row in rows} == {("per_maja", "bankid", "")}
    sealed = ("sign.sealed", "system", {"signing": "sg_1", "documents_sha256": [SEAL]})
    assert {(row.pades_level, row.container_sha256) for row in signatures_made(entries(*told, sealed))} == {
        ("B-B", SEAL)
    }
    stamped = ("sign.preserved", "system", {"signing": "sg_1"})
    assert {row.pades_level for row in signatures_made(entries(*told, sealed, stamped))} == {"B-LTA"}


def test_figures_are_a_row_once_somebody_saw_them() -> None:
    made = (
        "loan.made",
        "st_elin",
        {"calculation": "c_1", "n": 2, "sha256": SUM, "table": "r@3", "formula": "annuity@1"},
    )
    seen = ("loan.shown", "per_maja", {"calculation": "c_1", "n": 2, "sha256": SUM})

    assert figures_shown(entries(made)) == []
    (row,) = figures_shown(entries(made, seen))
    assert (row.entry, row.version, row.result_sha256, row.rate_table, row.formula) == (1, 2, SUM, "r@3", "annuity@1")
    assert (row.shown_to, row.shown_at) == (("per_maja",), NOON + timedelta(minutes=1))


def test_the_verifier_agrees_with_every_row() -> None:
    log = log_of(
        ("room.presented", "st_elin", version(page=1)),
        ("room.page_viewed", "per_maja", version(page=1)),
        ("loan.made", "st_elin", {"calculation": "c_1", "n": 1, "sha256": SUM, "table": "r@3", "formula": "a@1"}),
        ("loan.shown", "per_maja", {"calculation": "c_1", "n": 1, "sha256": SUM}),
        ("sign.opened", "st_elin", {"signing": "sg_1", "documents_sha256": [NOTE]}),
        ("sign.signed", "per_maja", {"signing": "sg_1", "method": "bankid"}),
        ("sign.sealed", "system", {"signing": "sg_1", "documents_sha256": [SEAL]}),
    )
    found = log.read(MEETING)
    data = evidence_of(
        log,
        summary=SUMMARY,
        policy_text="",
        log_key=VerifyingKey.of(SIGNER),
        signer=SIGNER,
        now=NOON + timedelta(hours=1),
        documents=documents_shown(found),
        signatures=signatures_made(found),
        figures=figures_shown(found),
    )

    report = verify(data)
    assert report.genuine, [problem.sentence for problem in report.problems]
