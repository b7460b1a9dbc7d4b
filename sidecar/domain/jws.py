"""Compact JSON Web Signatures, read strictly: one algorithm, one form of every byte, a closed header.

Source: RFC 7515 section 3.1 (compact form), RFC 7517 (keys), RFC 7518 section 3 (algorithms), RFC 8725.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal, NoReturn, Protocol, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from sidecar.domain.errors import ConfigurationError, TillitError

Algorithm = Literal["ES256", "RS256", "EdDSA"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

ALGORITHMS: frozenset[str] = frozenset(get_args(Algorithm))
MAX_TOKEN_BYTES = 8192  # a full join token is about 1.6 kB; Prosody and most proxies stop a URL near 8 kB
_P256_BYTES = 32  # RFC 7518 section 3.4: r and s are 32 bytes each, big-endian
_RSA_LEAST_BITS = 2048  # RFC 7518 section 3.3
_RSA_EXPONENT = 65537  # the only one our own keys use; 1 and 3 make forgeries easy
# A flawed smart-card library (CVE-2017-15361, "ROCA") made primes out of powers of 65537, and its keys can be
# factored. Such a modulus is a power of 65537 modulo each of these primes; another one is, once in 2^27.
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
# No slash, no leading dot, nothing a file system, a URL or a shell reads as more than a name.
_KID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.@-]{0,63}\Z")


class TokenRefusedError(TillitError):
    """The token does not open this door."""

    slug = "token-refused"


class TokenMalformedError(TokenRefusedError):
    """The token is not of the one form we accept."""

    slug = "token-malformed"


class TokenBadSignatureError(TokenRefusedError):
    """The token's signature, or the key it names, is not ours. The two are not told apart."""

    slug = "token-bad-signature"


def b64url(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64url(text: str) -> bytes:
    """Return the bytes of canonical base64url: no padding, no stray sign, no leftover bits.

    Two texts for one value would make two tokens of one signature. Raises TokenMalformedError.
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise TokenMalformedError("A part is not base64url.") from error
    if b64url(data) != text:
        raise TokenMalformedError("A part is not in the canonical form of base64url.")
    return data


def strict_json_object(data: bytes) -> dict[str, Any]:
    """Return a JSON object of strings, booleans, integers, arrays, objects and null.

    Parsers differ on a key given twice and on fractions, so neither is accepted, at any depth.
    Raises TokenMalformedError. Source: RFC 8725 section 2.4, advisory JSA-2023-0001.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object_without_duplicates,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except (ValueError, RecursionError) as error:
        raise TokenMalformedError("A part is not a JSON object.") from error
    if not isinstance(value, dict):
        raise TokenMalformedError("A part is not a JSON object.")
    return value


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise TokenMalformedError("A JSON key is given twice.")
    return found


def _refuse_number(text: str) -> NoReturn:
    raise TokenMalformedError("A number is not a whole number.")


class SigningKey(Protocol):
    """A private key that signs and never shows itself: LocalSigningKey, or one inside an HSM."""

    @property
    def kid(self) -> str: ...
    @property
    def algorithm(self) -> Algorithm: ...
    def sign(self, data: bytes) -> bytes:
        """Return the raw signature: 64 bytes r||s (ES256), 64 bytes (EdDSA), the modulus' length (RS256)."""

    def public_jwk(self) -> dict[str, Any]:
        """Return the public key as a JWK with kid, use and alg."""


@dataclass(frozen=True)
class LocalSigningKey:
    """A signing key held in this process. Loaded once: parsing a PEM costs a sixth of a signature."""

    kid: str
    algorithm: Algorithm
    private_key: PrivateKey = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.private_key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private_key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")
        if isinstance(self.private_key, rsa.RSAPrivateKey):
            return self.private_key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.private_key.sign(data)

    def public_jwk(self) -> dict[str, Any]:
        return {"kid": self.kid, "use": "sig", "alg": self.algorithm} | _key_members(self.private_key.public_key())


def new_private_key(algorithm: Algorithm) -> PrivateKey:
    """Return a fresh private key for the algorithm."""
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=_RSA_EXPONENT, key_size=_RSA_LEAST_BITS)
    return ed25519.Ed25519PrivateKey.generate()


def local_signing_key(algorithm: Algorithm, private_key: PrivateKey) -> LocalSigningKey:
    """Return the key under its RFC 7638 thumbprint, so that a kid can never name two keys."""
    jwk = public_jwk_of(algorithm, private_key.public_key())
    return LocalSigningKey(jwk["kid"], algorithm, private_key)


