"""The join token: one person, one room, once, within two minutes.

Minted when the adviser admits, verified at the gate.
Source: RFC 7519, RFC 8725; the claims outside `tillit` are those that stock Jitsi reads.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, cast

from sidecar.domain.errors import InvalidInputError
from sidecar.domain.identity import LoA
from sidecar.domain.ids import MeetingId, ParticipantId, RoomName
from sidecar.domain.jws import (
    Algorithm,
    JwkSet,
    SigningKey,
    TokenMalformedError,
    TokenRefusedError,
    sign_compact,
    strict_json_object,
    verify_compact,
)
from sidecar.domain.permissions import Capacity, Permission

# Every flag any part of Jitsi reads. A token without the map falls back to moderator rights, so ours always
# has it, and names each flag, so that nothing rests on what a missing one means.
JITSI_FEATURES: frozenset[str] = frozenset(
    {
        "branding",
        "calendar",
        "create-polls",
        "file-upload",
        "flip",
        "inbound-call",
        "list-visitors",
        "live-translation",
        "live-translation-subscribe",
        "livestreaming",
        "lobby",
        "moderation",
        "outbound-call",
        "recording",
        "room",
        "screen-sharing",
        "send-groupchat",
        "send-private-message",
        "sip-inbound-call",
        "sip-outbound-call",
        "transcription",
    }
)

MAX_JOIN_TTL = timedelta(seconds=120)  # long enough to load the room on a phone, too short to pass around
SKEW = timedelta(seconds=30)  # two machines on NTP differ by far less; a phone's clock plays no part
TOKEN_TYPE = "JWT"  # noqa: S105 - stock Jitsi wants exactly this and knows no other type
CLAIMS_VERSION = 1  # of the `tillit` claim; raised when a reader of the old form would misread the new one

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_JTI = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
_ROOM = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}\Z")  # a literal: no sign that is one of Lua's patterns or a wildcard
_TYPE_REF = re.compile(r"[a-z][a-z0-9_-]{0,63}@[0-9]{1,6}\Z")
_PERMISSION = re.compile(r"[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}\Z")  # a plugin's: "<plugin>.<name>"
_METHOD = re.compile(r"[A-Za-z0-9._:/-]{1,128}\Z")  # some providers say it with a URI
_PLAIN = re.compile(r"[^\x00-\x1f\x7f]{1,255}\Z")
# Control signs, line separators, lone surrogates, and those that turn the reading direction: a name is shown.
_NAME = re.compile(
    "[^\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]{1,200}\\Z"
)
_LATEST = 253402300799  # 9999-12-31T23:59:59Z, the last second a datetime holds

_PERMISSIONS = frozenset(Permission)
_CAPACITIES = tuple(Capacity)
_LOAS = {loa.name.lower(): loa for loa in LoA}
_CLAIMS = {"iss", "aud", "sub", "room", "iat", "nbf", "exp", "jti", "context", "tillit"}
_USER_CLAIMS = {"id", "name", "affiliation", "moderator"}
_TILLIT_CLAIMS = {
    "v",
    "meeting",
    "band",
    "type",
    "capacity",
    "loa",
    "method",
    "permissions",
    "region",
    "encryption",
    "session_until",
}


class TokenExpiredError(TokenRefusedError):
    """The token's time is over."""

    slug = "token-expired"


class TokenNotYetError(TokenRefusedError):
    """The token's time has not come."""

    slug = "token-not-yet"


class TokenWrongIssuerError(TokenRefusedError):
    """The token was issued by somebody else."""

    slug = "token-wrong-issuer"


class TokenWrongAudienceError(TokenRefusedError):
    """The token is for another shard or service."""

    slug = "token-wrong-audience"


class TokenWrongRoomError(TokenRefusedError):
    """The token is for another room."""

    slug = "token-wrong-room"


class TokenSpentError(TokenRefusedError):
    """The token has been used. Each opens its door once."""

    slug = "token-spent"


