"""Encrypted all the way, in real browsers: raised during the meeting, and with a guest who comes later."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from simulators.demo.processes import python
from simulators.demo.story import MAJA, SAMIR, Person, Story, browser_of
from simulators.demo.world import Ports, World
from tests.e2e.room_steps import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

FRAMES = """([id]) => Number(document.querySelector(`[data-participant="${id}"]`)?.dataset.frames ?? 0)"""
MORE = """([id, than]) => {
    const tile = document.querySelector(`[data-participant="${id}"]`);
    return tile && Number(tile.dataset.frames) > than && Number(tile.dataset.audioEnergy) > 0;
}"""
# A page whose owner keeps the sealed frames as they come: what the bridge itself has in its hands.
BLIND = """
    const Real = window.RTCRtpScriptTransform;
    window.RTCRtpScriptTransform = class {
        constructor(worker, options) { if (options.side === "send") return new Real(worker, options); }
    };
    const { set } = Object.getOwnPropertyDescriptor(RTCRtpReceiver.prototype, "transform");
    Object.defineProperty(RTCRtpReceiver.prototype, "transform", {
        set(value) { if (value instanceof Real) set.call(this, value); },
    });
    window.peers = [];
    const Peer = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Peer {
        constructor(...given) { super(...given); window.peers.push(this); }
    };
"""
INBOUND = """async () => {
    const found = { packets: 0, decoded: 0 };
    for (const peer of window.peers) {
        for (const line of (await peer.getStats()).values()) {
            if (line.type !== "inbound-rtp" || line.kind !== "video") continue;
            found.packets += line.packetsReceived ?? 0;
            found.decoded += line.framesDecoded ?? 0;
        }
    }
    return found;
}"""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Elin and Maja in a mortgage meeting; Samir waits at the door."""
    world = World(tmp_path_factory.mktemp("world"), Ports.free())
    running = world.start(lambda title: None)
    pictures = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    pictures.mkdir(parents=True, exist_ok=True)
    try:
        command = python("-m", "sidecar", "--settings", str(world.settings_file), "import-customers")
        subprocess.run([*command, str(world.folder / "customers.toml")], check=True, capture_output=True)
        with sync_playwright() as playwright, browser_of(playwright) as browser:
            story = Story(world, browser, pictures=pictures, told=lambda step: None)
            for person in (story.elin, story.maja, story.samir):
                person.page.set_default_timeout(60_000)
            story.sign_in_at_the_desk()
            story.book()
            story.arrive(story.maja, MAJA["mailbox"])
            story.identify(story.maja, MAJA["phone"])
            story.start_the_meeting()
            story.admit(MAJA["name"])
            story.see_each_other(story.elin, story.maja)
            yield story
    finally:
        running.stop()


def code_of(page: Page) -> str:
    """Return the code of the encryption panel, opened through the menu as its owner would."""
    if not page.locator('[data-panel="encryption"]').is_visible():
        page.locator("#more").click()
        page.get_by_role("menuitem", name="Kryptering").click()
    expect(page.locator("#code")).to_have_text(re.compile(r"^(\d{4} ){4}\d{4}$"))
    return str(page.locator("#code").text_content())


def hold_the_same_code(*pages: Page) -> str:
    """Wait until these pages show one and the same code, and return it."""
    until(pages[0], lambda: len({code_of(page) for page in pages}) == 1, otherwise=lambda: list(map(code_of, pages)))
    return code_of(pages[0])


def more_comes(story: Story, viewer: Person, shown: Person) -> None:
    """Wait for decoded frames and sound of somebody, beyond those that were there before."""
    place = story.place_of(shown)
    before = viewer.page.evaluate(FRAMES, [place])
    viewer.page.wait_for_function(MORE, arg=[place, before + 45], timeout=60_000)


