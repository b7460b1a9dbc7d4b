"""The room page on a Jitsi shard, in Chromium: our frame around Jitsi Meet, driven by its IFrame API."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect, sync_playwright
from werkzeug.serving import make_server

from sidecar.domain.clock import utc_now
from sidecar.domain.ids import ParticipantId
from sidecar.domain.jws import new_private_key
from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.services.reports import MediaReport
from sidecar.testing import MAJA, Clock, Product
from sidecar.testing import Browser as Visit
from sidecar.testing.pages import findings, hear_complaints
from tests.e2e.room_steps import (
    CHROMIUM,
    answer,
    comes_to,
    control,
    joined,
    open_panel,
    outside_the_screen,
    picture,
    until,
)
from tests.integration.two_shards import lay_join_keys

pytestmark = pytest.mark.e2e
HOST = "exempelbanken.example"
SETTINGS = """
[web]
secure_cookies = false
[tokens]
algorithm = "RS256"
[conference]
kind = "jitsi"
[[shards]]
id = "se"
region = "eu-north-se"
domiciles = ["SE", "FI"]
audience = "shard-se"
url = "http://127.0.0.1:9"
events_key = "events.pub.pem"
web_url = "http://meet.{host}"
"""


class Now(Clock):
    def __call__(self) -> Any:
        return utc_now()


@dataclass
class World:
    """A product on a Jitsi shard, a Chromium that finds it and the stand-in for Jitsi Meet by their real names."""

    product: Product
    browser: Browser
    complaints: list[str]

    def enter(self, visit: Visit, *, size: tuple[int, int] = (1280, 800)) -> Page:
        """Open the room page of a made-up browser in the real one."""
        context: BrowserContext = self.browser.new_context(
            base_url=f"http://{HOST}", viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce"
        )
        for name in ("tillit_visit", "tillit_staff"):
            if visit.cookie(name):
                context.add_cookies([{"name": name, "value": visit.cookie(name), "url": f"http://{HOST}"}])
        page = context.new_page()
        page.set_default_timeout(30_000)
        hear_complaints(page, self.complaints)
        page.goto(f"/v/{visit.place}/room")
        return page


@pytest.fixture(scope="module")
def chromium() -> Iterator[tuple[Browser, int]]:
    """A browser, and the port that it will find the product on."""
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium on this machine")
    stub = subprocess.Popen(
        [sys.executable, Path(__file__).parent / "jitsi_stub.py"], stdout=subprocess.PIPE, text=True
    )
    assert stub.stdout
    meet = int(stub.stdout.readline())
    with make_server("127.0.0.1", 0, lambda *_: [], threaded=True) as probe:
        port = probe.server_port
    rules = f"MAP meet.{HOST}:80 127.0.0.1:{meet}, MAP {HOST}:80 127.0.0.1:{port}"
    try:
        with sync_playwright() as running:
            opened = running.chromium.launch(
                executable_path=CHROMIUM,
                args=[
                    *("--no-sandbox", "--disable-gpu", "--no-first-run", f"--host-resolver-rules={rules}"),
                    f"--unsafely-treat-insecure-origin-as-secure=http://{HOST},http://meet.{HOST}",
                ],
            )
            yield opened, port
            opened.close()
    finally:
        stub.kill()
        stub.wait()


@pytest.fixture
def world(chromium: tuple[Browser, int], tmp_path: Path) -> Iterator[World]:
    browser, port = chromium
    key: Any = new_private_key("ES256")
    (tmp_path / "events.pub.pem").write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    lay_join_keys(tmp_path)
    product = Product(tmp_path, clock=Now(), more=SETTINGS)
    server = make_server("127.0.0.1", port, product.app, threaded=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    complaints: list[str] = []
    yield World(product, browser, complaints)
    for context in browser.contexts:
        context.close()
    server.shutdown()
    server.server_close()
    assert complaints == []


@dataclass
class Held:
    meeting: Meeting
    elin: Visit
    maja: Visit


def begin(world: World) -> Held:
    meeting = world.product.book()
    elin = world.product.opens(meeting)
    maja = world.product.arrives(world.product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    return Held(world.product.meeting(meeting), elin, maja)


def prosody_says(world: World, held: Held, visit: Visit, kind: str) -> None:
    """Report as the shard's Prosody does that somebody came or went."""
    now = utc_now()
    data = {"reason": "left"} if kind == "media.left" else {}
    report = MediaReport(
        f"se:{kind}{now}", "se", "jitsi", kind, held.meeting.room, ParticipantId(visit.place), now, data
    )
    world.product.services.reports.take(report)


