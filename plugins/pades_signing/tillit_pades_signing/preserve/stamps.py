"""A time-stamp authority over HTTP. Source: RFC 3161 sections 2.4 and 3.4, RFC 5816."""

import asyncio

import requests
from asn1crypto import cms, tsp
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.timestamps.common_utils import TimestampRequestError, handle_tsp_response

_LARGEST_ANSWER_BYTES = 64 * 1024
_HEADERS = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


class StampError(Exception):
    """The authority gave no time-stamp, or one that is not of our question. A later try may help."""


class Authority(TimeStamper):
    """Asks one authority, without proxies of the environment. One question is never asked twice by itself."""

    def __init__(self, url: str, *, answer_seconds: float) -> None:
        super().__init__(include_nonce=True)  # type: ignore[no-untyped-call]  # pyHanko leaves this one untyped
        self._url, self._timeout = url, answer_seconds
        self._http = requests.Session()
        self._http.trust_env = False

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        nonce, request = self.request_cms(message_digest, md_algorithm)  # type: ignore[no-untyped-call]  # likewise
        answer = await asyncio.to_thread(self._ask, request.dump())
        try:
            token = handle_tsp_response(tsp.TimeStampResp.load(answer, strict=True), nonce)
            info = token["content"]["encap_content_info"]["content"].parsed
            stamped = info["message_imprint"]["hashed_message"].native
            certificates = len(token["content"]["certificates"])
            algorithm = info["message_imprint"]["hash_algorithm"]["algorithm"].native
        except TimestampRequestError as error:
            raise StampError("the time-stamp authority refused") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StampError("the time-stamp authority answered something unreadable") from error
        if stamped != message_digest or algorithm != md_algorithm:
            raise StampError("the time-stamp is of something else")
        if certificates == 0:
            raise StampError("the time-stamp comes without its certificate")
        return token

    def _ask(self, request: bytes) -> bytes:
        try:
            with self._http.post(
                self._url, data=request, headers=_HEADERS, timeout=self._timeout, allow_redirects=False, stream=True
            ) as response:
                if response.status_code != 200:
                    raise StampError(f"the time-stamp authority answered {response.status_code}")
                if response.headers.get("Content-Type", "").partition(";")[0] != _HEADERS["Accept"]:
                    raise StampError("the time-stamp authority answered something else")
                answer = response.raw.read(_LARGEST_ANSWER_BYTES + 1, decode_content=True)
        except (requests.RequestException, OSError) as error:
            raise StampError("the time-stamp authority does not answer") from error
        if len(answer) > _LARGEST_ANSWER_BYTES:
            raise StampError("the time-stamp authority's answer is too large")
        return bytes(answer)
