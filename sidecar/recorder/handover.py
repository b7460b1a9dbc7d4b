"""How a recording's key reaches the recorder: sealed to a public key that is used once, never in the clear.

X25519 (RFC 7748), HKDF-SHA256 (RFC 5869), AES-256-GCM; both public keys and the recording are bound in.
"""

import secrets
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_OFFER_TTL_S = 30.0
_MOST_OFFERS = 1000
_NONCE = bytes(12)  # the key is used for one message


class HandoverError(ValueError):
    """The sealed key is not for an offer of ours, or was changed on its way."""


class KeyOffers:
    """The recorder's side: offers public keys and opens what was sealed to them, each once."""

    def __init__(self) -> None:
        self._offers: dict[str, tuple[float, X25519PrivateKey]] = {}

    def offer(self) -> tuple[str, bytes]:
        """Return the offer's name and a fresh public key."""
        now = time.monotonic()
        self._offers = {name: held for name, held in self._offers.items() if now - held[0] < _OFFER_TTL_S}
        if len(self._offers) >= _MOST_OFFERS:
            self._offers.pop(next(iter(self._offers)))
        private = X25519PrivateKey.generate()
        name = secrets.token_hex(16)
        self._offers[name] = (now, private)
        return name, private.public_key().public_bytes_raw()

    def open(self, name: str, sealed: bytes, *, recording: str) -> bytes:
        """Return the DEK. Raises HandoverError; the offer is spent either way."""
        held = self._offers.pop(name, None)
        if held is None or time.monotonic() - held[0] > _OFFER_TTL_S or len(sealed) < 33:
            raise HandoverError("there is no such offer")
        private = held[1]
        try:
            theirs = X25519PublicKey.from_public_bytes(sealed[:32])
            key = _key(private.exchange(theirs), sealed[:32], private.public_key().public_bytes_raw(), recording)
            return AESGCM(key).decrypt(_NONCE, sealed[32:], recording.encode())
        except (InvalidTag, ValueError) as error:
            raise HandoverError("the sealed key does not open") from error


def seal_for(public: bytes, dek: bytes, *, recording: str) -> bytes:
    """Return the DEK sealed to an offered public key. Raises HandoverError for one that is none."""
    try:
        ours = X25519PrivateKey.generate()
        mine = ours.public_key().public_bytes_raw()
        shared = ours.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise HandoverError("this is no public key") from error
    return mine + AESGCM(_key(shared, mine, public, recording)).encrypt(_NONCE, dek, recording.encode())


def _key(shared: bytes, sender: bytes, receiver: bytes, recording: str) -> bytes:
    info = b"tillit recording key 1\x00" + sender + receiver + recording.encode()
    return HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(shared)