def public_jwk_of(algorithm: Algorithm, public_key: PublicKey) -> dict[str, Any]:
    """Return a public key as a JWK under its RFC 7638 thumbprint. Raises ConfigurationError where they do not fit."""
    members = _key_members(public_key)
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode("ascii")
    jwk = {"kid": b64url(hashlib.sha256(canonical).digest()), "use": "sig", "alg": algorithm} | members
    _read_verify_key(jwk)
    return jwk


def _key_members(public_key: PublicKey) -> dict[str, str]:
    """Return the members of RFC 7638 section 3.2 that make up the key."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        if not isinstance(public_key.curve, ec.SECP256R1):
            raise ConfigurationError("An EC key must be on the curve P-256.")
        point = public_key.public_numbers()
        x, y = point.x.to_bytes(_P256_BYTES, "big"), point.y.to_bytes(_P256_BYTES, "big")
        return {"crv": "P-256", "kty": "EC", "x": b64url(x), "y": b64url(y)}
    if isinstance(public_key, rsa.RSAPublicKey):
        numbers = public_key.public_numbers()
        return {"e": _unsigned(numbers.e), "kty": "RSA", "n": _unsigned(numbers.n)}
    return {"crv": "Ed25519", "kty": "OKP", "x": b64url(public_key.public_bytes_raw())}


def _unsigned(number: int) -> str:
    return b64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class VerifyKey:
    """A public key and the one algorithm it is for."""

    kid: str
    algorithm: Algorithm
    public_key: PublicKey = field(repr=False)

    def check(self, data: bytes, unverified_signature: bytes) -> None:
        """Return if the signature is this key's over the data, else raise TokenBadSignatureError."""
        try:
            if isinstance(self.public_key, ec.EllipticCurvePublicKey):
                # Exactly r||s: DER and padded forms would be a second spelling of the same signature.
                if len(unverified_signature) != 2 * _P256_BYTES:
                    raise InvalidSignature
                r = int.from_bytes(unverified_signature[:_P256_BYTES], "big")
                s = int.from_bytes(unverified_signature[_P256_BYTES:], "big")
                self.public_key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
            elif isinstance(self.public_key, rsa.RSAPublicKey):
                self.public_key.verify(unverified_signature, data, padding.PKCS1v15(), hashes.SHA256())
            else:
                self.public_key.verify(unverified_signature, data)
        except InvalidSignature as error:
            raise TokenBadSignatureError from error


class JwkSet:
    """Public keys by kid. Holds signature keys only, each for one algorithm, no two of one kid."""

    def __init__(self, jwks: Iterable[Mapping[str, Any]]) -> None:
        """Read keys as JWK mappings. Raises ConfigurationError: a doubtful key spoils the whole set."""
        self._jwks = tuple(dict(jwk) for jwk in jwks)
        self._keys: dict[str, VerifyKey] = {}
        for jwk in self._jwks:
            key = _read_verify_key(jwk)
            if key.kid in self._keys:
                raise ConfigurationError(f"The key set names kid {key.kid!r} twice.")
            self._keys[key.kid] = key

    @classmethod
    def from_json(cls, data: bytes) -> "JwkSet":
        """Read a JWKS document, {"keys": [...]}. Raises ConfigurationError."""
        try:
            keys = strict_json_object(data).get("keys")
        except TokenMalformedError as error:
            raise ConfigurationError("The key set is not JSON.") from error
        if not isinstance(keys, list) or not all(isinstance(jwk, dict) for jwk in keys):
            raise ConfigurationError("The key set has no list of keys.")
        return cls(keys)

    def document(self) -> dict[str, Any]:
        """Return the document to publish at a jwks_uri."""
        return {"keys": [dict(jwk) for jwk in self._jwks]}

    @cached_property
    def kids(self) -> frozenset[str]:
        return frozenset(self._keys)

    def find(self, kid: str, algorithm: str) -> VerifyKey | None:
        """Return the key of that kid if it is for that algorithm."""
        key = self._keys.get(kid)
        return key if key is not None and key.algorithm == algorithm else None


def _read_verify_key(jwk: Mapping[str, Any]) -> VerifyKey:
    kid, algorithm = jwk.get("kid"), jwk.get("alg")
    if not isinstance(kid, str) or not _KID.match(kid):
        raise ConfigurationError("A key of the set has no plain kid.")
    if algorithm not in ALGORITHMS:
        raise ConfigurationError(f"Key {kid}: its alg is none of {', '.join(sorted(ALGORITHMS))}.")
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        raise ConfigurationError(f"Key {kid}: it is not for checking signatures.")
    if not {"d", "p", "q", "k"}.isdisjoint(jwk):
        raise ConfigurationError(f"Key {kid}: a published key must not carry private members.")
    try:
        return VerifyKey(kid, algorithm, _read_public_key(algorithm, jwk))
    except (KeyError, TypeError, ValueError, TokenMalformedError) as error:
        raise ConfigurationError(f"Key {kid}: its members are not those of a {algorithm} key.") from error


