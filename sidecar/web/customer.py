"""The customer's journey: the link, getting ready, showing who one is, the lobby, and afterwards."""

import hashlib
import logging
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sidecar.domain.errors import InvalidInputError, NotFoundError, RefusedError
from sidecar.domain.meetings import (
    FINAL_STATES,
    INSIDE,
    Meeting,
    Participant,
    ParticipantState,
    rejoin_needs_check,
)
from sidecar.domain.permissions import Capacity, Permission
from sidecar.domain.policy import RecordingRule, permissions_for, recording_for
from sidecar.services.admission import LOBBY_CHOICES
from sidecar.services.arrival import situation
from sidecar.services.ports import SignInRequest, SignInStep
from sidecar.web.access import access
from sidecar.web.customer_views import lobby_view, notice, refused_view
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import client_ip, place, services, sessions, translator
from sidecar.web.lobby_state import lobby_facts
from sidecar.web.recording_state import recorded_to
from sidecar.web.room_state import region_name, verified_label
from sidecar.web.turns import takes_turns
from sidecar.web.web_sessions import WebSession

log = logging.getLogger("tillit.web")

customer = Blueprint("customer", __name__)

NOTICE_VERSION = "1"  # raised when the words of customer.notice change; the digest is kept with each consent
_NOTICE_SINCE = datetime.fromisoformat("2026-11-01T00:00:00+00:00")
DEVICE_COOKIE = "tillit_device"
_DEVICE_S = 400 * 24 * 3600  # the longest a browser keeps a cookie
_CODE_LENGTH_LIMIT = 12


@customer.get("/")
@access("anyone")
def front() -> AnyResponse:
    """The brand's own address without more: the page where one can meet now."""
    return redirect("/call")


@customer.get("/m/<link>")
@access("anyone")
def open_link(link: str) -> AnyResponse | str | tuple[str, int]:
    """Open an invitation in this browser. The link carries no right: it only leads to the door."""
    product = services()
    try:
        here = product.arrival.open_link(link)
    except NotFoundError:
        return _refused("unknown", None), 404
    session = sessions().visit()
    session.set("places", sorted({*session.get("places", ()), here.id})[-20:])
    response = redirect(_next_step(here))
    if DEVICE_COOKIE not in request.cookies:
        response.set_cookie(
            DEVICE_COOKIE,
            secrets.token_urlsafe(24),
            max_age=_DEVICE_S,
            httponly=True,
            secure=product.settings.web.secure_cookies,
            samesite="Lax",
            path="/",
        )
    return response


@customer.get("/v/<pid>/arrive")
@access("visitor")
def arrive(pid: str) -> str:
    """Step 1: who invites and why, what happens with one's data, camera and sound, one's own yes."""
    product, here, t = services(), place(), translator()
    meeting = product.meetings.get(here.meeting)
    reason = product.arrival.door(meeting)
    if reason and reason != "too-early":
        return _refused({"cancelled": "cancelled", "missed": "too_late"}.get(reason, "expired"), here)
    if here.state in (ParticipantState.EXPELLED, ParticipantState.DENIED):
        return _refused("denied" if here.state is ParticipantState.DENIED else "not_invited", here)
    meeting_type = product.policy.type(meeting.type_ref)
    where = situation(product.policy, meeting, here)
    permissions = permissions_for(product.policy, where)
    opens = meeting.starts_at - timedelta(minutes=meeting_type.opens_before_minutes)
    others = [
        {"name": product.journals.names([p]).get(p.id, ""), "capacity_label": t(f"meeting.capacity.{p.capacity}")}
        for p in product.meetings.participants(meeting.id)
        if p.id != here.id and not p.is_staff
    ]
    return render_template(
        "customer/arrive.html",
        csrf=sessions().visit()["csrf"],
        step=1,
        steps_done=[],
        meeting=_meeting(meeting) | {"sign": Permission.SIGN in permissions},
        capacity=here.capacity.value,
        methods=[_title(choice.name) for choice in product.arrival.choices(meeting, here)],
        bring=[],
        others=others if here.capacity is not Capacity.OBSERVER and _is_identified(here) else [],
        privacy=_privacy(meeting, here),
        consent={
            "version": NOTICE_VERSION,
            "since": _NOTICE_SINCE,
            "given": here.consent_version == NOTICE_VERSION,
            "changed": here.consent_version not in ("", NOTICE_VERSION),
        },
        early=opens if reason == "too-early" else None,
        urls={
            "consent": f"/v/{pid}/consent",
            "next": f"/v/{pid}/identify",
            "privacy": f"/v/{pid}/privacy",
            "upload": _upload_url(meeting, permissions, pid),
        },
    )


