"""Commands to a media side, ours or Prosody's: one request each, under a control token for exactly that request."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from sidecar.domain.control_tokens import mint_control_token
from sidecar.domain.jws import SigningKey
from sidecar.services.ports import ConferenceUnavailableError

_TIMEOUT_S = (1.0, 5.0)  # connect, read: the media side is near us; a slower one counts as down


@dataclass(frozen=True)
class Answer:
    """What came back. status: 200 to 299, 400, 404 or one that was asked for; anything else was raised."""

    status: int
    body: Mapping[str, Any]


class ControlClient:
    """Speaks to one media side.

    url: such as http://127.0.0.1:8081, without a path. host: its Host header, "" for the url's own. audience: its
    name in the tokens.
    """

    def __init__(
        self,
        *,
        url: str,
        issuer: str,
        audience: str,
        control_key: Callable[[], SigningKey],
        clock: Callable[[], datetime],
        host: str = "",
    ) -> None:
        self._url = url.rstrip("/")
        self._issuer = issuer
        self._audience = audience
        self._control_key = control_key
        self._clock = clock
        self._headers = {"Content-Type": "application/json"} | ({"Host": host} if host else {})
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy named in the environment has no business between us and the media

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, also: Collection[int] = ()
    ) -> Answer:
        """Send one command. also: further answers the caller reads by itself.

        Raises ConferenceUnavailableError where it was not carried out, and may be tried again.
        """
        data = json.dumps(body).encode() if body is not None else b""
        token = mint_control_token(
            signing_key=self._control_key(),
            issuer=self._issuer,
            audience=self._audience,
            method=method,
            path=path,
            body=data,
            now=self._clock(),
        )
        headers = self._headers | {"Authorization": f"Bearer {token}"}
        try:
            answer = self._http.request(
                method, self._url + path, data=data, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException as error:
            raise ConferenceUnavailableError("The media side does not answer.") from error
        if not (200 <= answer.status_code < 300 or answer.status_code in (400, 404, *also)):
            raise ConferenceUnavailableError(f"The media side answered {answer.status_code}.")
        told = answer.content and (answer.ok or answer.status_code in also)
        return Answer(answer.status_code, _object(answer) if told else {})

    def say_openly(self, path: str) -> Mapping[str, Any]:
        """Return what a path that needs no token says, {} where it does not answer."""
        try:
            answer = self._http.get(self._url + path, headers=self._headers, timeout=_TIMEOUT_S)
            return _object(answer) if answer.ok else {}
        except (requests.RequestException, ConferenceUnavailableError):
            return {}


def _object(answer: requests.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError as error:
        raise ConferenceUnavailableError("The media side's answer cannot be read.") from error
    if not isinstance(found, dict):
        raise ConferenceUnavailableError("The media side's answer cannot be read.")
    return found
