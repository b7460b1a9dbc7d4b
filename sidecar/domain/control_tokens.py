"""Control tokens: one of our processes commands another, once, with exactly this request.

A token is bound to method, request target and body, so that one caught on the way is good for nothing else.
"""

import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sidecar.domain.jws import (
    Algorithm,
    JwkSet,
    SigningKey,
    TokenMalformedError,
    TokenRefusedError,
    b64url,
    sign_compact,
    strict_json_object,
    verify_compact,
)
from sidecar.domain.tokens import (
    SKEW,
    TokenSpentError,
    TokenWrongAudienceError,
    TokenWrongIssuerError,
    check_times,
    new_jti,
    read_moment,
)

CONTROL_TYPE = "tillit-control+jwt"  # a type of its own: a join token can never command (RFC 8725 section 3.11)
CONTROL_ALGORITHM: Algorithm = "ES256"
CONTROL_TTL = timedelta(seconds=30)
_CLAIMS = {"iss", "aud", "iat", "exp", "jti", "method", "target", "body_sha256"}
_JTI = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")


class TokenWrongRequestError(TokenRefusedError):
    """The control token is for another request: method, target or body differ."""

    slug = "token-wrong-request"


class SpentIds(Protocol):
    """Token ids already spent: SeenIds, adapters.redis_state.RedisState."""

    def spend(self, jti: str, *, until: datetime, now: datetime) -> bool:
        """Return True the first time an id is seen. Raises StoreUnavailableError where nobody can say."""

    def forget(self, jti: str) -> None:
        """Let an id be spent again: what it stood for was not done after all."""


class SeenIds:
    """Token ids already spent, each kept until its token has expired anyway. One per receiving process.

    Full means no: forgetting an id early would let its token be used again.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._until: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def spend(self, jti: str, *, until: datetime, now: datetime) -> bool:
        """Return True the first time an id is seen, False ever after and while there is no room."""
        with self._lock:
            if jti in self._until:
                return False
            if len(self._until) >= self._capacity:
                self._until = {each: end for each, end in self._until.items() if end > now}
            if len(self._until) >= self._capacity:
                return False
            self._until[jti] = until
            return True

    def forget(self, jti: str) -> None:
        """Let an id be spent again: what it stood for was not done after all."""
        with self._lock:
            self._until.pop(jti, None)

    def __len__(self) -> int:
        return len(self._until)


@dataclass(frozen=True)
class VerifiedControl:
    """A control token that was checked in full and spent."""

    issuer: str
    jti: str
    issued_at: datetime


def mint_control_token(
    *,
    signing_key: SigningKey,
    issuer: str,
    audience: str,
    method: str,
    path: str,
    body: bytes,
    now: datetime,
) -> str:
    """Return the token for one request. path: the request target as sent, query included."""
    issued = int(now.timestamp())
    payload = {
        "iss": issuer,
        "aud": audience,
        "iat": issued,
        "exp": issued + int(CONTROL_TTL.total_seconds()),
        "jti": new_jti(),
        "method": method,
        "target": path,
        "body_sha256": _digest(body),
    }
    return sign_compact(header_type=CONTROL_TYPE, payload=payload, signing_key=signing_key)


def verify_control_token(
    unverified_token: str,
    *,
    jwks: JwkSet,
    expected_issuer: str,
    expected_audience: str,
    method: str,
    path: str,
    body: bytes,
    now: datetime,
    seen: SpentIds,
) -> VerifiedControl:
    """Return who commands this very request, and spend the token.

    path: the request target as received, query included. now: aware UTC; 30 s of skew is forgiven.
    Raises TokenMalformedError, TokenBadSignatureError, TokenWrongIssuerError, TokenWrongAudienceError,
    TokenWrongRequestError, TokenNotYetError, TokenExpiredError, TokenSpentError.
    """
    payload = verify_compact(unverified_token, jwks=jwks, algorithm=CONTROL_ALGORITHM, expected_type=CONTROL_TYPE)
    claims = strict_json_object(payload)
    if claims.keys() != _CLAIMS or not all(isinstance(claims[name], str) for name in _CLAIMS - {"iat", "exp"}):
        raise TokenMalformedError("The control token does not hold exactly what it must.")
    issued_at, expires_at = _times(claims)
    if not _JTI.match(claims["jti"]):
        raise TokenMalformedError("jti is not a token id.")
    if claims["iss"] != expected_issuer:
        raise TokenWrongIssuerError
    if claims["aud"] != expected_audience:
        raise TokenWrongAudienceError
    if (claims["method"], claims["target"], claims["body_sha256"]) != (method, path, _digest(body)):
        raise TokenWrongRequestError
    check_times(issued_at, issued_at, expires_at, now=now)
    if not seen.spend(claims["jti"], until=expires_at + SKEW, now=now):
        raise TokenSpentError
    return VerifiedControl(claims["iss"], claims["jti"], issued_at)


def _times(claims: Mapping[str, Any]) -> tuple[datetime, datetime]:
    issued_at, expires_at = read_moment(claims, "iat"), read_moment(claims, "exp")
    if not issued_at < expires_at <= issued_at + CONTROL_TTL:
        raise TokenMalformedError("The control token's times do not fit one another.")
    return issued_at, expires_at


def _digest(body: bytes) -> str:
    return b64url(hashlib.sha256(body).digest())
