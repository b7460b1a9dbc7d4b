"""Who calls the token endpoint: a client secret, or a signed assertion (RFC 7523 section 2.2)."""

import base64
import binascii
import hmac
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

import jwt

from simulators.identity_service.provider import Client, OAuthError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class ClientGate:
    """Lets the registered client in, and each assertion once."""

    def __init__(self, client: Client, audiences: frozenset[str]) -> None:
        self._client = client
        self._audiences = audiences
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}

    def check(self, form: Mapping[str, str], authorization: str | None) -> None:
        """Raise OAuthError("invalid_client") unless exactly one method proves the client."""
        ways = [authorization is not None, "client_secret" in form, "client_assertion" in form]
        if sum(ways) != 1:
            raise OAuthError("invalid_client", "exactly one way of client authentication")
        if authorization is not None:
            self._check_secret(*_basic(authorization))
        elif "client_secret" in form:
            self._check_secret(form.get("client_id", ""), form["client_secret"])
        else:
            self._check_assertion(form)

    def _check_secret(self, client_id: str, secret: str) -> None:
        known = hmac.compare_digest(client_id.encode(), self._client.client_id.encode())
        right = hmac.compare_digest(secret.encode(), self._client.secret.encode())
        if not (known and right):
            raise OAuthError("invalid_client", "unknown client or wrong secret")

    def _check_assertion(self, form: Mapping[str, str]) -> None:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise OAuthError("invalid_client", "this client_assertion_type is not supported")
        try:
            key = jwt.PyJWK(dict(self._client.jwk), algorithm="ES256")
            claims: dict[str, Any] = jwt.decode(
                form["client_assertion"],
                key,
                algorithms=["ES256"],
                audience=sorted(self._audiences),
                issuer=self._client.client_id,
                subject=self._client.client_id,
                options={"require": ["iss", "sub", "aud", "exp", "jti"]},
            )
        except jwt.PyJWTError as error:
            raise OAuthError("invalid_client", "the client assertion does not verify") from error
        now = time.time()
        with self._lock:
            self._seen = {jti: end for jti, end in self._seen.items() if end > now}
            if claims["jti"] in self._seen or claims["exp"] > now + 600:
                raise OAuthError("invalid_client", "the client assertion was used before or lasts too long")
            self._seen[claims["jti"]] = float(claims["exp"])


def _basic(authorization: str) -> tuple[str, str]:
    """Return client id and secret, each form-decoded (RFC 6749 section 2.3.1)."""
    scheme, _, value = authorization.partition(" ")
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OAuthError("invalid_client", "the Authorization header is not of its form") from error
    if scheme.lower() != "basic":
        raise OAuthError("invalid_client", "only Basic is supported here")
    return unquote_plus(name), unquote_plus(secret)