@dataclass(frozen=True)
class JoinClaims:
    """What a join token says, apart from its times.

    audience: the jurisdiction's shard. brand: the `sub` claim. jti: 16 to 64 signs of base64url, see `new_jti`.
    name: as verified. affiliation: "owner" or "member", and moderator says the same. features: every flag of
    JITSI_FEATURES. band: "low", "medium" or "high". type_ref: "mortgage@7". method: how the person was
    identified, in the provider's words. permissions: the closed list's, and plugins' "<plugin>.<name>".
    encryption: "transit", "bridge" or "strict". session_until: aware UTC, whole seconds on the wire.
    """

    issuer: str
    audience: str
    brand: str
    room: RoomName
    jti: str
    user_id: ParticipantId
    name: str = field(repr=False)
    affiliation: Literal["owner", "member"]
    moderator: bool
    features: Mapping[str, bool] = field(repr=False)
    meeting: MeetingId
    band: str
    type_ref: str
    capacity: Capacity
    loa: LoA
    method: str
    permissions: frozenset[str]
    region: str
    encryption: str
    session_until: datetime


@dataclass(frozen=True)
class VerifiedJoin:
    """A join token that was checked in full, except that its jti is still to be spent by the caller."""

    claims: JoinClaims
    issued_at: datetime
    not_before: datetime
    expires_at: datetime

    @property
    def forget_after(self) -> datetime:
        """Return until when a spent jti must be remembered: as long as its token would still be taken."""
        return self.expires_at + SKEW


def mint_join_token(claims: JoinClaims, *, signing_key: SigningKey, now: datetime, ttl: timedelta) -> str:
    """Return a compact JWS that lets this person into this room until `now` + `ttl`.

    ttl: whole seconds, 1 to 120. Raises InvalidInputError for claims that verification would refuse.
    """
    if not timedelta(seconds=1) <= ttl <= MAX_JOIN_TTL:
        raise InvalidInputError("A join token lives for 1 to 120 seconds.", field="ttl")
    if claims.session_until <= now:
        raise InvalidInputError("The session would be over before it begins.", field="session_until")
    issued = int(now.timestamp())
    payload = _write_claims(claims) | {
        "iat": issued,
        "nbf": issued,
        "exp": issued + int(ttl.total_seconds()),
    }
    try:
        _read_claims(payload)
    except TokenMalformedError as error:
        raise InvalidInputError(error.detail, field="claims") from error
    return sign_compact(header_type=TOKEN_TYPE, payload=payload, signing_key=signing_key)


def verify_join_token(
    unverified_token: str,
    *,
    jwks: JwkSet,
    algorithm: Algorithm,
    expected_issuer: str,
    expected_audience: str,
    expected_room: str,
    now: datetime,
) -> VerifiedJoin:
    """Return what a join token minted for this room says. The caller spends its jti before acting on it.

    algorithm: the shard's, ES256 or RS256. now: aware UTC; 30 s of skew is forgiven at both ends.
    Raises TokenMalformedError, TokenBadSignatureError, TokenWrongIssuerError, TokenWrongAudienceError,
    TokenWrongRoomError, TokenNotYetError, TokenExpiredError.
    """
    payload = verify_compact(unverified_token, jwks=jwks, algorithm=algorithm, expected_type=TOKEN_TYPE)
    join = _read_claims(strict_json_object(payload))
    if join.claims.issuer != expected_issuer:
        raise TokenWrongIssuerError
    if join.claims.audience != expected_audience:
        raise TokenWrongAudienceError
    if join.claims.room != expected_room:
        raise TokenWrongRoomError
    check_times(join.issued_at, join.not_before, join.expires_at, now=now)
    if join.claims.session_until <= now:
        raise TokenExpiredError("The session this token opens is over.")
    return join


def check_times(issued_at: datetime, not_before: datetime, expires_at: datetime, *, now: datetime) -> None:
    """Return if now lies between, with 30 s of skew. Raises TokenNotYetError, TokenExpiredError."""
    if max(issued_at, not_before) > now + SKEW:
        raise TokenNotYetError
    if expires_at + SKEW <= now:
        raise TokenExpiredError


def new_jti() -> str:
    """Return a fresh token id, 128 bits."""
    return secrets.token_urlsafe(16)


def _write_claims(claims: JoinClaims) -> dict[str, Any]:
    return {
        "iss": claims.issuer,
        "aud": claims.audience,
        "sub": claims.brand,
        "room": claims.room,
        "jti": claims.jti,
        "context": {
            "user": {
                "id": claims.user_id,
                "name": claims.name,
                "affiliation": claims.affiliation,
                "moderator": claims.moderator,
            },
            "features": dict(claims.features),
        },
        "tillit": {
            "v": CLAIMS_VERSION,
            "meeting": claims.meeting,
            "band": claims.band,
            "type": claims.type_ref,
            "capacity": claims.capacity,
            "loa": claims.loa.name.lower(),
            "method": claims.method,
            "permissions": sorted(claims.permissions),
            "region": claims.region,
            "encryption": claims.encryption,
            "session_until": int(claims.session_until.timestamp()),
        },
    }


