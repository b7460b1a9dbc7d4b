"""The identity service as it describes itself: endpoints and keys, read with suspicion, kept for a while.

Sources: OpenID Connect Discovery 1.0 sections 3 and 4.3, RFC 8414 section 3.3, RFC 7517.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from tillit_staff_oidc.refusal import Refusal
from tillit_staff_oidc.settings import OidcSettings, is_safe_url

TIMEOUT_SECONDS = 5.0
MOST_BYTES = 512 * 1024  # no metadata, key set or token answer has reason to be larger
METADATA_TTL = timedelta(hours=1)
KEYS_TTL = timedelta(minutes=10)  # so long a withdrawn key can still verify
KEY_FETCHES_A_MINUTE = 3  # an unknown kid makes us look again, but nobody can make us hammer the service
_KEY_TYPES = {"ES256": "EC", "RS256": "RSA", "PS256": "RSA"}


@dataclass(frozen=True)
class Metadata:
    """The parts of the discovery document the sign-in uses."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    basic_secret: bool
    sends_issuer: bool
    takes_claims: bool


class Provider:
    """One identity service. Safe to call from several threads."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._metadata: tuple[datetime, Metadata] | None = None
        self._keys: tuple[datetime, list[Mapping[str, Any]]] | None = None
        self._fetches: list[datetime] = []

    def metadata(self, now: datetime) -> Metadata:
        """Return the metadata, at most an hour old. Raises Refusal."""
        with self._lock:
            if self._metadata is None or now - self._metadata[0] > METADATA_TTL:
                url = self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
                self._metadata = now, self._checked(self._get(url))
            return self._metadata[1]

    def key(self, *, kid: str, algorithm: str, now: datetime) -> jwt.PyJWK:
        """Return the one key with this kid that may verify this algorithm. Raises Refusal."""
        jwks_uri = self.metadata(now).jwks_uri
        with self._lock:
            if self._keys is None or now - self._keys[0] > KEYS_TTL:
                self._fetch_keys(jwks_uri, now)
            found = self._find(kid)
            if found is None:  # rotated since we looked
                self._fetch_keys(jwks_uri, now)
                found = self._find(kid)
        if found is None:
            raise Refusal("key-unknown")
        return _usable(found, algorithm)

    def post(self, url: str, form: Mapping[str, str], authorization: tuple[str, str] | None) -> dict[str, Any]:
        """Return the JSON object a form post is answered with. Raises Refusal."""
        return self._call("POST", url, form, authorization)

    def _get(self, url: str) -> dict[str, Any]:
        return self._call("GET", url, None, None)

    def _find(self, kid: str) -> Mapping[str, Any] | None:
        matching = [key for key in (self._keys[1] if self._keys else []) if key.get("kid") == kid]
        if len(matching) > 1:
            raise Refusal("key-ambiguous")
        return matching[0] if matching else None

    def _fetch_keys(self, url: str, now: datetime) -> None:
        self._fetches = [at for at in self._fetches if now - at < timedelta(minutes=1)]
        if len(self._fetches) >= KEY_FETCHES_A_MINUTE:
            raise Refusal("key-unknown")
        self._fetches.append(now)
        keys = self._get(url).get("keys")
        if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
            raise Refusal("keys-malformed")
        self._keys = now, keys

    def _checked(self, document: dict[str, Any]) -> Metadata:
        if document.get("issuer") != self._settings.issuer:
            raise Refusal("metadata-other-issuer")
        urls = [document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        for url in urls:
            if not isinstance(url, str) or not is_safe_url(url):
                raise Refusal("metadata-endpoint-unsafe")
            if urlsplit(url).hostname not in self._settings.hosts:
                raise Refusal("metadata-endpoint-elsewhere")
        if "code" not in _listed(document, "response_types_supported", "code"):
            raise Refusal("metadata-no-code-flow")
        if "S256" not in _listed(document, "code_challenge_methods_supported", "S256"):
            raise Refusal("metadata-no-pkce")
        methods = _listed(document, "token_endpoint_auth_methods_supported", "client_secret_basic")
        secret_ways = ["client_secret_basic", "client_secret_post"]
        wanted = ["private_key_jwt"] if self._settings.client_key else secret_ways
        if not any(way in methods for way in wanted):
            raise Refusal("metadata-no-client-authentication")
        return Metadata(
            authorization_endpoint=str(urls[0]),
            token_endpoint=str(urls[1]),
            jwks_uri=str(urls[2]),
            basic_secret="client_secret_basic" in methods,
            sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
            takes_claims=document.get("claims_parameter_supported") is True,
        )

    def _call(
        self,
        method: str,
        url: str,
        form: Mapping[str, str] | None,
        authorization: tuple[str, str] | None,
    ) -> dict[str, Any]:
        with requests.Session() as session:
            session.trust_env = False  # no .netrc, no proxy that nobody configured here
            try:
                response = session.request(
                    method,
                    url,
                    data=form,
                    auth=authorization,
                    headers={"Accept": "application/json"},
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                    verify=self._settings.ca_file or True,
                    stream=True,
                )
                body = bytearray()
                for chunk in response.iter_content(16 * 1024):
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise Refusal("provider-answer-too-large")
            except (requests.RequestException, OSError) as error:
                raise Refusal("provider-unreachable") from error
        if response.status_code != 200:
            raise Refusal(f"provider-answered-{response.status_code}")
        try:
            answer = json.loads(bytes(body))
        except ValueError as error:
            raise Refusal("provider-answer-malformed") from error
        if not isinstance(answer, dict):
            raise Refusal("provider-answer-malformed")
        return answer


def _listed(document: Mapping[str, Any], name: str, default: str) -> list[Any]:
    """Return a list of the metadata; a provider that says nothing means the default."""
    value = document.get(name, [default])
    if not isinstance(value, list):
        raise Refusal("metadata-malformed")
    return value


def _usable(key: Mapping[str, Any], algorithm: str) -> jwt.PyJWK:
    """Return the key for this algorithm, unless it is meant for something else or too weak."""
    if key.get("kty") != _KEY_TYPES[algorithm] or key.get("alg", algorithm) != algorithm:
        raise Refusal("key-of-other-kind")
    if key.get("use", "sig") != "sig" or (algorithm == "ES256" and key.get("crv") != "P-256"):
        raise Refusal("key-of-other-kind")
    try:
        usable = jwt.PyJWK(dict(key), algorithm=algorithm)
    except jwt.PyJWTError as error:
        raise Refusal("key-malformed") from error
    if isinstance(usable.key, rsa.RSAPublicKey) and usable.key.key_size < 2048:
        raise Refusal("key-too-short")
    return usable
