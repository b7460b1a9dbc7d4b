"""The join token: what it carries, and every way of it that is refused."""

import json
import runpy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.domain.errors import InvalidInputError
from sidecar.domain.jws import (
    Algorithm,
    JwkSet,
    TokenBadSignatureError,
    TokenMalformedError,
    TokenRefusedError,
    local_signing_key,
    new_private_key,
    sign_compact,
    unb64url,
)
from sidecar.domain.tokens import (
    JITSI_FEATURES,
    MAX_JOIN_TTL,
    JoinClaims,
    TokenExpiredError,
    TokenNotYetError,
    TokenWrongRoomError,
    VerifiedJoin,
    mint_join_token,
    new_jti,
    verify_join_token,
)
from sidecar.testing.tokens import join_claims

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TTL = timedelta(seconds=60)
JOIN_KEY = local_signing_key("ES256", new_private_key("ES256"))
OTHER_KEY = local_signing_key("ES256", new_private_key("ES256"))
JWKS = JwkSet([JOIN_KEY.public_jwk()])

CLAIMS = join_claims(session_until=NOON + timedelta(hours=1))


def verify(token: str, *, now: datetime = NOON, room: str = "r7hq2m", jwks: JwkSet = JWKS) -> VerifiedJoin:
    return verify_join_token(
        token,
        jwks=jwks,
        algorithm="ES256",
        expected_issuer="tillit",
        expected_audience="shard-se",
        expected_room=room,
        now=now,
    )


def mint(claims: JoinClaims = CLAIMS, *, ttl: timedelta = TTL, now: datetime = NOON) -> str:
    return mint_join_token(claims, signing_key=JOIN_KEY, now=now, ttl=ttl)


def payload_of(token: str) -> dict[str, Any]:
    found = json.loads(unb64url(token.split(".")[1]))
    assert isinstance(found, dict)
    return found


FORGED = list(
    runpy.run_path(str(Path(__file__).parents[1] / "data" / "forged_tokens.py"))["forged_join_tokens"](
        mint(), signing_key=JOIN_KEY, stranger_key=OTHER_KEY
    )
)


@pytest.mark.requirement("R011")
def test_a_verified_token_says_what_was_minted() -> None:
    join = verify(mint())

    assert join.claims == CLAIMS
    assert join.issued_at == join.not_before == NOON
    assert join.expires_at == NOON + TTL


@pytest.mark.requirement("R001", "R011", "R216")
@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: forged.name)
def test_refuses_a_forged_token_by_its_name(forged: Any) -> None:
    with pytest.raises(TokenRefusedError) as refusal:
        verify(forged.token)

    assert refusal.value.slug == forged.slug


def test_the_forged_corpus_is_large_and_names_each_forgery_once() -> None:
    assert len(FORGED) > 150
    assert len({forged.name for forged in FORGED}) == len(FORGED)


@pytest.mark.requirement("R216")
def test_the_token_on_the_wire_has_the_shape_stock_jitsi_reads() -> None:
    token = mint(replace(CLAIMS, affiliation="owner", moderator=True))
    payload = payload_of(token)

    assert json.loads(unb64url(token.split(".")[0])) == {"alg": "ES256", "kid": JOIN_KEY.kid, "typ": "JWT"}
    assert payload["aud"] == "shard-se"  # one text: stock Jitsi does not understand a list
    assert payload["context"]["user"] == {
        "id": "p_maja",
        "name": "Maja Granlid",
        "affiliation": "owner",
        "moderator": True,
    }
    assert payload["context"]["features"] == dict.fromkeys(sorted(JITSI_FEATURES), False)
    assert payload["tillit"] == {
        "v": 1,
        "meeting": "m_mortgage",
        "band": "high",
        "type": "mortgage@7",
        "capacity": "customer",
        "loa": "substantial",
        "method": "bankid-qr",
        "permissions": ["document_room.annotate", "show_camera", "speak"],
        "region": "se",
        "encryption": "bridge",
        "session_until": int(CLAIMS.session_until.timestamp()),
    }


@pytest.mark.requirement("R216")
@pytest.mark.parametrize("missing", sorted(JITSI_FEATURES))
def test_mints_no_token_with_a_feature_left_unsaid(missing: str) -> None:
    features = {name: False for name in JITSI_FEATURES if name != missing}

    with pytest.raises(InvalidInputError):
        mint(replace(CLAIMS, features=features))


