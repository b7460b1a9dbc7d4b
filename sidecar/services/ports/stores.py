"""Where meetings, people, objects and web sessions are kept, and the values that lie there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from sidecar.domain.identity import Subject
from sidecar.domain.ids import MeetingId, ParticipantId, PersonId, StaffId
from sidecar.domain.meetings import ChatLine, Consent, Meeting, MeetingState, Participant
from sidecar.services.record_ports import PluginRecordReader, SealedRecord
from sidecar.services.recording_ports import RecordingReader, RecordingTx

T = TypeVar("T")


@dataclass(frozen=True)
class Announcement:
    """A fact told to open pages and to plugins, stored in the same transaction as the state it tells of.

    public: what the pages hear of a plugin's fact, None for nothing; told: whose pages, everybody's when empty.
    recorded: False for what is shown and over, and is in no log: plugins are not told of it.
    """

    kind: str
    meeting: MeetingId | None
    at: datetime
    participant: ParticipantId | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    public: Mapping[str, Any] | None = None
    told: tuple[str, ...] = ()
    recorded: bool = True


@dataclass(frozen=True)
class Errand:
    """Something to be done outside, at least once: a message, a reminder, a command to the bridge.

    state: "waiting", "done", "failed" (given up, shown on the desk, can be sent again).
    """

    id: str
    kind: str
    meeting: MeetingId | None
    due_at: datetime
    body: Mapping[str, Any]
    attempts: int = 0
    state: str = "waiting"
    last_problem: str = ""


class MeetingTx(PluginRecordReader, RecordingTx, Protocol):
    """Changes to the meetings store inside one transaction: adapters.sql.meeting_store.SqlMeetingTx."""

    def add_meeting(self, meeting: Meeting) -> None: ...

    def save_meeting(self, meeting: Meeting) -> Meeting:
        """Raises ConflictError when it was changed since it was read."""

    def add_participant(self, participant: Participant) -> None: ...

    def save_participant(self, participant: Participant) -> Participant:
        """Raises ConflictError when it was changed since it was read."""

    def spend_token(self, jti: str, *, expires_at: datetime, now: datetime) -> None:
        """Raises ConflictError when the join token was used before."""

    def take_report(self, report: str, *, now: datetime) -> None:
        """Remember a report of the media side. Raises ConflictError when it was taken in before."""

    def see_page(self, participant: ParticipantId, *, at: datetime) -> None:
        """Remember when a waiting person's page was last known to be open."""

    def forget_page(self, participant: ParticipantId, *, seen_by: datetime) -> None:
        """Forget a page last seen by that moment. Raises ConflictError where it was seen since."""

    def add_chat(self, line: ChatLine) -> None: ...

    def drop_chat(self, meeting: MeetingId) -> None: ...

    def announce(self, announcement: Announcement) -> None: ...

    def add_errand(self, errand: Errand) -> None: ...

    def save_errand(self, errand: Errand) -> None: ...

    def drop_waiting_errands(self, meeting: MeetingId) -> None: ...

    def mark_read(self, reader: str, number: int) -> None: ...

    def add_record(self, record: SealedRecord) -> None:
        """Raises ConflictError when there is one of that name."""

    def save_record(self, record: SealedRecord, *, expected: int) -> None:
        """Raises ConflictError when its version is not the expected one any more."""

    def drop_record(self, plugin: str, collection: str, record: str) -> None: ...

    def put_consent(self, person: PersonId, consent: Consent) -> None:
        """Remember a person's yes to a text; the newest one to the same words counts."""

    def put_template(self, *, brand: str, language: str, key: str, body: str) -> None: ...

    def drop_template(self, *, brand: str, language: str, key: str) -> None: ...


