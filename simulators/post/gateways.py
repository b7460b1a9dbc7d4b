"""The two JSON APIs: text messages at an operator, and the inbox of the bank's own app and internet bank."""

import base64
import binascii
import hmac
import json
import re
import time
from collections.abc import Sequence
from typing import Any

from flask import Flask, Response, request

from simulators.post.answers import Answers, ApiError
from simulators.post.faults import Faults
from simulators.post.messages import Attachment, Mailroom, Message
from simulators.post.people import OTHERS, Person, find_person

MOST_BYTES = 2 * 1024 * 1024
MOST_PARTS = 10
SIGNATURE_SECONDS = 300  # how old a signed call may be


def create_gateways(
    mailroom: Mailroom,
    people: Sequence[Person],
    faults: Faults,
    answers: Answers,
    *,
    sms_token: str,
    inbox_key: str,
) -> Flask:
    """Return the application with POST /v1/sms and POST /v1/inbox."""
    app = Flask("gateways")
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/sms")
    def sms() -> Any:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not hmac.compare_digest(token.encode(), sms_token.encode()):
            raise ApiError(401, "unauthorized")
        odd = _fail(faults, "sms")
        if odd is not None:
            return odd
        key, body = _key(), request.get_data()
        known = answers.find("sms", key, body)
        if known is not None:
            return known, 200
        asked = _json(body)
        to, sender, text = (_text(asked, name) for name in ("to", "from", "text"))
        if not re.fullmatch(r"\+[1-9]\d{7,14}", to):
            raise ApiError(400, "invalid_number")
        if not re.fullmatch(r"[A-Za-z0-9 ]{1,11}|\+\d{8,15}", sender):
            raise ApiError(400, "invalid_sender")
        parts = sms_parts(text)
        if parts > MOST_PARTS:
            raise ApiError(400, "text_too_long")
        person = find_person(people, "sms", to)
        message = mailroom.deliver(
            Message("sms", person.key if person else OTHERS, to, sender, "", text, reference=key)
        )
        answer = {"id": message.id, "status": "accepted", "parts": parts}
        answers.keep("sms", key, body, answer)
        return answer, 201

    @app.post("/v1/inbox")
    def inbox() -> Any:
        key, body = _key(), request.get_data()
        _check_signature(key, body, inbox_key)
        odd = _fail(faults, "inbox")
        if odd is not None:
            return odd
        known = answers.find("inbox", key, body)
        if known is not None:
            return known, 200
        asked = _json(body)
        person = find_person(people, "inbox", _text(asked, "to"))
        if person is None:
            raise ApiError(404, "unknown_customer")
        message = mailroom.deliver(
            Message(
                channel="inbox",
                person=person.key,
                address=_text(asked, "to"),
                sender=_text(asked, "sender"),
                subject=_text(asked, "subject"),
                text=_text(asked, "text"),
                html=str(asked.get("html") or ""),
                attachments=tuple(_attachment(entry) for entry in asked.get("attachments", [])),
                reference=key,
            )
        )
        answer = {"id": message.id, "status": "delivered"}
        answers.keep("inbox", key, body, answer)
        return answer, 201

    @app.errorhandler(ApiError)
    def show(error: ApiError) -> Any:
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return {"error": error.error}, error.status, headers

    return app


def sms_parts(text: str) -> int:
    """Return into how many parts an operator cuts a text. 3GPP TS 23.038, 23.040."""
    if all(sign in _GSM or sign in _GSM_EXTENDED for sign in text):
        length, single, several = sum(2 if sign in _GSM_EXTENDED else 1 for sign in text), 160, 153
    else:
        length, single, several = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= single else -(-length // several)


_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("^{}\\[~]|€")


def _fail(faults: Faults, place: str) -> Any:
    fault = faults.on(place)
    if fault == "slow":
        faults.dawdle(place)
    elif fault == "429":
        raise ApiError(429, "too_many_requests", retry_after=30)
    elif fault == "redirect":
        return Response(status=307, headers={"Location": "/v1/elsewhere"})
    elif fault == "nonsense":
        return Response("<html>proxy says hello</html>", 200, mimetype="text/html")
    elif fault == "rejected":
        return {"id": "", "status": "rejected"}, 200
    elif fault:
        raise ApiError(int(fault), "made_to_fail")
    return None


def _key() -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", key):
        raise ApiError(400, "idempotency_key_missing")
    return key


def _check_signature(key: str, body: bytes, inbox_key: str) -> None:
    """Check X-Tillit-Signature: v1=HMAC-SHA256 over timestamp, key and body, joined by full stops."""
    timestamp = request.headers.get("X-Tillit-Timestamp", "")
    given = request.headers.get("X-Tillit-Signature", "")
    signed = b".".join((timestamp.encode(), key.encode(), body))
    made = "v1=" + hmac.digest(inbox_key.encode(), signed, "sha256").hex()
    if not hmac.compare_digest(given.encode(), made.encode()):
        raise ApiError(401, "signature_wrong")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > SIGNATURE_SECONDS:
        raise ApiError(401, "signature_too_old")


def _json(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise ApiError(400, "invalid_json") from error
    if not isinstance(asked, dict):
        raise ApiError(400, "invalid_json")
    return asked


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ApiError(400, f"{name}_missing")
    return value


def _attachment(entry: dict[str, Any]) -> Attachment:
    try:
        return Attachment(
            _text(entry, "name"),
            _text(entry, "media_type"),
            base64.b64decode(str(entry["content"]), validate=True),
        )
    except (KeyError, binascii.Error, AttributeError) as error:
        raise ApiError(400, "invalid_attachment") from error
