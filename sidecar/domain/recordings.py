"""A recording: the exception, made only for a stated purpose, with everybody's yes and its end known beforehand.

Pure values and decisions. Each thing that is missing refuses by a sentence of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from sidecar.domain.ids import MeetingId, ParticipantId, RecordingId, StaffId
from sidecar.domain.permissions import Permission
from sidecar.domain.policy import Decision, MeetingType, Policy, RecordingRule, Situation, decide, recording_for


class RecordingState(StrEnum):
    """Where a recording stands, in the order of its life. Cancelled and deleted are final."""

    ASKING = "asking"  # somebody in the meeting has not answered yet; nothing is taken
    STARTING = "starting"  # one process alone makes the key and tells the recorder
    RUNNING = "running"
    PAUSED = "paused"  # somebody came who has not answered yet; nothing is taken meanwhile
    STOPPED = "stopped"  # it can be watched by those whose role may
    CANCELLED = "cancelled"  # it never began, or not for good
    DELETED = "deleted"  # its key is destroyed


TAKING = frozenset({RecordingState.RUNNING, RecordingState.PAUSED})
ACTIVE = TAKING | {RecordingState.ASKING, RecordingState.STARTING}

# Ends after which the file may lack its own: it was broken off
BROKEN_OFF = frozenset({"disk-full", "disk-failed", "disk-slow", "failed", "lost"})

# Ends nobody wished for, as the recorder or the worker names them. unattended: nobody asked after it any more
FAILURES = BROKEN_OFF | {"bridge_stopped", "unattended"}

# Why the recorder on Jitsi ends one when the people in the conference begin to encrypt end to end
ENCRYPTED = "encrypted"


class HoldReason(StrEnum):
    """Why a recording is kept beyond its date. The closed list; what lies behind it stands in the bank's own case."""

    DISPUTE = "dispute"
    AUTHORITY = "authority"
    INVESTIGATION = "investigation"


@dataclass(frozen=True)
class Answer:
    """One person's answer to being recorded. The last one counts."""

    participant: ParticipantId
    yes: bool
    at: datetime


@dataclass(frozen=True)
class Hold:
    """A legal hold: nothing is deleted while it stands. owner: who answers for it."""

    reason: HoldReason
    owner: StaffId
    at: datetime


@dataclass(frozen=True)
class Recording:
    """One recording of one meeting, from the question to the destroyed key.

    purpose: of the type's list. reference: the law's name in the type, "" where the band asks none. delete_at: when
    its key is destroyed. asked_by: whose wish it was. started_at: while it starts, since when.
    length_ms: as the recorder said at its stop, 0 where it said nothing.
    """

    id: RecordingId
    meeting: MeetingId
    state: RecordingState
    purpose: str
    reference: str
    delete_at: datetime
    asked_by: ParticipantId
    asked_at: datetime
    region: str
    answers: tuple[Answer, ...] = ()
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_reason: str = ""
    length_ms: int = 0
    confirmed: bool = False  # the recorder said that it stopped, or can no longer be recording
    hold: Hold | None = None
    deleted_at: datetime | None = None
    version: int = 1

    @property
    def was_closed(self) -> bool:
        """Say whether the recorder told that it closed the file: then its end must be in it."""
        return self.length_ms > 0 and self.stop_reason not in BROKEN_OFF

    @property
    def consented(self) -> frozenset[ParticipantId]:
        """Everybody whose last answer is yes."""
        last = {answer.participant: answer.yes for answer in self.answers}
        return frozenset(each for each, yes in last.items() if yes)

    def answer_of(self, participant: ParticipantId) -> bool | None:
        """Return somebody's last answer, None where they have not been heard."""
        return next((each.yes for each in reversed(self.answers) if each.participant == participant), None)

    def missing(self, present: Sequence[ParticipantId]) -> list[ParticipantId]:
        """Return who of those present has not said yes, in their order."""
        yes = self.consented
        return [each for each in present if each not in yes]

    def answered(self, participant: ParticipantId, *, yes: bool, at: datetime) -> "Recording":
        return replace(self, answers=(*self.answers, Answer(participant, yes, at)))


@dataclass(frozen=True)
class Wish:
    """What somebody asks for. Unchecked: texts of a form."""

    purpose: str
    reference: str
    delete_on: date | None


def latest_deletion(meeting_type: MeetingType, reference: str, today: date) -> date:
    """Return the last day a recording of this type may live to: the type's bound, or the named law's where shorter."""
    days = meeting_type.recording_retention_days
    named = next((each.retention_days for each in meeting_type.recording_references if each.name == reference), days)
    return today + timedelta(days=min(days, named))


def may_ask(policy: Policy, situation: Situation, wish: Wish, *, today: date) -> Decision:
    """Say whether everybody may be asked for this recording now. The first thing that is missing refuses."""
    granted = decide(policy, situation, Permission.RECORD)
    if not granted.allowed:
        return granted
    meeting_type = situation.type
    rule, params = f"{meeting_type.ref}/recording", {"type": meeting_type.ref}
    if wish.purpose not in meeting_type.recording_purposes:
        return Decision(False, f"{rule}/purposes", "recording-purpose-missing", params)
    known = {each.name for each in meeting_type.recording_references}
    needs_law = recording_for(policy, situation) is RecordingRule.LEGAL
    if (needs_law or wish.reference) and wish.reference not in known:
        return Decision(False, f"{rule}/references", "recording-reference-missing", params)
    if wish.delete_on is None:
        return Decision(False, f"{rule}/retention", "recording-date-missing", params)
    if wish.delete_on <= today:
        return Decision(False, f"{rule}/retention", "recording-date-past", params)
    if wish.delete_on > latest_deletion(meeting_type, wish.reference, today):
        return Decision(False, f"{rule}/retention", "recording-date-too-late", params)
    return granted


def may_begin(recording: Recording, present: Sequence[ParticipantId]) -> Decision:
    """Say whether media may reach the recorder: everybody present said yes. params: waiting, their places."""
    missing = recording.missing(present)
    if recording.state not in ACTIVE:
        return Decision(False, "recording/over", "recording-over")
    if missing:
        declined = any(recording.answer_of(each) is False for each in missing)
        sentence = "recording-consent-declined" if declined else "recording-consent-missing"
        return Decision(False, "recording/consent", sentence, {"waiting": tuple(missing)})
    return Decision(True, "recording/consent", "may.record")


def may_delete(recording: Recording, now: datetime) -> Decision:
    """Say whether the recording's time is over and nothing holds it."""
    if recording.state is not RecordingState.STOPPED:
        return Decision(False, "recording/over", "recording-over")
    if recording.hold is not None:
        return Decision(False, "recording/hold", "recording-held")
    if now < recording.delete_at:
        return Decision(False, "recording/retention", "recording-kept")
    return Decision(True, "recording/retention", "recording-over")


def deletion_moment(day: date) -> datetime:
    """Return when a recording with this deletion date ends: as the day begins, UTC."""
    return datetime.combine(day, time(0), tzinfo=UTC)


def stays_allowed(policy: Policy, situation: Situation, recording: Recording) -> bool:
    """Say whether this recording may begin or go on there: by its asker's right, and under a law where one is needed.

    situation: the asker's, as it is or is about to be once the meeting's security is raised.
    """
    if recording_for(policy, situation) is RecordingRule.LEGAL and not recording.reference:
        return False
    return decide(policy, situation, Permission.RECORD).allowed
