"""Booking a meeting: the type is chosen, everything else follows from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sidecar.domain.clock import to_text
from sidecar.domain.errors import ConfigurationError, ConflictError, InvalidInputError
from sidecar.domain.identity import Subject
from sidecar.domain.ids import MeetingId, ParticipantId, PersonId, StaffId, new_id
from sidecar.domain.meetings import FINAL_STATES, Meeting, MeetingState, Participant, ParticipantState
from sidecar.domain.national_ids import NationalIdError, normalise
from sidecar.domain.permissions import INVITED_CAPACITIES, Capacity, Permission
from sidecar.domain.placement import new_room
from sidecar.domain.policy import (
    LANGUAGES,
    Decision,
    MeetingType,
    Policy,
    Raise,
    Segment,
    Situation,
    decide,
    may_book,
    sign_in_for,
)
from sidecar.services.acts import Act, Acts
from sidecar.services.links import Links
from sidecar.services.placement import Placement
from sidecar.services.ports import Errand, Extensions, MeetingStore, MeetingTx, PeopleStore, Person
from sidecar.services.ways import ONE_WAY, Ways, choose_ways, code_channels

UNDO_TTL = timedelta(seconds=10)  # invitations wait this long, so that a slip can be taken back unseen
_PURPOSE_SIGNS = 200
_NAME_SIGNS = 120
_NOT_YOURS = Decision(False, "default/own-meetings", "not-your-case")
_ADDRESS_SIGNS = 254  # RFC 5321 section 4.5.3.1.3
_LONGEST = timedelta(hours=8)
_FURTHEST = timedelta(days=400)
_SOON = timedelta(hours=1)  # a meeting this near needs a shard that answers now; a later one finds it at its start


@dataclass(frozen=True)
class GuestRequest:
    """Somebody besides the first customer: a guest, or a further customer where the type has room.

    national_id: with country, needed where the type asks for an eID.
    """

    name: str = field(repr=False)
    capacity: Capacity
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    national_id: str = field(default="", repr=False)
    country: str = "SE"
    language: str = "sv"


@dataclass(frozen=True)
class BookingRequest:
    """What the dashboard, the open API or a CRM sends.

    customer: a person of the customer register, or a new one, stored once the booking is allowed.
    """

    type_name: str
    customer: PersonId | Person
    adviser: StaffId
    purpose: str
    starts_at: datetime
    duration: timedelta
    brand: str
    language: str = "sv"
    guests: Sequence[GuestRequest] = ()
    case: str = ""


@dataclass(frozen=True)
class Booker:
    """Who books: a staff member with role packages, or a connected system that acts for one."""

    actor: str
    packages: frozenset[str]


class Booking:
    """Books, moves, cancels and takes back meetings, and adds guests to them."""

    def __init__(
        self,
        *,
        acts: Acts,
        meetings: MeetingStore,
        people: PeopleStore,
        policy: Policy,
        extensions: Extensions,
        links: Links,
        clock: Callable[[], datetime],
        region_for: Callable[[str], str],
        placement: Placement,
        link_channels: Sequence[str],
    ) -> None:
        self._acts = acts
        self._meetings = meetings
        self._people = people
        self._policy = policy
        self._extensions = extensions
        self._links = links
        self._clock = clock
        self._region_for = region_for
        self._placement = placement
        self._link_channels = link_channels

    def book(self, request: BookingRequest, booker: Booker) -> Meeting:
        """Book a meeting and queue its invitations.

        Raises InvalidInputError naming the field, RefusedError (role, segment, same address), NotFoundError.
        """
        now = self._clock()
        meeting_type = self._policy.current(request.type_name, today=now.date())
        fresh: list[Person] = []
        customer = self._customer(request.customer, fresh)
        self._check_times(request, now)
        purpose = _text("purpose", request.purpose, _PURPOSE_SIGNS)
        most = meeting_type.max_people - 2  # the adviser and the customer take two places
        if len(request.guests) > most:
            detail = f"At most {most} guests fit in this kind of meeting."
            raise InvalidInputError(detail, field="guests", reason="too_many", most=most)
        segment = Segment(customer.segment)
        meeting_id = MeetingId(new_id("m"))
        act = Act("meeting.booked", booker.actor, now, meeting_id)
        self._acts.require(act, may_book(self._policy, booker.packages, segment, meeting_type))
        if request.guests:
            self._acts.require(act, self.may_invite(meeting_type, segment, booker.packages))
        self._acts.require(act, room_for(meeting_type, [guest.capacity for guest in request.guests], customers=1))
        region = self._region(customer.country)
        shard = self._placement.choose(customer.country, answering=request.starts_at <= now + _SOON)
        if isinstance(shard, Decision):
            self._acts.refuse(act, shard)
        meeting = Meeting(
            id=meeting_id,
            state=MeetingState.BOOKED,
            type_ref=meeting_type.ref,
            brand=request.brand,
            segment=segment,
            adviser=request.adviser,
            packages=booker.packages,
            room=new_room(shard),
            region=region,
            purpose=purpose,
            language=request.language,
            starts_at=request.starts_at,
            ends_at=request.starts_at + request.duration,
            booked_at=now,
            retain_until=request.starts_at + timedelta(days=meeting_type.retention_days),
            case=request.case[:80],
            booked_by=booker.actor,
            domicile=customer.country,
        )
        adviser_place = Participant(
            id=ParticipantId(new_id("p")),
            meeting=meeting_id,
            capacity=Capacity.ADVISER,
            state=ParticipantState.INVITED,
            staff=request.adviser,
            language=self._people.get(request.adviser).language,
        )
        people = [(customer, Capacity.CUSTOMER)]
        people += [(self._guest(meeting, guest, fresh), guest.capacity) for guest in request.guests]
        places = [self._place(meeting, *each, booker.actor, act) for each in people]
        if len({place.person for place in places}) < len(places):
            raise InvalidInputError("The same person is named twice.", field="guests", reason="twice")
        act = replace(
            act,
            data={
                "type": meeting_type.ref,
                "policy_sha256": meeting_type.source_sha256,
                "band": meeting_type.band.value,
                "segment": segment.value,
                "region": meeting.region,
                "shard": shard.id,
                "starts_at": to_text(meeting.starts_at),
                "guests": len(request.guests),
            },
        )
        invites = now + UNDO_TTL

        def effect(tx: MeetingTx) -> Meeting:
            tx.add_meeting(meeting)
            tx.add_participant(adviser_place)
            for place, (person, _) in zip(places, people, strict=True):
                tx.add_participant(place)
                for errand in _invitation_errands(meeting, meeting_type, place, person, invites, _invitation(place)):
                    tx.add_errand(errand)
            return meeting

        return self._acts.perform(act, effect=effect, before=lambda: self._keep(fresh))

    def invite_guest(self, meeting: Meeting, guest: GuestRequest, *, actor: str) -> Participant:
        """Give a guest a place in a booked or running meeting and send the invitation at once."""
        now = self._clock()
        if meeting.state in FINAL_STATES:
            raise ConflictError("The meeting is over.")
        meeting_type = self._policy.type(meeting.type_ref)
        act = Act("guest.invited", actor, now, meeting.id)
        self._check_own(meeting, act)
        self._acts.require(act, self.may_invite(meeting_type, meeting.segment, meeting.packages, meeting.raises))
        places = self._meetings.participants(meeting.id)
        if len(places) >= meeting_type.max_people:
            self._acts.refuse(act, Decision(False, f"{meeting_type.ref}/max_people", "meeting-full"))
        customers = sum(each.capacity is Capacity.CUSTOMER for each in places)
        self._acts.require(act, room_for(meeting_type, [guest.capacity], customers=customers))
        fresh: list[Person] = []
        person = self._guest(meeting, guest, fresh)
        if any(each.person == person.id for each in places):
            raise ConflictError("This person is invited already.", reason="invited")
        place = self._place(meeting, person, guest.capacity, actor, act)
        act = replace(act, participant=place.id, data={"capacity": guest.capacity.value})

        def effect(tx: MeetingTx) -> Participant:
            tx.add_participant(place)
            for errand in _invitation_errands(meeting, meeting_type, place, person, now, _invitation(place)):
                tx.add_errand(errand)
            return place

        return self._acts.perform(act, effect=effect, before=lambda: self._keep(fresh))

    def may_invite(
        self,
        meeting_type: MeetingType,
        segment: Segment,
        packages: frozenset[str],
        raises: tuple[Raise, ...] = (),
    ) -> Decision:
        """Say whether the responsible adviser's role brings guests, whoever asks on the adviser's behalf."""
        where = Situation(meeting_type, segment, packages, Capacity.ADVISER, raises)
        return decide(self._policy, where, Permission.INVITE_GUEST)

    def needs_national_id(self, meeting: Meeting) -> bool:
        """Say whether a guest is invited by personal number: where no code opens the meeting, as it is given now."""
        return "code" not in sign_in_for(self._policy, _as_guest(self._policy, meeting)).kinds

    def ways(self, where: Situation, person: Person) -> Ways | Decision | None:
        """Return which ways link and code would take to this person, or what stands against it; None: none does."""
        left = sign_in_for(self._policy, where).providers
        codes = code_channels(each for name, each in self._extensions.identity_methods().items() if name in left)
        return choose_ways(person, links=self._link_channels, codes=codes)

    def undo(self, meeting_id: MeetingId, *, actor: str) -> None:
        """Take a booking back before its invitations left. Raises ConflictError after that."""
        meeting = self._meetings.get(meeting_id)
        now = self._clock()
        if meeting.state is not MeetingState.BOOKED or now > meeting.booked_at + UNDO_TTL or self._told(meeting.id):
            raise ConflictError("The invitation has already been sent. Cancel the meeting instead.")
        self._close(meeting, actor, "undone")

    def cancel(self, meeting_id: MeetingId, *, actor: str) -> None:
        """Cancel a booked meeting and tell everybody who was invited."""
        meeting = self._meetings.get(meeting_id)
        if meeting.state is not MeetingState.BOOKED:
            raise ConflictError("Only a meeting that has not begun can be cancelled.")
        self._close(meeting, actor, "cancelled")

    def move(self, meeting_id: MeetingId, starts_at: datetime, *, actor: str) -> Meeting:
        """Give a booked meeting a new time, keep its length, tell everybody who was invited."""
        meeting = self._meetings.get(meeting_id)
        now = self._clock()
        if meeting.state is not MeetingState.BOOKED:
            raise ConflictError("Only a meeting that has not begun can be moved.")
        _check_start(starts_at, earliest=now, now=now)
        data = {"from": to_text(meeting.starts_at), "to": to_text(starts_at)}
        act = Act("meeting.moved", actor, now, meeting.id, data=data)
        self._check_own(meeting, act)
        meeting_type = self._policy.type(meeting.type_ref)
        by = starts_at - meeting.starts_at
        moved = replace(
            meeting,
            starts_at=starts_at,
            ends_at=meeting.ends_at + by,
            retain_until=meeting.retain_until + by,
            late_notice_at=None,
        )
        told = self._told(meeting.id)
        invited = [
            (place, self._people.find(place.person) if place.person else None)
            for place in self._meetings.participants(meeting.id)
            if place.link_digest
        ]

        def effect(tx: MeetingTx) -> Meeting:
            saved = tx.save_meeting(moved)
            tx.drop_waiting_errands(meeting.id)
            for place, person in invited:
                template = "moved" if place.id in told else _invitation(place)
                for errand in _invitation_errands(moved, meeting_type, place, person, now, template):
                    tx.add_errand(errand)
            return saved

        return self._acts.perform(act, effect=effect)

    def _close(self, meeting: Meeting, actor: str, why: str) -> None:
        """Call a meeting off, and tell those whom an invitation has reached."""
        now = self._clock()
        act = Act("meeting.cancelled", actor, now, meeting.id, data={"reason": why})
        self._check_own(meeting, act)
        places = self._meetings.participants(meeting.id)
        told = self._told(meeting.id)

        def effect(tx: MeetingTx) -> None:
            tx.save_meeting(replace(meeting, state=MeetingState.CANCELLED, ended_at=now))
            tx.drop_waiting_errands(meeting.id)
            for place in places:
                if place.link_digest and place.id in told:
                    tx.add_errand(_message(meeting.id, place, "cancelled", place.link_channel, now))

        self._acts.perform(act, effect=effect)

    def _told(self, meeting: MeetingId) -> set[str]:
        """Return the places that a message of this meeting has gone out to."""
        done = [errand for errand in self._meetings.errands(meeting) if errand.state == "done"]
        return {errand.body.get("participant", "") for errand in done}

    def _check_own(self, meeting: Meeting, act: Act) -> None:
        """A staff member changes their own meetings; a connected system those its bank books through it."""
        if act.actor.startswith("st_") and meeting.adviser != act.actor:
            self._acts.refuse(act, _NOT_YOURS)

    def _keep(self, people: Sequence[Person]) -> None:
        for person in people:
            self._people.put(person)

    def _customer(self, wanted: PersonId | Person, fresh: list[Person]) -> Person:
        """Return the customer. A new one is checked, and joins those to be stored."""
        if isinstance(wanted, Person) and self._people.find(PersonId(wanted.id)) is None:
            new = replace(wanted, name=_text("customer.name", wanted.name, _NAME_SIGNS))
            _check_person(new, prefix="customer.")
            fresh.append(new)
            return new
        found = self._people.get(PersonId(wanted.id) if isinstance(wanted, Person) else wanted)
        if found.kind == "staff":
            raise InvalidInputError("A staff member is nobody's customer.", field="customer")
        return found

    def _region(self, country: str) -> str:
        """Return where a customer's data lies. Without a rule for the country the bank cannot serve it (R207)."""
        try:
            return self._region_for(country)
        except ConfigurationError as error:
            detail = "Customers in this country cannot be served."
            raise InvalidInputError(detail, field="customer.country", reason="unserved") from error

    def _place(
        self,
        meeting: Meeting,
        person: Person,
        capacity: Capacity,
        invited_by: str,
        act: Act,
    ) -> Participant:
        """Give a person a place. Link and code must not share an address (R060, R212)."""
        ways = self.ways(_as_guest(self._policy, meeting), person)
        if ways is None:
            detail = "There is no address the invitation can be sent to."
            raise InvalidInputError(detail, field="email", reason="nowhere")
        if ways is ONE_WAY and not person.phone:
            raise InvalidInputError("The code needs a mobile number.", field="phone", reason="missing")
        if isinstance(ways, Decision):
            self._acts.refuse(act, ways)
        participant_id = ParticipantId(new_id("p"))
        return Participant(
            id=participant_id,
            meeting=meeting.id,
            capacity=capacity,
            state=ParticipantState.INVITED,
            person=PersonId(person.id),
            link_digest=self._links.digest(self._links.secret(participant_id)),
            link_channel=ways.link,
            code_channel=ways.code,
            language=person.language,
            invited_by=invited_by,
        )

    def _guest(self, meeting: Meeting, guest: GuestRequest, fresh: list[Person]) -> Person:
        """Return the person behind a guest. One the bank does not know joins those to be stored."""
        if guest.capacity not in INVITED_CAPACITIES:
            raise InvalidInputError("A guest is an observer, a representative or a further customer.", field="capacity")
        name = _text("name", guest.name, _NAME_SIGNS)
        if not guest.email or "@" not in guest.email:
            detail = "A guest needs an e-mail address for the invitation."
            raise InvalidInputError(detail, field="email", reason="missing")
        subjects: tuple[Subject, ...] = ()
        if guest.national_id:
            try:
                subjects = (normalise(guest.national_id, country=guest.country),)
            except NationalIdError as error:
                raise InvalidInputError(str(error), field="national_id", reason=error.reason) from error
        elif self.needs_national_id(meeting):
            detail = "This meeting asks for an electronic ID, so the guest's personal number is needed."
            raise InvalidInputError(detail, field="national_id", reason="missing")
        known = next((each for each in fresh if subjects and subjects[0] in each.subjects), None)
        known = known or (self._people.find_by_subject(subjects[0]) if subjects else None)
        if known is not None and known.kind != "guest":
            # The bank's own record of a customer counts, not what an adviser typed: messages go by it too.
            return known
        person = Person(
            id=known.id if known else new_id("per"),
            kind="guest",
            name=name,
            verified_name=known.verified_name if known else "",
            email=guest.email,
            phone=guest.phone,
            subjects=subjects,
            language=guest.language,
            country=guest.country,
        )
        _check_person(person)
        fresh.append(person)
        return person

    @staticmethod
    def _check_times(request: BookingRequest, now: datetime) -> None:
        _check_start(request.starts_at, earliest=now - timedelta(minutes=5), now=now)
        if not timedelta(minutes=5) <= request.duration <= _LONGEST:
            detail = "A meeting lasts from five minutes to eight hours."
            raise InvalidInputError(detail, field="duration", reason="length")


