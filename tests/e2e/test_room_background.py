"""A blurred background, made in the sender's browser: what the others decode, and what happens without it."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from sidecar.testing.pages import findings
from tests.e2e import room_steps as steps
from tests.e2e import room_stub as stub
from tests.e2e.room_steps import (
    ELIN,
    MAJA,
    Enter,
    cameras,
    comes_to,
    control,
    joined,
    open_panel,
    picture,
    settled,
    tile,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.requirement("R045")]
quiet, enter, room_browser, real = steps.quiet, steps.enter, steps.room_browser, steps.real  # fixtures

# A camera in front of a room full of edges: black and white squares, 16 pixels wide, everywhere.
SQUARES = """
    window.opened = 0;
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wishes) => {
        if (!wishes.video) return ask(wishes);
        const stream = wishes.audio ? await ask({ audio: wishes.audio }) : new MediaStream();
        const room = document.createElement("canvas");
        [room.width, room.height] = [640, 360];
        const pen = room.getContext("2d");
        let shade = 255;
        setInterval(() => {
            shade = shade === 255 ? 250 : 255;
            for (let x = 0; x < 40; x += 1) for (let y = 0; y < 23; y += 1) {
                pen.fillStyle = (x + y) % 2 ? "black" : `rgb(${shade}, ${shade}, ${shade})`;
                pen.fillRect(x * 16, y * 16, 16, 16);
            }
        }, 50);
        window.opened += 1;
        window.camera = room.captureStream(20).getVideoTracks()[0];
        stream.addTrack(window.camera);
        return stream;
    };
