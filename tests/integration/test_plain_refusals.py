"""What somebody wrote and cannot be used is refused in words: what is wrong with it, in their language."""

from datetime import timedelta
from typing import Any

import pytest

from sidecar.domain.permissions import Capacity
from sidecar.testing import ELIN, MAJA, SAMIR, Browser, Product
from tests.integration.journey_steps import meeting_of

SAMIR_TYPED = {
    "name": SAMIR.name,
    "capacity": "observer",
    "email": SAMIR.email,
    "phone": SAMIR.phone,
    "national_id": SAMIR.number,
}
GUESTS: list[tuple[dict[str, str], str, str]] = [
    ({"name": " "}, "name", "Skriv namnet."),
    ({"name": "x" * 121}, "name", "Texten är för lång. Högst 120 tecken ryms."),
    ({"name": "Samir\x07"}, "name", "Texten har tecken som inte går att visa. Skriv den på nytt."),
    ({"email": "samir"}, "email", "Skriv en e-postadress, dit går inbjudan."),
    (
        {"email": "samir@example.org\nBcc: all"},
        "email",
        "E-postadressen går inte att använda. Se efter hur den är skriven.",
    ),
    ({"phone": "+46\r\n70"}, "phone", "Mobilnumret går inte att använda. Se efter hur det är skrivet."),
    ({"national_id": ""}, "national_id", "Mötet kräver e-legitimation, så gästens personnummer behövs."),
    ({"national_id": "8805"}, "national_id", "Ett svenskt personnummer har tolv siffror, med året först."),
    (
        {"national_id": "198805071234"},
        "national_id",
        "Slutet på numret stämmer inte med resten. Se efter att det är rätt skrivet.",
    ),
    (
        {"national_id": "20490507-1233"},
        "national_id",
        "Numret börjar med ett datum som inte har varit. Se efter att siffrorna stämmer.",
    ),
    (
        {"national_id": "19881307-1233"},
        "national_id",
        "Numret börjar inte med ett datum. Se efter att siffrorna stämmer.",
    ),
    ({"national_id": "123", "country": "NO"}, "national_id", "Ett norskt personnummer har elva siffror."),
]


def told(answer: Any) -> tuple[int, str, str]:
    problem = answer.get_json()
    return answer.status_code, problem.get("field", ""), problem["sentence"]


@pytest.fixture
def elin(product: Product) -> Browser:
    """Return Elin's browser, in the mortgage meeting she opened."""
    return product.opens(product.book())


@pytest.mark.parametrize(("typed", "field", "sentence"), GUESTS)
def test_a_guest_who_cannot_be_invited_is_refused_in_words_about_one_field(
    elin: Browser, typed: dict[str, str], field: str, sentence: str
) -> None:
    assert told(elin.post("room/invite", SAMIR_TYPED | typed)) == (422, field, sentence)


def test_the_sentence_comes_in_the_readers_language(elin: Browser) -> None:
    elin.client.set_cookie("tillit_language", "fi", domain="exempelbanken.example")

    _, _, sentence = told(elin.post("room/invite", SAMIR_TYPED | {"national_id": "198805071234"}))
    assert sentence.startswith("Tunnuksen loppu")
    assert elin.post("room/invite", SAMIR_TYPED).status_code == 200
    assert told(elin.post("room/invite", SAMIR_TYPED)) == (409, "", "Tämä henkilö on jo kutsuttu.")


def test_a_booking_that_cannot_be_made_says_why(product: Product) -> None:
    elin = product.signs_in(ELIN)
    customer = product.customer(MAJA)
    right = {"type": "mortgage", "customer": customer, "purpose": "Lån", "minutes": 45}
    past, far = product.clock() - timedelta(hours=1), product.clock() + timedelta(days=500)
    soon = (product.clock() + timedelta(hours=1)).isoformat()
    twice = [SAMIR_TYPED, SAMIR_TYPED]
    for changed, field, sentence in (
        ({"starts_at": past.isoformat()}, "starts_at", "Tiden har redan varit. Välj en senare."),
        ({"starts_at": far.isoformat()}, "starts_at", "Tiden ligger för långt bort. Välj en närmare."),
        ({"starts_at": "i morgon"}, "starts_at", "Tiden går inte att läsa. Välj den på nytt."),
        ({"starts_at": ""}, "starts_at", "Välj en tid."),
        ({"minutes": 1}, "duration", "Ett möte varar mellan fem minuter och åtta timmar."),
        ({"minutes": 0}, "minutes", "Ett möte varar mellan fem minuter och åtta timmar."),
        ({"customer": ""}, "customer", "Välj kunden i listan."),
        ({"purpose": " "}, "purpose", "Skriv vad mötet gäller. Kunden läser det i inbjudan."),
        ({"guests": twice}, "guests", "Samma person står två gånger bland dem som är med."),
        ({"guests": twice * 9}, "guests", "Utöver dig och kunden finns det plats för 4 i mötet."),
    ):
        assert told(elin.post("/desk/book", {"starts_at": soon} | right | changed)) == (422, field, sentence)
    meeting = elin.post("/desk/book", {"starts_at": soon} | right).get_json()["id"]
    moved = elin.post(f"/desk/meetings/{meeting}/move", {"starts_at": past.isoformat()})
    assert told(moved) == (422, "starts_at", "Tiden har redan varit. Välj en senare.")


def test_what_a_guest_is_asked_for_follows_the_meeting_as_it_is_given_now(product: Product) -> None:
    """Before, a meeting raised to eIDs went on inviting guests by telephone, who then could not come in."""
    elin = product.opens(product.book(type_name="advice"))
    maja = product.arrives(product.place_of(meeting_of(elin), Capacity.CUSTOMER)).waits(MAJA)
    by_phone = SAMIR_TYPED | {"national_id": ""}
    assert elin.get("room/state").get_json()["needs_national_id"] is False
    assert told(elin.post("room/invite", by_phone | {"phone": ""}))[1] == "phone"
    assert 'data-eid="no"' in elin.get(f"/desk/meetings/{meeting_of(elin).id}").text

    assert elin.post("room/raise", {"target": "band:medium"}).status_code == 200

    assert elin.get("room/state").get_json()["needs_national_id"] is True
    assert 'data-eid="yes"' in elin.get(f"/desk/meetings/{meeting_of(elin).id}").text
    assert told(elin.post("room/invite", by_phone))[1] == "national_id"
    assert elin.post("room/invite", SAMIR_TYPED | {"phone": ""}).status_code == 200
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert maja.get("room/state").get_json()["needs_national_id"] is False, "who invites nobody is asked nothing"
