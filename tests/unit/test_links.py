"""Invitation links: guessed by nobody, kept in clear by nobody."""

import re

import pytest

from sidecar.domain.ids import ParticipantId
from sidecar.services.links import Links

LINKS = Links(b"k" * 32)
MAJA = ParticipantId("p_maja")


@pytest.mark.requirement("R059")
def test_a_link_is_a_long_secret_of_its_place_and_key_alone() -> None:
    secret = LINKS.secret(MAJA)

    assert re.fullmatch(r"[a-z2-7]{26}", secret)
    assert secret == Links(b"k" * 32).secret(MAJA), "the same after a restart"
    assert secret != LINKS.secret(ParticipantId("p_samir"))
    assert secret != Links(b"l" * 32).secret(MAJA), "another key makes every old link dead"
    assert "maja" not in secret


def test_what_is_kept_of_a_link_opens_nothing() -> None:
    digest = LINKS.digest(LINKS.secret(MAJA))

    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert LINKS.digest(digest) != digest
    assert LINKS.secret(MAJA) not in digest
