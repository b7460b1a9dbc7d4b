"""Away and back: a computer that slept, a network that changed, a tab behind another, and what the others see of it."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from sidecar.testing.pages import findings
from tests.e2e import room_steps as steps
from tests.e2e import room_stub as stub
from tests.e2e.room_steps import (
    ELIN,
    MAJA,
    SAMIR,
    Enter,
    cameras,
    comes_to,
    joined,
    kept_here,
    picture,
    tile,
    told,
    until,
)

pytestmark = pytest.mark.e2e
quiet, enter, room_browser = steps.quiet, steps.enter, steps.room_browser  # fixtures

# A page that asks its bridge nothing of its own accord, and a computer that can be put to sleep for ten minutes.
SLEEPER = """
    const every = window.setInterval;
    window.setInterval = (act, delay, ...more) => (delay === 5000 ? 0 : every(act, delay, ...more));
    const clock = Date.now.bind(Date);
    let slept = 0;
    Date.now = () => clock() + slept;
    window.sleep = () => { slept += 600000; };
"""
# A page that can be put behind another, and a system whose lock on the screen can be counted.
BEHIND = """
    window.behind = (is) => {
        Object.defineProperty(document, "hidden", { value: is, configurable: true });
        Object.defineProperty(document, "visibilityState", { value: is ? "hidden" : "visible", configurable: true });
        if (is) for (const lock of locks) lock.released = true;
        document.dispatchEvent(new Event("visibilitychange"));
    };
    window.locks = [];
    Object.defineProperty(navigator, "wakeLock", { value: { async request() {
        const lock = { released: false, async release() { lock.released = true; } };
        locks.push(lock);
        return lock;
    } } });
    const later = window.setTimeout;
    window.setTimeout = (act, delay, ...more) => later(act, window.hurried && delay === 10000 ? 100 : delay, ...more);
