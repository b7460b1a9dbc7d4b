"""The sign-in: the link brought the person here, the code came another way, and the two meet on this page.

The outgoing code stands once in a step's state, under "send": the host takes it out before it keeps the state,
delivers it at once and stores it nowhere. It is never in what the browser sees.
"""

import json
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sidecar.plugin_api import EvidencePart, IdentityAssertion, LoA, SignInRequest, SignInStep, Subject, to_text
from tillit_otp_link.codes import LENGTH, Kept, binding, digest, draw_code, read_code, read_state, same
from tillit_otp_link.ledger import Ledger
from tillit_otp_link.settings import OtpSettings

CODE_TTL = timedelta(minutes=10)
NEW_CODE_GAP = timedelta(seconds=30)
ATTEMPTS = 5  # for the whole sign-in: a new code does not bring new guesses, so the odds stay 5 in a million
NEW_CODES = 3
_SCHEMES = {"sms": "phone", "email": "email"}


class OtpLink:
    """Implements IdentityMethod."""

    name = "otp_link"
    loa = LoA.LOW
    kind: Literal["eid", "code"] = "code"

    def __init__(self, *, settings: OtpSettings, clock: Callable[[], datetime], code_key: bytes) -> None:
        self._settings, self._clock, self._key = settings, clock, code_key
        self.channels = settings.channels
        self._ledger = Ledger()

    def start(self, request: SignInRequest) -> SignInStep:
        """Send the first code, by the first of the settings' channels the host offers."""
        channel = next((name for name in self._settings.channels if request.contact.get(name)), None)
        if channel is None:
            return _failed("no_address")
        kept = Kept(
            sitting=secrets.token_hex(16),
            generation=0,
            channel=channel,
            bound_to=binding(self._key, request, channel),
            salt="",
            code_digest="",
            sent_at=to_text(self._clock()),
            attempts_left=ATTEMPTS,
            codes_left=NEW_CODES,
        )
        refused = self._may_send(request, kept)
        return refused or self._send(request, kept, f"sent_{channel}")

    def poll(self, request: SignInRequest, state: Mapping[str, Any]) -> SignInStep:
        """Say whether the code still counts."""
        kept, refused = self._open(request, state)
        return refused or self._pending(kept, "waiting", hint=_hint(request, kept.channel))

    def submit(self, request: SignInRequest, state: Mapping[str, Any], answer: Mapping[str, str]) -> SignInStep:
        """Take {"code": ...}, or {"again": ...} for a new code. A wrong code costs an attempt, a malformed none."""
        kept, refused = self._open(request, state)
        if refused is not None:
            return refused
        if answer.get("again"):
            return self._again(request, kept)
        code = read_code(answer.get("code", ""))
        if code is None:
            return self._pending(kept, "six_digits")
        left = min(kept.attempts_left, ATTEMPTS - self._ledger.guess(kept.sitting))
        if left <= 0:
            return self._ended(kept, "too_many")
        if not same(self._digest(kept, code), kept.code_digest):
            return self._wrong(replace(kept, attempts_left=left - 1))
        if not self._ledger.end(kept.sitting):
            return _failed("spent")
        return SignInStep("complete", "otp_link.done", assertion=self._assertion(request, kept))

    def cancel(self, request: SignInRequest, state: Mapping[str, Any]) -> None:
        """Make the code worthless."""
        kept = read_state(state)
        if kept is not None:
            self._ledger.end(kept.sitting)

    def _open(self, request: SignInRequest, state: Mapping[str, Any]) -> tuple[Kept, SignInStep | None]:
        """Return the kept state, and the failed step when it no longer counts."""
        kept = read_state(state)
        if kept is None:
            return _NOTHING, _failed("spent" if not state else "start_again")
        if kept.channel not in _SCHEMES or not same(kept.bound_to, binding(self._key, request, kept.channel)):
            return kept, _failed("start_again")
        if self._ledger.is_over(kept.sitting, kept.generation):
            return kept, _failed("spent")
        if not timedelta(0) <= self._clock() - kept.sent < CODE_TTL:
            return kept, self._ended(kept, "expired")
        return kept, None

    def _again(self, request: SignInRequest, kept: Kept) -> SignInStep:
        if kept.codes_left <= 0:
            return self._pending(kept, "no_more_codes")
        wait = self._may_send(request, kept)
        if wait is not None:
            return self._pending(kept, wait.message.removeprefix("otp_link."), **wait.params)
        fresh = replace(kept, generation=kept.generation + 1, codes_left=kept.codes_left - 1)
        return self._send(request, fresh, f"again_{kept.channel}")

    def _may_send(self, request: SignInRequest, kept: Kept) -> SignInStep | None:
        """Return None when a code may go out now, else a failed step with the sentence that says why not."""
        address = digest(self._key, "address", request.contact[kept.channel])
        answer = self._ledger.may_send(
            address, kept.bound_to, self._clock(), gap=NEW_CODE_GAP, most=self._settings.codes_per_day
        )
        if isinstance(answer, timedelta):
            return _failed("wait", seconds=math.ceil(answer.total_seconds()))
        return None if answer == "yes" else _failed("too_many_today")

    def _send(self, request: SignInRequest, kept: Kept, message: str) -> SignInStep:
        code = draw_code()
        fresh = replace(kept, salt=secrets.token_hex(16), sent_at=to_text(self._clock()))
        fresh = replace(fresh, code_digest=self._digest(fresh, code))
        self._ledger.replace(fresh.sitting, fresh.generation)
        minutes = int(CODE_TTL.total_seconds() // 60)
        send = {
            "channel": kept.channel,
            "text_params": {"minutes": minutes, "domain": request.referring_domain},
            "code": code,
        }
        step = self._pending(fresh, message, hint=_hint(request, kept.channel))
        return replace(step, state={**step.state, "send": send})

    def _wrong(self, kept: Kept) -> SignInStep:
        if kept.attempts_left <= 0:
            return self._ended(kept, "too_many")
        if kept.attempts_left == 1:
            return self._pending(kept, "wrong_last")
        return self._pending(kept, "wrong", attempts_left=kept.attempts_left)

    def _ended(self, kept: Kept, message: str) -> SignInStep:
        self._ledger.end(kept.sitting)
        return _failed(message)

    def _pending(self, kept: Kept, message: str, **params: Any) -> SignInStep:
        gap = kept.sent + NEW_CODE_GAP - self._clock()
        view = {
            "field": "code",
            "length": LENGTH,
            "attempts_left": kept.attempts_left,
            "codes_left": kept.codes_left,
            "again_in": max(0, math.ceil(gap.total_seconds())),
        }
        return SignInStep("pending", f"otp_link.{message}", params, view, kept.to_state())

    def _digest(self, kept: Kept, code: str) -> str:
        """Return the digest of a code in its place, its turn and its time: none of them can be changed alone."""
        turn = (kept.sitting, str(kept.generation), kept.sent_at, kept.bound_to, kept.salt)
        return digest(self._key, "code", *turn, code)

    def _assertion(self, request: SignInRequest, kept: Kept) -> IdentityAssertion:
        now = self._clock()
        facts = {
            "channel": kept.channel,
            "code_sent_at": kept.sent_at,
            "code_typed_at": to_text(now),
            "codes_sent": NEW_CODES - kept.codes_left + 1,
            "wrong_codes": ATTEMPTS - kept.attempts_left,
        }
        return IdentityAssertion(
            provider=self.name,
            method=f"link+{kept.channel}",
            loa=self.loa,
            subject=Subject(_SCHEMES[kept.channel], request.contact[kept.channel]),
            name="",  # a code proves an address, not a name: the host knows whom it invited
            asserted_at=now,
            evidence=(EvidencePart("code.json", "application/json", json.dumps(facts).encode()),),
            factors=2,
        )


_NOTHING = Kept("", 0, "", "", "", "", "1970-01-01T00:00:00Z", 0, 0)


def _failed(message: str, **params: Any) -> SignInStep:
    """Return a failed step. Its empty state is what makes the same answer worthless a second time."""
    return SignInStep("failed", f"otp_link.{message}", params)


def _hint(request: SignInRequest, channel: str) -> str:
    """Return enough of an address for its owner, and too little for anybody else: "05", "m…@example.org"."""
    address = request.contact[channel]
    if channel == "sms":
        return address[-2:]
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"
