"""One meeting at the desk: who, how far they have come, what was sent, and what can still be changed."""

from datetime import datetime

from flask import Response, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sidecar.domain.ids import MeetingId
from sidecar.domain.meetings import FINAL_STATES, Meeting, MeetingState
from sidecar.services.booking import UNDO_TTL
from sidecar.web.access import access
from sidecar.web.desk.blueprint import desk, moment_of, my_meeting, own_meeting
from sidecar.web.desk.plugins import cards, messages
from sidecar.web.desk.rows import deliveries, row
from sidecar.web.desk.times import days_ahead
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import services, sessions, staff
from sidecar.web.room import guest_of


@desk.get("/meetings/<mid>")
@access("staff")
def meeting_page(mid: str) -> str:
    product, me = services(), staff()
    meeting = own_meeting(mid)
    now = product.clock()
    meeting_type = product.policy.type(meeting.type_ref)
    full = len(product.meetings.participants(meeting.id)) >= meeting_type.max_people
    return render_template(
        "staff/meeting.html",
        row=row(meeting),
        deliveries=deliveries(meeting),
        plugin_cards=cards("meeting", meeting),
        plugin_messages=messages(meeting),
        undo_s=_undo_seconds(meeting, now) if "booked" in request.args else 0,
        may_invite=meeting.adviser == me.id
        and meeting.state not in FINAL_STATES
        and product.staff.may(me, "book")
        and product.booking.may_invite(meeting_type, meeting.segment, meeting.packages, meeting.raises).allowed,
        is_full=full,
        needs_national_id=product.booking.needs_national_id(meeting),
        more_customers=meeting_type.max_customers > 1,
        days=days_ahead(now),
        minutes=int((meeting.ends_at - meeting.starts_at).total_seconds() // 60),
        seen=product.meetings.last_announcement(),
    )


@desk.post("/meetings/<mid>/undo")
@access("staff")
def undo(mid: str) -> Response:
    """Take a booking back before anybody heard of it, and leave its answers in the form."""
    services().booking.undo(my_meeting(mid).id, actor=staff().id)
    return jsonify(next=f"/desk/book?again={mid}&undone=1")


@desk.post("/meetings/<mid>/cancel")
@access("staff")
def cancel(mid: str) -> Response:
    services().booking.cancel(my_meeting(mid).id, actor=staff().id)
    return jsonify(next="/desk")


@desk.post("/meetings/<mid>/move")
@access("staff")
def move(mid: str) -> Response:
    starts_at = moment_of(text_of(json_body(), "starts_at", longest=40), field="starts_at")
    services().booking.move(my_meeting(mid).id, starts_at, actor=staff().id)
    return jsonify(next=f"/desk/meetings/{mid}?moved=1")


@desk.post("/meetings/<mid>/late")
@access("staff")
def late(mid: str) -> Response:
    services().staff.running_late(staff(), my_meeting(mid))
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
    meeting = my_meeting(mid)
    services().staff.require(staff(), "book")
    invited = services().booking.invite_guest(meeting, guest_of(json_body()), actor=staff().id)
    return jsonify(id=invited.id)


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


def _undo_seconds(meeting: Meeting, now: datetime) -> int:
    """Return for how long the booking can still be taken back unseen, in whole seconds."""
    left = (meeting.booked_at + UNDO_TTL - now).total_seconds()
    return max(0, int(left)) if meeting.state is MeetingState.BOOKED else 0
