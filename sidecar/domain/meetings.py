"""A meeting and the places in it: states, and which state may follow which."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sidecar.domain.ids import MeetingId, ParticipantId, PersonId, RoomName, StaffId
from sidecar.domain.permissions import STAFF_CAPACITIES, Capacity
from sidecar.domain.policy import Raise, Segment


class MeetingState(StrEnum):
    """Where a meeting stands. Ended, cancelled and missed are final."""

    BOOKED = "booked"
    OPEN = "open"
    ENDED = "ended"
    CANCELLED = "cancelled"
    MISSED = "missed"


FINAL_STATES = frozenset({MeetingState.ENDED, MeetingState.CANCELLED, MeetingState.MISSED})


class ParticipantState(StrEnum):
    """Where one person stands in one meeting, in the order of the journey."""

    INVITED = "invited"
    ARRIVED = "arrived"  # opened the link; shows nothing but the sender and the purpose
    CONSENTED = "consented"
    IDENTIFIED = "identified"
    WAITING = "waiting"  # in the lobby
    ADMITTED = "admitted"  # may fetch a join token
    IN_ROOM = "in_room"
    AWAY = "away"  # left or lost; may come back within the type's bound
    LEFT = "left"
    DENIED = "denied"
    EXPELLED = "expelled"


INSIDE = frozenset({ParticipantState.ADMITTED, ParticipantState.IN_ROOM, ParticipantState.AWAY})
SHUT_OUT = frozenset({ParticipantState.EXPELLED, ParticipantState.DENIED})


@dataclass(frozen=True)
class Meeting:
    """One meeting, under the policy version it was booked with.

    packages: the responsible staff member's role packages when the meeting was booked or started.
    purpose: the words of the invitation, in `language`. version: grows by one with each change.
    """

    id: MeetingId
    state: MeetingState
    type_ref: str
    brand: str
    segment: Segment
    adviser: StaffId | None
    packages: frozenset[str]
    room: RoomName
    region: str
    purpose: str
    language: str
    starts_at: datetime
    ends_at: datetime
    booked_at: datetime
    retain_until: datetime
    raises: tuple[Raise, ...] = ()
    opened_at: datetime | None = None
    ended_at: datetime | None = None
    on_demand: bool = False
    late_notice_at: datetime | None = None  # the adviser said: I am running late
    case: str = ""  # the bank's own case number
    booked_by: str = ""  # st_... or sys_...
    domicile: str = ""  # the customer's country: decides region and shard; "" in meetings from before there were shards
    version: int = 1


@dataclass(frozen=True)
class Identified:
    """How a participant showed who they are: what the tile, the token and the journal need."""

    provider: str
    method: str
    kind: str
    loa: int
    factors: int
    at: datetime
    evidence: tuple[str, ...] = ()  # object ids
    evidence_digests: tuple[str, ...] = ()  # SHA-256, hex


@dataclass(frozen=True)
class Consent:
    """A text about personal data that somebody accepted, and then showed who they are. text_sha256: hex."""

    version: str
    text_sha256: str
    at: datetime


@dataclass(frozen=True)
class CallCheck:
    """The fresh sign-in a staff member made for one call: its methods (RFC 8176), and when it was made."""

    amr: tuple[str, ...]
    at: datetime


@dataclass(frozen=True)
class Participant:
    """One person's place in one meeting. The person's name and contact live in the people store."""

    id: ParticipantId
    meeting: MeetingId
    capacity: Capacity
    state: ParticipantState
    person: PersonId | None = None
    staff: StaffId | None = None
    link_digest: str = ""  # SHA-256 of the invitation's secret, hex; "" once it is spent for good
    link_channel: str = ""  # where the link went: "email", "inbox", "sms"
    earlier_link_channels: tuple[str, ...] = ()  # where it went before that
    code_channel: str = ""  # where a code goes, "" where none is sent; never the same address
    language: str = "sv"
    consent_version: str = ""
    consent_at: datetime | None = None
    consent_digest: str = ""  # of the text that was accepted: SHA-256, hex
    identified: Identified | None = None
    call_check: CallCheck | None = None  # staff only
    waiting_since: datetime | None = None
    lobby_choice: str = ""  # "", "wait", "call_me", "rebook"
    sent_back: bool = False  # waiting, asked to by the adviser after having been inside
    absent_since: datetime | None = None  # waiting, but the lobby's page was last open then
    admitted_at: datetime | None = None
    joined_at: datetime | None = None
    left_at: datetime | None = None
    session_until: datetime | None = None
    join_ids: tuple[str, ...] = ()  # jti of join tokens already used
    hand: bool = False
    sharing: bool = False
    wrong_person_tries: int = 0
    declined_calls: int = 0  # times this person told the eID's app that they are not talking to the bank
    invited_by: str = ""
    media_key: str = ""  # the page's public key where the meeting is encrypted all the way, base64url
    sealed_keys: tuple[tuple[str, str], ...] = ()  # (participant, the key this one sends with, wrapped for them)
    lost: bool = False  # away because the connection broke, not by an own step out
    media_at: datetime | None = None  # when a media side that reports by itself last said in or out
    version: int = 1

    @property
    def is_staff(self) -> bool:
        return self.capacity in STAFF_CAPACITIES

    @property
    def link_channels(self) -> tuple[str, ...]:
        """Every way the link took: no code goes by any of them (R060)."""
        return tuple(dict.fromkeys(each for each in (*self.earlier_link_channels, self.link_channel) if each))


@dataclass(frozen=True)
class ChatLine:
    """One line of the meeting's chat, kept as long as the band's log rule says."""

    id: str
    meeting: MeetingId
    sender: ParticipantId
    at: datetime
    text: str = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the words, hexadecimal: what the log holds of them."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def may_open_door(meeting: Meeting, *, opens_before: timedelta, now: datetime) -> str:
    """Return "" when a guest may come in to get ready and identify, else why not.

    One of "too-early", "cancelled", "ended", "missed".
    """
    if meeting.state is MeetingState.CANCELLED:
        return "cancelled"
    if meeting.state is MeetingState.ENDED:
        return "ended"
    if meeting.state is MeetingState.MISSED:
        return "missed"
    if meeting.state is MeetingState.BOOKED and now < meeting.starts_at - opens_before:
        return "too-early"
    return ""


def as_waiting(participant: Participant, *, since: datetime, sent_back: bool = False) -> Participant:
    """Return a person as somebody who begins to wait in the lobby. sent_back: asked to, after having been inside."""
    return replace(
        participant,
        state=ParticipantState.WAITING,
        waiting_since=since,
        lobby_choice="",
        sent_back=sent_back,
        absent_since=None,
    )


def rejoin_needs_check(participant: Participant, *, bound: timedelta, now: datetime) -> bool:
    """Say whether a person who left must identify again before coming back (R048)."""
    return participant.left_at is not None and now - participant.left_at > bound
