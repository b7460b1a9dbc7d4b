"""What is sent from the room and what comes: one window, sound before picture, and a lost connection.

The last part meets our own bridge, with two browsers and a network that narrows.
"""

import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from sidecar.domain import clock
from sidecar.testing.pages import findings
from tests.e2e import room_steps as steps
from tests.e2e import room_stub as stub
from tests.e2e.room_steps import (
    ELIN,
    MAJA,
    PICKS,
    SAMIR,
    Enter,
    Next,
    answer,
    asked_for,
    cameras,
    comes_to,
    control,
    joined,
    kept_here,
    measured,
    picture,
    sees_and_hears,
    tile,
    told,
    until,
)

pytestmark = pytest.mark.e2e
quiet, enter, room_browser, real = steps.quiet, steps.enter, steps.room_browser, steps.real  # fixtures

# A page whose encoder has all the bits it wants: what stands in for the bridge says little about rates.
PLENTY = """
    const read = RTCPeerConnection.prototype.getStats;
    RTCPeerConnection.prototype.getStats = async function (...given) {
        const rich = ([id, one]) => [id, one.type === "outbound-rtp" ? { ...one, targetBitrate: 2000000 } : one];
        return new Map([...await read.apply(this, given)].map(rich));
    };
"""


@pytest.mark.requirement("R035")
@pytest.mark.parametrize(
    ("surface", "sentence"),
    [("monitor", stub.SCREEN), ("undefined", "Webbläsaren säger inte om det är ett fönster eller hela skärmen")],
)
def test_a_whole_screen_is_stopped_before_a_single_picture_is_sent(
    surface: str, sentence: str, quiet: Any, enter: Enter
) -> None:
    """Browsers take the wish for a window as a wish: what was picked is judged, and what is unknown is no window."""
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage, script=PICKS))
    page.evaluate(f"window.surface = {surface if surface == 'undefined' else repr(surface)}")
    control(page, "share").click()

    expect(answer(page)).to_contain_text(sentence)
    comes_to(page, lambda: page.evaluate("picked.readyState"), "ended")
    asked_for(page, stage, [("share", {"action": "start", "surface": "monitor"})] if surface == "monitor" else [])
    assert "the shared thing" not in page.evaluate("seen.tracks")
    expect(page.locator("#line-share")).to_be_hidden()


@pytest.mark.requirement("R035")
def test_one_window_is_shared_after_the_servers_yes_and_stopped_by_its_sharer(
    quiet: Any, enter: Enter, tmp_path: Path
) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage, script=PICKS))
    page.evaluate("window.surface = 'window'")
    control(page, "share").click()

    strip = page.locator("#line-share")
    expect(strip).to_contain_text("Du delar ett fönster. De andra ser bara det.")
    assert page.evaluate("wishes") == {
        "video": {"displaySurface": "window", "frameRate": {"max": 15}}, "audio": False,
        "selfBrowserSurface": "exclude", "surfaceSwitching": "exclude", "monitorTypeSurfaces": "exclude",
        "systemAudio": "exclude",
    }  # fmt: skip
    sent = "seen.peers.at(-1).getSenders()[2].track?.label"
    comes_to(page, lambda: page.evaluate(sent), "the shared thing")
    expect(page.locator("#stage")).to_have_attribute("data-shape", "pair")  # no hall of mirrors
    picture(page, "sharing", tmp_path)
    page.locator("#share-stop").click()
    expect(strip).to_be_hidden()
    over = "[picked.readyState, seen.peers.at(-1).getSenders()[2].track]"
    comes_to(page, lambda: page.evaluate(over), ["ended", None])
    asked_for(page, stage, [("share", {"action": act, "surface": "window"}) for act in ("start", "stop")])
    comes_to(page, lambda: [said["share"] for said in told(stage, "media")][-2:], [True, False])


