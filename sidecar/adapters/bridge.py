"""The `Conference` port on our own bridge: authenticated commands over its internal HTTP interface."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sidecar.adapters.control_client import ControlClient
from sidecar.adapters.recorder_commands import RecorderCommands
from sidecar.domain.clock import to_text
from sidecar.domain.errors import InvalidInputError
from sidecar.domain.ids import ParticipantId, RoomName
from sidecar.services.ports import ConferenceUnavailableError

_CAN_LOOK = frozenset({"ok", "starting"})  # starting: the bridge lets nothing through before it has


class BridgeConference(RecorderCommands):
    """Speaks to one bridge process."""

    def __init__(self, client: ControlClient) -> None:
        self._client = self._recorder = client  # it records by itself

    @property
    def end_to_end(self) -> bool:
        """Say yes: our pages seal each frame before it becomes packets, and the bridge forwards what it cannot read."""
        return True

    def answers(self, shard: str) -> bool:
        """Say yes: whoever joins while it is away is told then, and their page tries again by itself."""
        return True

    def admit(self, *, room: RoomName, join_token: str, sdp: str, watch_shares: bool = False) -> str:
        """Return the bridge's answer SDP. Raises InvalidInputError for an offer it cannot use."""
        body = {"token": join_token, "sdp": sdp, "watch_shares": watch_shares}
        answer = self._call("POST", f"/v1/rooms/{room}/participants", body)
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
        watch_shares: bool = False,
    ) -> None:
        body = {
            "permissions": sorted(permissions),
            "session_until": to_text(session_until),
            "watch_shares": watch_shares,
        }
        self._call("PUT", f"/v1/rooms/{room}/participants/{participant}/permissions", body)

    def mute(self, *, room: RoomName, participant: ParticipantId, kind: str) -> None:
        self._call("POST", f"/v1/rooms/{room}/participants/{participant}/mute", {"kind": kind})

    def end(self, *, room: RoomName, reason: str) -> None:
        self._call("DELETE", f"/v1/rooms/{room}?reason={quote(reason)}")

    def roster(self, room: RoomName) -> list[Mapping[str, Any]]:
        return list(self._call("GET", f"/v1/rooms/{room}").get("participants", []))

    def watches_shares(self, room: RoomName) -> bool:
        return self._client.say_openly("/healthz").get("share_firewall") in _CAN_LOOK

    def health(self) -> Mapping[str, str]:
        """Return the bridge's state, and that of what looks at shares once a meeting or the settings asked for it."""
        said = self._client.say_openly("/healthz")
        firewall = said.get("share_firewall", "off")
        shown = {} if firewall == "off" else {"share_firewall": "ok" if firewall == "ok" else str(firewall)[:20]}
        return {"bridge": "ok" if said else "down", **shown}

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        answer = self._client.call(method, path, body)
        if answer.status == 400:
            raise InvalidInputError("The browser's offer cannot be used.", field="sdp")
        return answer.body  # of 404 empty: the room or the person is gone already, which is what most commands want
