"""The audit log's and the evidence's signer over the key ring: a rotation takes effect at the next signature."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sidecar.adapters.key_files import KeyRing, Purpose
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.jws import LocalSigningKey


class RingSigner:
    """domain.audit.Signer over a purpose of the ring. name: the key's name in notes, without spaces or plus."""

    def __init__(self, ring: KeyRing, purpose: Purpose, *, name: str) -> None:
        self._ring = ring
        self._purpose = purpose
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def public_key(self) -> bytes:
        return self._key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, message: bytes) -> bytes:
        return self._key().sign(message)

    def _key(self) -> Ed25519PrivateKey:
        held: LocalSigningKey = self._ring.signing_key(self._purpose)
        if not isinstance(held.private_key, Ed25519PrivateKey):
            raise ConfigurationError(f"The {self._purpose} key must be an Ed25519 key.")
        return held.private_key
