"""The authority over HTTP, its revocation lists, and the switches."""

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import Flask, Response, jsonify, request

from simulators.tsa.certificates import Identity, TrustService, issue_tsa, make_crl, now_utc
from simulators.tsa.tokens import FORGERIES, RequestRefusedError, granted, refused

REFUSALS = (
    "bad_alg",
    "bad_request",
    "bad_data_format",
    "time_not_available",
    "unaccepted_policy",
    "unaccepted_extensions",
    "add_info_not_available",
    "system_failure",
)
_LARGEST_REQUEST_BYTES = 64 * 1024
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"


@dataclass
class Switches:
    """refuse: one of REFUSALS. forge: one of tokens.FORGERIES. status: an HTTP status answered instead, with HTML.

    shift_days: how far the authority's clock is ahead. revoked: "tsa" or "seal" stands on its list.
    """

    refuse: str | None = None
    forge: str | None = None
    status: int | None = None
    garbage: bool = False
    times: int | None = None
    shift_days: float = 0.0
    revoked: str | None = None
    calls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def create_app(service: TrustService) -> Flask:
    app = Flask(__name__, static_folder=None)
    switches = Switches()
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_REQUEST_BYTES
    tsa: list[Identity] = [service.tsa]

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/")
    def stamp() -> Response:
        with switches.lock:
            switches.calls += 1
            wrong = switches.times != 0
            if wrong and switches.times is not None:
                switches.times -= 1
            refuse, forge = (switches.refuse, switches.forge) if wrong else (None, None)
            status, garbage = (switches.status, switches.garbage) if wrong else (None, False)
        if status is not None:
            return Response("<html><body>not now</body></html>", status=status, content_type="text/html")
        if garbage:
            return Response(b"\x30\x03\x02\x01", content_type=_REPLY)
        if request.content_type != _QUERY:
            return Response("the media type is application/timestamp-query", status=415, content_type="text/plain")
        if refuse is not None:
            return Response(refused(refuse), content_type=_REPLY)
        at = now_utc() + timedelta(days=switches.shift_days)
        if forge == "old":
            at -= timedelta(days=365 * 3)
        try:
            return Response(granted(request.get_data(), tsa[0], at=at, forge=forge), content_type=_REPLY)
        except RequestRefusedError as error:
            return Response(refused(error.fail_info), content_type=_REPLY)

    @app.get("/crl/<name>.crl")
    def crl(name: str) -> Response:
        roots = {"seal": (service.seal_root, service.seal), "tsa": (service.tsa_root, tsa[0])}
        if name not in roots:
            return Response(status=404)
        root, leaf = roots[name]
        revoked = (leaf.certificate,) if switches.revoked == name else ()
        at = now_utc() + timedelta(days=switches.shift_days)
        return Response(make_crl(root, at=at, revoked=revoked), content_type="application/pkix-crl")

    @app.post("/control")
    def control() -> Any:
        """Switch what is named; {"reset": true} first switches everything off. {"new_tsa_days": n} renews the key."""
        body = request.get_json()
        if body.pop("reset", False):
            switches.__init__()  # type: ignore[misc]  # every switch back to its default
        days = body.pop("new_tsa_days", None)
        if days is not None:
            tsa[0] = issue_tsa(service.tsa_root, valid_for=timedelta(days=float(days)))
        for key, value in body.items():
            known = {"refuse": (*REFUSALS, None), "forge": (*FORGERIES, None), "revoked": ("tsa", "seal", None)}
            if key not in vars(switches) or (key in known and value not in known[key]):
                return jsonify(error=f"no such switch: {key}"), 400
            setattr(switches, key, value)
        return jsonify(calls=switches.calls)

    return app
