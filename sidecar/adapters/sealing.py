"""Sealing of bytes under AES-256-GCM: the nonce in front, the purpose as associated data."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

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
