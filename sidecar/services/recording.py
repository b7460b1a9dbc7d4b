"""Recording a meeting: everybody is asked, everybody sees it, and whoever takes their yes back ends it.

The recorder pauses by itself while somebody is in the room who did not say yes; what it tells is kept here.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sidecar.domain.errors import ConflictError, NotRecordableError, TillitError
from sidecar.domain.ids import MeetingId, ParticipantId, RecordingId, new_id
from sidecar.domain.meetings import FINAL_STATES, Meeting, Participant, ParticipantState
from sidecar.domain.permissions import Permission
from sidecar.domain.policy import Decision, Policy
from sidecar.domain.recordings import (
    ACTIVE,
    ENCRYPTED,
    TAKING,
    Recording,
    RecordingState,
    Wish,
    deletion_moment,
    may_ask,
    may_begin,
    stays_allowed,
)
from sidecar.services.acts import Act, Acts
from sidecar.services.admission import Admission
from sidecar.services.arrival import situation
from sidecar.services.ports import ConferenceUnavailableError, MeetingStore, PeopleStore
from sidecar.services.recording_ports import Recorder, RecordingVault

log = logging.getLogger("tillit.worker")

_NO_RECORDER = Decision(False, "recording/no-recorder-here", "recording-refused")
_ENCRYPTED = Decision(False, "recording/encrypted", "not-recordable")
_ALREADY = Decision(False, "recording/one-at-a-time", "recording-already")
_GONE_AFTER = timedelta(seconds=20)  # a recorder that says nothing of a recording for so long has lost it
_LOOK_EVERY = timedelta(seconds=5)
_RETRY_STOP_FOR = timedelta(hours=12)  # a room that outlives its recording this long has ended otherwise


class Recordings:
    """The acts of a recording, from the question to the stop."""

    def __init__(
        self,
        *,
        acts: Acts,
        admission: Admission,
        meetings: MeetingStore,
        people: PeopleStore,
        policy: Policy,
        conference: Recorder,
        vault: RecordingVault,
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._admission = admission
        self._meetings = meetings
        self._people = people
        self._policy = policy
        self._conference = conference
        self._vault = vault
        self._clock = clock
        self._looked_at = clock() - _LOOK_EVERY
        self._missing_since: dict[RecordingId, datetime] = {}

    def active(self, meeting: MeetingId) -> Recording | None:
        """Return the meeting's recording that is asked for, runs or pauses."""
        return next(iter(self._meetings.recordings(meeting=meeting, states=ACTIVE, limit=1)), None)

    def present(self, meeting: MeetingId) -> list[Participant]:
        """Return everybody in the room, who must all say yes."""
        return [p for p in self._meetings.participants(meeting) if p.state is ParticipantState.IN_ROOM]

    # Before the start

    def ask(self, place: Participant, wish: Wish) -> Recording:
        """Ask everybody for their consent; where all have given it, begin. Whoever asks has said yes by asking.

        Raises RefusedError under the rule of what is missing: the right, the purpose, the law, the deletion date.
        """
        now = self._clock()
        meeting = self._meetings.get(place.meeting)
        refused = self._act("record.refused", place, {})
        self._admission.check(place, Permission.RECORD, refused)
        self._acts.require(
            refused, may_ask(self._policy, situation(self._policy, meeting, place), wish, today=now.date())
        )
        if not self._conference.records(meeting.room):
            self._acts.refuse(refused, _NO_RECORDER)
        if self.active(meeting.id) is not None:
            self._acts.refuse(refused, _ALREADY)
        assert wish.delete_on is not None
        asked = Recording(
            id=RecordingId(new_id("rec")),
            meeting=meeting.id,
            state=RecordingState.ASKING,
            purpose=wish.purpose,
            reference=wish.reference,
            delete_at=deletion_moment(wish.delete_on),
            asked_by=place.id,
            asked_at=now,
            region=meeting.region,
        ).answered(place.id, yes=True, at=now)
        act = self._act("recording.asked", place, self._about(asked))
        self._acts.perform(act, effect=lambda tx: tx.add_recording(asked))
        return self._begin_if_all(asked)

    def begin(self, place: Participant) -> Recording:
        """Start now. Raises RefusedError naming who has not said yes."""
        asked = self._active(place.meeting)
        act = self._act("record.refused", place, {"recording": asked.id})
        self._admission.check(place, Permission.RECORD, act)
        verdict = may_begin(asked, [each.id for each in self.present(place.meeting)])
        if not verdict.allowed:
            names = self._names(verdict.params.get("waiting", ()))
            self._acts.refuse(act, replace(verdict, params={"names": names}))
        return self._begin_if_all(asked)

    def answer(self, place: Participant, *, yes: bool) -> Recording:
        """Keep somebody's answer. A no, or a yes taken back, ends the recording."""
        now = self._clock()
        running = self._active(place.meeting)
        if place.state is not ParticipantState.IN_ROOM and not self._admission.is_inside(
            self._meetings.get(place.meeting), place
        ):
            raise ConflictError("Only somebody in the meeting is asked.")
        before = running.answer_of(place.id)
        if before is yes:
            return running
        kept = running.answered(place.id, yes=yes, at=now)
        kind = "recording.consented" if yes else "recording.withdrawn" if before else "recording.declined"
        act = self._act(kind, place, {"recording": running.id})
        saved: Recording = self._acts.perform(act, effect=lambda tx: tx.save_recording(kept))
        if not yes:
            return self._stop(saved, actor=self._who(place), reason="withdrawn" if before else "declined")
        if saved.state in TAKING:
            self._allow(saved)
            return saved
        return self._begin_if_all(saved)

    def _begin_if_all(self, asked: Recording) -> Recording:
        present = [each.id for each in self.present(asked.meeting)]
        if asked.state is not RecordingState.ASKING or not present or not may_begin(asked, present).allowed:
            return asked
        meeting = self._meetings.get(asked.meeting)
        now = self._clock()
        running = replace(asked, state=RecordingState.RUNNING, started_at=now)
        asker = self._meetings.participant(asked.asked_by)
        data = self._about(asked) | {"consents": len(asked.consented), "kek": asked.region}
        act = Act("recording.started", self._who(asker), now, meeting.id, data=data)

        tried = []

        def start() -> None:
            tried.append(True)
            dek = self._vault.new_key(asked.id)
            self._conference.start_recording(
                room=meeting.room, recording=asked.id, dek=dek, consented=sorted(asked.consented)
            )

        try:
            saved: Recording = self._acts.perform(act, effect=lambda tx: tx.save_recording(running), before=start)
        except NotRecordableError:
            self._undo_start(meeting, asked)
            self._stop(self._meetings.recording(asked.id), actor="system", reason=ENCRYPTED)
            self._acts.refuse(self._act("record.refused", asker, {"recording": asked.id}), _ENCRYPTED)
        except Exception:
            if tried:
                self._undo_start(meeting, asked)
            raise
        return saved

    def _undo_start(self, meeting: Meeting, asked: Recording) -> None:
        """Leave neither media nor key of a recording that did not begin after all."""
        fresh = self._meetings.recording(asked.id)
        if fresh.state in TAKING:
            return  # somebody else's answer began it at the same moment, under the same key
        try:
            self._conference.stop_recording(room=meeting.room, recording=asked.id, reason="voided")
        except ConferenceUnavailableError:
            log.warning("a recording that did not begin could not be stopped", extra={"recording": asked.id})
        self._vault.destroy(asked.id)

    # While it runs

    def stop(self, place: Participant) -> Recording:
        """Stop it: the adviser's act."""
        running = self._active(place.meeting)
        self._admission.check(place, Permission.RECORD, self._act("recording.stopped", place, {}))
        return self._stop(running, actor=self._who(place), reason="stopped")

    def before_raise(self, raised: Meeting, *, actor: str) -> None:
        """Stop what may not go on once the meeting is raised: strict encryption, or a band that asks for a law."""
        running = self.active(raised.id)
        if running is None:
            return
        asker = self._meetings.participant(running.asked_by)
        if not stays_allowed(self._policy, [situation(self._policy, raised, asker)]):
            self._stop(running, actor=actor, reason="raised")

    def told(self, kind: str, recording: RecordingId, *, participant: str, reason: str, position_ms: int) -> None:
        """Take in what the recorder says of itself: paused, resumed, stopped. Raises NotFoundError."""
        known = self._meetings.recording(recording)
        meeting, now = known.meeting, self._clock()
        data: dict[str, object] = {"recording": known.id, "at_ms": position_ms}
        if kind == "recording.stopped":
            if known.state in TAKING:
                over = replace(
                    known,
                    state=RecordingState.STOPPED,
                    stopped_at=now,
                    stop_reason=reason,
                    length_ms=position_ms,
                    confirmed=True,
                )
                act = Act("recording.stopped", "system", now, meeting, data=data | {"reason": reason})
                self._acts.perform(act, effect=lambda tx: tx.save_recording(over))
            elif known.state is RecordingState.STOPPED and not known.confirmed:
                over = replace(known, length_ms=position_ms, confirmed=True)
                self._meetings.write(lambda tx: tx.save_recording(over))
            return
        if known.state not in TAKING:
            return
        state = RecordingState.PAUSED if kind == "recording.paused" else RecordingState.RUNNING
        if known.state is not state:
            who = ParticipantId(participant) if participant else None
            name = "recording.paused" if state is RecordingState.PAUSED else "recording.resumed"
            changed = replace(known, state=state)
            self._acts.perform(
                Act(name, "system", now, meeting, who, data), effect=lambda tx: tx.save_recording(changed)
            )

    # What the worker does

    def look_after(self) -> None:
        """Repeat what the recorder could not be told, and notice one that was lost."""
        now = self._clock()
        if now - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = now
        for each in self._meetings.recordings(states=ACTIVE):
            try:
                self._look_at(each, now)
            except TillitError as error:  # changed meanwhile, or the recorder is away: the next look sees
                log.info("recording is looked at again", extra={"recording": each.id, "problem": error.slug})
        for each in self._meetings.recordings(states=(RecordingState.STOPPED,)):
            if not each.confirmed and each.stopped_at and now - each.stopped_at < _RETRY_STOP_FOR:
                self._stop_again(each)

    def _look_at(self, recording: Recording, now: datetime) -> None:
        meeting = self._meetings.get(recording.meeting)
        if recording.state is RecordingState.ASKING:
            if meeting.state in FINAL_STATES:
                self._stop(recording, actor="system", reason="ended")
            else:
                self._conference.recording_state(meeting.room)  # raises while the recorder is away: nothing is tried
                self._begin_if_all(recording)  # who had not answered may have left
            return
        try:
            seen = self._conference.recording_state(meeting.room)
        except ConferenceUnavailableError:
            seen = {}
        if seen.get("recording") == recording.id:
            self._missing_since.pop(recording.id, None)
            if seen.get("state") == "paused" and not recording.missing([p.id for p in self.present(meeting.id)]):
                self._allow(recording)
            return
        since = self._missing_since.setdefault(recording.id, now)
        if now - since >= _GONE_AFTER:
            self._missing_since.pop(recording.id, None)
            self.told("recording.stopped", recording.id, participant="", reason="lost", position_ms=0)

    def _stop_again(self, recording: Recording) -> None:
        meeting = self._meetings.get(recording.meeting)
        try:
            if self._conference.recording_state(meeting.room).get("recording") == recording.id:
                self._conference.stop_recording(room=meeting.room, recording=recording.id, reason=recording.stop_reason)
            else:
                done = replace(recording, confirmed=True)
                self._meetings.write(lambda tx: tx.save_recording(done))
        except (ConferenceUnavailableError, ConflictError):
            log.warning("a recorder could not be told to stop", extra={"recording": recording.id})

    # Inside

    def _stop(self, recording: Recording, *, actor: str, reason: str) -> Recording:
        """Record, keep, then cut: a recorder that cannot be told now is told again by the worker."""
        now = self._clock()
        taking = recording.state in TAKING
        over = replace(
            recording,
            state=RecordingState.STOPPED if taking else RecordingState.CANCELLED,
            stopped_at=now,
            stop_reason=reason,
            confirmed=not taking,
        )
        act = Act(
            "recording.stopped", actor, now, recording.meeting, data={"recording": recording.id, "reason": reason}
        )
        saved: Recording = self._acts.perform(act, effect=lambda tx: tx.save_recording(over))
        if taking:
            try:
                room = self._meetings.get(recording.meeting).room
                self._conference.stop_recording(room=room, recording=recording.id, reason=reason)
            except ConferenceUnavailableError:
                log.warning("a recorder could not be told to stop", extra={"recording": recording.id})
        return saved

    def _allow(self, recording: Recording) -> None:
        room = self._meetings.get(recording.meeting).room
        try:
            self._conference.allow_recording(room=room, recording=recording.id, consented=sorted(recording.consented))
        except ConferenceUnavailableError:
            log.warning("a recorder could not be told who consented", extra={"recording": recording.id})

    def _active(self, meeting: MeetingId) -> Recording:
        found = self.active(meeting)
        if found is None:
            raise ConflictError("Nothing is recorded here, and nobody asked for it.")
        return found

    def _names(self, places: Sequence[ParticipantId]) -> str:
        found = []
        for each in places:
            place = self._meetings.participant(each)
            person = self._people.find(place.person or place.staff)  # type: ignore[arg-type]  # one of the two is set
            if person is not None:
                found.append(person.shown_name)
        return ", ".join(found)

    @staticmethod
    def _about(recording: Recording) -> dict[str, object]:
        return {
            "recording": recording.id,
            "purpose": recording.purpose,
            "reference": recording.reference,
            "delete_on": recording.delete_at.date().isoformat(),
        }

    def _act(self, kind: str, place: Participant, data: dict[str, object]) -> Act:
        return Act(kind, self._who(place), self._clock(), place.meeting, place.id, data)

    @staticmethod
    def _who(place: Participant) -> str:
        return place.person or place.staff or place.id
