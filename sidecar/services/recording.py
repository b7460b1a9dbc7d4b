"""Recording a meeting: everybody is asked, everybody sees it, and whoever takes their yes back ends it.

The recorder pauses by itself while somebody is in the room who did not say yes; what it tells is kept here.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sidecar.domain.errors import ConflictError, NotRecordableError, TillitError
from sidecar.domain.ids import MeetingId, ParticipantId, RecordingId, new_id
from sidecar.domain.meetings import FINAL_STATES, Meeting, Participant, ParticipantState
from sidecar.domain.permissions import Permission
from sidecar.domain.placement import shard_id_of
from sidecar.domain.policy import Decision, Policy
from sidecar.domain.recordings import (
    ACTIVE,
    ENCRYPTED,
    FAILURES,
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
from sidecar.services.ports import ConferenceUnavailableError, MeetingStore, MeetingTx
from sidecar.services.recording_ports import Recorder, RecordingVault

log = logging.getLogger("tillit.worker")

_ENDED = frozenset({RecordingState.STOPPED, RecordingState.CANCELLED})
_NO_RECORDER = Decision(False, "recording/no-recorder-here", "recording-refused")
_ENCRYPTED = Decision(False, "recording/encrypted", "not-recordable")
_ALREADY = Decision(False, "recording/one-at-a-time", "recording-already")
_LOOK_EVERY = timedelta(seconds=5)
_GONE_AFTER = timedelta(seconds=20)  # a recorder that answers and says nothing of a recording for so long has lost it
_AWAY_AFTER = timedelta(seconds=80)  # one that does not answer may record on, until nobody asked for a minute
_CLOSED_AFTER = timedelta(seconds=10)  # what a recorder that was told to stop needs to close the file, and to say so
_STARTS_WITHIN = timedelta(seconds=30)  # a start takes seconds; whoever began one so long ago is no more


class Recordings:
    """The acts of a recording, from the question to the stop."""

    def __init__(
        self,
        *,
        acts: Acts,
        admission: Admission,
        meetings: MeetingStore,
        policy: Policy,
        conference: Recorder,
        vault: RecordingVault,
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._admission = admission
        self._meetings = meetings
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

        def effect(tx: MeetingTx) -> None:
            tx.save_meeting(
                meeting
            )  # unchanged, but of two who ask at once, or of one who raises, only one gets it saved
            tx.add_recording(asked)

        self._acts.perform(act, effect=effect)
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
        """Begin where everybody present said yes. One process alone does it: key and recorder are in its hands."""
        present = [each.id for each in self.present(asked.meeting)]
        if asked.state is not RecordingState.ASKING or not present or not may_begin(asked, present).allowed:
            return asked
        meeting = self._meetings.get(asked.meeting)
        asker = self._meetings.participant(asked.asked_by)
        if not stays_allowed(self._policy, situation(self._policy, meeting, asker), asked):
            return self._stop(asked, actor="system", reason="raised")  # the meeting was raised since the question
        now = self._clock()
        claim = replace(asked, state=RecordingState.STARTING, started_at=now)

        def take(tx: MeetingTx) -> Recording:
            tx.save_meeting(meeting)  # unchanged: whoever raises it at this moment has to look again
            return tx.save_recording(claim)

        try:
            starting = self._meetings.write(take)
        except ConflictError:
            return self._meetings.recording(asked.id)  # another process begins it, or somebody answered just now
        running = replace(starting, state=RecordingState.RUNNING)
        data = self._about(asked) | {"consents": len(asked.consented), "kek": asked.region}
        act = Act("recording.started", self._who(asker), now, meeting.id, data=data)

        def start() -> None:
            dek = self._vault.new_key(asked.id)
            self._conference.start_recording(
                room=meeting.room, recording=asked.id, dek=dek, consented=sorted(asked.consented)
            )

        try:
            saved: Recording = self._acts.perform(act, effect=lambda tx: tx.save_recording(running), before=start)
        except NotRecordableError:
            self._undo_start(meeting, asked.id)
            self._stop(self._meetings.recording(asked.id), actor="system", reason=ENCRYPTED)
            self._acts.refuse(self._act("record.refused", asker, {"recording": asked.id}), _ENCRYPTED)
        except Exception:
            self._undo_start(meeting, asked.id)
            raise
        return saved

    def _undo_start(self, meeting: Meeting, recording: RecordingId) -> None:
        """Leave neither media nor key of a recording that did not begin after all, then let it be tried again.

        For whoever was starting it, and nobody else: until the state is given back no other start can make a key.
        """
        fresh = self._meetings.recording(recording)
        if fresh.state in TAKING:  # the store took it, and said that it had not: the log has it as void
            self._stop(fresh, actor="system", reason="failed")
            return
        try:
            self._conference.stop_recording(room=meeting.room, recording=recording, reason="voided")
        except ConferenceUnavailableError:
            log.warning("a recording that did not begin could not be stopped", extra={"recording": recording})
        self._vault.destroy(recording)
        if fresh.state is RecordingState.STARTING:
            again = replace(fresh, state=RecordingState.ASKING, started_at=None)
            self._meetings.write(lambda tx: tx.save_recording(again))

    # While it runs

    def stop(self, place: Participant) -> Recording:
        """Stop it: the adviser's act."""
        running = self._active(place.meeting)
        self._admission.check(place, Permission.RECORD, self._act("recording.stopped", place, {}))
        return self._stop(running, actor=self._who(place), reason="stopped")

    def before_raise(self, raised: Meeting, *, actor: str) -> None:
        """Stop what may not go on once the meeting is raised: strict encryption, or a band that asks for a law.

        Raises ConferenceUnavailableError where a recorder could not be told: then nothing may be raised yet.
        """
        for each in self._meetings.recordings(meeting=raised.id, states=ACTIVE | _ENDED):
            if each.confirmed:
                continue
            asker = self._meetings.participant(each.asked_by)
            if stays_allowed(self._policy, situation(self._policy, raised, asker), each):
                continue
            over = self._end(each, actor=actor, reason="raised") if each.state in ACTIVE else each
            if not over.confirmed and not self._tell_stop(over):
                raise ConferenceUnavailableError("The recorder could not be told to stop.")

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
                why = reason if reason in FAILURES else known.stop_reason  # the file's end may be missing: it knows
                over = replace(known, length_ms=position_ms, confirmed=True, stop_reason=why)
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
        silent: set[str] = set()  # shards that did not answer: each is waited for once a look, not once a recording
        for each in self._meetings.unfinished_recordings():
            try:
                self._look_at(each, now, silent)
            except TillitError as error:  # changed meanwhile, or the recorder is away: the next look sees
                log.info("recording is looked at again", extra={"recording": each.id, "problem": error.slug})

    def _look_at(self, recording: Recording, now: datetime, silent: set[str]) -> None:
        meeting = self._meetings.get(recording.meeting)
        if recording.state in _ENDED:
            self._stop_again(recording, meeting, now, silent)
        elif recording.state is RecordingState.STARTING:
            if recording.started_at is None or now - recording.started_at >= _STARTS_WITHIN:
                self._stop(recording, actor="system", reason="failed")
        elif recording.state is RecordingState.ASKING and meeting.state in FINAL_STATES:
            self._stop(recording, actor="system", reason="ended")
        else:
            seen = self._seen(meeting, silent)
            if recording.state in TAKING:
                self._look_at_running(recording, meeting, now, seen)
            elif seen is not None:
                self._look_at_question(recording, meeting, seen)

    def _seen(self, meeting: Meeting, silent: set[str]) -> Mapping[str, Any] | None:
        """Return what the recorder says of a room, None where it does not answer."""
        shard = shard_id_of(meeting.room)
        if shard not in silent:
            try:
                return self._conference.recording_state(meeting.room)
            except ConferenceUnavailableError:
                silent.add(shard)
        return None

    def _look_at_question(self, asked: Recording, meeting: Meeting, seen: Mapping[str, Any]) -> None:
        stray = seen.get("recording")
        if stray:  # of this meeting, and over for everybody but the recorder: no page shows it, so nobody could stop it
            self._conference.stop_recording(room=meeting.room, recording=RecordingId(str(stray)), reason="lost")
        self._begin_if_all(asked)  # who had not answered may have left

    def _look_at_running(
        self, recording: Recording, meeting: Meeting, now: datetime, seen: Mapping[str, Any] | None
    ) -> None:
        if seen is not None and seen.get("recording") == recording.id:
            self._missing_since.pop(recording.id, None)
            if seen.get("state") == "paused" and not recording.missing([p.id for p in self.present(meeting.id)]):
                self._allow(recording)
        elif now - self._missing_since.setdefault(recording.id, now) >= (_AWAY_AFTER if seen is None else _GONE_AFTER):
            self._missing_since.pop(recording.id, None)
            self._stop(recording, actor="system", reason="lost")

    def _stop_again(self, recording: Recording, meeting: Meeting, now: datetime, silent: set[str]) -> None:
        """Tell a recorder until it says that it stopped, or cannot be recording any more.

        It is told without being asked first: a question would keep a recording alive whose answers get lost.
        """
        shard = shard_id_of(meeting.room)
        told = shard not in silent and self._tell_stop(recording)
        if not told:
            silent.add(shard)
        since = now - (recording.stopped_at or now)
        if since < (_CLOSED_AFTER if told else _AWAY_AFTER):
            return
        if recording.state is RecordingState.CANCELLED:
            self._vault.destroy(recording.id)  # whoever was starting it left the key
        done = replace(recording, confirmed=True)
        self._meetings.write(lambda tx: tx.save_recording(done))

    # Inside

    def _stop(self, recording: Recording, *, actor: str, reason: str) -> Recording:
        """Record, keep, then cut: a recorder that cannot be told now is told again by the worker."""
        over = self._end(recording, actor=actor, reason=reason)
        if not over.confirmed:
            self._tell_stop(over)
        return over

    def _end(self, recording: Recording, *, actor: str, reason: str) -> Recording:
        """Record and keep that it is over. The recorder still has to be told."""
        now = self._clock()
        over = replace(
            recording,
            state=RecordingState.STOPPED if recording.state in TAKING else RecordingState.CANCELLED,
            stopped_at=now,
            stop_reason=reason,
            confirmed=recording.state is RecordingState.ASKING,  # no recorder has heard of it
        )
        act = Act(
            "recording.stopped", actor, now, recording.meeting, data={"recording": recording.id, "reason": reason}
        )
        saved: Recording = self._acts.perform(act, effect=lambda tx: tx.save_recording(over))
        return saved

    def _tell_stop(self, over: Recording) -> bool:
        """Tell the recorder that a recording is over. Return whether it heard: then it takes nothing more."""
        room = self._meetings.get(over.meeting).room
        try:
            self._conference.stop_recording(room=room, recording=over.id, reason=over.stop_reason)
        except ConferenceUnavailableError:
            log.warning("a recorder could not be told to stop", extra={"recording": over.id})
            return False
        return True

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
