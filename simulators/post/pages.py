"""Where people read their post, and where tests look."""

import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, abort, render_template, request, send_file

from simulators.common.pages import language, new_app
from simulators.post.answers import Answers
from simulators.post.faults import Faults
from simulators.post.markup import as_html
from simulators.post.messages import CHANNELS, Mailroom, Message
from simulators.post.people import OTHERS, Person

HERE = ZoneInfo("Europe/Stockholm")
HEARTBEAT_SECONDS = 15.0  # a comment in the stream, so that a closed window is noticed
MOST_WAIT_SECONDS = 30.0

# Same origin without scripts: the page may measure the frame's height, and nothing in it can run.
SANDBOX = "allow-same-origin allow-popups allow-popups-to-escape-sandbox"
FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    f"frame-ancestors 'self'; sandbox {SANDBOX}"
)


def create_pages(mailroom: Mailroom, people: Sequence[Person], faults: Faults, answers: Answers) -> Flask:
    """Return the mailbox pages, the JSON for tests and the switches for faults."""
    app = new_app(Path(__file__).parent)
    app.jinja_env.filters |= {"as_html": as_html, "clock": clock}
    app.jinja_env.globals |= {"is_new": mailroom.is_new, "sandbox": SANDBOX}
    by_key = {person.key: person for person in people}

    def shown(key: str, message: Message | None = None) -> dict[str, Any]:
        channel = request.args.get("channel", "")
        return {
            "key": key,
            "person": by_key.get(key),
            "channel": channel if channel in CHANNELS else "",
            "channels": CHANNELS,
            "newest": next((each.id for each in mailroom.of(key)), ""),  # before the list: what comes between is told
            "messages": mailroom.of(key, channel if channel in CHANNELS else ""),
            "message": message,
        }

    def known(key: str) -> str:
        return key if key in by_key or key == OTHERS else abort(404)

    @app.get("/")
    def home() -> str:
        counts = {key: sum(mailroom.is_new(message) for message in mailroom.of(key)) for key in (*by_key, OTHERS)}
        return render_template("home.html", people=people, counts=counts, others=mailroom.of(OTHERS))

    @app.get("/p/<key>")
    def mailbox(key: str) -> str:
        return render_template("mailbox.html", **shown(known(key)))

    @app.get("/p/<key>/list")
    def message_list(key: str) -> str:
        opened = mailroom.get(known(key), request.args.get("open", ""))
        return render_template("list.html", **shown(key, opened))

    @app.get("/p/<key>/<message_id>")
    def read(key: str, message_id: str) -> str:
        message = mailroom.get(known(key), message_id) or abort(404)
        mailroom.mark_seen(message)
        return render_template("mailbox.html", as_text="text" in request.args, **shown(key, message))

    @app.get("/p/<key>/<message_id>/html")
    def frame(key: str, message_id: str) -> Response:
        message = mailroom.get(known(key), message_id) or abort(404)
        answer = Response('<!doctype html><base target="_blank">' + message.html, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = FRAME_POLICY
        return answer

    @app.get("/p/<key>/<message_id>/files/<int:number>")
    def attachment(key: str, message_id: str, number: int) -> Response:
        message = mailroom.get(known(key), message_id) or abort(404)
        if number >= len(message.attachments):
            abort(404)
        file = message.attachments[number]
        return send_file(io.BytesIO(file.data), file.media_type, as_attachment=True, download_name=file.name)

    @app.get("/p/<key>/events")
    def events(key: str) -> Response:
        """?after=ID: the newest message the page knows; a browser that connects again says which it was told of."""
        after = request.headers.get("Last-Event-ID") or request.args.get("after")
        return Response(_stream(mailroom, known(key), after), mimetype="text/event-stream")

    @app.get("/api/messages")
    def messages() -> Any:
        """Newest first. ?address=, ?person=; ?more_than=N&wait=SECONDS waits until there are more than N."""
        address, person = request.args.get("address", ""), request.args.get("person", "")
        wait = min(request.args.get("wait", 0.0, float), MOST_WAIT_SECONDS)
        found = mailroom.wait(
            lambda: mailroom.of(person) if person else mailroom.to_address(address),
            request.args.get("more_than", 0, int),
            wait,
        )
        return {"messages": [message.to_json() for message in found]}

    @app.delete("/api/messages")
    def remove() -> Any:
        """Forget the messages to ?address=, or all of them and every idempotency key."""
        address = request.args.get("address", "")
        if not address:
            answers.forget()
        return {"removed": mailroom.remove(address)}

    @app.get("/control/faults")
    def shown_faults() -> Any:
        return {"faults": faults.all()}

    @app.put("/control/faults")
    def set_faults() -> Any:
        try:
            faults.set(json.loads(request.get_data())["faults"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return {"error": "invalid_request", "error_description": str(error)}, 400
        return {"faults": faults.all()}

    return app


def clock(moment: datetime) -> str:
    """Return a moment as people here write it: 14.00 in Swedish, 14:00 in English."""
    return moment.astimezone(HERE).strftime("%H.%M" if language() == "sv" else "%H:%M")


def _stream(mailroom: Mailroom, key: str, after: str | None) -> Iterator[str]:
    """Yield an event for each change in a person's messages, newest sender named.

    after: id of the newest message that is no news, "" for none. None: all that are there.
    """
    ids = [message.id for message in mailroom.of(key)]
    newer = 0 if after is None else ids.index(after) if after in ids else len(ids)
    count = len(ids) - newer
    yield "retry: 2000\n\n"
    while True:
        found = mailroom.wait(lambda: mailroom.of(key), count, HEARTBEAT_SECONDS)
        if len(found) > count:
            newest = {"sender": found[0].sender, "channel": found[0].channel, "id": found[0].id}
            yield f"event: message\nid: {found[0].id}\ndata: {json.dumps(newest)}\n\n"
        else:
            yield ": still here\n\n"
        count = len(found)
