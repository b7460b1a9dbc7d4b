"""The recorder in a Jitsi conference: a real Prosody with our modules, a scripted Jicofo, a fake bridge."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.bridge.jitsi.stream import Stream as XmppStream
from sidecar.bridge.testing import eventually
from sidecar.domain.errors import NotRecordableError
from sidecar.recorder.reading import outline_of
from sidecar.recorder.sealed import SealedReader
from tests.prosody.fake_bridge import Stream
from tests.prosody.recorded_conference import (
    DEK,
    Conference,
    conference,
    ffprobe_accepts,
    recorder_stand,
    run,
)
from tests.prosody.scripted_focus import JINGLE
from tests.prosody.stand import MUC, Stand, has_prosody
from tests.prosody.xmpp_client import error_of

pytestmark = pytest.mark.skipif(not has_prosody(), reason="Prosody is not installed")


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    stand = recorder_stand(tmp_path_factory.mktemp("prosody"))
    yield stand
    stand.stop()
    stand.sidecar.stop()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no reason to give up: the bounds are for a web process that waits, and none does here."""
    for bound in (
        *("participant._ENTER_S", "participant._DEAF_S", "participant._SESSION_WITHIN_S"),
        *("media._HELLO_WITHIN_S", "stream._STEP_S", "stream._PONG_WITHIN_S"),
    ):
        monkeypatch.setattr(f"sidecar.bridge.jitsi.{bound}", 30.0)


@pytest.mark.requirement("R099", "R100", "R208")
def test_two_people_on_jitsi_are_recorded_into_one_sealed_file_that_plays(stand: Stand, tmp_path: Path) -> None:
    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin")
            await held.person("maja")
            held.focus.ready_after = 1
            await held.record("p_elin", "p_maja")
            await held.reaches(1600)
            assert not [each.name for each in threading.enumerate() if "decoder" in each.name], "nothing is decoded"
            held.recorder.rooms["r7hq2m"].recording.stop("stopped")  # type: ignore[union-attr]
            told = await held.hears("recording.stopped")
            assert told["data"]["reason"] == "stopped"
            assert held.kinds() == ["recording.stopped"]
            assert held.focus.bridge.reports > 0
            frames = held.frames()
            assert set(frames) == {f"p_{who} {kind}" for who in ("elin", "maja") for kind in ("camera", "microphone")}
            assert all(count > 4 for count in frames.values()), frames

    run(story())

    assert ffprobe_accepts(tmp_path / "rec_one.rec", "rec_one", tmp_path) == ""


@pytest.mark.requirement("R208")
def test_nothing_is_taken_while_somebody_is_in_the_room_who_did_not_say_yes(stand: Stand, tmp_path: Path) -> None:
    """The recorder sees them itself, in presence, before their first packet: nobody has to tell it in time."""

    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            recording = await held.record("p_elin")
            await held.reaches(600)
            await held.person("samir", sends=False)
            told = await held.hears("recording.paused")
            assert told["participant"] == "p_samir"
            await held.sends("samir", "audio", late=True)
            position = held.position()
            await asyncio.sleep(0.6)
            assert held.position() == position
            recording.allow(["p_elin", "p_samir"])
            await held.reaches(position + 900)
            await held.leaves("samir")
            await held.reaches(position + 1200)
            recording.stop("stopped")
            await held.hears("recording.stopped")
            assert held.kinds() == ["recording.paused", "recording.resumed", "recording.stopped"]
            frames = held.frames()
            assert frames["p_samir microphone"] > 3
            assert frames["p_elin microphone"] > 8

    run(story())


def test_who_comes_back_with_their_yes_known_does_not_pause_it(stand: Stand, tmp_path: Path) -> None:
    """Prosody names an occupant to the recorder before their presence is sent."""

    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            await held.person("maja", sends=False)
            await held.record("p_elin", "p_maja")
            await held.reaches(200)
            await held.leaves("maja")
            await held.stand.person("maja2", ["speak"], user_id="p_maja")
            await eventually(lambda: held.recorder.rooms["r7hq2m"].peers["p_maja"].nick == "maja2", within_s=40)
            await held.reaches(500)
            assert held.kinds() == []

    run(story())