def frame_of(page: Page) -> Frame:
    until(page, lambda: any("/se-" in frame.url for frame in page.frames[1:]))
    frame = next(frame for frame in page.frames[1:] if "/se-" in frame.url)
    frame.wait_for_function("window.jitsi !== undefined")
    return frame


def said(world: World, held: Held, kind: str) -> list[dict[str, Any]]:
    return [dict(record.data) for record in world.product.records(held.meeting) if record.kind == kind]


@pytest.mark.requirement("R016", "R051", "R216")
def test_our_buttons_drive_jitsi_meet_and_tell_the_truth(world: World, tmp_path: Path) -> None:
    held = begin(world)
    page = joined(world.enter(held.elin))
    frame = frame_of(page)
    prosody_says(world, held, held.elin, "media.joined")
    prosody_says(world, held, held.maja, "media.joined")

    assert frame.evaluate("jitsi.room") == held.meeting.room
    claims = world.product.services.verify_join(frame.evaluate("jitsi.jwt"), held.meeting.room).claims
    assert (claims.audience, claims.region, claims.user_id) == ("shard-se", "eu-north-se", held.elin.place)
    config = frame.evaluate("jitsi.config")
    assert config["toolbarButtons"] == []
    assert config["p2p"] == {"enabled": False}
    assert config["dynamicBrandingUrl"] == f"https://{HOST}/jitsi/branding.json"

    for name, key in (("microphone", "audio"), ("camera", "video")):
        on = frame.evaluate(f"jitsi.state.{key}")
        expect(control(page, name)).to_have_class("ctl" if on else "ctl off")
        control(page, name).click()
        until(page, lambda key=key, on=on: frame.evaluate(f"jitsi.state.{key}") is not on)  # type: ignore[misc]
        expect(control(page, name)).to_have_class("ctl off" if on else "ctl")

    if frame.evaluate("jitsi.state.audio"):
        control(page, "microphone").click()
    expect(control(page, "microphone")).to_have_class("ctl off")
    page.locator("#stage").focus()
    page.keyboard.down(" ")
    until(page, lambda: bool(frame.evaluate("jitsi.state.audio")))
    page.keyboard.up(" ")
    until(page, lambda: not frame.evaluate("jitsi.state.audio"))

    panel = open_panel(page, "people")
    expect(panel.get_by_text("Maja Granlid")).to_be_visible()
    frame.evaluate("id => jitsi.say('participant-joined', {id: 'abcd1234', userContext: {id}})", held.maja.place)
    frame.evaluate("jitsi.say('participant-muted', {participantId: 'abcd1234', isMuted: true, mediaType: 'audio'})")
    expect(panel.locator("li", has_text="Maja Granlid").locator(".chip")).to_have_count(1)
    picture(page, "jitsi-people", tmp_path)
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    assert findings(page) == []
    comes_to(page, lambda: outside_the_screen(page), [])
    picture(page, "jitsi", tmp_path)

    frame.evaluate(
        "jitsi.say('non-participant-message-received',"
        " {id: 'room', message: JSON.stringify({type: 'tillit-announcement', text: 'Mötet slutar snart.'})})"
    )
    expect(answer(page)).to_have_text("Mötet slutar snart.")


@pytest.mark.requirement("R035")
def test_a_whole_screen_is_ended_and_written_down_and_a_window_is_shown(world: World) -> None:
    held = begin(world)
    page = joined(world.enter(held.elin))
    frame = frame_of(page)

    frame.evaluate("jitsi.state.surface = 'monitor'")
    control(page, "share").click()
    until(page, lambda: frame.evaluate("jitsi.state.shares === 1 && !jitsi.state.share"))
    until(page, lambda: bool(said(world, held, "permission.refused")))
    expect(answer(page)).to_contain_text("fönster")
    assert said(world, held, "permission.refused")[-1]["surface"] == "monitor"

    frame.evaluate("jitsi.state.surface = undefined")
    control(page, "share").click()
    until(page, lambda: frame.evaluate("jitsi.state.shares === 2 && !jitsi.state.share"))

    frame.evaluate("jitsi.state.surface = 'window'")
    control(page, "share").click()
    until(page, lambda: bool(said(world, held, "share.started")))
    assert frame.evaluate("jitsi.state.share") is True
    page.locator("#share-stop").click()
    until(page, lambda: bool(said(world, held, "share.stopped")))


