"""Staff sign-in through the bank's identity service, and the check of its own before a call (R007, R015)."""

import hmac

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sidecar.domain.errors import RefusedError
from sidecar.domain.ids import MeetingId
from sidecar.services.ports import StaffSignIn, StaffSignInError
from sidecar.web.access import access
from sidecar.web.guard import services, sessions, staff

staff_sign_in = Blueprint("staff_sign_in", __name__)

_CALL_CHECKS_KEPT = 20


@staff_sign_in.get("/staff/sign-in")
@access("anyone")
def sign_in() -> AnyResponse:
    """Send the browser to the bank's identity service. next: where to go afterwards, on this site only."""
    wanted = request.args.get("next", "/desk")
    return _begin("desk", after=wanted if _is_ours(wanted) else "/desk")


@staff_sign_in.post("/desk/meetings/<mid>/start")
@access("staff")
def start_call(mid: str) -> AnyResponse:
    """Ask for a fresh, strong sign-in for this very call; the desk's session alone opens none."""
    return _begin("call", after=f"/desk/meetings/{mid}/enter", meeting=mid)


@staff_sign_in.get("/staff/callback")
@access("anyone")
def callback() -> AnyResponse:
    session = sessions().staff()
    flow = session.get("sign_in") or {}
    session.remove("sign_in")
    sent = request.args.get("state", "")
    if not flow or not hmac.compare_digest(sent.encode(), str(flow["state"].get("state", "")).encode()):
        raise StaffSignInError("This sign-in was not begun in this browser, or it is over.")
    product = services()
    try:
        assertion = _provider().complete(query=request.args.to_dict(), state=flow["state"], now=product.clock())
    except StaffSignInError:
        if flow["purpose"] == "call" and session.get("staff"):
            meeting = product.meetings.get(MeetingId(flow["meeting"]))
            product.staff.call_refused(product.staff.member(session["staff"]), meeting)
        raise
    if flow["purpose"] == "desk":
        member = product.staff.signed_in(assertion, language="sv")
        session.rotate()
        session.set("staff", member.id)
        session.set("call_checks", {})
        return redirect(flow["after"])
    known = session.get("staff")
    if not known:
        raise StaffSignInError("The desk's session ended while the check was made.")
    meeting = product.meetings.get(MeetingId(flow["meeting"]))
    member = product.staff.member(known)
    checked_at = product.staff.call_checked(member, assertion, meeting)
    checks = dict(list(session.get("call_checks", {}).items())[-_CALL_CHECKS_KEPT:])
    session.set("call_checks", checks | {meeting.id: checked_at.isoformat()})
    return redirect(flow["after"])


@staff_sign_in.post("/staff/sign-out")
@access("staff")
def sign_out() -> AnyResponse:
    staff()
    sessions().staff().drop()
    return redirect(url_for("customer.front"))


def _begin(purpose: str, *, after: str, meeting: str = "") -> AnyResponse:
    product = services()
    redirect_uri = request.url_root.rstrip("/") + url_for("staff_sign_in.callback")
    begun = _provider().begin(
        redirect_uri=redirect_uri,
        purpose="call" if purpose == "call" else "desk",
        now=product.clock(),
    )
    session = sessions().staff()
    session.set("sign_in", {"state": dict(begun.state), "purpose": purpose, "after": after, "meeting": meeting})
    return redirect(begun.url)


def _provider() -> StaffSignIn:
    found = services().staff_sign_in
    if found is None:
        raise RefusedError("No staff sign-in is set up.", rule="default/no-staff-sign-in", sentence="no-role")
    return found


def _is_ours(url: str) -> bool:
    # A tab or line break inside is taken out on the way, and "/<tab>/elsewhere" becomes another site's address.
    return url.startswith("/") and not url.startswith(("//", "/\\")) and url.isprintable()
