"""The keys reports are believed by: public, of one curve, and two while one replaces the other."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from sidecar.adapters.reporters import read_reporter_keys
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.jws import local_signing_key, new_private_key

SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


def pem(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, SPKI)


def test_one_key_or_two_are_read_under_their_thumbprints(tmp_path: Path) -> None:
    keys = [local_signing_key("ES256", new_private_key("ES256")) for _ in range(2)]
    texts = [pem(key.private_key.public_key()) for key in keys]
    path = tmp_path / "events.pub.pem"
    path.write_bytes(texts[0])
    assert read_reporter_keys(path).kids == {keys[0].kid}
    path.write_bytes(b"\n".join(texts) + b"\n\n")
    assert read_reporter_keys(path).kids == {key.kid for key in keys}


def private() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "holds no public key in PEM"),
        (b"ssh-ed25519 AAAA", "holds no public key in PEM"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "holds no public key in PEM"),
        (private(), "holds no public key in PEM"),
        (pem(ec.generate_private_key(ec.SECP384R1()).public_key()), "another key than one of P-256"),
        (pem(ed25519.Ed25519PrivateKey.generate().public_key()), "another key than one of P-256"),
    ],
    ids=["empty", "ssh", "cut", "private", "P-384", "Ed25519"],
)
def test_any_other_file_stops_the_start(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "events.pub.pem"
    path.write_bytes(text)
    with pytest.raises(ConfigurationError, match=message):
        read_reporter_keys(path)


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no public key"):
        read_reporter_keys(tmp_path / "nothing.pem")
