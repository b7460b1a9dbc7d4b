"""The signing method `bankid`: a person signs a text and what is bound beneath it, with BankID's `sign`."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any, Literal

from sidecar.plugin_api import SignCompletion, SigningRequest, SignStep
from tillit_bankid.evidence import LEVEL, PROVIDER, completion_of
from tillit_bankid.flow import Answered, OrderFlow, OrderStep
from tillit_bankid.model import Act
from tillit_bankid.orders import NUMBER_SCHEME

log = logging.getLogger(__name__)


class BankIdSigning(OrderFlow[SigningRequest, SignCompletion]):
    """Implements SigningMethod. The text and the digests are signed byte for byte, and held against the answer.

    Only the person of the request can answer: BankID itself is told the number, and so is the check afterwards.
    """

    name = PROVIDER
    loa = LEVEL
    kind: Literal["touch", "sms", "eid"] = "eid"
    number_schemes = frozenset({NUMBER_SCHEME})
    act = Act.SIGN
    done_message = "bankid.signed"

    def start(self, request: SigningRequest) -> SignStep:
        if request.subject is None or request.subject.scheme != NUMBER_SCHEME:
            # Without a number anybody's BankID would do, and a signature is somebody's.
            return SignStep("failed", "bankid.no_number")
        return _step(self.begin(request))

    def poll(self, request: SigningRequest, state: Mapping[str, Any]) -> SignStep:
        return _step(self._checked(request, self.ask(request, state)))

    def submit(self, request: SigningRequest, state: Mapping[str, Any], answer: Mapping[str, str]) -> SignStep:
        return _step(self._checked(request, self.take(request, state, answer)))

    def cancel(self, request: SigningRequest, state: Mapping[str, Any]) -> None:
        self.stop(request, state)

    def texts_to_sign(self, request: SigningRequest) -> tuple[str, str]:
        return request.visible_text, request.hidden_data.decode()

    def person_asked(self, request: SigningRequest) -> str | None:
        return request.subject.value if request.subject is not None else None

    def result_of(self, request: SigningRequest, answered: Answered) -> SignCompletion:
        return completion_of(answered)

    def _checked(self, request: SigningRequest, step: OrderStep[SignCompletion]) -> OrderStep[SignCompletion]:
        """Refuse what another person signed, or what was asked for in another request than this one."""
        if step.result is None:
            return step
        asked = (
            hashlib.sha256(request.visible_text.encode()).hexdigest(),
            hashlib.sha256(request.hidden_data).hexdigest(),
        )
        signed = (step.result.signed_text_sha256, step.result.hidden_sha256)
        if step.result.subject != request.subject or asked != signed:
            log.error("bankid signature not of this request", extra={"meeting": request.meeting})
            return OrderStep("failed", "bankid.failed")
        return step


def _step(step: OrderStep[SignCompletion]) -> SignStep:
    return SignStep(step.status, step.message, view=step.view, state=step.state, completion=step.result)
