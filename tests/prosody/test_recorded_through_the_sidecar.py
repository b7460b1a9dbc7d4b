"""A meeting on Jitsi, recorded: the real sidecar, a real Prosody, the recorder as the process it is, and people."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization

from sidecar.domain.jws import local_signing_key, new_private_key
from sidecar.domain.meetings import Meeting, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.domain.recordings import TAKING, Recording, RecordingState
from sidecar.testing import AGNES, FRIDA, Browser
from tests.prosody.fake_bridge import Stream
from tests.prosody.real_sidecar import Bank
from tests.prosody.recorded_conference import HIDDEN, PASSWORD, recorder_options, register_recorder
from tests.prosody.scripted_focus import Focus
from tests.prosody.stand import HOST, MUC, has_prosody
from tests.servers.ports import free_port

pytestmark = pytest.mark.skipif(not has_prosody(), reason="Prosody is not installed")
PATIENCE_S = 40.0

SETTINGS = """
recorder_url = "http://127.0.0.1:{port}"
recorder_key = "recorder.pub.pem"
[recorder]
listen = "127.0.0.1:{port}"
xmpp_url = "ws://127.0.0.1:{prosody}/xmpp-websocket"
xmpp_domain = "{host}"
password_file = "recorder-password"
events_key = "recorder.pem"
"""


async def until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


class RecordedBank:
    """A bank whose shard has a recorder, and a currency meeting in it that two people are in."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        prosody = free_port()
        more = SETTINGS.format(port=self.port, prosody=prosody, host=HOST)
        self.folder = folder / "sidecar"
        self.folder.mkdir()
        key = local_signing_key("ES256", new_private_key("ES256")).private_key
        (self.folder / "recorder.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (self.folder / "recorder.pub.pem").write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        (self.folder / "recorder-password").write_text(f"{PASSWORD}\n")
        self.bank = Bank(folder, settings=more, prosody=prosody, **recorder_options())
        register_recorder(folder / "prosody")
        self.process: subprocess.Popen[bytes] | None = None
        self.people: dict[str, Browser] = {}

    @property
    def product(self) -> Any:
        return self.bank.product

    def start(self) -> "RecordedBank":
        self.bank.start()
        reports = f"http://127.0.0.1:{self.bank.sidecar.port}/internal/bridge/events"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sidecar.bridge.jitsi", "--settings", self.folder / "tillit.toml"],
            env={**os.environ, "TILLIT_BRIDGE__EVENTS_URL": reports},
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "recorder.log").open("wb"),
        )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, "the recorder did not start"
            try:
                requests.get(f"http://127.0.0.1:{self.port}/healthz", timeout=20)
                return self
            except requests.RequestException:
                time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            finally:
                self.process.kill()
        self.bank.stop()

    def log(self) -> str:
        return (self.folder / "recorder.log").read_text()

    # The meeting

    def begin(self) -> Meeting:
        customer = self.product.customer(AGNES, segment="corporate")
        booked: Meeting = self.product.book(type_name="corporate-fx", adviser=FRIDA, customer=customer)
        frida = self.people["frida"] = self.product.opens(booked, FRIDA)
        agnes = self.product.arrives(self.product.place_of(booked, Capacity.CUSTOMER)).waits(AGNES)
        assert frida.post("room/admit", {"participant": agnes.place}).status_code == 200
        self.people["agnes"] = agnes
        self.booked = booked
        return self.meeting

    @property
    def meeting(self) -> Meeting:
        found: Meeting = self.product.meeting(self.booked)
        return found

    async def enters(self, who: str) -> None:
        """Go in from a browser that is on Jitsi's page."""
        browser, room = self.people[who], self.meeting.room
        answer = await asyncio.to_thread(lambda: browser.post("room/token"))
        client = await self.bank.stand.connect(str(answer.get_json()["token"]), room)
        await client.join(f"{room}@{MUC}", who)
        await until(lambda: self.product.place(browser.place).state is ParticipantState.IN_ROOM, f"{who} is not in")

    async def asks(self) -> Any:
        day = (self.product.clock().date() + timedelta(days=100)).isoformat()
        wish = {"purpose": "client-order", "reference": "mifid-ii-16-7", "delete_on": day}
        return await asyncio.to_thread(lambda: self.people["frida"].post("room/recording", wish))

    async def says_yes(self) -> Any:
        return await asyncio.to_thread(lambda: self.people["agnes"].post("room/recording/answer", {"yes": True}))

    async def is_running(self) -> None:
        """Wait until it runs. Where the recorder was too slow for the answer that begins it, the worker tries again."""

        def runs() -> bool:
            self.product.services.recordings.look_after()
            return self.recording.state in TAKING

        await until(runs, self.log()[-2000:])

    @property
    def recording(self) -> Recording:
        found: Recording = self.product.services.meetings.recordings(meeting=self.booked.id)[0]
        return found

    def position(self) -> int:
        return int(self.product.services.conference.recording_state(self.meeting.room).get("position_ms", -1))


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[RecordedBank]:
    bank = RecordedBank(tmp_path)
    try:
        yield bank.start()
    finally:
        bank.stop()


