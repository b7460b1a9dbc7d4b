"""What the services need from outside, as Protocols and the values that cross the border.

First what plugins implement (they see it through sidecar.plugin_api), then what our adapters implement.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from sidecar.domain.errors import TillitError
from sidecar.domain.identity import IdentityAssertion, LoA, StaffAssertion, Subject
from sidecar.domain.ids import MeetingId, ParticipantId, PersonId, RoomName, StaffId
from sidecar.domain.meetings import ChatLine, Meeting, MeetingState, Participant
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Band, Decision
from sidecar.services.plugin_ports import ErrandView
from sidecar.services.record_ports import PluginRecordReader, SealedRecord
from sidecar.services.recording_ports import Recorder, RecordingReader, RecordingTx
from sidecar.services.signing_ports import SigningMethod, SignQuestion

T = TypeVar("T")


@dataclass(frozen=True)
class SignInRequest:
    """One person's sign-in to one meeting, as an identity method sees it.

    purpose: a sentence in the person's language, shown in the eID app ("Legitimera dig för bolånemöte ...").
    end_user_ip: as this service sees it. device: hash of a long-lived cookie, hex. same_device: the person
    wants the app on this device. return_url: where the app comes back to, with a nonce, or None.
    contact: the address a code may be sent to, by channel name ("sms" -> "+4670..."), already checked to
    differ from where the link went. meeting, participant: ids, safe to log.
    """

    meeting: str
    participant: str
    brand_name: str
    purpose: str
    language: str
    end_user_ip: str
    user_agent: str
    referring_domain: str
    device: str
    same_device: bool
    return_url: str | None
    contact: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class SignInStep:
    """Where a sign-in stands.

    status: "pending" (poll or submit again), "failed" (start again or choose another way), "complete".
    message: key of the sentence for the person, in the plugin's texts. params: values for the sentence.
    view: what the browser may see: {"qr": "<svg ...>"}, {"launch_url": "bankid:///..."},
    {"field": "code", "length": 6, "attempts_left": 3}, {"alert_adviser": true}.
    state: what the plugin needs next time; kept on the server, never leaves it. JSON values only.
    """

    status: Literal["pending", "failed", "complete"]
    message: str
    params: Mapping[str, Any] = field(default_factory=dict)
    view: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict, repr=False)
    assertion: IdentityAssertion | None = None


class IdentityMethod(Protocol):
    """A way to show who one is. Stateless: all state travels in SignInStep.state."""

    name: str  # "bankid"; its title is the text "<name>.title", one line of help "<name>.help"
    loa: LoA
    kind: Literal["eid", "code"]

    def start(self, request: SignInRequest) -> SignInStep:
        """Begin. Never raises for what the remote side answers: that is a failed step with its sentence."""

    def poll(self, request: SignInRequest, state: Mapping[str, Any]) -> SignInStep:
        """Say where it stands. Called about once a second by the waiting page."""

    def submit(self, request: SignInRequest, state: Mapping[str, Any], answer: Mapping[str, str]) -> SignInStep:
        """Take what the person typed or what the return URL carried ({"code": ...} or {"nonce": ...})."""

    def cancel(self, request: SignInRequest, state: Mapping[str, Any]) -> None:
        """Stop it at the remote side. Never raises."""


@dataclass(frozen=True)
class StaffRedirect:
    """Where to send the browser, and what to keep on the server until it comes back."""

    url: str
    state: Mapping[str, Any] = field(repr=False)


class StaffSignInError(TillitError):
    """The bank's identity service did not vouch for this staff member."""

    slug = "staff-sign-in-failed"


class StaffSignIn(Protocol):
    """Sign-in of staff through the bank's own identity service."""

    name: str

    def begin(self, *, redirect_uri: str, purpose: Literal["desk", "call"], now: datetime) -> StaffRedirect:
        """Start. purpose "desk": two factors. "call": fresh, with security key or phone, max age zero."""

    def complete(self, *, query: Mapping[str, str], state: Mapping[str, Any], now: datetime) -> StaffAssertion:
        """Finish with the query the browser came back with. Raises StaffSignInError, one message for all causes."""


@dataclass(frozen=True)
class OutboundMessage:
    """A message to one person over one channel, ready to send. attachments: (file name, media type, bytes)."""

    message_id: str
    channel: str
    address: str = field(repr=False)
    sender_name: str
    subject: str
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    attachments: tuple[tuple[str, str, bytes], ...] = field(default=(), repr=False)


