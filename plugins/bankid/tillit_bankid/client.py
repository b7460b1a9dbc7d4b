"""BankID's Relying Party API v6.0 over mutual TLS: auth, sign, collect, cancel."""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

import requests

from tillit_bankid.config import BankIdSettings
from tillit_bankid.errors import TooManyRequestsError, UnreachableError, UnreadableAnswerError, error_for
from tillit_bankid.model import CollectAnswer, OrderRequest, StartedOrder, read_collected, read_started

log = logging.getLogger(__name__)

_LARGEST_ANSWER_BYTES = 4 * 1024 * 1024  # a signature over a long text is some 300 kB
_LONGEST_PAUSE_SECONDS = 60

_T = TypeVar("_T")


class BankIdClient:
    """Makes one call at a time and never repeats one: whether to try again is the caller's to decide.

    Every call raises a BankIdError (tillit_bankid.errors).
    """

    def __init__(self, settings: BankIdSettings, *, clock: Callable[[], datetime]) -> None:
        self._url = settings.url
        self._timeout = (settings.connect_seconds, settings.answer_seconds)
        self._clock = clock
        self._not_before: datetime | None = None
        self._session = requests.Session()
        # The environment may neither add a proxy nor replace the pinned root (REQUESTS_CA_BUNDLE does).
        self._session.trust_env = False
        self._session.cert = (str(settings.client_cert), str(settings.client_key))
        # A path, never True: with True, requests adds the public roots to whatever is pinned elsewhere.
        self._session.verify = str(settings.ca_file)

    def start(self, order: OrderRequest) -> StartedOrder:
        """Open an order for a person to answer in the app."""
        return self._read(read_started, self._call(str(order.act), order.body()))

    def collect(self, order_ref: str) -> CollectAnswer:
        """Ask where an order stands. A finished order answers once, and is gone after that."""
        answer = self._call("collect", {"orderRef": order_ref})
        return self._read(lambda raw: read_collected(raw, order_ref=order_ref), answer)

    def cancel(self, order_ref: str) -> None:
        """Close an order nobody is to answer any more."""
        self._call("cancel", {"orderRef": order_ref})

    def _call(self, endpoint: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._respect_the_pause()
        try:
            # json= sends exactly "application/json"; a charset behind it would be answered with 415.
            with self._session.post(
                self._url + endpoint, json=body, timeout=self._timeout, allow_redirects=False, stream=True
            ) as response:
                raw = _read_all(response)
        except requests.RequestException as error:
            log.warning("bankid unreachable", extra={"endpoint": endpoint, "cause": type(error).__name__})
            raise UnreachableError() from error
        if response.status_code == 200:
            return _json_object(raw)
        raise self._error(endpoint, response, raw)

    def _error(self, endpoint: str, response: requests.Response, raw: bytes) -> Exception:
        try:
            code = str(_json_object(raw).get("errorCode", ""))
        except UnreadableAnswerError:
            code = ""  # 403 may come as HTML, 405 with nothing at all
        error = error_for(status=response.status_code, code=code)
        # `details` stays out: it may repeat what we sent.
        log.warning("bankid refused", extra={"endpoint": endpoint, "status": response.status_code, "code": code[:40]})
        if error is TooManyRequestsError:
            seconds = _reset_seconds(response.headers.get("RateLimit-Reset"))
            self._not_before = self._clock() + timedelta(seconds=seconds)
            return error(reset_seconds=seconds)
        return error()

    def _respect_the_pause(self) -> None:
        if self._not_before is None:
            return
        left = (self._not_before - self._clock()).total_seconds()
        if 0 < left <= _LONGEST_PAUSE_SECONDS:  # more than that: the clock was set back
            raise TooManyRequestsError(reset_seconds=int(left) + 1)
        self._not_before = None

    @staticmethod
    def _read(read: Callable[[Mapping[str, Any]], _T], answer: Mapping[str, Any]) -> _T:
        try:
            return read(answer)
        except ValueError as error:
            raise UnreadableAnswerError(str(error)) from error


def _read_all(response: requests.Response) -> bytes:
    parts, size = [], 0
    for part in response.iter_content(64 * 1024):
        size += len(part)
        if size > _LARGEST_ANSWER_BYTES:
            raise UnreadableAnswerError("the answer is too large")
        parts.append(part)
    return b"".join(parts)


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(raw)
    except ValueError as error:
        raise UnreadableAnswerError("the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise UnreadableAnswerError("the answer is not a JSON object")
    return answer


def _reset_seconds(header: str | None) -> int:
    """Return how long to stay quiet. An absent or odd header means the collect interval."""
    if header is None or not header.isascii() or not header.isdigit():
        return 2
    return min(int(header), _LONGEST_PAUSE_SECONDS)
