"""The form an adviser asks with: whom it offers and counts, also when somebody comes while it is filled in."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from sidecar.domain.permissions import Capacity
from sidecar.plugin_api import Subject
from sidecar.services.booking import GuestRequest
from sidecar.testing import FRIDA, MAJA, YLVA, Browser, guest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.requirement("R081")]
BASE, LONG_MS = "x/pades_signing/signings", 30_000
NORA = GuestRequest(
    name="Nora Lid", capacity=Capacity.CUSTOMER, email="nora.lid@example.org", national_id="01019000083", country="NO"
)


@pytest.fixture
def room(company: Any) -> Any:
    """The meeting that `browse` serves."""
    return company


def comes(room: Any, who: GuestRequest) -> None:
    services = room.product.services
    services.booking.invite_guest(room.meeting, who, actor=room.product.staff(FRIDA).id)


def added(room: Any, name: str, data: bytes) -> str:
    documents = room.core.service("documents")
    return str(documents.add(str(room.meeting.id), name, data, by="system", origin="form"))


def sends(page: Page, form: Locator, room: Any) -> Any:
    """Press the form's button and return what was opened."""
    with page.expect_response(f"**/{BASE}") as answered:
        press(form.get_by_role("button", name="Skicka till parterna"))
    assert answered.value.status == 201, answered.value.text()
    return room.core.records().get("signing", answered.value.json()["id"]).body


def asking(page: Page, who: Browser, act: str) -> Locator:
    """Open the panel from the menu and one of its forms; return that one."""
    page.goto(f"/v/{who.place}/room")
    page.locator("#more").click()
    page.locator("#menu-items [data-key=signing] button").click()
    made = page.locator(f"[data-panel=signing] [data-act={act}]")
    press(made.locator("summary"))
    return made


def press(target: Locator) -> None:
    target.focus()
    target.page.keyboard.press("Enter")


def test_as_many_approvals_are_asked_for_as_people_are_ticked(
    room: Any, browse: Callable[[Browser], BrowserContext]
) -> None:
    comes(room, NORA)  # whose number the eID does not take
    page = browse(room.adviser).new_page()
    form = asking(page, room.adviser, "approve")
    needed = form.get_by_label("Hur många som måste godkänna")
    people = form.get_by_role("group", name="Personer")

    expect(people.get_by_role("checkbox", name="Nora Lid", exact=True)).to_be_disabled()
    assert (needed.input_value(), needed.get_attribute("max")) == ("2", "2")
    for left in ("1", "2"):
        people.get_by_role("checkbox", name="Ylva Klerå", exact=True).click()
        assert (needed.input_value(), needed.get_attribute("max")) == (left, left)
    form.get_by_label("Vad det gäller").fill("Valutaorder")
    form.get_by_label("Belopp i hela enheter").fill("100")

    opened = sends(page, form, room)
    assert (opened["needed"], len(opened["parties"])) == (2, 2)


def test_an_approval_is_not_offered_where_too_few_can_give_one(
    room: Any, browse: Callable[[Browser], BrowserContext]
) -> None:
    ylva = next(each for each in room.core.meeting(str(room.meeting.id)).places if each.name == YLVA.name)
    people = room.product.services.people
    people.put(replace(people.get(ylva.person), subjects=(Subject("no-fodselsnummer", "01019000083"),)))
    page = browse(room.adviser).new_page()

    form = asking(page, room.adviser, "approve")

    expect(form).to_contain_text("Minst 2 personer från företaget måste vara med.", timeout=LONG_MS)
    expect(form.locator("form")).to_have_count(0)


def test_who_came_and_what_was_added_while_a_form_was_filled_in_is_in_it_once_it_is_sent(
    room: Any, browse: Callable[[Browser], BrowserContext], pdf: Callable[..., bytes]
) -> None:
    added(room, "Avtal.pdf", pdf("Avtal"))
    page = browse(room.adviser).new_page()
    form = asking(page, room.adviser, "sign")
    form.get_by_label("Vad det gäller").fill("Avtal")
    comes(room, guest(MAJA, Capacity.CUSTOMER))
    added(room, "Bilaga.pdf", pdf("Bilaga"))

    assert len(sends(page, form, room)["parties"]) == 2

    expect(form.locator("[name=people]")).to_have_count(4)
    expect(form.locator("[name=documents]")).to_have_count(2)
    expect(form.locator("summary")).to_be_focused()
    press(form.locator("summary"))
    expect(form.get_by_role("checkbox", name="Maja Granlid", exact=True)).to_be_visible()
