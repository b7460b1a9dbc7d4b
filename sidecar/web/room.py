"""The room's routes: the page, the token, the media offer, and every act. JSON in, JSON out."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, g, jsonify, redirect, render_template, stream_with_context
from werkzeug.wrappers import Response as AnyResponse

from sidecar.domain.errors import InvalidInputError, RefusedError, StoreUnavailableError
from sidecar.domain.ids import ParticipantId
from sidecar.domain.meetings import FINAL_STATES, INSIDE, Participant, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.domain.recordings import Wish
from sidecar.services.booking import GuestRequest
from sidecar.services.ports import Announcement, ConferenceUnavailableError
from sidecar.web.access import access
from sidecar.web.customer_views import lobby_view
from sidecar.web.feed import HEARTBEAT, event
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import feed, place, services, sessions, translator
from sidecar.web.jitsi_room import jitsi_room
from sidecar.web.lobby_state import lobby_facts
from sidecar.web.plugin_panels import FACT, heard, is_plugins, panel_texts
from sidecar.web.room_state import room_state

room = Blueprint("room", __name__, url_prefix="/v/<pid>")

_SDP_SIGNS = 200_000
_QUEUE_MOVES = frozenset(
    {"call.picked_up", "lobby.away", "lobby.back", "lobby.left", "meeting.missed"}
)  # for whoever waits behind, in a call of theirs
_SEEN_EVERY = timedelta(seconds=3)  # with a heartbeat, less than half of what admission.PAGE_GONE waits


@room.get("/room")
@access("occupant")
def page(pid: str) -> AnyResponse | str:
    here = place()
    meeting = services().meetings.get(here.meeting)
    if meeting.state in FINAL_STATES or here.state is ParticipantState.EXPELLED:
        return redirect(f"/v/{pid}/left")
    if not services().admission.is_inside(meeting, here):
        if here.is_staff:
            return redirect(f"/desk/meetings/{meeting.id}")
        return redirect(f"/v/{pid}/left" if here.state in INSIDE else f"/v/{pid}/lobby")
    t = translator()
    state = room_state(services(), here, t)
    jitsi = jitsi_room(services(), meeting, frozenset(state["me"]["permissions"]))
    text = render_template(
        "room_jitsi.html" if jitsi else "room.html",
        pid=pid,
        csrf=_session(here)["csrf"],
        state=state,
        jitsi=jitsi.view if jitsi else None,
        room_texts=t.texts_under("room") | panel_texts(services(), t),
        leave_url=f"/desk/meetings/{meeting.id}" if here.is_staff else f"/v/{pid}/left",
        languages=[],
        more_customers=services().policy.type(meeting.type_ref).max_customers > 1,
    )
    if jitsi is None:
        return text
    g.policy = jitsi.policy
    return Response(text, headers={"Permissions-Policy": jitsi.permissions_policy})


@room.post("/room/token")
@access("occupant")
def token(pid: str) -> Response:
    """Mint a join token: single use, two minutes, only for somebody who was admitted."""
    minted = services().admission.mint(place())
    return jsonify(token=minted, join_url=f"/v/{pid}/room/join")


@room.post("/room/join")
@access("occupant")
def join(pid: str) -> Response:
    """Spend the join token and let the browser's media in. Answers the bridge's SDP."""
    body = json_body()
    here = place()
    sdp = text_of(body, "sdp", longest=_SDP_SIGNS)
    unverified = text_of(body, "token", longest=8192)
    meeting = services().meetings.get(here.meeting)
    if services().placement.shard_of(meeting.room).kind == "jitsi":
        raise InvalidInputError("On this shard a browser brings its token to Jitsi, not its offer to us.", field="sdp")
    verified = services().verify_join(unverified, meeting.room)
    inside = services().admission.joined(here, verified)
    try:
        watched = services().share_firewall.begin(meeting)
        answer = services().conference.admit(room=meeting.room, join_token=unverified, sdp=sdp, watch_shares=watched)
    except (ConferenceUnavailableError, InvalidInputError):
        services().room.leave(inside, reason="no-media")
        raise
    return jsonify(sdp=answer)


@room.get("/events")
@access("occupant")
def events(pid: str) -> Response:
    """Stream this person's picture of lobby or room, again after each change.

    It ends where the person is out for good, or showed who they are anew, in this browser or in another.
    """
    here, t, product = place(), translator(), services()

    def picture() -> tuple[str, Any]:
        now = product.meetings.participant(here.id)
        meeting = product.meetings.get(now.meeting)
        if meeting.state in FINAL_STATES or now.state in (ParticipantState.EXPELLED, ParticipantState.DENIED):
            return event("go", {"url": f"/v/{pid}/left"}), None
        if now.identified != here.identified:
            if now.identified is not None and here.state is ParticipantState.WAITING:
                facts = lobby_facts(product, now) | {"place": "second_device"}
                return event("state", lobby_view(t, **facts)), None
            return event("go", {"url": f"/v/{pid}/identify"}), None
        if product.admission.is_inside(meeting, now):
            return event("state", room_state(product, now, t)), now
        if now.state in INSIDE:
            return event("go", {"url": f"/v/{pid}/left"}), None
        if not product.admission.is_identified_enough(meeting, now):
            return event("go", {"url": f"/v/{pid}/refused?reason=level_too_low"}), None
        return event("state", lobby_view(t, **lobby_facts(product, now))), now

    said_at: datetime | None = None

    def still_there() -> None:
        """Say that a waiting person's page took what it was sent. The worker finds those of whom it is said no more."""
        nonlocal said_at
        now = product.clock()
        if said_at is None or now - said_at >= _SEEN_EVERY:
            said_at = now
            with suppress(StoreUnavailableError):  # the line outlasts it, and says so again at the next heartbeat
                product.admission.page_is_open(here.id)

    def stream() -> Iterator[str]:
        queues = here.state is ParticipantState.WAITING and product.meetings.get(here.meeting).on_demand

        def wanted(told: Announcement) -> bool:
            return told.meeting == here.meeting or (queues and told.kind in _QUEUE_MOVES)

        first, waits = True, False
        for told in feed().listen(wanted):
            if not told and not first:
                yield HEARTBEAT
                if waits:
                    still_there()
                continue
            first = False
            for fact in heard(product, told, here):
                yield event(FACT, fact)
            if told and all(is_plugins(product, each) for each in told):
                continue  # the picture of the room is as it was
            if any(a.kind == "participant.admitted" and a.participant == here.id for a in told):
                yield event("go", {"url": f"/v/{pid}/room"})
            for notice in (a for a in told if a.kind == "mute.done" and (a.data or {}).get("target") == here.id):
                yield event("notice", {"sentence": t("meeting.muted"), "urgent": True, "kind": notice.kind})
            text, alive = picture()
            yield text
            if alive is None:
                return
            waits = alive.state is ParticipantState.WAITING
            if waits:
                still_there()

    return Response(
        stream_with_context(stream()),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@room.get("/room/state")
@access("occupant")
def state(pid: str) -> Response:
    """Answer this person's picture of the room. Who waits outside has none."""
    here = place()
    if not services().admission.is_inside(services().meetings.get(here.meeting), here):
        raise RefusedError("Only for who was let in.", rule="default/admitted-first", sentence="not-admitted")
    return jsonify(room_state(services(), here, translator()))


@room.post("/room/leave")
@access("occupant")
def leave(pid: str) -> Response:
    services().room.leave(place())
    return jsonify(next=f"/v/{pid}/left")


@room.post("/room/chat")
@access("occupant")
def chat(pid: str) -> Response:
    line = services().room.chat(place(), text_of(json_body(), "text", longest=4000))
    return jsonify(id=line.id)


@room.post("/room/hand")
@access("occupant")
def hand(pid: str) -> Response:
    raised = json_body().get("raised")
    if not isinstance(raised, bool):
        raise InvalidInputError("A hand is raised (true) or not (false).", field="raised")
    services().room.hand(place(), raised=raised)
    return jsonify({})


@room.post("/room/share")
@access("occupant")
def share(pid: str) -> Response:
    body = json_body()
    action = text_of(body, "action", longest=10)
    if action not in ("start", "stop"):
        raise InvalidInputError("Sharing starts or stops.", field="action")
    if action == "stop":
        services().room.stop_share(place())
    else:
        services().room.start_share(place(), text_of(body, "surface", longest=20))
    return jsonify({})


@room.post("/room/record")
@access("occupant")
def record(pid: str) -> Response:
    services().room.record(place())
    return jsonify({})


@room.post("/room/recording")
@access("occupant")
def ask_to_record(pid: str) -> Response:
    """Ask everybody for leave to record. {purpose, reference, delete_on}; what is missing refuses by name."""
    body = json_body()
    day = text_of(body, "delete_on", longest=10, required=False)
    try:
        delete_on = date.fromisoformat(day) if day else None
    except ValueError as error:
        raise InvalidInputError("This is not a day.", field="delete_on") from error
    wish = Wish(
        purpose=text_of(body, "purpose", longest=60, required=False),
        reference=text_of(body, "reference", longest=60, required=False),
        delete_on=delete_on,
    )
    return jsonify(state=services().recordings.ask(place(), wish).state.value)


@room.post("/room/recording/answer")
@access("occupant")
def answer_recording(pid: str) -> Response:
    """Say yes or no to being recorded; no also takes an earlier yes back."""
    yes = json_body().get("yes")
    if not isinstance(yes, bool):
        raise InvalidInputError("The answer is yes (true) or no (false).", field="yes")
    return jsonify(state=services().recordings.answer(place(), yes=yes).state.value)


@room.post("/room/recording/stop")
@access("occupant")
def stop_recording(pid: str) -> Response:
    return jsonify(state=services().recordings.stop(place()).state.value)


@room.post("/room/admit")
@access("occupant")
def admit(pid: str) -> Response:
    though_away = json_body().get("though_away", False)
    if not isinstance(though_away, bool):
        raise InvalidInputError("Somebody away is let in (true) or not (false).", field="though_away")
    services().admission.admit(place(), _target(), though_away=though_away)
    return jsonify({})


@room.post("/room/deny")
@access("occupant")
def deny(pid: str) -> Response:
    services().admission.deny(place(), _target())
    return jsonify({})


@room.post("/room/send-back")
@access("occupant")
def send_back(pid: str) -> Response:
    services().room.send_back(place(), _target())
    return jsonify({})


@room.post("/room/expel")
@access("occupant")
def expel(pid: str) -> Response:
    services().room.expel(place(), _target())
    return jsonify({})


@room.post("/room/mute")
@access("occupant")
def mute(pid: str) -> Response:
    services().room.mute(place(), _target(), text_of(json_body(), "kind", longest=20))
    return jsonify({})


@room.post("/room/invite")
@access("occupant")
def invite(pid: str) -> Response:
    guest = guest_of(json_body())
    invited = services().room.invite(place(), guest)
    return jsonify(id=invited.id)


@room.post("/room/raise")
@access("occupant")
def raise_security(pid: str) -> Response:
    services().room.raise_security(place(), text_of(json_body(), "target", longest=60))
    return jsonify({})


@room.post("/room/key")
@access("occupant")
def key(pid: str) -> Response:
    """Pass on a page's public key, and the key it sends with as it wrapped it for each of the others."""
    body = json_body()
    sealed = body.get("sealed")
    if not isinstance(sealed, dict):
        raise InvalidInputError("The wrapped keys stand by participant.", field="sealed")
    services().strict_keys.publish(place(), key=text_of(body, "key", longest=100), sealed=sealed)
    return jsonify({})


@room.post("/room/end")
@access("occupant")
def end(pid: str) -> Response:
    here = place()
    services().room.end(here.meeting, actor=str(here.staff or here.person), place=here, reason="ended")
    return jsonify(next=f"/desk/meetings/{here.meeting}/journal" if here.is_staff else f"/v/{pid}/left")


def guest_of(body: dict[str, Any]) -> GuestRequest:
    """Return the guest a form or the open API describes. Raises InvalidInputError naming the field."""
    try:
        capacity = Capacity(text_of(body, "capacity", longest=20))
    except ValueError as error:
        raise InvalidInputError("There is no such part in a meeting.", field="capacity") from error
    return GuestRequest(
        name=text_of(body, "name", longest=200),
        capacity=capacity,
        email=text_of(body, "email", longest=300, required=False),
        phone=text_of(body, "phone", longest=40, required=False),
        national_id=text_of(body, "national_id", longest=40, required=False),
        country=text_of(body, "country", longest=2, required=False) or "SE",
        language=text_of(body, "language", longest=2, required=False) or "sv",
    )


def _target() -> ParticipantId:
    return ParticipantId(text_of(json_body(), "participant", longest=60))


def _session(here: Participant) -> Any:
    return sessions().staff() if here.is_staff else sessions().visit()