@pytest.mark.requirement("R035")
def test_a_window_that_turns_into_the_whole_screen_is_cut(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    page = joined(enter(quiet, stage, script=PICKS))
    page.evaluate("window.surface = 'window'")
    control(page, "share").click()
    expect(page.locator("#line-share")).to_be_visible()
    page.evaluate("window.surface = 'monitor'")

    expect(page.locator("#line-share")).to_be_hidden()
    expect(page.get_by_role("alert")).to_contain_text("Bara ett fönster i taget delas.")
    comes_to(page, lambda: page.evaluate("picked.readyState"), "ended")


@pytest.mark.requirement("R035")
def test_a_share_the_server_refuses_sends_nothing(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(ELIN, MAJA))
    stage.refused["share"] = (403, "Säkerheten är höjd: ingen delar fönster i det här mötet.")
    page = joined(enter(quiet, stage, script=PICKS))
    page.evaluate("window.surface = 'window'")
    control(page, "share").click()

    expect(answer(page)).to_contain_text("Säkerheten är höjd")
    comes_to(page, lambda: page.evaluate("picked.readyState"), "ended")
    assert "the shared thing" not in page.evaluate("seen.tracks")


def test_muted_by_the_adviser_is_told_at_once_and_can_be_undone_by_oneself(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage))
    expect(page.get_by_role("button", name="Mikrofon på")).to_be_visible()
    quiet.say(stage, {"type": "muted", "kind": "audio"})

    expect(page.get_by_role("alert")).to_have_text(
        "Din mikrofon stängdes av av den som leder mötet. Du kan slå på den igen."
    )
    page.get_by_role("button", name="Mikrofon av").click()
    expect(page.get_by_role("button", name="Mikrofon på")).to_be_visible()
    comes_to(page, lambda: [said["microphone"] for said in told(stage, "media")][-2:], [False, True])


@pytest.mark.requirement("R145", "R146", "R147")
def test_a_weak_network_costs_resolution_then_the_picture_and_never_the_sound(
    quiet: Any, enter: Enter, tmp_path: Path
) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN), pictures=cameras(ELIN))
    page = joined(enter(quiet, stage, script=PLENTY))
    expect(tile(page, ELIN)).to_have_class(re.compile("pictured"))
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    sent = """() => seen.peers.at(-1).getSenders().slice(0, 2).map((sender) => {
        const { encodings: [encoding], degradationPreference } = sender.getParameters();
        return [encoding.active, encoding.scaleResolutionDownBy ?? 1, encoding.priority, degradationPreference];
    })"""
    before = stage.state["me"]["permissions"]
    comes_to(page, lambda: page.evaluate(sent)[0][2], "high")
    comes_to(page, lambda: page.evaluate(sent)[1], [True, 1, "low", "maintain-framerate"])

    quiet.say(stage, {"type": "quality", "level": "weak", "up_kbps": 150, "down_kbps": 150})
    line = page.locator("#line-quality")
    expect(line).to_have_text(
        re.compile(r"Ditt nät är svagt just nu.\s+Vi gör bilden enklare så att ljudet håller. Mötet är lika säkert.")
    )
    until(page, lambda: page.evaluate(sent)[1][1] > 2, otherwise=lambda: page.evaluate(sent))
    assert [one[0] for one in page.evaluate(sent)] == [True, True]
    assert findings(page) == []
    picture(page, "weak", tmp_path)

    quiet.say(stage, {"type": "quality", "level": "sound_only", "up_kbps": 40, "down_kbps": 40})
    expect(line).to_contain_text("Vi fortsätter med bara ljud tills nätet orkar mer.")
    expect(tile(page, ELIN).locator(".disc")).to_be_visible()
    comes_to(page, lambda: [one[0] for one in page.evaluate(sent)], [True, False])
    sound_only = {"type": "media", "microphone": True, "camera": False, "share": False}
    comes_to(page, lambda: told(stage, "media")[-1:], [sound_only])
    assert stage.state["me"]["permissions"] == before
    assert stage.joins == 1
    picture(page, "sound-only", tmp_path)

    quiet.say(stage, {"type": "quality", "level": "good", "up_kbps": 2000, "down_kbps": 2000})
    expect(line).to_be_hidden()
    expect(tile(page, ELIN)).to_have_class(re.compile("pictured"))
    comes_to(page, lambda: page.evaluate(sent)[1][:2], [True, 1])


