"""What anybody may fetch: health, keys, problems explained, the brand's look, the verifier."""

from pathlib import Path

from flask import Blueprint, Response, g, jsonify, render_template, send_file
from werkzeug.wrappers import Response as AnyResponse

import sidecar.domain.verify_evidence as verifier
from sidecar.domain.branding import brand_css
from sidecar.domain.errors import NotFoundError
from sidecar.web.access import access
from sidecar.web.guard import services
from sidecar.web.problems import PROBLEMS, error_classes

public = Blueprint("public", __name__)


@public.get("/healthz")
@access("anyone")
def healthz() -> Response:
    """Say that this process answers."""
    return jsonify(status="ok")


@public.get("/readyz")
@access("anyone")
def readyz() -> tuple[Response, int]:
    """Say whether everything a meeting needs answers; 503 names what does not."""
    product = services()
    parts = {
        "meetings": product.meetings.is_healthy,
        "people": product.people.is_healthy,
        "sessions": product.sessions.is_healthy,
        "shared": product.shared.is_healthy,
        "audit": lambda: product.audit.size >= 0,
    }
    found = {name: "ok" if _answers(check) else "down" for name, check in parts.items()}
    found |= product.conference.health()
    return jsonify(parts=found), 200 if set(found.values()) == {"ok"} else 503


@public.get("/.well-known/jwks.json")
@access("anyone")
def jwks() -> Response:
    """Serve the public keys join tokens are verified with (RFC 7517)."""
    response = jsonify(services().ring.jwks("join").document())
    response.headers["Cache-Control"] = "public, max-age=60"
    return response


@public.get("/brand.css")
@access("anyone")
def brand_style() -> Response:
    response = Response(brand_css(g.brand.colour), mimetype="text/css")
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@public.get("/brand-logo")
@access("anyone")
def brand_logo() -> AnyResponse:
    if g.brand.logo is None:
        raise NotFoundError("This brand has no logo.")
    return send_file(g.brand.logo, max_age=300)


@public.get("/problems")
@access("anyone")
def problems() -> str:
    """Explain every problem by name: the address in a problem document leads here."""
    classes = error_classes()
    rows = [
        {"slug": slug, "status": status, "title": title, "text": (classes[slug].__doc__ or "").strip()}
        for slug, (status, title) in sorted(PROBLEMS.items())
        if slug in classes
    ]
    return render_template("problems.html", rows=rows)


@public.get("/evidence")
@access("anyone")
def evidence() -> str:
    """Explain how an outsider checks an evidence file, with the published fingerprints."""
    return render_template("evidence.html", fingerprints=services().evidence_fingerprints())


@public.get("/evidence/verify_evidence.py")
@access("anyone")
def evidence_verifier() -> AnyResponse:
    """Serve the stand-alone verifier: one file, standard library and cryptography only."""
    return send_file(Path(verifier.__file__), mimetype="text/x-python", as_attachment=True)


def _answers(check: object) -> bool:
    try:
        return bool(check())  # type: ignore[operator]
    except Exception:
        return False
