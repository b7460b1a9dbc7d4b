"""The adviser's desk: today, booking, one meeting, journals, message templates, the rules."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import (
    Blueprint,
    Response,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    stream_with_context,
)
from werkzeug.wrappers import Response as AnyResponse

from sidecar.domain.audit import Entry
from sidecar.domain.errors import InvalidInputError, NotFoundError
from sidecar.domain.ids import MeetingId, PersonId
from sidecar.domain.journal import describe
from sidecar.domain.meetings import FINAL_STATES, Meeting, MeetingState, Participant, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Situation, consequences, may_book, overdue
from sidecar.services.booking import UNDO_TTL, Booker, BookingRequest
from sidecar.services.ports import Announcement
from sidecar.web.access import access
from sidecar.web.feed import HEARTBEAT, event
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import client_ip, feed, services, sessions, staff, translator
from sidecar.web.room import guest_of
from sidecar.web.room_state import region_name, verified_label

desk = Blueprint("desk", __name__, url_prefix="/desk")

_JOURNAL_DAYS = 90
_SLOT = timedelta(minutes=45)  # an ordinary meeting
_SLOTS = 8
_CHANGES_DESK = frozenset(
    {
        "meeting.booked",
        "meeting.cancelled",
        "meeting.moved",
        "meeting.opened",
        "meeting.ended",
        "meeting.missed",
        "lobby.entered",
        "lobby.choice",
        "participant.left",
        "participant.joined",
        "invitation.failed",
        "invitation.sent",
        "sign_in.completed",
        "sign_in.wrong_person",
        "call.picked_up",
    }
)


@desk.get("")
@access("staff")
def today() -> str:
    """Show today's meetings, who knocks, the calls in line and what is to be done."""
    product, me, t = services(), staff(), translator()
    now = product.clock()
    start, end = _day(now)
    meetings = product.meetings.between(start, end, adviser=me.id)
    rows = [_row(m) for m in meetings if not _was_undone(m)]
    knocks = [
        {
            "meeting": row["id"],
            "type": row["type"],
            "starts": row["starts"],
            "name": person["name"],
            "initials": person["initials"],
            "verified": person["verified"],
            "verified_at": person["verified_at"],
            "minutes": person["minutes"],
            "choice": person["choice"],
            "is_open": row["state"] == "open",
        }
        for row in rows
        for person in row["people"]
        if person["state"] == "waiting"
    ]
    calls = []
    if product.staff.may(me, "take_on_demand"):
        calls = [
            {
                "meeting": meeting.id,
                "type": product.policy.type(meeting.type_ref).title[t.language],
                **_person(place, now),
            }
            for meeting, place in product.on_demand.waiting()
        ]
    hours = product.hours(g.brand.id)
    closes = hours.closes_at(now)
    return _page(
        "staff/today.html",
        date=now,
        rows=rows,
        knocks=knocks,
        calls=calls,
        todo=_todo(meetings),
        open_until=closes,
        opens_next=None if closes else hours.opens_next(now),
        overdue_reviews=overdue(product.policy, now.date()) if product.staff.may(me, "read_rules") else [],
    )