@customer.get("/v/<pid>/privacy")
@access("visitor")
def privacy_of_meeting(pid: str) -> str:
    """The whole text a consent is given to, for this kind of meeting."""
    meeting = services().meetings.get(place().meeting)
    return render_template("customer/privacy.html", notice=_notice(meeting, place()), urls={"back": f"/v/{pid}/arrive"})


@customer.get("/privacy")
@access("anyone")
def privacy() -> str:
    t = translator()
    text = notice(
        t,
        version=NOTICE_VERSION,
        since=_NOTICE_SINCE,
        bank=g.brand.name,
        phone=g.brand.phone,
        contact=g.brand.phone,
        kept=timedelta(days=3650),
        stored=region_name(services().settings.stores.region),
    )
    return render_template("customer/privacy.html", notice=text, urls={"back": ""})


@customer.post("/v/<pid>/consent")
@access("visitor")
def consent(pid: str) -> Response:
    """Keep that the text was accepted: its version and digest, and when (R065)."""
    product, here = services(), place()
    version = text_of(json_body(), "version", longest=20)
    if version != NOTICE_VERSION:
        raise InvalidInputError("The text was changed meanwhile. Load the page again.", field="version")
    meeting = product.meetings.get(here.meeting)
    digest = _notice(meeting, here)["digest"]
    product.arrival.consent(here, version, digest=str(digest), language=g.language)
    return jsonify(next=f"/v/{pid}/identify")


@customer.get("/v/<pid>/identify")
@access("visitor")
@takes_turns
def identify(pid: str) -> AnyResponse | str:
    """Step 2: the ways the policy leaves to show who one is."""
    product, here, t = services(), place(), translator()
    meeting = product.meetings.get(here.meeting)
    if not here.consent_version:
        return redirect(f"/v/{pid}/arrive")
    if meeting.state in FINAL_STATES or here.state in (ParticipantState.EXPELLED, ParticipantState.DENIED):
        return redirect(f"/v/{pid}/left")
    session = sessions().visit()
    flow = session.get("sign_in") or {}
    returned = request.args.get("nonce")
    if returned and flow.get("place") == here.id:
        # The app came back to the browser that began: the nonce is taken in here and leaves the address bar.
        try:
            following = _keep(session, here, flow, _proceed(here, flow, {"nonce": returned[:200]}))
        except RefusedError:
            return redirect(_wrong_person(here))
        if following:
            return redirect(following)
        return redirect(f"/v/{pid}/identify?method={flow['method']}&resume=1")
    choices = product.arrival.choices(meeting, here)
    methods = [
        {
            "name": choice.name,
            "title": _title(choice.name),
            "help": t(f"{choice.name}.help") if t.has(f"{choice.name}.help") else "",
            "kind": choice.kind,
            "app": choice.kind == "eid",
            "url": f"/v/{pid}/identify?method={choice.name}",
        }
        for choice in choices
    ]
    wanted = request.args.get("method", methods[0]["name"] if len(methods) == 1 else "")
    chosen = next((method for method in methods if method["name"] == wanted), None)
    left = {choice.name for choice in choices}
    excluded = [
        _title(name)
        for name, method in product.plugins.identity_methods().items()
        if name not in left and method.kind == "code"
    ]
    return render_template(
        "customer/identify.html",
        csrf=session["csrf"],
        step=2,
        steps_done=[],
        meeting=_meeting(meeting),
        methods=methods,
        chosen=chosen,
        seen_text=_purpose(meeting),
        why="again" if here.joined_at is not None else "first",
        excluded=excluded,
        resume=bool(flow) and flow.get("place") == here.id and "resume" in request.args,
        urls={
            "start": f"/v/{pid}/sign-in/start",
            "poll": f"/v/{pid}/sign-in/poll",
            "submit": f"/v/{pid}/sign-in/submit",
            "cancel": f"/v/{pid}/sign-in/cancel",
            "back": f"/v/{pid}/identify" if len(methods) > 1 and chosen else f"/v/{pid}/arrive",
        },
    )


