"""Messages to people: words found when they are sent, by the bank's channels, tried again, never doubled."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from sidecar.domain.addresses import may_carry
from sidecar.domain.calendar_file import calendar_file
from sidecar.domain.errors import (
    AuditUnavailableError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    TillitError,
)
from sidecar.domain.ids import MeetingId, ParticipantId, PersonId, RoomName, StaffId
from sidecar.domain.meetings import FINAL_STATES, Meeting, MeetingState, Participant, ParticipantState
from sidecar.domain.message_templates import WITH_LINK
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Policy, Segment, sign_in_for
from sidecar.services.acts import Act, Acts
from sidecar.services.arrival import situation
from sidecar.services.links import Links
from sidecar.services.ports import (
    DeliveryFailedError,
    Errand,
    Extensions,
    MeetingStore,
    MeetingTx,
    OutboundMessage,
    PeopleStore,
    Person,
)
from sidecar.services.sending import ADDRESS, address_of, after_failure
from sidecar.services.ways import UNREADABLE, may_send_code, takes_link

_STALE = frozenset({"invitation", "reminder", "guest_invitation", "moved", "notice"})
_WITH_CALENDAR = frozenset({"invitation", "guest_invitation", "moved", "cancelled"})
_HANDED_OVER = "handed_over"  # in an errand's body: it went out, only its record is missing


class MessageWords(Protocol):
    """Where the words come from: a brand's own template, else the shipped one."""

    def subject_and_body(
        self, *, brand: str, language: str, template: str, channel: str, values: Mapping[str, str]
    ) -> tuple[str, str]: ...

    def sign_in_words(self, providers: frozenset[str], language: str) -> str:
        """Return what the sign-in will ask, in words: "BankID" or "BankID or a code by text message"."""

    def date_and_time(self, moment: datetime, language: str, zone: ZoneInfo) -> tuple[str, str]: ...


