"""What a waiting person's page may know: whether the adviser is here, late or gone, and how long it has taken."""

from typing import Any

from sidecar.bootstrap import Services
from sidecar.domain.meetings import Meeting, MeetingState, Participant


def lobby_facts(services: Services, me: Participant) -> dict[str, Any]:
    """Return the facts that customer_views.lobby_view puts into words."""
    meeting = services.meetings.get(me.meeting)
    now = services.clock()
    adviser = services.people.find(meeting.adviser) if meeting.adviser else None
    person = services.people.find(me.person) if me.person else None
    brand = services.brands[meeting.brand]
    if meeting.on_demand and meeting.adviser is None and not services.hours(meeting.brand).is_open(now):
        place = "closed"
    elif me.sent_back:
        place = "sent_back"
    elif meeting.state is MeetingState.OPEN:
        place = "waiting"
    elif meeting.late_notice_at is not None:
        place = "late"
    else:
        place = "not_here"
    return {
        "place": place,
        "given": person.shown_name.split(" ")[0] if person else "",
        "adviser": adviser.name.split(" ")[0] if adviser else brand.name,
        "phone": brand.phone,
        "starts_at": meeting.starts_at,
        "since": me.waiting_since or now,
        "now": now,
        "choice": me.lobby_choice or None,
        "may_be_called": bool(person and person.phone),
        "ahead": _ahead(services, meeting, me) if place == "not_here" else None,
    }


def _ahead(services: Services, meeting: Meeting, me: Participant) -> int | None:
    """Return how many callers have waited longer for an adviser than this one, None for a booked meeting."""
    if not meeting.on_demand or meeting.adviser is not None:
        return None
    waiting = [place.id for _, place in services.on_demand.waiting(meeting.brand)]
    return waiting.index(me.id) if me.id in waiting else len(waiting)
