"""Signing what lies in the document room: nobody signs what they may not read, nor what is no longer there."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from sidecar.testing import MAJA, Browser
from sidecar.testing.product import ORIGIN

BASE = "x/pades_signing/signings"
HIDDEN, NOT_SHOWN = "är dolda för Maja Granlid", "visas inte för Maja Granlid"


class Desk:
    """The adviser's side of one meeting with Maja in it."""

    def __init__(self, make_room: Callable[..., Any]) -> None:
        self.room = make_room(plugins=("bankid", "pades_signing", "document_room"))
        self.maja: Browser = self.room.enter(MAJA)

    def sends(self, path: str, data: bytes) -> Any:
        adviser: Browser = self.room.adviser
        answer = adviser.client.post(
            f"/v/{adviser.place}/x/document_room/{path}",
            data={"file": (io.BytesIO(data), "Skuldebrev.pdf")},
            headers={"X-Tillit-CSRF": adviser.csrf()},
            base_url=ORIGIN,
        )
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def does(self, path: str, body: dict[str, Any]) -> None:
        answer = self.room.adviser.post(f"x/document_room/{path}", body)
        assert answer.status_code in (200, 201), answer.text

    def shows(self, data: bytes) -> str:
        id = str(self.sends("documents", data)["id"])
        self.does("present", {"document": id, "page": 1})
        assert self.maja.get(f"x/document_room/documents/{id}/1/pages/1").status_code == 200
        return id

    def asks(self, id: str) -> Any:
        """Ask Maja to sign a document."""
        body = {"title": "Skuldebrev", "documents": [id], "parties": [{"participant": self.maja.place}]}
        return self.room.adviser.post(BASE, body)

    def starts(self, signing: str) -> Any:
        return self.maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})


@pytest.fixture
def desk(make_room: Callable[..., Any]) -> Desk:
    return Desk(make_room)


@pytest.mark.requirement("R037", "R081")
def test_nobody_is_asked_to_sign_what_is_hidden_from_them(desk: Desk, pdf: Callable[..., bytes]) -> None:
    id = desk.shows(pdf("Beslut, belopp 1 111 kr"))
    opened = desk.asks(id).get_json()["id"]
    masks = f"documents/{id}/masks"
    desk.does(masks, {"value": "1 111 kr", "hide_from": [desk.maja.place]})

    refused = desk.asks(id)

    assert refused.status_code == 409, refused.text
    assert HIDDEN in refused.get_json()["sentence"]
    held = desk.starts(opened)
    assert (held.status_code, held.get_json()["rule"]) == (403, "document_room/masked")
    assert held.get_json()["sentence"].startswith("Delar av dokumentet är dolda för dig")
    assert "cancel" not in desk.room.bankid.calls()
    assert len(desk.room.bankid.orders()) == 1, "the one she came in with"

    other = desk.shows(pdf("Ett annat"))
    desk.sends(f"documents/{id}/versions", pdf("Beslut, belopp 1.111 SEK"))
    assert HIDDEN in desk.asks(id).get_json()["sentence"], "nobody knows yet where it stands in the new version"
    assert desk.asks(other).status_code == 201


@pytest.mark.requirement("R081")
def test_nobody_is_asked_to_sign_what_they_cannot_open(desk: Desk, pdf: Callable[..., bytes]) -> None:
    id = desk.shows(pdf("Avtal"))
    desk.does(f"documents/{id}/share", {"visible_to": ["adviser"], "released": True, "downloadable": False})

    refused = desk.asks(id)

    assert refused.status_code == 409, refused.text
    assert NOT_SHOWN in refused.get_json()["sentence"]
    desk.does(f"documents/{id}/share", {"visible_to": None, "released": True, "downloadable": False})
    assert desk.asks(id).status_code == 201


def test_another_meetings_document_cannot_be_signed_here(desk: Desk, pdf: Callable[..., bytes]) -> None:
    documents = desk.room.core.service("documents")
    elsewhere = desk.room.product.book()
    id = documents.add(str(elsewhere.id), "Någon annans", pdf("Hemligt"), by="system", origin="form")

    refused = desk.asks(id)

    assert refused.status_code in (400, 422)
    assert "Någon annans" not in refused.text


@pytest.mark.requirement("R155", "R209")
@pytest.mark.parametrize("what", ["changed", "withdrawn"])
def test_a_signing_ends_when_its_document_is_replaced_or_taken_back(
    desk: Desk, pdf: Callable[..., bytes], what: str
) -> None:
    id, other = desk.shows(pdf("Avtal")), desk.shows(pdf("Ett annat"))
    signing, untouched = (desk.asks(each).get_json()["id"] for each in (id, other))
    if what == "changed":
        desk.sends(f"documents/{id}/versions", pdf("Avtal, ändrat"))
    else:
        desk.does(f"documents/{id}/withdraw", {"reason": "misaddressed"})

    held = desk.starts(signing)

    assert (held.status_code, held.get_json()["rule"]) == (403, f"document_room/{what}")
    said = {"changed": "Dokumentet har fått en ny version", "withdrawn": "Dokumentet är tillbakataget"}
    assert held.get_json()["sentence"].startswith(said[what])
    desk.room.product.worker()
    assert desk.room.show(desk.maja, signing)["state"] == "withdrawn"
    assert desk.room.show(desk.maja, untouched)["state"] == "open"
    assert desk.starts(untouched).get_json()["status"] == "pending"
