"""The client speaks the API as it is, trusts only the pinned root, and repeats nothing by itself."""

from collections.abc import Callable
from typing import Any

import pytest

from simulators.bankid.remote import RemoteBankId
from tillit_bankid.client import BankIdClient
from tillit_bankid.config import read_settings
from tillit_bankid.errors import (
    AlreadyInProgressError,
    BankIdError,
    InternalError,
    InvalidParametersError,
    MaintenanceError,
    RequestTimeoutError,
    TooManyRequestsError,
    UnauthorizedError,
    UnknownBankIdError,
    UnreachableError,
    UnreadableAnswerError,
    WrongRequestError,
)
from tillit_bankid.model import Act, OrderRequest

ORDER = OrderRequest(
    act=Act.IDENTIFY,
    end_user_ip="192.0.2.7",
    visible=b"Exempelbanken.",
    non_visible=b"tillit",
    policy_oids=("1.2.3.4.25",),
)


@pytest.fixture
def make_client(bankid: RemoteBankId, clock: Any) -> Callable[..., BankIdClient]:
    return lambda **changed: BankIdClient(read_settings(bankid.plugin_settings(**changed)), clock=clock)


@pytest.fixture
def client(make_client: Callable[..., BankIdClient]) -> BankIdClient:
    return make_client()


def test_order_can_be_opened_collected_and_cancelled(client: BankIdClient) -> None:
    order = client.start(ORDER)
    answer = client.collect(order.order_ref)
    client.cancel(order.order_ref)

    assert (answer.status, answer.hint) == ("pending", "outstandingTransaction")
    with pytest.raises(InvalidParametersError):
        client.collect(order.order_ref)


def test_signing_uses_its_own_endpoint_and_limits(client: BankIdClient, bankid: RemoteBankId) -> None:
    long_text = b"a" * 20_000
    client.start(OrderRequest(Act.SIGN, "192.0.2.7", long_text, b"x", ("1.2.3.4.25",)))

    assert bankid.calls()["sign"] == 1
    with pytest.raises(ValueError, match="too long"):
        client.start(OrderRequest(Act.IDENTIFY, "192.0.2.7", long_text, b"x", ("1.2.3.4.25",)))


@pytest.mark.parametrize(
    ("answered", "error"),
    [
        ("alreadyInProgress", AlreadyInProgressError),
        ("invalidParameters", InvalidParametersError),
        ("unauthorized", UnauthorizedError),
        ("forbiddenHtml", UnauthorizedError),
        ("notFound", WrongRequestError),
        ("methodNotAllowed", WrongRequestError),
        ("unsupportedMediaType", WrongRequestError),
        ("requestTimeout", RequestTimeoutError),
        ("tooManyRequests", TooManyRequestsError),
        ("internalError", InternalError),
        ("maintenance", MaintenanceError),
        ("Maintenance", MaintenanceError),
        ("brandNewError", UnknownBankIdError),
        ("notJson", UnreadableAnswerError),
        ("jsonList", UnreadableAnswerError),
        ("hugeAnswer", UnreadableAnswerError),
        ("redirect", UnknownBankIdError),
    ],
)
def test_each_error_has_its_name_and_is_asked_once(
    client: BankIdClient, bankid: RemoteBankId, answered: str, error: type[BankIdError]
) -> None:
    bankid.phone("faults", error=answered)

    with pytest.raises(error) as raised:
        client.start(ORDER)

    assert type(raised.value) is error
    assert bankid.calls() == {"auth": 1}


def test_answer_without_end_is_not_read_to_its_end(client: BankIdClient, bankid: RemoteBankId) -> None:
    bankid.phone("faults", error="hugeAnswer")

    with pytest.raises(UnreadableAnswerError, match="too large"):
        client.start(ORDER)


def test_only_maintenance_and_silence_may_be_tried_again() -> None:
    quiet = {error for error in BankIdError.__subclasses__() if error.may_retry}

    assert quiet == {MaintenanceError, UnreachableError}


def test_slow_down_is_obeyed_until_the_given_time(client: BankIdClient, bankid: RemoteBankId, clock: Any) -> None:
    bankid.phone("faults", error="tooManyRequests", times=1, reset_seconds=7)
    with pytest.raises(TooManyRequestsError) as raised:
        client.start(ORDER)
    assert raised.value.params["reset_seconds"] == 7

    clock.advance(6)
    with pytest.raises(TooManyRequestsError):
        client.start(ORDER)
    assert bankid.calls() == {"auth": 1}

    clock.advance(1)
    client.start(ORDER)
    assert bankid.calls() == {"auth": 2}


def test_slow_answer_is_not_waited_for(make_client: Callable[..., BankIdClient], bankid: RemoteBankId) -> None:
    client = make_client(answer_seconds=0.2)
    bankid.phone("faults", delay_seconds=20)

    with pytest.raises(UnreachableError):
        client.start(ORDER)


@pytest.mark.parametrize("root", ["rp.pem", "signature-root.pem"])
def test_server_of_another_root_is_not_trusted(
    make_client: Callable[..., BankIdClient], bankid: RemoteBankId, root: str
) -> None:
    client = make_client(ca_file=str(bankid.directory / root))

    with pytest.raises(UnreachableError):
        client.start(ORDER)
    assert bankid.calls() == {}


def test_environment_can_not_replace_the_pinned_root(
    make_client: Callable[..., BankIdClient], bankid: RemoteBankId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests lets REQUESTS_CA_BUNDLE win over the session's own root, and a proxy read the traffic."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bankid.directory / "server-ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    client = make_client(ca_file=str(bankid.directory / "signature-root.pem"))
    with pytest.raises(UnreachableError):
        client.start(ORDER)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bankid.directory / "signature-root.pem"))
    assert make_client().start(ORDER).order_ref


def test_certificate_bankid_does_not_know_is_turned_away(
    make_client: Callable[..., BankIdClient], bankid: RemoteBankId
) -> None:
    client = make_client(
        client_cert=str(bankid.directory / "stranger-rp.pem"),
        client_key=str(bankid.directory / "stranger-rp-key.pem"),
    )

    with pytest.raises(UnauthorizedError):
        client.start(ORDER)


def test_order_of_another_relying_party_is_out_of_reach(
    make_client: Callable[..., BankIdClient], bankid: RemoteBankId
) -> None:
    order = make_client().start(ORDER)
    other = make_client(
        client_cert=str(bankid.directory / "other-rp.pem"),
        client_key=str(bankid.directory / "other-rp-key.pem"),
    )

    with pytest.raises(InvalidParametersError):
        other.collect(order.order_ref)
    with pytest.raises(InvalidParametersError):
        other.cancel(order.order_ref)


def test_log_names_the_error_and_no_person(
    client: BankIdClient, bankid: RemoteBankId, caplog: pytest.LogCaptureFixture
) -> None:
    bankid.phone("faults", error="internalError")
    with pytest.raises(InternalError):
        client.start(ORDER)

    (record,) = caplog.records
    assert (record.getMessage(), record.__dict__["code"]) == ("bankid refused", "internalError")
    assert "192.0.2.7" not in str(record.__dict__)


def test_secrets_of_an_order_are_not_printed(client: BankIdClient) -> None:
    order = client.start(ORDER)

    assert order.qr_start_secret not in repr(order)
    assert order.auto_start_token not in repr(order)
