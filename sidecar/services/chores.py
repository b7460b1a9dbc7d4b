"""What the worker does by itself: deliveries, meetings that nobody ended or came to, checkpoints."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sidecar.domain.audit import AuditLog
from sidecar.domain.errors import (
    AuditUnavailableError,
    ConflictError,
    NotFoundError,
    StoreUnavailableError,
    TillitError,
)
from sidecar.domain.meetings import FINAL_STATES, INSIDE, Meeting, MeetingState, Participant, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Policy, Situation, integrations_after, integrations_for
from sidecar.services.acts import Act, Acts
from sidecar.services.admission import Admission
from sidecar.services.messages import Messages
from sidecar.services.playback import Playbacks
from sidecar.services.plugin_errands import PluginErrands
from sidecar.services.ports import Announcement, Errand, Extensions, MeetingFact, MeetingStore, SessionStore
from sidecar.services.recording import Recordings
from sidecar.services.room import Room

log = logging.getLogger("tillit.worker")

_PLUGINS = "plugins"  # the reader of announcements that tells on_ hooks
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
        sessions: SessionStore,
        messages: Messages,
        admission: Admission,
        room: Room,
        recordings: Recordings,
        playbacks: Playbacks,
        policy: Policy,
        extensions: Extensions,
        plugin_errands: PluginErrands,
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._audit = audit
        self._meetings = meetings
        self._sessions = sessions
        self._messages = messages
        self._admission = admission
        self._room = room
        self._recordings = recordings
        self._playbacks = playbacks
        self._policy = policy
        self._extensions = extensions
        self._plugin_errands = plugin_errands
        self._clock = clock
        self._checkpoint_at = clock()

    def round(self) -> int:
        """Do what is due and return how many errands were handled. One that fails does not stop the others."""
        handled = 0
        for errand in self._meetings.due_errands(self._clock()):
            handled += self._handle(errand)
            self._look_after()  # also between slow deliveries: a recorder nobody asks for a minute stops
        self._close_meetings()
        self._look_after()
        self._playbacks.delete_due()
        self._tell_plugins()
        now = self._clock()
        if now >= self._checkpoint_at:
            self._audit.checkpoint(now)
            self._sessions.drop_expired(now)
            self._checkpoint_at = now + _CHECKPOINT_EVERY
        return handled

    def _look_after(self) -> None:
        self._recordings.look_after()
        self._admission.note_absent()

    def _handle(self, errand: Errand) -> bool:
        """Do one errand. Whatever it raises stays with it: the ones behind it are not to wait for it."""
        try:
            if errand.kind == "message":
                self._messages.deliver(errand)
            elif self._plugin_errands.takes(errand):
                self._plugin_errands.run(errand)
            elif not self._room.run_command(errand):
                self._later(errand.id, tried=0)  # the command has counted its try
        except (AuditUnavailableError, StoreUnavailableError) as error:
            log.warning("errand waits", extra={"errand": errand.id, "problem": error.slug})
            self._later(errand.id, tried=0)  # our own outage is no fault of the errand's
            return False
        except Exception as error:
            slug = error.slug if isinstance(error, TillitError) else TillitError.slug
            log.warning("errand failed", extra={"errand": errand.id, "problem": slug}, exc_info=error)
            self._later(errand.id, tried=1)
        return True

    def _later(self, errand_id: str, *, tried: int) -> None:
        errand = self._meetings.get_errand(errand_id)
        if errand.state != "waiting":
            return
        state = "failed" if errand.attempts > _COMMAND_TRIES else "waiting"
        later = replace(errand, due_at=self._clock() + _RETRY_COMMAND, attempts=errand.attempts + tried, state=state)
        self._meetings.write(lambda tx: tx.save_errand(later))

    def _tell_plugins(self) -> None:
        """Tell the plugins each meeting lets in what was announced, in order, at least once."""
        told = self._meetings.announcements_after(self._meetings.read_up_to(_PLUGINS))
        for _, announcement in told:
            meeting = self._find(announcement) if announcement.recorded else None
            if meeting is None:
                continue
            fact = MeetingFact(announcement.kind, meeting.id, announcement.at, announcement.data)
            self._extensions.on_fact(fact, self._allowed(meeting))
        if told:
            last = told[-1][0]
            self._meetings.write(lambda tx: tx.mark_read(_PLUGINS, last))

    def _find(self, announcement: Announcement) -> Meeting | None:
        """Return the meeting a fact is about; none where it was never made, since its booking was refused."""
        try:
            return self._meetings.get(announcement.meeting) if announcement.meeting else None
        except NotFoundError:
            return None

    def _allowed(self, meeting: Meeting) -> frozenset[str]:
        where = Situation(
            type=self._policy.type(meeting.type_ref),
            segment=meeting.segment,
            packages=meeting.packages,
            capacity=Capacity.CUSTOMER,
            raises=meeting.raises,
        )
        if meeting.state in FINAL_STATES:
            return integrations_after(self._policy, where)
        return integrations_for(self._policy, where)

    def _close_meetings(self) -> None:
        now = self._clock()
        for meeting in self._meetings.in_states((MeetingState.BOOKED,), ended_by=now - _NOBODY_CAME):
            self._missed(meeting, now)
        for meeting in self._meetings.in_states((MeetingState.OPEN,), ended_by=now - _FORGOTTEN):
            places = self._meetings.participants(meeting.id)
            if not any(self._is_inside(place, now) for place in places):
                self._room.end(meeting.id, actor="system", place=None, reason="nobody-left")

    def _missed(self, meeting: Meeting, now: datetime) -> None:
        missed = replace(meeting, state=MeetingState.MISSED, ended_at=now)
        act = Act("meeting.missed", "system", now, meeting.id)
        try:
            self._acts.perform(act, effect=lambda tx: tx.save_meeting(missed))
        except ConflictError:
            log.info("meeting was changed meanwhile", extra={"meeting": meeting.id})  # the next round looks again

    @staticmethod
    def _is_inside(place: Participant, now: datetime) -> bool:
        if place.state is ParticipantState.IN_ROOM:
            return place.session_until is None or place.session_until > now
        return place.state in INSIDE and place.left_at is not None and now - place.left_at < _FORGOTTEN
