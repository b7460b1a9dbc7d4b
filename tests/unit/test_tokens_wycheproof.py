"""The public Wycheproof vectors for JSON Web Signatures and keys, against our reader.

They lie beside the project (../shared/data/wycheproof) or where TILLIT_WYCHEPROOF says.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.errors import ConfigurationError
from sidecar.domain.jws import ALGORITHMS, JwkSet, TokenRefusedError, unb64url, verify_compact

FOLDER = Path(os.environ.get("TILLIT_WYCHEPROOF", Path(__file__).parents[3] / "shared" / "data" / "wycheproof"))
REFUSALS = (TokenRefusedError, ConfigurationError)
HMACS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
# "Valid" to Wycheproof, refused by us on purpose: a sign that is not base64url stands in a part.
REFUSED_ALL_THE_SAME = {372, 373}
# "Invalid" for their padding, which the file has lost: sign for sign they are vector 357, which is valid.
PADDING_LOST = {367, 370}


def vectors(name: str) -> list[Any]:
    return list(_read(name))


def _read(name: str) -> Iterator[Any]:
    path = FOLDER / name
    if not path.is_file():
        reason = f"the Wycheproof vectors are not at {FOLDER}; TILLIT_WYCHEPROOF can name another folder"
        yield pytest.param({}, {}, marks=pytest.mark.skip(reason=reason), id="absent")
        return
    for group in json.loads(path.read_text("utf-8"))["testGroups"]:
        for test in group["tests"]:
            yield pytest.param(group, test, id=f"{test['tcId']}-{group['comment']}-{test['comment']}")


def keys_of(group: dict[str, Any]) -> list[dict[str, Any]]:
    found = group.get("public") or group["private"]
    keys = found.get("keys", [found])
    assert isinstance(keys, list)
    return keys


def accepts(group: dict[str, Any], unverified: str) -> bool:
    """Whether we would take this token with these keys, in the algorithm its only key is for."""
    keys = keys_of(group)
    algorithm = keys[0].get("alg") or {"RSA": "RS256", "EC": "ES256"}[keys[0]["kty"]]
    try:
        verify_compact(unverified, jwks=JwkSet(keys), algorithm=algorithm, expected_type=None)
    except REFUSALS:
        return False
    return True


def test_the_corpus_is_complete_where_it_is_present() -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"the Wycheproof vectors are not at {FOLDER}")
    assert len(vectors("json_web_signature_test.json")) == 401
    assert len(vectors("json_web_key_test.json")) == 26


@pytest.mark.requirement("R216")
@pytest.mark.parametrize(("group", "test"), vectors("json_web_signature_test.json"))
def test_takes_valid_signatures_of_our_algorithms_and_refuses_all_else(
    group: dict[str, Any], test: dict[str, Any]
) -> None:
    ours = keys_of(group)[0].get("alg") in ALGORITHMS

    assert accepts(group, test["jws"]) == (ours and test["result"] == "valid")


@pytest.mark.requirement("R216")
@pytest.mark.parametrize(("group", "test"), vectors("json_web_key_test.json"))
def test_takes_valid_keys_of_our_algorithms_and_refuses_all_else(group: dict[str, Any], test: dict[str, Any]) -> None:
    ours = all(key.get("alg") in ALGORITHMS for key in keys_of(group))

    assert accepts(group, test["jws"]) == (ours and test["result"] == "valid")


@pytest.mark.parametrize(("group", "test"), vectors("json_web_signature_test.json"))
def test_base64url_is_read_in_one_form_only(group: dict[str, Any], test: dict[str, Any]) -> None:
    """The vectors for spelling are HMACs, an algorithm we do not have: so the MAC is computed here."""
    [key] = keys_of(group)
    if key.get("alg") not in HMACS or "keyOps" in group["comment"]:
        return
    try:
        first, second, mac = test["jws"].split(".")
        header, _, found = json.loads(unb64url(first)), unb64url(second), unb64url(mac)
        expected = hmac.digest(unb64url(key["k"]), f"{first}.{second}".encode(), HMACS[key["alg"]])
        accepted = header["alg"] == key["alg"] and header["kid"] == key["kid"] and found == expected
    except (ValueError, KeyError, *REFUSALS):
        accepted = False
    number = test["tcId"]
    if number in PADDING_LOST:
        assert test["jws"] == next(each["jws"] for each in group["tests"] if each["tcId"] == 357)
    else:
        assert accepted == (test["result"] == "valid" and number not in REFUSED_ALL_THE_SAME)
