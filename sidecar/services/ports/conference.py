"""The media side of a meeting."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from sidecar.domain.errors import TillitError
from sidecar.domain.ids import ParticipantId, RoomName
from sidecar.services.recording_ports import Recorder


class Conference(Recorder, Protocol):
    """The media side of a meeting: adapters.shards.ShardedConference over adapters.bridge and adapters.jitsi."""

    @property
    def end_to_end(self) -> bool:
        """Say whether the parties' media can be encrypted past the server, so that "strict" would be true."""

    def answers(self, shard: str) -> bool:
        """Say whether meetings on a shard can be entered now, as of a few seconds ago at most."""

    def admit(self, *, room: RoomName, join_token: str, sdp: str, watch_shares: bool = False) -> str:
        """Let a client's media in and return the answer SDP. Raises ConferenceUnavailableError.

        watch_shares: what the client shares is looked at for canaries; where nobody can look, it is not let through.
        """

    def watches_shares(self, room: RoomName) -> bool:
        """Say whether shares in this room can be looked at now. Raises ConferenceUnavailableError."""

    def expel(self, *, room: RoomName, participant: ParticipantId, reason: str) -> None:
        """Cut a participant's media at once. No error when it was not there."""

    def set_permissions(
        self,
        *,
        room: RoomName,
        participant: ParticipantId,
        permissions: Iterable[str],
        session_until: datetime,
        watch_shares: bool = False,
    ) -> None:
        """Replace what a participant may do, in force when this returns. watch_shares: as for `admit`."""

    def mute(self, *, room: RoomName, participant: ParticipantId, kind: str) -> None:
        """Close somebody's "audio", "video" or "share". They may open it again: it takes no right away."""

    def end(self, *, room: RoomName, reason: str) -> None: ...

    def roster(self, room: RoomName) -> list[Mapping[str, Any]]: ...

    def health(self) -> Mapping[str, str]:
        """Return the state of each part, "ok" or what is wrong with it, for readiness. Asks each time."""


class ConferenceUnavailableError(TillitError):
    """The bridge does not answer, so nobody can enter just now."""

    slug = "conference-unavailable"
