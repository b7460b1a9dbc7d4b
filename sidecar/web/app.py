"""The Flask application: blueprints, headers, errors in two shapes, and nothing reachable that declared no caller."""

import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, redirect, render_template, request, send_from_directory
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from sidecar.adapters.i18n import language_menu
from sidecar.bootstrap import Services
from sidecar.domain.errors import InvalidInputError, NotFoundError, RefusedError, TillitError
from sidecar.domain.opening_hours import OpeningHours
from sidecar.services.plugin_ports import PluginRefusedError
from sidecar.settings import Brand, Settings
from sidecar.web import guard, plugin_files, plugin_routes
from sidecar.web.access import access, check_declared
from sidecar.web.api import api
from sidecar.web.bridge_events import bridge_events
from sidecar.web.customer import customer
from sidecar.web.desk import desk
from sidecar.web.feed import Feed
from sidecar.web.message_templates import message_templates
from sidecar.web.problems import problem_response
from sidecar.web.public import public
from sidecar.web.room import room
from sidecar.web.shard_routes import shard_routes
from sidecar.web.staff_sign_in import staff_sign_in
from sidecar.web.trusted_proxies import TrustedProxies
from sidecar.web.web_sessions import WebSessions

log = logging.getLogger("tillit.web")

STATIC = Path(__file__).parent / "static"
_YEAR_S = 31_536_000
_CSP = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self' {form_targets}",
        "img-src 'self' data: blob:",  # the QR code and the picture from one's own camera
        "media-src 'self' blob:",
        "connect-src 'self'",
    )
)


class _Application(Flask):
    """Flask without the question, asked at each call of each function, whether that one is a coroutine: none is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(services: Services) -> Flask:
    """Return the application over these services. Raises ConfigurationError for a route without a caller."""
    app = _Application("sidecar.web", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = services.settings.web.max_body_bytes
    app.jinja_env.trim_blocks = True
    app.extensions["tillit"] = services
    app.extensions["tillit_feed"] = Feed(services.meetings, services.shared)
    web = services.settings.web
    app.extensions["tillit_sessions"] = WebSessions(
        services.sessions,
        visit_ttl=web.session_longest,
        staff_ttl=web.session_longest,
        secure=web.secure_cookies,
        clock=services.clock,
    )
    if web.trusted_proxies:
        app.wsgi_app = TrustedProxies(app.wsgi_app, web.trusted_proxies)  # type: ignore[method-assign]
    for blueprint in (public, customer, room, staff_sign_in, desk, message_templates, api, bridge_events, shard_routes):
        app.register_blueprint(blueprint)
    app.add_url_rule("/static/<path:name>", "static", access("anyone")(_static))
    plugin_routes.mount(app)
    plugin_files.mount(app)
    guard.install(app)
    app.after_request(_headers(services.settings))
    app.context_processor(_context)
    app.register_error_handler(TillitError, _tillit_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unknown_error)
    check_declared(app)
    return app


def _static(name: str) -> Response:
    response = send_from_directory(STATIC, name)
    # A module imports others without a version: those are asked for again each time, and answered with 304.
    fresh = f"public, max-age={_YEAR_S}, immutable" if request.args.get("v") else "no-cache"
    response.headers["Cache-Control"] = fresh
    return response


def _headers(settings: Settings) -> Callable[[Response], Response]:
    """Return what sets the headers of every answer. They are worked out once: settings stay while a process runs."""
    own_policy = _CSP.format(form_targets=_sign_in_origin(settings)).strip()
    always = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",  # an invitation's link must not travel on
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if settings.web.secure_cookies:
        always["Strict-Transport-Security"] = f"max-age={_YEAR_S}; includeSubDomains"
    unless_given = {
        # The camera is for our own pages; nothing else may use anything.
        "Permissions-Policy": (
            "camera=(self), microphone=(self), display-capture=(self), screen-wake-lock=(self), geolocation=()"
        ),
        "Cache-Control": "no-store",
    }

    def set_headers(response: Response) -> Response:
        headers = response.headers
        given = set(headers.keys(lower=True))  # read once: each look for one header goes through all of them
        policy = own_policy
        if embedding := g.get("may_embed"):
            policy = policy.replace("frame-ancestors 'none'", f"frame-ancestors {' '.join(map(_origin, embedding))}")
        policy = "; ".join((policy, *g.get("policy", ())))  # a page's own few more
        for name, value in (unless_given | {"Content-Security-Policy": policy}).items():
            if name.lower() not in given:
                headers.add(name, value)
        for name, value in always.items():
            if name.lower() in given:
                headers[name] = value
            else:
                headers.add(name, value)
        return response

    return set_headers


def _origin(address: str) -> str:
    """Return an address as the origin a policy may name: what is none cannot widen it."""
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http") or not parts.netloc or re.search(r"[^A-Za-z0-9.:-]", parts.netloc):
        return "'none'"
    return f"{parts.scheme}://{parts.netloc}"


def _sign_in_origin(settings: Settings) -> str:
    """Return the identity service's origin: the call check is a form post that is redirected there."""
    issuer = str(settings.plugins.tables.get(settings.staff.provider, {}).get("issuer", ""))
    return "/".join(issuer.split("/")[:3])


