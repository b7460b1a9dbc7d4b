"""The meeting room in a real Chromium: everybody has a place, and the four buttons tell the truth.

Each layout with nothing for axe to find and nothing outside the screen; each role with the same four buttons.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from sidecar.testing.pages import findings
from tests.e2e import room_steps as steps
from tests.e2e import room_stub as stub
from tests.e2e.room_steps import (
    AINO,
    BERIT,
    ELIN,
    HOSTILE,
    KIM,
    MAJA,
    SAMIR,
    SCREENS,
    TURE,
    Enter,
    answer,
    asked_for,
    cameras,
    comes_to,
    control,
    joined,
    open_panel,
    picture,
    settled,
    tile,
    told,
)

pytestmark = pytest.mark.e2e
quiet, enter, room_browser = steps.quiet, steps.enter, steps.room_browser  # fixtures


SHAPES = {
    1: ([], "alone", {"p_elin": "self"}),
    2: ([MAJA], "pair", {"p_maja": "large", "p_elin": "self"}),
    3: ([MAJA, SAMIR], "three", {"p_maja": "large", "p_samir": "cell1", "p_elin": "cell2"}),
    4: ([MAJA, SAMIR, TURE], "four", {"p_maja": "cell1", "p_samir": "cell2", "p_ture": "cell3", "p_elin": "cell4"}),
    6: ([MAJA, SAMIR, TURE, KIM, AINO], "many", {"p_maja": "large", "p_samir": "cell1"}),
}


@pytest.mark.requirement("R039", "R051")
@pytest.mark.parametrize("count", SHAPES)
def test_everybody_has_a_place_and_a_name_on_every_screen(count: int, quiet: Any, enter: Enter, tmp_path: Path) -> None:
    others, shape, spots = SHAPES[count]
    page = joined(enter(quiet, quiet.arrange(stub.room_state(ELIN, *others), pictures=cameras(*others))))
    expect(page.locator("#stage")).to_have_attribute("data-shape", shape)
    for pid, spot in spots.items():
        expect(page.locator(f"[data-participant={pid}]")).to_have_attribute("data-spot", spot)

    for width, height in SCREENS:
        settled(page, width, height)
        comes_to(page, lambda: not_named(page, others), [])
        if width in (1280, 390):
            assert findings(page) == [], f"{width}"
        picture(page, f"{count}-people-{width}", tmp_path)


def not_named(page: Page, people: list[dict[str, Any]]) -> list[str]:
    """Return whose name can be read nowhere on the stage."""
    named = page.locator("#stage .name, #stage .more").all_inner_texts()
    return [one["given"] for one in people if not any(one["given"] in text for text in named)]


@pytest.mark.parametrize("panel", ["documents", "chat", "people", "guests", "security", "settings", "keys"])
def test_each_panel_is_accessible_and_stays_inside_the_screen(
    panel: str, quiet: Any, enter: Enter, tmp_path: Path
) -> None:
    state = stub.room_state(ELIN, MAJA, SAMIR, lobby=[BERIT])
    page = joined(enter(quiet, quiet.arrange(state)))
    if panel == "documents":
        control(page, "documents").click()
    else:
        open_panel(page, panel)

    for width, height in SCREENS:
        settled(page, width, height)
        if width in (1280, 390):
            assert findings(page) == [], f"{width}"
        picture(page, f"panel-{panel}-{width}", tmp_path)


@pytest.mark.parametrize("language", ["sv", "nb", "da", "fi", "nl", "en"])
def test_longest_words_of_each_language_fit_a_small_phone(
    language: str, quiet: Any, enter: Enter, tmp_path: Path
) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA, lobby=[BERIT]), language=language)
    page = joined(enter(quiet, stage, size=(320, 640)))
    expect(page.locator("#line-knock")).to_be_visible()

    settled(page, 320, 640)
    cut = "() => [...document.querySelectorAll('.ctl')].filter((one) => one.scrollWidth > one.clientWidth + 1).length"
    comes_to(page, lambda: page.evaluate(cut), 0)
    picture(page, f"language-{language}", tmp_path)


def test_a_shared_window_takes_the_stage_and_says_whose_it_is(quiet: Any, enter: Enter, tmp_path: Path) -> None:
    stage = quiet.arrange(
        stub.room_state(MAJA, {**ELIN, "sharing": True}, SAMIR),
        pictures=[("p_elin", "camera"), ("p_samir", "camera"), ("p_elin", "share")],
    )
    page = joined(enter(quiet, stage))

    expect(page.locator("#stage")).to_have_attribute("data-shape", "share")
    expect(page.get_by_role("figure", name="Fönster som Elin Sjöhage delar")).to_be_visible()
    expect(page.locator("#line-share")).to_contain_text("Elin Sjöhage delar ett fönster.")
    expect(page.locator("#share-stop")).to_be_hidden()
    expect(page.locator(".screen.alive")).to_be_visible()
    picture(page, "share-1280", tmp_path)
    settled(page, 390, 844)
    picture(page, "share-390", tmp_path)


def test_a_name_is_only_ever_text(quiet: Any, enter: Enter) -> None:
    """A verified name comes from outside too; an eID once returned markup in it."""
    villain = {**MAJA, "name": HOSTILE, "given": HOSTILE}
    knock = {**BERIT, "name": HOSTILE}
    page = joined(enter(quiet, quiet.arrange(stub.room_state(ELIN, villain, SAMIR, lobby=[knock]))))
    open_panel(page, "people")

    expect(tile(page, MAJA).locator(".full")).to_have_text(HOSTILE)
    expect(page.locator(".waiting strong")).to_have_text(HOSTILE)
    expect(page.locator("#line-knock")).to_be_hidden()  # who waits is in the panel now
    assert page.locator("#room img").count() == 0
    assert "taken" not in page.title().replace(HOSTILE, "")
    assert page.locator("[onerror], [style], script:not([src], [type='application/json'])").count() == 0


@pytest.mark.requirement("R051")
@pytest.mark.parametrize("who", [ELIN, MAJA, SAMIR], ids=["adviser", "customer", "observer"])
def test_the_same_four_buttons_stand_in_the_same_order_for_every_role(
    who: dict[str, Any], quiet: Any, enter: Enter
) -> None:
    page = joined(enter(quiet, quiet.arrange(stub.room_state(who, KIM))))
    bar = page.get_by_role("toolbar", name="Mötets knappar")

    names = [text.split()[0] for text in bar.locator("[data-button]").all_inner_texts()]
    assert names == ["Kamera", "Mikrofon", "Dela", "Dokument"]
    places = [box["x"] for one in bar.locator("[data-button]").all() if (box := one.bounding_box())]
    assert places == sorted(places)


@pytest.mark.requirement("R052")
def test_a_button_one_may_not_use_answers_with_the_policys_sentence_and_it_stays(
    quiet: Any, enter: Enter, tmp_path: Path
) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage))
    share = control(page, "share")

    expect(share).to_have_attribute("aria-disabled", "true")
    expect(share).to_have_accessible_description(stub.SHARE)
    share.click(force=True)
    expect(answer(page)).to_have_text(stub.SHARE)
    expect(page.get_by_role("status")).to_have_text(stub.SHARE)
    assert [act for act, _ in stage.posted] == []
    picture(page, "refused", tmp_path)

    page.wait_for_timeout(1000)  # it is not a message that goes away by itself
    expect(answer(page)).to_be_visible()
    page.locator("#line-answer [data-away]").click()
    expect(answer(page)).to_be_hidden()


@pytest.mark.requirement("R052")
def test_recording_is_asked_of_the_server_and_its_no_is_a_sentence(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage))
    page.locator("#more").click()
    page.get_by_role("menuitem", name="Spela in mötet").click(force=True)

    expect(answer(page)).to_have_text(stub.RECORD)
    asked_for(page, stage, [("record", {})])


@pytest.mark.requirement("R051", "R052")
def test_the_menu_holds_only_what_the_role_may_do_and_says_what_is_not_there(quiet: Any, enter: Enter) -> None:
    def menu(who: dict[str, Any]) -> tuple[Locator, Locator]:
        page = joined(enter(quiet, quiet.arrange(stub.room_state(who, KIM))))
        page.locator("#more").click()
        return page.locator("#menu-items > li"), page.locator("#menu-why > li")

    adviser, _ = menu(ELIN)
    expect(adviser).to_have_text([
        "Be om ordet", "Chatt", "Deltagare", "Bjud in en gäst", "Höj säkerheten", "Spela in mötet", "Ljud och bild",
        "Visa roll under alla namn", "Tangenter", "Avsluta för alla",
    ])  # fmt: skip
    customer, why = menu(MAJA)
    expect(customer).to_have_text(
        ["Be om ordet", "Chatt", "Deltagare", "Ljud och bild", "Visa roll under alla namn", "Tangenter"]
    )
    expect(why).to_have_text([stub.RECORD, stub.SHARE])
    observer, _ = menu(SAMIR)
    expect(observer.filter(has_text="Deltagare")).to_be_visible()
    expect(observer.filter(has_text="Chatt")).to_have_count(0)


def test_camera_and_microphone_say_their_state_and_the_bridge_is_told(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage))
    camera, microphone = page.get_by_role("button", name="Kamera på"), page.get_by_role("button", name="Mikrofon på")
    expect(camera).to_be_visible()

    microphone.click()
    expect(page.get_by_role("button", name="Mikrofon av")).to_be_visible()
    expect(page).to_have_title(re.compile("^Mikrofon av"))
    camera.click()
    expect(page.get_by_role("button", name="Kamera av")).to_be_visible()
    expect(tile(page, MAJA).locator(".disc")).to_have_text("MG")
    expect(tile(page, MAJA)).to_have_accessible_name(re.compile("mikrofonen är av, kameran är av"))
    silent = {"type": "media", "microphone": False, "camera": False, "share": False}
    comes_to(page, lambda: told(stage, "media")[-1:], [silent])
    comes_to(page, lambda: page.evaluate("seen.peers.at(-1).getSenders()[0].track.enabled"), False)
    comes_to(page, lambda: page.evaluate("seen.peers.at(-1).getSenders()[1].track"), None)  # it is not only hidden

    page.reload()
    expect(page.get_by_role("button", name="Mikrofon av")).to_be_visible()


def test_a_camera_the_browser_keeps_back_is_explained_and_sound_goes_on(quiet: Any, enter: Enter) -> None:
    denied = """
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wanted) => {
            if (wanted.video) throw new DOMException("no", "NotAllowedError");
            return ask(wanted);
        };
    """
    page = enter(quiet, quiet.arrange(stub.room_state(MAJA, ELIN)), script=denied)

    expect(answer(page)).to_contain_text("Webbläsaren släpper inte fram kameran.")
    expect(page.get_by_role("button", name="Mikrofon på")).to_be_visible()
    expect(page.get_by_role("button", name="Kamera av")).to_be_visible()


def test_rights_taken_away_during_the_meeting_stop_here_too(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage))
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    open_panel(page, "chat")

    stage.state["me"]["permissions"] = ["speak"]
    stage.state["refusals"]["show_camera"] = "Kameran är av för alla i det här mötet."
    quiet.tell(stage)
    expect(control(page, "camera")).to_have_attribute("aria-disabled", "true")
    expect(page.locator("[data-panel=chat]")).to_be_hidden()
    expect(tile(page, MAJA).locator(".disc")).to_be_visible()
    comes_to(page, lambda: page.evaluate("seen.peers.at(-1).getSenders()[1].track"), None)
