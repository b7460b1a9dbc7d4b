"""Meetings, people and messages as the desk's pages show them: plain dictionaries, in the reader's language."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sidecar.domain.errors import NotFoundError
from sidecar.domain.ids import ParticipantId
from sidecar.domain.meetings import Meeting, MeetingState, Participant, ParticipantState
from sidecar.domain.message_templates import WITH_LINK
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import staff_sign_in_for
from sidecar.services.booking import UNDO_TTL
from sidecar.services.ports import Errand
from sidecar.services.sending import ADDRESS, address_of
from sidecar.services.ways import takes_link
from sidecar.web.guard import services, staff, translator
from sidecar.web.room_state import verified_label


def row(meeting: Meeting) -> dict[str, Any]:
    """Return one meeting: who, what, when, how far everybody has come, and what a click leads to."""
    product, t = services(), translator()
    meeting_type = product.policy.type(meeting.type_ref)
    places = product.meetings.participants(meeting.id)
    now = product.clock()
    people = [person(place, now) for place in places if not place.is_staff]
    lead = next((each for each in people if each["capacity"] == Capacity.CUSTOMER.value), None)
    mine = meeting.adviser == staff().id
    return {
        "id": meeting.id,
        "mine": mine,
        "starts": meeting.starts_at,
        "ends": meeting.ends_at,
        "opened": meeting.opened_at,
        "ended": meeting.ended_at,
        "minutes": _minutes((meeting.ended_at or now) - meeting.opened_at) if meeting.opened_at else 0,
        "purpose": meeting.purpose,
        "type": meeting_type.title[t.language],
        "name": meeting_type.name,
        "version": meeting_type.version,
        "band": meeting_type.band.value,
        "order": meeting_type.band.order + 1,  # the picture has one to three bars
        "state": meeting.state.value,
        "status": _status(meeting, places),
        "customer": lead["name"] if lead else "",
        "people": people,
        "guests": [each["name"] for each in people if each is not lead],
        "in_room": sum(place.state is ParticipantState.IN_ROOM for place in places),
        "adviser": "" if mine else name_of(meeting.adviser),
        "check": start_check(meeting),
        "soon": meeting.state is MeetingState.OPEN
        or now >= meeting.starts_at - timedelta(minutes=meeting_type.opens_before_minutes),
        "on_demand": meeting.on_demand,
        "case": meeting.case,
    }


def person(place: Participant, now: datetime) -> dict[str, Any]:
    """Return one person's place: the name as verified, how, and where they stand. Never a personal number."""
    product, t = services(), translator()
    found = product.people.find(place.person) if place.person else None
    name = found.shown_name if found else ""
    return {
        "id": place.id,
        "name": name,
        "initials": initials(name),
        "capacity": place.capacity.value,
        "capacity_label": t(f"meeting.capacity.{place.capacity.value}"),
        "state": place.state.value,
        "verified": verified_label(product, place, t),
        "verified_at": place.identified.at if place.identified else None,
        "since": place.waiting_since,
        "away": place.absent_since if place.state is ParticipantState.WAITING else None,
        "minutes": _minutes(now - place.waiting_since) if place.waiting_since else 0,
        "choice": place.lobby_choice,
        "wrong_person": place.wrong_person_tries,
        "declined_call": place.declined_calls,
        "phone": found.phone if found and place.lobby_choice == "call_me" else "",
    }


def deliveries(meeting: Meeting) -> list[dict[str, Any]]:
    """Return every message of a meeting: what, to whom, by which way, and whether it arrived."""
    return [_delivery(errand) for errand in services().meetings.errands(meeting.id) if errand.kind == "message"]


def start_check(meeting: Meeting) -> str:
    """Say in a sentence what starting this meeting will ask of the adviser (R015)."""
    policy = services().policy
    rule = staff_sign_in_for(policy, policy.type(meeting.type_ref), meeting.raises)
    return translator()("desk.start.check.strong" if rule.strong_methods else "desk.start.check")


def was_undone(meeting: Meeting) -> bool:
    """Say whether a booking was taken back before anybody heard of it."""
    return (
        meeting.state is MeetingState.CANCELLED
        and meeting.ended_at is not None
        and meeting.ended_at <= meeting.booked_at + UNDO_TTL
    )


def name_of(pseudonym: str | None) -> str:
    """Return whom a pseudonym stands for today, "" for nobody or somebody erased."""
    found = services().people.find(pseudonym) if pseudonym else None  # type: ignore[arg-type]  # either kind of id
    return found.shown_name if found else ""


def initials(name: str) -> str:
    return "".join(word[0] for word in name.split()[:2]).upper()


def _status(meeting: Meeting, places: Sequence[Participant]) -> str:
    """Return one of: done, missed, cancelled, open, waiting, away, identified, ready, not_delivered, invited."""
    if meeting.state is MeetingState.ENDED:
        return "done"
    if meeting.state is not MeetingState.BOOKED:
        return meeting.state.value
    states = {place.state for place in places if not place.is_staff}
    waiting = [place for place in places if place.state is ParticipantState.WAITING]
    if waiting:
        return "away" if all(place.absent_since for place in waiting) else "waiting"
    if any(each.state == "failed" and each.kind == "message" for each in services().meetings.errands(meeting.id)):
        return "not_delivered"
    if ParticipantState.IDENTIFIED in states:
        return "identified"
    if states & {ParticipantState.ARRIVED, ParticipantState.CONSENTED}:
        return "ready"
    return "invited"


def _delivery(errand: Errand) -> dict[str, Any]:
    channel = str(errand.body.get("channel", ""))
    place = _place(str(errand.body.get("participant", "")))
    return {
        "id": errand.id,
        "meeting": errand.meeting,
        "participant": place.id if place else "",
        "template": str(errand.body.get("template", "")),
        "channel": channel,
        "state": errand.state,
        "due_at": errand.due_at,
        "tried": errand.attempts > 0 and errand.state == "waiting",
        "name": name_of(place.person) if place else "",
        "ways": _other_ways(place, errand) if errand.state == "failed" and place else [],
    }


def _other_ways(place: Participant, errand: Errand) -> list[str]:
    """Return the other ways a failed message may take: where the person can be reached and no code goes."""
    product = services()
    found = product.people.find(place.person) if place.person else None
    if found is None or errand.body["template"] == "notice":  # it says that the invitation lies in the inbox
        return []
    offered = product.plugins.channels().keys() & ADDRESS.keys()
    taken = {errand.body["channel"], place.code_channel}
    ways = [each for each in sorted(offered - taken) if address_of(found, each)]
    return [each for each in ways if errand.body["template"] not in WITH_LINK or takes_link(found, each)]


def _place(pid: str) -> Participant | None:
    try:
        return services().meetings.participant(ParticipantId(pid))
    except NotFoundError:
        return None


def _minutes(length: timedelta) -> int:
    return max(0, int(length.total_seconds() // 60))
