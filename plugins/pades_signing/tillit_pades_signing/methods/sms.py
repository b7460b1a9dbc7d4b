"""Signing by a code to the telephone. The message names the document and its control code, so that nobody reads
out a code without knowing what for. The code is worth one try at this one act.

The outgoing code stands once in a step's state, under "send": the caller takes it out before it keeps the state
and queues the message in the transaction of the act.
"""

import hmac
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from sidecar.plugin_api import LoA, SigningRequest, SignStep, from_text, to_text
from tillit_pades_signing.methods.bound import STARTED, binding, completed, failed, is_of

LENGTH = 6
CODE_TTL = timedelta(minutes=5)
NEW_CODE_GAP = timedelta(seconds=30)
TRIES = 5  # for the whole of an attempt: a new code brings no new guesses
NEW_CODES = 3


class SmsSigning:
    """Implements SigningMethod."""

    name = "sms"
    loa = LoA.LOW
    kind: Literal["touch", "sms", "eid"] = "sms"

    def __init__(self, *, clock: Callable[[], datetime], code_key: bytes) -> None:
        self._clock, self._key = clock, code_key

    def start(self, request: SigningRequest) -> SignStep:
        if not request.contact.get("sms"):
            return failed("sms.no_number")
        return self._send(request, tries=TRIES, codes=NEW_CODES, message="sms.sent")

    def poll(self, request: SigningRequest, state: Mapping[str, Any]) -> SignStep:
        refused = self._refused(request, state)
        return refused or self._waiting(request, state, "sms.waiting")

    def submit(self, request: SigningRequest, state: Mapping[str, Any], answer: Mapping[str, str]) -> SignStep:
        """Take {"code": ...}, or {"again": ...} for a new code. What is no code costs no try."""
        refused = self._refused(request, state)
        if refused is not None:
            return refused
        if answer.get("again"):
            return self._again(request, state)
        code = _six_digits(answer.get("code", ""))
        if code is None:
            return self._waiting(request, state, "sms.six_digits")
        left = int(state["tries"]) - 1
        if not hmac.compare_digest(self._digest(request, str(state["salt"]), code), str(state["code"])):
            if left <= 0:
                return failed("sms.too_many")
            return self._waiting(request, {**state, "tries": left}, "sms.wrong", left=left)
        proof = {"sent_at": state["sent_at"], "number_ends": request.contact["sms"][-2:]}
        return completed(request, method=self.name, loa=self.loa, at=self._clock(), proof=proof)

    def cancel(self, request: SigningRequest, state: Mapping[str, Any]) -> None:
        return None  # the caller forgets the state, and the code with it

    def _refused(self, request: SigningRequest, state: Mapping[str, Any]) -> SignStep | None:
        if not is_of(request, state) or not request.contact.get("sms"):
            return failed("failed.start_again")
        if self._digest(request, "address", request.contact["sms"]) != state.get("address"):
            return failed("failed.start_again")
        if not timedelta(0) <= self._clock() - from_text(str(state["sent_at"])) < CODE_TTL:
            return failed("sms.expired")
        return None

    def _again(self, request: SigningRequest, state: Mapping[str, Any]) -> SignStep:
        if int(state["codes"]) <= 0:
            return self._waiting(request, state, "sms.no_more")
        if self._clock() - from_text(str(state["sent_at"])) < NEW_CODE_GAP:
            return self._waiting(request, state, "sms.wait")
        return self._send(request, tries=int(state["tries"]), codes=int(state["codes"]) - 1, message="sms.again")

    def _send(self, request: SigningRequest, *, tries: int, codes: int, message: str) -> SignStep:
        code, salt = f"{secrets.randbelow(10**LENGTH):0{LENGTH}d}", secrets.token_hex(8)
        state = {
            STARTED: binding(request),
            "address": self._digest(request, "address", request.contact["sms"]),
            "salt": salt,
            "code": self._digest(request, salt, code),
            "sent_at": to_text(self._clock()),
            "tries": tries,
            "codes": codes,
        }
        step = self._waiting(request, state, message)
        return SignStep(step.status, step.message, step.params, step.view, {**state, "send": code})

    def _waiting(self, request: SigningRequest, state: Mapping[str, Any], message: str, **params: Any) -> SignStep:
        view = {
            "field": "code",
            "length": LENGTH,
            "tries_left": state["tries"],
            "number_ends": request.contact["sms"][-2:],
        }
        return SignStep("pending", f"pades_signing.{message}", params, view, dict(state))

    def _digest(self, request: SigningRequest, salt: str, code: str) -> str:
        """HMAC-SHA256: the code's space is small, so only the key guards it."""
        said = f"{binding(request)}\0{salt}\0{code}".encode()
        return hmac.new(self._key, said, "sha256").hexdigest()


def _six_digits(typed: str) -> str | None:
    folded = "".join(sign for sign in unicodedata.normalize("NFKC", typed[:64]) if sign not in " -\t–")
    digits = "".join(str(unicodedata.digit(sign, "?")) for sign in folded)
    return digits if len(digits) == LENGTH and digits.isascii() and digits.isdigit() else None