class MeetingStore(PluginRecordReader, RecordingReader, Protocol):
    """Where meetings are kept: adapters.sql.meeting_store.SqlMeetingStore."""

    def write(self, effect: Callable[[Any], T]) -> T:
        """Run the effect on a MeetingTx; durable when it returns, nothing of it when it raises."""

    def get(self, meeting: MeetingId) -> Meeting:
        """Raises NotFoundError."""

    def participant(self, participant: ParticipantId) -> Participant:
        """Raises NotFoundError."""

    def participants(self, meeting: MeetingId) -> list[Participant]: ...

    def consents(self, person: PersonId) -> list[Consent]:
        """Return the texts this person accepted in any meeting, each once, the newest yes first."""

    def find_by_link(self, link_digest: str) -> Participant | None: ...

    def between(self, start: datetime, end: datetime, *, adviser: StaffId | None = None) -> list[Meeting]: ...

    def in_states(
        self,
        states: Sequence[MeetingState],
        *,
        started_by: datetime | None = None,
        ended_by: datetime | None = None,
        limit: int = 500,
    ) -> list[Meeting]:
        """Return meetings in these states, the earliest first; those that start or end by a moment, if named."""

    def has_report(self, report: str) -> bool:
        """Say whether a report of the media side was taken in before, by any process, before any restart."""

    def pages_unseen_since(self, moment: datetime, *, limit: int = 200) -> list[tuple[ParticipantId, datetime]]:
        """Return the pages last seen by that moment, and when each was, the longest gone first."""

    def chat(self, meeting: MeetingId) -> list[ChatLine]: ...

    def announcements_after(self, number: int, *, limit: int = 500) -> list[tuple[int, Announcement]]: ...

    def last_announcement(self) -> int: ...

    def read_up_to(self, reader: str) -> int:
        """Return the number of the last announcement this reader has dealt with, 0 before the first."""

    def due_errands(self, now: datetime, *, limit: int = 50) -> list[Errand]: ...

    def errands(self, meeting: MeetingId) -> list[Errand]: ...

    def get_errand(self, errand: str) -> Errand: ...

    def failed_errands(self, *, limit: int = 200) -> list[Errand]:
        """Return what was given up, the newest first."""

    def templates(self, brand: str) -> dict[tuple[str, str], str]: ...


@dataclass(frozen=True)
class Person:
    """Who a pseudonym is. Lives in the people store only, sealed under the person's own key.

    verified_name: as an eID said it, "" before. subjects: whom an identity assertion must be about.
    """

    id: str
    kind: Literal["customer", "guest", "staff"]
    name: str = field(repr=False)
    verified_name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    inbox: str = field(default="", repr=False)  # the person's address in the bank's own inbox
    subjects: tuple[Subject, ...] = field(default=(), repr=False)
    locality: str = field(default="", repr=False)
    language: str = "sv"
    country: str = "SE"  # domicile: decides the region the meeting's data lies in
    segment: str = "private"
    title: str = ""
    office: str = ""
    groups: tuple[str, ...] = ()  # staff: the identity service's role claims at the last sign-in

    @property
    def shown_name(self) -> str:
        return self.verified_name or self.name


class PeopleStore(Protocol):
    """Pseudonym to person and back: adapters.sql.people_store.SqlPeopleStore."""

    def put(self, person: Person) -> None:
        """Add or replace, durable when it returns."""

    def get(self, person: PersonId | StaffId) -> Person:
        """Raises NotFoundError, also for an erased person."""

    def find(self, person: PersonId | StaffId) -> Person | None: ...

    def find_by_subject(self, subject: Subject) -> Person | None: ...

    def search_customers(self, words: str, *, limit: int = 8) -> list[Person]:
        """Return customers whose name or locality begins with each of the words."""


class ObjectStore(Protocol):
    """Encrypted objects, each under its own key: adapters.file_objects.FileObjects."""

    def put(self, *, object_class: str, meeting: MeetingId | None, data: bytes) -> str:
        """Store durably and return the object's id."""

    def get(self, object_id: str) -> bytes:
        """Raises NotFoundError where the object or its key is gone."""

    def drop(self, object_id: str) -> None:
        """Destroy an object's key, then the object. No error when there is none."""


class SessionStore(Protocol):
    """Web sessions, kept on the server: adapters.sql.session_store.SqlSessionStore."""

    def get(self, session_id: str, *, now: datetime) -> dict[str, Any] | None: ...

    def put(self, session_id: str, body: Mapping[str, Any], *, expires_at: datetime) -> None:
        """Begin a session, or replace what one holds."""

    def update(self, session_id: str, body: Mapping[str, Any], *, expires_at: datetime) -> bool:
        """Replace what a session holds. False, and nothing stored, where it was dropped meanwhile."""

    def drop(self, session_id: str) -> bool:
        """End a session and say whether there was one."""

    def drop_expired(self, now: datetime) -> None:
        """Forget the sessions whose time is over."""
