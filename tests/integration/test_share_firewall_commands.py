"""How web process and bridge speak of watched shares: a flag in two commands, a word in the bridge's health."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sidecar.adapters.bridge import BridgeConference
from sidecar.adapters.control_client import Answer
from sidecar.bridge.signalling import create_application
from sidecar.bridge.testing import Client, OpenGate, eventually, running_bridge
from sidecar.domain import clock
from sidecar.domain.ids import ParticipantId, RoomName

PLACE = "/v1/rooms/room/participants"
HEADERS = {"Authorization": "Bearer any"}


@pytest.mark.requirement("R206")
def test_the_bridge_takes_the_flag_with_each_join_and_each_change_of_rights_and_nothing_but_true_or_false() -> None:
    async def story() -> None:
        async with running_bridge() as bridge, Client(camera=False, microphone=False) as anna:
            server = TestServer(create_application(bridge, OpenGate()))
            async with TestClient(server, headers=HEADERS) as web:
                assert (await (await web.get("/healthz")).json())["share_firewall"] == "off"
                join = {"token": json.dumps({"id": "anna"}), "sdp": await anna.offer(), "watch_shares": True}
                for wrong in ("true", 1, None, []):
                    assert (await web.post(PLACE, json=join | {"watch_shares": wrong})).status == 400
                assert (await web.post(PLACE, json=join)).status == 201
                grant = bridge.get_peer("room", "anna").grant
                assert grant.share_watched
                await eventually(lambda: bridge.watcher.ready)  # whoever comes to be watched has one started

                rights = {"permissions": ["speak"]}
                assert (await web.put(f"{PLACE}/anna/permissions", json=rights | {"watch_shares": "no"})).status == 400
                assert (await web.put(f"{PLACE}/anna/permissions", json=rights)).status == 204
                assert bridge.get_peer("room", "anna").grant.share_watched
                assert (await web.put(f"{PLACE}/anna/permissions", json=rights | {"watch_shares": False})).status == 204
                assert not bridge.get_peer("room", "anna").grant.share_watched
                assert (await (await web.get("/healthz")).json())["share_firewall"] == "ok"

    asyncio.run(asyncio.wait_for(story(), 200))


class SayingClient:
    """Answers as a bridge would. said: its health; None: it does not answer."""

    def __init__(self, said: Mapping[str, Any] | None) -> None:
        self.said = said
        self.bodies: list[Any] = []

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        self.bodies.append(body)
        return Answer(201, {"sdp": "v=0"})

    def say_openly(self, path: str) -> Mapping[str, Any]:
        return self.said or {}


@pytest.mark.requirement("R206")
@pytest.mark.parametrize(
    ("said", "looks", "health"),
    [
        (None, False, {"bridge": "down"}),
        ({"status": "ok"}, False, {"bridge": "ok"}),
        ({"status": "ok", "share_firewall": "off"}, False, {"bridge": "ok"}),
        ({"status": "ok", "share_firewall": "starting"}, True, {"bridge": "ok", "share_firewall": "starting"}),
        ({"status": "ok", "share_firewall": "ok"}, True, {"bridge": "ok", "share_firewall": "ok"}),
        ({"status": "ok", "share_firewall": "down"}, False, {"bridge": "ok", "share_firewall": "down"}),
    ],
)
def test_readiness_shows_what_looks_at_shares_and_a_share_is_asked_for_only_there(
    said: Mapping[str, Any] | None, looks: bool, health: Mapping[str, str]
) -> None:
    conference = BridgeConference(SayingClient(said))  # type: ignore[arg-type]  # what answers for a bridge

    assert conference.watches_shares(RoomName("room")) is looks
    assert conference.health() == health


@pytest.mark.requirement("R206")
def test_the_web_process_sends_the_flag() -> None:
    client = SayingClient({})
    conference = BridgeConference(client)  # type: ignore[arg-type]

    conference.admit(room=RoomName("room"), join_token="t", sdp="v=0", watch_shares=True)
    conference.set_permissions(
        room=RoomName("room"),
        participant=ParticipantId("p_1"),
        permissions=[],
        session_until=clock.utc_now(),
        watch_shares=True,
    )
    conference.admit(room=RoomName("room"), join_token="t", sdp="v=0")

    assert [body["watch_shares"] for body in client.bodies] == [True, True, False]
