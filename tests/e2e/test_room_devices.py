"""A microphone, camera or loudspeaker that is pulled out, comes back, is taken by the browser or by another program."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import room_steps as steps
from tests.e2e import room_stub as stub
from tests.e2e.room_steps import ELIN, MAJA, Enter, answer, comes_to, joined, open_panel, until

pytestmark = pytest.mark.e2e
quiet, enter, room_browser = steps.quiet, steps.enter, steps.room_browser  # fixtures

# What is plugged into this computer, and hands that pull it out.
DEVICES = """
    window.device = (kind, deviceId, label) => ({ kind, deviceId, label, groupId: deviceId });
    window.there = [
        device("audioinput", "headset", "Headset"), device("audioinput", "inner-mic", "Inbyggd mikrofon"),
        device("videoinput", "webcam", "Webbkamera"), device("videoinput", "inner-cam", "Inbyggd kamera"),
        device("audiooutput", "headset-out", "Headset"), device("audiooutput", "inner-out", "Inbyggda högtalare"),
    ];
    window.given = [];
    window.asked = 0;
    window.refusal = "";
    const media = navigator.mediaDevices;
    const ask = media.getUserMedia.bind(media);
    media.enumerateDevices = async () => there;
    media.getUserMedia = async (wishes) => {
        window.asked += 1;
        if (refusal) throw new DOMException("", refusal);
        const stream = new MediaStream();
        for (const [name, kind] of [["audio", "audioinput"], ["video", "videoinput"]]) {
            if (!wishes[name]) continue;
            const found = there.filter((one) => one.kind === kind);
            if (!found.length) throw new DOMException("", "NotFoundError");
            const one = found.find(({ deviceId }) => deviceId === wishes[name].deviceId?.ideal) ?? found[0];
            const [track] = (await ask({ [name]: true })).getTracks();
            const settings = track.getSettings.bind(track);
            Object.defineProperty(track, "label", { value: one.label });
            track.getSettings = () => ({ ...settings(), deviceId: one.deviceId });
            given.push(track);
            stream.addTrack(track);
        }
        return stream;
    };
    const changed = () => media.dispatchEvent(new Event("devicechange"));
    window.end = (id) => given.filter((one) => one.getSettings().deviceId === id && one.readyState === "live")
        .forEach((one) => { one.stop(); one.dispatchEvent(new Event("ended")); });
    window.pull = (...ids) => {
        window.pulled = there.filter(({ deviceId }) => ids.includes(deviceId));
        there = there.filter(({ deviceId }) => !ids.includes(deviceId));
        ids.forEach(end);
        changed();
    };
    window.plug = (...more) => { there = [...more, ...there]; changed(); };
    window.sinks = [];
    HTMLMediaElement.prototype.setSinkId = async function (id) { sinks.push(id); };
