"""A call link by text message: where no code is asked for, or where the code goes another way (R063, R060)."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.errors import InvalidInputError, RefusedError
from sidecar.domain.ids import PersonId
from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.services.ports import DeliveryFailedError
from sidecar.testing import ELIN, MAJA, ORIGIN, SAMIR, TURE, Product, StubPlugins, guest

TEXTS_FIRST = '[notifications]\norder = ["sms", "email"]'


def with_telephone_only(product: Product, **changed: Any) -> PersonId:
    return product.customer(TURE, email="", inbox="", **changed)


def deliver(product: Product) -> list[str]:
    """Let the worker work once a slip can no longer be taken back; return the text messages sent so far."""
    product.clock.on(seconds=11)
    product.worker()
    return [sent.text for sent in product.channels["sms"].sent]


def link_in(text: str) -> str:
    [link] = re.findall(re.escape(ORIGIN) + r"(/m/\S+)", text)
    return str(link)


@pytest.mark.requirement("R063", "R059", "R061")
def test_a_customer_with_a_telephone_alone_gets_the_link_and_comes_in_by_it(product: Product) -> None:
    meeting = product.book(customer=with_telephone_only(product))
    [text] = deliver(product)

    assert product.channels["sms"].sent[0].address == TURE.phone
    for word in ("Exempelbanken", "Utöka bolånet för renovering", "bankid title", "aldrig om koder"):
        assert word in text
    place = product.place_of(meeting, Capacity.CUSTOMER)
    assert (place.link_channel, place.code_channel) == ("sms", "")
    browser = product.browser()
    browser.place = browser.get(link_in(text)).headers["Location"].split("/")[2]
    assert browser.place == place.id
    assert "Ett sms bekräftar mötet." in browser.get("arrive").text
    assert "internetbank" not in browser.get("arrive").text
    assert browser.post("consent", {"version": "1"}).status_code == 200
    ture = browser.waits(TURE)
    elin = product.opens(meeting)
    assert elin.post("room/admit", {"participant": ture.place}).status_code == 200
    assert ture.joins().status_code == elin.joins().status_code == 200
    assert elin.post("room/end").status_code == 200
    assert "Ett sms bekräftar mötet." in ture.get("left").text
    product.worker()
    assert "avslutat" in product.channels["sms"].sent[-1].text
    assert "/m/" not in product.channels["sms"].sent[-1].text


@pytest.mark.requirement("R063", "R064")
def test_what_follows_an_invitation_by_text_message_comes_the_same_way(product: Product) -> None:
    meeting = product.book(customer=with_telephone_only(product), starts_at=product.clock() + timedelta(days=3))
    [invited] = deliver(product)
    product.services.booking.move(meeting.id, meeting.starts_at + timedelta(hours=1), actor=product.staff().id)
    product.worker()
    product.clock.now = meeting.starts_at - timedelta(hours=20)
    product.worker()
    product.services.booking.cancel(meeting.id, actor=product.staff().id)
    product.worker()

    _, moved, reminded, cancelled = [sent.text for sent in product.channels["sms"].sent]
    assert "ny tid" in moved
    assert "påminnelse" in reminded
    assert link_in(moved) == link_in(reminded) == link_in(invited)
    assert "inställt" in cancelled
    assert "/m/" not in cancelled
    assert [channel.sent for name, channel in product.channels.items() if name != "sms"] == [[], []]


@pytest.mark.requirement("R063", "R060", "R212")
def test_where_a_code_is_a_way_in_a_telephone_alone_is_refused_in_plain_words(product: Product) -> None:
    ture = with_telephone_only(product)
    with pytest.raises(RefusedError) as refused:
        product.book(type_name="advice", customer=ture)
    assert refused.value.params["rule"] == "address/one-way"
    assert product.records()[-1].data["rule"] == "address/one-way"
    assert product.stores()["meetings.meetings"] == []

    elin = product.signs_in(ELIN)
    shown = elin.post("/desk/book/follows", {"type": "advice", "customer": ture}).get_json()
    assert "Lägg till en e-postadress" in shown["refusal"]
    assert shown["invitation"] == "kan inte skickas än."
    form = {"type": "advice", "customer": ture, "purpose": "Sparande", "starts_at": "2026-11-25T14:00:00+01:00"}
    answer = elin.post("/desk/book", form)
    assert (answer.status_code, answer.get_json()["rule"]) == (403, "address/one-way")
    assert "e‑legitimation" in answer.get_json()["sentence"]
    booked = elin.post("/desk/book/follows", {"type": "mortgage", "customer": ture}).get_json()
    assert (booked["refusal"], booked["invitation"]) == ("", "kommer som sms.")


@pytest.mark.requirement("R063", "R060")
def test_a_bank_that_sends_links_as_text_messages_sends_the_code_by_mail(tmp_path: Path) -> None:
    product = Product(tmp_path, more=TEXTS_FIRST)
    meeting = product.book(type_name="advice")
    [text] = deliver(product)
    assert link_in(text)
    place = product.place_of(meeting, Capacity.CUSTOMER)
    assert (place.link_channel, place.code_channel) == ("sms", "email")
    maja = product.arrives(place)

    maja.post("sign-in/start", {"method": "otp_link", "same_device": False})

    [letter] = product.channels["email"].sent
    assert (letter.address, product.code.code in letter.text, "/m/" in letter.text) == (MAJA.email, True, False)
    assert product.code.code not in "".join(deliver(product))
    assert maja.post("sign-in/submit", {"code": product.code.code}).get_json()["status"] == "complete"
    assert maja.get("lobby").status_code == 200


@pytest.mark.requirement("R060", "R212")
def test_turned_round_too_link_and_code_may_not_end_in_one_place(tmp_path: Path) -> None:
    product = Product(tmp_path, more=TEXTS_FIRST)
    with pytest.raises(RefusedError) as refused:
        product.book(type_name="advice", guests=[replace(guest(SAMIR), email="0701740606@sms.example")])

    assert refused.value.params["rule"] == "address/same-mailbox"


def test_a_code_stays_where_the_sign_in_says_its_codes_go(tmp_path: Path) -> None:
    """A bank may let codes go by text message alone: then the link takes the mail, whatever comes first."""
    product = Product(tmp_path, more=TEXTS_FIRST)
    product.code.channels = ("sms",)
    place = product.place_of(product.book(type_name="advice"), Capacity.CUSTOMER)

    assert (place.link_channel, place.code_channel) == ("email", "sms")


@pytest.mark.requirement("R060", "R212")
def test_a_code_is_not_sent_where_the_link_went_through_an_address_changed_since(product: Product) -> None:
    meeting = product.book(type_name="advice", customer=product.customer(TURE, inbox=""))
    ture = product.arrives(product.place_of(meeting, Capacity.CUSTOMER))
    person = product.services.people.get(product.customer(TURE))
    product.services.people.put(replace(person, email=f"{TURE.phone[3:]}@sms.example"))

    answer = ture.post("sign-in/start", {"method": "otp_link", "same_device": False})

    assert (answer.status_code, answer.get_json()["rule"]) == (403, "address/same-mailbox")
    assert product.channels["sms"].sent == []


@pytest.mark.parametrize(
    ("written", "outcome"),
    [
        ("+46 (0)70-174 06 07", TURE.phone),
        ("0046701740607", TURE.phone),
        ("070-174 06 07", "address/unreadable"),  # of which country? A wrong guess is a stranger's telephone
        ("+46 7", "address/unreadable"),
        ("ring på", "address/unreadable"),
    ],
)
def test_a_link_goes_only_to_a_number_that_needs_no_guess(product: Product, written: str, outcome: str) -> None:
    ture = with_telephone_only(product, phone=written)

    if outcome.startswith("address/"):
        with pytest.raises(RefusedError) as refused:
            product.book(customer=ture)
        assert refused.value.params["rule"] == outcome
    else:
        product.book(customer=ture)
        assert link_in(deliver(product)[0])
        assert product.channels["sms"].sent[0].address == outcome


def test_where_nothing_sends_text_messages_a_telephone_is_no_way_to_somebody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: Callable[..., Any] = StubPlugins.channels
    monkeypatch.setattr(
        StubPlugins,
        "channels",
        lambda self, *allowed: {name: way for name, way in offered(self, *allowed).items() if name != "sms"},
    )
    product = Product(tmp_path)
    with pytest.raises(InvalidInputError) as refused:
        product.book(customer=with_telephone_only(product))

    assert refused.value.params["field"] == "email"


def failed_invitation(product: Product, type_name: str, **changed: Any) -> tuple[Meeting, str]:
    meeting = product.book(type_name=type_name, customer=product.customer(TURE, **changed))
    product.channels["email"].broken = DeliveryFailedError(retry=False)
    deliver(product)
    [failed] = [each for each in product.services.meetings.errands(meeting.id) if each.state == "failed"]
    return meeting, failed.id


@pytest.mark.requirement("R063")
def test_a_letter_that_did_not_arrive_can_follow_as_a_text_message_where_no_code_goes(product: Product) -> None:
    elin = product.signs_in(ELIN)
    meeting, failed = failed_invitation(product, "advice")
    assert "Skicka som sms i stället" not in elin.get(f"/desk/meetings/{meeting.id}").text
    assert elin.post(f"/desk/deliveries/{failed}/again", {"channel": "sms"}).status_code == 403
    meeting, failed = failed_invitation(product, "mortgage")
    assert "Skicka som sms i stället" in elin.get(f"/desk/meetings/{meeting.id}").text

    assert elin.post(f"/desk/deliveries/{failed}/again", {"channel": "sms"}).status_code == 200
    product.worker()

    [text] = [sent.text for sent in product.channels["sms"].sent]
    assert link_in(text)
    assert product.place_of(meeting, Capacity.CUSTOMER).link_channel == "sms"


@pytest.mark.requirement("R063")
def test_a_letter_that_did_not_arrive_is_not_followed_by_a_link_to_a_number_to_guess(product: Product) -> None:
    elin = product.signs_in(ELIN)
    meeting, failed = failed_invitation(product, "mortgage", phone="0701740609")

    assert "Skicka som sms i stället" not in elin.get(f"/desk/meetings/{meeting.id}").text
    answer = elin.post(f"/desk/deliveries/{failed}/again", {"channel": "sms"})

    assert (answer.status_code, answer.get_json()["rule"]) == (403, "address/unreadable")
    assert product.records(meeting)[-1].data["act"] == "invitation.again"
    assert deliver(product) == []
    assert product.place_of(meeting, Capacity.CUSTOMER).link_channel == "email"


@pytest.mark.requirement("R063")
def test_a_link_does_not_follow_a_number_that_was_changed_to_one_that_needs_a_guess(product: Product) -> None:
    meeting = product.book(customer=with_telephone_only(product), starts_at=product.clock() + timedelta(days=3))
    deliver(product)
    person = product.services.people.get(product.customer(TURE))
    product.services.people.put(replace(person, phone="91234567", inbox="", email=""))
    product.services.booking.move(meeting.id, meeting.starts_at + timedelta(hours=1), actor=product.staff().id)
    product.worker()

    [moved] = [each for each in product.services.meetings.errands(meeting.id) if each.body["template"] == "moved"]
    assert (moved.state, moved.attempts) == ("failed", 1), "no later try can help"
    assert product.kinds(meeting).count("invitation.failed") == 1
    assert [sent.address for sent in product.channels["sms"].sent] == [TURE.phone]
    product.services.booking.cancel(meeting.id, actor=product.staff().id)
    product.worker()
    last = product.channels["sms"].sent[-1]
    assert (last.address, "inställt" in last.text, "/m/" in last.text) == ("91234567", True, False)
