"""The orders: what BankID's own service keeps, and what the app can do with it.

Time only counts when somebody looks: each look first lets what is due happen.
"""

import base64
import hashlib
import hmac
import itertools
import re
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulators.bankid.certificates import BankIdTree, CertificateStore, RelyingParty
from simulators.bankid.documents import Content, Signer
from simulators.bankid.faults import RISKS, Faults
from simulators.bankid.persons import Person

START_SECONDS = 30  # until an app has picked the order up
FINISH_SECONDS = 180  # from then to the end; BankID does not publish its own figure
KEPT_COMPLETE_SECONDS = 180
KEPT_FAILED_SECONDS = 300
KEPT_NEVER_STARTED_SECONDS = 190  # from its beginning
FRESH_SECONDS = 5  # how old a QR code may be; BankID does not publish its own figure
MOST_WRONG_PINS = 3

_QR = re.compile(r"bankid\.([0-9a-f-]{36})\.([0-9]{1,6})\.([0-9a-f]{64})")


class NoSuchOrderError(ValueError):
    """Unknown, another relying party's, collected already, or too old."""


class AlreadyInProgressError(ValueError):
    """This person has an order open; now neither goes on."""


class PhoneError(ValueError):
    """The app cannot do that. The text is a short code."""


@dataclass
class Order:
    """One order. number: its short name on the phone; tokens stay out of addresses and pages."""

    number: str
    act: str
    by_phone: bool
    party: RelyingParty
    body: dict[str, Any]
    created_at: float
    order_ref: str = field(default_factory=lambda: str(uuid.uuid4()))
    auto_start_token: str = field(default_factory=lambda: str(uuid.uuid4()))
    qr_start_token: str = field(default_factory=lambda: str(uuid.uuid4()))
    qr_start_secret: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "pending"
    hint: str = "outstandingTransaction"
    gone: bool = False
    person: Person | None = None
    same_device: bool = False
    opened_at: float | None = None
    finished_at: float | None = None
    identify_at: float | None = None
    wrong_pins: int = 0
    completion: dict[str, Any] | None = None

    @property
    def purpose(self) -> str:
        """What the app shows."""
        return base64.b64decode(self.body.get("userVisibleData", "")).decode("utf-8")

    @property
    def return_url(self) -> str | None:
        return self.body.get("returnUrl")

    def qr_text(self, now: float) -> str:
        """Return what the QR code on the screen says just now."""
        seconds = max(0, int(now - self.created_at))
        return f"bankid.{self.qr_start_token}.{seconds}.{self.qr_code(seconds)}"

    def qr_code(self, seconds: int) -> str:
        return hmac.new(self.qr_start_secret.encode(), str(seconds).encode(), hashlib.sha256).hexdigest()


