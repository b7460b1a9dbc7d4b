"""The exchange of a code for tokens, with the client proving itself: RFC 6749 section 4.1.3, 7523, 7636."""

import secrets
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tillit_staff_oidc.provider import Metadata, Provider
from tillit_staff_oidc.refusal import Refusal
from tillit_staff_oidc.settings import OidcSettings

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_TTL = timedelta(seconds=60)


def redeem_code(
    provider: Provider,
    settings: OidcSettings,
    *,
    code: str,
    code_verifier: str,
    redirect_uri: str,
    now: datetime,
) -> tuple[str, str]:
    """Return (ID token, access token), neither verified yet. Raises Refusal."""
    metadata = provider.metadata(now)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": code_verifier,
        "client_id": settings.client_id,
    }
    authorization = None
    if settings.client_key is not None:
        form["client_assertion_type"] = ASSERTION_TYPE
        form["client_assertion"] = _assertion(settings, metadata, now)
    elif metadata.basic_secret:
        authorization = quote_plus(settings.client_id), quote_plus(settings.client_secret or "")
    else:
        form["client_secret"] = settings.client_secret or ""
    answer = provider.post(metadata.token_endpoint, form, authorization)
    id_token, access_token = answer.get("id_token"), answer.get("access_token", "")
    if not isinstance(id_token, str) or not isinstance(access_token, str):
        raise Refusal("id-token-missing")
    return id_token, access_token


def _assertion(settings: OidcSettings, metadata: Metadata, now: datetime) -> str:
    """Return a client assertion for this one call."""
    key = settings.client_key
    if key is None:
        raise Refusal("client-key-missing")
    by_issuer = settings.assertion_audience == "issuer"
    claims: dict[str, Any] = {
        "iss": settings.client_id,
        "sub": settings.client_id,
        "aud": settings.issuer if by_issuer else metadata.token_endpoint,
        "jti": secrets.token_urlsafe(24),
        "iat": int(now.timestamp()),
        "exp": int((now + ASSERTION_TTL).timestamp()),
    }
    algorithm = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "PS256"
    headers = {"kid": settings.key_id} if settings.key_id else None
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)
