"""The identity method `bankid`: a person shows who they are before the door."""

from collections.abc import Mapping
from typing import Any, Literal

from sidecar.plugin_api import IdentityAssertion, SignInRequest, SignInStep
from tillit_bankid.evidence import LEVEL, PROVIDER, assertion_of
from tillit_bankid.flow import MOST_RESTARTS, MOST_TROUBLE, NEW_CODE_SHOWN, RETURN_TTL, Answered, OrderFlow, OrderStep
from tillit_bankid.model import Act
from tillit_bankid.orders import hidden_text, visible_text

__all__ = ["MOST_RESTARTS", "MOST_TROUBLE", "NEW_CODE_SHOWN", "RETURN_TTL", "BankIdMethod"]


class BankIdMethod(OrderFlow[SignInRequest, IdentityAssertion]):
    """Implements IdentityMethod with BankID's `auth`."""

    name = PROVIDER
    loa = LEVEL
    kind: Literal["eid", "code"] = "eid"
    act = Act.IDENTIFY
    done_message = "bankid.done"

    def start(self, request: SignInRequest) -> SignInStep:
        return _step(self.begin(request))

    def poll(self, request: SignInRequest, state: Mapping[str, Any]) -> SignInStep:
        return _step(self.ask(request, state))

    def submit(self, request: SignInRequest, state: Mapping[str, Any], answer: Mapping[str, str]) -> SignInStep:
        return _step(self.take(request, state, answer))

    def cancel(self, request: SignInRequest, state: Mapping[str, Any]) -> None:
        self.stop(request, state)

    def texts_to_sign(self, request: SignInRequest) -> tuple[str, str]:
        return visible_text(request), hidden_text(request)

    def person_asked(self, request: SignInRequest) -> str | None:
        return None  # who it was is told by the answer, and held against the invitation by the host

    def result_of(self, request: SignInRequest, answered: Answered) -> IdentityAssertion:
        return assertion_of(answered)


def _step(step: OrderStep[IdentityAssertion]) -> SignInStep:
    return SignInStep(step.status, step.message, view=step.view, state=step.state, assertion=step.result)
