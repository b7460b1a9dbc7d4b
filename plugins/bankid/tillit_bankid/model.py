"""What goes to BankID and what comes back, as values."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

VISIBLE_LIMIT = {"auth": 1_500, "sign": 40_000}  # signs, after base64
NON_VISIBLE_LIMIT = {"auth": 1_500, "sign": 200_000}
RETURN_URL_LIMIT = 512
USER_AGENT_LIMIT = 256


class Act(StrEnum):
    """What a person does with their BankID. The value is the endpoint's name."""

    IDENTIFY = "auth"
    SIGN = "sign"

    @property
    def func_id(self) -> str:
        """What the signed document says was done."""
        return "Identification" if self is Act.IDENTIFY else "Signing"


@dataclass(frozen=True)
class OrderRequest:
    """A request for an order. visible, non_visible: UTF-8 bytes before base64; both end up signed.

    return_url: only for an order started on the same device. web: what BankID computes its risk from.
    personal_number: of the only person who may answer, 12 digits; None when it is anybody's to answer.
    """

    act: Act
    end_user_ip: str
    visible: bytes = field(repr=False)
    non_visible: bytes = field(repr=False)
    policy_oids: tuple[str, ...]
    web: Mapping[str, str] = field(default_factory=dict)
    return_url: str | None = field(default=None, repr=False)
    personal_number: str | None = field(default=None, repr=False)

    def body(self) -> dict[str, Any]:
        """Return the JSON body. Raises ValueError when a field is longer than BankID takes."""
        visible = base64.b64encode(self.visible).decode()
        non_visible = base64.b64encode(self.non_visible).decode()
        if not 1 <= len(visible) <= VISIBLE_LIMIT[self.act]:
            raise ValueError("the visible text is empty or too long for BankID")
        if not 1 <= len(non_visible) <= NON_VISIBLE_LIMIT[self.act]:
            raise ValueError("the hidden text is empty or too long for BankID")
        body: dict[str, Any] = {
            "endUserIp": self.end_user_ip,
            "userVisibleData": visible,
            "userNonVisibleData": non_visible,
            "requirement": {"certificatePolicies": list(self.policy_oids)},
            "returnRisk": True,
        }
        if self.personal_number is not None:
            body["requirement"]["personalNumber"] = self.personal_number
        if self.web:
            body["web"] = dict(self.web)
        if self.return_url is not None:
            if len(self.return_url) > RETURN_URL_LIMIT:
                raise ValueError("the return address is too long for BankID")
            body["returnUrl"] = self.return_url
        return body


@dataclass(frozen=True)
class StartedOrder:
    """An open order. Whoever holds the secret can draw its QR codes: none of this reaches a browser as is."""

    order_ref: str = field(repr=False)
    auto_start_token: str = field(repr=False)
    qr_start_token: str = field(repr=False)
    qr_start_secret: str = field(repr=False)


@dataclass(frozen=True)
class Completion:
    """What BankID says of a finished order, not verified yet.

    signature, ocsp_response: base64 as received, for the proof of time is bound to that very text.
    risk: lower case, or None when BankID could not compute it.
    """

    personal_number: str = field(repr=False)
    name: str = field(repr=False)
    device_ip: str = field(repr=False)
    risk: str | None
    signature: str = field(repr=False)
    ocsp_response: str = field(repr=False)


@dataclass(frozen=True)
class CollectAnswer:
    """Where an order stands. raw: the whole answer, for the evidence."""

    status: Literal["pending", "failed", "complete"]
    hint: str
    raw: Mapping[str, Any] = field(repr=False)


def read_started(answer: Mapping[str, Any]) -> StartedOrder:
    """Return the order of an `auth` or `sign` answer. Raises ValueError."""
    return StartedOrder(
        order_ref=_text(answer, "orderRef"),
        auto_start_token=_text(answer, "autoStartToken"),
        qr_start_token=_text(answer, "qrStartToken"),
        qr_start_secret=_text(answer, "qrStartSecret"),
    )


def read_collected(answer: Mapping[str, Any], *, order_ref: str) -> CollectAnswer:
    """Return a `collect` answer. Raises ValueError, also when it speaks of another order."""
    if _text(answer, "orderRef") != order_ref:
        raise ValueError("the answer is for another order")
    status = answer.get("status")
    if status == "complete":
        read_completion(answer)
        return CollectAnswer("complete", "", answer)
    if status == "pending" or status == "failed":
        hint = answer.get("hintCode")
        return CollectAnswer(status, hint if isinstance(hint, str) else "", answer)
    raise ValueError("the answer has no status we know")


def read_completion(answer: Mapping[str, Any]) -> Completion:
    """Return what a complete order says. Raises ValueError when a part is missing."""
    completion = _table(answer, "completionData")
    user, device = _table(completion, "user"), _table(completion, "device")
    risk = completion.get("risk")
    if risk is not None and not isinstance(risk, str):
        raise ValueError("risk is not text")
    personal_number = _text(user, "personalNumber")
    if len(personal_number) != 12 or not (personal_number.isascii() and personal_number.isdigit()):
        raise ValueError("personalNumber is not 12 digits")
    return Completion(
        personal_number=personal_number,
        name=_text(user, "name"),
        device_ip=_text(device, "ipAddress"),
        risk=risk.casefold() if risk is not None else None,
        signature=_text(completion, "signature"),
        ocsp_response=_text(completion, "ocspResponse"),
    )


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is missing")
    return value


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{key} is missing")
    return value
