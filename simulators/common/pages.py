"""A Flask application as every stand-in has it: strict headers, two languages, one look."""

import logging
import socket
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, render_template, request, send_from_directory
from jinja2 import ChoiceLoader, FileSystemLoader
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, make_server

LANGUAGES = ("sv", "en")
COMMON = Path(__file__).parent
_YEAR_SECONDS = 31_536_000


def new_app(folder: Path) -> Flask:
    """Return an application with the templates, static files and texts of `folder`."""
    app = Flask(folder.name, static_folder=str(folder / "static"), template_folder=str(folder / "templates"))
    app.jinja_loader = ChoiceLoader([FileSystemLoader(folder / "templates"), FileSystemLoader(COMMON / "templates")])
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    texts = {
        language: tomllib.loads((folder / "texts" / f"{language}.toml").read_text("utf-8")) for language in LANGUAGES
    }

    def t(key: str, **params: Any) -> str:
        return str(texts[language()][key]).format(**params)

    @app.get("/common/<path:name>")
    def common_file(name: str) -> Response:
        return send_from_directory(COMMON / "static", name)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    app.context_processor(lambda: {"t": t, "language": language(), "other_language": other_language()})
    app.extensions["texts"] = t
    app.after_request(_with_headers)
    app.register_error_handler(HTTPException, _error_page(t))
    return app


def language() -> str:
    """Return the reader's language: chosen in the address, kept in a cookie, or asked for by the browser."""
    asked = request.args.get("lang") or request.cookies.get("simulator_language")
    return asked if asked in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or "sv"


def other_language() -> str:
    return "en" if language() == "sv" else "sv"


def content_policy(*, form_targets: str = "", framed_by: str = "'none'") -> str:
    """Return a Content-Security-Policy without anything inline or foreign.

    form_targets: origins a form may lead to in the end; Chromium checks form-action on redirects too.
    """
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"frame-src 'self'; form-action 'self' {form_targets}; base-uri 'none'; frame-ancestors {framed_by}"
    )


def _with_headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", g.get("content_policy") or content_policy())
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    if not request.path.startswith(("/common/", "/static/")):
        headers["Cache-Control"] = "no-store"
    if request.args.get("lang") in LANGUAGES:
        response.set_cookie("simulator_language", language(), max_age=_YEAR_SECONDS, httponly=True, samesite="Lax")
    return response


def _error_page(t: Callable[..., str]) -> Callable[[HTTPException], tuple[Any, int]]:
    def show(error: HTTPException) -> tuple[Any, int]:
        status = error.code or 500
        if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "application/json":
            return {"error": (error.name or "error").lower().replace(" ", "_"), "status": status}, status
        return render_template("problem.html", title=t("problem.title"), body=t("problem.body")), status

    return show


def take_port(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one. Early, where an address must name its port."""
    return socket.create_server((host, port))


def listen(app: Flask, taken: socket.socket) -> BaseWSGIServer:
    """Return a server of many threads on a port already taken."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    host, port = taken.getsockname()[:2]
    return make_server(host, port, app, threaded=True, fd=taken.fileno())