"""
# The browsers without the streams that let a picture be made beside the page.
PLAIN = "delete window.MediaStreamTrackProcessor; delete window.MediaStreamTrackGenerator;"
WISHED = """localStorage.setItem("tillit.background", '{"on":true}');"""
# How far the shades in a part of somebody's picture lie from their mean: [the corner of the room, the middle].
SHARPNESS = """([id]) => {
    const video = document.querySelector(`[data-participant="${id}"] video`);
    if (!video.videoWidth) return [-1, -1];
    const canvas = document.createElement("canvas");
    const [width, height] = [canvas.width, canvas.height] = [320, 180];
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(video, 0, 0, width, height);
    const spread = (x, y) => {
        const { data } = pen.getImageData(x, y, 48, 48);
        const shades = [...data].filter((_, index) => index % 4 === 1);
        const mean = shades.reduce((sum, shade) => sum + shade, 0) / shades.length;
        return Math.sqrt(shades.reduce((sum, shade) => sum + (shade - mean) ** 2, 0) / shades.length);
    };
    return [spread(4, 4), spread(136, 60)];
}"""
SENT = "seen.peers.at(-1).getSenders()[1].track"


def sharpness(page: Page, person: dict[str, Any]) -> tuple[float, float]:
    corner, middle = page.evaluate(SHARPNESS, [person["id"]])
    return corner, middle


def is_blurred(page: Page, person: dict[str, Any]) -> bool:
    corner, middle = sharpness(page, person)
    return 0 <= corner < 25 and middle > 50


def is_sharp(page: Page, person: dict[str, Any]) -> bool:
    return min(sharpness(page, person)) > 50


def blur(page: Page) -> None:
    page.locator("#blur").press("Space")


def test_what_the_others_decode_is_sharp_within_the_outline_only(real: Any, enter: Enter, tmp_path: Path) -> None:
    elin = joined(enter(real, real.arrange(stub.room_state(ELIN, MAJA))))
    maja = joined(enter(real, real.arrange(stub.room_state(MAJA, ELIN)), script=SQUARES))
    until(elin, partial(is_sharp, elin, MAJA), within_ms=60_000, otherwise=partial(sharpness, elin, MAJA))

    panel = open_panel(maja, "settings")
    expect(panel.locator("#blur-how")).to_contain_text("Bara det som ligger innanför konturen")
    expect(panel.locator("#blur-side")).to_be_hidden()
    blur(maja)
    until(elin, partial(is_blurred, elin, MAJA), within_ms=60_000, otherwise=partial(sharpness, elin, MAJA))
    # One sees of oneself what the others see.
    until(maja, partial(is_blurred, maja, MAJA), otherwise=partial(sharpness, maja, MAJA))
    expect(panel.locator("#blur-side")).to_be_visible()
    until(maja, lambda: "Din bakgrund är suddig." in maja.evaluate("seen.said"))
    picture(maja, "blurred-self", tmp_path)
    picture(elin, "blurred-other", tmp_path)
    assert findings(maja) == []

    panel.locator("#blur-side").focus()
    for _ in range(10):
        maja.keyboard.press("ArrowRight")
    until(elin, lambda: sharpness(elin, MAJA)[1] < 25, within_ms=60_000, otherwise=partial(sharpness, elin, MAJA))

    panel.locator("#blur").press("Space")
    until(elin, partial(is_sharp, elin, MAJA), within_ms=60_000, otherwise=partial(sharpness, elin, MAJA))


def test_it_is_off_until_somebody_wishes_it_and_is_remembered_on_the_device(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN), pictures=cameras(ELIN))
    page = joined(enter(quiet, stage, script=SQUARES))
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    open_panel(page, "settings")
    expect(page.locator("#blur")).not_to_be_checked()
    until(page, lambda: page.evaluate(f"{SENT} === camera"))
    blur(page)
    until(page, lambda: page.evaluate(f"{SENT} !== null && {SENT} !== camera"))

    page.reload()
    joined(page)
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    until(page, lambda: is_blurred(page, MAJA), otherwise=lambda: sharpness(page, MAJA))
    assert page.evaluate("!seen.tracks.includes(camera.label)"), "not a single picture of the room went out"
    open_panel(page, "settings")
    expect(page.locator("#blur")).to_be_checked()


def test_a_brand_can_begin_with_it_and_a_person_can_still_say_no(
    quiet: Any, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stub._BRAND, "blur", True)
    page = joined(enter(quiet, quiet.arrange(stub.room_state(MAJA, ELIN)), script=SQUARES))
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    until(page, lambda: page.evaluate(f"{SENT} !== null && {SENT} !== camera"))
    open_panel(page, "settings")
    expect(page.locator("#blur")).to_be_checked()
    blur(page)
    until(page, lambda: page.evaluate(f"{SENT} === camera"))

    page.reload()
    joined(page)
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    until(page, lambda: page.evaluate(f"{SENT} === camera"))


def test_when_the_network_is_weak_the_blurred_picture_gives_up_resolution(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage, script=SQUARES + WISHED))
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    quiet.say(stage, {"type": "quality", "level": "weak", "up_kbps": 150, "down_kbps": 150})
    scale = "seen.peers.at(-1).getSenders()[1].getParameters().encodings[0].scaleResolutionDownBy ?? 1"
    until(page, lambda: page.evaluate(scale) > 1.2)
    assert page.evaluate(f"{SENT} !== camera")


def test_where_it_cannot_be_made_the_picture_is_off_until_the_person_says_otherwise(
    quiet: Any, enter: Enter, tmp_path: Path
) -> None:
    """Fail closed: a worker that does not start must not mean that the home is shown."""
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage, script=SQUARES))
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    page.context.route("**/background/worker.js", lambda route: Route.fulfill(route, status=404))
    open_panel(page, "settings")
    page.locator("#blur").press("Space")

    line = page.locator("#line-blur")
    expect(line).to_contain_text("därför är din bild av")
    expect(page.get_by_role("alert")).to_contain_text("därför är din bild av")
    expect(page.get_by_role("button", name="Kamera av")).to_be_visible()
    comes_to(page, lambda: page.evaluate(SENT), None)
    comes_to(page, lambda: page.evaluate("camera.readyState"), "ended")  # the lamp is out
    until(page, lambda: [said["camera"] for said in stage.heard if said["type"] == "media"][-1:] == [False])
    page.locator("[data-panel=settings] [data-close]").click()
    for width, height in ((1280, 800), (390, 844)):
        settled(page, width, height)
        picture(page, f"blur-failed-{width}", tmp_path)
    assert findings(page) == []

    line.get_by_role("button", name="Visa mig utan suddning").click()
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    expect(line).to_be_hidden()
    until(page, lambda: page.evaluate(f"{SENT} === camera"))
    assert page.evaluate("JSON.parse(localStorage['tillit.background']).on"), "the next meeting tries to blur again"


def test_a_device_that_cannot_keep_up_gives_up_resolution_first_and_then_the_picture(quiet: Any, enter: Enter) -> None:
    # On this page time passes by drawing alone, so that how busy the computer really is plays no part.
    slow = """
        window.delay = 5;
        let spent = 0;
        performance.now = () => spent;
        const draw = CanvasRenderingContext2D.prototype.drawImage;
        CanvasRenderingContext2D.prototype.drawImage = function (...given) {
            if (given[0] instanceof HTMLVideoElement) spent += window.delay;
            return draw.apply(this, given);
        };
    """
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage, script=PLAIN + SQUARES + WISHED + slow))
    until(page, lambda: is_blurred(page, MAJA), otherwise=lambda: sharpness(page, MAJA))
    width = f"{SENT} && {SENT}.getSettings().width"
    comes_to(page, lambda: page.evaluate(width), 640)

    page.evaluate("window.delay = 60")
    comes_to(page, lambda: page.evaluate(width), 160, within_ms=60_000)
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    page.evaluate("window.delay = 260")
    expect(page.locator("#line-blur")).to_be_visible(timeout=60_000)
    comes_to(page, lambda: page.evaluate(SENT), None)


def test_a_camera_that_blurs_by_itself_is_asked_to_and_watched(quiet: Any, enter: Enter) -> None:
    """The system's own switch can turn the blur off under a page: the picture must not become the room's."""
    itself = """
        const given = navigator.mediaDevices.getUserMedia;
        navigator.mediaDevices.getUserMedia = async (wishes) => {
            const stream = await given(wishes);
            const [track] = stream.getVideoTracks();
            if (!track) return stream;
            const settings = track.getSettings.bind(track);
            let blurs = false;
            window.unblur = () => { blurs = false; track.dispatchEvent(new Event("configurationchange")); };
            track.getCapabilities = () => ({ backgroundBlur: [false, true] });
            track.getSettings = () => ({ ...settings(), backgroundBlur: blurs });
            track.applyConstraints = async ({ backgroundBlur }) => { blurs = backgroundBlur.exact; };
            return stream;
        };
    """
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage, script=SQUARES + WISHED + itself))
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    until(page, lambda: page.evaluate(f"{SENT} === camera && camera.getSettings().backgroundBlur"))
    panel = open_panel(page, "settings")
    expect(panel.locator("#blur-how")).to_have_text(re.compile("Din egen enhet gör det"))
    expect(panel.locator("#blur-size")).to_be_hidden()
    page.evaluate("unblur()")

    expect(page.locator("#line-blur")).to_be_visible()
    comes_to(page, lambda: page.evaluate(SENT), None)


def test_a_browser_that_cannot_says_so_where_the_switch_would_be(quiet: Any, enter: Enter) -> None:
    stage = quiet.arrange(stub.room_state(MAJA, ELIN))
    page = joined(enter(quiet, stage, script=PLAIN + "delete HTMLCanvasElement.prototype.captureStream;"))
    panel = open_panel(page, "settings")
    expect(panel.locator("#blur-how")).to_contain_text("kan inte sudda bakgrunden")
    expect(panel.locator("#blur")).to_be_hidden()
    expect(tile(page, MAJA)).to_have_class(re.compile("pictured"))
    control(page, "camera").click()
    expect(page.get_by_role("button", name="Kamera av")).to_be_visible()