"""
LIT = "locks.filter(({ released }) => !released).length"


@pytest.mark.requirement("R048")
def test_a_page_that_slept_while_its_path_died_is_back_at_once_without_a_new_sign_in(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN), pictures=cameras(ELIN))
    page = joined(enter(quiet, stage, script=SLEEPER))
    expect(tile(page, ELIN)).to_have_class(re.compile("pictured"))
    page.get_by_role("button", name="Mikrofon på").click()
    stage.deaf = True
    page.evaluate("sleep()")

    until(page, lambda: stage.joins == 2)
    joined(page)
    expect(tile(page, ELIN)).to_have_class(re.compile("pictured"))
    expect(page.get_by_role("button", name="Mikrofon av")).to_be_visible()
    assert page.url.endswith("/v/p_maja/room")
    until(page, lambda: [said["microphone"] for said in told(stage, "media")][-1:] == [False])


def test_a_page_that_slept_and_whose_path_lives_is_left_alone(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage, script=SLEEPER))
    until(page, lambda: bool(stage.heard))
    assert stage.pings == 0
    page.evaluate("document.dispatchEvent(new Event('resume'))")
    until(page, lambda: stage.pings > 0)
    page.wait_for_timeout(4500)
    assert stage.joins == 1
    expect(page.locator("#over")).to_be_hidden()


def test_from_one_network_to_another_the_page_comes_back_as_soon_as_there_is_one(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN), pictures=cameras(ELIN))
    page = joined(enter(quiet, stage))
    expect(tile(page, ELIN)).to_have_class(re.compile("pictured"))
    until(page, lambda: bool(stage.heard))
    page.context.set_offline(True)
    quiet.cut(stage)
    expect(page.locator("#over")).to_contain_text("Du tappade kontakten. Vi försöker igen, och din plats är kvar.")
    page.context.set_offline(False)

    joined(page)
    expect(tile(page, ELIN)).to_have_class(re.compile("pictured"))
    expect(page.locator("#line-offline")).to_be_hidden()
    assert stage.joins == 2


def test_who_slept_past_their_time_is_told_so(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage))
    until(page, lambda: bool(stage.heard))
    stage.refused["token"] = (403, "Din tid i mötet har gått ut. Legitimera dig igen, så fortsätter du där du var.")
    with kept_here(page, "**/v/p_maja/left"):
        quiet.cut(stage)
        expect(page.locator("#over")).to_have_text(re.compile("^Din tid i mötet har gått ut. Legitimera dig igen"))
        comes_to(page, lambda: page.evaluate("seen.peers.at(-1).connectionState"), "closed")


def test_behind_another_tab_sound_and_camera_go_on_pictures_stop_and_the_title_says_what_asks(
    quiet: Any, enter: Enter
) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA), pictures=cameras(MAJA))
    page = joined(enter(quiet, stage, script=BEHIND))
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    expect(page).to_have_title(re.compile("^Bolånemöte"))
    page.evaluate("hurried = true; behind(true)")

    expect(page).to_have_title(re.compile("^Kameran är på"))
    until(page, lambda: [said["cameras"] for said in told(stage, "want")][-1:] == ["none"])
    lives = "seen.peers.at(-1).getSenders().slice(0, 2).every(({ track }) => track?.readyState === 'live')"
    until(page, lambda: page.evaluate(lives))
    plays = "[...document.querySelectorAll('#voices audio')].every(({ paused }) => !paused)"
    until(page, lambda: page.evaluate(plays))
    quiet.tell(stage, "state", {**stage.state, "lobby": [stub_waiting()]})
    expect(page).to_have_title(re.compile("^Berit Lundhag väntar"))
    recording = {"id": "r_1", "state": "asking", "asker": False, "mine": None, "waiting": ["Elin Sjöhage"],
                 "purpose": "rådgivning", "law": "", "until": "24 maj 2031"}  # fmt: skip
    quiet.tell(stage, "state", {**stage.state, "recording": recording})
    expect(page).to_have_title(re.compile("^Fråga om inspelning"))

    page.evaluate("behind(false)")
    until(page, lambda: [said["cameras"] for said in told(stage, "want")][-1:] == ["all"])


def stub_waiting() -> dict[str, Any]:
    return {**steps.BERIT}


def test_the_screen_stays_lit_during_the_meeting_and_not_after_it(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage, script=BEHIND, size=(390, 844)))
    comes_to(page, lambda: page.evaluate(LIT), 1)
    page.evaluate("behind(true)")
    assert page.evaluate(LIT) == 0, "the system takes it back"
    page.evaluate("behind(false)")
    comes_to(page, lambda: page.evaluate(LIT), 1)
    quiet.say(stage, {"type": "removed", "reason": "replaced"})

    expect(page.locator("#over")).to_be_visible()
    comes_to(page, lambda: page.evaluate(LIT), 0)
    page.evaluate("behind(true)")
    page.evaluate("behind(false)")
    assert page.evaluate(LIT) == 0


def test_the_others_see_away_for_a_moment_rather_than_an_ended_call(quiet: Any, enter: Enter, tmp_path: Any) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA, SAMIR), pictures=cameras(MAJA, SAMIR))
    page = joined(enter(quiet, stage))
    expect(tile(page, MAJA)).to_have_class(re.compile("pictured"))
    away = stub.room_state(ELIN, {**MAJA, "state": "away"}, SAMIR)
    quiet.tell(stage, "state", away)

    expect(tile(page, MAJA).locator(".away")).to_have_text("Borta en stund, platsen är kvar")
    expect(tile(page, MAJA).locator(".disc")).to_be_visible()
    expect(tile(page, MAJA)).to_have_accessible_name(re.compile("Maja Granlid.*borta en stund"))
    expect(page.get_by_role("status")).to_contain_text("Maja Granlid är borta en stund. Platsen är kvar.")
    assert findings(page) == []
    picture(page, "away", tmp_path)
    quiet.tell(stage, "state", stage.state)
    expect(tile(page, MAJA).locator(".away")).to_be_hidden()
    quiet.tell(stage, "state", stub.room_state(ELIN, {**MAJA, "state": "left"}, SAMIR))
    expect(tile(page, MAJA)).to_have_count(0)