@lru_cache(maxsize=512)
def _version(name: str) -> str:
    """Return a short digest of a static file, so that a new one is fetched at once. Modules import by path."""
    if name.endswith(".js"):
        # A module imports others without a version: one digest for all of them keeps a page consistent.
        digest = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(STATIC.rglob("*.js"))))
    else:
        digest = hashlib.sha256((STATIC / name).read_bytes())
    return digest.hexdigest()[:12]


def static_url(name: str) -> str:
    """Return the address of a static file with its version; a plugin's is named "x/<plugin>/<file>"."""
    if name.startswith("x/"):
        return f"/static/{name}?v={plugin_files.version(name.split('/')[1])}"
    return f"/static/{name}?v={_version(name)}"


def brand_context(brand: Brand, translator: Any, services: Services) -> dict[str, Any]:
    hours = services.hours(brand.id)
    closes = hours.closes_at(services.clock())
    return {
        "id": brand.id,
        "name": brand.name,
        "phone": brand.phone,
        "phone_href": "tel:" + "".join(c for c in brand.phone if c.isdigit() or c == "+"),
        "logo_url": "/brand-logo" if brand.logo else None,
        "privacy_url": "/privacy",
        "help_url": "",
        "blur": brand.blur_background,
        "hours": _hours_words(hours, closes, translator),
    }


def _hours_words(hours: OpeningHours, closes: datetime | None, translator: Any) -> str:
    if hours.is_always:
        return str(translator.t("meeting.open_always"))
    return str(translator.t("meeting.open_until", time=translator.clock(closes))) if closes else ""


def _context() -> dict[str, Any]:
    translator = g.get("translator")
    if translator is None:
        return {}
    services = guard.services()
    menu = language_menu(translator.language, lambda code: f"?lang={code}")
    offered = [each for each in menu if each["code"] in g.brand.languages]
    return {
        **translator.template_globals(services.clock()),
        "languages": offered,
        "brand": brand_context(g.brand, translator, services),
        "csrf": "",
        "static_url": static_url,
    }


def _wants_page() -> bool:
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return request.method == "GET" and best == "text/html" and not request.path.startswith("/api/")


