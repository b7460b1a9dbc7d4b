"""One order from the first code on the screen to a verified answer: what identifying and signing have in common."""

import hmac
import logging
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from tillit_bankid.client import BankIdClient
from tillit_bankid.config import BankIdSettings
from tillit_bankid.errors import BankIdError, InvalidParametersError, UnauthorizedError, UnreachableError
from tillit_bankid.hints import DECLINED_CALL, OUTSTANDING, START_FAILED, failed_message, pending_message
from tillit_bankid.model import Act, Completion, read_completion
from tillit_bankid.orders import Asking, make_order, same_address
from tillit_bankid.qr import qr_svg, qr_text
from tillit_bankid.state import SignIn
from tillit_bankid.verify import CompletionRefusedError, CompletionVerifier, Expectation, VerifiedCompletion

log = logging.getLogger(__name__)

MOST_RESTARTS = 5  # with 30 s each, three minutes of codes; then somebody presses a button again
NEW_CODE_SHOWN = timedelta(seconds=8)
MOST_TROUBLE = 3  # calls without an answer in a row before the person is told
RETURN_TTL = timedelta(minutes=5)  # how long a completed sign-in waits for the app to come back

_ACCEPTED_RISKS = (None, "low", "moderate")
_MOBILE = re.compile(r"iPhone|iPad|iPod|Android")
_APP_LINK_MOBILE = "https://app.bankid.com/"
_APP_LINK_DESKTOP = "bankid:///"


AskingT = TypeVar("AskingT", bound=Asking)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class OrderStep(Generic[ResultT]):
    """Where an order stands; the same fields as the host's steps. result: of a complete one."""

    status: Literal["pending", "failed", "complete"]
    message: str
    view: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict, repr=False)
    result: ResultT | None = None


@dataclass(frozen=True)
class Answered:
    """A verified answer. raw: BankID's whole answer. at: when it came. same_ip: app and browser share an address."""

    sign_in: SignIn
    verified: VerifiedCompletion
    raw: Mapping[str, Any] = field(repr=False)
    at: datetime
    same_ip: bool


