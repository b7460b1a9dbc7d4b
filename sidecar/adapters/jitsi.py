"""The `Conference` port on Jitsi: commands to mod_tillit_control on the shard's Prosody.

Media never pass us: a browser brings its join token to Prosody by itself, which verifies and spends it and reports.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sidecar.adapters.control_client import Answer, ControlClient
from sidecar.adapters.recorder_commands import RecorderCommands
from sidecar.domain.clock import to_text
from sidecar.domain.errors import InvalidInputError
from sidecar.domain.ids import ParticipantId, RoomName
from sidecar.domain.permissions import SHARING
from sidecar.services.ports import ConferenceUnavailableError

MAX_ANNOUNCEMENT_BYTES = 1024  # what Prosody takes


class JitsiConference(RecorderCommands):
    """Speaks to one shard's Prosody, and to its recorder where it has one."""

    def __init__(self, client: ControlClient, recorder: ControlClient | None = None) -> None:
        self._client = client
        self._recorder = recorder

    @property
    def end_to_end(self) -> bool:
        """Say no: Jitsi's end-to-end encryption is the clients' doing, and no server can see that it is on."""
        return False

    def answers(self, shard: str) -> bool:
        """Say whether somebody could enter now: Prosody answers, and holds fresh keys of join tokens."""
        return self._prosody()["prosody"] == "ok"

    def watches_shares(self, room: RoomName) -> bool:
        """Say no: pictures go through the JVB, and none of them passes anything of ours."""
        return False

    def admit(self, *, room: RoomName, join_token: str, sdp: str, watch_shares: bool = False) -> str:
        raise InvalidInputError("On this shard a browser brings its token to Jitsi, not its offer to us.", field="sdp")

    def expel(self, *, room: RoomName, participant: ParticipantId, reason: str) -> None:
        """Put somebody out of room and server. Tokens of theirs issued until now are dead, also when nobody was in."""
        self._call("DELETE", f"/v1/rooms/{room}/participants/{participant}?reason={_reason(reason)}")

    def set_permissions(
        self,
        *,
        room: RoomName,
        participant: ParticipantId,
        permissions: Iterable[str],
        session_until: datetime,
        watch_shares: bool = False,
    ) -> None:
        """Replace what somebody may do. What they send without a permission is taken back from Jicofo at once.

        Shares that would have to be looked at are not among it: nobody can, here.
        """
        left = set(permissions) - SHARING if watch_shares else permissions
        body = {"permissions": sorted(left), "session_until": to_text(session_until)}
        self._call("PUT", f"/v1/rooms/{room}/participants/{participant}/permissions", body)

    def mute(self, *, room: RoomName, participant: ParticipantId, kind: str) -> None:
        """Have Jicofo asked to mute, in the name of a moderator in the room, as Jitsi's own button does.

        Sound and picture: Jicofo lets the JVB drop them and tells the client. A share: its sources are taken back
        from the conference, since the JVB knows no such mute. Whoever was muted may open again by themselves; who
        may not is given fewer permissions. Raises ConferenceUnavailableError where no moderator is in the room.
        """
        self._call("POST", f"/v1/rooms/{room}/participants/{participant}/mute", {"kind": kind})

    def end(self, *, room: RoomName, reason: str) -> None:
        self._call("DELETE", f"/v1/rooms/{room}?reason={_reason(reason)}")

    def announce(self, room: RoomName, text: str) -> bool:
        """Say something to everybody from the room itself. False where there is no such room now."""
        if not 1 <= len(text.encode()) <= MAX_ANNOUNCEMENT_BYTES:
            raise InvalidInputError(f"An announcement has at most {MAX_ANNOUNCEMENT_BYTES} bytes.", field="text")
        return self._call("POST", f"/v1/rooms/{room}/announcements", {"text": text}).status == 204

    def roster(self, room: RoomName) -> list[Mapping[str, Any]]:
        return list(self._call("GET", f"/v1/rooms/{room}").body.get("participants", []))

    def health(self) -> Mapping[str, str]:
        """Return what readiness shows: "prosody", "reports" for its way back to us, the "recorder" where there is one.

        "ok", "down" or what is wrong. "closed": Prosody answers us and cannot reach us, so nobody new gets in.
        """
        recorder = {}
        if self._recorder is not None:
            recorder = {"recorder": "ok" if self._recorder.say_openly("/healthz") else "down"}
        return {**self._prosody(), **recorder}

    def _prosody(self) -> Mapping[str, str]:
        try:
            said = self._client.call("GET", "/v1/health").body
        except ConferenceUnavailableError:
            return {"prosody": "down", "reports": "unknown"}
        return {
            "prosody": "ok" if said.get("join_keys") is True else "closed",
            "reports": "ok" if said.get("events") is True else "behind",
        }

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        answer = self._client.call(method, path, body)
        if answer.status == 400:
            raise InvalidInputError("Prosody cannot use this command.", field="command")
        return answer  # 404: the room or the person is gone already, which is what most commands want


def _reason(reason: str) -> str:
    return quote(reason, safe="")
