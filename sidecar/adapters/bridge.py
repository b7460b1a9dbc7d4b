"""The `Conference` port on our own bridge: authenticated commands over its internal HTTP interface."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests

from sidecar.domain.clock import to_text
from sidecar.domain.control_tokens import mint_control_token
from sidecar.domain.errors import InvalidInputError
from sidecar.domain.ids import ParticipantId, RoomName
from sidecar.domain.jws import SigningKey
from sidecar.services.ports import ConferenceUnavailableError

_TIMEOUT_S = (1.0, 5.0)  # connect, read: the bridge is beside us; a slower one counts as down


class BridgeConference:
    """Speaks to one bridge process. url: such as http://127.0.0.1:8081, without a path."""

    def __init__(
        self,
        *,
        url: str,
        issuer: str,
        audience: str,
        control_key: Callable[[], SigningKey],
        clock: Callable[[], datetime],
    ) -> None:
        self._url = url.rstrip("/")
        self._issuer = issuer
        self._audience = audience
        self._control_key = control_key
        self._clock = clock
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy named in the environment has no business between us and the bridge

    @property
    def end_to_end(self) -> bool:
        """Say whether media can be encrypted past us. This bridge opens every packet to forward it."""
        return False

    def admit(self, *, room: RoomName, join_token: str, sdp: str) -> str:
        """Return the bridge's answer SDP. Raises InvalidInputError for an offer it cannot use."""
        answer = self._call("POST", f"/v1/rooms/{room}/participants", {"token": join_token, "sdp": sdp})
        if "sdp" not in answer:
            raise ConferenceUnavailableError("The bridge gave no answer to the browser's offer.")
        return str(answer["sdp"])

    def expel(self, *, room: RoomName, participant: ParticipantId, reason: str) -> None:
        self._call("DELETE", f"/v1/rooms/{room}/participants/{participant}?reason={quote(reason)}")

    def set_permissions(
        self,
        *,
        room: RoomName,
        participant: ParticipantId,
        permissions: Iterable[str],
        session_until: datetime,
    ) -> None:
        body = {"permissions": sorted(permissions), "session_until": to_text(session_until)}
        self._call("PUT", f"/v1/rooms/{room}/participants/{participant}/permissions", body)

    def mute(self, *, room: RoomName, participant: ParticipantId, kind: str) -> None:
        self._call("POST", f"/v1/rooms/{room}/participants/{participant}/mute", {"kind": kind})

    def end(self, *, room: RoomName, reason: str) -> None:
        self._call("DELETE", f"/v1/rooms/{room}?reason={quote(reason)}")

    def roster(self, room: RoomName) -> list[Mapping[str, Any]]:
        return list(self._call("GET", f"/v1/rooms/{room}").get("participants", []))

    def is_healthy(self) -> bool:
        try:
            return self._http.get(f"{self._url}/healthz", timeout=_TIMEOUT_S).ok
        except requests.RequestException:
            return False

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = json.dumps(body).encode() if body is not None else b""
        token = mint_control_token(
            signing_key=self._control_key(),
            issuer=self._issuer,
            audience=self._audience,
            method=method,
            path=path,
            body=data,
            now=self._clock(),
        )
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            answer = self._http.request(method, self._url + path, data=data, headers=headers, timeout=_TIMEOUT_S)
        except requests.RequestException as error:
            raise ConferenceUnavailableError("The bridge does not answer.") from error
        if answer.status_code == 404:
            return {}  # the room or the person is gone already, which is what most commands want
        if answer.status_code == 400:
            raise InvalidInputError("The browser's offer cannot be used.", field="sdp")
        if not answer.ok:
            raise ConferenceUnavailableError(f"The bridge answered {answer.status_code}.")
        return dict(answer.json()) if answer.content else {}