def _read_claims(payload: Mapping[str, Any]) -> VerifiedJoin:
    """Return the claims of a payload that has exactly our form, or raise TokenMalformedError."""
    _exactly(payload, _CLAIMS)
    context, ours = _object(payload, "context"), _object(payload, "tillit")
    _exactly(context, {"user", "features"})
    user, features = _object(context, "user"), _object(context, "features")
    _exactly(user, _USER_CLAIMS)
    _exactly(ours, _TILLIT_CLAIMS)
    if type(ours["v"]) is not int or ours["v"] != CLAIMS_VERSION:
        raise TokenMalformedError("The token is written in another version.")
    _exactly(features, JITSI_FEATURES)
    if set(map(type, features.values())) != {bool}:
        raise TokenMalformedError("A feature is neither true nor false.")
    affiliation, moderator = _one_of(user, "affiliation", ("owner", "member")), user["moderator"]
    # Jitsi makes an owner of whoever has either, so the two must agree.
    if not isinstance(moderator, bool) or moderator != (affiliation == "owner"):
        raise TokenMalformedError("Affiliation and moderator do not agree.")
    claims = JoinClaims(
        issuer=_text(payload, "iss", _PLAIN),
        audience=_text(payload, "aud", _PLAIN),
        brand=_text(payload, "sub", _ID),
        room=RoomName(_text(payload, "room", _ROOM)),
        jti=_text(payload, "jti", _JTI),
        user_id=ParticipantId(_text(user, "id", _ID)),
        name=_text(user, "name", _NAME),
        affiliation=cast(Literal["owner", "member"], affiliation),
        moderator=moderator,
        features=MappingProxyType(dict(features)),
        meeting=MeetingId(_text(ours, "meeting", _ID)),
        band=_one_of(ours, "band", ("low", "medium", "high")),
        type_ref=_text(ours, "type", _TYPE_REF),
        capacity=Capacity(_one_of(ours, "capacity", _CAPACITIES)),
        loa=_LOAS[_one_of(ours, "loa", tuple(_LOAS))],
        method=_text(ours, "method", _METHOD),
        permissions=_permissions(ours["permissions"]),
        region=_text(ours, "region", _ID),
        encryption=_one_of(ours, "encryption", ("transit", "bridge", "strict")),
        session_until=read_moment(ours, "session_until"),
    )
    join = VerifiedJoin(claims, read_moment(payload, "iat"), read_moment(payload, "nbf"), read_moment(payload, "exp"))
    if not join.issued_at <= join.not_before < join.expires_at <= join.issued_at + MAX_JOIN_TTL:
        raise TokenMalformedError("The token's times do not fit one another.")
    return join


def _permissions(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TokenMalformedError("The permissions are not a list of names.")
    found = frozenset(value)
    if not all(map(_PERMISSION.match, found - _PERMISSIONS)):
        raise TokenMalformedError("A permission is not of the closed list.")
    if len(found) != len(value):
        raise TokenMalformedError("A permission is named twice.")
    return found


def _exactly(members: Mapping[str, Any], expected: set[str] | frozenset[str]) -> None:
    if len(members) != len(expected) or not members.keys() <= expected:
        raise TokenMalformedError("An object does not hold exactly the members it must.")


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = members[name]
    if not isinstance(value, dict):
        raise TokenMalformedError(f"{name} is not an object.")
    return value


def _text(members: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = members[name]
    if not isinstance(value, str) or not form.match(value):
        raise TokenMalformedError(f"{name} is not a text of its form.")
    return value


def _one_of(members: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    value = members[name]
    if not isinstance(value, str) or value not in choices:
        raise TokenMalformedError(f"{name} is none of {', '.join(choices)}.")
    return value


def read_moment(members: Mapping[str, Any], name: str) -> datetime:
    """Return a NumericDate (RFC 7519 section 2), whole seconds only; True is no number here."""
    value = members[name]
    if type(value) is not int or not 0 <= value <= _LATEST:
        raise TokenMalformedError(f"{name} is not a time in whole seconds.")
    return datetime.fromtimestamp(value, UTC)
