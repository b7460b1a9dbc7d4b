"""The one path of every change: decide, write the audit record durably, do it, announce it.

There is no second path. If the record cannot be written, AuditUnavailableError is raised before anything
happened. A refusal is an act too: it is recorded under the rule that decided.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from sidecar.domain.audit import AuditLog, AuditRecord
from sidecar.domain.errors import RefusedError, TillitError
from sidecar.domain.ids import MeetingId, ParticipantId
from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Decision, LogLevel, Policy, Situation, log_for
from sidecar.services.ports import Announcement, MeetingStore, MeetingTx

T = TypeVar("T")

# What was done in the room by those who may. A refusal is no such thing: it is kept at every level.
_DOINGS = frozenset(
    {
        "act.done",
        "chat.sent",
        "chat.sent_private",
        "hand.raised",
        "mute.done",
        "share.started",
        "share.stopped",
    }
)


@dataclass(frozen=True)
class Act:
    """What is about to be done, as the evidence will tell it. actor: a pseudonym or "system".

    public, told: what open pages hear of it and whose, as in Announcement.
    """

    kind: str
    actor: str
    at: datetime
    meeting: MeetingId | None = None
    participant: ParticipantId | None = None
    data: Mapping[str, Any] | None = None
    public: Mapping[str, Any] | None = None
    told: tuple[str, ...] = ()

    def record(self) -> AuditRecord:
        data = dict(self.data or {})
        if self.participant is not None:
            data["participant"] = self.participant
        return AuditRecord(kind=self.kind, meeting=self.meeting, actor=self.actor, at=self.at, data=data)

    def announcement(self) -> Announcement:
        return Announcement(
            kind=self.kind,
            meeting=self.meeting,
            at=self.at,
            participant=self.participant,
            data=dict(self.data or {}),
            public=self.public,
            told=self.told,
        )


def level_of(policy: Policy, meeting: Meeting) -> LogLevel:
    """Return what is kept of a meeting, as its type and what it was raised to ask."""
    kind = policy.type(meeting.type_ref)
    return log_for(policy, Situation(kind, meeting.segment, meeting.packages, Capacity.ADVISER, meeting.raises))


def _nothing(_tx: MeetingTx) -> None:
    return None


class Acts:
    """Performs acts on the audit log and the meetings store."""

    def __init__(self, audit: AuditLog, meetings: MeetingStore, policy: Policy) -> None:
        self._audit = audit
        self._meetings = meetings
        self._policy = policy

    def perform(self, *acts: Act, effect: Callable[[MeetingTx], T], before: Callable[[], object] | None = None) -> T:
        """Record the acts, then run the effect and the announcements in one transaction; return its result.

        before: what the acts change outside the meetings store (a person, an object, the bridge). It runs once
        the record is kept, and ahead of the transaction, which must not wait for others.
        Raises AuditUnavailableError with nothing done, ConflictError when the state changed since the
        decision (the record stays and is followed by an "act.voided"), StoreUnavailableError.
        """
        kept = [act.record() for act in acts if self._is_kept(act)]
        entries = self._audit.append(*kept) if kept else ()

        def with_announcements(tx: MeetingTx) -> T:
            result = effect(tx)
            for act in acts:
                tx.announce(act.announcement())
            return result

        try:
            if before is not None:
                before()
            return self._meetings.write(with_announcements)
        except Exception as error:  # raised again: whatever it was, the log may not claim what did not happen
            if entries:
                last = acts[-1]
                reason = error.slug if isinstance(error, TillitError) else TillitError.slug
                data = {"entries": [entry.index for entry in entries], "reason": reason}
                self._audit.append(Act("act.voided", "system", last.at, last.meeting, data=data).record())
            raise

    def _is_kept(self, act: Act) -> bool:
        """Say whether the meeting's log holds such an act: at the level "events" only who and when (R018)."""
        if act.kind not in _DOINGS or act.meeting is None:
            return True
        return level_of(self._policy, self._meetings.get(act.meeting)) is not LogLevel.EVENTS

    def note(self, *acts: Act) -> None:
        """Record and announce what happened without our doing (a track dropped, a wrong person)."""
        self.perform(*acts, effect=_nothing)

    def record(self, *acts: Act) -> None:
        """Record what changes nothing in the stores and what nobody waits to hear: a join token handed out.

        Raises AuditUnavailableError.
        """
        self._audit.append(*(act.record() for act in acts))

    def refuse(self, act: Act, decision: Decision) -> NoReturn:
        """Record a refusal under its rule, announce it, raise RefusedError."""
        data = dict(act.data or {}) | {"rule": decision.rule, "act": act.kind, "sentence": decision.sentence}
        self.note(
            Act("permission.refused", act.actor, act.at, act.meeting, act.participant, data),
        )
        raise RefusedError(
            f"Refused by the rule {decision.rule}.",
            **{**decision.params, "rule": decision.rule, "sentence": decision.sentence},
        )

    def require(self, act: Act, decision: Decision) -> None:
        """Let an allowed decision pass; record and raise a refused one."""
        if not decision.allowed:
            self.refuse(act, decision)
