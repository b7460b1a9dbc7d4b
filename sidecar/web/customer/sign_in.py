"""Step 2: showing who one is, in as many exchanges as the method needs. The state of it never leaves the server."""

import hashlib
from typing import Any
from urllib.parse import urlsplit

from flask import Response, g, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sidecar.domain.errors import NotFoundError, RefusedError
from sidecar.domain.meetings import FINAL_STATES, INSIDE, Meeting, Participant, ParticipantState
from sidecar.services.ports import SignInRequest, SignInStep
from sidecar.services.sending import ADDRESS
from sidecar.web.access import access
from sidecar.web.customer.blueprint import customer
from sidecar.web.customer.parts import DEVICE_COOKIE, is_identified, meeting_facts, refused_page, title_of
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import client_ip, place, services, sessions, translator
from sidecar.web.turns import takes_turns
from sidecar.web.web_sessions import WebSession

_CODE_LENGTH_LIMIT = 12


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
    if product.arrival.door(meeting) == "too-early":
        return refused_page("too_early", here)
    session = sessions().visit()
    flow = session.get("sign_in") or {}
    returned = request.args.get("nonce")
    if returned and flow.get("place") == here.id:
        return redirect(_came_back(session, here, flow, returned[:200]))
    choices = product.arrival.choices(meeting, here)
    methods = [
        {
            "name": choice.name,
            "title": title_of(choice.name),
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
        title_of(name)
        for name, method in product.plugins.identity_methods().items()
        if name not in left and method.kind == "code"
    ]
    return render_template(
        "customer/identify.html",
        csrf=session["csrf"],
        step=2,
        meeting=meeting_facts(meeting),
        methods=methods,
        chosen=chosen,
        seen_text=_purpose(meeting),
        why=_why(meeting, here),
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


def _came_back(session: WebSession, here: Participant, flow: dict[str, Any], nonce: str) -> str:
    """Take in the nonce of an app that came back to the browser that began; it leaves the address bar."""
    try:
        following = _keep(session, here, flow, _proceed(here, flow, {"nonce": nonce}))
    except RefusedError:
        return _wrong_person(here)
    return following or f"/v/{here.id}/identify?method={flow['method']}&resume=1"


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
    if step.view.get("alert_adviser"):
        following = f"/v/{here.id}/refused?reason=said_no"
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
    address = getattr(person, ADDRESS[here.code_channel], "") if here.code_channel else ""
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
        contact={here.code_channel: address} if address else {},
    )


def _why(meeting: Meeting, here: Participant) -> str:
    """Say why one shows who one is: "first", "second_device", "step_up" after the meeting was raised, or "again"."""
    if here.identified is not None and here.id in sessions().visit().get("identified", {}) and not is_identified(here):
        return "second_device"
    enough = services().admission.is_identified_enough(meeting, here)
    if not enough and (here.identified is not None or here.joined_at is not None):
        return "step_up"
    return "again" if here.joined_at is not None else "first"


def _purpose(meeting: Meeting) -> str:
    """Return what the eID app shows: who asks, and for what."""
    product, t = services(), translator()
    adviser = product.people.find(meeting.adviser) if meeting.adviser else None
    title = product.policy.type(meeting.type_ref).title[t.language]
    if adviser is None:
        return t.t("meeting.purpose.call", bank=g.brand.name, meeting=title)
    return t.t("meeting.purpose", bank=g.brand.name, meeting=title, adviser=adviser.name)
