"""On the same device nobody is let in before the app came back to the browser that started.

The threat: an attacker starts a sign-in, sends the link that opens the app to a victim, the victim confirms, and
the attacker's own page is let in as the victim.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sidecar.plugin_api import IdentityMethod
from simulators.bankid.remote import RemoteBankId

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"
ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9)"


@pytest.fixture
def confirmed(visit: Callable[..., Any], bankid: RemoteBankId) -> Callable[..., Any]:
    """Return a function that starts on the same device, follows the link to the app and confirms there."""

    def make(**changed: Any) -> Any:
        started = visit(same_device=True, **changed)
        order = bankid.phone("open", autoStartToken=_token(started), person="maja")["order"]
        bankid.phone("approve", order=order, person="maja")
        return started

    return make


def _token(started: Any) -> str:
    return str(parse_qs(urlsplit(started.step.view["launch_url"]).query)["autostarttoken"][0])


@pytest.mark.requirement("R001")
def test_confirmed_in_the_app_but_not_returned_stays_outside(confirmed: Callable[..., Any]) -> None:
    started = confirmed()

    for _ in range(3):
        step = started.poll()
        assert (step.status, step.message, step.assertion) == ("pending", "bankid.return", None)


@pytest.mark.requirement("R001", "R002")
def test_return_with_the_nonce_lets_in(confirmed: Callable[..., Any], bankid: RemoteBankId) -> None:
    started = confirmed()
    started.poll()
    step = started.submit(started.sign_in.nonce)

    assert (step.status, step.assertion.method) == ("complete", "bankid-same-device")
    assert step.assertion.subject.value == "199002142389"
    assert bankid.calls()["collect"] == 1


def test_return_before_the_answer_was_collected_lets_in_too(confirmed: Callable[..., Any], clock: Any) -> None:
    started = confirmed()
    clock.advance(2)

    assert started.submit(started.sign_in.nonce).status == "complete"


def test_of_waiting_page_and_return_that_ask_at_once_neither_loses_the_answer(
    confirmed: Callable[..., Any], method: IdentityMethod, clock: Any
) -> None:
    started = confirmed()
    clock.advance(2)
    before = started.step.state
    parked = method.poll(started.request, before).state
    unanswered = method.submit(started.request, before, {"nonce": started.sign_in.nonce})
    assert (unanswered.status, unanswered.state["returned"]) == ("pending", True)  # BankID answered the other one

    both = method.poll(started.request, {**parked, "returned": True})

    assert (both.status, both.assertion is not None) == ("complete", True)


def test_order_that_is_gone_is_told_after_three_questions(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    started = visit(same_device=True)
    bankid.phone("faults", error="invalidParameters", endpoint="collect")

    assert [started.poll().status for _ in range(3)] == ["pending", "pending", "failed"]


def test_return_right_after_asking_waits_for_the_next_answer(confirmed: Callable[..., Any]) -> None:
    started = confirmed()
    assert started.submit(started.sign_in.nonce).status == "pending"

    assert started.poll().status == "complete"


@pytest.mark.requirement("R011")
@pytest.mark.parametrize("nonce", ["", "wrong", "é", "x" * 43])
def test_another_nonce_changes_nothing(confirmed: Callable[..., Any], nonce: str) -> None:
    started = confirmed()
    started.poll()
    step = started.submit(nonce)

    assert (step.status, step.message, step.assertion) == ("pending", "bankid.return", None)
    assert started.sign_in.returned is False


@pytest.mark.requirement("R011")
def test_right_nonce_from_another_browser_changes_nothing(confirmed: Callable[..., Any]) -> None:
    started = confirmed()
    started.poll()
    step = started.submit(started.sign_in.nonce, device="cd" * 32)

    assert (step.status, step.assertion) == ("pending", None)


@pytest.mark.requirement("R011")
def test_nonce_of_another_sign_in_changes_nothing(confirmed: Callable[..., Any], visit: Callable[..., Any]) -> None:
    started = confirmed()
    started.poll()
    other = visit(same_device=True)

    assert started.submit(other.sign_in.nonce).status == "pending"


def test_nonce_does_nothing_for_a_code(visit: Callable[..., Any]) -> None:
    started = visit()

    assert started.submit(started.sign_in.nonce).status == "pending"
    assert started.sign_in.returned is False


def test_return_does_not_replace_the_confirmation(visit: Callable[..., Any], clock: Any) -> None:
    started = visit(same_device=True)
    clock.advance(2)

    assert started.submit(started.sign_in.nonce).assertion is None
    assert started.poll().assertion is None


def test_app_is_told_to_come_back_with_the_nonce(confirmed: Callable[..., Any], bankid: RemoteBankId) -> None:
    started = confirmed()
    back = urlsplit(bankid.orders()[0]["return_url"])

    assert (back.netloc, back.path) == ("exempelbanken.localhost:8080", "/v/p_2/identify")
    assert parse_qs(back.query) == {"lang": ["sv"], "nonce": [started.sign_in.nonce]}


def test_nonce_already_in_the_address_is_replaced(visit: Callable[..., Any]) -> None:
    started = visit(same_device=True, return_url="http://bank.localhost/v/p_2/identify?nonce=theirs")

    query = parse_qs(urlsplit(started.sign_in.body["returnUrl"]).query)
    assert query == {"nonce": [started.sign_in.nonce]}


def test_nonce_is_fresh_for_each_sign_in(visit: Callable[..., Any]) -> None:
    nonces = {visit(same_device=True).sign_in.nonce for _ in range(3)}

    assert len(nonces) == 3
    assert all(len(nonce) >= 43 for nonce in nonces)


def test_code_is_not_drawn_and_link_goes_away_once_opened(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    started = visit(same_device=True)
    assert started.step.message == "bankid.opening"
    assert "qr" not in started.step.view
    bankid.phone("open", autoStartToken=_token(started), person="maja")

    assert "launch_url" not in started.poll().view


def test_without_a_way_back_a_code_is_shown(visit: Callable[..., Any]) -> None:
    started = visit(same_device=True, return_url=None)

    assert "qr" in started.step.view
    assert "launch_url" not in started.step.view


@pytest.mark.parametrize(
    ("user_agent", "beginning"),
    [
        (IPHONE, "https://app.bankid.com/?autostarttoken="),
        (ANDROID, "https://app.bankid.com/?autostarttoken="),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "bankid:///?autostarttoken="),
    ],
)
def test_link_is_the_one_the_device_can_open(
    make_method: Callable[..., IdentityMethod],
    visit: Callable[..., Any],
    bankid: RemoteBankId,
    monkeypatch: pytest.MonkeyPatch,
    user_agent: str,
    beginning: str,
) -> None:
    from dataclasses import replace

    settings = bankid.plugin_settings()
    del settings["app_link"]
    monkeypatch.setattr(RemoteBankId, "plugin_settings", lambda self: settings)
    request = replace(visit().request, same_device=True, user_agent=user_agent)
    launch_url = make_method().start(request).view["launch_url"]

    assert launch_url.startswith(beginning)
    assert launch_url.endswith("&redirect=null")


def test_app_that_is_missing_is_told_at_once_and_not_restarted(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    step = visit(same_device=True).poll(after=31)

    assert (step.status, step.message) == ("failed", "bankid.app_missing")
    assert bankid.calls()["auth"] == 1


def test_app_too_old_to_come_back_is_told(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    bankid.phone("faults", old_app=True)
    started = visit(same_device=True)
    bankid.phone("open", autoStartToken=_token(started), person="maja")
    step = started.poll()

    assert (step.status, step.message) == ("failed", "bankid.app_old")


def test_answer_waits_five_minutes_for_the_return_and_no_longer(confirmed: Callable[..., Any], clock: Any) -> None:
    started = confirmed()
    started.poll()
    clock.advance(297)
    assert started.poll().status == "pending"

    nonce = started.sign_in.nonce
    clock.advance(2)
    step = started.submit(nonce)

    assert (step.status, step.message) == ("failed", "bankid.timed_out")


def test_cancel_while_waiting_for_the_return_lets_nobody_in_later(
    confirmed: Callable[..., Any], method: IdentityMethod, bankid: RemoteBankId
) -> None:
    started = confirmed()
    started.poll()
    method.cancel(started.request, started.step.state)

    assert "cancel" not in bankid.calls()  # the collected order is gone at BankID


def test_app_at_another_address_is_noted(
    confirmed: Callable[..., Any], bankid: RemoteBankId, caplog: pytest.LogCaptureFixture
) -> None:
    bankid.phone("faults", device_ip="198.51.100.9")
    started = confirmed()
    started.poll()
    step = started.submit(started.sign_in.nonce)

    assert step.status == "complete"
    assert json.loads(step.assertion.evidence[2].data)["same_ip"] is False
    assert "bankid app has another address" in caplog.messages


def test_app_at_another_address_is_refused_where_the_bank_asks_for_that(
    make_method: Callable[..., IdentityMethod], bankid: RemoteBankId, visit: Callable[..., Any], clock: Any
) -> None:
    bankid.phone("faults", device_ip="198.51.100.9")
    started = visit(same_device=True)
    order = bankid.phone("open", autoStartToken=_token(started), person="maja")["order"]
    bankid.phone("approve", order=order, person="maja")
    clock.advance(2)
    strict = make_method(require_same_ip=True)
    step = strict.submit(started.request, started.step.state, {"nonce": started.sign_in.nonce})

    assert (step.status, step.message, step.assertion) == ("failed", "bankid.failed", None)


def test_forged_answer_is_refused_at_the_return(confirmed: Callable[..., Any], bankid: RemoteBankId) -> None:
    bankid.phone("faults", forge="other-person")
    started = confirmed()
    started.poll()
    step = started.submit(started.sign_in.nonce)

    assert (step.status, step.assertion) == ("failed", None)