@pytest.mark.requirement("R022", "R051")
def test_what_a_customer_may_not_do_stays_in_its_place_and_answers_with_a_sentence(
    world: World, tmp_path: Path
) -> None:
    held = begin(world)
    page = joined(world.enter(held.maja, size=(390, 844)))
    frame = frame_of(page)
    prosody_says(world, held, held.maja, "media.joined")

    control(page, "share").click(force=True)  # a browser's driver holds aria-disabled for disabled; a person does not
    expect(answer(page)).to_contain_text("Elin")
    assert frame.evaluate("jitsi.state.share") is False
    assert findings(page) == []
    comes_to(page, lambda: outside_the_screen(page), [])
    picture(page, "jitsi-phone", tmp_path)


@pytest.mark.requirement("R025", "R216")
def test_a_frame_that_fails_is_made_anew_with_a_token_of_its_own(world: World) -> None:
    held = begin(world)
    page = joined(world.enter(held.maja))
    first = frame_of(page)
    jwt = first.evaluate("jitsi.jwt")
    error = "{type: 'CONNECTION', name: 'connection.droppedError', isFatal: true}"
    first.evaluate(f"jitsi.say('error-occurred', {{error: {error}}})")
    until(page, lambda: bool(said(world, held, "token.minted")[1:]))
    joined(page)
    assert frame_of(page).evaluate("jitsi.jwt") != jwt

    assert held.elin.post("room/expel", {"participant": held.maja.place}).status_code == 200
    page.wait_for_url("**/left")


def test_leaving_asks_once_takes_the_frame_away_and_tells_the_server(world: World) -> None:
    held = begin(world)
    page = joined(world.enter(held.maja))
    frame_of(page)
    prosody_says(world, held, held.maja, "media.joined")
    page.locator("[data-leaves]:visible").first.click()
    page.locator("#ask [data-go]").click()
    page.wait_for_url("**/left")
    assert [call for call in world.product.conference.calls if call[0] == "expel"] == [
        ("expel", held.maja.place, "left")
    ]


def test_the_devices_of_the_frame_can_be_chosen(world: World) -> None:
    held = begin(world)
    page = joined(world.enter(held.elin))
    frame = frame_of(page)
    panel = open_panel(page, "settings")
    camera = panel.locator("#device-camera")
    expect(camera.locator("option")).to_have_text(["Desk camera", "Laptop camera"])
    camera.select_option("v1")
    until(page, lambda: frame.evaluate("jitsi.state.devices") == ["v1"])
    expect(panel.locator("#level")).to_be_hidden()


@pytest.mark.requirement("R216")
def test_the_page_lets_in_the_brands_own_jitsi_meet_and_nothing_else(world: World) -> None:
    held = begin(world)
    answered = held.elin.get("room")
    policy = dict(part.strip().partition(" ")[::2] for part in answered.headers["Content-Security-Policy"].split(";"))

    assert policy["script-src"] == f"'self' http://meet.{HOST}/external_api.js"
    assert policy["frame-src"] == f"http://meet.{HOST}"
    assert policy["default-src"] == policy["connect-src"] == "'self'"
    assert f'camera=(self "http://meet.{HOST}")' in answered.headers["Permissions-Policy"]
    for other in ("/desk", "/privacy"):
        elsewhere = held.elin.get(other).headers
        assert "script-src" not in elsewhere["Content-Security-Policy"]
        assert HOST not in elsewhere["Permissions-Policy"]

    joins: Callable[[], Any] = lambda: held.maja.post("room/join", {"token": "x", "sdp": "v=0"})  # noqa: E731
    before = world.product.services.audit.size
    assert joins().status_code == 422
    assert world.product.services.audit.size == before
