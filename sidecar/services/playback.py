"""A recording after the meeting: watched by those whose role may, second by second in the log; held; deleted."""

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sidecar.domain.audit import AuditLog, Entry
from sidecar.domain.clock import from_text, to_text
from sidecar.domain.errors import ConflictError, InvalidInputError, NotFoundError, TillitError
from sidecar.domain.ids import ParticipantId, RecordingId, new_id
from sidecar.domain.meetings import Meeting
from sidecar.domain.policy import Decision, Policy, Right, may_staff
from sidecar.domain.recordings import Hold, HoldReason, Recording, RecordingState, may_delete
from sidecar.services.acts import Act, Acts
from sidecar.services.journals import Journals
from sidecar.services.ports import MeetingStore
from sidecar.services.recording_ports import RecordingDamagedError, RecordingOutline, RecordingVault, Watermark
from sidecar.services.staff import StaffMember

log = logging.getLogger("tillit.worker")

PAGE = 50  # recordings of a list
PART_MS = 4000  # what a viewer gets at a time, and what one entry of the log speaks of
_NOT_YOURS = Decision(False, "default/own-meetings", "not-your-case")
_OVER = Decision(False, "recording/over", "recording-over")
_LISTED = frozenset(RecordingState) - {RecordingState.CANCELLED}
# What a reader looks for in a recording; the rest of the log is in the journal
_CHAPTERS = (
    "recording.started", "recording.resumed", "participant.joined", "participant.rejoined", "participant.left",
    "participant.sent_back", "participant.expelled", "share.started", "share.stopped", "security.raised", "hand.raised",
)  # fmt: skip
_CHAPTER_ENDS = (".shown", ".presented", ".signed", ".calculated")


@dataclass(frozen=True)
class Playback:
    """One viewing by one person. code: what is burnt into its pictures, and stands in the log."""

    id: str
    recording: RecordingId
    viewer: str
    code: str
    began_at: datetime

    def values(self) -> dict[str, str]:
        return {
            "id": self.id,
            "recording": self.recording,
            "viewer": self.viewer,
            "code": self.code,
            "began_at": to_text(self.began_at),
        }

    @staticmethod
    def of(values: dict[str, str]) -> "Playback":
        return Playback(
            values["id"],
            RecordingId(values["recording"]),
            values["viewer"],
            values["code"],
            from_text(values["began_at"]),
        )


@dataclass(frozen=True)
class Opened:
    """What a viewer's page needs. chapters: (position in ms, the log's entry). names: place or pseudonym -> name."""

    playback: Playback
    recording: Recording
    meeting: Meeting
    outline: RecordingOutline
    chapters: Sequence[tuple[int, Entry]]
    names: dict[str, str]


