"""One open file per meeting that proves what happened, without us. Its form: docs/evidence-format.md.

Values in, bytes out; the same values give the same bytes. The file is checked by verify_evidence.py, which
shares no code with this one, so that a mistake here cannot hide in both.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sidecar.domain.audit import (
    AuditLog,
    Entry,
    SignedCheckpoint,
    Signer,
    VerifyingKey,
    canonical_json,
    root_of,
)
from sidecar.domain.clock import to_text
from sidecar.domain.errors import InvalidInputError
from sidecar.domain.ids import MeetingId

FORMAT = "tillit-evidence/1"
MEDIA_TYPE = "application/vnd.tillit.evidence+json"
SEAL_CONTEXT = b"tillit-evidence-seal/1\n"  # in front of what is signed: a seal passes for nothing else

READ_ME = (
    "This file shows what happened in one meeting. It holds no names and no contents: people are pseudonyms, "
    "documents are digests. Anybody can check it without the bank's systems: run verify_evidence.py on it, "
    "with the fingerprint the bank has published."
)
COMPARE = (
    "The signatures only prove something if these keys are the bank's. Compare each fingerprint (sha256, "
    "over the DER public key) with the one the bank has published{where}."
)
_KEY_KINDS = frozenset({"media.keys", "key.rotated"})


@dataclass(frozen=True)
class MeetingSummary:
    """What a reader wants to know first. No names. outcome: a few plain English words ("ended as planned").

    policy_ref: the meeting type's version ("mortgage@7"). stored_in: countries, in words. delete_after: the
    day the retention rule removes it, ISO 8601. recorded: what was recorded, "nothing" mostly.
    """

    meeting: MeetingId
    title: str
    brand: str
    band: str
    policy_ref: str
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str
    recorded: str = "nothing"
    stored_in: str = ""
    delete_after: str = ""


@dataclass(frozen=True)
class DocumentShown:
    """A version of a document that was in somebody's view. entry: number of the entry it rests on."""

    entry: int
    document: str
    version: int
    sha256: str
    shown_to: tuple[str, ...]
    from_at: datetime
    until_at: datetime | None


@dataclass(frozen=True)
class SignatureMade:
    """A signature. method: in the provider's words. container_sha256: of the signed file as archived."""

    entry: int
    document: str
    version: int
    sha256: str
    signer: str
    method: str
    pades_level: str
    container_sha256: str
    signed_at: datetime


@dataclass(frozen=True)
class FigureShown:
    """A calculation that was shown, replayable from what is named here."""

    entry: int
    calculation: str
    version: int
    inputs_sha256: str
    result_sha256: str
    rate_table: str
    formula: str
    shown_to: tuple[str, ...]
    shown_at: datetime


def build_evidence(
    *,
    summary: MeetingSummary,
    policy_text: str,
    entries: Sequence[Entry],
    proofs: Sequence[Sequence[bytes]],
    checkpoint: SignedCheckpoint,
    checkpoint_key: VerifyingKey,
    signer: Signer,
    sealed_at: datetime,
    documents: Sequence[DocumentShown] = (),
    signatures: Sequence[SignatureMade] = (),
    figures: Sequence[FigureShown] = (),
    published_at: str = "",
) -> bytes:
    """Return the evidence file of one meeting: UTF-8 JSON, indented, with a line feed at the end.

    policy_text: the full TOML the meeting ran under. entries: all of the meeting's, in the order of the log.
    proofs: their inclusion paths in the checkpoint's tree. checkpoint_key: what signed the checkpoint.
    signer: signs the seal. published_at: where the bank publishes its fingerprints, in words.
    Raises InvalidInputError for entries of another meeting, out of order or outside the checkpoint.
    """
    _check(summary, entries, proofs, checkpoint)
    numbered = list(enumerate(entries, start=1))
    leaves = [entry.leaf_hash for entry in entries]
    seal_key = VerifyingKey.of(signer)
    body: dict[str, Any] = {
        "format": FORMAT,
        "read_me": READ_ME,
        "summary": _summary(summary, entries, documents, signatures),
        "policy": {
            "ref": summary.policy_ref,
            "sha256": hashlib.sha256(policy_text.encode()).hexdigest(),
            "text": policy_text,
        },
        "identities": [_row(n, e) for n, e in numbered if e.record.kind == "sign_in.completed"],
        "consents": [_row(n, e) for n, e in numbered if e.record.kind == "consent.given"],
        "documents": [_plain(row) for row in documents],
        "signatures": [_plain(row) for row in signatures],
        "figures": [_plain(row) for row in figures],
        "keys": [_row(n, e) for n, e in numbered if e.record.kind in _KEY_KINDS],
        "entries": [
            {
                "number": number,
                "index": entry.index,
                "record": json.loads(entry.canonical),
                "leaf": entry.leaf_hash.hex(),
                "proof": [step.hex() for step in proof],
            }
            for (number, entry), proof in zip(numbered, proofs, strict=True)
        ],
        "checkpoint": {"note": checkpoint.note},
        "public_keys": _public_keys(checkpoint_key, seal_key),
        "compare": COMPARE.format(where=f": {published_at}" if published_at else ""),
    }
    before_seal = _written(body)[: -len("\n}")]
    statement = {
        "format": FORMAT,
        "meeting": summary.meeting,
        "entries": len(entries),
        "entries_root": root_of(leaves).hex(),
        "checkpoint": {
            "origin": checkpoint.checkpoint.origin,
            "size": checkpoint.checkpoint.size,
            "root": checkpoint.checkpoint.root.hex(),
        },
        "sections": {
            name: hashlib.sha256(canonical_json(section)).hexdigest()
            for name, section in body.items()
            if name != "entries"  # bound by their root, so that the verifier can name the first bad one
        },
        "body_sha256": hashlib.sha256(before_seal.encode()).hexdigest(),
        "sealed_at": to_text(sealed_at),
    }
    signature = signer.sign(SEAL_CONTEXT + canonical_json(statement))
    body["seal"] = {
        "statement": statement,
        "leaves": [leaf.hex() for leaf in leaves],
        "key": seal_key.fingerprint,
        "signature": base64.b64encode(signature).decode(),
    }
    return f"{_written(body)}\n".encode()


