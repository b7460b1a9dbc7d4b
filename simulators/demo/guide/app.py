"""The guide's pages: the story and its ticks, every process and how to start it again, a check of evidence files."""

import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from simulators.common.pages import new_app
from simulators.demo.guide.bank import Bank, BankError, Checked, check_evidence
from simulators.demo.guide.progress import STEPS, TRIES, Progress
from simulators.demo.processes import Condition, Processes, StartError, StoppedError, Watch
from simulators.demo.world import World

_MAX_UPLOAD_BYTES = 33 * 1024 * 1024  # the verifier itself refuses a file above 32 MB
_HOSTS = frozenset({"localhost", "127.0.0.1"})
_PARTS = ("status", "steps", "tries", "running")
_PRODUCT = ("bridge", "web", "worker")

# What one has to type about Samir when the meeting is booked; he is not in the customer register.
SAMIR = {
    "name": "Samir Haddin",
    "email": "samir.haddin@example.org",
    "phone": "+46701740606",
    "national_id": "198805071233",
}


@dataclass
class Guide:
    """What the pages show. folder: for files that are being checked."""

    world: World
    processes: Processes
    watch: Watch
    progress: Progress
    bank: Bank


def create_guide(guide: Guide) -> Flask:
    """Return the guide's application."""
    app = new_app(Path(__file__).parent)
    app.config["MAX_CONTENT_LENGTH"] = _MAX_UPLOAD_BYTES
    restarting = threading.Lock()

    @app.before_request
    def only_from_here() -> ResponseReturnValue | None:
        """Neither another site's page, nor a name that was made to point here, presses these buttons."""
        if urlsplit(f"//{request.host}").hostname not in _HOSTS:
            abort(400)
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin is not None and urlsplit(origin).netloc != request.host:
            abort(403)
        return None

    @app.after_request
    def own_headers(response: Response) -> Response:
        # With the stand-ins' "no-referrer", browsers send "Origin: null" with our own forms too.
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    @app.get("/")
    def page() -> str:
        return render_template("guide.html", **_shown(guide))

    @app.get("/live")
    def live() -> dict[str, str]:
        """Return the parts of the page that change, as HTML in the reader's language."""
        shown = _shown(guide)
        return {name: render_template(f"{name}.html", **shown) for name in _PARTS}

    @app.get("/state")
    def state() -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "processes": {each.process.name: each.state for each in _conditions(guide)},
            "meeting": guide.progress.meeting,
            "steps": {name: name in guide.progress.steps for name in STEPS},
            "tries": {name: name in guide.progress.tries for name in TRIES},
        }

    @app.post("/restart/<name>")
    def restart(name: str) -> ResponseReturnValue:
        try:
            with restarting:
                guide.processes.restart(name)
        except KeyError:
            abort(404)
        except (StartError, StoppedError):
            pass  # the page says that it is down, and shows the end of its log
        guide.watch.look()
        return redirect("/#running", 303)

    @app.post("/stop/<name>")
    def stop(name: str) -> ResponseReturnValue:
        """End one process of the product, for somebody who wants to see what happens then."""
        if name not in _PRODUCT:
            abort(404)
        guide.processes.end(name)
        guide.watch.look()
        return redirect("/#running", 303)

    @app.post("/check")
    def check() -> str:
        """Check an uploaded evidence file as an auditor would. With X-Part, answer with the result alone."""
        result = _check(guide, request.files.get("file"))
        if isinstance(result, Checked):
            guide.progress.checked(result)
        template = "checked.html" if "X-Part" in request.headers else "guide.html"
        return render_template(template, **_shown(guide), checked=result)

    return app


def _shown(guide: Guide) -> dict[str, Any]:
    world = guide.world
    conditions = _conditions(guide)
    down = [each for each in conditions if each.state in ("down", "silent")]
    return {
        "bank": world.bank,
        "mailbox": world.mailbox,
        "phone": world.phone,
        "samir": SAMIR,
        "steps": STEPS,
        "done": guide.progress.steps,
        "meeting": guide.progress.meeting,
        "next_step": next((name for name in STEPS if name not in guide.progress.steps), ""),
        "tries": TRIES,
        "tried": guide.progress.tries,
        "conditions": conditions,
        "down": down,
        "starting": [each for each in conditions if each.state == "starting"],
        "product": _PRODUCT,
        "addresses": _addresses(world),
        "log_of": guide.processes.log_of,
        "last_lines": guide.processes.last_lines,
        "fingerprints": lambda: _fingerprints(guide.bank),
    }


def _conditions(guide: Guide) -> list[Condition]:
    """Return the last look, the product's own first; what was begun since then is starting."""
    seen = [
        Condition(each.process, "starting") if guide.processes.is_starting(each.process.name) else each
        for each in guide.watch.conditions
    ]
    return sorted(seen, key=lambda each: each.process.name not in _PRODUCT)


def _addresses(world: World) -> dict[str, str]:
    """Return where each process answers, as far as a person would open it."""
    return {"web": world.bank, "bankid": world.phone, "identity": world.identity, "post": world.mailbox}


def _fingerprints(bank: Bank) -> list[str]:
    """Return the published fingerprints, or none while the bank does not answer."""
    try:
        return bank.fingerprints()
    except BankError:
        return []


def _check(guide: Guide, upload: FileStorage | None) -> Checked | str:
    """Return what the verifier said, or the key of a sentence that says why it could not be asked."""
    if upload is None or not upload.filename:
        return "check.none"
    with tempfile.TemporaryDirectory(prefix="tillit-check-") as folder:
        file, program = Path(folder, "file.evidence.json"), Path(folder, "verify_evidence.py")
        upload.save(file)
        try:
            program.write_bytes(guide.bank.verifier())
            return check_evidence(file, program, guide.bank.fingerprints())
        except BankError:
            return "check.unreachable"