class Playbacks:
    """Watching, holding and deleting recordings."""

    def __init__(
        self,
        *,
        acts: Acts,
        audit: AuditLog,
        meetings: MeetingStore,
        journals: Journals,
        policy: Policy,
        vault: RecordingVault,
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._audit = audit
        self._meetings = meetings
        self._journals = journals
        self._policy = policy
        self._vault = vault
        self._clock = clock

    def listed(self, reader: StaffMember, *, before: RecordingId | None = None) -> list[tuple[Recording, Meeting]]:
        """Return a page of the recordings a reader may know of, the newest first: their own meetings', or all.

        before: the last one of the page before this one. One more than PAGE where there is another page.
        Raises NotFoundError for whoever has no right to any: that there are recordings is theirs to know.
        """
        if not self._has(reader, Right.PLAY_RECORDINGS):
            raise NotFoundError("There is nothing here, or not for you.")
        found = self._meetings.recordings(
            states=_LISTED,
            adviser=None if self._has(reader, Right.READ_ALL_JOURNALS) else reader.id,
            before=self.get(before, reader) if before else None,
            limit=PAGE + 1,
        )
        return [(each, self._meetings.get(each.meeting)) for each in found]

    def get(self, recording: RecordingId, reader: StaffMember, *, act: str = "recording.opened") -> Recording:
        """Return a recording a reader may know of. Raises RefusedError, recorded."""
        found = self._meetings.recording(recording)
        self._right(reader, Right.PLAY_RECORDINGS, act, found)
        meeting = self._meetings.get(found.meeting)
        if meeting.adviser != reader.id and not self._has(reader, Right.READ_ALL_JOURNALS):
            self._acts.refuse(self._act(act, reader, found), _NOT_YOURS)
        return found

    # Watching

    def open(self, recording: RecordingId, reader: StaffMember) -> Opened:
        """Begin to watch. From here on every part that is handed out is in the log under this viewing."""
        found = self.get(recording, reader)
        if found.state is not RecordingState.STOPPED:
            self._acts.refuse(self._act("recording.opened", reader, found), _OVER)
        if not found.confirmed:
            raise ConflictError("The recorder is still closing this recording.")
        outline = self._outline(found)
        playback = Playback(new_id("play"), found.id, reader.id, secrets.token_hex(4), self._clock())
        data = {"playback": playback.id, "watermark": f"wm-{playback.code}", "complete": outline.complete}
        self._acts.note(self._act("recording.opened", reader, found, **data))
        meeting = self._meetings.get(found.meeting)
        places = self._meetings.participants(meeting.id)
        return Opened(
            playback, found, meeting, outline, list(self._chapters(found, outline)), self._journals.names(places)
        )

    def part(self, playback: Playback, reader: StaffMember, number: int, *, mark: str) -> bytes:
        """Hand out one part, once it is in the log that it was watched. mark: the watermark's words.

        Raises NotFoundError beyond the end, RefusedError where the right was taken away meanwhile.
        """
        found = self.get(playback.recording, reader, act="recording.watched")
        if playback.viewer != reader.id:
            raise NotFoundError("There is no such viewing, or it is a colleague's.")
        if found.state is not RecordingState.STOPPED:
            self._acts.refuse(self._act("recording.watched", reader, found), _OVER)
        outline = self._outline(found)
        first = number * PART_MS
        last = min(first + PART_MS, outline.duration_ms)
        if number < 0 or first >= outline.duration_ms:
            raise NotFoundError("The recording does not reach that far.")
        span = {"from_s": first // 1000, "to_s": -(-last // 1000)}
        self._acts.note(self._act("recording.watched", reader, found, playback=playback.id, **span))
        return self._vault.watch(
            found.id,
            from_ms=first,
            to_ms=last,
            watermark=Watermark(mark, playback.code),
            names=self._names(found),
        )

    def export(self, recording: RecordingId, reader: StaffMember, *, mark: str) -> Iterator[bytes]:
        """Return the whole recording, watermarked, where the policy gives that right; recorded before a byte leaves."""
        found = self.get(recording, reader, act="recording.exported")
        self._right(reader, Right.DOWNLOAD_RECORDINGS, "recording.exported", found)
        if found.state is not RecordingState.STOPPED:
            self._acts.refuse(self._act("recording.exported", reader, found), _OVER)
        outline = self._outline(found)
        code = secrets.token_hex(4)
        data = {"watermark": f"wm-{code}", "from_s": 0, "to_s": -(-outline.duration_ms // 1000)}
        self._acts.note(self._act("recording.exported", reader, found, **data))
        names, watermark = self._names(found), Watermark(mark, code)

        def parts() -> Iterator[bytes]:
            for first in range(0, outline.duration_ms, PART_MS):
                last = min(first + PART_MS, outline.duration_ms)
                yield self._vault.watch(
                    found.id, from_ms=first, to_ms=last, watermark=watermark, names=names, head=first == 0
                )

        return parts()

    # Its end

    def hold(self, recording: RecordingId, reader: StaffMember, reason: str) -> Recording:
        """Suspend deletion. The one who says so answers for it."""
        if reason not in set(HoldReason):
            raise InvalidInputError("A legal hold has a reason from the list.", field="reason")
        found = self.get(recording, reader, act="recording.held")
        self._right(reader, Right.HOLD_RECORDINGS, "recording.held", found)
        if found.state not in (RecordingState.STOPPED, RecordingState.RUNNING, RecordingState.PAUSED):
            self._acts.refuse(self._act("recording.held", reader, found), _OVER)
        if found.hold is not None:
            raise ConflictError("This recording is held already.")
        held = replace(found, hold=Hold(HoldReason(reason), reader.id, self._clock()))
        act = self._act("recording.held", reader, found, reason=reason, owner=reader.id)
        saved: Recording = self._acts.perform(act, effect=lambda tx: tx.save_recording(held))
        return saved

    def release(self, recording: RecordingId, reader: StaffMember) -> Recording:
        """End a legal hold. Where the date has passed, the worker deletes the recording in its next round."""
        found = self.get(recording, reader, act="recording.released")
        self._right(reader, Right.HOLD_RECORDINGS, "recording.released", found)
        if found.hold is None:
            raise ConflictError("This recording is not held.")
        act = self._act("recording.released", reader, found, reason=found.hold.reason.value, owner=found.hold.owner)
        free = replace(found, hold=None)
        saved: Recording = self._acts.perform(act, effect=lambda tx: tx.save_recording(free))
        return saved

    def delete_due(self) -> int:
        """Destroy the key of every recording whose date has come and that nothing holds. Returns how many."""
        now = self._clock()
        deleted = 0
        for each in self._meetings.due_recordings(now):
            if not may_delete(each, now).allowed:
                continue
            try:
                self.delete(each, actor="system", reason="date")
                deleted += 1
            except TillitError as error:
                log.warning("a recording could not be deleted", extra={"recording": each.id, "problem": error.slug})
        return deleted

    def delete(self, recording: Recording, *, actor: str, reason: str) -> None:
        """Destroy the key, then the media, and leave an entry. Raises ConflictError for one that is held."""
        if recording.hold is not None or recording.state is not RecordingState.STOPPED:
            raise ConflictError("This recording cannot be deleted now.")
        now = self._clock()
        data = {"recording": recording.id, "reason": reason, "delete_on": recording.delete_at.date().isoformat()}
        act = Act("recording.deleted", actor, now, recording.meeting, data=data)
        gone = replace(recording, state=RecordingState.DELETED, deleted_at=now)
        self._acts.perform(
            act, effect=lambda tx: tx.save_recording(gone), before=lambda: self._vault.destroy(recording.id)
        )

    # Inside

    def _outline(self, recording: Recording) -> RecordingOutline:
        """Return what the file holds. One without its end is damaged where the recorder said that it wrote the end."""
        outline = self._vault.outline(recording.id)
        if not outline.complete and recording.was_closed:
            raise RecordingDamagedError
        return outline

    def _chapters(self, recording: Recording, outline: RecordingOutline) -> Iterator[tuple[int, Entry]]:
        began, over = recording.started_at, recording.stopped_at
        if began is None or over is None:
            return
        for entry in self._audit.read(recording.meeting):
            record = entry.record
            told = record.kind in _CHAPTERS or record.kind.endswith(_CHAPTER_ENDS)
            if told and began <= record.at <= over:
                yield outline.position_ms(record.at), entry

    def _names(self, recording: Recording) -> dict[ParticipantId, str]:
        names = self._journals.names(self._meetings.participants(recording.meeting))
        return {ParticipantId(key): name for key, name in names.items()}

    def _right(self, reader: StaffMember, right: Right, kind: str, recording: Recording) -> None:
        act = self._act(kind, reader, recording)
        self._acts.require(act, may_staff(self._policy, reader.packages, right))

    def _has(self, reader: StaffMember, right: Right) -> bool:
        return may_staff(self._policy, reader.packages, right).allowed

    def _act(self, kind: str, reader: StaffMember, recording: Recording, **data: object) -> Act:
        return Act(kind, reader.id, self._clock(), recording.meeting, data={"recording": recording.id, **data})
