"""Signed checkpoints: the note others can read, and what is refused."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sidecar.domain.audit import (
    BadCheckpointError,
    Checkpoint,
    Ed25519Signer,
    VerifyingKey,
    root_of,
    sign_checkpoint,
    verify_checkpoint,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Ed25519Signer("bank.example/log", PRIVATE)
KEY = VerifyingKey.of(SIGNER)
CHECKPOINT = Checkpoint("bank.example/tillit", 3, root_of([bytes(32)] * 3), NOON)


def test_a_checkpoint_is_a_signed_note() -> None:
    note = sign_checkpoint(CHECKPOINT, SIGNER).note
    body, _, signature = note.rpartition("\n\n")

    assert body.split("\n") == [
        "bank.example/tillit",
        "3",
        base64.b64encode(CHECKPOINT.root).decode(),
        "time 2026-11-24T12:00:00.000Z",
    ]
    assert signature.startswith("\u2014 bank.example/log ")
    raw = base64.b64decode(signature.split(" ")[2])
    assert raw[:4] == KEY.key_id
    PRIVATE.public_key().verify(raw[4:], f"{body}\n".encode())


def test_a_checkpoint_reads_back_under_the_key_that_signed_it() -> None:
    signed = sign_checkpoint(CHECKPOINT, SIGNER)

    assert verify_checkpoint(signed.note, [KEY]) == signed


def test_the_fingerprint_is_that_of_the_der_public_key() -> None:
    import hashlib

    der = PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert KEY.fingerprint == hashlib.sha256(der).hexdigest()


def test_a_second_signature_by_a_witness_does_not_disturb() -> None:
    note = sign_checkpoint(CHECKPOINT, SIGNER).note
    witness = "\u2014 witness.example " + base64.b64encode(bytes(76)).decode() + "\n"

    assert verify_checkpoint(note + witness, [KEY]).checkpoint == CHECKPOINT


@pytest.mark.requirement("R119")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n3\n", "\n4\n"),
        ("\n3\n", "\n03\n"),
        ("bank.example/tillit", "bank.example/other"),
        ("12:00:00", "12:00:01"),
        ("time ", "date "),
        ("\u2014 ", "- "),
        ("\n\n", "\n"),
    ],
)
def test_refuses_a_checkpoint_with_anything_changed(old: str, new: str) -> None:
    note = sign_checkpoint(CHECKPOINT, SIGNER).note
    with pytest.raises(BadCheckpointError):
        verify_checkpoint(note.replace(old, new, 1), [KEY])


@pytest.mark.requirement("R119")
def test_refuses_a_checkpoint_by_a_key_it_does_not_know() -> None:
    other = Ed25519Signer("bank.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    note = sign_checkpoint(CHECKPOINT, other).note

    with pytest.raises(BadCheckpointError):
        verify_checkpoint(note, [KEY])
    with pytest.raises(BadCheckpointError):
        verify_checkpoint(note, [])


@pytest.mark.parametrize("note", ["", "\n\n", "a\n\n\u2014 b c\n", "\u2014 x\n", "a\n1\n\n\u2014 bank.example/log !\n"])
def test_refuses_a_note_that_is_none(note: str) -> None:
    with pytest.raises(BadCheckpointError):
        verify_checkpoint(note, [KEY])


def test_refuses_a_signed_checkpoint_that_is_not_in_its_one_form() -> None:
    strange = replace(CHECKPOINT, root=bytes(31))

    with pytest.raises(BadCheckpointError):
        verify_checkpoint(sign_checkpoint(strange, SIGNER).note, [KEY])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_refuses_a_key_name_that_a_note_cannot_carry(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        VerifyingKey(name, bytes(32))