@pytest.mark.parametrize(
    "ttl",
    [MAX_JOIN_TTL + timedelta(seconds=1), timedelta(0), timedelta(seconds=-5), timedelta(milliseconds=900)],
)
def test_mints_no_token_outside_the_allowed_time(ttl: timedelta) -> None:
    with pytest.raises(InvalidInputError):
        mint(ttl=ttl)


@pytest.mark.parametrize(
    "change",
    [
        {"room": "*"},
        {"room": "Room"},
        {"jti": "short"},
        {"name": ""},
        {"moderator": True},
        {"band": "none"},
        {"permissions": frozenset({"everything"})},
        {"encryption": "off"},
        {"type_ref": "mortgage"},
        {"session_until": NOON},
    ],
    ids=str,
)
def test_mints_nothing_that_verification_would_refuse(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        mint(replace(CLAIMS, **change))


@pytest.mark.requirement("R011")
def test_a_token_ends_thirty_seconds_after_its_exp_and_not_later() -> None:
    token = mint()

    join = verify(token, now=NOON + TTL + timedelta(seconds=29))
    assert join.forget_after == NOON + TTL + timedelta(seconds=30)
    with pytest.raises(TokenExpiredError):
        verify(token, now=join.forget_after)


def test_a_clock_thirty_seconds_behind_still_accepts() -> None:
    token = mint()

    verify(token, now=NOON - timedelta(seconds=30))
    with pytest.raises(TokenNotYetError):
        verify(token, now=NOON - timedelta(seconds=31))


def test_a_token_cannot_outlive_its_session() -> None:
    token = mint(replace(CLAIMS, session_until=NOON + timedelta(seconds=10)))

    with pytest.raises(TokenExpiredError):
        verify(token, now=NOON + timedelta(seconds=10))


@pytest.mark.requirement("R011")
def test_a_token_for_one_room_opens_no_other() -> None:
    with pytest.raises(TokenWrongRoomError):
        verify(mint(), room="r7hq2n")


def test_a_retired_key_verifies_until_it_leaves_the_set() -> None:
    token = mint()

    verify(token, jwks=JwkSet([OTHER_KEY.public_jwk(), JOIN_KEY.public_jwk()]))
    with pytest.raises(TokenBadSignatureError):
        verify(token, jwks=JwkSet([OTHER_KEY.public_jwk()]))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_each_shard_takes_its_own_algorithm_and_no_other(algorithm: Algorithm) -> None:
    """A stolen key of one algorithm must be worth nothing on a shard of the other."""
    key = local_signing_key(algorithm, new_private_key(algorithm))
    both = JwkSet([key.public_jwk(), OTHER_KEY.public_jwk()])
    token = mint_join_token(CLAIMS, signing_key=key, now=NOON, ttl=TTL)
    expected: dict[str, Any] = {
        "jwks": both,
        "expected_issuer": "tillit",
        "expected_audience": "shard-se",
        "expected_room": "r7hq2m",
        "now": NOON,
    }

    assert verify_join_token(token, algorithm=algorithm, **expected).claims == CLAIMS
    with pytest.raises(TokenMalformedError):
        verify_join_token(token, algorithm="ES256" if algorithm == "RS256" else "RS256", **expected)


def test_a_verified_name_keeps_its_letters() -> None:
    name = "Þórdís Ægisdóttir-Nguyễn O’Neill"

    assert verify(mint(replace(CLAIMS, name=name))).claims.name == name


def test_a_refusal_never_repeats_the_token() -> None:
    for forged in FORGED:
        with pytest.raises(TokenRefusedError) as refusal:
            verify(forged.token)
        assert "Maja" not in str(refusal.value)
        assert CLAIMS.jti not in str(refusal.value)


@given(place=st.integers(min_value=0), sign=st.sampled_from("ABCabc019-_.=+/ \n\x00é"))
def test_no_change_of_one_sign_verifies(place: int, sign: str) -> None:
    token = HONEST
    at = place % len(token)
    changed = token[:at] + sign + token[at + 1 :]

    if changed != token:
        with pytest.raises(TokenRefusedError):
            verify(changed)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda v: st.lists(v) | st.dictionaries(st.text(), v),
    )
)
def test_any_signed_json_is_refused_and_never_breaks_the_reader(value: Any) -> None:
    payload = value if isinstance(value, dict) else payload_of(HONEST) | {"tillit": value}

    with pytest.raises(TokenRefusedError):
        verify(sign_compact(header_type="JWT", payload=payload, signing_key=JOIN_KEY))


HONEST = mint(replace(CLAIMS, jti=new_jti()))
