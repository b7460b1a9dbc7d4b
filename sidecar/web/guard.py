"""Before each view: the brand of this host, the reader's language, and whether the caller is who the route asks for."""

import hmac
import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask, Request, Response, current_app, g, request

from sidecar.adapters.i18n import Translator, available_languages, negotiate_language
from sidecar.bootstrap import Services
from sidecar.domain.errors import NotFoundError, TillitError
from sidecar.domain.ids import ParticipantId, StaffId
from sidecar.domain.meetings import Participant, ParticipantState
from sidecar.services.staff import StaffMember
from sidecar.web.access import caller_of
from sidecar.web.feed import Feed
from sidecar.web.turns import Turns, is_marked
from sidecar.web.web_sessions import WebSession, WebSessions

_LANGUAGE_KEPT = timedelta(days=365)
_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class NotSignedInError(TillitError):
    """Nobody is signed in here, or the session is over."""

    slug = "not-signed-in"


class NotIdentifiedError(TillitError):
    """This browser has not shown who it is for this meeting."""

    slug = "not-identified"


@dataclass(frozen=True)
class ApiCaller:
    """A connected system, by its key. rights: what it may do through the open API."""

    id: str
    rights: frozenset[str]


def services() -> Services:
    found: Services = current_app.extensions["tillit"]
    return found


def sessions() -> WebSessions:
    found: WebSessions = current_app.extensions["tillit_sessions"]
    return found


def feed() -> Feed:
    found: Feed = current_app.extensions["tillit_feed"]
    return found


def translator() -> Translator:
    found: Translator = g.translator
    return found


def install(app: Flask) -> None:
    """Run the guard before every request and the session saver after it."""
    app.extensions["tillit_turns"] = Turns(app.extensions["tillit"].shared)
    app.before_request(_before)
    app.after_request(_save_sessions)
    app.after_request(_keep_language)
    app.teardown_request(_end_turn)


def place() -> Participant:
    """Return the place in a meeting this request is about, fresh from the store."""
    found: Participant = g.place
    return found


def staff() -> StaffMember:
    found: StaffMember = g.staff
    return found


def api_caller() -> ApiCaller:
    found: ApiCaller = g.api_caller
    return found


def client_ip() -> str:
    """Return the caller's address as this service sees it; one proxy in front is trusted only by settings."""
    address = request.remote_addr or "127.0.0.1"
    return str(ipaddress.ip_address(address))


def _save_sessions(response: Response) -> Response:
    try:
        return sessions().save(response)
    except TillitError as error:  # an answer that promises a session which was not kept would be untrue
        return current_app.make_response(current_app.handle_user_exception(error))


def _keep_language(response: Response) -> Response:
    """Remember a language chosen in the menu, for the next page too."""
    if request.method != "GET":
        return response
    chosen = request.args.get("lang", "")
    if chosen in available_languages:
        response.set_cookie(
            "tillit_language",
            chosen,
            max_age=int(_LANGUAGE_KEPT.total_seconds()),
            secure=services().settings.web.secure_cookies,
            httponly=True,
            samesite="Lax",
        )
    return response


def _end_turn(_error: BaseException | None) -> None:
    place = g.pop("turn", None)
    if place is not None:
        current_app.extensions["tillit_turns"].give_back(place)


def _before() -> None:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # each use of a proxy looks it up anew
    if asked.endpoint is None:
        _speak(app, asked, None)
        return  # no such route: the 404 handler answers
    caller = caller_of(app, asked.endpoint)
    arguments: dict[str, Any] = asked.view_args or {}
    if is_marked(app.view_functions.get(asked.endpoint)):
        turn = arguments.get("pid") or asked.path
        app.extensions["tillit_turns"].take(turn)
        g.turn = turn
    here = None
    if caller in ("visitor", "occupant"):
        here = g.place = _place(ParticipantId(arguments["pid"]))
    _speak(app, asked, here)
    if caller == "visitor":
        _check_visitor(g.place)
    elif caller == "occupant":
        _check_occupant(g.place)
    elif caller == "staff":
        _check_staff()
    elif caller == "system":
        g.api_caller = _api_caller()
    # "anyone" needs nothing; "bridge" is checked by its view, which reads the body once


def _speak(app: Flask, asked: Request, place: Participant | None) -> None:
    product: Services = app.extensions["tillit"]
    brand = product.brand_of_host(asked.host)
    language = negotiate_language(
        query=asked.args.get("lang") if asked.query_string else None,
        cookie=asked.cookies.get("tillit_language"),
        invitation=place.language if place else None,
        accept_language=asked.headers.get("Accept-Language"),
        default=brand.default_language,
    )
    g.brand, g.language = brand, language
    g.translator = _translator(app, language, brand.time_zone)


def _translator(app: Flask, language: str, zone: str) -> Translator:
    """Return this application's translator: it keeps nothing of a reader, and making one parses a locale."""
    known: dict[tuple[str, str], Translator] = app.extensions.setdefault("tillit_translators", {})
    found = known.get((language, zone))
    if found is None:
        found = known[language, zone] = Translator(language, app.extensions["tillit"].catalogue, zone=zone)
    return found


def _place(pid: ParticipantId) -> Participant:
    return services().meetings.participant(pid)


def _check_visitor(place: Participant) -> None:
    """The browser must have opened this place's invitation, or be its staff member."""
    if place.is_staff:
        _check_occupant(place)
        return
    session = sessions().visit()
    if place.id not in session.get("places", ()):
        raise NotFoundError("There is nothing here, or not for you.")
    _check_changes(session)


def _check_occupant(place: Participant) -> None:
    """The browser must have identified for this place, here; a copied link or cookie of another is not enough."""
    if place.is_staff:
        _check_staff()
        if staff().id != place.staff:
            raise NotFoundError("There is nothing here, or not for you.")
        return
    session = sessions().visit()
    if place.id not in session.get("places", ()):
        raise NotFoundError("There is nothing here, or not for you.")
    proof = session.get("identified", {}).get(place.id)
    current = place.identified.at.isoformat() if place.identified else ""
    if not proof or not hmac.compare_digest(str(proof), current):
        raise NotIdentifiedError
    if place.state is ParticipantState.EXPELLED and request.method in _CHANGES:
        raise NotIdentifiedError("This part in the meeting was ended.")
    _check_changes(session)


def _check_staff() -> None:
    session = sessions().staff()
    known = session.get("staff")
    if not known:
        raise NotSignedInError
    g.staff = services().staff.member(StaffId(known))
    _check_changes(session)


def _check_changes(session: WebSession) -> None:
    if request.method in _CHANGES:
        sessions().check_csrf(session)


def _api_caller() -> ApiCaller:
    header = request.headers.get("Authorization", "")
    scheme, _, key = header.partition(" ")
    found = services().api_keys.find(key) if scheme.lower() == "bearer" and 20 <= len(key) <= 200 else None
    if found is None:
        raise NotSignedInError("No key of a connected system was sent, or it is not known.")
    return ApiCaller(id=found.id, rights=found.rights)
