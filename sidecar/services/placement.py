"""Finds a meeting its shard: by the customer's domicile, among those that answer, and never anywhere else."""

from collections.abc import Callable, Sequence

from sidecar.domain.errors import NotFoundError
from sidecar.domain.meetings import Meeting
from sidecar.domain.placement import NO_SHARD, SHARD_DOWN, Shard, allowed_for, shard_id_of
from sidecar.domain.policy import Decision


class Placement:
    """answers: whether a shard, by its id, can be entered now."""

    def __init__(self, shards: Sequence[Shard], *, answers: Callable[[str], bool]) -> None:
        self._shards = shards
        self._answers = answers

    def shard_of(self, room: str) -> Shard:
        """Return the shard a room is on. Raises NotFoundError where the settings no longer name it."""
        wanted = shard_id_of(room)
        for shard in self._shards:
            if shard.id == wanted:
                return shard
        raise NotFoundError("There is no such shard any more.")

    def choose(self, domicile: str, *, answering: bool) -> Shard | Decision:
        """Return the first shard that may hold this customer's meeting, or the refusal.

        answering: pass over those that do not answer now. A meeting of next week does not need its shard today.
        """
        allowed = allowed_for(self._shards, domicile)
        if not allowed:
            return NO_SHARD
        for shard in allowed:
            if not answering or self._answers(shard.id):
                return shard
        return SHARD_DOWN

    def for_start(self, meeting: Meeting) -> Shard | Decision:
        """Return where a meeting begins: its own shard, or another of its customer's where that one is down."""
        own = self._own(meeting)
        if own is not None and self._answers(own.id):
            return own
        if meeting.domicile:
            return self.choose(meeting.domicile, answering=True)
        # Booked before there were shards: its data's region says where its customer is at home.
        there = (shard for shard in self._shards if shard.region == meeting.region and self._answers(shard.id))
        return next(there, SHARD_DOWN)

    def answers(self, meeting: Meeting) -> bool:
        """Say whether the shard of a running meeting can be entered. A meeting never moves while it runs."""
        own = self._own(meeting)
        return own is not None and self._answers(own.id)

    def _own(self, meeting: Meeting) -> Shard | None:
        """Return the shard of a meeting, None where it is gone or may no longer hold this customer's meetings."""
        try:
            own = self.shard_of(meeting.room)
        except NotFoundError:
            return None
        return own if not meeting.domicile or own.may_hold(meeting.domicile) else None
