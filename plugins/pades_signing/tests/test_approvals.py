"""Approvals of a company's transaction: two people, each with their own eID, and nobody counts twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.errors import RefusedError
from sidecar.domain.permissions import Capacity
from sidecar.testing import AGNES, ELIN, FRIDA, MAJA, TURE, YLVA, Browser, Product, guest

BASE = "x/pades_signing/signings"
CUSTOMER = Capacity.CUSTOMER


class Company:
    """A currency meeting with two signatories, Agnes and Ylva, and their lawyer Ture."""

    def __init__(self, make_room: Callable[..., Any]) -> None:
        self.room = make_room(
            type_name="corporate-fx",
            adviser=FRIDA,
            customer=AGNES,
            guests=[guest(YLVA, CUSTOMER), guest(TURE, Capacity.REPRESENTATIVE)],
        )
        self.frida: Browser = self.room.adviser
        self.agnes, self.ylva = self.room.enter(AGNES), self.room.enter(YLVA)
        self.ture = self.room.enter(TURE, Capacity.REPRESENTATIVE)

    def copies(self) -> list[Any]:
        """Return the messages that carried somebody's copy."""
        sent = [each for channel in self.room.product.channels.values() for each in channel.sent]
        return [each for each in sent if each.subject.startswith("Ditt exemplar")]

    def ask(self, *parties: Browser, **changed: Any) -> Any:
        body = {
            "act": "approve",
            "title": "Valutaorder, 250 000 euro",
            "amount": {"minor": 250_000_00, "currency": "EUR"},
            "parties": [{"participant": each.place} for each in parties],
        }
        return self.frida.post(BASE, {**body, **changed})


@pytest.fixture
def company(make_room: Callable[..., Any]) -> Company:
    return Company(make_room)


@pytest.mark.requirement("R081", "R160")
def test_a_transaction_is_approved_when_two_of_the_company_gave_their_own_eid(company: Company) -> None:
    room, agnes, ylva = company.room, company.agnes, company.ylva
    answered = company.ask(agnes, ylva)
    assert answered.status_code == 201, answered.text
    opened = answered.get_json()
    assert (opened["amount"], opened["documents"][0]["name"]) == ("250 000 EUR", "Valutaorder, 250 000 euro")
    signing = opened["id"]

    first = room.signs(agnes, signing, AGNES)
    assert (first["status"], first["message"]) == ("complete", "Nu har du godkänt.")
    assert (first["signing"]["state"], first["signing"]["documents"][0]["copy"]) == ("open", False)
    assert agnes.post(f"{BASE}/{signing}/start", {"method": "bankid"}).status_code == 409  # not a second time
    begun = ylva.post(f"{BASE}/{signing}/start", {"method": "bankid"}).get_json()
    assert begun["status"] == "pending"
    room.answer(AGNES)  # the first one's eID in the second one's place
    assert room.poll(ylva, signing)["status"] == "failed"
    assert room.show(ylva, signing)["state"] == "open"

    assert room.signs(ylva, signing, YLVA)["signing"]["state"] == "sealed"
    approved = [each for each in room.product.records(room.meeting) if each.kind == "pades_signing.signed"]
    assert len({each.actor for each in approved}) == 2
    assert len({each.data["proof_sha256"] for each in approved}) == 2
    assert {(each.data["amount_minor"], each.data["currency"]) for each in approved} == {(250_000_00, "EUR")}
    for _ in range(3):
        room.later(3)
        room.product.worker()
    copies = company.copies()
    assert {each.address for each in copies} == {AGNES.inbox or AGNES.email, YLVA.email}
    assert all("är nu godkänt" in each.text for each in copies)


