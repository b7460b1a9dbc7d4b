"""What the provider remembers: requests under way, codes, browser sessions. In memory; a restart forgets."""

import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simulators.identity_service.people import FACTORS, PEOPLE, RANK, Factors, Person

CODE_SECONDS = 60  # RFC 6749 section 4.1.2 asks for at most ten minutes
REQUEST_SECONDS = 900


class OAuthError(Exception):
    """An error the protocol has a name for. description: for the developer on the other side."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class NoRedirectError(OAuthError):
    """The client or its address is unknown, so the browser is not sent anywhere. RFC 6749 section 4.1.2.1."""


@dataclass(frozen=True)
class AuthorizationRequest:
    """A checked authorization request. max_age in seconds, None when not asked for."""

    client_id: str
    redirect_uri: str
    state: str
    nonce: str
    code_challenge: str
    scope: str
    prompt: frozenset[str]
    max_age: int | None
    acr_values: tuple[str, ...]
    acr_essential: bool


@dataclass(frozen=True)
class SignedIn:
    """Who signed in, how, and when (seconds since 1970)."""

    person: Person
    factors: Factors
    at: float
    session: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def satisfies(self, asked: AuthorizationRequest, now: float) -> bool:
        """Return whether this earlier sign-in answers a request without asking the person again."""
        if asked.prompt & {"login", "select_account", "consent"}:
            return False
        if asked.max_age is not None and now - self.at > asked.max_age:
            return False
        return self.reaches(asked)

    def reaches(self, asked: AuthorizationRequest) -> bool:
        ranks = [RANK[acr] for acr in asked.acr_values if acr in RANK]
        return not asked.acr_values or (bool(ranks) and self.factors.rank >= min(ranks))


@dataclass(frozen=True)
class Grant:
    request: AuthorizationRequest
    who: SignedIn
    issued_at: float


@dataclass(frozen=True)
class Client:
    """The one registered client. redirect_uris are compared letter by letter."""

    client_id: str
    redirect_uris: frozenset[str]
    secret: str
    jwk: Mapping[str, Any]


class Memory:
    """Requests, codes and sessions, each handed out once or until it ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[str, tuple[float, AuthorizationRequest]] = {}
        self._grants: dict[str, Grant] = {}
        self._sessions: dict[str, SignedIn] = {}

    def keep_request(self, asked: AuthorizationRequest) -> str:
        with self._lock:
            ticket = secrets.token_urlsafe(24)
            self._requests[ticket] = (time.time(), asked)
            return ticket

    def take_request(self, ticket: str) -> AuthorizationRequest:
        """Return the request of a shown page, once. Raises NoRedirectError."""
        with self._lock:
            kept = self._requests.pop(ticket, None)
        if kept is None or time.time() - kept[0] > REQUEST_SECONDS:
            raise NoRedirectError("invalid_request", "this page was already used, or was open too long")
        return kept[1]

    def keep_grant(self, asked: AuthorizationRequest, who: SignedIn) -> str:
        with self._lock:
            code = secrets.token_urlsafe(32)
            self._grants[code] = Grant(asked, who, time.time())
            return code

    def take_grant(self, code: str) -> Grant:
        """Return what a code stands for, once. Raises OAuthError("invalid_grant")."""
        with self._lock:
            grant = self._grants.pop(code, None)
        if grant is None or time.time() - grant.issued_at > CODE_SECONDS:
            raise OAuthError("invalid_grant", "the code is unknown, used or too old")
        return grant

    def keep_session(self, who: SignedIn) -> str:
        with self._lock:
            self._sessions[who.session] = who
            return who.session

    def find_session(self, key: str | None) -> SignedIn | None:
        with self._lock:
            return self._sessions.get(key or "")

    def drop_session(self, key: str | None) -> None:
        with self._lock:
            self._sessions.pop(key or "", None)


def read_request(arguments: Mapping[str, list[str]], client: Client) -> AuthorizationRequest:
    """Check an authorization request. Raises NoRedirectError first, then OAuthError to be sent back."""
    asked = {name: values[0] for name, values in arguments.items()}
    if asked.get("client_id") != client.client_id:
        raise NoRedirectError("invalid_request", "this client is not registered here")
    if asked.get("redirect_uri") not in client.redirect_uris:
        raise NoRedirectError("invalid_request", "this redirect_uri is not registered for the client")
    if any(len(values) > 1 for values in arguments.values()):
        raise OAuthError("invalid_request", "a parameter came twice")
    if asked.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "only response_type=code")
    if "openid" not in asked.get("scope", "").split():
        raise OAuthError("invalid_scope", "the scope must hold openid")
    if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
        raise OAuthError("invalid_request", "PKCE with S256 is required")
    if "request" in asked or "request_uri" in asked:
        raise OAuthError("request_not_supported", "request objects are not supported")
    essential = _essential_acr(asked.get("claims"))
    max_age = asked.get("max_age")
    if max_age is not None and not max_age.isdigit():
        raise OAuthError("invalid_request", "max_age is a number of seconds")
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=asked["redirect_uri"],
        state=asked.get("state", ""),
        nonce=asked.get("nonce", ""),
        code_challenge=asked["code_challenge"],
        scope=asked["scope"],
        prompt=frozenset(asked.get("prompt", "").split()),
        max_age=int(max_age) if max_age is not None else None,
        acr_values=essential or tuple(asked.get("acr_values", "").split()),
        acr_essential=bool(essential),
    )


def _essential_acr(claims: str | None) -> tuple[str, ...]:
    """Return the acr values a claims request makes binding. OpenID Connect Core 1.0 section 5.5.1.1."""
    if claims is None:
        return ()
    try:
        wanted = json.loads(claims).get("id_token", {}).get("acr") or {}
        values = wanted.get("values") or ([wanted["value"]] if "value" in wanted else [])
        return tuple(str(value) for value in values) if wanted.get("essential") else ()
    except (ValueError, AttributeError, TypeError) as error:
        raise OAuthError("invalid_request", "claims is not the JSON it should be") from error


def chosen(person: str, factors: str) -> SignedIn:
    """Return a sign-in just made on the page. Raises NoRedirectError for what the page does not offer."""
    if person not in PEOPLE or factors not in FACTORS:
        raise NoRedirectError("invalid_request", "this choice is not on the page")
    return SignedIn(PEOPLE[person], FACTORS[factors], time.time())