"""


def sent(page: Page, place: int) -> Any:
    """Return the label of the track that is sent as microphone (0) or camera (1), None for nothing."""
    return page.evaluate(f"seen.peers.at(-1).getSenders()[{place}].track?.label ?? null")


def test_a_headset_pulled_out_is_followed_by_the_next_microphone_and_comes_back(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage, script=DEVICES))
    until(page, lambda: sent(page, 0) == "Headset")
    page.get_by_role("button", name="Mikrofon på").click()
    page.evaluate("pull('headset')")

    expect(answer(page)).to_have_text("Headset kopplades ur. Nu används Inbyggd mikrofon.")
    comes_to(page, lambda: sent(page, 0), "Inbyggd mikrofon")
    expect(page.get_by_role("button", name="Mikrofon av")).to_be_visible()
    assert page.evaluate("given.at(-1).enabled") is False, "who was silent stays silent"

    page.evaluate("plug(...pulled)")
    expect(answer(page)).to_have_text("Headset är tillbaka och används igen.")
    comes_to(page, lambda: sent(page, 0), "Headset")
    assert page.evaluate("given.at(-1).enabled") is False
    open_ones = "given.filter(({ readyState, kind }) => kind === 'audio' && readyState === 'live').length"
    comes_to(page, lambda: page.evaluate(open_ones), 1)

    page.evaluate("plug(device('audioinput', 'other', 'Bordsmikrofon'))")
    expect(answer(page)).to_have_text("Bordsmikrofon är ansluten. Du väljer den under Ljud och bild.")
    assert sent(page, 0) == "Headset", "nobody is moved to another microphone unasked"


def test_a_camera_pulled_out_is_replaced_and_with_none_left_stays_off_until_pressed(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage, script=DEVICES))
    until(page, lambda: sent(page, 1) == "Webbkamera")
    page.evaluate("pull('webcam')")
    expect(answer(page)).to_have_text("Webbkamera kopplades ur. Nu används Inbyggd kamera.")
    comes_to(page, lambda: sent(page, 1), "Inbyggd kamera")
    page.evaluate("plug(...pulled)")
    expect(answer(page)).to_have_text("Webbkamera är tillbaka och används igen.")
    comes_to(page, lambda: sent(page, 1), "Webbkamera")

    page.evaluate("pull('webcam', 'inner-cam')")
    expect(answer(page)).to_have_text("Kameran kopplades ur och är av. Tryck på Kamera för att använda en annan.")
    expect(page.get_by_role("button", name="Kamera av")).to_be_visible()
    asked = page.evaluate("asked")
    page.evaluate("plug(...pulled)")
    page.evaluate("plug(device('audioinput', 'other', 'Bordsmikrofon'))")  # the page takes one thing after the other
    expect(answer(page)).to_have_text("Bordsmikrofon är ansluten. Du väljer den under Ljud och bild.")
    assert page.evaluate("asked") == asked, "nobody is shown who was not a moment ago"
    page.get_by_role("button", name="Kamera av").click()
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()


def test_what_the_browser_takes_back_or_another_program_holds_is_told_with_what_helps(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage, script=DEVICES))
    until(page, lambda: sent(page, 1) == "Webbkamera")
    page.evaluate("refusal = 'NotAllowedError'; end('webcam')")
    expect(answer(page)).to_contain_text("Webbläsaren släpper inte fram kameran. Tillåt den vid adressfältet")
    expect(page.get_by_role("status")).to_contain_text("Tillåt den vid adressfältet")

    page.evaluate("refusal = 'NotReadableError'")
    page.get_by_role("button", name="Kamera av").click()
    expect(answer(page)).to_contain_text("Kameran används av ett annat program.")
    page.evaluate("refusal = ''")
    page.get_by_role("button", name="Kamera av").click()
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()

    page.evaluate("""() => {
        const track = given.filter(({ kind, readyState }) => kind === "audio" && readyState === "live").at(-1);
        Object.defineProperty(track, "muted", { value: true });
        track.dispatchEvent(new Event("mute"));
    }""")
    expect(answer(page)).to_contain_text("Enheten håller inne ljudet just nu.")


def test_the_chosen_loudspeaker_and_camera_are_remembered_and_a_pulled_one_leaves_no_silence(
    quiet: Any, enter: Enter
) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage, script=DEVICES))
    until(page, lambda: sent(page, 1) == "Webbkamera")
    panel = open_panel(page, "settings")
    panel.get_by_label("Högtalare").select_option("headset-out")
    panel.get_by_label("Kamera", exact=True).select_option("inner-cam")
    until(page, lambda: sent(page, 1) == "Inbyggd kamera")
    comes_to(page, lambda: page.evaluate("sinks.at(-1)"), "headset-out")
    page.evaluate("pull('headset-out')")
    expect(answer(page)).to_have_text(re.compile("^Högtalaren kopplades ur."))
    comes_to(page, lambda: page.evaluate("sinks.at(-1)"), "")
    page.evaluate("plug(...pulled)")
    expect(answer(page)).to_have_text("Headset är tillbaka, och ljudet hörs där.")
    comes_to(page, lambda: page.evaluate("sinks.at(-1)"), "headset-out")

    page.evaluate("sessionStorage.clear()")  # another tab, another day
    page.reload()
    joined(page)
    until(page, lambda: sent(page, 1) == "Inbyggd kamera")
    comes_to(page, lambda: page.evaluate("sinks.at(-1)"), "headset-out")
