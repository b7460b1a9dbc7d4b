"""Invitation links: a secret that carries no right by itself, derived and never stored in clear."""

import base64
import hashlib
import hmac

from sidecar.domain.ids import ParticipantId

_SECRET_BYTES = 16  # 128 bits: nobody guesses a link


class Links:
    """Makes and recognises invitation links. key: 32 bytes; another key makes every old link dead."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def secret(self, participant: ParticipantId) -> str:
        """Return the link's secret for a place in a meeting: 26 signs, lower case."""
        mac = hmac.new(self._key, participant.encode(), hashlib.sha256).digest()[:_SECRET_BYTES]
        return base64.b32encode(mac).decode().rstrip("=").lower()

    def digest(self, secret: str) -> str:
        """Return what the store knows the link by: SHA-256, hex."""
        return hashlib.sha256(secret.encode()).hexdigest()
