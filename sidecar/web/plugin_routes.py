"""Plugins' own addresses: mounted at the start, each with its caller, checked before the plugin hears of a request.

The order is always the same: who calls (guard.py), may this meeting use the plugin, is the caller inside where the
route asks for it, the permission, and only then the plugin. What a plugin raises beyond the product's own errors is
a plain failure with its name in the log, and touches nothing else.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, jsonify, redirect, render_template, request
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as AnyResponse

from sidecar.domain.errors import NotFoundError, RefusedError, TillitError
from sidecar.domain.meetings import SHUT_OUT, Meeting, Participant
from sidecar.services.acts import Act
from sidecar.services.plugin_pages import PluginRequest, PluginResponse, Route, UploadedFile
from sidecar.services.plugin_ports import PlaceView, StaffView
from sidecar.services.signing_ports import ClientView
from sidecar.web.access import access
from sidecar.web.customer import DEVICE_COOKIE
from sidecar.web.desk.blueprint import prepare
from sidecar.web.desk.plugins import staff_view
from sidecar.web.guard import api_caller, client_ip, place, services, sessions, staff, translator
from sidecar.web.turns import takes_turns

log = logging.getLogger("tillit.web")

_BELOW: Mapping[str, str] = {
    "occupant": "/v/<pid>/x/{plugin}/",
    "visitor": "/v/<pid>/x/{plugin}/",
    "staff": "/desk/x/{plugin}/",
    "system": "/api/v1/x/{plugin}/",
    "anyone": "/x/{plugin}/",
}
_OWN_HEADERS = frozenset({"set-cookie", "content-security-policy", "strict-transport-security", "location"})
_LIMIT = "_tillit_most_bytes"


def mount(app: Flask) -> None:
    """Add every loaded plugin's routes to the application."""
    found = app.extensions["tillit"].plugins.routes()
    own, at_desk = Blueprint("plugins", __name__), prepare(Blueprint("plugins_desk", __name__))
    for plugin, routes in sorted(found.items()):
        for number, route in enumerate(routes):
            view = access(route.caller)(_view(plugin, route))
            setattr(view, _LIMIT, route.max_body)
            (at_desk if route.caller == "staff" else own).add_url_rule(
                _BELOW[route.caller].format(plugin=plugin) + route.path,
                f"{plugin}_{number}",
                takes_turns(view) if route.in_turn else view,
                methods=[route.method],
            )
    app.register_blueprint(own)
    app.register_blueprint(at_desk)
    app.before_request(_limit)


def _limit() -> None:
    """Hold a plugin's route to its own limit before anything of the body is read."""
    most = getattr(current_app.view_functions.get(request.endpoint or ""), _LIMIT, None)
    if most is not None:
        request.max_content_length = most
        request.max_form_memory_size = most


def _view(plugin: str, route: Route) -> Callable[..., AnyResponse]:
    act = f"{plugin}.request"

    def view(**arguments: Any) -> AnyResponse:
        arguments.pop("pid", None)
        here = _let_in(plugin, route, act) if route.caller in ("occupant", "visitor") else None
        member = _staff_view(route) if route.caller == "staff" else None
        system = _system(route) if route.caller == "system" else None
        asked = _request(arguments, here=here, member=member, system=system)
        return _answer(plugin, _called(plugin, route, asked))

    return view


def _let_in(plugin: str, route: Route, act: str) -> PlaceView:
    """Return the caller's place. Raises RefusedError, recorded where something was to be changed or is forbidden."""
    product, here = services(), place()
    meeting = product.meetings.get(here.meeting)
    asked = _act(act, meeting, here, plugin)
    product.acts.require(asked, product.plugin_use.may_call(meeting, plugin))
    if here.state in SHUT_OUT:
        raise RefusedError("This part in the meeting was ended.", rule="default/invited-only", sentence="expelled")
    if route.where == "room" and not product.admission.is_inside(meeting, here):
        raise RefusedError("Only for who was let in.", rule="default/admitted-first", sentence="not-admitted")
    core = product.plugin_work.core(plugin)
    view = product.plugin_work.views.place_of(meeting, here)
    if route.permission is not None:
        core.require(view, route.permission, act)
    product.plugin_use.note(meeting.id, plugin)
    return view


