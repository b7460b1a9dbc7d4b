"""Step 3, the lobby, and the page after the room."""

from datetime import datetime, timedelta

from flask import Response, jsonify, redirect, render_template
from werkzeug.wrappers import Response as AnyResponse

from sidecar.domain.errors import InvalidInputError
from sidecar.domain.meetings import FINAL_STATES, INSIDE, Meeting, Participant, ParticipantState, rejoin_needs_check
from sidecar.domain.permissions import Permission
from sidecar.domain.policy import permissions_for
from sidecar.services.admission import LOBBY_CHOICES
from sidecar.services.arrival import situation
from sidecar.web.access import access
from sidecar.web.customer.blueprint import customer
from sidecar.web.customer.parts import meeting_facts, refused_page, upload_url
from sidecar.web.customer_views import lobby_view
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import place, services, sessions, translator
from sidecar.web.lobby_state import lobby_facts
from sidecar.web.recording_state import recorded_to
from sidecar.web.room_state import verified_label


@customer.get("/v/<pid>/lobby")
@access("occupant")
def lobby(pid: str) -> AnyResponse | str:
    """Step 3: wait for the adviser, honestly told how it stands."""
    product, here, t = services(), place(), translator()
    meeting = product.meetings.get(here.meeting)
    if meeting.state in FINAL_STATES or here.state in (ParticipantState.EXPELLED, ParticipantState.DENIED):
        return redirect(f"/v/{pid}/left")
    if here.state in INSIDE:
        return redirect(f"/v/{pid}/room")
    if not product.admission.is_identified_enough(meeting, here):
        return redirect(f"/v/{pid}/refused?reason=level_too_low")
    here = product.admission.enter_lobby(here)
    product.admission.page_is_open(here.id)
    where = situation(product.policy, meeting, here)
    permissions = permissions_for(product.policy, where)
    me = product.people.find(here.person) if here.person else None
    return render_template(
        "customer/lobby.html",
        csrf=sessions().visit()["csrf"],
        step=3,
        meeting=meeting_facts(meeting),
        me={
            "given": me.shown_name.split(" ")[0] if me else "",
            "verified": verified_label(product, here, t),
            "verified_at": here.identified.at if here.identified else product.clock(),
        },
        lobby=lobby_view(t, **lobby_facts(product, here)),
        upload_url=upload_url(meeting, permissions, pid),
        may={
            "camera": Permission.SHOW_CAMERA in permissions,
            "microphone": Permission.SPEAK in permissions,
        },
        urls={
            "events": f"/v/{pid}/events",
            "choice": f"/v/{pid}/lobby/choice",
            "leave": f"/v/{pid}/lobby/leave",
            "here": f"/v/{pid}/lobby",
            "room": f"/v/{pid}/room",
        },
    )


@customer.post("/v/<pid>/lobby/choice")
@access("occupant")
def lobby_choice(pid: str) -> Response:
    choice = text_of(json_body(), "choice", longest=20)
    if choice not in LOBBY_CHOICES:
        raise InvalidInputError("One can wait, be called, or get a new time.", field="choice")
    if choice == "call_me" and not lobby_facts(services(), place())["may_be_called"]:
        raise InvalidInputError("The bank has no number to call.", field="choice")
    services().admission.choose(place(), choice)
    here = services().meetings.participant(place().id)
    return jsonify(lobby_view(translator(), **lobby_facts(services(), here)))


@customer.post("/v/<pid>/lobby/leave")
@access("occupant")
def leave_lobby(pid: str) -> AnyResponse:
    services().admission.leave_lobby(place())
    return redirect(f"/v/{pid}/arrive")


@customer.get("/v/<pid>/left")
@access("visitor")
def left(pid: str) -> AnyResponse | str:
    """After the room: what was, who gets the summary, and the way back while there is one."""
    product, here = services(), place()
    meeting = product.meetings.get(here.meeting)
    if here.is_staff:
        return redirect(f"/desk/meetings/{meeting.id}" + ("/journal" if meeting.state in FINAL_STATES else ""))
    if here.state is ParticipantState.DENIED:
        return refused_page("denied", here)
    bound = timedelta(minutes=product.policy.type(meeting.type_ref).rejoin_minutes)
    how = _how_it_ended(meeting, here, bound=bound, now=product.clock())
    return render_template(
        "customer/left.html",
        step=None,
        how=how,
        capacity=here.capacity.value,
        summary=product.room.summary_channel(here),
        meeting=meeting_facts(meeting) | {"started_at": meeting.opened_at, "ended_at": meeting.ended_at},
        recorded=recorded_to(services(), meeting, translator()),
        until=here.left_at + bound if how == "left" and here.left_at else None,
        urls={
            "rejoin": f"/v/{pid}/room" if how == "left" else "",
            "identify": f"/v/{pid}/identify",
        },
    )


def _how_it_ended(meeting: Meeting, here: Participant, *, bound: timedelta, now: datetime) -> str:
    """Return why one is out: "removed", "ended", "session_ended", or "left", which one may come back from."""
    if here.state is ParticipantState.EXPELLED:
        return "removed"
    if meeting.state in FINAL_STATES:
        return "ended"
    if rejoin_needs_check(here, bound=bound, now=now) or (here.session_until and here.session_until <= now):
        return "session_ended"
    return "left"
