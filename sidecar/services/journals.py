"""After the meeting: the journal for people, the evidence file for anybody who trusts no one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sidecar.domain.audit import AuditLog, Entry
from sidecar.domain.errors import NotFoundError
from sidecar.domain.ids import MeetingId, PersonId, StaffId
from sidecar.domain.meetings import ChatLine, Meeting, Participant
from sidecar.domain.policy import Decision, LogLevel, Policy, may_staff
from sidecar.services.acts import Act, Acts, level_of
from sidecar.services.ports import MeetingStore, PeopleStore
from sidecar.services.staff import StaffMember

_NOT_YOURS = Decision(False, "default/own-meetings", "not-your-case")


@dataclass(frozen=True)
class Journal:
    """One meeting's log as a person reads it. names: pseudonym -> name, or what is left of an erased one.

    chat: each line that was kept, and whether its words are the ones whose digest the log holds.
    """

    meeting: Meeting
    places: Sequence[Participant]
    entries: Sequence[Entry]
    names: dict[str, str]
    chat: Sequence[tuple[ChatLine, bool]]


class Journals:
    """Reads journals and builds evidence files; each reading is itself recorded."""

    def __init__(
        self,
        *,
        acts: Acts,
        audit: AuditLog,
        meetings: MeetingStore,
        people: PeopleStore,
        policy: Policy,
        build_evidence: Callable[[Meeting, Sequence[Participant]], bytes],
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._audit = audit
        self._meetings = meetings
        self._people = people
        self._policy = policy
        self._build = build_evidence
        self._clock = clock

    def read(self, meeting_id: MeetingId, reader: StaffMember) -> Journal:
        """Return the journal. Raises RefusedError for a colleague's meeting without the right to all."""
        meeting = self._meetings.get(meeting_id)
        self._check(meeting, reader, "journal.read")
        self._acts.note(Act("journal.read", reader.id, self._clock(), meeting.id))
        places = self._meetings.participants(meeting.id)
        entries = self._audit.read(meeting.id)
        return Journal(meeting, places, entries, self.names(places), self._chat(meeting, entries))

    def _chat(self, meeting: Meeting, entries: Sequence[Entry]) -> list[tuple[ChatLine, bool]]:
        """Return each line with whether the log holds its digest; nothing where the chat is no part of the record."""
        if level_of(self._policy, meeting) is not LogLevel.CHAT:
            return []
        said = {
            entry.record.data.get("line"): entry.record.data for entry in entries if entry.record.kind == "chat.sent"
        }
        return [(line, line.digest == said.get(line.id, {}).get("sha256")) for line in self._meetings.chat(meeting.id)]

    def evidence(self, meeting_id: MeetingId, *, actor: str, reader: StaffMember | None = None) -> bytes:
        """Return the evidence file. reader: a staff member, or None for a connected system's key."""
        meeting = self._meetings.get(meeting_id)
        if reader is not None:
            self._check(meeting, reader, "evidence.exported")
        self._acts.note(Act("evidence.exported", actor, self._clock(), meeting.id))
        return self._build(meeting, self._meetings.participants(meeting.id))

    def names(self, places: Sequence[Participant]) -> dict[str, str]:
        """Return whom each pseudonym and place stands for today; an erased person is a letter."""
        names: dict[str, str] = {}
        for number, place in enumerate(places):
            pseudonym: PersonId | StaffId | None = place.person or place.staff
            try:
                name = self._people.get(pseudonym).shown_name if pseudonym else ""
            except NotFoundError:
                name = f"Person {chr(ord('A') + number)}"
            if name:
                names[place.id] = name
                names[str(pseudonym)] = name
        return names

    def _check(self, meeting: Meeting, reader: StaffMember, kind: str) -> None:
        act = Act(kind, reader.id, self._clock(), meeting.id)
        if meeting.adviser != reader.id:
            allowed = may_staff(self._policy, reader.packages, "read_all_journals").allowed
            self._acts.require(act, Decision(allowed, _NOT_YOURS.rule, _NOT_YOURS.sentence))
