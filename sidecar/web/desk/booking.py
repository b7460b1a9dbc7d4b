"""Booking at the desk: the adviser picks a type, a customer and a time; what follows is shown before it is sent."""

from datetime import datetime, timedelta
from typing import Any

from flask import Response, g, jsonify, render_template, request

from sidecar.domain.addresses import may_carry
from sidecar.domain.errors import InvalidInputError, NotFoundError, RefusedError
from sidecar.domain.ids import PersonId
from sidecar.domain.meetings import MeetingState
from sidecar.domain.national_ids import NationalIdError, normalise
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Decision, MeetingType, Segment, Situation, consequences, may_book
from sidecar.services.booking import Booker, BookingRequest, GuestRequest, room_for
from sidecar.services.ports import Person
from sidecar.services.ways import Ways
from sidecar.web.access import access
from sidecar.web.desk.blueprint import desk, moment_of, own_meeting
from sidecar.web.desk.times import days_ahead, first_free
from sidecar.web.forms import json_body, minutes_of, text_of
from sidecar.web.guard import services, staff, translator
from sidecar.web.room import guest_of

_LENGTHS = (15, 30, 45, 60, 90)
_ORDINARY_MINUTES = 45


@desk.get("/book")
@access("staff")
def book_page() -> str:
    """Show the form: the two or three ordinary types first, the others behind "more". again: a meeting to copy."""
    product, me, t = services(), staff(), translator()
    product.staff.require(me, "book")
    now = product.clock()
    types: list[dict[str, Any]] = [
        {
            "name": each.name,
            "title": each.title[t.language],
            "summary": each.summary[t.language],
            "band": each.band.value,
            "order": each.band.order + 1,
            "ordinary": each.ordinary,
            "needs_national_id": "code" not in each.sign_in.kinds,
            "more_customers": each.max_customers > 1,
        }
        for each in product.policy.current_types(today=now.date())
        if any(may_book(product.policy, me.packages, segment, each).allowed for segment in each.segments)
    ]
    draft = _draft(request.args.get("again", ""))
    names = [each["name"] for each in types]
    chosen = draft["type"] if draft and draft["type"] in names else next(iter(names), "")
    minutes = draft["minutes"] if draft else _ORDINARY_MINUTES
    day, times = first_free(now, timedelta(minutes=minutes))
    return render_template(
        "staff/book.html",
        types=types,
        chosen=chosen,
        follows=_follows(product.policy.current(chosen, today=now.date()), _draft_customer(draft), [])
        if chosen
        else {},
        times=times,
        day=day,
        days=days_ahead(now),
        lengths=sorted({*_LENGTHS, minutes}),
        minutes=minutes,
        draft=draft,
        undone="undone" in request.args,
        may_invite=any(
            product.booking.may_invite(each, segment, me.packages).allowed
            for each in product.policy.current_types(today=now.date())
            for segment in each.segments
        ),
    )


@desk.get("/customers")
@access("staff")
def customers() -> Response:
    """Find customers by the beginning of their names or places. Answers at most eight."""
    product = services()
    product.staff.require(staff(), "book")
    found = product.people.search_customers(request.args.get("q", "")[:80])
    return jsonify([_shown(person) for person in found])


@desk.post("/book/follows")
@access("staff")
def follows() -> Response:
    """Say what follows from a choice of type, customer and guests. {type, customer, guests: [{name, capacity}]}."""
    product = services()
    product.staff.require(staff(), "book")
    body = json_body()
    chosen = product.policy.current(text_of(body, "type", longest=60), today=product.clock().date())
    customer = text_of(body, "customer", longest=60, required=False)
    person = product.people.get(PersonId(customer)) if customer else None
    return jsonify(_follows(chosen, person, _observers(body)))


@desk.post("/book/guest")
@access("staff")
def check_guest() -> Response:
    """Say whether a guest can be invited, before the booking is sent. {type, name, capacity, email, phone, ...}.

    Raises InvalidInputError naming the field, RefusedError where link and code would meet (R060).
    """
    product = services()
    product.staff.require(staff(), "book")
    body = json_body()
    chosen = product.policy.current(text_of(body, "type", longest=60), today=product.clock().date())
    _check_guest(guest_of(body), chosen)
    return jsonify({})


@desk.post("/book")
@access("staff")
def book() -> Response:
    """Book from the form's JSON. Answers where the receipt is."""
    product, me = services(), staff()
    product.staff.require(me, "book")
    body = json_body()
    duration = minutes_of(body, "minutes", default=_ORDINARY_MINUTES)
    customer = product.people.get(PersonId(text_of(body, "customer", longest=60)))
    meeting = product.booking.book(
        BookingRequest(
            type_name=text_of(body, "type", longest=60),
            customer=PersonId(customer.id),
            adviser=me.id,
            purpose=text_of(body, "purpose", longest=400),
            starts_at=_starts_at(body),
            duration=duration,
            brand=g.brand.id,
            language=customer.language,
            guests=[guest_of(guest) for guest in _guests(body)],
            case=text_of(body, "case", longest=80, required=False),
        ),
        Booker(actor=me.id, packages=me.packages),
    )
    return jsonify(id=meeting.id, next=f"/desk/meetings/{meeting.id}?booked=1")


@desk.post("/book/preview")
@access("staff")
def preview() -> Response:
    """Return the invitation as it would be written, without booking anything."""
    product, t = services(), translator()
    product.staff.require(staff(), "book")
    body = json_body()
    customer = product.people.get(PersonId(text_of(body, "customer", longest=60)))
    subject, text = product.messages.draft(
        brand=g.brand.id,
        type_name=text_of(body, "type", longest=60),
        customer=PersonId(customer.id),
        adviser=staff().id,
        purpose=text_of(body, "purpose", longest=400),
        starts_at=_starts_at(body),
    )
    return jsonify(
        subject=subject,
        text=text,
        language=customer.language,
        sent=t("desk.book.letter.sent", bank=g.brand.name, name=customer.shown_name),
    )