@pytest.mark.requirement("R145", "R147")
def test_anothers_weak_network_is_told_at_their_tile_in_word_and_name(quiet: Any, enter: Enter, tmp_path: Path) -> None:
    raised = {**MAJA, "hand": True}
    stage = quiet.arrange(stub.room_state(ELIN, raised, SAMIR), pictures=cameras(MAJA, SAMIR))
    page = joined(enter(quiet, stage))
    heard = {"type": "media", "participant": MAJA["id"], "microphone": True, "camera": True, "share": False}
    sign = tile(page, MAJA).locator(".corner.weak")
    expect(sign).to_be_hidden()

    quiet.say(stage, heard | {"network": "weak"})
    expect(sign).to_have_text("Svagt nät, ljudet går först")
    expect(tile(page, MAJA)).to_have_accessible_name(re.compile("svagt nät"))
    expect(tile(page, MAJA).locator(".corner.hand")).to_be_visible()
    expect(tile(page, SAMIR).locator(".corner.weak")).to_be_hidden()
    expect(page.locator("#line-quality")).to_be_hidden()
    assert findings(page) == []
    picture(page, "other-weak", tmp_path)
    page.set_viewport_size({"width": 390, "height": 844})
    expect(sign).to_be_visible()
    picture(page, "other-weak-phone", tmp_path)

    quiet.say(stage, heard | {"network": "sound_only", "camera": False})
    expect(sign).to_contain_text("Bara ljud just nu")
    quiet.say(stage, heard | {"network": "<b>no such word</b>"})
    expect(sign).to_be_hidden()


def test_a_lost_connection_says_so_and_comes_back_with_a_fresh_token(quiet: Any, enter: Enter, tmp_path: Path) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN), pictures=cameras(ELIN))
    page = joined(enter(quiet, stage))
    page.get_by_role("button", name="Mikrofon på").click()
    expect(tile(page, ELIN)).to_have_class(re.compile("pictured"))
    comes_to(page, lambda: [said["microphone"] for said in told(stage, "media")][-1:], [False])
    before = len(told(stage, "media"))
    stage.media = False
    quiet.cut(stage)

    expect(page.locator("#over")).to_have_text("Du tappade kontakten. Vi försöker igen, och din plats är kvar.")
    expect(page.get_by_role("alert")).to_contain_text("Du tappade kontakten.")
    expect(page).to_have_title(re.compile("^Återansluter"))
    picture(page, "reconnecting", tmp_path)
    stage.media = True
    joined(page)
    expect(page.get_by_role("status")).to_have_text("Kontakten är tillbaka.")
    expect(tile(page, ELIN)).to_have_class(re.compile("pictured"))
    assert stage.joins == 2
    expect(page.get_by_role("button", name="Mikrofon av")).to_be_visible()
    until(page, lambda: len(told(stage, "media")) > before)  # the new bridge is told what the old one knew
    assert {said["microphone"] for said in told(stage, "media")[before:]} == {False}


def test_a_token_that_is_refused_is_not_asked_for_again(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    stage.refused["token"] = (403, "Din tid i mötet har gått ut. Legitimera dig igen.")
    following = Next("**/v/p_maja/left")
    page = enter(quiet, stage, first=following.hold)

    expect(page.locator("#over")).to_have_text("Din tid i mötet har gått ut. Legitimera dig igen.")
    following.let_come(page)
    assert stage.joins == 0


def test_removed_says_so_stops_the_devices_and_leads_out(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage))
    with kept_here(page, "**/v/p_maja/left"):
        quiet.say(stage, {"type": "removed", "reason": "expelled"})

        expect(page.get_by_role("alert")).to_have_text("Din medverkan i mötet är avslutad.")
        expect(page.locator("#over")).to_have_text("Din medverkan i mötet är avslutad.")
        comes_to(page, lambda: page.evaluate("seen.peers.at(-1).connectionState"), "closed")
        expect(page.get_by_role("button", name="Kamera av")).to_be_visible()
    assert stage.joins == 1


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("identified-anew", "Du är nu med från en annan enhet eller flik."),
        ("sent_back", "Du blev ombedd att vänta i väntrummet en stund."),
    ],
)
def test_whose_place_is_elsewhere_now_hears_so_and_not_that_it_is_over(
    quiet: Any, enter: Enter, reason: str, said: str
) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage))
    quiet.say(stage, {"type": "removed", "reason": reason})

    expect(page.get_by_role("alert")).to_contain_text(said)
    comes_to(page, lambda: page.evaluate("seen.peers.at(-1).connectionState"), "closed")


