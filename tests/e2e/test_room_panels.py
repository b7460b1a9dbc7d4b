"""What opens beside the talk: one thing at a time, in the same window."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from sidecar.domain import clock
from sidecar.testing.pages import findings
from tests.e2e import room_steps as steps
from tests.e2e import room_stub as stub
from tests.e2e.room_steps import (
    BERIT,
    ELIN,
    HOSTILE,
    MAJA,
    Enter,
    answer,
    asked_for,
    cameras,
    control,
    joined,
    open_panel,
    picture,
    tile,
)

pytestmark = pytest.mark.e2e
quiet, enter, room_browser = steps.quiet, steps.enter, steps.room_browser  # fixtures


@pytest.mark.requirement("R053")
def test_one_panel_at_a_time_in_the_same_window_and_the_talk_goes_on(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA), pictures=cameras(MAJA))
    page = joined(enter(quiet, stage))
    expect(tile(page, MAJA)).to_have_class(re.compile("pictured"))
    control(page, "documents").click()
    expect(control(page, "documents")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("[data-panel=documents]")).to_contain_text("Inget dokument visas än.")

    open_panel(page, "chat")
    expect(page.locator("[data-panel=documents]")).to_be_hidden()
    expect(control(page, "documents")).to_have_attribute("aria-expanded", "false")
    expect(tile(page, MAJA)).to_have_class(re.compile("pictured"))
    page.keyboard.press("Escape")
    expect(page.locator("#panels")).to_be_hidden()
    expect(page.locator("#more")).to_be_focused()
    assert len(page.context.pages) == 1
    assert stage.joins == 1


def test_chat_shows_text_as_text_and_keeps_what_did_not_get_through(quiet: Any, enter: Enter) -> None:
    message = {"id": "c_x", "from": "p_maja", "name": HOSTILE, "at": clock.to_text(stub.NOON), "text": HOSTILE}
    stage = quiet.arrange(stub.room_state(ELIN, MAJA, chat=[]))
    page = joined(enter(quiet, stage))
    stage.state["chat"].append(message)
    quiet.tell(stage)
    expect(page.locator("#more .badge")).to_have_text("1")
    panel = open_panel(page, "chat")

    expect(panel.locator(".said")).to_have_text(HOSTILE)
    assert page.locator("#room img").count() == 0
    expect(page.locator("#more .badge")).to_be_hidden()

    field = panel.get_by_role("textbox")
    stage.refused["chat"] = (503, "Vi kan inte anteckna det som händer just nu, och då gör vi det inte heller.")
    field.fill("Hej Maja")
    field.press("Enter")
    expect(answer(page)).to_contain_text("Vi kan inte anteckna")
    expect(field).to_have_value("Hej Maja")
    stage.refused.clear()
    panel.get_by_role("button", name="Skicka").click()
    expect(panel.locator(".mine .said")).to_have_text("Hej Maja")
    expect(field).to_have_value("")
    field.press("Enter")
    expect(answer(page)).to_have_text("Skriv något först, så skickar vi det.")


def test_who_waits_is_shown_with_name_and_level_and_let_in_or_not(quiet: Any, enter: Enter, tmp_path: Path) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage))
    stage.state["lobby"] = [BERIT]
    quiet.tell(stage)
    knock = page.locator("#line-knock")
    expect(knock).to_contain_text("Berit Lundhag väntar.")
    expect(knock).to_contain_text("BankID, tillitsnivå 3")
    expect(page).to_have_title(re.compile("^Berit Lundhag väntar"))
    expect(page.get_by_role("status")).to_have_text("Berit Lundhag väntar på att bli insläppt.")
    picture(page, "knock", tmp_path)

    page.locator("#knock-people").click()
    waiting = page.locator(".waiting")
    expect(waiting).to_contain_text("Kund, BankID, tillitsnivå 3")
    waiting.get_by_role("button", name="Släpp in, Berit Lundhag", exact=True).click()
    waiting.get_by_role("button", name="Släpp inte in, Berit Lundhag").click()
    expect(page.get_by_role("button", name="Låt vänta kvar")).to_be_focused()
    page.keyboard.press("Enter")
    waiting.get_by_role("button", name="Släpp inte in, Berit Lundhag").click()
    page.locator("[data-go]").click()
    expect(page.locator("#ask")).to_be_hidden()
    asked_for(page, stage, [("admit", {"participant": "p_berit"}), ("deny", {"participant": "p_berit"})])


def test_who_has_gone_from_the_lobby_is_shown_as_away_and_let_in_only_when_one_knows_it(
    quiet: Any, enter: Enter, tmp_path: Path
) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage))
    stage.state["lobby"] = [BERIT]
    quiet.tell(stage)
    expect(page.locator("#line-knock")).to_be_visible()
    stage.state["lobby"] = [BERIT | {"away_since": clock.to_text(stub.NOON + timedelta(minutes=7))}]
    quiet.tell(stage)
    expect(page.get_by_role("status")).to_have_text("Berit Lundhag är borta från väntrummet just nu.")
    expect(page.locator("#line-knock")).to_be_hidden()
    expect(page.locator("#more .badge")).to_be_hidden()
    expect(page).not_to_have_title(re.compile("Berit"))

    row = open_panel(page, "people").locator(".waiting")
    expect(row).to_contain_text("Borta sedan")
    picture(page, "lobby-away", tmp_path)
    page.set_viewport_size({"width": 390, "height": 844})
    picture(page, "lobby-away-phone", tmp_path)
    admit = row.get_by_role("button", name="Släpp in, Berit Lundhag", exact=True)
    admit.click()
    box = page.get_by_role("dialog")
    expect(box).to_contain_text("Berit Lundhag har inte sidan öppen just nu.")
    picture(page, "lobby-away-asked-phone", tmp_path)
    assert findings(page) == []
    expect(box.get_by_role("button", name="Vänta")).to_be_focused()
    page.keyboard.press("Enter")
    admit.click()
    box.get_by_role("button", name="Släpp in ändå").click()
    expect(box).to_be_hidden()
    stage.state["lobby"] = [BERIT]
    quiet.tell(stage)
    expect(page).to_have_title(re.compile("^Berit Lundhag väntar"))
    admit.click()
    asked_for(page, stage, [
        ("admit", {"participant": "p_berit", "though_away": True}), ("admit", {"participant": "p_berit"}),
    ])  # fmt: skip


def test_who_opens_the_door_asks_somebody_to_wait_again_but_no_colleague(
    quiet: Any, enter: Enter, tmp_path: Path
) -> None:
    siv = stub.person("p_siv", "Siv Tallbo", "specialist", "Specialist", "verifierad av banken")
    stage = quiet.arrange(stub.room_state(ELIN, MAJA, siv))
    page = joined(enter(quiet, stage))
    panel = open_panel(page, "people")
    expect(panel.locator("[data-key=p_siv]")).to_be_visible()
    expect(panel.get_by_role("button", name="Be vänta i väntrummet, Siv Tallbo")).to_be_hidden()
    page.set_viewport_size({"width": 390, "height": 844})
    picture(page, "send-back-390", tmp_path)
    panel.get_by_role("button", name="Be vänta i väntrummet, Maja Granlid").click()

    asked_for(page, stage, [("send-back", {"participant": "p_maja"})])


def test_a_moderator_mutes_at_once_and_ends_a_part_after_one_question(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage))
    row = open_panel(page, "people").locator("[data-key=p_maja]")
    row.get_by_role("button", name="Stäng av mikrofonen, Maja Granlid").click()
    expect(page.get_by_role("status")).to_have_text("Mikrofonen är av för Maja Granlid.")
    row.get_by_role("button", name="Avsluta medverkan, Maja Granlid").click()
    expect(page.get_by_role("button", name="Låt Maja vara kvar")).to_be_focused()
    page.locator("[data-go]").click()
    expect(page.locator("#ask")).to_be_hidden()
    acts = [("mute", {"participant": "p_maja", "kind": "audio"}), ("expel", {"participant": "p_maja"})]
    asked_for(page, stage, acts)

    customer = joined(enter(quiet, quiet.arrange(stub.room_state(MAJA, ELIN))))
    panel = open_panel(customer, "people")
    expect(panel.locator("[data-key=p_elin]")).to_be_visible()
    expect(panel.locator("[data-key] button:visible")).to_have_count(0)


def test_a_guest_is_invited_and_what_is_missing_is_said_at_the_field(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage))
    panel = open_panel(page, "guests")
    panel.get_by_role("button", name="Skicka inbjudan").click()
    name = panel.get_by_label("Namn")
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description("Skriv gästens namn som det står i legitimationen.")
    assert findings(page) == []

    name.fill("Samir Haddin")
    panel.get_by_label("Ombud").check()
    panel.get_by_label("E-post").fill("samir@exempel.example")
    panel.get_by_label("Personnummer").fill("19880507-1233")
    panel.get_by_role("button", name="Skicka inbjudan").click()
    expect(panel.locator("#guest-done")).to_have_text("Inbjudan till Samir Haddin är skickad.")
    expect(panel.get_by_label("Personnummer")).to_have_value("")
    asked_for(page, stage, [(
        "invite",
        {"name": "Samir Haddin", "capacity": "representative", "email": "samir@exempel.example", "phone": "",
         "national_id": "19880507-1233", "language": "sv"},
    )])  # fmt: skip


def test_an_invitation_that_is_refused_says_at_the_field_what_is_wrong_with_it(
    quiet: Any, enter: Enter, tmp_path: Path
) -> None:
    """Before, every refusal read the same and named no field, and the number an eID needs was asked for nowhere."""
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage))
    panel = open_panel(page, "guests")
    number, phone = panel.get_by_label("Personnummer"), panel.get_by_label("Mobilnummer")
    send = panel.get_by_role("button", name="Skicka inbjudan")
    expect(number).to_have_attribute("required", "")
    panel.get_by_label("Namn").fill("Samir Haddin")
    panel.get_by_label("E-post").fill("samir@exempel.example")
    send.click()
    expect(number).to_be_focused()
    expect(number).to_have_accessible_description(re.compile("så gästens personnummer behövs.$"))
    assert stage.posted == []

    wrong = "Slutet på numret stämmer inte med resten. Se efter att det är rätt skrivet."
    stage.refused["invite"] = (422, wrong, "national_id")
    number.fill("198805071234")
    expect(number).not_to_have_attribute("aria-invalid", "true")
    panel.get_by_label("Namn").focus()
    send.click()
    expect(number).to_be_focused()
    expect(number).to_have_attribute("aria-invalid", "true")
    expect(number).to_have_accessible_description(re.compile(wrong))
    expect(answer(page)).to_be_hidden()
    assert findings(page) == []
    picture(page, "guest-refused", tmp_path)
    page.set_viewport_size({"width": 390, "height": 844})
    picture(page, "guest-refused-phone", tmp_path)

    # Security is raised or the page is another meeting's: what opens the door is what is asked for.
    stage.state["needs_national_id"] = False
    quiet.tell(stage)
    expect(phone).to_have_attribute("required", "")
    expect(number).not_to_have_attribute("required", "")
    stage.refused["invite"] = (409, "Den här personen är redan inbjuden.")
    phone.fill("070-174 06 06")
    send.click()
    expect(answer(page)).to_have_text("Den här personen är redan inbjuden.")
    expect(panel.locator("[aria-invalid=true]")).to_have_count(0)


def test_security_is_raised_after_saying_what_changes_and_that_there_is_no_way_back(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage))
    panel = open_panel(page, "security")
    expect(panel).to_contain_text("Säkerheten kan bara höjas under mötet, inte sänkas.")
    panel.get_by_role("button", name="Höj: Ingen delning av fönster").click()
    box = page.get_by_role("dialog")
    expect(box).to_contain_text("Ingen kan dela fönster under resten av mötet. Det går inte att ångra under mötet.")
    expect(box.get_by_role("button", name="Behåll som det är")).to_be_focused()
    assert findings(page) == []
    box.get_by_role("button", name="Höj").click()
    asked_for(page, stage, [("raise", {"target": "share:off"})])