def _follows(meeting_type: MeetingType, customer: Person | None, observers: list[str]) -> dict[str, Any]:
    """Return {title, lines: [{icon, heading, text}], rules, invitation, refusal} for the reader."""
    product, me, t = services(), staff(), translator()
    segment = Segment(customer.segment) if customer else _usual_segment(meeting_type)
    allowed = may_book(product.policy, me.packages, segment, meeting_type)
    where = Situation(type=meeting_type, segment=segment, packages=me.packages, capacity=Capacity.CUSTOMER)
    ways = product.booking.ways(where, customer) if customer else None
    if allowed.allowed and isinstance(ways, Decision):
        allowed = ways
    lines = consequences(
        product.policy,
        where,
        t.language,
        customer=_given(customer.shown_name) if customer else "",
        country=customer.country if customer else "",
        stored_in=_stored_in(customer) if customer else "",
        observers=observers,
    )
    return {
        "title": t("desk.book.follows", type=meeting_type.title[t.language]),
        "lines": [{"icon": icon, "heading": heading, "text": text} for icon, heading, text in lines],
        "rules": t("desk.book.rules", ref=meeting_type.title[t.language], version=meeting_type.version),
        "rules_url": f"/desk/rules/{meeting_type.name}",
        "invitation": _invitation(customer, ways),
        "refusal": "" if allowed.allowed else product.policy.sentences.say(allowed, t.language),
    }


def _invitation(customer: Person | None, ways: Ways | Decision | None) -> str:
    """Say which way the invitation will take to this customer."""
    t = translator()
    if customer is None:
        return t("desk.book.sent.unknown")
    if ways is None:
        return t("desk.book.sent.nowhere", name=_given(customer.shown_name))
    if isinstance(ways, Decision):
        return t("desk.book.sent.not_yet")
    if ways.link == "inbox":
        return t("desk.book.sent.inbox_and_notice" if customer.phone else "desk.book.sent.inbox")
    return t(f"desk.book.sent.{ways.link}" + ("_and_code" if ways.code else ""))


def _check_guest(guest: GuestRequest, meeting_type: MeetingType) -> None:
    room = room_for(meeting_type, [guest.capacity], customers=1)
    if not room.allowed:
        raise RefusedError("One customer is all this type has room for.", rule=room.rule, sentence=room.sentence)
    if "@" not in guest.email:
        detail = "A guest needs an e-mail address for the invitation."
        raise InvalidInputError(detail, field="email", reason="missing")
    takes_code = "code" in meeting_type.sign_in.kinds
    if takes_code and not guest.phone:
        raise InvalidInputError("The code needs a mobile number.", field="phone", reason="missing")
    if takes_code:
        verdict = may_carry(guest.email, guest.phone, link_channel="email", code_channel="sms")
        if not verdict.allowed:
            raise RefusedError("Link and code would meet.", rule=verdict.rule, sentence=verdict.sentence)
    if guest.national_id:
        try:
            normalise(guest.national_id, country=guest.country)
        except NationalIdError as error:
            raise InvalidInputError(str(error), field="national_id", reason=error.reason) from error
    elif not takes_code:
        raise InvalidInputError("This meeting asks for an electronic ID.", field="national_id", reason="missing")


def _draft(mid: str) -> dict[str, Any] | None:
    """Return the answers of a cancelled or missed meeting of one's own, to book it once more."""
    if not mid:
        return None
    try:
        meeting = own_meeting(mid)
    except NotFoundError:
        return None
    places = services().meetings.participants(meeting.id)
    lead = next((each.person for each in places if each.capacity is Capacity.CUSTOMER), None)
    person = services().people.find(lead) if lead else None
    if meeting.state not in (MeetingState.CANCELLED, MeetingState.MISSED) or person is None:
        return None
    return {
        "type": services().policy.type(meeting.type_ref).name,
        "customer": _shown(person),
        "purpose": meeting.purpose,
        "minutes": int((meeting.ends_at - meeting.starts_at).total_seconds() // 60),
    }


def _draft_customer(draft: dict[str, Any] | None) -> Person | None:
    return services().people.find(PersonId(draft["customer"]["id"])) if draft else None


def _shown(person: Person) -> dict[str, str]:
    return {"id": person.id, "name": person.shown_name, "locality": person.locality}


def _given(name: str) -> str:
    return name.split(" ")[0]


def _usual_segment(meeting_type: MeetingType) -> Segment:
    return Segment.PRIVATE if Segment.PRIVATE in meeting_type.segments else Segment.CORPORATE


def _stored_in(customer: Person) -> str:
    """Return the country the customer's data will lie in, "" where the region's name does not say it."""
    product = services()
    region = product.settings.stores.domiciles.get(customer.country, "")
    country = region.rpartition("-")[2].upper()
    return country if f"in-country.{country}" in product.policy.sentences.keys else ""


def _guests(body: dict[str, Any]) -> list[dict[str, Any]]:
    guests = body.get("guests") or []
    if not isinstance(guests, list) or not all(isinstance(guest, dict) for guest in guests):
        raise InvalidInputError("The guests are a list.", field="guests")
    return guests


def _observers(body: dict[str, Any]) -> list[str]:
    """Return the observers' given names."""
    return [
        _given(text_of(guest, "name", longest=200))
        for guest in _guests(body)
        if guest.get("capacity") == Capacity.OBSERVER.value
    ]


def _starts_at(body: dict[str, Any]) -> datetime:
    return moment_of(text_of(body, "starts_at", longest=40), field="starts_at")
