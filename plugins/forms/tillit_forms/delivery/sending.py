"""One attempt at one receiver. The signature is over id, time and body, so that none of them can be changed alone."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

import requests

from tillit_forms.settings import Receiver

LONGEST_WAIT = timedelta(hours=6)  # a Retry-After beyond this is not believed
_AGAIN = frozenset({408, 425, 429})  # the client errors that time can heal


@dataclass(frozen=True)
class Answer:
    """How an attempt went. kind: "taken", "again" (a later try can help) or "refused". problem: never the body."""

    kind: Literal["taken", "again", "refused"]
    problem: str = ""
    wait: timedelta | None = None


def sign(secret: bytes, *, id: str, timestamp: int, body: bytes) -> str:
    """Return the signature, "v1=<hex>": HMAC-SHA256 over "<id>.<timestamp>.<body>"."""
    signed = f"{id}.{timestamp}.".encode() + body
    return "v1=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()


def headers(receiver: Receiver, *, id: str, media_type: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return what goes with a body. The id is the same at every attempt: a receiver takes each id once."""
    timestamp = int(now.timestamp())
    return {
        "Content-Type": media_type,
        "User-Agent": "Tillit-Forms/1",
        "Tillit-Id": id,
        "Tillit-Timestamp": str(timestamp),
        "Tillit-Signature": sign(receiver.secret, id=id, timestamp=timestamp, body=body),
    }


def post(receiver: Receiver, *, body: bytes, headers: Mapping[str, str], now: datetime) -> Answer:
    """Send once. Redirects are refused: an address nobody configured gets nothing. The answer's body is not read."""
    try:
        with requests.post(
            receiver.url,
            data=body,
            headers=dict(headers),
            timeout=(min(5.0, receiver.timeout), receiver.timeout),
            allow_redirects=False,
            stream=True,
        ) as response:
            return judge(response.status_code, response.headers, now)
    except requests.Timeout:
        return Answer("again", "timeout")
    except requests.exceptions.SSLError:
        return Answer("again", "tls")
    except requests.RequestException:
        return Answer("again", "unreachable")


def judge(status: int, headers: Mapping[str, str], now: datetime) -> Answer:
    """Return what an HTTP answer means for a delivery."""
    if 200 <= status < 300:
        return Answer("taken")
    if status in _AGAIN or status >= 500:
        return Answer("again", f"http {status}", _retry_after(headers.get("Retry-After", ""), now))
    return Answer("refused", f"http {status}")


def _retry_after(text: str, now: datetime) -> timedelta | None:
    """Return the wait a receiver asks for, in seconds or as a date (RFC 9110, 10.2.3), within reason."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        wait = timedelta(seconds=int(text))
    else:
        try:
            wait = parsedate_to_datetime(text) - now
        except (ValueError, TypeError):
            return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)
