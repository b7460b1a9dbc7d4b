"""The systems under test in the bridge benches, as the load generator reaches them."""

import json
import secrets
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from benchmarks._bridge_connection import read_remote
from sidecar.adapters.key_files import KeyRing
from sidecar.domain import clock
from sidecar.domain.control_tokens import mint_control_token
from sidecar.domain.ids import ParticipantId, RoomName
from sidecar.domain.tokens import mint_join_token, new_jti
from sidecar.testing.tokens import join_claims

if TYPE_CHECKING:
    from benchmarks._bridge_load import Generator


class OurBridge:
    """Our bridge, through its internal interface, with real tokens."""

    def __init__(self, url: str, keys: str) -> None:
        self._url = url
        self._ring = KeyRing.open(Path(keys))
        self._http = requests.Session()

    def open_room(self, generator: "Generator", number: int) -> None:
        for name in ("a", "b"):
            connection = generator.connection(sends=True)
            sections = [("audio", "sendonly"), ("video", "sendonly"), ("audio", "recvonly")]
            sections += [("video", "recvonly")] * 2
            offer = connection.offer(sections, data=True)
            answer = self.join(f"room{number}", f"p_{number}{name}", offer)
            connection.connect(read_remote(answer))

    def join(self, room: str, participant: str, offer: str) -> str:
        now = clock.utc_now()
        path = f"/v1/rooms/{room}/participants"
        body = json.dumps({"token": self._join_token(room, participant), "sdp": offer}).encode()
        token = mint_control_token(
            signing_key=self._ring.signing_key("control"),
            issuer="tillit",
            audience="tillit-bridge",
            method="POST",
            path=path,
            body=body,
            now=now,
        )
        answer = self._http.post(self._url + path, data=body, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["sdp"])

    def _join_token(self, room: str, participant: str) -> str:
        now = clock.utc_now()
        claims = join_claims(
            audience="tillit-local",
            room=RoomName(room),
            jti=new_jti(),
            user_id=ParticipantId(participant),
            permissions=frozenset({"speak", "show_camera", "share_window"}),
            session_until=now + timedelta(hours=1),
        )
        return mint_join_token(claims, signing_key=self._ring.signing_key("join"), now=now, ttl=timedelta(seconds=60))


class Janus:
    """Janus videoroom over its HTTP transport: a publisher and a subscriber connection per participant."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = requests.Session()

    def open_room(self, generator: "Generator", number: int) -> None:
        self._ask(self._plugin()[0], {"request": "create", "room": number, "publishers": 4, "bitrate": 0})
        feeds = []
        for _ in range(2):
            handle, session = self._plugin()
            connection = generator.connection(sends=True)
            offer = connection.offer([("audio", "sendonly"), ("video", "sendonly")], data=False)
            body = {"request": "joinandconfigure", "ptype": "publisher", "room": number}
            event = self._ask(handle, body, {"type": "offer", "sdp": offer}, session=session)
            connection.connect(read_remote(event["jsep"]["sdp"]))
            feeds.append(event["plugindata"]["data"]["id"])
        # Whoever is not yet connected cannot be subscribed to.
        ends_at = time.monotonic() + 10
        generator.run(lambda: all(c.ready for c in generator.connections) or time.monotonic() > ends_at)
        for feed in feeds:
            handle, session = self._plugin()
            event = self._ask(
                handle,
                {"request": "join", "ptype": "subscriber", "room": number, "streams": [{"feed": feed}]},
                session=session,
            )
            connection = generator.connection(sends=False)
            answer = connection.answer(event["jsep"]["sdp"])
            self._ask(handle, {"request": "start"}, {"type": "answer", "sdp": answer}, session=session)
            remote = read_remote(event["jsep"]["sdp"])
            remote.they_start = True
            connection.connect(remote)

    def _plugin(self) -> tuple[str, str]:
        session = f"{self._url}/{self._post(self._url, {'janus': 'create'})['data']['id']}"
        attached = self._post(session, {"janus": "attach", "plugin": "janus.plugin.videoroom"})
        return f"{session}/{attached['data']['id']}", session

    def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._http.post(url, json=body | {"transaction": secrets.token_hex(6)}, timeout=10)
        found: dict[str, Any] = answer.json()
        if found.get("janus") == "error":
            raise RuntimeError(str(found))
        return found

    def _ask(
        self,
        handle: str,
        body: dict[str, Any],
        jsep: dict[str, str] | None = None,
        *,
        session: str = "",
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"janus": "message", "body": body}
        if jsep:
            message["jsep"] = jsep
        found = self._post(handle, message)
        while session and found.get("janus") != "event":
            found = self._http.get(session, timeout=40).json()
        return found


class Relay:
    """aiortc's MediaRelay: both offers in one request, both answers back."""

    def __init__(self, url: str) -> None:
        self._url = url

    def open_room(self, generator: "Generator", number: int) -> None:
        del number
        pair = [generator.connection(sends=True) for _ in range(2)]
        offers = [c.offer([("audio", "sendrecv"), ("video", "sendrecv")], data=False) for c in pair]
        answers = requests.post(self._url, json=offers, timeout=20).json()
        for connection, answer in zip(pair, answers, strict=True):
            connection.connect(read_remote(answer))


class Direct:
    """No system in between: the two participants of a room send to each other."""

    def open_room(self, generator: "Generator", number: int) -> None:
        del number
        first, second = generator.connection(sends=True), generator.connection(sends=True)
        sections = [("audio", "sendrecv"), ("video", "sendrecv")]
        to_second = read_remote(first.offer(sections, data=False))
        to_first = read_remote(second.offer(sections, data=False))
        to_second.they_start = True
        first.connect(to_first)
        second.connect(to_second)
