"""Signed checkpoints: the log's size and root at one moment, in the signed note form others can read too.

Source: C2SP signed-note and tlog-checkpoint (c2sp.org); Ed25519 as RFC 8032.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sidecar.domain.clock import from_text, to_text
from sidecar.domain.errors import TillitError

_DASH = "\u2014 "  # an em dash and a space begin each signature line of a note
_ED25519 = b"\x01"  # signature type 0x01 of signed-note
_TIME = "time "


class BadCheckpointError(TillitError):
    """A checkpoint is not of its form, or not signed by a key we know."""

    slug = "bad-checkpoint"


class Signer(Protocol):
    """Holds a signing key of the log: Ed25519Signer, or an HSM's adapter.

    name: the key's name in a note, without spaces and plus signs ("exempelbanken.example/tillit").
    public_key: 32 raw bytes.
    """

    @property
    def name(self) -> str: ...

    @property
    def public_key(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature, 64 bytes."""


class Ed25519Signer:
    """A signing key held in memory."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        self._key = private_key
        self._verifying_key = VerifyingKey(name, private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def name(self) -> str:
        return self._verifying_key.name

    @property
    def public_key(self) -> bytes:
        return self._verifying_key.raw

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


@dataclass(frozen=True)
class VerifyingKey:
    """The public half of a signing key. raw: 32 bytes. Raises ValueError for a name a note cannot carry."""

    name: str
    raw: bytes

    def __post_init__(self) -> None:
        if not self.name or any(sign.isspace() or sign == "+" for sign in self.name):
            raise ValueError("a key name has no spaces and no plus signs")
        if len(self.raw) != 32:
            raise ValueError("an Ed25519 public key is 32 bytes")

    @classmethod
    def of(cls, signer: Signer) -> "VerifyingKey":
        return cls(signer.name, signer.public_key)

    @property
    def key_id(self) -> bytes:
        """The four bytes that say which key signed. Source: signed-note, "Signatures"."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER public key, hex: what `openssl pkey -pubin -outform DER | sha256sum` prints."""
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Checkpoint:
    """The log at one moment. origin: the log's name. root: 32 bytes over the first `size` entries."""

    origin: str
    size: int
    root: bytes
    at: datetime

    def body(self) -> bytes:
        """Return what is signed: origin, size, root, and our one extension line, the time."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\n{_TIME}{to_text(self.at)}\n".encode()


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint and the signed note that carries it, ready to publish or to keep."""

    checkpoint: Checkpoint
    note: str


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> SignedCheckpoint:
    """Return the checkpoint as a signed note."""
    body = checkpoint.body()
    key = VerifyingKey.of(signer)
    signature = base64.b64encode(key.key_id + signer.sign(body)).decode()
    return SignedCheckpoint(checkpoint, f"{body.decode()}\n{_DASH}{key.name} {signature}\n")


def verify_checkpoint(unverified_note: str, keys: Iterable[VerifyingKey]) -> SignedCheckpoint:
    """Return the checkpoint of a note that one of the keys signed. Raises BadCheckpointError."""
    body, separator, signatures = unverified_note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise BadCheckpointError("a signed note ends with its signatures")
    signed = f"{body}\n".encode()
    known = {(key.name, key.key_id): key for key in keys}
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            continue
        key = known.get((name, raw[:4]))
        if key is not None and line.startswith(_DASH) and key.verifies(raw[4:], signed):
            return SignedCheckpoint(_parse(body), unverified_note)
    raise BadCheckpointError("no signature by a key we know")


def _parse(body: str) -> Checkpoint:
    try:
        origin, size, root, time = body.split("\n")
        checkpoint = Checkpoint(
            origin, int(size), base64.b64decode(root, validate=True), from_text(time.removeprefix(_TIME))
        )
    except ValueError as error:
        raise BadCheckpointError("a checkpoint is origin, size, root and time") from error
    if checkpoint.body() != f"{body}\n".encode() or len(checkpoint.root) != 32:
        raise BadCheckpointError("a checkpoint not in its one form")
    return checkpoint
