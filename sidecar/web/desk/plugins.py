"""Plugins at the desk: their cards and menu entries, and the work of theirs that was given up."""

import logging
from collections.abc import Mapping
from typing import Any

from flask import Response, g, jsonify, render_template
from markupsafe import Markup

from sidecar.domain.errors import NotFoundError
from sidecar.domain.meetings import Meeting
from sidecar.services.plugin_pages import DeskSection
from sidecar.services.plugin_ports import StaffView
from sidecar.services.plugin_records import MESSAGE
from sidecar.services.plugin_views import let_in
from sidecar.services.ports import Errand
from sidecar.services.staff import StaffMember
from sidecar.web.access import access
from sidecar.web.desk.blueprint import desk
from sidecar.web.desk.rows import name_of
from sidecar.web.guard import services, staff, translator

log = logging.getLogger("tillit.web")

_EVERYBODYS = "edit_messages"  # the right to look after what belongs to no meeting of one's own


def staff_view() -> StaffView:
    """Return the signed-in staff member as plugins see them."""
    product, me = services(), staff()
    rights = frozenset(str(each) for name in me.packages for each in product.policy.packages[name].rights)
    return StaffView(id=me.id, name=me.name, packages=me.packages, rights=rights)


def cards(where: str, meeting: Meeting | None = None) -> list[dict[str, Any]]:
    """Return the cards of one page: [{id, title, body}]. One that fails is left out, and the log tells."""
    product = services()
    allowed = let_in(product.policy, meeting) if meeting is not None else None
    view = product.plugin_work.views.meeting(meeting.id) if meeting is not None else None
    found = []
    for plugin, section in product.plugins.desk_sections():
        if section.where != where or not _has_right(section) or (allowed is not None and plugin not in allowed):
            continue
        try:
            context: Mapping[str, Any] = section.context(view, staff_view()) if section.context else {}
            body = render_template(section.template, meeting=view, **context)
        except Exception:  # a plugin's own trouble: the desk goes on without the card
            log.exception("plugin failed", extra={"plugin": plugin, "section": section.name})
            continue
        # Rendered by a template of approved files, which escapes what it is given.
        card = {"id": f"{plugin}-{section.name}", "title": translator()(section.title), "body": Markup(body)}  # noqa: S704
        found.append(card)
    return found


@desk.app_context_processor
def _menu() -> dict[str, Any]:
    """Give staff/base.html the plugins' entries, on a page where somebody is signed in."""
    return {"plugin_entries": entries} if "staff" in g else {}


def entries() -> list[dict[str, str]]:
    """Return the menu entries of the reader: [{url, title}]."""
    return [
        {"url": f"/desk/x/{plugin}/{section.path}", "title": translator()(section.title)}
        for plugin, section in services().plugins.desk_sections()
        if section.where == "menu" and _has_right(section)
    ]


def plugin_sentences() -> dict[str, list[str]]:
    """Return the journal's sentences of the plugins' audit kinds, the fullest first: kind -> sentences."""
    t, found = translator(), {}
    for kind in services().plugins.audit_kinds():
        plugin, _, name = kind.partition(".")
        keys = [f"{plugin}.journal.{name}{more}" for more in (".full", "", ".plain")]
        sentences = [t.raw(key).replace("**", "") for key in keys if t.has(key)]
        if sentences:
            found[kind] = sentences
    return found


def messages(meeting: Meeting) -> list[dict[str, Any]]:
    """Return the plugins' messages of one meeting, as the list of what was sent shows them."""
    return [
        {
            "id": errand.id,
            "what": _what(errand),
            "name": name_of(errand.body.get("person")),
            "channel": str(errand.body["channel"]),
            "state": errand.state,
            "due_at": errand.due_at,
            "tried": errand.attempts > 0 and errand.state == "waiting",
        }
        for errand in services().meetings.errands(meeting.id)
        if errand.kind == MESSAGE
    ]


def given_up() -> list[Errand]:
    """Return the plugins' work and messages that were given up and are the reader's to look after."""
    product, me = services(), staff()
    return [
        each
        for each in product.meetings.failed_errands()
        if product.plugin_work.errands.takes(each) and _is_mine(each, me)
    ]


@desk.get("/undone")
@access("staff")
def work() -> str:
    """Show what was given up: which part, what, for whom, and why."""
    return render_template("staff/work.html", rows=[_row(each) for each in given_up()])


@desk.post("/undone/<errand>/again")
@access("staff")
def work_again(errand: str) -> Response:
    found = services().meetings.get_errand(errand)
    if not _is_mine(found, staff()):
        raise NotFoundError("There is no such work.")
    services().plugin_work.errands.again(errand, actor=staff().id)
    return jsonify({})


def _row(errand: Errand) -> dict[str, Any]:
    product, t = services(), translator()
    meeting = product.meetings.get(errand.meeting) if errand.meeting else None
    return {
        "id": errand.id,
        "what": _what(errand),
        "name": name_of(errand.body.get("person")) if errand.kind == MESSAGE else "",
        "problem": t(f"desk.work.problem.{errand.last_problem.replace('-', '_')}")
        if t.has(f"desk.work.problem.{errand.last_problem.replace('-', '_')}")
        else t("desk.work.problem.other"),
        "attempts": errand.attempts,
        "at": errand.due_at,
        "meeting": errand.meeting,
        "type": product.policy.type(meeting.type_ref).title[g.language] if meeting else "",
    }


def _what(errand: Errand) -> str:
    """Return what work or message this is, in the plugin's words where it has some."""
    t, plugin = translator(), str(errand.body["plugin"])
    key = f"{plugin}.work.{str(errand.body.get('template', errand.kind)).partition('.')[2]}"
    if t.has(key):
        return str(t(key))
    part = t(f"{plugin}.panel.title") if t.has(f"{plugin}.panel.title") else plugin
    return str(t("desk.work.message" if errand.kind == MESSAGE else "desk.work.unnamed", plugin=part))


def _is_mine(errand: Errand, me: StaffMember) -> bool:
    product = services()
    if product.staff.may(me, _EVERYBODYS):
        return True
    if errand.meeting is None:
        return False
    try:
        return product.meetings.get(errand.meeting).adviser == me.id
    except NotFoundError:
        return False


def _has_right(section: DeskSection) -> bool:
    return section.right is None or services().staff.may(staff(), section.right)