class BrandFacts(Protocol):
    """What a message needs of a brand."""

    @property
    def name(self) -> str: ...
    @property
    def phone(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def time_zone(self) -> str: ...


class Messages:
    """Composes and sends. A message's address and words are never stored outside the people store."""

    def __init__(
        self,
        *,
        acts: Acts,
        meetings: MeetingStore,
        people: PeopleStore,
        policy: Policy,
        extensions: Extensions,
        links: Links,
        words: MessageWords,
        brand: Callable[[str], BrandFacts],
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._meetings = meetings
        self._people = people
        self._policy = policy
        self._extensions = extensions
        self._links = links
        self._words = words
        self._brand = brand
        self._clock = clock

    def deliver(self, errand: Errand) -> bool:
        """Send one due message. A failure is tried again with growing pauses, then given up and shown.

        Raises AuditUnavailableError with nothing sent. What went out and could not be recorded is marked, so
        that the next try only records it.
        """
        now = self._clock()
        body = errand.body
        place = self._meetings.participant(ParticipantId(body["participant"]))
        meeting = self._meetings.get(place.meeting)
        if meeting.state in FINAL_STATES and body["template"] in _STALE:
            self._finish(replace(errand, state="done", last_problem="stale"))
            return False
        channel = self._extensions.channels().get(body["channel"])
        try:
            if channel is None:
                raise DeliveryFailedError("No plugin offers this channel.", retry=False)
            message = self._compose(errand, meeting, place)
            if not body.get(_HANDED_OVER):
                used = {"plugin": self._extensions.plugin_of(channel.name)}
                self._acts.note(Act("plugin.used", "system", now, meeting.id, data=used))
                channel.send(message)
        except (DeliveryFailedError, NotFoundError, InvalidInputError) as error:
            self._failed(errand, place, error)
            return False
        kind = "invitation.sent" if body["template"] != "summary" else "summary.sent"
        act = Act(
            kind,
            "system",
            now,
            meeting.id,
            place.id,
            {"template": body["template"], "channel": body["channel"]},
        )
        done = replace(errand, state="done", attempts=errand.attempts + 1, last_problem="")
        try:
            self._acts.perform(act, effect=lambda tx: tx.save_errand(done))
        except AuditUnavailableError:
            self._finish(replace(errand, body={**body, _HANDED_OVER: True}))
            raise
        return True

    def send_code(self, place: Participant, *, channel: str, code: str) -> None:
        """Send a one-time code at once. It is not queued, not stored, not logged. Raises DeliveryFailedError."""
        if channel in place.link_channels:
            raise ConflictError("Link and code may not go the same way.")
        meeting = self._meetings.get(place.meeting)
        found = self._extensions.channels().get(channel)
        if found is None or place.person is None:
            raise DeliveryFailedError("No plugin offers this channel.", retry=False)
        person = self._people.get(place.person)
        self._check_apart(place, person, channel)
        values = self._values(meeting, place, person) | {"code": code}
        subject, text = self._words.subject_and_body(
            brand=meeting.brand, language=place.language, template="code", channel=channel, values=values
        )
        used = {"plugin": self._extensions.plugin_of(found.name)}
        self._acts.note(Act("plugin.used", "system", self._clock(), meeting.id, data=used))
        found.send(
            OutboundMessage(
                message_id=f"{place.id}.code.{self._clock().timestamp():.0f}",
                channel=channel,
                address=address_of(person, channel),
                sender_name=self._brand(meeting.brand).name,
                subject=subject,
                text=text,
            )
        )

    def draft(
        self,
        *,
        brand: str,
        type_name: str,
        customer: PersonId,
        adviser: StaffId,
        purpose: str,
        starts_at: datetime,
    ) -> tuple[str, str]:
        """Return subject and text of an invitation as it would be sent, before anything is booked."""
        person = self._people.get(customer)
        meeting_type = self._policy.current(type_name, today=self._clock().date())
        meeting = Meeting(
            id=MeetingId("m_draft"),
            state=MeetingState.BOOKED,
            type_ref=meeting_type.ref,
            brand=brand,
            segment=Segment(person.segment),
            adviser=adviser,
            packages=frozenset(),
            room=RoomName("draft"),
            region="",
            purpose=" ".join(purpose.split()),
            language=person.language,
            starts_at=starts_at,
            ends_at=starts_at,
            booked_at=starts_at,
            retain_until=starts_at,
        )
        place = Participant(
            id=ParticipantId("p_draft"),
            meeting=meeting.id,
            capacity=Capacity.CUSTOMER,
            state=ParticipantState.INVITED,
            person=customer,
            language=person.language,
        )
        return self._words.subject_and_body(
            brand=brand,
            language=person.language,
            template="invitation",
            channel="email",
            values=self._values(meeting, place, person) | {"link": f"{self._brand(brand).url}/m/…"},
        )

    def send_again(self, errand_id: str, *, channel: str = "", actor: str = "system") -> Errand:
        """Put a delivery that was given up back in line, over another channel when one is named.

        Raises ConflictError, InvalidInputError naming "channel", RefusedError where link and code would meet.
        """
        errand = self._meetings.get_errand(errand_id)
        if errand.state != "failed" or "participant" not in errand.body:
            raise ConflictError("This delivery has not failed.")
        now = self._clock()
        place = self._meetings.participant(ParticipantId(errand.body["participant"]))
        way = channel or errand.body["channel"]
        data = {"template": errand.body["template"], "channel": way}
        if way not in self._extensions.channels():
            raise InvalidInputError("No plugin offers this channel.", field="channel")
        with_link = errand.body["template"] in WITH_LINK
        act = Act("invitation.again", actor, now, place.meeting, place.id, data)
        if channel:
            self._check_way(place, channel, act, with_link=with_link)
        again = replace(errand, state="waiting", attempts=0, due_at=now, body={**errand.body, "channel": way})

        def effect(tx: MeetingTx) -> Errand:
            if with_link and way != place.link_channel and place.link_channel:
                earlier = place.link_channels
                tx.save_participant(replace(place, link_channel=way, earlier_link_channels=earlier))
            tx.save_errand(again)
            return again

        return self._acts.perform(act, effect=effect)

    def _check_apart(self, place: Participant, person: Person, channel: str) -> None:
        """Link and code were apart when the link went; an address that was changed since may have joined them."""
        who = place.person or place.id
        act = Act("sign_in.started", who, self._clock(), place.meeting, place.id)
        self._acts.require(act, may_send_code(place, person, channel))

    def _check_way(self, place: Participant, channel: str, act: Act, *, with_link: bool) -> None:
        """A link that takes another way still needs a number without a guess and may not meet its code (R060, R212)."""
        person = self._people.get(place.person) if place.person else None
        address = getattr(person, ADDRESS.get(channel, ""), "") if person else ""
        if not person or not address:
            detail = "The person has no address on this channel."
            raise InvalidInputError(detail, field="channel", reason="nowhere")
        if with_link and not takes_link(person, channel):
            self._acts.refuse(act, UNREADABLE)
        if place.code_channel:
            code_address = getattr(person, ADDRESS[place.code_channel])
            verdict = may_carry(address, code_address, link_channel=channel, code_channel=place.code_channel)
            self._acts.require(act, verdict)

    def _compose(self, errand: Errand, meeting: Meeting, place: Participant) -> OutboundMessage:
        if place.person is None:
            raise NotFoundError("There is nobody to write to.")
        person = self._people.get(place.person)
        template, channel = errand.body["template"], errand.body["channel"]
        address = address_of(person, channel)
        if not address:
            raise DeliveryFailedError("The person has no address on this channel.", retry=False)
        values = self._values(meeting, place, person)
        subject, text = self._words.subject_and_body(
            brand=meeting.brand, language=place.language, template=template, channel=channel, values=values
        )
        if values["link"] in text and not takes_link(person, channel):
            raise DeliveryFailedError("The number needs its country code before a link goes there.", retry=False)
        attachments: tuple[tuple[str, str, bytes], ...] = ()
        if channel == "email" and template in _WITH_CALENDAR:
            data = calendar_file(
                uid=f"{meeting.id}@{meeting.brand}",
                starts_at=meeting.starts_at,
                ends_at=meeting.ends_at,
                now=self._clock(),
                title=subject,
                description=text,
                organizer=self._brand(meeting.brand).name,
                sequence=meeting.version,
                cancelled=template == "cancelled",
            )
            attachments = (("meeting.ics", "text/calendar", data),)
        return OutboundMessage(
            message_id=errand.id,
            channel=channel,
            address=address,
            sender_name=self._brand(meeting.brand).name,
            subject=subject,
            text=text,
            attachments=attachments,
        )

    def _values(self, meeting: Meeting, place: Participant, person: Person) -> dict[str, str]:
        brand = self._brand(meeting.brand)
        meeting_type = self._policy.type(meeting.type_ref)
        adviser = self._people.find(meeting.adviser) if meeting.adviser else None
        rule = sign_in_for(self._policy, situation(self._policy, meeting, place))
        date, time = self._words.date_and_time(meeting.starts_at, place.language, ZoneInfo(brand.time_zone))
        return {
            "bank": brand.name,
            "adviser": adviser.name if adviser else brand.name,
            "purpose": meeting.purpose,
            "meeting": meeting_type.title[place.language],
            "date": date,
            "time": time,
            "link": f"{brand.url}/m/{self._links.secret(place.id)}",
            "sign_in": self._words.sign_in_words(rule.providers, place.language),
            "phone": brand.phone,
            "name": person.name,
        }

    def _failed(self, errand: Errand, place: Participant, error: TillitError) -> None:
        tried = after_failure(errand, error, now=self._clock())
        if tried.state == "waiting":
            self._finish(tried)
            return
        data = {"template": errand.body["template"], "channel": errand.body["channel"], "attempts": tried.attempts}
        act = Act("invitation.failed", "system", self._clock(), place.meeting, place.id, data)
        self._acts.perform(act, effect=lambda tx: tx.save_errand(tried))

    def _finish(self, errand: Errand) -> None:
        self._meetings.write(lambda tx: tx.save_errand(errand))
