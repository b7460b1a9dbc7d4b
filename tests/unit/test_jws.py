"""Keys and JSON under every token: what a doubtful key or a second spelling would open."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sidecar.domain.errors import ConfigurationError
from sidecar.domain.jws import (
    ALGORITHMS,
    Algorithm,
    JwkSet,
    TokenMalformedError,
    local_signing_key,
    new_private_key,
    sign_compact,
    strict_json_object,
    verify_compact,
)

KEYS = {name: local_signing_key(name, new_private_key(name)) for name in ("ES256", "RS256", "EdDSA")}
EC = KEYS["ES256"].public_jwk()


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_what_a_key_signs_its_published_form_verifies(algorithm: Algorithm) -> None:
    key = KEYS[algorithm]
    token = sign_compact(header_type="JWT", payload={"å": 1}, signing_key=key)

    payload = verify_compact(token, jwks=JwkSet([key.public_jwk()]), algorithm=algorithm, expected_type="JWT")

    assert strict_json_object(payload) == {"å": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": []},
        {"alg": "RS256"},
        {"alg": "HS256"},
        {"alg": "none"},
        {"alg": None},
        {"kid": None},
        {"kid": ""},
        {"kid": "../join"},
        {"kid": "x" * 65},
        {"kty": "RSA"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"crv": "P-384"},
        {"d": "AAAA"},
        {"x": EC["x"][:-4]},
        {"x": EC["x"] + "="},
        {"x": EC["y"], "y": EC["x"]},
        {"y": None},
    ],
    ids=str,
)
def test_a_doubtful_key_spoils_the_whole_set(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        JwkSet([KEYS["RS256"].public_jwk(), EC | change])


def test_a_key_that_may_verify_is_taken() -> None:
    assert JwkSet([EC | {"key_ops": ["verify"]}]).kids == {EC["kid"]}


def test_two_keys_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="twice"):
        JwkSet([EC, KEYS["RS256"].public_jwk() | {"kid": EC["kid"]}])


def test_weak_rsa_keys_are_refused() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.raises(ConfigurationError):
        local_signing_key("RS256", short)
    with pytest.raises(ConfigurationError):
        local_signing_key("RS256", rsa.generate_private_key(public_exponent=3, key_size=2048))


def test_a_key_of_another_curve_signs_nothing() -> None:
    with pytest.raises(ConfigurationError):
        local_signing_key("RS256", new_private_key("ES256"))
    with pytest.raises(ConfigurationError, match="P-256"):
        local_signing_key("ES256", ec.generate_private_key(ec.SECP384R1()))


def test_a_key_set_is_read_from_its_document() -> None:
    jwks = JwkSet([EC])

    assert JwkSet.from_json(b'{"keys": []}').kids == frozenset()
    assert jwks.document() == {"keys": [EC]}
    for broken in (b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [1]}', b'{"keys": [], "keys": []}'):
        with pytest.raises(ConfigurationError):
            JwkSet.from_json(broken)


def test_an_algorithm_nobody_configured_verifies_nothing() -> None:
    with pytest.raises(ConfigurationError):
        verify_compact("a.b.c", jwks=JwkSet([EC]), algorithm="HS256", expected_type="JWT")


def test_the_repr_of_a_signing_key_shows_no_key() -> None:
    assert "private" not in repr(KEYS["ES256"]).lower()


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "null",
        "[]",
        '"x"',
        "",
        "{",
        "{}{}",
        '{"a": 1.0}',
        '{"a": 1e3}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": {"b": [{"c": 0.5}]}}',
        '{"a": 1, "a": 1}',
        '{"a": {"b": 1, "\\u0062": 2}}',
        "{'a': 1}",
        '{"a": 1,}',
        "[" * 100_000,
        '{"a":' * 5_000,
    ],
    ids=lambda text: text[:30],
)
def test_json_has_one_reading_or_none(text: str) -> None:
    with pytest.raises(TokenMalformedError):
        strict_json_object(text.encode())
