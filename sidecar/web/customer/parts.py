"""What several of the customer's pages say: the meeting, a way to sign in, and every no."""

import logging
import secrets
from collections.abc import Collection
from typing import Any

from flask import g, render_template

from sidecar.domain.meetings import Meeting, Participant
from sidecar.domain.permissions import Permission
from sidecar.web.customer_views import refused_view
from sidecar.web.guard import services, sessions, translator

log = logging.getLogger("tillit.web")

DEVICE_COOKIE = "tillit_device"


def take_place(here: Participant) -> None:
    """Let this browser know its place in a meeting; of many, the latest 20."""
    session = sessions().visit()
    known = [each for each in session.get("places", ()) if each != here.id]
    session.set("places", [*known, here.id][-20:])


def is_identified(here: Participant) -> bool:
    """Say whether this browser has shown who it is: a link alone tells nobody who else is invited (R001)."""
    proof = sessions().visit().get("identified", {}).get(here.id)
    return here.identified is not None and proof == here.identified.at.isoformat()


def refused_page(reason: str, here: Participant | None) -> str:
    """Render the one page of every no."""
    product, t = services(), translator()
    values = {"bank": g.brand.name, "phone": g.brand.phone, "time": t.clock(product.clock())}
    urls = {"call_me": "tel:" + g.brand.phone.replace(" ", "")}
    if here is not None:
        meeting = product.meetings.get(here.meeting)
        adviser = product.people.find(meeting.adviser) if meeting.adviser else None
        moments = {"too_early": product.arrival.opens_at(meeting), "too_late": meeting.ended_at or meeting.ends_at}
        values |= {
            "adviser": adviser.name.split(" ")[0] if adviser else g.brand.name,
            "until": t.clock(meeting.ends_at),
            "when": t.when(moments.get(reason, meeting.starts_at), product.clock()),
            "method": t.listing([t.method(c.name) for c in product.arrival.choices(meeting, here)], either=True),
        }
        identify, arrive = f"/v/{here.id}/identify", f"/v/{here.id}/arrive"
        urls |= {"try_again": identify, "another_way": identify, "prepare": arrive, "continue_here": arrive}
    view = refused_view(t, reason, values=values, urls=urls)
    case = secrets.token_hex(3).upper()
    log.info("refused on the way in", extra={"case": case, "reason": reason})
    return render_template(
        "customer/refused.html",
        reason=reason,
        view=view,
        step=view["step"],
        case=case,
    )


def upload_url(meeting: Meeting, permissions: Collection[str], pid: str) -> str:
    """Return where documents are left before the meeting: a plugin's page "upload", or "" where none is offered."""
    product = services()
    if Permission.UPLOAD_DOCUMENT not in permissions:
        return ""
    for plugin, routes in sorted(product.plugins.routes().items()):
        offered = any((each.method, each.path, each.caller) == ("GET", "upload", "visitor") for each in routes)
        if offered and product.plugin_use.may_call(meeting, plugin).allowed:
            return f"/v/{pid}/x/{plugin}/upload"
    return ""


def meeting_facts(meeting: Meeting) -> dict[str, Any]:
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
            "title": _in_sentence(adviser.title) if adviser else "",
            "office": adviser.office if adviser else "",
        },
    }


def _in_sentence(title: str) -> str:
    """Return a work title as it stands inside a sentence: "Rådgivare" as "rådgivare", but "VD" as it is."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def title_of(method: str) -> str:
    t = translator()
    key = f"{method}.title"
    return str(t(key)) if t.has(key) else method
