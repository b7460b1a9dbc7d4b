"""The adviser's request: who signs which document, in which order and which way, and what the server refuses of it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from sidecar.domain.permissions import Capacity
from sidecar.services.booking import GuestRequest
from sidecar.testing import AGNES, FRIDA, SIV, YLVA, Browser

BASE = "x/pades_signing/signings"
LONG_MS = 30_000


@pytest.fixture
def room(make_room: Callable[..., Any]) -> Any:
    """An advice meeting, whose type leaves every way to sign."""
    plugins = ("bankid", "pades_signing", "document_room")
    return make_room(plugins=plugins, type_name="advice", adviser=SIV, guests=[])


NORA = GuestRequest(
    name="Nora Lid", capacity=Capacity.CUSTOMER, email="nora.lid@example.org", national_id="01019000083", country="NO"
)


def added(room: Any, name: str, data: bytes) -> str:
    documents = room.core.service("documents")
    return str(documents.add(str(room.meeting.id), name, data, by="system", origin="form"))


def asks(room: Any, documents: list[str], *parties: dict[str, Any]) -> Any:
    return room.adviser.post(BASE, {"title": "Avtal", "documents": documents, "parties": list(parties)})


def of(who: Browser, **more: Any) -> dict[str, Any]:
    return {"participant": who.place, **more}


def ways(room: Any) -> dict[str, list[str]]:
    """Return by name what the adviser is offered for each person."""
    people = room.adviser.get(BASE).get_json()["people"]
    return {each["name"]: [way["kind"] for way in each["ways"]] for each in people}


def kept(room: Any, signing: str) -> Any:
    return room.core.records().get("signing", signing).body


@pytest.mark.requirement("R081")
def test_each_person_is_offered_the_ways_that_meeting_bank_and_they_themselves_leave(
    room: Any, maja: Browser, pdf: Callable[..., bytes]
) -> None:
    assert ways(room) == {"Maja Granlid": ["eid", "sms", "touch"], "Siv Tallbo": ["touch"]}
    document = added(room, "Avtal.pdf", pdf("Avtal"))

    for wrong in (["sms"], ["eid", "touch"]):  # the adviser has neither a telephone nor a personal number here
        refused = asks(room, [document], of(room.adviser, methods=wrong))
        assert (refused.status_code, refused.get_json()["sentence"]) == (
            409,
            "Siv Tallbo kan inte skriva under på det sättet här. Välj ett annat sätt.",
        )
    opened = asks(room, [document], of(maja, methods=["touch"]))

    assert opened.status_code == 201, opened.text
    signing = opened.get_json()["id"]
    assert [each["name"] for each in room.show(maja, signing)["me"]["methods"]] == ["touch"]
    other = maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})
    assert (other.status_code, "Det sättet räcker inte" in other.get_json()["sentence"]) == (409, True)


@pytest.mark.requirement("R020", "R081")
def test_a_way_that_the_meetings_type_strikes_is_refused_whoever_chooses_it(
    company: Any, pdf: Callable[..., bytes]
) -> None:
    agnes = company.enter(AGNES)
    document = added(company, "Avtal.pdf", pdf("Avtal"))
    assert ways(company) == {"Agnes Rask": ["eid"], "Ylva Klerå": ["eid"], "Frida Oxelbo": []}

    for wrong in (["sms"], ["touch"], ["touch", "eid"]):
        refused = asks(company, [document], of(agnes, methods=wrong))
        assert (refused.status_code, refused.get_json()["sentence"]) == (
            409,
            "Agnes Rask kan inte skriva under på det sättet här. Välj ett annat sätt.",
        )
    nobody = asks(company, [document], of(agnes), of(company.adviser))
    assert nobody.get_json()["sentence"].endswith("är öppet för Frida Oxelbo.")
    for wrong in ([], ["fax"], "eid", None, 1, [["eid"]], {"eid": 1}):
        assert asks(company, [document], of(agnes, methods=wrong)).status_code in (400, 422), wrong
    money = {"act": "approve", "title": "Order", "amount": {"minor": 1, "currency": "EUR"}, "needed": 2}
    both = [of(each, methods=["touch"]) for each in (agnes, company.enter(YLVA))]
    assert company.adviser.post(BASE, {**money, "parties": both}).status_code in (400, 422)
    assert agnes.get(BASE).get_json()["signings"] == []


@pytest.mark.requirement("R081")
def test_nobody_is_asked_for_an_eid_that_does_not_take_their_number(company: Any, pdf: Callable[..., bytes]) -> None:
    booking, adviser = company.product.services.booking, company.product.staff(FRIDA)
    nora = str(booking.invite_guest(company.meeting, NORA, actor=adviser.id).id)
    agnes = company.enter(AGNES)
    document = added(company, "Avtal.pdf", pdf("Avtal"))
    assert ways(company) == {"Agnes Rask": ["eid"], "Ylva Klerå": ["eid"], "Nora Lid": [], "Frida Oxelbo": []}

    for more in ({}, {"methods": ["eid"]}):
        refused = asks(company, [document], of(agnes), {"participant": nora, **more})
        assert (refused.status_code, "Nora Lid" in refused.get_json()["sentence"]) == (409, True)
    assert agnes.get(BASE).get_json()["signings"] == []


@pytest.mark.requirement("R081", "R086")
def test_each_party_signs_their_own_documents_in_the_order_asked_for(company: Any, pdf: Callable[..., bytes]) -> None:
    agnes, ylva = company.enter(AGNES), company.enter(YLVA)
    frame, order = (added(company, name, pdf(name)) for name in ("Ramavtal.pdf", "Order.pdf"))

    for wrong in (
        [of(agnes, documents=[frame]), of(ylva, documents=[frame])],  # nobody is left for the other
        [of(agnes, documents=[]), of(ylva)],
        [of(agnes, documents=["doc_unknown"]), of(ylva)],
        [of(agnes, documents=frame), of(ylva)],
    ):
        assert asks(company, [frame, order], *wrong).status_code in (400, 422), wrong
    opened = asks(company, [frame, order], of(ylva, turn=1), of(agnes, turn=2, documents=[order]))

    assert opened.status_code == 201, opened.text
    signing = opened.get_json()["id"]
    assert [each["id"] for each in company.show(ylva, signing)["documents"]] == [frame, order]
    assert [each["id"] for each in company.show(agnes, signing)["documents"]] == [order]
    assert company.show(agnes, signing)["me"]["held_back"] == "not_your_turn"
    assert company.show(ylva, signing)["me"]["held_back"] is None


def asking(page: Page, who: Browser) -> Any:
    """Open the panel from the menu and the form in it, by keyboard; return the form."""
    page.goto(f"/v/{who.place}/room")
    page.locator("#more").click()
    page.locator("#menu-items [data-key=signing] button").click()
    press(page.locator("[data-panel=signing]").get_by_text("Be om underskrifter"), "Enter")
    form = page.locator("[data-panel=signing] details.new[open] form")
    expect(form).to_be_visible(timeout=LONG_MS)
    return form


def press(target: Any, key: str) -> None:
    target.focus()
    target.page.keyboard.press(key)


def picture(page: Page, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for width, size in (("phone", (390, 844)), ("desktop", (1280, 900))):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.screenshot(path=folder / f"signing-request-{name}-{width}.png")


@pytest.mark.e2e
@pytest.mark.timeout(600)
@pytest.mark.requirement("R081")
def test_the_request_is_made_by_keyboard_and_the_ordinary_one_with_a_single_press(
    room: Any, maja: Browser, browse: Callable[[Browser], BrowserContext], pdf: Callable[..., bytes], tmp_path: Path
) -> None:
    first = added(room, "Avtal.pdf", pdf("Avtal"))
    page = browse(room.adviser).new_page()
    form = asking(page, room.adviser)
    picture(page, "ordinary", tmp_path)

    with page.expect_response(f"**/{BASE}") as answered:
        press(form.get_by_role("button", name="Skicka till parterna"), "Enter")
    ordinary = kept(room, answered.value.json()["id"])
    assert ordinary["title"] == "Avtal"
    assert [(each["participant"], each["turn"]) for each in ordinary["parties"]] == [(maja.place, 1)]
    assert ordinary["parties"][0]["methods"] == ["touch", "sms", "eid"]
    expect(page.locator("[data-panel=signing] summary").first).to_be_focused()

    second = added(room, "Bilaga.pdf", pdf("Bilaga"))
    form = asking(page, room.adviser)
    form.get_by_label("Vad det gäller").fill("Avtal och bilaga")
    people = form.get_by_role("group", name="Personer")
    expect(people.get_by_role("button")).to_have_count(0)
    for name in ("Avtal, version 1", "Bilaga, version 1"):
        press(form.get_by_role("group", name="Dokument", exact=True).get_by_label(name), "Space")
    press(form.get_by_label("En i taget, uppifrån och ner"), "Space")
    expect(people.get_by_role("button")).to_have_count(2)  # only who is asked has a place
    press(people.get_by_label("Siv Tallbo", exact=True), "Space")
    press(people.get_by_label("Så skriver Maja Granlid under"), "k")  # the way that begins so: Kod i sms
    expect(people.get_by_label("Så skriver Maja Granlid under")).to_have_value("sms")
    press(people.get_by_role("group", name="Dokument för Siv Tallbo").get_by_label("Bilaga, version 1"), "Space")
    up = people.get_by_role("button", name="Siv Tallbo: Flytta upp")
    press(up, "Enter")
    expect(page.locator("#announce")).to_contain_text("Siv Tallbo är nummer 1 av 2.", timeout=LONG_MS)
    expect(up).to_be_focused()
    page.keyboard.press("Enter")  # already first: it stays there
    assert Axe().run(page, context="[data-panel=signing]").response["violations"] == []
    picture(page, "several", tmp_path)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    with page.expect_response(f"**/{BASE}") as answered:
        press(form.get_by_role("button", name="Skicka till parterna"), "Enter")
    made = kept(room, answered.value.json()["id"])
    assert [(each["participant"], each["turn"], each["methods"]) for each in made["parties"]] == [
        (room.adviser.place, 1, ["touch", "sms", "eid"]),
        (maja.place, 2, ["sms"]),
    ]
    assert {each["id"]: each["parties"] for each in made["documents"]} == {first: ["p1", "p2"], second: ["p2"]}