def sentence_of(error: TillitError) -> str:
    """Return the plain sentence of an error in the reader's language."""
    services, language = guard.services(), g.get("language", "en")
    brand = g.get("brand")
    words = {"phone": brand.phone, "bank": brand.name} if brand else {}
    sentences = services.policy.sentences
    key = str(error.params.get("sentence", ""))
    if key and key in sentences.keys:
        params = {k: v for k, v in error.params.items() if k not in ("sentence", "rule")}
        return sentences.say(key, language, **words | params)
    translator = g.get("translator")
    if isinstance(error, PluginRefusedError) and translator is not None and translator.has(key):
        values = {k: v for k, v in error.params.items() if k != "sentence"}
        return str(translator.t(key, **words | values))
    if translator is not None:
        for text in _texts_of(error):
            if translator.has(text):
                return str(translator.t(text, **words | error.params))
    if error.slug in sentences.keys:
        return sentences.say(error.slug, language, **words)
    return str(translator.t("common.failed")) if translator is not None else error.detail


def _texts_of(error: TillitError) -> Iterator[str]:
    """Yield the texts that may say what went wrong, the most telling first: this field, this reason, this kind."""
    kind = f"common.problem.{error.slug.replace('-', '_')}"
    if reason := error.params.get("reason", ""):
        if field := str(error.params.get("field", "")).rpartition(".")[2]:
            yield f"desk.field.{field}.{reason}"  # what only staff can write stands in the desk's texts
            yield f"common.field.{field}.{reason}"
            yield f"desk.field.{reason}"
            yield f"common.field.{reason}"
        yield f"{kind}.{reason}"
    yield kind


def _tillit_error(error: TillitError) -> AnyResponse | tuple[str, int]:
    case = secrets.token_hex(3).upper()
    response = problem_response(error, sentence_of(error), instance=f"urn:tillit:case:{case}")
    level = logging.ERROR if response.status_code >= 500 else logging.INFO
    log.log(
        level,
        "request refused" if response.status_code < 500 else "request failed",
        extra={"problem": error.slug, "case": case, "endpoint": request.endpoint, "rule": error.params.get("rule")},
        exc_info=error if response.status_code >= 500 else None,
    )
    if not _wants_page():
        return response
    if error.slug == "not-signed-in":
        return redirect(f"/staff/sign-in?next={request.path}")
    if error.slug == "not-identified" and request.view_args:
        return redirect(f"/v/{request.view_args['pid']}/identify")
    kinds = {404: "not_found", 401: "session", 403: "forbidden", 503: "unavailable"}
    # What the bank's identity service sends back is spent at once: whoever tries again begins where they began.
    back_from_sign_in = request.path == "/staff/callback"
    told = back_from_sign_in or isinstance(error, RefusedError | InvalidInputError)
    at_desk = request.path.startswith("/desk") and "staff" in g
    again = "" if response.status_code == 404 else request.path
    page = render_template(
        "staff/error.html" if at_desk else "error.html",
        kind="unavailable" if back_from_sign_in else kinds.get(response.status_code, "failed"),
        sentence=sentence_of(error) if told else "",
        case=case,
        urls={
            "again": "/desk" if back_from_sign_in else again,
            "home": "/desk" if request.path.startswith("/desk") else "",
        },
    )
    return page, response.status_code


def _http_error(error: HTTPException) -> AnyResponse | tuple[str, int]:
    if isinstance(error, RequestEntityTooLarge):
        return _tillit_error(InvalidInputError("The request is too large.", field="body", reason="too_large"))
    if error.code == 404:
        return _tillit_error(NotFoundError("There is nothing here, or not for you."))
    if error.code is not None and error.code < 400:
        return error.get_response()  # a redirect is an answer
    if error.code is not None and error.code >= 500:
        return _unknown_error(error)
    if error.code == 405:
        return Response(status=405, headers={"Allow": ", ".join(getattr(error, "valid_methods", None) or [])})
    return _tillit_error(InvalidInputError(f"This request cannot be read ({error.name}).", field="body"))


def _unknown_error(error: Exception) -> AnyResponse | tuple[str, int]:
    """Answer a plain 500 with a case number; the inner text stays inside."""
    log.error("unexpected error", extra={"endpoint": request.endpoint}, exc_info=error)
    return _tillit_error(TillitError("Something went wrong here."))
