"""Two and more clients in a room: media goes through, rights are kept, nobody stays who should not."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from sidecar.bridge.testing import (
    ALL_MEDIA,
    Client,
    NoiseTrack,
    eventually,
    grant,
    recorded_events,
    running_bridge,
)
from sidecar.domain import clock
from sidecar.testing.bad_network import BadNetwork, Way


def run(story: object) -> None:
    asyncio.run(asyncio.wait_for(story, 200))  # type: ignore[arg-type]  # a coroutine


@pytest.mark.requirement("R217")
def test_two_participants_hear_and_see_each_other() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client() as maja, Client() as elin:
            await maja.join(bridge, "kitchen", grant("p_maja"))
            await elin.join(bridge, "kitchen", grant("p_elin"))

            await eventually(lambda: maja.frames("audio") > 20 and maja.frames("video") > 10)
            await eventually(lambda: elin.frames("audio") > 20 and elin.frames("video") > 10)
            assert maja.last("slots")["audio"][0]["participant"] == "p_elin"
            assert [v["kind"] for v in elin.last("slots")["video"]] == ["camera"]

    run(story())


@pytest.mark.requirement("R216")
def test_a_track_without_permission_is_dropped_and_reported_once() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client() as maja, Client() as elin:
            events = recorded_events(bridge)
            await maja.join(bridge, "kitchen", grant("p_maja", frozenset({"speak"})))
            await elin.join(bridge, "kitchen", grant("p_elin"))

            await eventually(lambda: elin.frames("audio") > 50)
            dropped = [e for e in events if e["kind"] == "track.dropped"]
            assert [(e["participant"], e["data"]) for e in dropped] == [
                ("p_maja", {"kind": "camera", "rule": "show_camera"})
            ]
            assert elin.frames("video") == 0

    run(story())


@pytest.mark.requirement("R216")
def test_a_permission_taken_away_stops_the_picture_at_once() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client() as maja, Client() as elin:
            await maja.join(bridge, "kitchen", grant("p_maja"))
            await elin.join(bridge, "kitchen", grant("p_elin"))
            await eventually(lambda: elin.frames("video") > 5)

            peer = bridge.get_peer("kitchen", "p_maja")
            camera = peer.tracks["camera"]
            peer.grant = replace(peer.grant, permissions=frozenset({"speak"}))
            peer.room.media_changed(peer)
            received = camera.received
            voice = elin.frames("audio")

            await eventually(lambda: elin.frames("audio") > voice + 50)
            assert camera.received == received
            assert camera.slots == []
            assert elin.last("media") == {
                "type": "media",
                "participant": "p_maja",
                "microphone": True,
                "camera": False,
                "share": False,
                "network": "good",
            }

    run(story())


@pytest.mark.requirement("R216")
def test_a_share_needs_a_share_permission_and_has_a_slot_of_its_own() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client(share=True) as maja, Client() as elin:
            await maja.join(bridge, "kitchen", grant("p_maja", ALL_MEDIA - {"share_window", "share_screen"}))
            await elin.join(bridge, "kitchen", grant("p_elin"))
            await eventually(lambda: elin.frames("video") > 10)
            assert [v["kind"] for v in elin.last("slots")["video"]] == ["camera"]

            peer = bridge.get_peer("kitchen", "p_maja")
            peer.grant = replace(peer.grant, permissions=ALL_MEDIA - {"share_screen"})
            peer.room.media_changed(peer)

            await eventually(lambda: len(elin.last("slots")["video"]) == 2)
            last_slot = elin.connection.getTransceivers()[-1].mid
            assert elin.last("slots")["video"][-1] == {
                "mid": last_slot,
                "participant": "p_maja",
                "kind": "share",
            }

    run(story())


def test_an_expelled_participant_is_told_and_out_at_once() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client() as maja, Client() as elin:
            events = recorded_events(bridge)
            await maja.join(bridge, "kitchen", grant("p_maja"))
            await elin.join(bridge, "kitchen", grant("p_elin"))
            await eventually(lambda: elin.frames("audio") > 5)

            room = bridge.get_room("kitchen")
            room.leave(room.peers["p_maja"], "expelled")

            await eventually(lambda: maja.last("removed") == {"type": "removed", "reason": "expelled"})
            await eventually(lambda: maja.connection.connectionState == "closed")
            assert ("media.left", "p_maja", {"reason": "expelled"}) in [
                (e["kind"], e["participant"], e["data"]) for e in events
            ]
            await eventually(lambda: elin.last("slots") == {"type": "slots", "audio": [], "video": []})

    run(story())


def test_a_session_is_over_at_its_end_without_anybody_asking() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client() as maja:
            events = recorded_events(bridge)
            await maja.join(bridge, "kitchen", grant("p_maja"))
            peer = bridge.get_peer("kitchen", "p_maja")
            ends_at = clock.utc_now() + timedelta(seconds=2)
            peer.grant = replace(peer.grant, session_until=ends_at)
            looked_at, slowest = clock.utc_now(), timedelta(0)

            def is_over() -> bool:
                nonlocal looked_at, slowest
                slowest, looked_at = max(slowest, clock.utc_now() - looked_at), clock.utc_now()
                return "kitchen" not in bridge.rooms

            await eventually(is_over)
            assert timedelta(0) <= clock.utc_now() - ends_at < timedelta(seconds=2) + slowest  # the bridge's own loop
            assert [e["kind"] for e in events][-2:] == ["session.ended", "media.left"]
            await eventually(lambda: maja.last("removed").get("reason") == "session_ended")

    run(story())


def test_a_second_join_of_the_same_participant_replaces_the_first() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client() as first, Client() as second, Client() as elin:
            await first.join(bridge, "kitchen", grant("p_maja"))
            await elin.join(bridge, "kitchen", grant("p_elin"))
            await second.join(bridge, "kitchen", grant("p_maja"))

            await eventually(lambda: first.last("removed") == {"type": "removed", "reason": "replaced"})
            await eventually(lambda: second.frames("audio") > 5)
            before = elin.frames("video")
            await eventually(lambda: elin.frames("video") > before + 5)
            assert len(bridge.get_room("kitchen").peers) == 2

    run(story())


def test_the_only_participant_can_replace_itself() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client() as first, Client() as second:
            await first.join(bridge, "kitchen", grant("p_maja"))
            await second.join(bridge, "kitchen", grant("p_maja"))
            assert list(bridge.get_room("kitchen").peers) == ["p_maja"]

    run(story())


def test_a_muted_track_stays_muted_until_its_owner_switches_it_off_and_on() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client(camera=False) as maja, Client(camera=False) as elin:
            await maja.join(bridge, "kitchen", grant("p_maja"))
            await elin.join(bridge, "kitchen", grant("p_elin"))
            await eventually(lambda: elin.frames("audio") > 5)
            peer = bridge.get_peer("kitchen", "p_maja")
            microphone = peer.tracks["microphone"]

            peer.mute("microphone", "audio")
            await eventually(lambda: maja.last("muted") == {"type": "muted", "kind": "audio"})
            maja.say(type="media", microphone=True, camera=True, share=False)  # was on its way already
            await eventually(lambda: not peer.tracks["share"].open)
            assert not microphone.open

            maja.say(type="media", microphone=False, camera=False, share=False)
            maja.say(type="media", microphone=True, camera=False, share=False)
            await eventually(lambda: microphone.open)
            received = microphone.received
            await eventually(lambda: microphone.received > received + 10)

    run(story())


def test_what_the_data_channel_does_not_know_is_dropped_and_reported() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client(camera=False) as maja:
            events = recorded_events(bridge)
            await maja.join(bridge, "kitchen", grant("p_maja"))
            maja.say(type="chat", text="hello")
            maja.say(type="ping", n=4)

            await eventually(lambda: maja.last("pong") == {"type": "pong", "n": 4})
            assert [e["data"] for e in events if e["kind"] == "message.dropped"] == [
                {"type": "chat", "rule": "closed-list"}
            ]

    run(story())


@pytest.mark.parametrize("text", ["[]", "{", '{"type": 7}', '{"type":"media","camera":"yes"}', "[" * 4000])
def test_nonsense_on_the_data_channel_harms_nobody(text: str) -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client(camera=False) as maja:
            events = recorded_events(bridge)
            await maja.join(bridge, "kitchen", grant("p_maja"))
            maja.channel.send(text)
            maja.say(type="ping", n=1)

            await eventually(lambda: maja.last("pong"))
            assert "message.dropped" in [e["kind"] for e in events]

    run(story())


def test_lost_packets_are_sent_again_and_the_picture_stays() -> None:
    """3 % loss once left 2.5 frames a second, because retransmissions carried the wrong numbers."""

    async def story() -> None:
        # One slot: with more, aiortc does not know which of them a retransmission belongs to.
        async with running_bridge() as bridge, Client() as maja, Client(video_slots=1) as elin:
            up, down = (
                BadNetwork(bridge.candidates[0], up=Way(loss=0.05, seed=n), down=Way(loss=0.05, seed=n + 2))
                for n in (7, 8)
            )
            await maja.join(bridge, "kitchen", grant("p_maja"), through=up)
            await elin.join(bridge, "kitchen", grant("p_elin"), through=down)
            await eventually(lambda: elin.frames("video") > 5)
            camera = bridge.get_peer("kitchen", "p_maja").tracks["camera"]
            asked = camera.last_key_request
            frames, packets, lost = elin.frames("video"), camera.received, down.down.lost

            await eventually(lambda: elin.frames("video") > frames + 150, within_s=120)
            assert down.down.lost > lost + 5
            assert camera.received - packets > 150
            assert camera.newest - camera.base + 1 - camera.received <= 2, "the bridge asked again for each"
            slot = bridge.get_peer("kitchen", "p_elin").video_slots[0]
            assert slot.rtx_sequence > 0
            assert camera.last_key_request == asked, "no picture was lost for good"
            up.close()
            down.close()

    run(story())


def test_a_client_that_changes_network_is_followed() -> None:
    async def story() -> None:
        # One slot, as above: aiortc would wait for its whole buffer before it gave a lost packet up.
        async with running_bridge() as bridge, Client(video_slots=1) as maja, Client(video_slots=1) as elin:
            network = BadNetwork(bridge.candidates[0])
            await maja.join(bridge, "kitchen", grant("p_maja"), through=network)
            await elin.join(bridge, "kitchen", grant("p_elin"))
            await eventually(lambda: maja.frames("video") > 5 and elin.frames("video") > 5)
            peer = bridge.get_peer("kitchen", "p_maja")
            old = peer.address

            network.move()

            await eventually(lambda: peer.address is not old)
            seen = maja.frames("video"), elin.frames("video")
            await eventually(
                lambda: maja.frames("video") > seen[0] + 5 and elin.frames("video") > seen[1] + 5, within_s=30
            )
            network.close()

    run(story())


def test_a_client_that_vanishes_is_removed() -> None:
    async def story() -> None:
        async with running_bridge(consent_s=6.0) as bridge, Client(camera=False) as maja:
            events = recorded_events(bridge)
            network = BadNetwork(bridge.candidates[0])
            await maja.join(bridge, "kitchen", grant("p_maja"), through=network)
            network.close()

            await eventually(lambda: not bridge.rooms)
            assert events[-1]["data"] == {"reason": "connection_lost"}
            assert not bridge.plane.agents
            assert not bridge.plane.batches[0].peers

    run(story())


@pytest.mark.requirement("R145")
def test_a_slot_that_changes_its_source_goes_on_as_one_stream() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client() as maja, Client() as elin, Client() as samir:
            await elin.join(bridge, "kitchen", grant("p_elin"))
            await maja.join(bridge, "kitchen", grant("p_maja"))
            await eventually(lambda: elin.frames("video") > 10)
            room = bridge.get_room("kitchen")
            slot = room.peers["p_elin"].video_slots[0]
            assert slot.source is room.peers["p_maja"].tracks["camera"]

            room.leave(room.peers["p_maja"], "left")
            last = slot.last_sequence
            seen = elin.frames("video")
            await samir.join(bridge, "kitchen", grant("p_samir"))

            await eventually(lambda: elin.frames("video") > seen + 10)
            source = slot.source
            assert source is room.peers["p_samir"].tracks["camera"]
            first_out = (slot.first + slot.sequence_delta) & 0xFFFF
            assert first_out == (last + 1) & 0xFFFF

    run(story())


@pytest.mark.requirement("R106")
def test_key_handling_is_reported_without_content() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client(camera=False) as maja:
            events = recorded_events(bridge)
            await maja.join(bridge, "kitchen", grant("p_maja"))
            joined = next(e for e in events if e["kind"] == "media.joined")
            offered = next(
                line.split(" ")[1].strip()
                for line in maja.connection.localDescription.sdp.splitlines()
                if line.startswith("a=fingerprint:sha-256")
            )
            assert joined["data"] == {
                "fingerprint_client": offered,
                "fingerprint_bridge": bridge.identity.fingerprint,
                "srtp_profile": "SRTP_AEAD_AES_128_GCM",
            }
            assert joined["room"] == "kitchen"
            assert joined["participant"] == "p_maja"

    run(story())


@pytest.mark.requirement("R001")
def test_another_certificate_than_the_offered_one_gets_no_media() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client() as elin, Client() as mallory:
            events = recorded_events(bridge)
            await elin.join(bridge, "kitchen", grant("p_elin"))
            offer = await mallory.offer()
            genuine = next(line for line in offer.splitlines() if line.startswith("a=fingerprint:sha-256"))
            digest = genuine.split(" ")[1]
            forged = offer.replace(digest, digest[3:] + ":" + digest[:2])
            forged = (
                "\r\n".join(
                    line
                    for line in forged.splitlines()
                    if not line.startswith(("a=fingerprint:sha-3", "a=fingerprint:sha-5"))
                )
                + "\r\n"
            )
            _, answer = bridge.join("kitchen", grant("p_mallory"), forged)
            await mallory.answered(answer)

            await eventually(
                lambda: ("media.left", {"reason": "dtls_failed"}) in [(e["kind"], e["data"]) for e in events]
            )
            assert list(bridge.get_room("kitchen").peers) == ["p_elin"]
            assert mallory.frames("audio") == 0

    run(story())


@pytest.mark.requirement("R146", "R147")
def test_a_very_narrow_way_keeps_the_sound_and_gives_up_the_picture() -> None:
    async def story() -> None:
        camera = NoiseTrack()
        async with running_bridge() as bridge, Client(camera=camera) as maja, Client(camera=False) as elin:
            network = BadNetwork(bridge.candidates[0])
            await maja.join(bridge, "kitchen", grant("p_maja"))
            await elin.join(bridge, "kitchen", grant("p_elin"), through=network)
            await eventually(lambda: elin.frames("video") > 30)

            network.down.bits_per_second = 90_000
            await eventually(lambda: elin.last("quality").get("level") == "sound_only", within_s=60)
            await eventually(lambda: not elin.last("slots")["video"])
            microphone = bridge.get_peer("kitchen", "p_maja").tracks["microphone"]
            heard, sent = elin.frames("audio"), microphone.received
            await eventually(lambda: elin.frames("audio") > heard + 100)
            assert microphone.received - sent < 200, "not even every other packet of the voice came through"
            assert maja.last("quality").get("level") != "sound_only"
            told = maja.last("media")
            assert (told["participant"], told["network"]) == ("p_elin", "sound_only")
            network.close()

    run(story())
