"""The meeting room without a mouse, and who is large in it."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sidecar.domain.clock import utc_now
from sidecar.testing.pages import findings
from tests.e2e import room_steps as steps
from tests.e2e import room_stub as stub
from tests.e2e.room_steps import (
    ELIN,
    MAJA,
    SAMIR,
    Enter,
    asked_for,
    cameras,
    comes_to,
    control,
    focused,
    joined,
    open_panel,
    picture,
    tile,
    until,
)

pytestmark = pytest.mark.e2e
quiet, enter, room_browser = steps.quiet, steps.enter, steps.room_browser  # fixtures


def hold_the_time(page: Page) -> None:
    """Let no time pass on this page but what the test lets pass."""
    page.clock.install()
    page.clock.pause_at(utc_now() + timedelta(seconds=1))


@pytest.mark.requirement("R051")
def test_the_buttons_are_one_stop_and_arrows_walk_inside(quiet: Any, enter: Enter) -> None:
    page = joined(enter(quiet, quiet.arrange(stub.room_state(ELIN, MAJA, SAMIR))))
    expect(page.locator("h1")).to_be_focused()
    control(page, "camera").focus()

    walk = ["microphone", "share", "documents", "more", "camera", "more", "camera", "more"]
    for key, stop in zip(["ArrowRight"] * 5 + ["ArrowLeft", "Home", "End"], walk, strict=True):
        page.keyboard.press(key)
        comes_to(page, lambda: focused(page), stop)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Lämna").last).to_be_focused()
    page.keyboard.press("Shift+Tab")
    comes_to(page, lambda: focused(page), "more")


def test_menu_opens_walks_and_gives_the_focus_back(quiet: Any, enter: Enter) -> None:
    page = joined(enter(quiet, quiet.arrange(stub.room_state(ELIN, MAJA))))
    page.locator("#more").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Be om ordet")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Avsluta för alla")).to_be_focused()
    page.keyboard.press("c")
    expect(page.get_by_role("menuitem", name="Chatt")).to_be_focused()
    assert findings(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#menu")).to_be_hidden()
    expect(page.locator("#more")).to_be_focused()


def test_f6_goes_round_stage_panel_and_buttons(quiet: Any, enter: Enter) -> None:
    page = joined(enter(quiet, quiet.arrange(stub.room_state(ELIN, MAJA, SAMIR))))
    control(page, "documents").click()
    expect(page.locator("#documents-title")).to_be_focused()

    page.keyboard.press("F6")
    comes_to(page, lambda: focused(page), "documents")
    page.keyboard.press("F6")
    expect(tile(page, MAJA).locator(".press")).to_be_focused()
    page.keyboard.press("F6")
    expect(page.locator("#documents-title")).to_be_focused()
    page.keyboard.press("Shift+F6")
    expect(tile(page, MAJA).locator(".press")).to_be_focused()


def test_single_keys_do_nothing_until_switched_on_and_never_in_a_field(quiet: Any, enter: Enter) -> None:
    page = joined(enter(quiet, quiet.arrange(stub.room_state(MAJA, ELIN))))
    expect(page.get_by_role("button", name="Mikrofon på")).to_be_visible()
    page.keyboard.press("2")
    panel = open_panel(page, "keys")
    expect(page.get_by_role("button", name="Mikrofon på")).to_be_visible()

    panel.get_by_role("checkbox").check()
    page.locator("h1").focus()
    page.keyboard.press("2")
    expect(page.get_by_role("button", name="Mikrofon av")).to_be_visible()
    page.keyboard.press("?")
    expect(page.locator("[data-panel=keys]")).to_be_hidden()
    field = open_panel(page, "chat").get_by_role("textbox")
    field.fill("")
    field.press("2")
    expect(field).to_have_value("2")
    expect(page.get_by_role("button", name="Mikrofon av")).to_be_visible()
    page.reload()
    joined(page)
    page.keyboard.press("0")
    expect(page.locator("#menu")).to_be_visible()


def test_holding_space_on_a_picture_opens_the_microphone_only_for_as_long(quiet: Any, enter: Enter) -> None:
    page = joined(enter(quiet, quiet.arrange(stub.room_state(MAJA, ELIN, SAMIR))))
    page.get_by_role("button", name="Mikrofon på").click()
    expect(page.get_by_role("button", name="Mikrofon av")).to_be_visible()
    press = tile(page, ELIN).locator(".press")
    press.focus()
    page.keyboard.down(" ")
    expect(page.get_by_role("button", name="Mikrofon på")).to_be_visible()
    page.keyboard.up(" ")
    expect(page.get_by_role("button", name="Mikrofon av")).to_be_visible()
    expect(press).to_have_attribute("aria-pressed", "false")

    hold_the_time(page)  # so that the press is short, however long the computer takes over it
    page.keyboard.press(" ")  # a short press does what the picture does
    expect(press).to_have_attribute("aria-pressed", "true")


def test_own_picture_goes_to_every_corner_by_arrow_keys(quiet: Any, enter: Enter) -> None:
    page = joined(enter(quiet, quiet.arrange(stub.room_state(MAJA, ELIN))))
    tile(page, MAJA).locator(".press").focus()

    def corner() -> tuple[bool, bool]:
        box = tile(page, MAJA).bounding_box()
        assert box is not None
        return (box["y"] < 300, box["x"] < 500)

    for key, wanted in (
        ("ArrowUp", (True, False)),
        ("ArrowLeft", (True, True)),
        ("ArrowDown", (False, True)),
        ("ArrowRight", (False, False)),
    ):
        page.keyboard.press(key)
        comes_to(page, corner, wanted)
    box = tile(page, MAJA).bounding_box()
    stage_box = page.locator("#stage").bounding_box()
    assert box is not None
    assert stage_box is not None
    assert box["width"] / stage_box["width"] == pytest.approx(0.22, abs=0.01)


def test_whoever_speaks_becomes_large_and_a_pinned_person_stays_so(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN, SAMIR), pictures=cameras(ELIN, SAMIR))
    page = joined(enter(quiet, stage))
    expect(tile(page, ELIN)).to_have_attribute("data-spot", "large")
    hold_the_time(page)

    quiet.say(stage, {"type": "speaker", "participant": "p_samir"})
    expect(tile(page, SAMIR)).to_have_class(re.compile("speaks"))
    page.clock.run_for(1300)  # a cough is shorter
    expect(tile(page, ELIN)).to_have_attribute("data-spot", "large")
    page.clock.run_for(300)
    expect(tile(page, SAMIR)).to_have_attribute("data-spot", "large")
    until(page, lambda: {"type": "want", "large": "p_samir", "cameras": "all"} in stage.heard)

    tile(page, ELIN).locator(".press").click()
    expect(tile(page, ELIN)).to_have_attribute("data-spot", "large")
    quiet.say(stage, {"type": "speaker", "participant": "p_samir"})
    silent = {"type": "media", "participant": "p_samir", "microphone": False, "camera": True, "share": False}
    quiet.say(stage, silent)
    expect(tile(page, SAMIR)).to_have_accessible_name(re.compile("mikrofonen är av"))
    page.clock.run_for(6000)
    expect(tile(page, ELIN)).to_have_attribute("data-spot", "large")


def test_what_others_send_is_said_on_their_tiles(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA, {**SAMIR, "hand": True}), pictures=cameras(MAJA, SAMIR))
    page = joined(enter(quiet, stage))
    expect(tile(page, MAJA)).to_have_class(re.compile("pictured"))
    quiet.say(stage, {"type": "media", "participant": "p_maja", "microphone": False, "camera": False, "share": False})

    expect(tile(page, MAJA)).to_have_accessible_name(
        "Maja Granlid, kund, BankID, tillitsnivå 3, mikrofonen är av, kameran är av"
    )
    expect(tile(page, MAJA).locator(".disc")).to_be_visible()
    expect(tile(page, SAMIR)).to_have_accessible_name("Samir Haddin, observatör, BankID, tillitsnivå 3, vill ha ordet")
    expect(tile(page, SAMIR).locator(".hand")).to_contain_text("Vill ha ordet")


def test_leaving_asks_once_with_the_focus_on_staying(quiet: Any, enter: Enter, tmp_path: Path) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage))
    leave = page.get_by_role("button", name="Lämna").last
    leave.click()
    expect(page.get_by_role("button", name="Stanna kvar")).to_be_focused()
    assert findings(page) == []
    picture(page, "leave", tmp_path)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert stage.posted == []

    leave.click()
    page.get_by_role("dialog").get_by_role("button", name="Lämna").click()
    page.wait_for_url("**/v/p_maja/left")
    asked_for(page, stage, [("leave", {})])


def test_the_adviser_ends_the_meeting_for_everybody_after_one_question(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage))
    page.locator("#more").click()
    page.get_by_role("menuitem", name="Avsluta för alla").click()
    expect(page.get_by_role("button", name="Fortsätt mötet")).to_be_focused()
    page.locator("[data-go]").click()
    page.wait_for_url("**/desk/journal")
    asked_for(page, stage, [("end", {})])
