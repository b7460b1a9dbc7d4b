"""Errors by name become answers over HTTP: RFC 9457 problem details. The only place that knows statuses."""

from typing import Any

from flask import Response, json

from sidecar.domain.errors import TillitError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "/problems#"  # relative to the brand's own address (RFC 9457 section 3.1.1)

# slug -> status, and a title that never varies. With the errors' docstrings this makes docs/problems.md.
PROBLEMS: dict[str, tuple[int, str]] = {
    "audit-damaged": (503, "The audit log is damaged"),
    "audit-unavailable": (503, "The audit log cannot be written"),
    "bad-checkpoint": (500, "A checkpoint of the audit log does not verify"),
    "conference-unavailable": (503, "The bridge does not answer"),
    "configuration": (500, "The configuration cannot be used"),
    "conflict": (409, "Changed or done in the meantime"),
    "csrf": (403, "Not sent from our own page"),
    "delivery-failed": (502, "A message did not go out"),
    "internal": (500, "Something went wrong here"),
    "invalid-audit-record": (500, "An audit record is not of its form"),
    "invalid-input": (422, "A field cannot be used"),
    "not-found": (404, "Nothing here"),
    "not-identified": (401, "Not identified for this meeting"),
    "not-recordable": (409, "Encrypted end to end, so not recordable"),
    "not-signed-in": (401, "Not signed in"),
    "personal-data-in-record": (500, "Personal data was about to enter the audit log"),
    "plugin-refused": (409, "A part of the product says no"),
    "recording-damaged": (409, "The recording was changed"),
    "refused": (403, "The policy says no"),
    "staff-sign-in-failed": (401, "Staff sign-in failed"),
    "store-unavailable": (503, "A store cannot be reached"),
    "token-bad-signature": (401, "Token signature not ours"),
    "token-expired": (401, "Token expired"),
    "token-malformed": (401, "Token not of its form"),
    "token-not-yet": (401, "Token not valid yet"),
    "token-refused": (401, "Token refused"),
    "token-spent": (401, "Token already used"),
    "token-wrong-audience": (401, "Token for another service"),
    "token-wrong-issuer": (401, "Token from another issuer"),
    "token-wrong-request": (401, "Token for another request"),
    "token-wrong-room": (401, "Token for another room"),
}


def error_classes() -> dict[str, type[TillitError]]:
    """Return every error there is, by slug: of several classes with one slug, the one that defines it."""
    found = {TillitError.slug: TillitError}
    waiting = [TillitError]
    while waiting:
        for each in waiting.pop().__subclasses__():
            waiting.append(each)
            if "slug" in each.__dict__:
                found[each.slug] = each
    return found


def problem_document(error: TillitError, sentence: str, *, instance: str = "") -> dict[str, Any]:
    """Return the problem details of an error.

    sentence: what happened, in the reader's language, for people; `detail` is English, for programs.
    instance: a URI of this occurrence, "urn:uuid:..." of the request id; never the path: it can be secret.
    """
    status, title = PROBLEMS.get(error.slug, PROBLEMS["internal"])
    known = error.slug in PROBLEMS
    document: dict[str, Any] = {
        "type": TYPE_PREFIX + (error.slug if known else "internal"),
        "title": title,
        "status": status,
        # What went wrong inside us is for our log: outside it would only help to find the next hole.
        "detail": error.detail if known and status < 500 else title + ".",
        "sentence": sentence,
    }
    if "rule" in error.params and status < 500:
        document["rule"] = str(error.params["rule"])
    if "field" in error.params and status < 500:
        document["field"] = str(error.params["field"])
    return document | ({"instance": instance} if instance else {})


def problem_response(error: TillitError, sentence: str, *, instance: str = "") -> Response:
    """Return the answer to a request that failed this way, never to be cached."""
    document = problem_document(error, sentence, instance=instance)
    response = Response(json.dumps(document), status=document["status"], mimetype=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    if document["status"] == 401:
        response.headers["WWW-Authenticate"] = "Bearer"  # RFC 9110 section 11.6.1 asks for a scheme
    if document["status"] == 503:
        response.headers["Retry-After"] = "5"  # seconds: time for a restart, short enough for somebody waiting
    return response