def _read_public_key(algorithm: Algorithm, jwk: Mapping[str, Any]) -> PublicKey:
    kind = (jwk["kty"], jwk.get("crv"))
    if algorithm == "ES256" and kind == ("EC", "P-256"):
        x, y = unb64url(jwk["x"]), unb64url(jwk["y"])
        if len(x) != _P256_BYTES or len(y) != _P256_BYTES:
            raise ValueError("a coordinate of P-256 is 32 bytes")
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
        return numbers.public_key()  # raises ValueError for a point off the curve
    if algorithm == "RS256" and kind == ("RSA", None):
        n, e = int.from_bytes(unb64url(jwk["n"]), "big"), int.from_bytes(unb64url(jwk["e"]), "big")
        if n.bit_length() < _RSA_LEAST_BITS or e != _RSA_EXPONENT:
            raise ValueError("an RSA key has 2048 bits or more and the exponent 65537")
        if all(n % prime in {pow(_RSA_EXPONENT, k, prime) for k in range(prime)} for prime in _ROCA_PRIMES):
            raise ValueError("the RSA key was made by a library whose keys can be factored")
        return rsa.RSAPublicNumbers(e, n).public_key()
    if algorithm == "EdDSA" and kind == ("OKP", "Ed25519"):
        return ed25519.Ed25519PublicKey.from_public_bytes(unb64url(jwk["x"]))
    raise ValueError("key type and algorithm differ")


def sign_compact(*, header_type: str, payload: Mapping[str, Any], signing_key: SigningKey) -> str:
    """Return the compact JWS of a JSON object."""
    header = _header(signing_key.algorithm, signing_key.kid, header_type)
    signing_input = f"{header}.{b64url(_compact_json(payload))}"
    return f"{signing_input}.{b64url(signing_key.sign(signing_input.encode('ascii')))}"


@lru_cache(maxsize=64)
def _header(algorithm: str, kid: str, header_type: str) -> str:
    """Return the first part of a token: the same for all that a key signs."""
    return b64url(_compact_json({"alg": algorithm, "kid": kid, "typ": header_type}))


def _compact_json(value: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(value).encode("utf-8")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def verify_compact(unverified_token: str, *, jwks: JwkSet, algorithm: str, expected_type: str | None) -> bytes:
    """Return the payload of a compact JWS that one of our keys signed.

    algorithm: the one the configuration fixed; the header may only repeat it. expected_type: what `typ` must
    be, to the letter; None means that the header must not have one.
    Raises TokenMalformedError, TokenBadSignatureError. Source: RFC 7515 section 5.2, RFC 8725 section 3.
    """
    if algorithm not in ALGORITHMS:
        raise ConfigurationError(f"{algorithm!r} is not an algorithm we verify.")
    if len(unverified_token) > MAX_TOKEN_BYTES:
        raise TokenMalformedError("The token is too long.")
    parts = unverified_token.split(".")
    if len(parts) != 3:
        raise TokenMalformedError("The token does not have three parts.")
    header, payload, signature = (unb64url(part) for part in parts)
    key = _key_named_by(strict_json_object(header), jwks, algorithm, expected_type)
    key.check(unverified_token.rpartition(".")[0].encode("ascii"), signature)
    return payload


def _key_named_by(
    unverified_header: Mapping[str, Any], jwks: JwkSet, algorithm: str, expected_type: str | None
) -> VerifyKey:
    # A closed list: jku, jwk, x5u, x5c would bring the token's own key; crit and b64 change the reading.
    if set(unverified_header) != {"alg", "kid"} | ({"typ"} if expected_type is not None else set()):
        raise TokenMalformedError("The header does not hold exactly what it must.")
    if unverified_header["alg"] != algorithm or unverified_header.get("typ") != expected_type:
        raise TokenMalformedError("The header names another algorithm or another kind of token.")
    kid = unverified_header["kid"]
    if not isinstance(kid, str) or not _KID.match(kid):
        raise TokenMalformedError("The kid is not a plain name.")
    key = jwks.find(kid, algorithm)
    if key is None:
        raise TokenBadSignatureError
    return key