@pytest.mark.requirement("R099", "R100", "R101", "R208", "R215")
def test_a_meeting_on_jitsi_is_recorded_from_the_question_to_the_file(bank: RecordedBank) -> None:
    async def story() -> None:
        room = bank.begin().room
        focus = await Focus.open(bank.bank.stand, room)
        try:
            for who in ("frida", "agnes"):
                await bank.enters(who)
                await focus.add(Stream(who, "audio"), Stream(who, "video"), late=False)
            assert (await bank.asks()).get_json()["state"] == "asking"
            await bank.says_yes()
            await bank.is_running()
            await until(lambda: bank.position() > 1200, f"nothing is recorded: {bank.log()[-2000:]}")
            stopped = await asyncio.to_thread(lambda: bank.people["frida"].post("room/recording/stop"))
            assert stopped.get_json()["state"] == "stopped"
            await until(lambda: bank.recording.confirmed, "the recorder did not say that it stopped")
        finally:
            await focus.close()
            await bank.bank.stand.close_clients()

    asyncio.run(asyncio.wait_for(story(), 200))

    recording = bank.recording
    assert recording.state is RecordingState.STOPPED
    assert recording.length_ms > 1000
    outline = bank.product.services.recordings._vault.outline(recording.id)
    assert outline.complete
    people = {browser.place for browser in bank.people.values()}
    assert {track.participant for track in outline.tracks} == people
    assert {track.kind for track in outline.tracks} == {"microphone", "camera"}
    kinds = bank.product.kinds(bank.booked)
    assert [kind for kind in kinds if kind in ("recording.started", "recording.stopped", "recording.paused")][-2:] == [
        "recording.started",
        "recording.stopped",
    ]
    assert HIDDEN not in str(bank.product.records(bank.booked))


@pytest.mark.requirement("R208")
def test_a_recorder_that_is_killed_leaves_what_it_wrote_and_the_meeting_is_told(
    bank: RecordedBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.services.recording._AWAY_AFTER", timedelta(seconds=0.2))
    monkeypatch.setattr("sidecar.services.recording._LOOK_EVERY", timedelta(0))

    async def story() -> None:
        room = bank.begin().room
        focus = await Focus.open(bank.bank.stand, room)
        try:
            for who in ("frida", "agnes"):
                await bank.enters(who)
                await focus.add(Stream(who, "audio"), late=False)
            await bank.asks()
            await bank.says_yes()
            await bank.is_running()
            await until(lambda: bank.position() > 2200, f"nothing is recorded: {bank.log()[-2000:]}")
            assert bank.process is not None
            assert bank.product.services.conference.health()["shard-se-recorder"] == "ok"
            bank.process.kill()
            bank.process.wait(30)
            assert bank.product.services.conference.health()["shard-se-recorder"] == "down"

            def lost() -> bool:
                bank.product.services.recordings.look_after()
                return bank.recording.state is RecordingState.STOPPED

            await until(lost, "nobody noticed")
        finally:
            await focus.close()
            await bank.bank.stand.close_clients()

    asyncio.run(asyncio.wait_for(story(), 200))

    assert bank.recording.stop_reason == "lost"
    outline = bank.product.services.recordings._vault.outline(bank.recording.id)
    assert not outline.complete
    assert outline.duration_ms > 1200, "all but the last second and a bit"
    told = bank.people["frida"].get("room/state").get_json()
    assert "tekniska skäl" in str(told)


@pytest.mark.requirement("R052", "R105", "R107")
def test_a_conference_that_is_encrypted_end_to_end_is_refused_with_its_plain_sentence(bank: RecordedBank) -> None:
    """Its people have begun to encrypt on their own: the sidecar does not know it yet, the recorder sees it."""

    async def story() -> None:
        room = bank.begin().room
        focus = await Focus.open(bank.bank.stand, room)
        try:
            await bank.enters("frida")
            await bank.enters("agnes")
            on = "<jitsi_participant_e2ee.enabled>true</jitsi_participant_e2ee.enabled>"
            jvb = await bank.bank.stand.account("jvb")  # of the operator's own: no gate takes the word out of it
            await jvb.join(f"{room}@{MUC}", "jvb", inside=on)
            assert (await bank.asks()).get_json()["state"] == "asking"
            answer = await bank.says_yes()
            assert answer.status_code == 403
            assert answer.get_json()["rule"] == "recording/encrypted"
            assert "krypterat hela vägen" in answer.get_json()["sentence"]
        finally:
            await focus.close()
            await bank.bank.stand.close_clients()

    asyncio.run(asyncio.wait_for(story(), 200))

    assert bank.recording.state is RecordingState.CANCELLED
    assert bank.recording.stop_reason == "encrypted"
    assert not list((bank.folder / "data" / "recordings").glob("*.rec"))
    assert bank.product.records(bank.booked)[-1].kind == "permission.refused"
