"""Today at the desk: who waits, the day's meetings and those to come, what is to be done."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from flask import Response, g, render_template, stream_with_context

from sidecar.domain.meetings import Meeting, MeetingState
from sidecar.domain.policy import may_hold, overdue
from sidecar.services.ports import Announcement
from sidecar.web.access import access
from sidecar.web.desk.blueprint import day_of, desk
from sidecar.web.desk.plugins import cards, given_up
from sidecar.web.desk.rows import deliveries, person, row, was_undone
from sidecar.web.feed import HEARTBEAT, event
from sidecar.web.guard import feed, services, staff, translator

_BEFORE_MIDNIGHT = timedelta(hours=12)  # a meeting of last night that still runs is today's business
_COMING_DAYS = timedelta(days=14)
_COMING_SHOWN = 8
_WAITS = frozenset({"waiting"})
_CHANGES_DESK = frozenset(
    {
        "meeting.booked",
        "meeting.cancelled",
        "meeting.moved",
        "meeting.opened",
        "meeting.ended",
        "meeting.missed",
        "lobby.away",
        "lobby.back",
        "lobby.entered",
        "lobby.choice",
        "lobby.left",
        "participant.admitted",
        "participant.joined",
        "participant.left",
        "participant.rejoined",
        "participant.sent_back",
        "invitation.again",
        "invitation.failed",
        "invitation.opened",
        "invitation.sent",
        "consent.given",
        "guest.invited",
        "sign_in.completed",
        "sign_in.declined_call",
        "sign_in.wrong_person",
        "summary.sent",
        "errand.failed",
        "errand.again",
        "message.failed",
        "call.picked_up",
    }
)


@desk.get("")
@access("staff")
def today() -> str:
    product, me = services(), staff()
    now = product.clock()
    start, end = day_of(now)
    found = product.meetings.between(start - _BEFORE_MIDNIGHT, end, adviser=me.id)
    meetings = [each for each in found if not was_undone(each) and _is_of_today(each, start, now)]
    coming = [
        each
        for each in product.meetings.between(end, end + _COMING_DAYS, adviser=me.id)
        if each.state is MeetingState.BOOKED
    ]
    rows = [row(each) for each in meetings]
    knocks = sorted(_knocks(rows) + _calls(now), key=lambda each: (bool(each["away"]), each["since"]))
    hours = product.hours(g.brand.id)
    closes = hours.closes_at(now)
    return render_template(
        "staff/today.html",
        plugin_cards=cards("home"),
        given_up=len(given_up()),
        rows=rows,
        knocks=knocks,
        waiting=sum(not knock["away"] for knock in knocks),
        calls=sum(knock["kind"] == "call" and not knock["away"] for knock in knocks),
        coming=_by_day([row(each) for each in coming[:_COMING_SHOWN]]),
        more_coming=max(0, len(coming) - _COMING_SHOWN),
        todo=[
            each
            for meeting in meetings + coming
            if meeting.state is not MeetingState.CANCELLED
            for each in deliveries(meeting)
            if each["state"] == "failed"
        ],
        open_until=closes,
        open_always=hours.is_always,
        opens_next=None if closes else hours.opens_next(now),
        overdue_reviews=overdue(product.policy, now.date()) if product.staff.may(me, "read_rules") else [],
        seen=product.meetings.last_announcement(),
    )


@desk.get("/events")
@access("staff")
def events() -> Response:
    """Tell an open page that something changed. {last}: the newest announcement; the page fetches its part anew."""
    meetings = services().meetings

    def stream() -> Iterator[str]:
        def wanted(told: Announcement) -> bool:
            return told.kind in _CHANGES_DESK

        told_first = False
        for told in feed().listen(wanted):
            if told or not told_first:
                told_first = True
                yield event("state", {"last": meetings.last_announcement()})
            else:
                yield HEARTBEAT

    return Response(
        stream_with_context(stream()),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@desk.get("/help")
@access("staff")
def help_page() -> str:
    return render_template("staff/help.html")


@desk.get("/device")
@access("staff")
def device() -> str:
    """Test camera, microphone and speaker before a call."""
    return render_template("staff/device.html")


def _is_of_today(meeting: Meeting, start: datetime, now: datetime) -> bool:
    """Say whether a meeting is today's: begun after midnight, or still running or waited for since last night."""
    lasts = meeting.state is MeetingState.BOOKED and meeting.ends_at > now
    return meeting.starts_at >= start or meeting.state is MeetingState.OPEN or lasts


def _knocks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return who waits in the lobbies of one's own meetings."""
    return [
        {"kind": "lobby", "meeting": found, "is_open": found["state"] == "open", **each}
        for found in rows
        for each in found["people"]
        if each["state"] in _WAITS
    ]


def _calls(now: datetime) -> list[dict[str, Any]]:
    """Return the callers without a booking whom no colleague has taken yet."""
    product, t = services(), translator()
    if not product.staff.may(staff(), "take_on_demand"):
        return []
    return [
        {
            "kind": "call",
            "meeting": {"id": meeting.id, "type": product.policy.type(meeting.type_ref).title[t.language]},
            **person(place, now),
        }
        for meeting, place in product.on_demand.waiting(g.brand.id)
        if may_hold(staff().packages, product.policy.type(meeting.type_ref)).allowed
    ]


def _by_day(rows: list[dict[str, Any]]) -> list[tuple[datetime, list[dict[str, Any]]]]:
    grouped = groupby(rows, key=lambda each: day_of(each["starts"])[0])
    return [(day, list(found)) for day, found in grouped]