@pytest.mark.requirement("R081")
def test_fewer_than_the_type_asks_for_cannot_be_asked_for_by_anybody(company: Company) -> None:
    agnes, ylva, ture = company.agnes, company.ylva, company.ture
    for wrong in (
        company.ask(agnes),
        company.ask(agnes, ylva, needed=1),
    ):
        assert wrong.status_code == 409, wrong.text
        assert wrong.get_json()["sentence"].startswith("Här godkänner minst 2 personer varje affär")
    for wrong in (
        company.ask(agnes, agnes),
        company.ask(agnes, ture),
        company.ask(agnes, company.frida),
    ):
        assert wrong.status_code in (400, 422), wrong.text
    key = company.room.product.services.api_keys.create("valutasystemet", ["pades_signing.create"])
    place = {"key": "p1", "participant": agnes.place}
    body = {
        "meeting": company.room.meeting.id,
        "act": "approve",
        "title": "Order",
        "parties": [place],
        "amount": {"minor": 100, "currency": "EUR"},
        "documents": [{"key": "o", "name": "Order", "data": ""}],
    }
    client = company.room.product.app.test_client()
    headers = {"Authorization": f"Bearer {key}"}
    by_system = client.post("/api/v1/x/pades_signing/signings", json=body, headers=headers)
    assert (by_system.status_code, "too_few_approvers" in by_system.get_json()["detail"]) == (409, True)
    assert agnes.get(BASE).get_json()["signings"] == []


@pytest.mark.requirement("R081")
def test_one_no_ends_an_approval_that_another_has_given(company: Company) -> None:
    room = company.room
    signing = company.ask(company.agnes, company.ylva).get_json()["id"]
    room.signs(company.agnes, signing, AGNES)

    assert company.ylva.post(f"{BASE}/{signing}/decline").get_json()["state"] == "declined"
    room.product.worker()
    assert room.show(company.agnes, signing)["state"] == "declined"
    assert company.copies() == []


@pytest.mark.requirement("R081", "R039")
def test_nobody_has_two_places_and_only_a_type_with_room_takes_a_second_customer(tmp_path: Path) -> None:
    product = Product(tmp_path)
    agnes = product.customer(AGNES, segment="corporate")
    fx = {"adviser": FRIDA, "type_name": "corporate-fx", "customer": agnes}
    with pytest.raises(Exception, match="named twice"):
        product.book(**fx, guests=[guest(AGNES, CUSTOMER)])
    booked = product.book(adviser=ELIN, customer=product.customer(MAJA))
    for act in (
        lambda: product.book(adviser=ELIN, customer=product.customer(MAJA), guests=[guest(YLVA, CUSTOMER)]),
        lambda: product.services.booking.invite_guest(booked, guest(YLVA, CUSTOMER), actor=product.staff(ELIN).id),
    ):
        with pytest.raises(RefusedError) as refused:
            act()
        told = refused.value.params
        assert (told["rule"], told["sentence"]) == ("mortgage@1/max_customers", "customers-full")

    meeting = product.book(**fx, guests=[guest(YLVA, CUSTOMER)])
    places = product.services.meetings.participants(meeting.id)
    assert [each.capacity for each in places].count(CUSTOMER) == 2


def test_ill_formed_requests_are_refused_by_field(company: Company) -> None:
    agnes, ylva = company.agnes, company.ylva
    both = [{"participant": agnes.place}, {"participant": ylva.place}]
    for wrong in (
        {"title": ""},
        {"title": "a\x00"},
        {"amount": {"minor": -1, "currency": "SEK"}},
        {"amount": {"minor": True, "currency": "SEK"}},
        {"amount": {"minor": 1, "currency": "kr"}},
        {"amount": None},
        {"parties": []},
        {"parties": "x"},
        {"parties": [both[0], both[0]]},
        {"parties": [both[0], {**both[1], "turn": 0}]},
        {"parties": [both[0], {"participant": "p_nobody"}]},
        {"deadline": "yesterday"},
        {"deadline": "2020-01-01T00:00:00Z"},
        {"needed": 3},
        {"act": "bless"},
        {"documents": [1]},
        {"documents": ["nothing"]},
    ):
        answered = company.ask(agnes, ylva, **wrong)
        assert answered.status_code in (400, 404, 422), (wrong, answered.status_code, answered.text)
    assert agnes.get(BASE).get_json()["signings"] == []
    assert company.ask(agnes, ylva).status_code == 201
