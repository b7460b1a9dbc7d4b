"""The channel: one signed POST to the bank's own service for each message, and what its answers mean."""

import base64
import hmac
import json
import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests

from sidecar.plugin_api import DeliveryFailedError, OutboundMessage
from tillit_notify_inbox.settings import InboxSettings

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024
# 4xx that can pass: our own key (changed meanwhile), a hurry on their side. All other 4xx are about the message.
_PASSING = frozenset({401, 403, 407, 408, 421, 425, 429})


class InboxChannel:
    """Implements NotificationChannel. The address is the bank's own reference to the customer."""

    name = "inbox"

    def __init__(self, settings: InboxSettings, *, clock: Callable[[], datetime]) -> None:
        self._settings, self._clock = settings, clock

    def send(self, message: OutboundMessage) -> str:
        """Hand the message to the bank's service and return its id there.

        The message_id is the idempotency key and part of what is signed. Raises DeliveryFailedError(retry=...).
        """
        if not message.address.strip() or not message.text.strip():
            raise _failed("empty", retry=False)
        body, key = _body(message), re.sub(r"[^A-Za-z0-9._-]", "-", message.message_id)[:100]
        with requests.Session() as session:
            session.trust_env = False  # no .netrc, no proxy that nobody configured here
            try:
                response = session.post(
                    self._settings.url,
                    data=body,
                    headers={
                        "Content-Type": "application/json",
                        "Accept": "application/json",
                        "Idempotency-Key": key,
                        **self.signature(key, body),
                    },
                    timeout=self._settings.timeout_seconds,
                    allow_redirects=False,
                    verify=self._settings.ca_file or True,
                    stream=True,
                )
                answer = _read(response)
            except (requests.RequestException, OSError) as error:
                raise _failed("unreachable", retry=True) from error
        return _reference(response.status_code, answer)

    def signature(self, key: str, body: bytes) -> dict[str, str]:
        """Return the two headers: when, and HMAC-SHA256 over when, idempotency key and body, by full stops."""
        timestamp = str(int(self._clock().timestamp()))
        signed = b".".join((timestamp.encode(), key.encode(), body))
        mac = hmac.digest(self._settings.signing_key, signed, "sha256").hex()
        return {"X-Tillit-Timestamp": timestamp, "X-Tillit-Signature": f"v1={mac}"}


def _read(response: requests.Response) -> bytes:
    """Return the body, as far as any answer has reason to be long."""
    body = bytearray()
    for chunk in response.iter_content(4096):
        body += chunk
        if len(body) > MOST_BYTES:
            break
    return bytes(body)


def _body(message: OutboundMessage) -> bytes:
    wanted: dict[str, Any] = {
        "to": message.address,
        "sender": message.sender_name,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "attachments": [
            {"name": name, "media_type": media_type, "content": base64.b64encode(data).decode()}
            for name, media_type, data in message.attachments
        ],
    }
    return json.dumps(wanted).encode()


def _reference(status: int, body: bytes) -> str:
    """Return the id the service gave the message, or raise what its answer means."""
    if status in _PASSING or status >= 500:
        raise _failed(f"answered-{status}", retry=True)
    if not 200 <= status < 300:
        raise _failed(f"answered-{status}", retry=False)
    try:
        reference = json.loads(body)["id"]
    except (ValueError, KeyError, TypeError) as error:
        raise _failed("answer-malformed", retry=True) from error  # the key makes a second try harmless
    if not isinstance(reference, str) or not reference:
        raise _failed("answer-malformed", retry=True)
    return reference


def _failed(cause: str, *, retry: bool) -> DeliveryFailedError:
    log.warning("inbox message not delivered", extra={"cause": cause, "retry": retry})
    return DeliveryFailedError("The bank's inbox did not take the message.", retry=retry, cause=cause)
