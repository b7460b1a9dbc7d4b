"""Sealing of bytes under AES-256-GCM: the nonce in front, the purpose as associated data."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sidecar.domain.errors import StoreUnavailableError

_NONCE_BYTES = 12


class UnsealError(ValueError):
    """The bytes were changed, or were sealed under another key or for another purpose."""


def new_dek() -> bytes:
    """Return a fresh data-encryption key, 32 bytes."""
    return AESGCM.generate_key(bit_length=256)


def seal(key: bytes, plain: bytes, *, purpose: str) -> bytes:
    """Return nonce and ciphertext. key: 32 bytes."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, purpose.encode())


def unseal(key: bytes, sealed: bytes, *, purpose: str) -> bytes:
    """Return what was sealed. Raises UnsealError."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
    except (InvalidTag, ValueError) as error:
        raise UnsealError("these bytes do not open with this key") from error


class KeySealer:
    """services.plugin_records.Sealer under one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, plain: bytes, *, purpose: str) -> bytes:
        return seal(self._key, plain, purpose=purpose)

    def unseal(self, sealed: bytes, *, purpose: str) -> bytes:
        """Raises StoreUnavailableError: what was put there by us opens, or the store is not the one we wrote."""
        try:
            return unseal(self._key, sealed, purpose=purpose)
        except UnsealError as error:
            raise StoreUnavailableError("What a plugin kept does not open with its key.") from error