def _check_start(starts_at: datetime, *, earliest: datetime, now: datetime) -> None:
    if starts_at.tzinfo is None:
        raise InvalidInputError("The time needs its time zone.", field="starts_at")
    if starts_at < earliest:
        raise InvalidInputError("The time lies in the past.", field="starts_at", reason="past")
    if starts_at > now + _FURTHEST:
        raise InvalidInputError("The time lies too far away.", field="starts_at", reason="far")


def room_for(meeting_type: MeetingType, invited: Sequence[Capacity], *, customers: int) -> Decision:
    """Say whether these can come beside so many customers: a company may send all its signatories, a person none."""
    further = sum(each is Capacity.CUSTOMER for each in invited)
    return Decision(
        not further or customers + further <= meeting_type.max_customers,
        f"{meeting_type.ref}/max_customers",
        "customers-full",
    )


def _as_guest(policy: Policy, meeting: Meeting) -> Situation:
    """Return what decides how a customer or a guest comes in to this meeting, as it is given now."""
    return Situation(
        policy.type(meeting.type_ref), meeting.segment, meeting.packages, Capacity.CUSTOMER, meeting.raises
    )


def _invitation_errands(
    meeting: Meeting,
    meeting_type: MeetingType,
    place: Participant,
    person: Person | None,
    due_at: datetime,
    template: str,
) -> list[Errand]:
    errands = [_message(meeting.id, place, template, place.link_channel, due_at)]
    if place.link_channel == "inbox" and person is not None and person.phone:
        errands.append(_message(meeting.id, place, "notice", "sms", due_at))
    reminder_at = meeting.starts_at - timedelta(minutes=meeting_type.reminder_minutes)
    if reminder_at > due_at + timedelta(minutes=30):
        errands.append(_message(meeting.id, place, "reminder", place.link_channel, reminder_at))
    return errands


