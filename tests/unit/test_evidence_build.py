"""The evidence file: what is in it, and that the same facts give the same bytes."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sidecar.domain.audit import AuditRecord, Ed25519Signer, MemoryAuditLog, VerifyingKey
from sidecar.domain.errors import InvalidInputError
from sidecar.domain.evidence import (
    DocumentShown,
    FigureShown,
    MeetingSummary,
    SignatureMade,
    build_evidence,
    evidence_of,
)
from sidecar.domain.ids import MeetingId
from sidecar.domain.verify_evidence import verify

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MEETING = MeetingId("m_a")
SIGNER = Ed25519Signer("bank.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
SEALER = Ed25519Signer("bank.example/seal", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
SUMMARY = MeetingSummary(
    meeting=MEETING,
    title="Mortgage meeting",
    brand="Exempelbanken",
    band="high",
    policy_ref="mortgage@7",
    started_at=NOON,
    ended_at=NOON + timedelta(minutes=36),
    outcome="ended as planned",
)
POLICY = 'band = "high"\n# ”bolån”, version 7\n'


@pytest.fixture
def log() -> MemoryAuditLog:
    log = MemoryAuditLog(SIGNER, origin="bank.example/tillit")

    def add(kind: str, actor: str, minute: int, meeting: str | None = MEETING, **data: Any) -> None:
        at = NOON + timedelta(minutes=minute)
        log.append(AuditRecord(kind, MeetingId(meeting) if meeting else None, actor, at, data))

    add("policy.loaded", "system", -90, None)
    add("meeting.booked", "st_elin", -60, type="mortgage@7")
    add("consent.given", "per_maja", -5, text_version=4, text_sha256="ab" * 32)
    add("meeting.booked", "st_elin", -5, "m_other")
    add("sign_in.completed", "per_maja", -4, provider="bankid", method="bankid-qr", loa=2, proof_sha256=["cd" * 32])
    add("participant.joined", "per_maja", 1, capacity="customer")
    add("participant.joined", "st_elin", 1, capacity="adviser")
    add("media.keys", "per_maja", 2, fingerprint_client=":".join(["AB"] * 32))
    add("meeting.ended", "st_elin", 36)
    return log


@pytest.fixture
def made(log: MemoryAuditLog) -> Callable[..., bytes]:
    def make(**changes: Any) -> bytes:
        values = {
            "summary": SUMMARY,
            "policy_text": POLICY,
            "log_key": VerifyingKey.of(SIGNER),
            "signer": SEALER,
            "now": NOON + timedelta(hours=1),
        }
        return evidence_of(log, **{**values, **changes})

    return make


@pytest.mark.requirement("R201", "R122")
def test_the_file_is_plain_json_that_reads_from_the_summary_to_the_digests(made: Callable[..., bytes]) -> None:
    data = made()
    document = json.loads(data)

    assert data.endswith(b"}\n")
    assert list(document)[:4] == ["format", "read_me", "summary", "policy"]
    assert list(document)[-1] == "seal"
    assert document["summary"]["people_in_the_room"] == 2
    assert document["summary"]["people_identified"] == 1
    assert document["summary"]["recorded"] == "nothing"
    assert verify(data).genuine


@pytest.mark.requirement("R117", "R120", "R201")
def test_it_holds_who_was_identified_how_the_consent_and_the_keys(made: Callable[..., bytes]) -> None:
    document = json.loads(made())

    assert document["identities"] == [
        {
            "entry": 3,
            "actor": "per_maja",
            "at": "2026-11-24T11:56:00.000Z",
            "provider": "bankid",
            "method": "bankid-qr",
            "loa": 2,
            "proof_sha256": ["cd" * 32],
        }
    ]
    assert document["consents"][0]["text_version"] == 4
    assert document["consents"][0]["at"] == "2026-11-24T11:55:00.000Z"
    assert document["keys"][0]["fingerprint_client"].startswith("AB:")
    assert document["policy"]["text"] == POLICY


@pytest.mark.requirement("R118", "R201")
def test_it_holds_this_meetings_entries_and_no_others(made: Callable[..., bytes]) -> None:
    entries = json.loads(made())["entries"]

    assert [entry["index"] for entry in entries] == [1, 2, 4, 5, 6, 7, 8]
    assert {entry["record"]["meeting"] for entry in entries} == {MEETING}


def test_the_same_facts_give_the_same_bytes(log: MemoryAuditLog) -> None:
    entries = log.read(MEETING)
    checkpoint = log.checkpoint(NOON)
    proofs = log.prove([entry.index for entry in entries], checkpoint.checkpoint.size)

    def build() -> bytes:
        return build_evidence(
            summary=SUMMARY,
            policy_text=POLICY,
            entries=entries,
            proofs=proofs,
            checkpoint=checkpoint,
            checkpoint_key=VerifyingKey.of(SIGNER),
            signer=SEALER,
            sealed_at=NOON,
        )

    assert build() == build()


@pytest.mark.requirement("R120", "R201")
def test_documents_signatures_and_figures_have_their_place(made: Callable[..., bytes]) -> None:
    shown = DocumentShown(4, "d_note", 3, "ab" * 32, ("per_maja",), NOON, NOON + timedelta(minutes=6))
    signed = SignatureMade(
        4, "d_note", 3, "ab" * 32, "per_maja", "bankid-sign", "B-LTA", "cd" * 32, NOON + timedelta(minutes=29)
    )
    figure = FigureShown(4, "c_loan", 3, "ab" * 32, "cd" * 32, "rates@2026-11-23", "annuity@2", ("per_maja",), NOON)

    data = made(documents=[shown], signatures=[signed], figures=[figure])

    document = json.loads(data)
    assert document["documents"][0]["shown_to"] == ["per_maja"]
    assert document["signatures"][0]["signed_at"] == "2026-11-24T12:29:00.000Z"
    assert document["figures"][0]["rate_table"] == "rates@2026-11-23"
    assert (document["summary"]["documents_shown"], document["summary"]["signatures"]) == (1, 1)
    assert verify(data).genuine


def test_it_names_each_key_once_and_says_where_to_compare(made: Callable[..., bytes]) -> None:
    two = json.loads(made(published_at="https://bank.example/keys"))
    one = json.loads(made(signer=SIGNER))

    assert [key["name"] for key in two["public_keys"]] == ["bank.example/log", "bank.example/seal"]
    assert "https://bank.example/keys" in two["compare"]
    assert [key["name"] for key in one["public_keys"]] == ["bank.example/log"]


def test_refuses_a_meeting_without_entries(made: Callable[..., bytes]) -> None:
    with pytest.raises(InvalidInputError):
        made(summary=replace(SUMMARY, meeting=MeetingId("m_none")))


def test_refuses_entries_that_are_not_the_meetings_or_not_under_the_checkpoint(log: MemoryAuditLog) -> None:
    early = log.checkpoint(NOON)
    log.append(AuditRecord("hand.raised", MEETING, "per_maja", NOON))
    entries = log.read(MEETING)
    others = log.read(MeetingId("m_other"))

    for wrong in (entries, [*others, *entries], list(reversed(entries[:-1])), [entries[0], entries[0]]):
        with pytest.raises(InvalidInputError):
            build_evidence(
                summary=SUMMARY,
                policy_text=POLICY,
                entries=wrong,
                proofs=[()] * len(wrong),
                checkpoint=early,
                checkpoint_key=VerifyingKey.of(SIGNER),
                signer=SIGNER,
                sealed_at=NOON,
            )