@desk.get("/events")
@access("staff")
def events() -> Response:
    """Tell the desk's page that something changed; it fetches the part anew."""

    def stream() -> Iterator[str]:
        def wanted(told: Announcement) -> bool:
            return told.kind in _CHANGES_DESK

        for told in feed().listen(wanted):
            yield event("changed", {"kinds": sorted({a.kind for a in told})}) if told else HEARTBEAT

    return Response(
        stream_with_context(stream()),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@desk.get("/book")
@access("staff")
def book_page() -> str:
    """Show the booking form: the two or three ordinary types first, the others behind 'more'."""
    product, me, t = services(), staff(), translator()
    product.staff.require(me, "book")
    now = product.clock()
    types = [
        {
            "name": each.name,
            "ref": each.ref,
            "title": each.title[t.language],
            "summary": each.summary[t.language],
            "band": each.band.value,
            "order": each.band.order + 1,
            "ordinary": each.ordinary,
            "segments": sorted(segment.value for segment in each.segments),
            "needs_national_id": "code" not in each.sign_in.kinds,
            "consequences": consequences(product.policy, _customer_situation(each), t.language),
        }
        for each in product.policy.current_types(today=now.date())
        if any(may_book(product.policy, me.packages, segment, each).allowed for segment in each.segments)
    ]
    return _page("staff/book.html", types=types, times=_free_times(now), today=now, days=_days(now))


@desk.get("/customers")
@access("staff")
def customers() -> Response:
    """Find customers by the beginning of their names or places. Answers at most eight."""
    product, me = services(), staff()
    product.staff.require(me, "book")
    found = product.people.search_customers(request.args.get("q", "")[:80])
    return jsonify(
        [
            {
                "id": person.id,
                "name": person.name,
                "locality": person.locality,
                "segment": person.segment,
                "channels": [c for c in ("inbox", "email") if getattr(person, c)],
            }
            for person in found
        ]
    )


@desk.get("/times")
@access("staff")
def times() -> Response:
    """Return the adviser's free times on one day: [{value, label}]."""
    day = _moment(request.args.get("day", ""), field="day")
    return jsonify(_free_times(day))


@desk.post("/book")
@access("staff")
def book() -> Response:
    """Book from the form's JSON. Answers where the receipt is."""
    product, me = services(), staff()
    product.staff.require(me, "book")
    body = json_body()
    minutes = body.get("minutes", 45)
    if not isinstance(minutes, int) or isinstance(minutes, bool):
        raise InvalidInputError("The length is a whole number of minutes.", field="minutes")
    guests = body.get("guests") or []
    if not isinstance(guests, list) or not all(isinstance(guest, dict) for guest in guests):
        raise InvalidInputError("The guests are a list.", field="guests")
    customer = product.people.get(PersonId(text_of(body, "customer", longest=60)))
    meeting = product.booking.book(
        BookingRequest(
            type_name=text_of(body, "type", longest=60),
            customer=PersonId(customer.id),
            adviser=me.id,
            purpose=text_of(body, "purpose", longest=400),
            starts_at=_starts_at(body),
            duration=timedelta(minutes=minutes),
            brand=g.brand.id,
            language=customer.language,
            guests=[guest_of(guest) for guest in guests],
            case=text_of(body, "case", longest=80, required=False),
        ),
        Booker(actor=me.id, packages=me.packages),
    )
    return jsonify(id=meeting.id, next=f"/desk/meetings/{meeting.id}?booked=1")


@desk.post("/book/preview")
@access("staff")
def preview() -> Response:
    """Return the invitation as it would be written, without booking anything."""
    product = services()
    product.staff.require(staff(), "book")
    body = json_body()
    subject, text = product.messages.draft(
        brand=g.brand.id,
        type_name=text_of(body, "type", longest=60),
        customer=PersonId(text_of(body, "customer", longest=60)),
        adviser=staff().id,
        purpose=text_of(body, "purpose", longest=400),
        starts_at=_starts_at(body),
    )
    return jsonify(subject=subject, text=text)


@desk.get("/meetings/<mid>")
@access("staff")
def meeting_page(mid: str) -> str:
    meeting = _meeting(mid)
    now = services().clock()
    left = (meeting.booked_at + UNDO_TTL - now).total_seconds()
    undo_s = max(0, int(left)) if meeting.state is MeetingState.BOOKED and "booked" in request.args else 0
    errands = [
        {
            "id": errand.id,
            "template": errand.body.get("template"),
            "channel": errand.body.get("channel"),
            "state": errand.state,
            "due_at": errand.due_at,
            "name": _name_of(errand.body.get("participant", "")),
        }
        for errand in services().meetings.errands(meeting.id)
        if errand.kind == "message"
    ]
    return _page("staff/meeting.html", row=_row(meeting), meeting=meeting, undo_s=undo_s, errands=errands)


@desk.post("/meetings/<mid>/undo")
@access("staff")
def undo(mid: str) -> Response:
    services().booking.undo(_meeting(mid).id, actor=staff().id)
    return jsonify(next="/desk/book")


@desk.post("/meetings/<mid>/cancel")
@access("staff")
def cancel(mid: str) -> Response:
    services().booking.cancel(_meeting(mid).id, actor=staff().id)
    return jsonify(next="/desk")


@desk.post("/meetings/<mid>/move")
@access("staff")
def move(mid: str) -> Response:
    services().booking.move(_meeting(mid).id, _starts_at(json_body()), actor=staff().id)
    return jsonify(next=f"/desk/meetings/{mid}")


@desk.post("/meetings/<mid>/late")
@access("staff")
def late(mid: str) -> Response:
    services().staff.running_late(staff(), _meeting(mid))
    return jsonify({})


@desk.post("/meetings/<mid>/pick-up")
@access("staff")
def pick_up(mid: str) -> Response:
    meeting = services().meetings.get(MeetingId(mid))
    services().staff.pick_up(staff(), meeting)
    return jsonify(next=f"/desk/meetings/{mid}")


@desk.post("/meetings/<mid>/guests")
@access("staff")
def add_guest(mid: str) -> Response:
    meeting = _meeting(mid)
    services().staff.require(staff(), "book")
    invited = services().booking.invite_guest(meeting, guest_of(json_body()), actor=staff().id)
    return jsonify(id=invited.id)


@desk.post("/deliveries/<errand>/again")
@access("staff")
def send_again(errand: str) -> Response:
    found = services().meetings.get_errand(errand)
    if found.meeting is None:
        raise NotFoundError("There is no such delivery.")
    _meeting(found.meeting)
    channel = text_of(json_body(), "channel", longest=20, required=False)
    services().messages.send_again(errand, channel=channel)
    return jsonify({})


@desk.get("/meetings/<mid>/enter")
@access("staff")
def enter(mid: str) -> AnyResponse:
    """Open the meeting after the call's own check, and go to the room."""
    product, me = services(), staff()
    checks = sessions().staff().get("call_checks", {})
    checked = checks.get(mid)
    mine = product.admission.open_meeting(
        MeetingId(mid),
        me.id,
        packages=me.packages,
        call_checked_at=datetime.fromisoformat(checked) if checked else None,
    )
    return redirect(f"/v/{mine.id}/room")


@desk.get("/journals")
@access("staff")
def journals() -> str:
    """List meetings that are over: one's own, or all where the role may."""
    product, me = services(), staff()
    now = product.clock()
    everyone = product.staff.may(me, "read_all_journals")
    found = product.meetings.between(
        now - timedelta(days=_JOURNAL_DAYS), now + timedelta(days=1), adviser=None if everyone else me.id
    )
    rows = [_row(m) for m in reversed(found) if m.state in FINAL_STATES and not _was_undone(m)]
    return _page("staff/journals.html", rows=rows, everyone=everyone)


@desk.get("/meetings/<mid>/journal")
@access("staff")
def journal(mid: str) -> str:
    product, t = services(), translator()
    found = product.journals.read(MeetingId(mid), staff())
    meeting_type = product.policy.type(found.meeting.type_ref)
    people = [p for p in found.places if p.joined_at is not None]
    return _page(
        "staff/journal.html",
        row=_row(found.meeting),
        meeting=found.meeting,
        summary={
            "people": len(people),
            "all_identified": all(p.is_staff or p.identified for p in people),
            "documents": 0,
            "signed": 0,
            "recorded": False,
        },
        log=[
            {
                "at": entry.record.at,
                "kind": entry.record.kind,
                "text": describe(entry, t.language, found.names, rules=_rules_in_words(entry, t.language)),
                "refused": entry.record.kind.endswith("refused")
                or entry.record.kind in ("sign_in.wrong_person", "track.dropped", "message.dropped"),
            }
            for entry in found.entries
        ],
        rules={
            "title": meeting_type.title[t.language],
            "version": meeting_type.version,
            "ref": meeting_type.ref,
            "band": meeting_type.band.value,
            "order": meeting_type.band.order + 1,
            "region": found.meeting.region,
            "retain_until": found.meeting.retain_until,
        },
        is_over=found.meeting.state in FINAL_STATES,
    )


@desk.get("/meetings/<mid>/evidence")
@access("staff")
def evidence(mid: str) -> Response:
    data = services().journals.evidence(MeetingId(mid), actor=staff().id, reader=staff())
    return Response(
        data,
        mimetype="application/vnd.tillit.evidence+json",
        headers={
            "Content-Disposition": f'attachment; filename="tillit-{mid}.evidence.json"',
            "Cache-Control": "no-store",
        },
    )


@desk.get("/meetings/<mid>/evidence/check")
@access("staff")
def check_evidence(mid: str) -> Response:
    """Check the evidence file with the same verifier an outsider runs; answers in words."""
    product = services()
    data = product.journals.evidence(MeetingId(mid), actor=staff().id, reader=staff())
    return jsonify(product.check_evidence(data) | {"bytes": len(data), "at": product.clock().isoformat()})


@desk.get("/rules")
@access("staff")
def rules() -> str:
    """Show the meeting types as a lawyer reads them."""
    product, me = services(), staff()
    product.staff.require(me, "read_rules")
    now = product.clock()
    late = {each.ref for each in overdue(product.policy, now.date())}
    return _page(
        "staff/rules.html",
        types=list(product.policy.types.values()),
        overdue=late,
        bands=product.policy.bands,
        never=product.policy.never,
        integrations=product.integration_register(),
        used=product.integrations_used(),
        proved=product.policy.proved,
    )


@desk.get("/help")
@access("staff")
def help_page() -> str:
    return _page("staff/help.html")


@desk.get("/device")
@access("staff")
def device() -> str:
    """Test camera, microphone and speaker before a call."""
    return _page("staff/device.html", ip=client_ip())


def _page(template: str, **context: Any) -> str:
    me = staff()
    product = services()
    return render_template(
        template,
        me=me,
        csrf=sessions().staff()["csrf"],
        may={
            right: product.staff.may(me, right)
            for right in ("book", "edit_messages", "read_rules", "read_all_journals", "take_on_demand")
        },
        now=product.clock(),
        date_text=lambda moment: _capital(translator().date(moment)),
        region=region_name,
        kept=lambda days: timedelta(days=days),
        **context,
    )


def _rules_in_words(entry: Entry, language: str) -> dict[str, str]:
    """Return the rule of a refusal as the sentence the person was told."""
    sentences = services().policy.sentences
    rule, key = str(entry.record.data.get("rule", "")), str(entry.record.data.get("sentence", ""))
    return {rule: sentences.say(key, language)} if key in sentences.keys else {}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _meeting(mid: str) -> Meeting:
    """Return one of the reader's own meetings; a colleague's needs the right to all journals."""
    product, me = services(), staff()
    meeting = product.meetings.get(MeetingId(mid))
    if meeting.adviser != me.id and not product.staff.may(me, "read_all_journals"):
        raise NotFoundError("There is no such meeting, or it is a colleague's.")
    return meeting


def _row(meeting: Meeting) -> dict[str, Any]:
    product, t = services(), translator()
    meeting_type = product.policy.type(meeting.type_ref)
    places = product.meetings.participants(meeting.id)
    now = product.clock()
    people = [_person(p, now) for p in places if not p.is_staff]
    lead = next((p for p in people if p["capacity"] == Capacity.CUSTOMER.value), None)
    return {
        "id": meeting.id,
        "starts": meeting.starts_at,
        "ends": meeting.ends_at,
        "opened": meeting.opened_at,
        "ended": meeting.ended_at,
        "minutes": int(((meeting.ended_at or now) - meeting.opened_at).total_seconds() // 60)
        if meeting.opened_at
        else 0,
        "purpose": meeting.purpose,
        "type": meeting_type.title[t.language],
        "type_ref": meeting.type_ref,
        "band": meeting_type.band.value,
        "order": meeting_type.band.order + 1,  # the picture has one to three bars
        "state": meeting.state.value,
        "status": _status(meeting, places),
        "customer": lead["name"] if lead else "",
        "people": people,
        "guests": [p for p in people if p["capacity"] != Capacity.CUSTOMER.value],
        "room": next((f"/v/{p.id}/room" for p in places if p.staff == staff().id), ""),
        "on_demand": meeting.on_demand,
        "case": meeting.case,
    }


def _status(meeting: Meeting, places: list[Participant]) -> str:
    """Return one of: done, missed, cancelled, open, waiting, identified, ready, not_delivered, invited."""
    if meeting.state is MeetingState.ENDED:
        return "done"
    if meeting.state is not MeetingState.BOOKED:
        return meeting.state.value
    states = {p.state for p in places if not p.is_staff}
    if ParticipantState.WAITING in states:
        return "waiting"
    if any(e.state == "failed" for e in services().meetings.errands(meeting.id)):
        return "not_delivered"
    if ParticipantState.IDENTIFIED in states:
        return "identified"
    if states & {ParticipantState.ARRIVED, ParticipantState.CONSENTED}:
        return "ready"
    return "invited"


def _person(place: Participant, now: datetime) -> dict[str, Any]:
    product, t = services(), translator()
    person = product.people.find(place.person) if place.person else None
    name = person.shown_name if person else ""
    waited = now - place.waiting_since if place.waiting_since else timedelta(0)
    return {
        "id": place.id,
        "name": name,
        "initials": "".join(word[0] for word in name.split()[:2]).upper(),
        "capacity": place.capacity.value,
        "capacity_label": t(f"meeting.capacity.{place.capacity.value}"),
        "state": place.state.value,
        "verified": verified_label(product, place, t),
        "verified_at": place.identified.at if place.identified else None,
        "minutes": int(waited.total_seconds() // 60),
        "choice": place.lobby_choice,
        "wrong_person": place.wrong_person_tries,
        "phone": person.phone if person and place.lobby_choice == "call_me" else "",
    }


def _todo(meetings: list[Meeting]) -> list[dict[str, Any]]:
    """Return what waits for the adviser: invitations that did not arrive, people who want to be called."""
    found: list[dict[str, Any]] = []
    for meeting in meetings:
        for errand in services().meetings.errands(meeting.id):
            if errand.kind == "message" and errand.state == "failed":
                found.append(
                    {
                        "kind": "not_delivered",
                        "errand": errand.id,
                        "meeting": meeting.id,
                        "name": _name_of(errand.body.get("participant", "")),
                        "channel": errand.body.get("channel"),
                    }
                )
    return found


def _name_of(pid: str) -> str:
    product = services()
    try:
        place = product.meetings.participant(pid)  # type: ignore[arg-type]
    except NotFoundError:
        return ""
    person = product.people.find(place.person) if place.person else None
    return person.shown_name if person else ""


def _was_undone(meeting: Meeting) -> bool:
    return (
        meeting.state is MeetingState.CANCELLED
        and meeting.ended_at is not None
        and meeting.ended_at <= meeting.booked_at + UNDO_TTL
    )


def _customer_situation(meeting_type: Any) -> Situation:
    return Situation(
        type=meeting_type,
        segment=sorted(meeting_type.segments)[0],
        packages=staff().packages,
        capacity=Capacity.CUSTOMER,
        raises=(),
    )


def _day(moment: datetime) -> tuple[datetime, datetime]:
    local = moment.astimezone(ZoneInfo(g.brand.time_zone))
    start = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + timedelta(days=1)


def _days(now: datetime) -> list[datetime]:
    start, _ = _day(now)
    return [start + timedelta(days=days) for days in range(14)]


def _starts_at(body: dict[str, Any]) -> datetime:
    """Return the time a form sent; without an offset it is the clock on the brand's wall."""
    return _moment(text_of(body, "starts_at", longest=40), field="starts_at")


def _moment(text: str, *, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError("This is not a time.", field=field) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(g.brand.time_zone))


def _free_times(day: datetime) -> list[dict[str, str]]:
    """Return the adviser's free times that day inside opening hours, "now" first where it is open now."""
    product, t = services(), translator()
    now = product.clock()
    start, end = _day(day)
    taken = [
        (m.starts_at, m.ends_at)
        for m in product.meetings.between(start, end, adviser=staff().id)
        if m.state in (MeetingState.BOOKED, MeetingState.OPEN)
    ]
    hours = product.hours(g.brand.id)
    found = []
    if start <= now < end and hours.is_open(now):
        found.append({"value": now.isoformat(timespec="seconds"), "label": t("desk.book.now")})
    slot = start
    while slot < end and len(found) < _SLOTS:
        busy = any(begin < slot + _SLOT and slot < stop for begin, stop in taken)
        if slot > now and not busy and hours.is_open(slot):
            found.append({"value": slot.isoformat(), "label": t.clock(slot)})
        slot += _SLOT
    return found
