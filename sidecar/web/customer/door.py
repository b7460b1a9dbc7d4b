"""The way in: the invitation, who invites and why, and the yes to how data is handled."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from flask import Response, g, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sidecar.domain.errors import InvalidInputError, NotFoundError
from sidecar.domain.meetings import INSIDE, Meeting, Participant, ParticipantState
from sidecar.domain.permissions import Capacity, Permission
from sidecar.domain.policy import LogLevel, RecordingRule, log_for, permissions_for, recording_for
from sidecar.services.arrival import situation
from sidecar.web.access import access
from sidecar.web.customer.blueprint import customer
from sidecar.web.customer.parts import (
    DEVICE_COOKIE,
    is_identified,
    meeting_facts,
    refused_page,
    take_place,
    upload_url,
)
from sidecar.web.customer_views import notice
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import place, services, sessions, translator
from sidecar.web.room_state import region_name

NOTICE_VERSION = "1"  # raised when the words of customer.notice change; the digest is kept with each consent
_NOTICE_SINCE = datetime.fromisoformat("2026-11-01T00:00:00+00:00")
_LED_HERE = frozenset({"wrong_person", "level_too_low", "said_no", "other_device", "moved"})
_GOES_ON = INSIDE | {ParticipantState.IDENTIFIED, ParticipantState.WAITING}  # somewhere, by another browser
_DEVICE_S = 400 * 24 * 3600  # the longest a browser keeps a cookie


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
        return refused_page("unknown", None), 404
    take_place(here)
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
        return refused_page("cancelled" if reason == "cancelled" else "too_late", here)
    if here.state in (ParticipantState.EXPELLED, ParticipantState.DENIED):
        return refused_page("denied" if here.state is ParticipantState.DENIED else "not_invited", here)
    where = situation(product.policy, meeting, here)
    permissions = permissions_for(product.policy, where)
    others = [
        {"name": product.journals.names([p]).get(p.id, ""), "capacity_label": t(f"meeting.capacity.{p.capacity}")}
        for p in product.meetings.participants(meeting.id)
        if p.id != here.id and not p.is_staff
    ]
    consent = _consent(meeting, here)
    return render_template(
        "customer/arrive.html",
        csrf=sessions().visit()["csrf"],
        step=1,
        steps_done=[1] if consent["given"] else [],
        meeting=meeting_facts(meeting) | {"sign": Permission.SIGN in permissions},
        capacity=here.capacity.value,
        after=_after(here),
        methods=[t.method(choice.name) for choice in product.arrival.choices(meeting, here)],
        others=others if here.capacity is not Capacity.OBSERVER and is_identified(here) else [],
        privacy=_privacy(meeting, here),
        consent=consent,
        early=product.arrival.opens_at(meeting) if reason == "too-early" else None,
        urls={
            "consent": f"/v/{pid}/consent",
            "next": f"/v/{pid}/identify",
            "privacy": f"/v/{pid}/privacy",
            "upload": upload_url(meeting, permissions, pid),
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
    product, t = services(), translator()
    periods = [
        timedelta(days=each.retention_days) for each in product.policy.current_types(today=product.clock().date())
    ]
    text = notice(
        t,
        version=NOTICE_VERSION,
        since=_NOTICE_SINCE,
        bank=g.brand.name,
        phone=g.brand.phone,
        contact=g.brand.phone,
        kept=max(periods),
        least=min(periods),
        stored=region_name(product.settings.stores.region),
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


@customer.get("/v/<pid>/refused")
@access("visitor")
def refused(pid: str) -> str:
    """Say no in words, with what helps: from a sign-in that led to a refusal, from the lobby, or from the link."""
    wanted = request.args.get("reason", "")
    return refused_page(wanted if wanted in _LED_HERE else "unknown", place())


def _next_step(here: Participant) -> str:
    if is_identified(here):
        return f"/v/{here.id}/lobby"
    arrival = services().arrival
    reason = arrival.door(services().meetings.get(here.meeting))
    if not reason and here.identified is not None and here.state in _GOES_ON:
        return f"/v/{here.id}/refused?reason=other_device"
    if reason == "too-early" and arrival.was_moved(here):
        return f"/v/{here.id}/refused?reason=moved"
    return f"/v/{here.id}/arrive"


def _after(here: Participant) -> str:
    """Say what follows the meeting for this person, "" where the bank has no address of theirs."""
    t = translator()
    if here.capacity is not Capacity.CUSTOMER:
        return str(t(f"arrive.after.{here.capacity}"))
    ways = {
        "inbox": "arrive.after.customer",
        "email": "arrive.after.representative",
        "sms": "customer.after.summary.sms",
    }
    channel = services().room.summary_channel(here)
    return str(t(ways[channel])) if channel else ""


def _consent(meeting: Meeting, here: Participant) -> dict[str, Any]:
    """Return what the page says of the yes: given here, given before to the very same words, or to an older text."""
    before = services().arrival.consents(here)
    digest = _notice(meeting, here)["digest"]
    same = any(each.text_sha256 == digest for each in before)
    last = here.consent_version or (before[0].version if before else "")
    return {
        "version": NOTICE_VERSION,
        "since": _NOTICE_SINCE,
        "given": here.consent_version == NOTICE_VERSION or same,
        "unchanged": same and not here.consent_version,
        "changed": last not in ("", NOTICE_VERSION),
    }


def _privacy(meeting: Meeting, here: Participant) -> dict[str, Any]:
    product = services()
    meeting_type = product.policy.type(meeting.type_ref)
    where = situation(product.policy, meeting, here)
    permissions = permissions_for(product.policy, where)
    return {
        "recording": recording_for(product.policy, where) is not RecordingRule.NEVER,
        "kept": timedelta(days=meeting_type.retention_days),
        "chat_kept": Permission.CHAT in permissions and log_for(product.policy, where) is LogLevel.CHAT,
        "stored": region_name(meeting.region),
        "contact": g.brand.phone,
    }


def _notice(meeting: Meeting, here: Participant) -> dict[str, Any]:
    t = translator()
    facts = _privacy(meeting, here)
    return notice(
        t,
        version=NOTICE_VERSION,
        since=_NOTICE_SINCE,
        bank=g.brand.name,
        phone=g.brand.phone,
        contact=facts["contact"],
        kept=facts["kept"],
        stored=facts["stored"],
        recording=facts["recording"],
        chat_kept=facts["chat_kept"],
    )
