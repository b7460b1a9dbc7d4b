"""Encrypted all the way: pages publish their keys through the server, which passes them on and holds none."""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sidecar.domain.permissions import Capacity
from sidecar.testing import ELIN, MAJA, SAMIR, Browser, Product, guest
from tests.integration.journey_steps import enters


def text64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return text64(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


WRAPPED = text64(os.urandom(64))


class Meeting:
    """Elin, Maja and Samir in one meeting whose media side can keep strict true."""

    def __init__(self, folder: Path, *, strict: bool = True) -> None:
        self.product = Product(folder)
        self.product.conference.end_to_end = True
        self.booked = self.product.book(guests=[guest(SAMIR)])
        self.elin = self.product.opens(self.booked, ELIN)
        assert self.elin.joins().status_code == 200
        self.maja = enters(self.elin, self.booked, Capacity.CUSTOMER, MAJA)
        self.samir = enters(self.elin, self.booked, Capacity.OBSERVER, SAMIR)
        if strict:
            assert self.elin.post("room/raise", {"target": "encryption:strict"}).status_code == 200

    @staticmethod
    def seen(reader: Browser, other: Browser) -> dict[str, Any]:
        people = reader.get("room/state").get_json()["people"]
        return next(person for person in people if person["id"] == other.place)


@pytest.fixture
def meeting(tmp_path: Path) -> Meeting:
    return Meeting(tmp_path)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Meeting:
    """One meeting for all that is refused: none of it may change anything."""
    return Meeting(tmp_path_factory.mktemp("still"))


@pytest.mark.requirement("R105", "R214")
def test_a_page_s_key_reaches_the_others_under_its_person_and_the_wrapped_one_only_whom_it_is_for(
    meeting: Meeting,
) -> None:
    key = public_key()
    answer = meeting.elin.post("room/key", {"key": key, "sealed": {meeting.maja.place: WRAPPED}})
    assert answer.status_code == 200, answer.text

    for maja_or_samir, sealed in ((meeting.maja, WRAPPED), (meeting.samir, "")):
        seen = meeting.seen(maja_or_samir, meeting.elin)
        assert (seen["key"], seen["sealed"], seen["level"]) == (key, sealed, "staff")
    assert "/" in meeting.seen(meeting.elin, meeting.maja)["level"]


@pytest.mark.requirement("R106", "R214")
def test_the_log_names_whose_key_it_was_by_its_digest_and_never_the_wrapped_key(meeting: Meeting) -> None:
    key = public_key()
    meeting.maja.post("room/key", {"key": key, "sealed": {meeting.elin.place: WRAPPED}})

    [record] = [r for r in meeting.product.records(meeting.booked) if r.kind == "media.keys"]
    digest = hashlib.sha256(base64.urlsafe_b64decode(key + "==")).hexdigest()
    assert record.data == {"participant": meeting.maja.place, "sha256": digest, "given_to": 1}
    assert WRAPPED not in str(record)


@pytest.mark.requirement("R214")
def test_whoever_joins_again_has_no_key_until_the_new_page_gives_one(meeting: Meeting) -> None:
    meeting.maja.post("room/key", {"key": public_key(), "sealed": {meeting.elin.place: WRAPPED}})
    assert meeting.seen(meeting.elin, meeting.maja)["key"]

    assert meeting.maja.post("room/leave", {}).status_code == 200
    assert meeting.maja.joins().status_code == 200

    assert meeting.seen(meeting.elin, meeting.maja)["key"] == ""
    assert meeting.seen(meeting.elin, meeting.maja)["sealed"] == ""


@pytest.mark.requirement("R107")
def test_a_meeting_that_is_not_strict_takes_no_keys_and_shows_none(tmp_path: Path) -> None:
    plain = Meeting(tmp_path, strict=False)

    assert plain.maja.post("room/key", {"key": public_key(), "sealed": {}}).status_code == 409
    assert "key" not in plain.seen(plain.elin, plain.maja)


@pytest.mark.requirement("R107", "R022")
def test_strict_closes_recording_and_the_page_says_so(meeting: Meeting) -> None:
    state = meeting.elin.get("room/state").get_json()

    assert state["meeting"]["encryption"] == "strict"
    assert "record" not in state["me"]["permissions"]
    assert state["refusals"]["record"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"key": "", "sealed": {}}, "key"),
        ({"key": "x" * 87, "sealed": {}}, "key"),
        ({"key": text64(b"\x04" + b"\x01" * 64), "sealed": {}}, "key"),  # on no curve
        ({"key": text64(b"\x02" + b"\x01" * 32), "sealed": {}}, "key"),  # compressed
        ({"key": 7, "sealed": {}}, "key"),
        ({"key": public_key(), "sealed": []}, "sealed"),
        ({"key": public_key(), "sealed": {"p_nobody": WRAPPED}}, "sealed"),
        ({"key": public_key(), "sealed": {"SELF": WRAPPED}}, "sealed"),
        ({"key": public_key(), "sealed": {"ELIN": "hej Elin, ring mig"}}, "sealed"),
        ({"key": public_key(), "sealed": {"ELIN": text64(os.urandom(65))}}, "sealed"),
        ({"key": public_key(), "sealed": {"ELIN": {"a": 1}}}, "sealed"),
        ({"key": public_key()}, "sealed"),
    ],
)
def test_what_is_no_key_is_refused_by_its_field_and_kept_nowhere(
    still: Meeting, body: dict[str, Any], field: str
) -> None:
    names = {"SELF": still.maja.place, "ELIN": still.elin.place}
    sealed = body.get("sealed")
    if isinstance(sealed, dict):
        body = {**body, "sealed": {names.get(to, to): each for to, each in sealed.items()}}
    size = still.product.services.audit.size

    answer = still.maja.post("room/key", body)

    assert (answer.status_code, answer.get_json()["field"]) == (422, field)
    assert still.product.services.audit.size == size
    assert still.seen(still.elin, still.maja)["key"] == ""


def test_who_was_put_out_gives_no_more_keys(meeting: Meeting) -> None:
    meeting.elin.post("room/expel", {"participant": meeting.samir.place})

    assert meeting.samir.post("room/key", {"key": public_key(), "sealed": {}}).status_code in (401, 403, 409)