@pytest.mark.requirement("R208")
def test_a_share_begins_and_ends_while_it_records(stand: Stand, tmp_path: Path) -> None:
    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            recording = await held.record("p_elin")
            await held.reaches(300)
            share = await held.sends("elin", "video", index=1, share=True, late=True)
            bridge = held.focus.bridge
            await eventually(lambda: share.sent > 8, within_s=40)
            assert bridge.constraints is not None
            assert bridge.constraints["onStageSources"] == [share.name]
            await held.focus.remove(share)
            await held.reaches(held.position() + 300)
            later = await held.sends("elin", "video", late=True)  # in the section the share left
            await eventually(lambda: later.sent > 8, within_s=40)
            await held.reaches(held.position() + 500)
            recording.stop("stopped")
            await held.hears("recording.stopped")
            frames = held.frames()
            assert frames["p_elin share"] > 3
            assert frames["p_elin camera"] > 3

    run(story())


@pytest.mark.requirement("R208")
def test_a_picture_whose_first_request_was_lost_is_asked_for_again(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.bridge.jitsi.room._ASK_ANYWAY_S", 0.5)

    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            video = await held.sends("elin", "video")
            video.deaf = 1
            await held.record("p_elin")
            await eventually(lambda: video.sent > 5, within_s=40)
            assert video.keys_asked >= 1

    run(story())


@pytest.mark.requirement("R208")
def test_lost_packets_are_asked_for_again_through_the_bridge(stand: Stand, tmp_path: Path) -> None:
    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            video = await held.sends("elin", "video")
            video.drop = lambda number: number % 5 == 3
            recording = await held.record("p_elin")
            await eventually(lambda: video.sent > 25, within_s=40)
            await held.reaches(held.position() + 600)
            recording.stop("stopped")
            await held.hears("recording.stopped")
            assert video.resent >= 3
            assert held.frames()["p_elin camera"] > 8

    run(story())


def test_a_stream_nobody_named_is_nobodys(stand: Stand, tmp_path: Path) -> None:
    """aiortc gives an unknown SSRC to the only receiver of its payload type: another person's voice in Elin's track."""

    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            recording = await held.record("p_elin")
            await held.reaches(300)
            stranger = Stream("mallory", "audio")
            held.focus.bridge.carry(stranger)
            before = held.streams["elin audio"].sent
            await eventually(lambda: stranger.sent > 20, within_s=40)
            await held.reaches(held.position() + 500)
            recording.stop("stopped")
            await held.hears("recording.stopped")
            sent = held.streams["elin audio"].sent
            assert held.frames()["p_elin microphone"] <= sent, "every frame is one of hers"
            assert sent > before

    run(story())


@pytest.mark.requirement("R208")
@pytest.mark.parametrize("how", ["jicofo", "channel", "dtls", "ice", "ice restart"])
def test_a_session_that_ends_is_followed_by_another_into_the_same_file(
    stand: Stand, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "ice":
        monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", 0.15)  # or a dead way is noticed after half a minute

    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            recording = await held.record("p_elin")
            await held.reaches(500)
            if how == "jicofo":
                await held.focus.terminate()
                await held.hears("recording.paused")
                await held.focus.initiate()
            elif how == "channel":
                held.focus.bridge.close_channel()
            elif how == "ice restart":
                await held.focus.say(held.focus.new_credentials())
            else:
                await held.focus.bridge.lose(how)
            await held.hears("recording.resumed")
            assert held.focus.restarts == (how != "jicofo")
            assert len(held.focus.bridges) == 2
            await held.reaches(held.position() + 600)
            recording.stop("stopped")
            await held.hears("recording.stopped")
            assert held.frames()["p_elin microphone"] > 8

    run(story())

    with SealedReader(tmp_path / "rec_one.rec", recording="rec_one", dek=DEK) as reader:
        outline = outline_of(reader)
    assert outline.complete
    assert len(outline.pauses) == 2, "until its first media, and the gap"


@pytest.mark.parametrize("resumes", [True, False])
def test_a_lost_connection_to_prosody_is_taken_up_again(stand: Stand, tmp_path: Path, resumes: bool) -> None:
    """Resumed, nobody notices; where Prosody has forgotten it, the recorder enters anew and the gap is noted."""

    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            recording = await held.record("p_elin")
            await held.reaches(300)
            cut(held, forget=not resumes)
            if not resumes:
                await held.hears("recording.resumed")
            await held.reaches(held.position() + 600)
            await held.person("samir", sends=False)  # presence still comes, or comes again
            await held.hears("recording.paused")
            assert recording.describe()["state"] == "paused"
            assert len(held.focus.bridges) == (1 if resumes else 2)

    run(story())


@pytest.mark.requirement("R208")
def test_while_it_cannot_see_who_comes_nothing_is_taken(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Media go on when XMPP is away: somebody could come in whom nobody asked, and be talked with."""
    monkeypatch.setattr("sidecar.bridge.jitsi.participant._DEAF_S", 0.1)
    back = asyncio.Event()
    resume = XmppStream._resume

    async def resumes_later(self: XmppStream) -> bool:
        await back.wait()
        return await resume(self)

    monkeypatch.setattr(XmppStream, "_resume", resumes_later)

    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            recording = await held.record("p_elin")
            await held.reaches(200)
            room = held.recorder.rooms["r7hq2m"]
            cut(held, forget=False)
            await held.hears("recording.paused")
            await held.person("samir", sends=False)
            assert "p_samir" not in room.peers
            position = held.position()
            back.set()
            await eventually(lambda: "p_samir" in room.peers and not room.connecting, within_s=40)
            assert recording.describe()["state"] == "paused"
            assert held.position() == position
            recording.allow(["p_elin", "p_samir"])
            await held.reaches(position + 200)
            assert len(held.focus.bridges) == 1
            assert held.kinds() == ["recording.paused", "recording.resumed"]

    run(story())


def cut(held: Conference, *, forget: bool) -> None:
    """Take the recorder's connection to Prosody away. forget: as if Prosody had been away for longer than it waits."""
    participant = held.recorder.rooms["r7hq2m"].participant
    assert participant is not None
    stream = participant._stream
    assert stream is not None
    if forget:
        stream._resume_id = ""
    assert stream._socket is not None
    transport = stream._socket._writer.transport
    assert transport is not None
    transport.abort()


def test_the_last_one_out_ends_it(stand: Stand, tmp_path: Path) -> None:
    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            await held.record("p_elin")
            await held.reaches(100)
            await held.leaves("elin")
            assert (await held.hears("recording.stopped"))["data"]["reason"] == "empty"
            await eventually(lambda: held.recorder.rooms == {}, within_s=40)

    run(story())


def test_the_end_of_the_meeting_ends_it(stand: Stand, tmp_path: Path) -> None:
    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            await held.record("p_elin")
            await held.reaches(100)
            end = "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>"
            await held.focus.client.ask(f"<iq type='set' to='r7hq2m@{MUC}'>{end}</iq>")
            assert (await held.hears("recording.stopped"))["data"]["reason"] in ("ended", "empty")
            await eventually(lambda: held.recorder.rooms == {}, within_s=40)

    run(story())


def test_put_out_by_somebody_who_may_it_does_not_come_back(stand: Stand, tmp_path: Path) -> None:
    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            await held.record("p_elin")
            await held.reaches(100)
            nick = held.focus.recorder.rpartition("/")[2]
            admin = "http://jabber.org/protocol/muc#admin"
            out = f"<query xmlns='{admin}'><item nick='{nick}' role='none'/></query>"
            await held.focus.client.ask(f"<iq type='set' to='r7hq2m@{MUC}'>{out}</iq>")
            assert (await held.hears("recording.stopped"))["data"]["reason"] == "expelled"
            await eventually(lambda: held.recorder.rooms == {}, within_s=40)

    run(story())


def test_where_no_session_comes_the_room_is_entered_anew_and_where_one_came_it_is_not(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.bridge.jitsi.participant._SESSION_WITHIN_S", 0.7)

    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            held.focus.invites = False
            await held.person("elin", camera=False)
            await held.record("p_elin")
            await eventually(lambda: held.focus.entered >= 2, within_s=40)
            held.focus.invites = True
            await eventually(lambda: len(held.focus.asked) >= 3, within_s=40)
            monkeypatch.setattr("sidecar.bridge.jitsi.participant._SESSION_WITHIN_S", 30.0)
            await held.reaches(1500)
            assert len(held.focus.bridges) == 1
            assert held.kinds() == []

    run(story())


@pytest.mark.requirement("R208")
@pytest.mark.parametrize("why", ["not invited", "no ServerHello"])
def test_without_media_it_ends_with_its_reason(
    stand: Stand, tmp_path: Path, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.bridge.jitsi.media._HELLO_WITHIN_S", 0.5)

    async def story() -> None:
        async with conference(stand, tmp_path, lost_after_s=60.0) as held:
            held.focus.invites = why != "not invited"
            held.focus.greets = False
            await held.person("elin", camera=False)
            await held.record("p_elin")
            if why == "no ServerHello":
                await eventually(lambda: held.focus.restarts > 0, within_s=40)
            held.recorder.config = replace(held.recorder.config, lost_after_s=1.5)
            told = (await held.hears("recording.stopped"))["data"]
            assert told["reason"] == "lost"
            assert told["position_ms"] < 500
            assert held.kinds() == ["recording.stopped"]
            assert (held.focus.restarts > 0) == (why == "no ServerHello")

    run(story())


@pytest.mark.requirement("R105", "R107")
def test_a_room_encrypted_end_to_end_is_not_recordable(stand: Stand, tmp_path: Path) -> None:
    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", sends=False, encryption="strict")
            with pytest.raises(NotRecordableError):
                await held.record("p_elin")
            assert held.recorder.rooms == {}
            assert list(tmp_path.iterdir()) == []

    run(story())


@pytest.mark.requirement("R105", "R107")
def test_encryption_switched_on_midway_ends_the_recording_first(stand: Stand, tmp_path: Path) -> None:
    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            await held.record("p_elin")
            await held.reaches(300)
            on = "<jitsi_participant_e2ee.enabled>true</jitsi_participant_e2ee.enabled>"
            await held.person("samir", sends=False, encryption="strict", inside=on)
            assert (await held.hears("recording.stopped"))["data"]["reason"] == "encrypted"
            await eventually(lambda: held.recorder.rooms == {}, within_s=40)

    run(story())


def test_only_focus_begins_a_session_and_others_are_told_no(stand: Stand, tmp_path: Path) -> None:
    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            await held.record("p_elin")
            await held.reaches(200)
            jvb = await held.stand.account("jvb")  # one of the operator's own, whom no gate asks
            await jvb.join(f"r7hq2m@{MUC}", "jvb")
            offer = (
                f"<iq type='set' to='{held.focus.recorder}'><jingle xmlns='{JINGLE}' action='session-initiate'/></iq>"
            )
            assert error_of(await jvb.ask(offer)) == "service-unavailable"
            assert (await held.hears("recording.paused"))["participant"] == "", "whoever Prosody names nobody"
            jvb.send(f"<presence to='r7hq2m@{MUC}/jvb' type='unavailable'/>")
            await held.hears("recording.resumed")
            for odd in (
                "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='x'/>",
                "<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='another'/>",
                f"<jingle xmlns='urn:xmpp:jingle:1' action='source-add' sid='{held.focus.sid}'><content name='audio'>"
                "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>"
                "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='-1'/></description></content></jingle>",
            ):
                await held.focus.say(odd)
            await held.reaches(held.position() + 400)

    run(story())


def test_other_clients_pings_are_answered_and_nothing_else_on_the_channel(stand: Stand, tmp_path: Path) -> None:
    async def story() -> None:
        async with conference(stand, tmp_path) as held:
            await held.person("elin", camera=False)
            await held.record("p_elin")
            await held.reaches(200)
            bridge = held.focus.bridge
            for odd in ("", "[", "null", "[]", '{"colibriClass":7}', "x" * 70000, b"\x00\x01"):
                bridge.say_plainly(odd)
            bridge.say(colibriClass="EndpointMessage", **{"from": "elin"}, msgPayload={"type": "remote-control"})
            bridge.say(
                colibriClass="EndpointMessage", **{"from": "elin"}, msgPayload={"type": "e2e-ping-request", "id": 4}
            )
            await eventually(lambda: any(m["colibriClass"] == "EndpointMessage" for m in bridge.messages), within_s=40)
            answers = [m for m in bridge.messages if m["colibriClass"] == "EndpointMessage"]
            assert [(m["to"], m["msgPayload"]) for m in answers] == [("elin", {"type": "e2e-ping-response", "id": 4})]
            await held.reaches(held.position() + 200)

    run(story())
