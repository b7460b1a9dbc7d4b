"""The channel: one POST to the gateway for each text, and what its answers mean for a new try."""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

import requests

from sidecar.plugin_api import DeliveryFailedError, OutboundMessage
from tillit_notify_sms.settings import SmsSettings
from tillit_notify_sms.text import parts_of, plain_text, sender_of

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024
# 4xx that can pass: our own token (renewed meanwhile), a hurry on their side. All other 4xx are about the message.
_PASSING = frozenset({401, 403, 407, 408, 421, 425, 429})
_TAKEN = ("accepted", "queued", "created", "sent", "delivered")


class SmsChannel:
    """Implements NotificationChannel."""

    name = "sms"

    def __init__(self, settings: SmsSettings) -> None:
        self._settings = settings

    def send(self, message: OutboundMessage) -> str:
        """Hand the text to the gateway and return the gateway's id of it.

        The message_id is the idempotency key. Raises DeliveryFailedError(retry=...), with retry_after in
        seconds where the gateway asked for a pause.
        """
        body = self._body(message)
        with requests.Session() as session:
            session.trust_env = False  # no .netrc, no proxy that nobody configured here
            try:
                response = session.post(
                    self._settings.url,
                    data=body,
                    headers={
                        "Authorization": f"Bearer {self._settings.token}",
                        "Content-Type": "application/json",
                        "Accept": "application/json",
                        "Idempotency-Key": _key(message.message_id),
                    },
                    timeout=self._settings.timeout_seconds,
                    allow_redirects=False,
                    verify=self._settings.ca_file or True,
                    stream=True,
                )
                answer = _read(response)
            except (requests.RequestException, OSError) as error:
                raise _failed("unreachable", retry=True) from error
        return _reference(response.status_code, response.headers, answer)

    def _body(self, message: OutboundMessage) -> bytes:
        text = plain_text(message.text).strip()
        sender = self._settings.sender or sender_of(message.sender_name)
        if not text or not sender:
            raise _failed("empty", retry=False)
        if parts_of(text) > self._settings.most_parts:
            raise _failed("too-long", retry=False)
        if not re.fullmatch(r"\+[1-9]\d{7,14}", message.address):
            raise _failed("not-a-number", retry=False)
        wanted = {"to": message.address, "from": sender, "text": text, "reference": message.message_id}
        return json.dumps(wanted).encode()


def _read(response: requests.Response) -> bytes:
    """Return the body, as far as any answer has reason to be long."""
    body = bytearray()
    for chunk in response.iter_content(4096):
        body += chunk
        if len(body) > MOST_BYTES:
            break
    return bytes(body)


def _reference(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Return the gateway's id, or raise what its answer means."""
    if status in _PASSING or status >= 500:
        raise _failed(f"answered-{status}", retry=True, retry_after=_seconds(headers.get("Retry-After", "")))
    if not 200 <= status < 300:
        raise _failed(f"answered-{status}", retry=False)
    try:
        answer: Any = json.loads(body)
        reference, state = str(answer["id"]), answer.get("status", "accepted")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _failed("answer-malformed", retry=True) from error  # the key makes a second try harmless
    if state not in _TAKEN or not reference:
        raise _failed("rejected", retry=False)
    return reference


def _key(message_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", message_id)[:100]


def _seconds(retry_after: str) -> int:
    """Return a Retry-After in seconds, at most an hour; 0 when none or a date."""
    return min(int(retry_after), 3600) if retry_after.isascii() and retry_after.isdigit() else 0


def _failed(cause: str, *, retry: bool, retry_after: int = 0) -> DeliveryFailedError:
    log.warning("text message not delivered", extra={"cause": cause, "retry": retry})
    return DeliveryFailedError(
        "The gateway did not take the text message.", retry=retry, cause=cause, retry_after=retry_after
    )