class DeliveryFailedError(TillitError):
    """A message did not go out. params: retry (bool), whether a later try can help."""

    slug = "delivery-failed"


class NotificationChannel(Protocol):
    """A way to reach a person."""

    name: str  # "email", "sms", "inbox"

    def send(self, message: OutboundMessage) -> str:
        """Hand over and return the remote side's reference. Raises DeliveryFailedError(retry=...).

        The same message_id twice is delivered once where the remote side can tell.
        """


@dataclass(frozen=True)
class JoinQuestion:
    """Who wants to enter which meeting, without any personal data."""

    meeting: str
    participant: str
    capacity: Capacity
    band: Band
    meeting_type: str
    loa: LoA
    provider: str


@dataclass(frozen=True)
class MeetingFact:
    """Something that happened, as recorded: kind as in docs/events.md, data without personal data."""

    kind: str
    meeting: str
    at: datetime
    data: Mapping[str, Any]


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

    def add_chat(self, line: ChatLine) -> None: ...

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


class Conference(Recorder, Protocol):
    """The media side of a meeting: adapters.shards.ShardedConference over adapters.bridge and adapters.jitsi."""

    @property
    def end_to_end(self) -> bool:
        """Say whether the parties' media can be encrypted past the server, so that "strict" would be true."""

    def answers(self, shard: str) -> bool:
        """Say whether meetings on a shard can be entered now, as of a few seconds ago at most."""

    def admit(self, *, room: RoomName, join_token: str, sdp: str, watch_shares: bool = False) -> str:
        """Let a client's media in and return the answer SDP. Raises ConferenceUnavailableError.

        watch_shares: what the client shares is looked at for canaries; where nobody can look, it is not let through.
        """

    def watches_shares(self, room: RoomName) -> bool:
        """Say whether shares in this room can be looked at now. Raises ConferenceUnavailableError."""

    def expel(self, *, room: RoomName, participant: ParticipantId, reason: str) -> None:
        """Cut a participant's media at once. No error when it was not there."""

    def set_permissions(
        self,
        *,
        room: RoomName,
        participant: ParticipantId,
        permissions: Iterable[str],
        session_until: datetime,
        watch_shares: bool = False,
    ) -> None:
        """Replace what a participant may do, in force when this returns. watch_shares: as for `admit`."""

    def mute(self, *, room: RoomName, participant: ParticipantId, kind: str) -> None:
        """Close somebody's "audio", "video" or "share". They may open it again: it takes no right away."""

    def end(self, *, room: RoomName, reason: str) -> None: ...

    def roster(self, room: RoomName) -> list[Mapping[str, Any]]: ...

    def health(self) -> Mapping[str, str]:
        """Return the state of each part, "ok" or what is wrong with it, for readiness. Asks each time."""


class ConferenceUnavailableError(TillitError):
    """The bridge does not answer, so nobody can enter just now."""

    slug = "conference-unavailable"


class Extensions(Protocol):
    """What the loaded plugins offer: plugin_manager.PluginManager, testing.StubPlugins."""

    def identity_methods(self) -> Mapping[str, IdentityMethod]: ...

    def channels(self) -> Mapping[str, NotificationChannel]: ...

    def plugin_of(self, offered: str) -> str:
        """Return the plugin behind an identity method or channel, to record as used. Raises KeyError."""

    def judge_join(self, question: JoinQuestion, allowed: frozenset[str]) -> Decision | None: ...

    def judge_sign(self, question: SignQuestion, allowed: frozenset[str]) -> Decision | None: ...

    def signing_methods(self, allowed: frozenset[str] | None = None) -> Mapping[str, SigningMethod]: ...

    def plugin_of_signing(self, method: str) -> str:
        """Return the plugin behind a signing method, to record as used. Raises KeyError."""

    def service(self, name: str) -> object | None:
        """Return what a plugin offers to the others under this name."""

    def errand(self, kind: str) -> Callable[[ErrandView], None] | None:
        """Return what does this kind of work for a plugin."""

    def audit_kinds(self) -> frozenset[str]:
        """Return the kinds of audit record the plugins add."""

    def on_fact(self, fact: MeetingFact, allowed: frozenset[str]) -> None: ...