@customer.post("/v/<pid>/sign-in/start")
@access("visitor")
@takes_turns
def start(pid: str) -> Response:
    product, here = services(), place()
    body = json_body()
    method = text_of(body, "method", longest=60)
    same_device = body.get("same_device") is True
    session = sessions().visit()
    old = session.get("sign_in")
    if old and old.get("place") == here.id:
        if old["method"] == method and _kind(method) == "code":
            return _advance({"again": "1"})  # a new code, with the attempts that are left
        product.arrival.cancel(here, old["method"], _request(here, old["same_device"]), old["state"])
    flow = {"place": here.id, "method": method, "same_device": same_device, "state": {}}
    step = product.arrival.start(here, method, _request(here, same_device))
    return _answer(here, flow, step)


@customer.post("/v/<pid>/sign-in/poll")
@access("visitor")
@takes_turns
def poll(pid: str) -> Response:
    return _advance(None)


@customer.post("/v/<pid>/sign-in/submit")
@access("visitor")
@takes_turns
def submit(pid: str) -> Response:
    return _advance({"code": text_of(json_body(), "code", longest=_CODE_LENGTH_LIMIT)})


@customer.post("/v/<pid>/sign-in/cancel")
@access("visitor")
@takes_turns
def cancel(pid: str) -> Response:
    here = place()
    session = sessions().visit()
    flow = session.get("sign_in")
    if flow and flow["place"] == here.id:
        services().arrival.cancel(here, flow["method"], _request(here, flow["same_device"]), flow["state"])
        session.remove("sign_in")
    return jsonify(status="failed", message=translator().t("meeting.sign_in_cancelled"), view={}, next=None)