def test_the_line_leads_on_but_never_to_another_site(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage))
    quiet.tell(stage, "go", {"url": "//evil.example/"})
    quiet.tell(stage, "notice", {"sentence": "Elin har skickat dig en fil.", "urgent": False})
    expect(answer(page)).to_have_text("Elin har skickat dig en fil.")
    assert page.url.endswith("/v/p_maja/room")

    quiet.tell(stage, "go", {"url": "/v/p_maja/left"})
    page.wait_for_url("**/v/p_maja/left")


def test_asked_to_wait_again_one_stands_in_the_lobby(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage))
    quiet.tell(stage, "state", {"phase": "waiting", "sent_back": True})
    page.wait_for_url("**/v/p_maja/lobby")


def test_two_minutes_before_the_end_everybody_is_told(quiet: Any, enter: Enter) -> None:
    state = stub.room_state(MAJA, ELIN)
    state["meeting"]["ends_at"] = clock.to_text(clock.utc_now() + timedelta(seconds=100))
    page = joined(enter(quiet, quiet.arrange(state)))

    expect(page.get_by_role("alert")).to_have_text("Mötet slutar om två minuter.")
    expect(answer(page)).to_have_text("Mötet slutar om två minuter.")


@pytest.mark.requirement("R039")
def test_two_browsers_see_and_hear_each_other_and_a_mute_is_felt(real: Any, enter: Enter, tmp_path: Path) -> None:
    late_devices = """
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wanted) => {
            await new Promise((resolve) => setTimeout(resolve, 1500));
            return ask(wanted);
        };
    """  # somebody thinks before pressing "allow"; the others are heard as soon as they have
    elin = joined(enter(real, real.arrange(stub.room_state(ELIN, MAJA)), script=late_devices))
    maja = joined(enter(real, real.arrange(stub.room_state(MAJA, ELIN))))
    for page, other in ((elin, MAJA), (maja, ELIN)):
        until(page, partial(sees_and_hears, page, other), within_ms=60_000)
        expect(tile(page, other)).to_have_class(re.compile("pictured"))
        expect(page.locator("#line-sound")).to_be_hidden()
    expect(tile(elin, MAJA)).to_have_accessible_name(re.compile("mikrofonen är på"))
    picture(elin, "real-adviser", tmp_path)

    real.run(lambda bridge: bridge.rooms["room"].peers["p_maja"].mute("microphone", "audio"))
    expect(maja.get_by_role("button", name="Mikrofon av")).to_be_visible()
    expect(tile(elin, MAJA)).to_have_accessible_name(re.compile("mikrofonen är av"))
    maja.get_by_role("button", name="Mikrofon av").click()
    expect(tile(elin, MAJA)).to_have_accessible_name(re.compile("mikrofonen är på"))
    heard = measured(elin, MAJA)[1]
    until(elin, lambda: measured(elin, MAJA)[1] > heard)

    with kept_here(maja, "**/v/p_maja/left"):
        real.run(lambda bridge: bridge.rooms["room"].leave(bridge.rooms["room"].peers["p_maja"], "expelled"))
        expect(maja.locator("#over")).to_have_text("Din medverkan i mötet är avslutad.")


@pytest.mark.requirement("R145", "R146", "R147")
def test_when_the_way_down_narrows_the_voice_stays_and_the_page_says_so(
    real: Any, enter: Enter, tmp_path: Path
) -> None:
    """A phone on a train: from a good network to one that barely carries a voice, without joining anew."""
    enter(real, real.arrange(stub.room_state(ELIN, MAJA)))
    stage = real.arrange(stub.room_state(MAJA, ELIN), network=20_000_000)
    maja = joined(enter(real, stage))
    until(maja, lambda: measured(maja, ELIN)[0] > 30, within_ms=60_000)
    stage.path.down.bits_per_second = 90_000

    expect(maja.locator("#line-quality")).to_contain_text("Mötet är lika säkert.", timeout=60_000)
    stage.path.down.bits_per_second = 55_000
    expect(maja.locator("#line-quality")).to_contain_text("bara ljud", timeout=60_000)
    heard = measured(maja, ELIN)[1]
    until(maja, lambda: measured(maja, ELIN)[1] > heard + 0.05)
    expect(maja.locator("#over")).to_be_hidden()
    expect(tile(maja, ELIN).locator(".disc")).to_be_visible()
    expect(maja.locator("#promise")).to_have_text("Mötet spelas inte in. En sammanställning kommer efteråt.")
    assert stage.joins == 1
    picture(maja, "narrow", tmp_path)