class OrderFlow(ABC, Generic[AskingT, ResultT]):
    """By a QR code for the phone or in the app on the same device. What is asked for, a subclass says."""

    act: Act
    done_message: str

    def __init__(
        self,
        *,
        client: BankIdClient,
        verifier: CompletionVerifier,
        settings: BankIdSettings,
        clock: Callable[[], datetime],
        texts: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._client = client
        self._verifier = verifier
        self._settings = settings
        self._clock = clock
        self._texts = texts

    @abstractmethod
    def texts_to_sign(self, request: AskingT) -> tuple[str, str]:
        """Return what the app shows, and what is signed unseen."""

    @abstractmethod
    def person_asked(self, request: AskingT) -> str | None:
        """Return the twelve digits of the only person who may answer, None when it is anybody's to answer."""

    @abstractmethod
    def result_of(self, request: AskingT, answered: Answered) -> ResultT:
        """Return what a verified answer amounts to."""

    def begin(self, request: AskingT) -> OrderStep[ResultT]:
        """Open an order. Without a way back to this browser (return_url), a code is shown, not the app."""
        same_device = request.same_device and request.return_url is not None
        try:
            sign_in = self._open(request, same_device=same_device, texts=self.texts_to_sign(request), restarts=0)
        except BankIdError as error:
            return _failed(error.message)
        except ValueError as error:
            log.error("bankid order not sendable", extra={"cause": str(error), "meeting": request.meeting})
            return _failed("bankid.failed")
        return self._pending(request, sign_in, self._clock())

    def ask(self, request: AskingT, state: Mapping[str, Any]) -> OrderStep[ResultT]:
        """Ask BankID at most once per collect interval, and draw what the page needs each time."""
        sign_in = _read_state(request, state)
        if sign_in is None:
            return _failed("bankid.failed")
        now = self._clock()
        if sign_in.parked is not None:
            return self._parked(request, sign_in, now)
        if timedelta(0) <= now - sign_in.collected_at < self._settings.collect_interval:
            return self._pending(request, sign_in, now)
        return self._collect(request, replace(sign_in, collected_at=now), now)

    def take(self, request: AskingT, state: Mapping[str, Any], answer: Mapping[str, str]) -> OrderStep[ResultT]:
        """Take the nonce the app brought back. Only with it does a same-device sign-in finish.

        Without this, somebody who sends a victim the link that opens the app would be let in as the victim.
        A wrong nonce changes nothing: an old tab may come back late, and a guess must gain nothing.
        """
        sign_in = _read_state(request, state)
        if sign_in is None:
            return _failed("bankid.failed")
        if not (sign_in.same_device and _is_return(request, sign_in, answer.get("nonce", ""))):
            log.warning("bankid return not recognised", extra=_where(request))
            return self.ask(request, state)
        return self.ask(request, replace(sign_in, returned=True).to_state())

    def stop(self, request: AskingT, state: Mapping[str, Any]) -> None:
        """Close the order, so that nobody can answer a question no page is waiting for."""
        sign_in = _read_state(request, state)
        if sign_in is not None:
            self._cancel_quietly(sign_in)

    # One order

    def _open(self, request: AskingT, *, same_device: bool, texts: tuple[str, str], restarts: int) -> SignIn:
        """Open an order and return the sign-in around it. Raises BankIdError, ValueError."""
        nonce = secrets.token_urlsafe(32)
        visible, non_visible = texts
        order = make_order(
            request,
            act=self.act,
            personal_number=self.person_asked(request),
            visible=visible,
            non_visible=non_visible,
            policy_oids=self._settings.policy_oids,
            nonce=nonce if same_device else None,
        )
        started = self._client.start(order)
        now = self._clock()
        return SignIn(
            meeting=request.meeting,
            participant=request.participant,
            device=request.device,
            same_device=same_device,
            order_ref=started.order_ref,
            auto_start_token=started.auto_start_token,
            qr_start_token=started.qr_start_token,
            qr_start_secret=started.qr_start_secret,
            nonce=nonce,
            visible=visible,
            non_visible=non_visible,
            body=order.body(),
            started_at=now,
            collected_at=now,
            hint=OUTSTANDING,
            hint_since=now,
            restarts=restarts,
        )

    def _collect(self, request: AskingT, sign_in: SignIn, now: datetime) -> OrderStep[ResultT]:
        try:
            answer = self._client.collect(sign_in.order_ref)
        except BankIdError as error:
            return self._troubled(request, sign_in, error, now)
        sign_in = replace(sign_in, trouble=0)
        if answer.status == "failed":
            return self._order_failed(request, sign_in, answer.hint)
        if answer.status == "complete":
            return self._completed(request, sign_in, answer.raw, now)
        if answer.hint != sign_in.hint:
            sign_in = replace(sign_in, hint=answer.hint, hint_since=now)
        return self._pending(request, sign_in, now)

    def _troubled(self, request: AskingT, sign_in: SignIn, error: BankIdError, now: datetime) -> OrderStep[ResultT]:
        """Where BankID allows it, the next poll simply asks again; else, or when that goes on, it ends.

        Waiting page and return may ask at once, and only one of them is answered: the other must not end it.
        """
        sign_in = replace(sign_in, trouble=sign_in.trouble + 1)
        may_wait = error.may_retry or (sign_in.same_device and isinstance(error, InvalidParametersError))
        if may_wait and sign_in.trouble < MOST_TROUBLE:
            return self._pending(request, sign_in, now)
        if not isinstance(error, InvalidParametersError | UnauthorizedError | UnreachableError):
            self._cancel_quietly(sign_in)
        return _failed(error.message)

    def _order_failed(self, request: AskingT, sign_in: SignIn, hint: str) -> OrderStep[ResultT]:
        if hint == START_FAILED and not sign_in.same_device and sign_in.restarts < MOST_RESTARTS:
            return self._restart(request, sign_in)
        view = {"alert_adviser": True} if hint == DECLINED_CALL else {}
        log.info("bankid order failed", extra={"hint": hint[:40], **_where(request)})
        return _failed(failed_message(hint, same_device=sign_in.same_device), view)

    def _restart(self, request: AskingT, sign_in: SignIn) -> OrderStep[ResultT]:
        try:
            texts = (sign_in.visible, self.texts_to_sign(request)[1])
            fresh = self._open(request, same_device=False, texts=texts, restarts=sign_in.restarts + 1)
        except BankIdError as error:
            return _failed(error.message)
        except ValueError:
            return _failed("bankid.failed")
        return self._pending(request, fresh, self._clock())

    def _cancel_quietly(self, sign_in: SignIn) -> None:
        if sign_in.parked is not None:
            return  # a completed order is gone at BankID
        try:
            self._client.cancel(sign_in.order_ref)
        except BankIdError as error:
            log.info("bankid order not cancelled", extra={"cause": type(error).__name__})

    # What the page is told

    def _pending(self, request: AskingT, sign_in: SignIn, now: datetime) -> OrderStep[ResultT]:
        message = pending_message(sign_in.hint, same_device=sign_in.same_device, shown_for=now - sign_in.hint_since)
        view: dict[str, Any] = {"app_text": sign_in.visible}
        if sign_in.hint == OUTSTANDING:
            if sign_in.same_device:
                view["launch_url"] = self._launch_url(request, sign_in)
            else:
                view["qr"] = self._qr(request, sign_in, now)
                if sign_in.restarts and now - sign_in.started_at < NEW_CODE_SHOWN:
                    message = "bankid.new_code"
        return OrderStep("pending", message, view=view, state=sign_in.to_state())

    def _qr(self, request: AskingT, sign_in: SignIn, now: datetime) -> str:
        seconds = max(0, int((now - sign_in.started_at).total_seconds()))
        text = qr_text(token=sign_in.qr_start_token, secret=sign_in.qr_start_secret, seconds=seconds)
        texts = self._texts.get(request.language) or self._texts["en"]
        return qr_svg(text, label=texts["bankid.qr_label"])

    def _launch_url(self, request: AskingT, sign_in: SignIn) -> str:
        link = self._settings.app_link
        if link is None:
            link = _APP_LINK_MOBILE if _MOBILE.search(request.user_agent) else _APP_LINK_DESKTOP
        # redirect is of old and overridden by the order's returnUrl, but the app still asks for it.
        return f"{link}?autostarttoken={quote(sign_in.auto_start_token, safe='')}&redirect=null"

    def _parked(self, request: AskingT, sign_in: SignIn, now: datetime) -> OrderStep[ResultT]:
        """Answer and return may come at once, each in a request of its own: whichever asks next has both."""
        if sign_in.parked is None or sign_in.parked_at is None or now - sign_in.parked_at > RETURN_TTL:
            return _failed("bankid.timed_out")
        if sign_in.returned:
            return self._finish(request, sign_in, sign_in.parked, sign_in.parked_at)
        return OrderStep("pending", "bankid.return", state=sign_in.to_state())

    # The end

    def _completed(
        self, request: AskingT, sign_in: SignIn, raw: Mapping[str, Any], now: datetime
    ) -> OrderStep[ResultT]:
        """BankID answers a completed order once, so an answer that comes before the return is kept."""
        if sign_in.same_device and not sign_in.returned:
            return self._parked(request, replace(sign_in, parked=raw, parked_at=now), now)
        return self._finish(request, sign_in, raw, now)

    def _finish(self, request: AskingT, sign_in: SignIn, raw: Mapping[str, Any], at: datetime) -> OrderStep[ResultT]:
        """Verify and assert, or fail. at: when the answer came."""
        try:
            completion = read_completion(raw)
            verified = self._verifier.verify_completion(completion, expected=self._expected(sign_in), collected_at=at)
        except CompletionRefusedError as error:
            log.error("bankid completion refused", extra={"reason": error.params["reason"], **_where(request)})
            return _failed("bankid.failed")
        except ValueError:
            log.error("bankid completion unreadable", extra=_where(request))
            return _failed("bankid.failed")
        same_ip = same_address(completion.device_ip, request.end_user_ip)
        if not self._acceptable(request, sign_in, completion, same_ip=same_ip):
            return _failed("bankid.failed")
        result = self.result_of(request, Answered(sign_in, verified, raw, at, same_ip))
        return OrderStep("complete", self.done_message, result=result)

    def _expected(self, sign_in: SignIn) -> Expectation:
        return Expectation(act=self.act, visible=sign_in.visible.encode(), non_visible=sign_in.non_visible.encode())

    def _acceptable(self, request: AskingT, sign_in: SignIn, completion: Completion, *, same_ip: bool) -> bool:
        """A risk BankID calls high, or by a word we do not know, is too high."""
        signals = {"risk": str(completion.risk)[:20], "same_ip": same_ip, "same_device": sign_in.same_device}
        if completion.risk not in _ACCEPTED_RISKS:
            log.warning("bankid risk too high", extra={**signals, **_where(request)})
            return False
        if sign_in.same_device and not same_ip:
            log.warning("bankid app has another address", extra={**signals, **_where(request)})
            return not self._settings.require_same_ip
        return True


def _failed(message: str, view: Mapping[str, Any] | None = None) -> OrderStep[Any]:
    return OrderStep("failed", message, view=view or {})


def _where(request: Asking) -> dict[str, str]:
    return {"meeting": request.meeting, "participant": request.participant}


def _read_state(request: Asking, state: Mapping[str, Any]) -> SignIn | None:
    """Return the sign-in, or None when the state is not of this place in this meeting."""
    try:
        sign_in = SignIn.from_state(state)
    except ValueError:
        log.error("bankid state unreadable", extra=_where(request))
        return None
    if (sign_in.meeting, sign_in.participant) != (request.meeting, request.participant):
        log.error("bankid state of another sign-in", extra=_where(request))
        return None
    return sign_in


def _is_return(request: Asking, sign_in: SignIn, nonce: str) -> bool:
    """Whether the nonce is right, and it is the browser that started which brings it."""
    right = hmac.compare_digest(nonce.encode(), sign_in.nonce.encode())
    return hmac.compare_digest(request.device.encode(), sign_in.device.encode()) and right