@pytest.mark.requirement("R105", "R107", "R214")
def test_the_adviser_raises_it_and_both_still_see_hear_and_hold_the_same_code(story: Story) -> None:
    page = story.elin.page
    story.open_from_menu(page, "Höj säkerheten")
    page.get_by_role("button", name=re.compile("Kryptera hela vägen|Höj: Kryptera")).click()
    page.locator("#ask [data-go]").click()
    expect(page.locator("#promise")).to_be_visible()

    for viewer, shown in ((story.elin, story.maja), (story.maja, story.elin)):
        more_comes(story, viewer, shown)
    hold_the_same_code(story.elin.page, story.maja.page)
    expect(story.maja.page.locator("#key-holders li")).to_have_count(2)
    expect(story.maja.page.locator("#key-holders")).to_contain_text("Elin Sjöhage")
    story.photograph(story.elin, "room-encryption-adviser")
    story.photograph(story.maja, "room-encryption-customer")


@pytest.mark.requirement("R045", "R105")
def test_a_blurred_picture_is_sealed_and_opened_like_any_other(story: Story) -> None:
    page = story.maja.page
    story.open_from_menu(page, "Ljud och bild")
    page.locator("#blur").press("Space")
    expect(page.locator("#blur-side")).to_be_visible()
    expect(page.get_by_role("button", name="Kamera på")).to_be_visible()
    more_comes(story, story.elin, story.maja)
    page.locator("#blur").press("Space")
    more_comes(story, story.elin, story.maja)


@pytest.mark.requirement("R105", "R214")
def test_what_goes_through_the_bridge_cannot_be_decoded_without_a_key(story: Story) -> None:
    """Samir's page takes part in all but opening what comes: not one picture can be made of it."""
    story.samir.page.add_init_script(BLIND)
    before = code_of(story.maja.page)
    story.arrive(story.samir, SAMIR["mailbox"])
    story.identify(story.samir, SAMIR["phone"])
    story.admit(SAMIR["name"])
    page = story.samir.page
    page.wait_for_url(re.compile(r"/room$"))
    page.wait_for_function(f"async () => (await ({INBOUND})()).packets > 300", timeout=60_000)

    more_comes(story, story.elin, story.samir)
    assert page.evaluate(INBOUND)["decoded"] == 0
    expect(story.maja.page.locator("#key-holders li")).to_have_count(3)
    expect(story.maja.page.locator("#code")).not_to_have_text(before)
    assert hold_the_same_code(story.maja.page, story.elin.page, page) != before


@pytest.mark.requirement("R214")
def test_when_somebody_leaves_the_keys_change_and_the_meeting_goes_on(story: Story) -> None:
    before = code_of(story.elin.page)
    story.post(story.samir, "leave", {})

    expect(story.elin.page.locator("#key-holders li")).to_have_count(2)
    expect(story.elin.page.locator("#code")).not_to_have_text(before)
    for viewer, shown in ((story.elin, story.maja), (story.maja, story.elin)):
        more_comes(story, viewer, shown)


@pytest.mark.requirement("R106")
def test_the_evidence_names_each_key_by_its_digest_and_whose_it_was(story: Story) -> None:
    prints = {
        re.sub(r"\s", "", text) for text in story.maja.page.locator("#key-holders code").all_text_contents() if text
    }
    story.finish()
    entries = json.loads(story.evidence().read_text())["entries"]

    records = [entry["record"] for entry in entries]
    samir = [each["data"]["participant"] for each in records if each["kind"] == "participant.joined"][2]
    came, went = (
        next(at for at, each in enumerate(records) if each["kind"] == kind and each["data"]["participant"] == samir)
        for kind in ("participant.joined", "participant.left")
    )

    def keys(start: int, end: int | None = None) -> list[dict[str, Any]]:
        return [
            each["data"] for each in records[start:end] if each["kind"] == "media.keys" and "sha256" in each["data"]
        ]

    # Each who is there gives a key anew at the raise, as Samir came, and as he left.
    givers = [len({key["participant"] for key in some}) for some in (keys(0, came), keys(came, went), keys(went))]
    assert givers == [2, 3, 2]
    assert prints <= {key["sha256"][:16] for key in keys(0)}
    assert [person.problems for person in (story.elin, story.maja)] == [[], []]