def evidence_of(
    log: AuditLog,
    *,
    summary: MeetingSummary,
    policy_text: str,
    log_key: VerifyingKey,
    signer: Signer,
    now: datetime,
    documents: Sequence[DocumentShown] = (),
    signatures: Sequence[SignatureMade] = (),
    figures: Sequence[FigureShown] = (),
    published_at: str = "",
) -> bytes:
    """Return a meeting's evidence file straight from the log, under a checkpoint made now.

    log_key: the public half of the key the log signs its checkpoints with.
    Raises InvalidInputError for a meeting without entries, AuditDamagedError, AuditUnavailableError.
    """
    entries = log.read(summary.meeting)
    checkpoint = log.checkpoint(now)  # after reading, so that it covers what was read
    proofs = log.prove([entry.index for entry in entries], checkpoint.checkpoint.size)
    return build_evidence(
        summary=summary,
        policy_text=policy_text,
        entries=entries,
        proofs=proofs,
        checkpoint=checkpoint,
        checkpoint_key=log_key,
        signer=signer,
        sealed_at=now,
        documents=documents,
        signatures=signatures,
        figures=figures,
        published_at=published_at,
    )


def _written(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False)


def _check(
    summary: MeetingSummary,
    entries: Sequence[Entry],
    proofs: Sequence[Sequence[bytes]],
    checkpoint: SignedCheckpoint,
) -> None:
    if not entries:
        raise InvalidInputError("a meeting without entries has no evidence", field="entries")
    if len(proofs) != len(entries):
        raise InvalidInputError("each entry needs its proof", field="proofs")
    indexes = [entry.index for entry in entries]
    if any(entry.record.meeting != summary.meeting for entry in entries):
        raise InvalidInputError("an entry belongs to another meeting", field="entries")
    if sorted(set(indexes)) != indexes or indexes[-1] >= checkpoint.checkpoint.size:
        raise InvalidInputError("entries out of order or outside the checkpoint", field="entries")


def _summary(
    summary: MeetingSummary,
    entries: Sequence[Entry],
    documents: Sequence[DocumentShown],
    signatures: Sequence[SignatureMade],
) -> dict[str, Any]:
    def people(kind: str) -> int:
        return len({entry.record.actor for entry in entries if entry.record.kind == kind})

    return {
        **_plain(summary),
        "people_in_the_room": people("participant.joined"),
        "people_identified": people("sign_in.completed"),
        "documents_shown": len({(row.document, row.version) for row in documents}),
        "signatures": len(signatures),
        "entries": len(entries),
        "first_entry_at": to_text(entries[0].record.at),
        "last_entry_at": to_text(entries[-1].record.at),
    }


def _row(number: int, entry: Entry) -> dict[str, Any]:
    """Return an entry as a line of a section: its number, whom, when, and everything it says."""
    data = {key: value for key, value in json.loads(entry.canonical)["data"].items() if key not in _OWN}
    return {"entry": number, "actor": entry.record.actor, "at": to_text(entry.record.at), **data}


_OWN = frozenset({"entry", "actor", "at"})


def _plain(row: Any) -> dict[str, Any]:
    """Return a dataclass of this module as JSON values."""
    values = asdict(row)
    return {field.name: _plain_value(values[field.name]) for field in fields(row)}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_text(value)
    return list(value) if isinstance(value, tuple) else value


def _public_keys(*keys: VerifyingKey) -> list[dict[str, str]]:
    unique: Iterable[VerifyingKey] = dict.fromkeys(keys)
    return [
        {
            "name": key.name,
            "kty": "OKP",
            "crv": "Ed25519",
            "x": base64.urlsafe_b64encode(key.raw).rstrip(b"=").decode(),
            "sha256": key.fingerprint,
        }
        for key in unique
    ]
