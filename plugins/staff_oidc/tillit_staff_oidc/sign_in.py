"""The sign-in itself: out to the bank's identity service, and back with an assertion or one plain refusal."""

import base64
import hashlib
import hmac
import json
import logging
import secrets
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode

from sidecar.plugin_api import StaffAssertion, StaffRedirect, StaffSignInError, from_text, to_text
from tillit_staff_oidc.factors import judge
from tillit_staff_oidc.id_token import VerifiedIdToken, verify_id_token
from tillit_staff_oidc.provider import Metadata, Provider
from tillit_staff_oidc.refusal import Refusal
from tillit_staff_oidc.settings import Demand, OidcSettings
from tillit_staff_oidc.token_request import redeem_code

log = logging.getLogger(__name__)

STATE_TTL = timedelta(minutes=10)
_STATE_KEYS = {"state", "nonce", "code_verifier", "redirect_uri", "purpose", "began_at"}
# What the log may repeat of the provider's error; anything else is written by whoever made the link.
_KNOWN_ERRORS = frozenset(
    {
        "access_denied",
        "invalid_request",
        "login_required",
        "interaction_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unmet_authentication_requirements",
    }
)


class StaffOidc:
    """Implements StaffSignIn. The state it hands out is good for one return, within ten minutes."""

    def __init__(self, name: str, settings: OidcSettings) -> None:
        self.name = name
        self._settings = settings
        self._provider = Provider(settings)
        self._lock = threading.Lock()
        self._spent: dict[str, datetime] = {}

    def begin(self, *, redirect_uri: str, purpose: Literal["desk", "call"], now: datetime) -> StaffRedirect:
        """Return where to send the browser. Raises StaffSignInError when the service cannot be used."""
        try:
            metadata, demand = self._provider.metadata(now), self._demand(purpose)
        except Refusal as refusal:
            raise self._refused(refusal, purpose) from refusal
        verifier = secrets.token_urlsafe(64)
        state = {
            "state": secrets.token_urlsafe(32),
            "nonce": secrets.token_urlsafe(32),
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
            "purpose": purpose,
            "began_at": to_text(now),
        }
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": state["state"],
            "nonce": state["nonce"],
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
            "max_age": "0" if demand.fresh else str(int(demand.max_age.total_seconds())),
            **self._asked_strength(metadata, demand),
        }
        if demand.fresh:
            query["prompt"] = "login"
        mark = "&" if "?" in metadata.authorization_endpoint else "?"
        return StaffRedirect(f"{metadata.authorization_endpoint}{mark}{urlencode(query)}", state)

    def complete(self, *, query: Mapping[str, str], state: Mapping[str, Any], now: datetime) -> StaffAssertion:
        """Return who came back. Raises StaffSignInError, one for every cause; only the log names it."""
        purpose = str(state.get("purpose", ""))
        try:
            return self._complete(query, state, now)
        except Refusal as refusal:
            raise self._refused(refusal, purpose) from refusal

    def _complete(self, query: Mapping[str, str], state: Mapping[str, Any], now: datetime) -> StaffAssertion:
        began_at = self._open(state, query.get("state", ""), now)
        demand = self._demand(state["purpose"])
        metadata = self._provider.metadata(now)
        issuer = query.get("iss")
        if issuer is None and metadata.sends_issuer:
            raise Refusal("response-issuer-missing")
        if issuer is not None and issuer != self._settings.issuer:
            raise Refusal("response-issuer-mismatch")  # the mix-up attack of RFC 9207
        if "error" in query:
            known = query["error"] in _KNOWN_ERRORS
            raise Refusal(f"provider-said-{query['error']}" if known else "provider-said-other")
        if not query.get("code"):
            raise Refusal("code-missing")
        unverified_id_token, access_token = redeem_code(
            self._provider,
            self._settings,
            code=query["code"],
            code_verifier=state["code_verifier"],
            redirect_uri=state["redirect_uri"],
            now=now,
        )
        token = verify_id_token(
            unverified_id_token,
            find_key=lambda kid, algorithm: self._provider.key(kid=kid, algorithm=algorithm, now=now),
            algorithms=self._settings.algorithms,
            expected_issuer=self._settings.issuer,
            expected_audience=self._settings.client_id,
            expected_nonce=state["nonce"],
            access_token=access_token,
            now=now,
            clock_skew=self._settings.clock_skew,
        )
        acr, amr = judge(
            token.claims,
            demand,
            acr_claim=self._settings.acr_claim,
            authenticated_at=token.authenticated_at,
            began_at=began_at,
            now=now,
            clock_skew=self._settings.clock_skew,
        )
        return self._assertion(token, acr, amr)

    def _open(self, state: Mapping[str, Any], returned: str, now: datetime) -> datetime:
        """Check the kept state against the returned one, mark it used, and return when it began."""
        if not all(isinstance(state.get(key), str) for key in _STATE_KEYS):
            raise Refusal("state-missing")
        if not hmac.compare_digest(returned.encode("utf-8", "replace"), state["state"].encode()):
            raise Refusal("state-mismatch")
        began_at = from_text(state["began_at"])
        if not timedelta(0) <= now - began_at + self._settings.clock_skew <= STATE_TTL + self._settings.clock_skew:
            raise Refusal("state-too-old")
        digest = hashlib.sha256(state["state"].encode()).hexdigest()
        with self._lock:
            self._spent = {key: at for key, at in self._spent.items() if now - at < 2 * STATE_TTL}
            if digest in self._spent:
                raise Refusal("state-used")
            self._spent[digest] = now
        return began_at

    def _asked_strength(self, metadata: Metadata, demand: Demand) -> dict[str, str]:
        """Return the parameters that ask for the acr: as a wish, and binding where the provider can."""
        asked = {}
        if self._settings.acr_claim == "acr":
            asked["acr_values"] = " ".join(demand.acr_values)
        if metadata.takes_claims:
            wanted = {
                self._settings.acr_claim: {"essential": True, "values": list(demand.acr_values)},
                "auth_time": {"essential": True},
            }
            asked["claims"] = json.dumps({"id_token": wanted}, separators=(",", ":"))
        return asked

    def _assertion(self, token: VerifiedIdToken, acr: str, amr: tuple[str, ...]) -> StaffAssertion:
        settings, claims = self._settings, token.claims
        name = claims.get(settings.name_claim)
        if not isinstance(name, str) or not 0 < len(name.strip()) <= 200:
            raise Refusal("name-missing")
        return StaffAssertion(
            provider=self.name,
            subject=token.subject,
            name=name.strip(),
            groups=_groups(claims.get(settings.groups_claim)),
            acr=acr,
            amr=amr,
            authenticated_at=token.authenticated_at,
            evidence_digest=token.sha256,
            title=_text(claims, settings.title_claim),
            office=_text(claims, settings.office_claim),
        )

    def _demand(self, purpose: str) -> Demand:
        demand = self._settings.demands.get(purpose)
        if demand is None:
            raise Refusal("purpose-unknown")
        return demand

    def _refused(self, refusal: Refusal, purpose: str) -> StaffSignInError:
        log.warning(
            "staff sign-in refused",
            extra={"provider": self.name, "cause": refusal.cause, "purpose": purpose},
        )
        return StaffSignInError("The bank's identity service did not vouch for this sign-in.")


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _groups(stated: object) -> tuple[str, ...]:
    """Return the groups exactly as sent; none stated means none, which maps to no role package."""
    if stated is None:
        return ()
    values = [stated] if isinstance(stated, str) else stated
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Refusal("groups-malformed")
    return tuple(values)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name) if name else None
    return value.strip()[:200] if isinstance(value, str) else ""