class Orders:
    """All orders, behind one lock."""

    def __init__(self, *, certificates: CertificateStore, persons: Sequence[Person], faults: Faults) -> None:
        self._persons = {person.key: person for person in persons}
        self._by_number = {person.personal_number: person for person in persons}
        self._faults = faults
        self._signer = Signer(certificates.tree, certificates.people, make_tree=BankIdTree.grow)
        self._orders: list[Order] = []
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    # What a relying party does

    def create(self, endpoint: str, body: dict[str, Any], party: RelyingParty) -> Order:
        """Open an order. Raises AlreadyInProgressError, and ends the open one too."""
        with self._lock:
            now = self._faults.now()
            number = body.get("personalNumber") or body.get("requirement", {}).get("personalNumber")
            if number is not None:
                self._refuse_second(number, now)
            order = Order(
                number=f"o{next(self._numbers)}",
                act=endpoint.removeprefix("phone/"),
                by_phone=endpoint.startswith("phone/"),
                party=party,
                body=body,
                created_at=now,
            )
            self._orders.append(order)
            return order

    def collect(self, order_ref: str, party: RelyingParty) -> dict[str, Any]:
        """Return where an order stands; an ended one answers once. Raises NoSuchOrderError."""
        with self._lock:
            order = self._find(order_ref, party)
            if order.status == "pending" and self._faults.settings.everybody_approves:
                self._approve_unseen(order)
            answer: dict[str, Any] = {"orderRef": order.order_ref, "status": order.status}
            if order.status == "complete":
                answer["completionData"] = order.completion
            else:
                answer["hintCode"] = order.hint
            order.gone = order.status != "pending"
            return answer

    def _approve_unseen(self, order: Order) -> None:
        number = order.body.get("requirement", {}).get("personalNumber")
        order.person = self._by_number.get(number)
        if order.person is not None:
            self._complete(order, self._faults.now())

    def cancel(self, order_ref: str, party: RelyingParty) -> None:
        """Close an order. Raises NoSuchOrderError."""
        with self._lock:
            order = self._find(order_ref, party)
            self._fail(order, "cancelled", self._faults.now())
            order.gone = True

    def forget(self) -> None:
        """Drop every order, as if nobody had ever asked."""
        with self._lock:
            self._orders.clear()

    # What the app does

    def all(self) -> list[Order]:
        with self._lock:
            now = self._faults.now()
            for order in self._orders:
                self._let_time_pass(order, now)
            return list(reversed(self._orders))

    def get(self, number: str) -> Order:
        """Return an order by its short name. Raises PhoneError."""
        found = next((order for order in self.all() if order.number == number), None)
        if found is None:
            raise PhoneError("no-such-order")
        return found

    def scan(self, text: str, person: str | None) -> Order:
        """Open an order by its QR code, which must be right and fresh. Raises PhoneError."""
        parts = _QR.fullmatch(text.strip())
        if parts is None:
            raise PhoneError("not-a-bankid-code")
        token, seconds, code = parts.groups()
        with self._lock:
            order = next((order for order in self.all() if order.qr_start_token == token), None)
            if order is None:
                raise PhoneError("no-such-order")
            if not hmac.compare_digest(order.qr_code(int(seconds)), code) or str(int(seconds)) != seconds:
                raise PhoneError("forged-code")
            if abs(self._faults.now() - order.created_at - int(seconds)) > FRESH_SECONDS:
                raise PhoneError("old-code")
            return self._open(order, person, same_device=False)

    def open(self, auto_start_token: str, person: str | None) -> Order:
        """Open an order by the link on the same device. Raises PhoneError."""
        with self._lock:
            order = next((one for one in self.all() if one.auto_start_token == auto_start_token), None)
            if order is None:
                raise PhoneError("no-such-order")
            if order.same_device and order.opened_at is not None:
                return order  # the link was followed once more, on the device that has it open
            return self._open(order, person, same_device=True)

    def pick(self, number: str, person: str | None) -> Order:
        """Open an order from the list of those nearby: a convenience of the demonstration, like a scan."""
        with self._lock:
            return self._open(self.get(number), person, same_device=False)

    def read(self, number: str, person: str) -> Order:
        """The person has the purpose before their eyes."""
        with self._lock:
            order = self._opened(number)
            order.person = self._person(person)
            self._replace_older(order)
            needs_document = order.body.get("requirement", {}).get("mrtd", False)
            asks_about_call = order.by_phone and order.hint != "userSign"
            order.hint = "userCallConfirm" if asks_about_call else "userMrtd" if needs_document else "userSign"
            return order

    def answer_call(self, number: str, *, in_call: bool) -> Order:
        """The person says whether they are in a call with whoever asks."""
        with self._lock:
            order = self._opened(number)
            if in_call:
                order.hint = "userSign"
            else:
                self._fail(order, "userDeclinedCall", self._faults.now())
            return order

    def approve(self, number: str, person: str, *, pin: str | None, after_seconds: float = 0.0) -> Order:
        """Identify or sign, at once or a little later. A wrong code too often blocks the BankID."""
        with self._lock:
            order = self._opened(number)
            order.person = self._person(person)
            if pin is not None and not hmac.compare_digest(pin.encode(), order.person.pin.encode()):
                order.wrong_pins += 1
                if order.wrong_pins >= MOST_WRONG_PINS:
                    self._fail(order, "certificateErr", self._faults.now())
                raise PhoneError("wrong-pin")
            self._replace_older(order)
            order.hint = "userSign"
            order.identify_at = self._faults.now() + after_seconds
            self._let_time_pass(order, self._faults.now())
            return order

    def refuse(self, number: str, hint: str = "userCancel") -> Order:
        """End an order from the phone. hint: the code the relying party gets."""
        with self._lock:
            order = self._pending(number)
            self._fail(order, hint, self._faults.now())
            return order

    def show_hint(self, number: str, hint: str) -> Order:
        """Make collect answer a pending hint of any name."""
        with self._lock:
            order = self._pending(number)
            order.hint = hint
            if hint not in ("outstandingTransaction", "noClient") and order.opened_at is None:
                order.opened_at = self._faults.now()
            return order

    # Inside

    def _person(self, key: str) -> Person:
        if key not in self._persons:
            raise PhoneError("no-such-person")
        return self._persons[key]

    def _pending(self, number: str) -> Order:
        order = self.get(number)
        if order.status != "pending":
            raise PhoneError("order-ended")
        return order

    def _opened(self, number: str) -> Order:
        order = self._pending(number)
        if order.opened_at is None and not order.by_phone:
            raise PhoneError("order-not-opened")
        if order.opened_at is None:
            order.opened_at = self._faults.now()
        return order

    def _open(self, order: Order, person: str | None, *, same_device: bool) -> Order:
        if order.status != "pending":
            raise PhoneError("order-ended")
        if order.opened_at is not None:
            raise PhoneError("already-opened")
        order.person = self._person(person) if person is not None else None
        if self._faults.settings.old_app and order.return_url is not None:
            self._fail(order, "notSupportedByUserApp", self._faults.now())
            return order
        order.opened_at, order.same_device, order.hint = self._faults.now(), same_device, "started"
        self._replace_older(order)
        return order

    def _replace_older(self, order: Order) -> None:
        """A person has one order in hand; a newer one takes its place."""
        for other in self._orders:
            in_hand = other is not order and other.status == "pending" and other.person is not None
            if in_hand and other.person == order.person:
                self._fail(other, "cancelled", self._faults.now())

    def _refuse_second(self, personal_number: str, now: float) -> None:
        for order in self._orders:
            self._let_time_pass(order, now)
            asked = order.body.get("personalNumber") or order.body.get("requirement", {}).get("personalNumber")
            holder = order.person.personal_number if order.person else None
            if order.status == "pending" and personal_number in (asked, holder):
                self._fail(order, "cancelled", now)
                raise AlreadyInProgressError

    def _find(self, order_ref: str, party: RelyingParty) -> Order:
        now = self._faults.now()
        for order in self._orders:
            if order.order_ref == order_ref and order.party.certificate == party.certificate:
                self._let_time_pass(order, now)
                if order.gone or self._too_old(order, now):
                    raise NoSuchOrderError
                return order
        raise NoSuchOrderError

    @staticmethod
    def _too_old(order: Order, now: float) -> bool:
        if order.finished_at is None:
            return False
        if order.status == "complete":
            return now - order.finished_at > KEPT_COMPLETE_SECONDS
        if order.hint == "startFailed":
            return now - order.created_at > KEPT_NEVER_STARTED_SECONDS
        return now - order.finished_at > KEPT_FAILED_SECONDS

    def _let_time_pass(self, order: Order, now: float) -> None:
        if order.status != "pending":
            return
        if order.identify_at is not None and now >= order.identify_at:
            self._complete(order, order.identify_at)
        elif order.opened_at is not None and now - order.opened_at > FINISH_SECONDS:
            self._fail(order, "expiredTransaction", order.opened_at + FINISH_SECONDS)
        elif order.by_phone and now - order.created_at > FINISH_SECONDS:
            self._fail(order, "expiredTransaction", order.created_at + FINISH_SECONDS)
        elif order.opened_at is None and not order.by_phone and now - order.created_at > START_SECONDS:
            self._fail(order, "startFailed", order.created_at + START_SECONDS)

    @staticmethod
    def _fail(order: Order, hint: str, at: float) -> None:
        order.status, order.hint, order.finished_at = "failed", hint, at

    def _complete(self, order: Order, at: float) -> None:
        assert order.person is not None
        requirement = order.body.get("requirement", {})
        asked = order.body.get("personalNumber") or requirement.get("personalNumber")
        risk = self._faults.settings.risk
        if asked is not None and asked != order.person.personal_number:
            self._fail(order, "unknown", at)  # the hint BankID gives for this is not published
        elif _above(risk, requirement.get("risk")):
            self._fail(order, "transactionRiskBlocked", at)
        else:
            order.completion = self._completion(order, order.person, at, risk)
            order.status, order.finished_at = "complete", at

    def _completion(self, order: Order, person: Person, at: float, risk: str | None) -> dict[str, Any]:
        settings = self._faults.settings
        uhi = base64.b64encode(hashlib.sha256(person.key.encode()).digest()[:20]).decode()
        content = Content(
            visible=order.body.get("userVisibleData", ""),
            hidden=order.body.get("userNonVisibleData"),
            func_id="Identification" if order.act == "auth" else "Signing",
            relying_party=(order.party.distinguished_name, order.party.display_name),
            device_uhi=uhi,
        )
        other = next((one for one in self._persons.values() if one.key != person.key), person)
        signature, status = self._signer.sign(person, content, at=at, other=other, forge=settings.forge)
        shown = other if settings.forge == "other-number" else person
        completion: dict[str, Any] = {
            "user": {
                "personalNumber": shown.personal_number,
                "name": shown.name,
                "givenName": shown.given_name,
                "surname": shown.surname,
            },
            "device": {
                "ipAddress": settings.device_ip or order.body.get("endUserIp", "127.0.0.1"),
                "uhi": uhi,
            },
            "bankIdIssueDate": datetime.fromtimestamp(at, UTC).strftime("%Y-01-02Z"),
            "signature": signature,
            "ocspResponse": status,
        }
        if order.body.get("requirement", {}).get("mrtd"):
            completion["stepUp"] = {"mrtd": True}
        if order.body.get("returnRisk") and risk is not None:
            completion["risk"] = risk
        return completion


def _above(risk: str | None, limit: str | None) -> bool:
    """Whether a risk lies above what the relying party accepts."""
    if limit is None or risk not in RISKS:
        return False
    return RISKS.index(risk) > RISKS.index(limit.lower())
