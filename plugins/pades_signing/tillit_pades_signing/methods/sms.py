"""Signing by a code to the telephone. The message names the document and its control code, so that nobody reads
out a code without knowing what for. The code is worth one try at this one act.

Who begins anew gets no new codes and no new guesses: both are counted for a day per party of a signing, the codes
per telephone too, and each guess before it is looked at.

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
from tillit_pades_signing.binding import act_of
from tillit_pades_signing.budgets import Budgets, BudgetSpentError
from tillit_pades_signing.methods.bound import STARTED, binding, completed, failed, is_of

LENGTH = 6
CODE_TTL = timedelta(minutes=5)
NEW_CODE_GAP = timedelta(seconds=30)
TRIES = 5  # a day, however many codes: five guesses among a million
CODES = 4  # a day
CODES_A_NUMBER = 10  # a day to one telephone, whoever asks for them in however many signings


class SmsSigning:
    """Implements SigningMethod."""

    name = "sms"
    loa = LoA.LOW
    kind: Literal["touch", "sms", "eid"] = "sms"

    def __init__(self, *, clock: Callable[[], datetime], code_key: bytes, budgets: Budgets) -> None:
        self._clock, self._key, self._budgets = clock, code_key, budgets

    def start(self, request: SigningRequest) -> SignStep:
        if not request.contact.get("sms"):
            return failed("sms.no_number")
        if self._tries_left(request) == 0:
            return failed("sms.too_many")
        refused = self._code_refused(request)
        return failed(refused) if refused else self._send(request, "sms.sent")

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
        try:
            left = self._budgets.take(f"tries:{act_of(request.hidden_data)}", most=TRIES, meeting=request.meeting)
        except BudgetSpentError:
            return failed("sms.too_many")
        if not hmac.compare_digest(self._digest(request, str(state["salt"]), code), str(state["code"])):
            if left == 0:
                return failed("sms.too_many")
            return self._waiting(request, state, "sms.wrong", left=left)
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
        refused = self._code_refused(request)
        return self._waiting(request, state, refused) if refused else self._send(request, "sms.again")

    def _code_refused(self, request: SigningRequest) -> str | None:
        """Count a code that is about to leave, or say why none leaves."""
        try:
            act = f"codes:{act_of(request.hidden_data)}"
            self._budgets.take(act, most=CODES, gap=NEW_CODE_GAP, meeting=request.meeting)
            self._budgets.take(f"number:{request.contact['sms']}", most=CODES_A_NUMBER)
        except BudgetSpentError as spent:
            return "sms.wait" if spent.too_soon else "sms.no_more"
        return None

    def _tries_left(self, request: SigningRequest) -> int:
        return self._budgets.left(f"tries:{act_of(request.hidden_data)}", most=TRIES)

    def _send(self, request: SigningRequest, message: str) -> SignStep:
        code, salt = f"{secrets.randbelow(10**LENGTH):0{LENGTH}d}", secrets.token_hex(8)
        state = {
            STARTED: binding(request),
            "address": self._digest(request, "address", request.contact["sms"]),
            "salt": salt,
            "code": self._digest(request, salt, code),
            "sent_at": to_text(self._clock()),
        }
        step = self._waiting(request, state, message)
        return SignStep(step.status, step.message, step.params, step.view, {**state, "send": code})

    def _waiting(self, request: SigningRequest, state: Mapping[str, Any], message: str, **params: Any) -> SignStep:
        view = {
            "field": "code",
            "length": LENGTH,
            "tries_left": self._tries_left(request),
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
