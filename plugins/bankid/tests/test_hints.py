"""Each thing BankID can say of an order has its sentence, and one it invents tomorrow stops nobody."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from simulators.bankid.remote import RemoteBankId
from tillit_bankid.hints import failed_message, pending_message


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        ("outstandingTransaction", "bankid.start"),
        ("noClient", "bankid.start"),
        ("started", "bankid.started"),
        ("userMrtd", "bankid.scan_document"),
        ("userCallConfirm", "bankid.confirm_call"),
        ("userSign", "bankid.sign"),
        ("processing", "bankid.processing"),
        ("aNewHintOfTomorrow", "bankid.processing"),
    ],
)
def test_pending_order_has_its_sentence(
    visit: Callable[..., Any], bankid: RemoteBankId, newest: Callable[[], str], hint: str, message: str
) -> None:
    started = visit()
    bankid.phone("hint", order=newest(), hint=hint)
    step = started.poll()

    assert (step.status, step.message) == ("pending", message)


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        ("expiredTransaction", "bankid.timed_out"),
        ("certificateErr", "bankid.blocked"),
        ("userCancel", "bankid.cancelled_by_you"),
        ("cancelled", "bankid.replaced"),
        ("userDeclinedCall", "bankid.declined_call"),
        ("notSupportedByUserApp", "bankid.app_old"),
        ("transactionRiskBlocked", "bankid.failed"),
        ("aNewFailureOfTomorrow", "bankid.failed"),
    ],
)
def test_failed_order_has_its_sentence(
    visit: Callable[..., Any], bankid: RemoteBankId, newest: Callable[[], str], hint: str, message: str
) -> None:
    started = visit()
    bankid.phone("fail", order=newest(), hint=hint)
    step = started.poll()

    assert (step.status, step.message) == ("failed", message)
    assert step.state == {}
    assert step.view.get("alert_adviser", False) is (hint == "userDeclinedCall")


def test_search_that_finds_nothing_is_explained_after_a_while() -> None:
    def message(seconds: float) -> str:
        return pending_message("started", same_device=False, shown_for=timedelta(seconds=seconds))

    assert message(5.9) == "bankid.started"
    assert message(6) == "bankid.searching"


def test_same_device_is_told_about_the_app_and_not_about_a_code() -> None:
    assert pending_message("outstandingTransaction", same_device=True, shown_for=timedelta()) == "bankid.opening"
    assert failed_message("startFailed", same_device=True) == "bankid.app_missing"
    assert failed_message("startFailed", same_device=False) == "bankid.not_scanned"


def test_hint_counts_from_when_it_came(scanned: Callable[..., Any]) -> None:
    visit = scanned(person=None)
    assert [visit.poll().message for _ in range(4)] == [
        "bankid.started",
        "bankid.started",
        "bankid.started",
        "bankid.searching",
    ]


def test_code_nobody_scans_is_renewed_five_times_and_then_given_up(
    visit: Callable[..., Any], bankid: RemoteBankId
) -> None:
    started = visit()
    references = {started.sign_in.order_ref}
    for restart in range(1, 6):
        step = started.poll(after=31)
        assert (step.status, step.message) == ("pending", "bankid.new_code")
        assert "qr" in step.view
        assert started.sign_in.restarts == restart
        references.add(started.sign_in.order_ref)

    step = started.poll(after=31)

    assert (step.status, step.message) == ("failed", "bankid.not_scanned")
    assert len(references) == 6
    assert bankid.calls()["auth"] == 6


def test_news_of_a_new_code_gives_way_to_what_to_do(visit: Callable[..., Any]) -> None:
    started = visit()
    started.poll(after=31)

    assert started.poll(after=7.9).message == "bankid.new_code"
    assert started.poll(after=0.1).message == "bankid.start"


def test_renewed_code_counts_from_its_own_beginning(
    visit: Callable[..., Any], bankid: RemoteBankId, newest: Callable[[], str]
) -> None:
    started = visit()
    started.poll(after=31)
    bankid.phone("scan", qr=bankid.orders()[0]["qr"], person="maja")
    bankid.phone("approve", order=newest(), person="maja")

    assert started.poll().status == "complete"


def test_renewal_that_fails_ends_the_sign_in(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    started = visit()
    bankid.phone("faults", error="alreadyInProgress", endpoint="auth")
    step = started.poll(after=31)

    assert (step.status, step.message) == ("failed", "bankid.already")
