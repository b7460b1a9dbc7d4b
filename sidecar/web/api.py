"""The open API: what the dashboard does, for the bank's own booking page or CRM. Described in openapi.py."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint, Response, jsonify, request

from sidecar.domain.clock import to_text
from sidecar.domain.errors import InvalidInputError, RefusedError
from sidecar.domain.identity import Subject
from sidecar.domain.ids import MeetingId, PersonId, StaffId, new_id
from sidecar.domain.meetings import Meeting, Participant
from sidecar.domain.national_ids import NationalIdError, normalise
from sidecar.services.acts import Act
from sidecar.services.booking import Booker, BookingRequest
from sidecar.services.ports import Person
from sidecar.web.access import access
from sidecar.web.forms import json_body, minutes_of, only, text_of, time_of
from sidecar.web.guard import api_caller, services
from sidecar.web.openapi import SCHEMAS, document
from sidecar.web.room import guest_of

api = Blueprint("api", __name__, url_prefix="/api")

View = TypeVar("View", bound=Callable[..., Any])


def right(name: str) -> Callable[[View], View]:
    """Require a right of the calling system's key: "book", "read" or "evidence"."""

    def wrap(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            caller = api_caller()
            if name not in caller.rights:
                act = Act("system.denied", caller.id, services().clock(), data={"right": name})
                services().acts.note(act)
                raise RefusedError(
                    f"This key does not hold the right '{name}'.", rule=f"api/{name}", sentence="refused"
                )
            return view(*args, **kwargs)

        return checked  # type: ignore[return-value]  # wraps keeps the signature

    return wrap


@api.get("/openapi.json")
@access("anyone")
def openapi() -> Response:
    return jsonify(document(request.url_root.rstrip("/"), services().plugins.routes()))


@api.get("/v1/meeting-types")
@access("system")
@right("read")
def meeting_types() -> Response:
    product = services()
    types = product.policy.current_types(today=product.clock().date())
    return jsonify(
        [
            {
                "name": each.name,
                "ref": each.ref,
                "band": each.band.value,
                "title": dict(each.title),
                "summary": dict(each.summary),
                "segments": sorted(segment.value for segment in each.segments),
                "sign_in": sorted(each.sign_in.kinds),
                "on_demand": each.on_demand,
            }
            for each in types
        ]
    )


@api.post("/v1/meetings")
@access("system")
@right("book")
def book() -> tuple[Response, int]:
    """Book for a named adviser and a customer of the register, or one described here."""
    product, caller = services(), api_caller()
    body = only(json_body(), _fields("Booking"))
    adviser = StaffId(text_of(body, "adviser", longest=60))
    member = product.staff.member(adviser)
    guests = body.get("guests", [])
    if not isinstance(guests, list) or not all(isinstance(guest, dict) for guest in guests):
        raise InvalidInputError("The guests are a list of objects.", field="guests")
    brand = text_of(body, "brand", longest=60, required=False) or next(iter(product.brands))
    if brand not in product.brands:
        raise InvalidInputError("There is no such brand.", field="brand")
    customer = _customer(body)
    meeting = product.booking.book(
        BookingRequest(
            type_name=text_of(body, "type", longest=60),
            customer=customer,
            adviser=adviser,
            purpose=text_of(body, "purpose", longest=400),
            starts_at=time_of(body, "starts_at"),
            duration=minutes_of(body, "minutes", default=45),
            brand=brand,
            language=customer.language,
            guests=[guest_of(only(guest, _fields("Guest"), where="guests.")) for guest in guests],
            case=text_of(body, "case", longest=80, required=False),
        ),
        Booker(actor=caller.id, packages=member.packages),
    )
    return jsonify(_meeting(meeting)), 201


@api.get("/v1/meetings")
@access("system")
@right("read")
def meetings() -> Response:
    """List meetings that start between two moments, at most 31 days apart."""
    product = services()
    start = _query_time("from", product.clock() - timedelta(days=1))
    end = _query_time("to", start + timedelta(days=7))
    if not timedelta(0) < end - start <= timedelta(days=31):
        raise InvalidInputError("Ask for at most 31 days, the earlier moment first.", field="to")
    return jsonify([_meeting(each) for each in product.meetings.between(start, end)])


@api.get("/v1/meetings/<mid>")
@access("system")
@right("read")
def meeting(mid: str) -> Response:
    return jsonify(_meeting(services().meetings.get(MeetingId(mid))))


@api.delete("/v1/meetings/<mid>")
@access("system")
@right("book")
def cancel(mid: str) -> tuple[str, int]:
    services().booking.cancel(MeetingId(mid), actor=api_caller().id)
    return "", 204


@api.post("/v1/meetings/<mid>/guests")
@access("system")
@right("book")
def add_guest(mid: str) -> tuple[Response, int]:
    product = services()
    found = product.meetings.get(MeetingId(mid))
    guest = guest_of(only(json_body(), _fields("Guest")))
    place = product.booking.invite_guest(found, guest, actor=api_caller().id)
    return jsonify(_place(place)), 201


@api.get("/v1/meetings/<mid>/journal")
@access("system")
@right("evidence")
def journal(mid: str) -> Response:
    """Return the meeting's events: kinds, times and pseudonyms, no names."""
    product = services()
    found = product.meetings.get(MeetingId(mid))
    product.acts.note(Act("journal.read", api_caller().id, product.clock(), found.id))
    return jsonify(
        [
            {
                "index": entry.index,
                "kind": entry.record.kind,
                "at": to_text(entry.record.at),
                "actor": entry.record.actor,
                "data": dict(entry.record.data),
            }
            for entry in product.audit.read(found.id)
        ]
    )


@api.get("/v1/meetings/<mid>/evidence")
@access("system")
@right("evidence")
def evidence(mid: str) -> Response:
    data = services().journals.evidence(MeetingId(mid), actor=api_caller().id)
    return Response(data, mimetype="application/vnd.tillit.evidence+json")


@api.get("/v1/integrations")
@access("system")
@right("read")
def integrations() -> Response:
    """List every integration with its approval, and those that meetings really used."""
    product = services()
    return jsonify(register=product.integration_register(), used=product.integrations_used())


def _meeting(found: Meeting) -> dict[str, Any]:
    product = services()
    meeting_type = product.policy.type(found.type_ref)
    return {
        "id": found.id,
        "state": found.state.value,
        "type": found.type_ref,
        "band": meeting_type.band.value,
        "segment": found.segment.value,
        "brand": found.brand,
        "purpose": found.purpose,
        "case": found.case,
        "region": found.region,
        "starts_at": to_text(found.starts_at),
        "ends_at": to_text(found.ends_at),
        "opened_at": to_text(found.opened_at) if found.opened_at else None,
        "ended_at": to_text(found.ended_at) if found.ended_at else None,
        "retain_until": to_text(found.retain_until),
        "participants": [_place(place) for place in product.meetings.participants(found.id)],
    }


def _place(place: Participant) -> dict[str, Any]:
    identified = place.identified
    return {
        "id": place.id,
        "person": place.person or place.staff,
        "capacity": place.capacity.value,
        "state": place.state.value,
        "identified": {
            "provider": identified.provider,
            "method": identified.method,
            "at": to_text(identified.at),
        }
        if identified
        else None,
    }


def _fields(schema: str) -> frozenset[str]:
    """Return the fields the description names: what it does not name is refused."""
    return frozenset(SCHEMAS[schema]["properties"])


def _customer(body: dict[str, Any]) -> Person:
    """Return the customer: by id, or described with the personal number that the sign-in must match."""
    described = body.get("customer")
    people = services().people
    if isinstance(described, str):
        return people.get(PersonId(described))
    if not isinstance(described, dict):
        raise InvalidInputError("Name the customer by id, or describe one.", field="customer")
    only(described, _fields("Customer"), where="customer.")
    country = text_of(described, "country", longest=2, required=False) or "SE"
    subjects: tuple[Subject, ...] = ()
    number = text_of(described, "national_id", longest=40, required=False)
    if number:
        try:
            subjects = (normalise(number, country=country),)
        except NationalIdError as error:
            raise InvalidInputError(str(error), field="customer.national_id", reason=error.reason) from error
    known = people.find_by_subject(subjects[0]) if subjects else None
    if known is not None:
        return known
    segment = text_of(described, "segment", longest=20, required=False) or "private"
    if segment not in ("private", "corporate"):
        raise InvalidInputError("A segment is private or corporate.", field="customer.segment")
    return Person(
        id=new_id("per"),
        kind="customer",
        name=text_of(described, "name", longest=200),
        email=text_of(described, "email", longest=300, required=False),
        phone=text_of(described, "phone", longest=40, required=False),
        inbox=text_of(described, "inbox", longest=120, required=False),
        subjects=subjects,
        locality=text_of(described, "locality", longest=120, required=False),
        language=text_of(described, "language", longest=2, required=False) or "sv",
        country=country,
        segment=segment,
    )


def _query_time(name: str, default: datetime) -> datetime:
    return time_of(dict(request.args), name) if name in request.args else default
