"""All media sides of an installation behind one `Conference` port: each room's commands go to that room's shard."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from sidecar.adapters.recorder_commands import ShardedRecorder
from sidecar.domain.ids import ParticipantId, RoomName
from sidecar.domain.placement import shard_id_of
from sidecar.services.ports import Conference, ConferenceUnavailableError

# How long a shard's last answer counts: each arrival asks, and one that is away costs a second. A yes may be stale
# for longer, since whoever enters hears the truth from the shard itself.
_BELIEVED_S = {True: 3.0, False: 0.5}


class MediaSide(Conference, Protocol):
    """A conference that can say how it is: adapters.bridge.BridgeConference, adapters.jitsi.JitsiConference."""

    def health(self) -> Mapping[str, str]:
        """Return the state of each part, "ok" or what is wrong with it."""


class ShardedConference(ShardedRecorder):
    """sides: by shard id. monotonic: seconds."""

    def __init__(self, sides: Mapping[str, MediaSide], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sides = sides
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, bool]] = {}

    @property
    def end_to_end(self) -> bool:
        return all(side.end_to_end for side in self._sides.values())

    def answers(self, shard: str) -> bool:
        """Say whether a shard can be entered, as of a few seconds ago at most. One that nobody knows cannot."""
        side = self._sides.get(shard)
        if side is None:
            return False
        with self._lock:
            known = self._known.get(shard)
        if known is not None and self._monotonic() - known[0] < _BELIEVED_S[known[1]]:
            return known[1]
        answer = side.answers(shard)
        with self._lock:
            self._known[shard] = (self._monotonic(), answer)
        return answer

    def admit(self, *, room: RoomName, join_token: str, sdp: str, watch_shares: bool = False) -> str:
        return self._side(room).admit(room=room, join_token=join_token, sdp=sdp, watch_shares=watch_shares)

    def watches_shares(self, room: RoomName) -> bool:
        return self._side(room).watches_shares(room)

    def expel(self, *, room: RoomName, participant: ParticipantId, reason: str) -> None:
        self._side(room).expel(room=room, participant=participant, reason=reason)

    def set_permissions(
        self,
        *,
        room: RoomName,
        participant: ParticipantId,
        permissions: Iterable[str],
        session_until: datetime,
        watch_shares: bool = False,
    ) -> None:
        self._side(room).set_permissions(
            room=room,
            participant=participant,
            permissions=permissions,
            session_until=session_until,
            watch_shares=watch_shares,
        )

    def mute(self, *, room: RoomName, participant: ParticipantId, kind: str) -> None:
        self._side(room).mute(room=room, participant=participant, kind=kind)

    def end(self, *, room: RoomName, reason: str) -> None:
        self._side(room).end(room=room, reason=reason)

    def roster(self, room: RoomName) -> list[Mapping[str, Any]]:
        return self._side(room).roster(room)

    def health(self) -> Mapping[str, str]:
        """Return every part of every shard: {"shard-se-prosody": "ok", ...}, {"bridge": ..} where there are none."""
        return {
            f"shard-{shard}-{part}" if shard else part: state
            for shard, side in self._sides.items()
            for part, state in side.health().items()
        }

    def _side(self, room: RoomName) -> MediaSide:
        side = self._sides.get(shard_id_of(room))
        if side is None:  # taken out of the settings while a command waited: it stays an errand, seen on the desk
            raise ConferenceUnavailableError("The shard of this room is not among the settings.")
        return side
