"""Control tokens: one command, exactly as sent, once."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar.domain.control_tokens import (
    CONTROL_TYPE,
    SeenIds,
    TokenWrongRequestError,
    VerifiedControl,
    mint_control_token,
    verify_control_token,
)
from sidecar.domain.jws import (
    JwkSet,
    TokenBadSignatureError,
    TokenMalformedError,
    TokenRefusedError,
    local_signing_key,
    new_private_key,
    sign_compact,
    strict_json_object,
    verify_compact,
)
from sidecar.domain.tokens import (
    TokenExpiredError,
    TokenNotYetError,
    TokenSpentError,
    TokenWrongAudienceError,
    TokenWrongIssuerError,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = local_signing_key("ES256", new_private_key("ES256"))
JWKS = JwkSet([KEY.public_jwk()])
REQUEST: dict[str, Any] = {
    "method": "DELETE",
    "path": "/v1/rooms/r7hq2m/participants/p_maja?reason=expelled",
    "body": b"",
}


def mint(now: datetime = NOON, **changes: Any) -> str:
    asked: dict[str, Any] = {"signing_key": KEY, "issuer": "web", "audience": "bridge", "now": now}
    return mint_control_token(**(asked | REQUEST | changes))


def verify(token: str, **changes: Any) -> VerifiedControl:
    expected: dict[str, Any] = {
        "jwks": JWKS,
        "expected_issuer": "web",
        "expected_audience": "bridge",
        "now": NOON,
        "seen": SeenIds(),
    }
    return verify_control_token(token, **(expected | REQUEST | changes))


def forge(change: Callable[[dict[str, Any]], object], header_type: str = CONTROL_TYPE) -> str:
    claims = strict_json_object(verify_compact(mint(), jwks=JWKS, algorithm="ES256", expected_type=CONTROL_TYPE))
    change(claims)
    return sign_compact(header_type=header_type, payload=claims, signing_key=KEY)


@pytest.mark.requirement("R216")
def test_a_command_says_who_gave_it_and_when() -> None:
    control = verify(mint())

    assert (control.issuer, control.issued_at) == ("web", NOON)


@pytest.mark.requirement("R216")
@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"method": "delete"},
        {"path": "/v1/rooms/other/participants/p_maja?reason=expelled"},
        {"path": "/v1/rooms/r7hq2m/participants/p_maja"},
        {"path": "/v1/rooms/r7hq2m/participants/p_maja?reason=ended"},
        {"body": b"{}"},
    ],
    ids=str,
)
def test_a_command_caught_on_the_way_is_good_for_no_other_request(change: dict[str, Any]) -> None:
    with pytest.raises(TokenWrongRequestError):
        verify(mint(), **change)


@pytest.mark.requirement("R216")
def test_a_command_is_obeyed_once() -> None:
    seen, token = SeenIds(), mint()
    verify(token, seen=seen)

    with pytest.raises(TokenSpentError):
        verify(token, seen=seen)
    verify(mint(), seen=seen)


def test_a_command_that_was_refused_can_still_be_given() -> None:
    """Else somebody on the network could spend a command by sending it somewhere wrong first."""
    seen, token = SeenIds(), mint()
    with pytest.raises(TokenWrongRequestError):
        verify(token, seen=seen, path="/v1/rooms/other")

    verify(token, seen=seen)


def test_a_command_lives_for_thirty_seconds_and_the_skew() -> None:
    verify(mint(), now=NOON + timedelta(seconds=59))
    with pytest.raises(TokenExpiredError):
        verify(mint(), now=NOON + timedelta(seconds=60))
    verify(mint(), now=NOON - timedelta(seconds=30))
    with pytest.raises(TokenNotYetError):
        verify(mint(), now=NOON - timedelta(seconds=31))


def test_a_command_for_one_service_does_not_command_another() -> None:
    with pytest.raises(TokenWrongAudienceError):
        verify(mint(audience="web"))
    with pytest.raises(TokenWrongIssuerError):
        verify(mint(issuer="bridge"))


def test_a_key_of_another_purpose_does_not_command() -> None:
    stranger = local_signing_key("ES256", new_private_key("ES256"))

    with pytest.raises(TokenBadSignatureError):
        verify(mint(signing_key=stranger))


@pytest.mark.parametrize("header_type", ["JWT", "tillit-control", "TILLIT-CONTROL+JWT"])
def test_a_token_of_another_type_does_not_command(header_type: str) -> None:
    with pytest.raises(TokenMalformedError):
        verify(forge(lambda claims: None, header_type))


@pytest.mark.parametrize(
    "change",
    [
        lambda claims: claims.pop("body_sha256"),
        lambda claims: claims.pop("exp"),
        lambda claims: claims.pop("jti"),
        lambda claims: claims.update(exp=claims["iat"] + 31),
        lambda claims: claims.update(exp=claims["iat"]),
        lambda claims: claims.update(exp=True),
        lambda claims: claims.update(iat=str(claims["iat"])),
        lambda claims: claims.update(jti="short"),
        lambda claims: claims.update(jti=7),
        lambda claims: claims.update(aud=["bridge"]),
        lambda claims: claims.update(admin="yes"),
    ],
)
def test_refuses_a_command_not_of_its_form(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(TokenMalformedError):
        verify(forge(change))


def test_seen_ids_forgets_what_has_expired_and_nothing_sooner() -> None:
    seen = SeenIds(capacity=2)
    soon, late = NOON + timedelta(seconds=1), NOON + timedelta(seconds=60)

    assert seen.spend("a", until=soon, now=NOON)
    assert seen.spend("b", until=late, now=NOON)
    assert not seen.spend("c", until=late, now=NOON)  # full: refused, rather than forgetting "a"
    assert seen.spend("c", until=late, now=soon)
    assert not seen.spend("b", until=late, now=soon)
    assert len(seen) == 2


def test_of_many_threads_with_one_command_exactly_one_is_obeyed() -> None:
    seen, token = SeenIds(), mint()
    obeyed: list[VerifiedControl] = []
    start = threading.Barrier(8)

    def obey() -> None:
        start.wait()
        try:
            obeyed.append(verify(token, seen=seen))
        except TokenRefusedError:
            return

    threads = [threading.Thread(target=obey) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(obeyed) == 1
