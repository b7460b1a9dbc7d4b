"""HTTP: /hooks/<system> takes deliveries, / shows them, /faults makes a system fail."""

import json
import time
from html import escape

from flask import Flask, Response, request

from simulators.common.pages import content_policy
from simulators.receiver.inbox import Inbox, Letter

SLOW_SECONDS = 30.0


def create_app(inbox: Inbox) -> Flask:
    """Return the application over this inbox."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 32 * 1024 * 1024

    @app.post("/hooks/<system>")
    def hook(system: str) -> Response:
        body = request.get_data()
        fault = inbox.fault(system)
        if fault == "slow":
            inbox.dawdle(system, SLOW_SECONDS)
        elif fault == "429":
            return Response(status=429, headers={"Retry-After": "120"})
        elif fault == "301":
            return Response(status=301, headers={"Location": "/elsewhere"})
        elif fault == "drop":
            request.environ["werkzeug.socket"].close()
        elif fault:
            return Response(status=int(fault))
        if not inbox.is_signed(dict(request.headers), body, time.time()):
            inbox.refuse()
            return Response(status=401)
        inbox.take(Letter(system, request.headers["Tillit-Id"], request.mimetype, body))
        return Response(status=204)

    @app.post("/elsewhere")
    def elsewhere() -> Response:
        inbox.take(Letter("elsewhere", "redirected", request.mimetype, b""))
        return Response(status=204)

    @app.post("/faults")
    def faults() -> Response:
        given = request.get_json(silent=True) or {}
        try:
            inbox.fail(str(given.get("system", "")), str(given.get("fault", "")), int(given.get("times", 0)))
        except ValueError:
            return Response(status=400)
        return Response(status=204)

    @app.get("/letters")
    def letters() -> dict[str, object]:
        found = [
            {"system": each.system, "id": each.id, "media_type": each.media_type, "times": each.times}
            | {"body": each.body.decode("utf-8", "replace")}
            for each in inbox.letters()
        ]
        return {"letters": found, "refused": inbox.refused}

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/")
    def page() -> Response:
        rows = "".join(_row(each) for each in reversed(inbox.letters()))
        table = f"<table><tr><th>System</th><th>Id</th><th>Times</th><th>Fields</th></tr>{rows}</table>"
        text = f"<!doctype html><html lang=en><title>Systems of the bank</title><h1>What arrived</h1>{table}</html>"
        return Response(text, mimetype="text/html", headers={"Content-Security-Policy": content_policy()})

    return app


def _row(letter: Letter) -> str:
    """Return a row of the page. What was sent is text, whatever it looks like."""
    shown = letter.body.decode("utf-8", "replace")
    if letter.media_type == "application/json":
        body = json.loads(letter.body)
        shown = json.dumps(body.get("fields", {}), ensure_ascii=False)
        shown += "".join(f" [{each['name']}]" for each in body.get("documents", ()))
    cells = (letter.system, letter.id, str(letter.times), shown)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