@customer.get("/v/<pid>/refused")
@access("visitor")
def refused(pid: str) -> str:
    """Say no in words, with what helps: the way here came from a sign-in that led to a refusal."""
    wanted = request.args.get("reason", "unknown")
    return _refused(wanted if wanted in ("wrong_person", "level_too_low", "not_invited") else "unknown", place())


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
    here = product.admission.enter_lobby(here)
    where = situation(product.policy, meeting, here)
    permissions = permissions_for(product.policy, where)
    me = product.people.find(here.person) if here.person else None
    return render_template(
        "customer/lobby.html",
        csrf=sessions().visit()["csrf"],
        step=3,
        steps_done=[],
        meeting=_meeting(meeting),
        me={
            "given": me.shown_name.split(" ")[0] if me else "",
            "verified": verified_label(product, here, t),
            "verified_at": here.identified.at if here.identified else product.clock(),
            "rejoin_until": None,
        },
        lobby=lobby_view(t, **lobby_facts(product, here)),
        documents=[],
        upload_url=_upload_url(meeting, permissions, pid),
        others=[],
        may={
            "camera": Permission.SHOW_CAMERA in permissions,
            "microphone": Permission.SPEAK in permissions,
        },
        urls={
            "events": f"/v/{pid}/events",
            "choice": f"/v/{pid}/lobby/choice",
            "leave": f"/v/{pid}/arrive",
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
    services().admission.choose(place(), choice)
    here = services().meetings.participant(place().id)
    return jsonify(lobby_view(translator(), **lobby_facts(services(), here)))


@customer.get("/v/<pid>/left")
@access("visitor")
def left(pid: str) -> AnyResponse | str:
    """After the room: what was, who gets the summary, and the way back while there is one."""
    product, here = services(), place()
    meeting = product.meetings.get(here.meeting)
    if here.is_staff:
        return redirect(f"/desk/meetings/{meeting.id}" + ("/journal" if meeting.state in FINAL_STATES else ""))
    now = product.clock()
    bound = timedelta(minutes=product.policy.type(meeting.type_ref).rejoin_minutes)
    over = meeting.state in FINAL_STATES
    how = "left"
    if here.state is ParticipantState.EXPELLED:
        how = "removed"
    elif here.state is ParticipantState.DENIED:
        return _refused("denied", here)
    elif over:
        how = "ended"
    elif rejoin_needs_check(here, bound=bound, now=now) or (here.session_until and here.session_until <= now):
        how = "session_ended"
    return render_template(
        "customer/left.html",
        step=None,
        steps_done=[],
        how=how,
        capacity=here.capacity.value,
        meeting=_meeting(meeting) | {"started_at": meeting.opened_at, "ended_at": meeting.ended_at},
        signed=[],
        recorded=recorded_to(services(), meeting, translator()),
        until=here.left_at + bound if how == "left" and here.left_at else None,
        urls={
            "rejoin": f"/v/{pid}/room" if how == "left" else "",
            "identify": f"/v/{pid}/identify",
            "summary": "",
            "feedback": "",
        },
        case="",
    )


@customer.get("/call")
@access("anyone")
def call() -> str:
    """Meet now, without a booking, inside the opening hours."""
    return _call_page("")


@customer.post("/call")
@access("anyone")
def start_call() -> AnyResponse | str:
    product = services()
    session = sessions().visit()
    sessions().check_csrf(session)
    ref = request.form.get("type", "")
    name = ref.split("@")[0]
    try:
        here = product.on_demand.begin(name, brand=g.brand.id, language=g.language)
    except RefusedError as error:
        return _call_page(product.policy.sentences.say(str(error.params["sentence"]), g.language))
    except NotFoundError:
        return _call_page(translator().t("meeting.choose_type"))
    session.set("places", sorted({*session.get("places", ()), here.id})[-20:])
    return redirect(f"/v/{here.id}/arrive")


def _call_page(problem: str) -> str:
    product, t = services(), translator()
    now = product.clock()
    hours = product.hours(g.brand.id)
    session = sessions().visit()
    session.changed = True  # the form's csrf value must be known when it comes back
    return render_template(
        "customer/call.html",
        csrf=session["csrf"],
        step=None,
        steps_done=[],
        open=hours.is_open(now),
        hours=_hours_rows(),
        closes_at=hours.closes_at(now),
        opens_at=hours.opens_next(now),
        waiting=len(product.on_demand.waiting()),
        types=[
            {
                "ref": each.ref,
                "title": each.title[g.language],
                "summary": each.summary[g.language],
                "needs": t.listing(product.arrival.titles_for(each, t), either=True),
            }
            for each in product.on_demand.types()
        ],
        chosen=request.form.get("type", ""),
        problem=problem,
        urls={"start": "/call", "book": ""},
    )


def _hours_rows() -> list[dict[str, str]]:
    """Return the opening hours in words, equal days in a row together."""
    t = translator()
    spans = services().hours(g.brand.id).spans
    names = list(t.locale.days["format"]["wide"].values())
    rows: list[dict[str, str]] = []
    days = list(enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")))
    for index, day in days:
        span = spans.get(day)
        if span is None:
            continue
        sign = "." if t.language in ("sv", "nb", "da", "fi") else ":"
        text = "–".join(f"{minute // 60}{sign}{minute % 60:02d}" for minute in span)
        if rows and rows[-1]["text"] == text and rows[-1]["last"] == str(index - 1):
            rows[-1] |= {"last": str(index), "to": names[index]}
        else:
            rows.append({"text": text, "last": str(index), "from": names[index], "to": names[index]})
    return [
        {"day": row["from"] if row["from"] == row["to"] else f"{row['from']}–{row['to']}", "text": row["text"]}
        for row in rows
    ]


def _kind(method: str) -> str:
    found = services().plugins.identity_methods().get(method)
    return found.kind if found else ""


def _advance(answer: dict[str, str] | None) -> Response:
    """Take a sign-in one step on. Another person than the invited one is led to the page that explains."""
    here = place()
    flow = _flow(here)
    try:
        return _answer(here, flow, _proceed(here, flow, answer))
    except RefusedError as error:
        if error.params.get("sentence") != "wrong-person":
            raise
        return jsonify(status="failed", message="", view={}, next=_wrong_person(here))


def _wrong_person(here: Participant) -> str:
    return f"/v/{here.id}/refused?reason=wrong_person"


def _answer(here: Participant, flow: dict[str, Any], step: SignInStep) -> Response:
    """Keep a sign-in's state on the server and answer what the browser may see of it."""
    session = sessions().visit()
    following = _keep(session, here, flow, step)
    t = translator()
    return jsonify(
        status=step.status,
        message=t.t(step.message, **step.params) if step.message else "",
        view=dict(step.view),
        next=following,
    )


def _keep(session: WebSession, here: Participant, flow: dict[str, Any], step: SignInStep) -> str | None:
    """Store the step's state in this browser's session; deliver a code it asks to send. Return where to go."""
    product = services()
    state = dict(step.state)
    send = state.pop("send", None)
    if step.status == "pending":
        if send is not None:
            product.messages.send_code(here, channel=send["channel"], code=send["code"])
        session.set("sign_in", flow | {"state": state})
        return None
    session.remove("sign_in")
    if step.status == "failed":
        return None
    now = product.meetings.participant(here.id)
    if now.identified is None:
        return None
    session.rotate()
    session.set("identified", session.get("identified", {}) | {here.id: now.identified.at.isoformat()})
    return f"/v/{here.id}/room" if now.state in INSIDE else f"/v/{here.id}/lobby"


def _proceed(here: Participant, flow: dict[str, Any], answer: dict[str, str] | None) -> SignInStep:
    try:
        return services().arrival.proceed(
            here, flow["method"], _request(here, flow["same_device"]), flow["state"], answer
        )
    except RefusedError:
        sessions().visit().remove("sign_in")
        raise


def _flow(here: Participant) -> dict[str, Any]:
    flow: dict[str, Any] | None = sessions().visit().get("sign_in")
    if not flow or flow["place"] != here.id:
        raise NotFoundError("There is no sign-in under way in this browser.")
    return flow


def _request(here: Participant, same_device: bool) -> SignInRequest:
    product = services()
    meeting = product.meetings.get(here.meeting)
    person = product.people.find(here.person) if here.person else None
    contact = {"sms": person.phone} if person and here.code_channel == "sms" else {}
    device = request.cookies.get(DEVICE_COOKIE) or sessions().visit().id
    base = request.url_root.rstrip("/")
    return SignInRequest(
        meeting=meeting.id,
        participant=here.id,
        brand_name=g.brand.name,
        purpose=_purpose(meeting),
        language=g.language,
        end_user_ip=client_ip(),
        user_agent=request.headers.get("User-Agent", "")[:256],
        referring_domain=urlsplit(base).hostname or "",
        device=hashlib.sha256(device.encode()).hexdigest(),
        same_device=same_device,
        return_url=f"{base}/v/{here.id}/identify" if same_device else None,
        contact=contact,
    )


def _purpose(meeting: Meeting) -> str:
    """Return what the eID app shows: who asks, and for what."""
    product, t = services(), translator()
    adviser = product.people.find(meeting.adviser) if meeting.adviser else None
    title = product.policy.type(meeting.type_ref).title[t.language]
    if adviser is None:
        return t.t("meeting.purpose.call", bank=g.brand.name, meeting=title)
    return t.t("meeting.purpose", bank=g.brand.name, meeting=title, adviser=adviser.name)


def _next_step(here: Participant) -> str:
    return f"/v/{here.id}/lobby" if _is_identified(here) else f"/v/{here.id}/arrive"


def _is_identified(here: Participant) -> bool:
    """Say whether this browser has shown who it is: a link alone tells nobody who else is invited (R001)."""
    proof = sessions().visit().get("identified", {}).get(here.id)
    return here.identified is not None and proof == here.identified.at.isoformat()


def _refused(reason: str, here: Participant | None) -> str:
    """Render the one page of every no."""
    product, t = services(), translator()
    values = {"bank": g.brand.name, "phone": g.brand.phone, "time": t.clock(product.clock())}
    urls = {"call_me": "tel:" + g.brand.phone.replace(" ", "")}
    if here is not None:
        meeting = product.meetings.get(here.meeting)
        adviser = product.people.find(meeting.adviser) if meeting.adviser else None
        values |= {
            "adviser": adviser.name.split(" ")[0] if adviser else g.brand.name,
            "until": t.clock(meeting.ends_at),
            "when": t.when(meeting.starts_at, product.clock()),
            "method": t.listing([_title(c.name) for c in product.arrival.choices(meeting, here)], either=True),
        }
        urls |= {"try_again": f"/v/{here.id}/identify", "another_way": f"/v/{here.id}/identify"}
    view = refused_view(t, reason, values=values, urls=urls)
    case = secrets.token_hex(3).upper()
    log.info("refused on the way in", extra={"case": case, "reason": reason})
    return render_template(
        "customer/refused.html",
        reason=reason,
        view=view,
        step=view["step"],
        steps_done=[],
        case=case,
    )


def _upload_url(meeting: Meeting, permissions: Collection[str], pid: str) -> str:
    """Return where documents are left before the meeting: a plugin's page "upload", or "" where none is offered."""
    product = services()
    if Permission.UPLOAD_DOCUMENT not in permissions:
        return ""
    for plugin, routes in sorted(product.plugins.routes().items()):
        offered = any((each.method, each.path, each.caller) == ("GET", "upload", "visitor") for each in routes)
        if offered and product.plugin_use.may_call(meeting, plugin).allowed:
            return f"/v/{pid}/x/{plugin}/upload"
    return ""


def _meeting(meeting: Meeting) -> dict[str, Any]:
    product, t = services(), translator()
    adviser = product.people.find(meeting.adviser) if meeting.adviser else None
    name = adviser.name if adviser else g.brand.name
    return {
        "title": product.policy.type(meeting.type_ref).title[t.language],
        "purpose": meeting.purpose,
        "starts_at": meeting.starts_at,
        "minutes": int((meeting.ends_at - meeting.starts_at).total_seconds() // 60),
        "sign": False,
        "adviser": {
            "name": name,
            "given": name.split(" ")[0] if adviser else name,
            "title": adviser.title if adviser else "",
            "office": adviser.office if adviser else "",
        },
    }


def _privacy(meeting: Meeting, here: Participant) -> dict[str, Any]:
    product = services()
    meeting_type = product.policy.type(meeting.type_ref)
    where = situation(product.policy, meeting, here)
    permissions = permissions_for(product.policy, where)
    return {
        "recording": "may" if recording_for(product.policy, where) is not RecordingRule.NEVER else None,
        "location": False,
        "kept": timedelta(days=meeting_type.retention_days),
        "chat_kept": Permission.CHAT in permissions,
        "stored": region_name(meeting.region),
        "reserve": "",
        "contact": g.brand.phone,
    }


def _notice(meeting: Meeting, here: Participant) -> dict[str, Any]:
    product, t = services(), translator()
    facts = _privacy(meeting, here)
    where = situation(product.policy, meeting, here)
    return notice(
        t,
        version=NOTICE_VERSION,
        since=_NOTICE_SINCE,
        bank=g.brand.name,
        phone=g.brand.phone,
        contact=facts["contact"],
        kept=facts["kept"],
        stored=facts["stored"],
        recording=recording_for(product.policy, where) is not RecordingRule.NEVER,
        chat_kept=facts["chat_kept"],
    )


def _title(method: str) -> str:
    t = translator()
    key = f"{method}.title"
    return str(t(key)) if t.has(key) else method