def _act(kind: str, meeting: Meeting, here: Participant, plugin: str) -> Act:
    who = here.person or here.staff or here.id
    return Act(kind, who, services().clock(), meeting.id, here.id, {"plugin": plugin})


def _staff_view(route: Route) -> StaffView:
    product, me = services(), staff()
    if route.permission is not None:
        product.staff.require(me, route.permission)
    return staff_view()


def _system(route: Route) -> str:
    caller = api_caller()
    if route.permission is not None and route.permission not in caller.rights:
        act = Act("system.denied", caller.id, services().clock(), data={"right": route.permission})
        services().acts.note(act)
        raise RefusedError(
            f"This key does not hold the right '{route.permission}'.",
            rule=f"api/{route.permission}",
            sentence="refused",
        )
    return caller.id


def _request(
    arguments: Mapping[str, Any], *, here: PlaceView | None, member: StaffView | None, system: str | None
) -> PluginRequest:
    is_form = request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded")
    csrf = ""
    if here is not None or member is not None:
        session = sessions().staff() if member is not None or (here is not None and here.is_staff) else None
        csrf = str((session or sessions().visit()).get("csrf", ""))
    return PluginRequest(
        method=request.method,
        path={name: str(value) for name, value in arguments.items()},
        query=request.args.to_dict(),
        body=b"" if is_form else request.get_data(),
        form=request.form.to_dict() if is_form else {},
        files=_files() if is_form else {},
        language=g.language,
        brand=here.brand if here is not None else g.brand.id,
        now=services().clock(),
        client=_client(),
        t=translator(),
        csrf=csrf,
        place=here,
        staff=member,
        system=system,
    )


def _files() -> dict[str, UploadedFile]:
    found: dict[str, UploadedFile] = {}
    for field, files in request.files.lists():
        for number, each in enumerate(files, start=1):
            found[field if number == 1 else f"{field}.{number}"] = _file(each)
    return found


def _file(each: FileStorage) -> UploadedFile:
    return UploadedFile(name=(each.filename or "")[:255], media_type=each.mimetype[:100], data=each.read())


def _client() -> ClientView:
    device = request.cookies.get(DEVICE_COOKIE) or request.headers.get("User-Agent", "")
    return ClientView(
        ip=client_ip(),
        user_agent=request.headers.get("User-Agent", "")[:256],
        referring_domain=urlsplit(request.url_root).hostname or "",
        device=hashlib.sha256(device.encode()).hexdigest(),
    )


def _called(plugin: str, route: Route, asked: PluginRequest) -> PluginResponse:
    """Call the plugin. The product's own errors pass; anything else is its failure, and stays its own."""
    try:
        answer = route.handle(asked)
    except TillitError:
        raise
    except Exception as error:
        log.exception("plugin failed", extra={"plugin": plugin, "route": f"{route.method} {route.path}"})
        raise TillitError("A part of the product failed.") from error
    if not isinstance(answer, PluginResponse):
        log.error("plugin gave no answer", extra={"plugin": plugin, "route": f"{route.method} {route.path}"})
        raise TillitError("A part of the product failed.")
    return answer


def _answer(plugin: str, answer: PluginResponse) -> AnyResponse:
    if answer.redirect is not None:
        if not answer.redirect.startswith("/") or answer.redirect.startswith(("//", "/\\")):
            raise TillitError(f"Plugin {plugin} leads to an address that is not ours.")
        return redirect(answer.redirect)
    if answer.page is not None:
        if not answer.page.startswith(f"{plugin}/"):
            raise NotFoundError("A plugin's page stands under its own name.")
        response = Response(render_template(answer.page, **answer.context), status=answer.status, mimetype="text/html")
    elif answer.data is not None:
        response = Response(answer.data, status=answer.status, mimetype=answer.media_type)
    elif answer.status == 204:
        response = Response(status=204)
    else:
        response = jsonify(answer.json if answer.json is not None else {})
        response.status_code = answer.status
    for name, value in answer.headers.items():
        if name.lower() not in _OWN_HEADERS:
            response.headers[name] = value
    if answer.may_embed:
        g.may_embed = answer.may_embed
    return response
