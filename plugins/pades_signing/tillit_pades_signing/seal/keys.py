"""The bank's sealing key: in a file of its own, or in a PKCS#11 device. What it signs with, and its certificates."""

import hashlib
import stat
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from asn1crypto import algos
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from sidecar.plugin_api import ConfigurationError

_SMALLEST_RSA_BITS = 2048
_CURVES = {"secp256r1": 32, "secp384r1": 48}  # name -> bytes of a coordinate


class SealingKey(Protocol):
    """Signs for the bank. chain: DER, the sealing certificate first, then its issuers without the root."""

    @property
    def chain(self) -> tuple[bytes, ...]: ...

    def sign(self, data: bytes) -> bytes:
        """Return the signature over SHA-256 of the data, as CMS wants it. Safe to call from several threads."""


def certificates_in(path: Path) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a PEM file. Raises ConfigurationError."""
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"[plugins.pades_signing] {path} must hold PEM certificates") from error


def der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def signature_algorithm(certificate: x509.Certificate) -> algos.SignedDigestAlgorithm:
    """Return how this certificate's key signs. Raises ConfigurationError for a key that is too weak or odd."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"})
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_RSA_BITS:
        return algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"})
    raise ConfigurationError("[plugins.pades_signing] the sealing key is neither P-256, P-384 nor RSA from 2048 bits")


@dataclass(frozen=True)
class FileKey:
    """A key in memory, read once from a PEM file that only its owner can read."""

    chain: tuple[bytes, ...]
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def read(cls, key_file: Path, certificate_file: Path) -> "FileKey":
        """Raises ConfigurationError."""
        certificates = certificates_in(certificate_file)
        try:
            if stat.S_IMODE(key_file.stat().st_mode) & stat.S_IRWXO:
                raise ConfigurationError("[plugins.pades_signing] seal_key may not be readable by everybody")
            key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigurationError("[plugins.pades_signing] seal_key must be an unencrypted PEM key") from error
        if not certificates or key.public_key() != certificates[0].public_key():
            raise ConfigurationError("[plugins.pades_signing] seal_key is not the key of seal_certificate")
        signature_algorithm(certificates[0])
        assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
        return cls(tuple(map(der_of, certificates)), key)

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(hashes.SHA256()))
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())


class Pkcs11Key:
    """A key that never leaves its device. One session behind one lock: several at once crash the module.

    Opened at the first signature, so that it is never carried over a fork. After a fault of the device the
    session is opened anew once. Source: facts of python-pkcs11 0.9 with SoftHSM 2.6.
    """

    def __init__(self, *, module: Path, token: str, pin_file: Path, label: str, certificate_file: Path) -> None:
        certificates = certificates_in(certificate_file)
        self.chain = tuple(map(der_of, certificates))
        self._public = certificates[0].public_key()
        signature_algorithm(certificates[0])
        self._module, self._token, self._pin_file, self._label = module, token, pin_file, label
        self._lock = threading.Lock()
        self._session: Any = None
        self._key: Any = None

    def sign(self, data: bytes) -> bytes:
        """Raises SealUnavailableError when the device does not sign."""
        import pkcs11

        with self._lock:
            for last in (False, True):
                try:
                    return self._sign(data)
                except pkcs11.PKCS11Error as error:
                    self._close()
                    if last:
                        raise SealUnavailableError("the signing device does not answer") from error
        raise SealUnavailableError("the signing device does not answer")  # pragma: no cover

    def _sign(self, data: bytes) -> bytes:
        import pkcs11

        key = self._key or self._open()
        if isinstance(self._public, ec.EllipticCurvePublicKey):
            # The device signs a digest; SoftHSM knows no ECDSA with SHA-256 in one step.
            raw = bytes(key.sign(hashlib.sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA))
            half = len(raw) // 2
            return utils.encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
        return bytes(key.sign(data, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))

    def _open(self) -> Any:
        import pkcs11

        pin = self._pin_file.read_text("utf-8").strip()
        token = pkcs11.lib(str(self._module)).get_token(token_label=self._token)
        try:
            self._session = token.open(user_pin=pin)
        except pkcs11.exceptions.UserAlreadyLoggedIn:
            self._session = token.open()  # login is for the whole process
        self._key = self._session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=self._label)
        return self._key

    def _close(self) -> None:
        import pkcs11

        session, self._session, self._key = self._session, None, None
        if session is not None:
            try:
                session.close()
            except pkcs11.PKCS11Error:
                return


class SealUnavailableError(Exception):
    """The sealing key cannot be used just now: nothing is sealed, nothing is lost, it is tried again."""
