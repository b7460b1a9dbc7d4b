"""What the worker does by itself: deliveries, meetings that nobody ended or came to, checkpoints."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sidecar.domain.audit import AuditLog
from sidecar.domain.errors import TillitError
from sidecar.domain.meetings import INSIDE, Meeting, MeetingState, Participant, ParticipantState
from sidecar.services.acts import Act, Acts
from sidecar.services.messages import Messages
from sidecar.services.ports import MeetingStore
from sidecar.services.room import Room

log = logging.getLogger("tillit.worker")

_RETRY_COMMAND = timedelta(seconds=2)
_COMMAND_TRIES = 500
_NOBODY_CAME = timedelta(minutes=30)  # past the booked end
_FORGOTTEN = timedelta(minutes=30)  # an open meeting this long past its end, with nobody in it, is over
_CHECKPOINT_EVERY = timedelta(minutes=1)


class Chores:
    """One round of work; the worker process calls `round` again and again."""

    def __init__(
        self,
        *,
        acts: Acts,
        audit: AuditLog,
        meetings: MeetingStore,
        messages: Messages,
        room: Room,
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._audit = audit
        self._meetings = meetings
        self._messages = messages
        self._room = room
        self._clock = clock
        self._checkpoint_at = clock()

    def round(self) -> int:
        """Do what is due and return how many errands were handled. One that fails does not stop the others."""
        handled = 0
        for errand in self._meetings.due_errands(self._clock()):
            try:
                if errand.kind == "message":
                    self._messages.deliver(errand)
                elif not self._room.run_command(errand):
                    self._later(errand.id)
                handled += 1
            except TillitError as error:
                log.warning("errand failed", extra={"errand": errand.id, "problem": error.slug})
                self._later(errand.id)
        self._close_meetings()
        now = self._clock()
        if now >= self._checkpoint_at:
            self._audit.checkpoint(now)
            self._checkpoint_at = now + _CHECKPOINT_EVERY
        return handled

    def _later(self, errand_id: str) -> None:
        errand = self._meetings.get_errand(errand_id)
        state = "failed" if errand.attempts > _COMMAND_TRIES else "waiting"
        later = replace(errand, due_at=self._clock() + _RETRY_COMMAND, attempts=errand.attempts + 1, state=state)
        self._meetings.write(lambda tx: tx.save_errand(later))

    def _close_meetings(self) -> None:
        now = self._clock()
        for meeting in self._meetings.in_states((MeetingState.BOOKED, MeetingState.OPEN)):
            if meeting.state is MeetingState.BOOKED and now > meeting.ends_at + _NOBODY_CAME:
                self._missed(meeting, now)
            elif meeting.state is MeetingState.OPEN and now > meeting.ends_at + _FORGOTTEN:
                places = self._meetings.participants(meeting.id)
                if not any(self._is_inside(place, now) for place in places):
                    self._room.end(meeting.id, actor="system", place=None, reason="nobody-left")

    def _missed(self, meeting: Meeting, now: datetime) -> None:
        missed = replace(meeting, state=MeetingState.MISSED, ended_at=now)
        act = Act("meeting.missed", "system", now, meeting.id)
        self._acts.perform(act, effect=lambda tx: tx.save_meeting(missed))

    @staticmethod
    def _is_inside(place: Participant, now: datetime) -> bool:
        if place.state is ParticipantState.IN_ROOM:
            return place.session_until is None or place.session_until > now
        return place.state in INSIDE and place.left_at is not None and now - place.left_at < _FORGOTTEN
