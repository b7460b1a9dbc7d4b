"""Beginning to sign at the same moment as somebody else: nobody is locked out, and no question is left unheard."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sidecar.domain.permissions import Capacity
from sidecar.testing import AGNES, FRIDA, MAJA, YLVA, Browser, guest
from tillit_bankid.client import BankIdClient
from tillit_bankid.signing import BankIdSigning

BASE = "x/pades_signing/signings"


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Return a function that lets something happen right after BankID has made the next order."""

    def happens(what: Callable[[], Any]) -> None:
        start = BankIdSigning.start

        def started(self: BankIdSigning, request: Any) -> Any:
            monkeypatch.setattr(BankIdSigning, "start", start)
            step = start(self, request)
            with ThreadPoolExecutor(1) as elsewhere:  # a request of its own, not one inside this one
                elsewhere.submit(what).result()
            return step

        monkeypatch.setattr(BankIdSigning, "start", started)

    return happens


@pytest.fixture
def while_asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Return a function that lets something happen while BankID's next answer about an order is on its way."""

    def happens(what: Callable[[], Any]) -> None:
        collect = BankIdClient.collect

        def collected(self: BankIdClient, order: str) -> Any:
            monkeypatch.setattr(BankIdClient, "collect", collect)
            try:
                return collect(self, order)
            finally:
                with ThreadPoolExecutor(1) as elsewhere:
                    elsewhere.submit(what).result()

        monkeypatch.setattr(BankIdClient, "collect", collected)

    return happens


@pytest.mark.requirement("R079", "R081")
def test_two_of_one_turn_who_start_at_once_both_sign(
    make_room: Callable[..., Any], meanwhile: Callable[[Callable[[], Any]], None]
) -> None:
    room = make_room(type_name="corporate-fx", adviser=FRIDA, customer=AGNES, guests=[guest(YLVA, Capacity.CUSTOMER)])
    agnes, ylva = room.enter(AGNES), room.enter(YLVA)
    signing = room.opens(agnes, ylva)
    hers: list[Any] = []
    meanwhile(lambda: hers.append(ylva.post(f"{BASE}/{signing}/start", {"method": "bankid"}).get_json()["status"]))

    begun = agnes.post(f"{BASE}/{signing}/start", {"method": "bankid"})

    assert (begun.status_code, begun.get_json()["status"], hers) == (200, "pending", ["pending"])
    newest, oldest = room.bankid.orders()[:2]
    for order, who in ((oldest, AGNES), (newest, YLVA)):
        room.bankid.phone("scan", qr=order["qr"], person=who.key)
        room.bankid.phone("read", order=order["order"], person=who.key)
        room.bankid.phone("approve", order=order["order"], person=who.key)
    room.later(2)
    assert room.poll(agnes, signing)["status"] == "complete"
    assert room.poll(ylva, signing)["signing"]["state"] == "sealed"
    assert "cancel" not in room.bankid.calls()


def test_an_order_whose_signing_ended_meanwhile_is_cancelled_at_the_eid(
    room: Any, maja: Browser, meanwhile: Callable[[Callable[[], Any]], None]
) -> None:
    signing = room.opens(maja)
    meanwhile(lambda: room.adviser.post(f"{BASE}/{signing}/withdraw"))

    refused = maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})

    assert refused.status_code == 409
    assert refused.get_json()["sentence"].startswith("Banken har tagit tillbaka")
    assert room.bankid.calls()["cancel"] == 1
    assert room.show(maja, signing)["state"] == "withdrawn"


def test_of_two_pages_of_one_person_the_first_goes_on(
    room: Any, maja: Browser, meanwhile: Callable[[Callable[[], Any]], None]
) -> None:
    signing = room.opens(maja)

    def other_page() -> None:
        def change(records: Any) -> None:  # as the other page leaves it once its own order is made
            record = records.get("signing", signing)
            party = {**record.body["parties"][0], "attempt": {**ATTEMPT, "started_at": record.body["created_at"]}}
            records.put("signing", signing, {**record.body, "parties": [party]}, expected=record.version)

        room.core.keep(change)

    meanwhile(other_page)

    refused = maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})

    assert (refused.status_code, room.bankid.calls()["cancel"]) == (409, 1)
    assert "nyare" in refused.get_json()["sentence"]
    assert room.show(maja, signing)["me"]["signing"] is True


@pytest.mark.requirement("R079")
@pytest.mark.parametrize("answered", ["pending", "failed"])
def test_an_answer_about_an_older_try_changes_nothing_of_the_newer_one(
    room: Any, maja: Browser, while_asked: Callable[[Callable[[], Any]], None], answered: str
) -> None:
    signing = room.opens(maja)
    maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})
    if answered == "failed":
        room.answer(MAJA, act="cancel")
    room.later(3)
    begun: list[Any] = []
    while_asked(lambda: begun.append(maja.post(f"{BASE}/{signing}/start", {"method": "bankid"}).get_json()))

    older = room.poll(maja, signing)

    assert (begun[0]["status"], older["status"]) == ("pending", "pending")
    assert older["view"]["qr"] == begun[0]["view"]["qr"]  # whoever asked is told of the try that counts
    assert "pades_signing.failed" not in room.product.kinds(room.meeting)
    room.answer(MAJA)
    assert room.poll(maja, signing)["signing"]["state"] == "sealed"


@pytest.mark.requirement("R079")
def test_a_try_that_was_signed_while_another_page_asked_is_not_kept_anew(
    room: Any, maja: Browser, while_asked: Callable[[Callable[[], Any]], None]
) -> None:
    signing = room.opens(maja)
    maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})
    room.later(3)
    hers: list[str] = []

    def other_page() -> None:
        room.answer(MAJA)
        hers.append(room.poll(maja, signing)["status"])

    while_asked(other_page)
    late = room.poll(maja, signing)

    assert hers == ["complete"]
    assert late["signing"]["me"]["held_back"] == "already_signed"
    assert room.core.records().find("try") == []


ATTEMPT = {"id": "try_other", "method": "bankid", "kind": "eid", "visible": "", "hidden": ""}
