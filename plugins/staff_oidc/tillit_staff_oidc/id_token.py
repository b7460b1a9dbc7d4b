"""Strict reading of an ID token: OpenID Connect Core 1.0 section 3.1.3.7, RFC 8725."""

import base64
import hashlib
import hmac
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from tillit_staff_oidc.refusal import Refusal

MOST_SIGNS = 32 * 1024
OLDEST = timedelta(minutes=10)  # it came straight from the token endpoint, so it was made just now
KeyFinder = Callable[[str, str], jwt.PyJWK]


@dataclass(frozen=True)
class VerifiedIdToken:
    """The claims of a token whose signature, issuer, audience, times and nonce were right."""

    claims: Mapping[str, Any]
    subject: str
    authenticated_at: datetime
    sha256: str


def verify_id_token(
    unverified_token: str,
    *,
    find_key: KeyFinder,
    algorithms: tuple[str, ...],
    expected_issuer: str,
    expected_audience: str,
    expected_nonce: str,
    access_token: str,
    now: datetime,
    clock_skew: timedelta,
) -> VerifiedIdToken:
    """Return the verified ID token, or raise Refusal. find_key(kid, algorithm) gives the provider's key."""
    claims = _signed_claims(unverified_token, find_key, algorithms)
    if claims.get("iss") != expected_issuer:
        raise Refusal("issuer-mismatch")
    if claims.get("aud") not in (expected_audience, [expected_audience]):
        raise Refusal("audience-mismatch")
    if claims.get("azp", expected_audience) != expected_audience:
        raise Refusal("authorized-party-mismatch")
    _check_times(claims, now, clock_skew)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode("utf-8", "replace"), expected_nonce.encode()):
        raise Refusal("nonce-mismatch")
    if "at_hash" in claims:
        _check_at_hash(claims["at_hash"], access_token)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise Refusal("subject-missing")
    return VerifiedIdToken(
        claims=claims,
        subject=subject,
        authenticated_at=_moment(claims, "auth_time"),
        sha256=hashlib.sha256(unverified_token.encode()).hexdigest(),
    )


def _signed_claims(unverified_token: str, find_key: KeyFinder, algorithms: tuple[str, ...]) -> dict[str, Any]:
    if len(unverified_token) > MOST_SIGNS:
        raise Refusal("token-too-large")
    try:
        header = jwt.get_unverified_header(unverified_token)
    except jwt.PyJWTError as error:
        raise Refusal("token-malformed") from error
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in algorithms:
        raise Refusal("algorithm-not-allowed")
    if not isinstance(kid, str) or not kid:
        raise Refusal("key-id-missing")
    if "crit" in header or str(header.get("typ", "JWT")).upper() != "JWT":
        raise Refusal("token-of-other-type")
    try:
        claims: dict[str, Any] = jwt.decode(
            unverified_token,
            find_key(kid, algorithm),
            algorithms=[algorithm],
            options={  # each is checked here against our own clock and words, one cause each
                "verify_signature": True,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_iss": False,
            },
        )
    except jwt.PyJWTError as error:
        raise Refusal("signature-wrong") from error
    return claims


def _check_times(claims: Mapping[str, Any], now: datetime, clock_skew: timedelta) -> None:
    if now >= _moment(claims, "exp") + clock_skew:
        raise Refusal("token-expired")
    issued_at = _moment(claims, "iat")
    if issued_at > now + clock_skew or issued_at < now - OLDEST:
        raise Refusal("token-of-another-time")
    if "nbf" in claims and _moment(claims, "nbf") > now + clock_skew:
        raise Refusal("token-of-another-time")


def _moment(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refusal(f"claim-missing-{name}")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise Refusal(f"claim-missing-{name}") from error


def _check_at_hash(stated: object, access_token: str) -> None:
    """Compare with the left half of the access token's SHA-256: all our algorithms end in 256."""
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    made = base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    if not isinstance(stated, str) or not hmac.compare_digest(stated.encode("utf-8", "replace"), made.encode()):
        raise Refusal("access-token-hash-mismatch")