def _invitation(place: Participant) -> str:
    return "invitation" if place.capacity is Capacity.CUSTOMER else "guest_invitation"


def _check_person(person: Person, *, prefix: str = "") -> None:
    """Raise InvalidInputError for an address, language or country that no message could be written with."""
    for label in ("email", "phone", "inbox"):
        value = getattr(person, label)
        if len(value) > _ADDRESS_SIGNS or not value.isprintable():
            raise InvalidInputError("This address cannot be used.", field=prefix + label, reason="address")
    if person.language not in LANGUAGES:
        raise InvalidInputError("Messages are not written in this language.", field=f"{prefix}language")
    if not (len(person.country) == 2 and person.country.isascii() and person.country.isupper()):
        raise InvalidInputError("A country is two capital letters.", field=f"{prefix}country")


def _message(meeting: MeetingId, place: Participant, template: str, channel: str, due_at: datetime) -> Errand:
    """The errand of one message. Its words and addresses are found when it is sent, not stored here."""
    return Errand(
        id=new_id("e"),
        kind="message",
        meeting=meeting,
        due_at=due_at,
        body={"participant": place.id, "template": template, "channel": channel},
    )


def _text(name: str, value: str, longest: int) -> str:
    text = " ".join(value.split())
    if not text:
        raise InvalidInputError("This field may not be empty.", field=name, reason="empty")
    if len(text) > longest:
        raise InvalidInputError(f"At most {longest} signs.", field=name, reason="too_long", most=longest)
    if any(not sign.isprintable() for sign in text):
        raise InvalidInputError("This field holds signs that cannot be shown.", field=name, reason="signs")
    return text
