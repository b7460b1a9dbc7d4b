"""The `Conference` port on our own bridge: authenticated commands over its internal HTTP interface."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sidecar.adapters.control_client import ControlClient
from sidecar.adapters.recorder_commands import BridgeRecorder
from sidecar.domain.clock import to_text
from sidecar.domain.errors import InvalidInputError
from sidecar.domain.ids import ParticipantId, RoomName
from sidecar.services.ports import ConferenceUnavailableError


class BridgeConference(BridgeRecorder):
    """Speaks to one bridge process."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client

    @property
    def end_to_end(self) -> bool:
        """Say yes: our pages seal each frame before it becomes packets, and the bridge forwards what it cannot read."""
        return True

    def answers(self, shard: str) -> bool:
        """Say yes: whoever joins while it is away is told then, and their page tries again by itself."""
        return True

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

    def health(self) -> Mapping[str, str]:
        return {"bridge": "ok" if self._client.get_openly("/healthz") else "down"}

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        answer = self._client.call(method, path, body)
        if answer.status == 400:
            raise InvalidInputError("The browser's offer cannot be used.", field="sdp")
        return answer.body  # of 404 empty: the room or the person is gone already, which is what most commands want
