"""The ID token: honest by default, wrong where a fault asks for it."""

import base64
import hashlib
import hmac
import json
import threading
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from simulators.common.files import keep_ec_key, write_private
from simulators.identity_service.faults import Faults
from simulators.identity_service.people import ACR_VALUES
from simulators.identity_service.provider import Client, Grant

TOKEN_SECONDS = 300

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Signer:
    """The provider's signing keys: ES256 and RS256, the newest of one algorithm signs."""

    def __init__(self, folder: Path, algorithm: str) -> None:
        self.algorithm = algorithm
        self._lock = threading.Lock()
        self._ec = [keep_ec_key(folder / "provider-es256.pem")]
        self._rsa = [_keep_rsa_key(folder / "provider-rs256.pem")]

    def rotate(self) -> None:
        """Sign with a fresh key from now on, and still publish the one before."""
        with self._lock:
            self._ec = [ec.generate_private_key(ec.SECP256R1()), *self._ec[:1]]
            self._rsa = [rsa.generate_private_key(65537, 2048), *self._rsa[:1]]

    def current(self) -> tuple[SigningKey, str]:
        """Return the key that signs, and its kid."""
        with self._lock:
            key: SigningKey = self._ec[0] if self.algorithm == "ES256" else self._rsa[0]
        return key, str(public_jwk(key)["kid"])

    def jwks(self) -> dict[str, Any]:
        with self._lock:
            keys: list[SigningKey] = [*self._ec, *self._rsa]
        return {"keys": [public_jwk(key) for key in keys]}


def public_jwk(key: SigningKey) -> dict[str, Any]:
    """Return the public half as a JWK whose kid is its thumbprint (RFC 7638)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        jwk: dict[str, Any] = dict(ECAlgorithm.to_jwk(key.public_key(), as_dict=True))
        algorithm, members = "ES256", ["crv", "kty", "x", "y"]
    else:
        jwk = dict(RSAAlgorithm.to_jwk(key.public_key(), as_dict=True))
        algorithm, members = "RS256", ["e", "kty", "n"]
    jwk.pop("key_ops", None)
    canonical = "{" + ",".join(f'"{name}":"{jwk[name]}"' for name in members) + "}"
    kid = _base64url(hashlib.sha256(canonical.encode()).digest())
    return jwk | {"use": "sig", "alg": algorithm, "kid": kid}


def mint(*, issuer: str, client: Client, grant: Grant, access_token: str, signer: Signer, faults: Faults) -> str:
    """Return the signed ID token for a grant, with the faults that are switched on."""
    now = int(time.time())
    person, factors = grant.who.person, grant.who.factors
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": person.subject,
        "aud": client.client_id,
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "auth_time": int(grant.who.at),
        "nonce": grant.request.nonce,
        "acr": factors.acr,
        "amr": list(factors.amr),
        "at_hash": _base64url(hashlib.sha256(access_token.encode()).digest()[:16]),
        "sid": grant.who.session,
        "name": person.name,
        "title": person.title,
        "office": person.office,
        "groups": list(person.groups),
    }
    _spoil_claims(claims, faults, now)
    return _sign(claims, client, signer, faults)


def _spoil_claims(claims: dict[str, Any], faults: Faults, now: int) -> None:
    if faults.on("wrong_nonce"):
        claims["nonce"] = "of-another-request"
    if faults.on("missing_nonce"):
        del claims["nonce"]
    if faults.on("expired"):
        claims |= {"iat": now - 3600, "exp": now - 3300}
    if faults.on("issued_in_future"):
        claims["iat"] = now + 3600
    if faults.on("other_audience"):
        claims["aud"] = "another-client"
    if faults.on("more_audiences"):
        claims["aud"] = [claims["aud"], "another-client"]
    if faults.on("other_azp"):
        claims["azp"] = "another-client"
    if faults.on("other_issuer"):
        claims["iss"] = "https://other.example"
    if faults.on("old_auth_time"):
        claims["auth_time"] = now - 7 * 24 * 3600
    if faults.on("earlier_auth_time"):
        claims["auth_time"] = now - 30
    if faults.on("missing_auth_time"):
        del claims["auth_time"]
    if faults.on("one_factor"):
        claims["amr"] = ["pwd"]
    if faults.on("no_amr"):
        del claims["amr"]
    if faults.on("low_acr"):
        claims["acr"] = ACR_VALUES[0]
    if faults.on("wrong_at_hash"):
        claims["at_hash"] = _base64url(b"0123456789abcdef")
    if faults.on("empty_name"):
        claims["name"] = "  "
    if faults.on("groups_as_text"):
        claims["groups"] = {"bank-administrators": True}
    if faults.on("no_groups"):
        del claims["groups"]


def _sign(claims: dict[str, Any], client: Client, signer: Signer, faults: Faults) -> str:
    key, kid = signer.current()
    headers: dict[str, Any] = {"kid": kid}
    if faults.on("alg_none"):
        return jwt.encode(claims, "", algorithm="none", headers=headers)
    if faults.on("alg_hs256"):  # the public key taken for a shared secret: RFC 8725 section 2.1
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return _hs256(claims, public, kid)
    if faults.on("wrong_key"):
        other = isinstance(key, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1()) if other else rsa.generate_private_key(65537, 2048)
    if faults.on("unknown_kid"):
        headers["kid"] = "nobody-knows-me"
    if faults.on("no_kid"):
        headers.pop("kid")
    if faults.on("access_token_type"):
        headers["typ"] = "at+jwt"
    return jwt.encode(claims, key, algorithm=signer.algorithm, headers=headers)


def _hs256(claims: dict[str, Any], secret: bytes, kid: str) -> str:
    """Return an HS256 token by hand: the library refuses to take a public key for a secret, as it should."""
    parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": kid}, claims)]
    mac = hmac.digest(secret, ".".join(parts).encode(), "sha256")
    return ".".join((*parts, _base64url(mac)))


def _keep_rsa_key(path: Path) -> rsa.RSAPrivateKey:
    if not path.exists():
        fresh = rsa.generate_private_key(65537, 2048)
        pem = fresh.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(path, pem)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{path.name} is not an RSA key")
    return key


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
