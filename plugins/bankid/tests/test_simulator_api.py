"""The stand-in answers as BankID does, so that what passes here has a chance to pass there."""

import base64
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from simulators.bankid.remote import RemoteBankId

Call = Callable[..., requests.Response]


@pytest.fixture
def call(bankid: RemoteBankId) -> Call:
    """Return a function that calls an endpoint with a relying party's certificate."""

    def make(endpoint: str, body: Any = None, *, party: str = "rp", **more: Any) -> requests.Response:
        files = (str(bankid.directory / f"{party}.pem"), str(bankid.directory / f"{party}-key.pem"))
        method = more.pop("method", "POST")
        return requests.request(
            method,
            bankid.api_url + endpoint,
            cert=files,
            verify=str(bankid.directory / "server-ca.pem"),
            timeout=20,
            **({"json": body} if body is not None else {}),
            **more,
        )

    return make


def _error(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["errorCode"]


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


AUTH = {"endUserIp": "192.0.2.7"}
PHONE = {"personalNumber": "199002142389", "callInitiator": "RP"}


def test_no_certificate_no_conversation(bankid: RemoteBankId) -> None:
    with pytest.raises((requests.exceptions.SSLError, requests.ConnectionError)):
        requests.post(bankid.api_url + "auth", json=AUTH, verify=str(bankid.directory / "server-ca.pem"), timeout=20)


def test_unregistered_relying_party_is_unauthorized(call: Call) -> None:
    assert _error(call("auth", AUTH, party="stranger-rp")) == (401, "unauthorized")


def test_health_check_is_get_auth_with_405(call: Call) -> None:
    assert call("auth", method="GET").status_code == 405


def test_unknown_address_is_not_found(call: Call) -> None:
    assert _error(call("authenticate", AUTH)) == (404, "notFound")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "text/plain"])
def test_any_other_media_type_is_refused(call: Call, media_type: str) -> None:
    answer = call("auth", data=b'{"endUserIp": "192.0.2.7"}', headers={"Content-Type": media_type})

    assert _error(answer) == (415, "unsupportedMediaType")


def test_open_order_has_four_different_uuids(call: Call) -> None:
    order = call("auth", AUTH).json()

    assert set(order) == {"orderRef", "autoStartToken", "qrStartToken", "qrStartSecret"}
    assert len({str(uuid.UUID(value)) for value in order.values()}) == 4


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("auth", AUTH | {"userVisibleData": _b64("a" * 1125), "userNonVisibleData": _b64("b" * 1125)}),
        ("auth", AUTH | {"userVisibleData": _b64("# Rubrik"), "userVisibleDataFormat": "simpleMarkdownV1"}),
        ("auth", AUTH | {"endUserIp": "2001:db8::7", "returnUrl": "https://bank.example/#n", "returnRisk": True}),
        ("auth", AUTH | {"requirement": {"risk": "low", "pinCode": True, "mrtd": False}}),
        ("auth", AUTH | {"requirement": {"risk": "MODERATE", "certificatePolicies": ["1.2.752.78.*"]}}),
        ("auth", AUTH | {"web": {"referringDomain": "a.se", "userAgent": "x" * 900, "deviceIdentifier": "d"}}),
        ("auth", AUTH | {"app": {"appIdentifier": "se.bank", "deviceOS": "iOS 18"}}),
        ("sign", AUTH | {"userVisibleData": _b64("a" * 30_000)}),
        ("phone/auth", PHONE),
        ("phone/sign", PHONE | {"callInitiator": "user", "userVisibleData": _b64("Avtal")}),
    ],
)
def test_right_request_is_taken(call: Call, endpoint: str, body: dict[str, Any]) -> None:
    assert call(endpoint, body).status_code == 200


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("auth", {}),
        ("auth", []),
        ("auth", AUTH | {"endUserIp": "somewhere"}),
        ("auth", AUTH | {"personalNumber": "199002142389"}),
        ("auth", AUTH | {"userVisibleData": ""}),
        ("auth", AUTH | {"userVisibleData": "not base64"}),
        ("auth", AUTH | {"userVisibleData": base64.b64encode(b"\xff").decode()}),
        ("auth", AUTH | {"userVisibleData": _b64("a" * 1126)}),
        ("auth", AUTH | {"userNonVisibleData": _b64("a" * 1126)}),
        ("auth", AUTH | {"userVisibleDataFormat": "markdown"}),
        ("auth", AUTH | {"returnUrl": "h" * 513}),
        ("auth", AUTH | {"returnRisk": "true"}),
        ("auth", AUTH | {"web": {"referringDomain": "a"}}),
        ("auth", AUTH | {"web": {"deviceIdentifier": "d" * 65}}),
        ("auth", AUTH | {"web": {"referringDomain": "a.se"}, "app": {"deviceOS": "x"}}),
        ("auth", AUTH | {"requirement": {"personalNumber": "9002142389"}}),
        ("auth", AUTH | {"requirement": {"risk": "high"}}),
        ("auth", AUTH | {"requirement": {"certificatePolicies": ["1.*"]}}),
        ("auth", AUTH | {"requirement": {"cardReader": "class3"}}),
        ("sign", AUTH),
        ("sign", AUTH | {"userVisibleData": _b64("a" * 30_001)}),
        ("phone/auth", PHONE | {"endUserIp": "192.0.2.7"}),
        ("phone/auth", PHONE | {"callInitiator": "rp"}),
        ("phone/auth", PHONE | {"requirement": {"risk": "low"}}),
        ("phone/sign", PHONE),
        ("collect", {}),
        ("collect", {"orderRef": 7}),
        ("cancel", {"orderRef": "unknown"}),
    ],
)
def test_wrong_request_is_invalid(call: Call, endpoint: str, body: Any) -> None:
    assert _error(call(endpoint, body)) == (400, "invalidParameters")


def test_request_that_is_not_json_is_invalid(call: Call) -> None:
    answer = call("auth", data=b"endUserIp=1", headers={"Content-Type": "application/json"})

    assert _error(answer) == (400, "invalidParameters")


@pytest.fixture
def collect(call: Call) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def make(order: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = call("collect", {"orderRef": order["orderRef"]}).json()
        return answer

    return make


Collect = Callable[[dict[str, Any]], dict[str, Any]]


def _identify(bankid: RemoteBankId, person: str = "maja", **more: Any) -> None:
    number = bankid.orders()[0]["order"]
    bankid.phone("pick", order=number, person=person)
    bankid.phone("approve", order=number, person=person, **more)


def test_each_stage_has_its_hint(call: Call, collect: Collect, bankid: RemoteBankId) -> None:
    order = call("auth", AUTH).json()
    number = bankid.orders()[0]["order"]
    seen = [collect(order)["hintCode"]]
    bankid.phone("scan", qr=bankid.orders()[0]["qr"])
    seen.append(collect(order)["hintCode"])
    bankid.phone("read", order=number, person="maja")
    seen.append(collect(order)["hintCode"])

    assert seen == ["outstandingTransaction", "started", "userSign"]


def test_completed_order_tells_all_of_it(call: Call, collect: Collect, bankid: RemoteBankId) -> None:
    order = call("auth", AUTH | {"returnRisk": True}).json()
    _identify(bankid)
    answer = collect(order)

    assert answer["status"] == "complete"
    assert "hintCode" not in answer
    completion = answer["completionData"]
    assert completion["user"] == {
        "personalNumber": "199002142389",
        "name": "Maja Granlid",
        "givenName": "Maja",
        "surname": "Granlid",
    }
    assert completion["device"]["ipAddress"] == "192.0.2.7"
    assert completion["risk"] == "low"
    assert {"bankIdIssueDate", "signature", "ocspResponse"} <= set(completion)


def test_risk_is_given_only_when_asked_for(call: Call, collect: Collect, bankid: RemoteBankId) -> None:
    order = call("auth", AUTH).json()
    _identify(bankid)

    assert "risk" not in collect(order)["completionData"]


@pytest.mark.parametrize("end", ["complete", "failed"])
def test_ended_order_is_collected_once(call: Call, collect: Collect, bankid: RemoteBankId, end: str) -> None:
    order = call("auth", AUTH).json()
    if end == "complete":
        _identify(bankid)
    else:
        bankid.phone("cancel", order=bankid.orders()[0]["order"])

    assert collect(order)["status"] == end
    assert collect(order)["errorCode"] == "invalidParameters"


@pytest.mark.parametrize(("seconds", "found"), [(179, True), (181, False)])
def test_completed_order_is_kept_three_minutes(
    call: Call, collect: Collect, bankid: RemoteBankId, clock: Any, seconds: int, found: bool
) -> None:
    order = call("auth", AUTH).json()
    _identify(bankid)
    clock.advance(seconds)

    assert ("completionData" in collect(order)) is found


@pytest.mark.parametrize(("seconds", "found"), [(298, True), (302, False)])
def test_failed_order_is_kept_five_minutes(
    call: Call, collect: Collect, bankid: RemoteBankId, clock: Any, seconds: int, found: bool
) -> None:
    order = call("auth", AUTH).json()
    bankid.phone("cancel", order=bankid.orders()[0]["order"])
    clock.advance(seconds)

    assert (collect(order).get("hintCode") == "userCancel") is found


@pytest.mark.parametrize(
    ("seconds", "answer"), [(28, "outstandingTransaction"), (31, "startFailed"), (188, "startFailed"), (192, None)]
)
def test_order_no_app_picks_up_fails_after_half_a_minute(
    call: Call, collect: Collect, clock: Any, seconds: int, answer: str | None
) -> None:
    order = call("auth", AUTH).json()
    clock.advance(seconds)

    assert collect(order).get("hintCode") == answer


@pytest.mark.parametrize(("seconds", "hint"), [(178, "started"), (182, "expiredTransaction")])
def test_order_picked_up_expires_after_three_minutes(
    call: Call, collect: Collect, bankid: RemoteBankId, clock: Any, seconds: int, hint: str
) -> None:
    order = call("auth", AUTH).json()
    bankid.phone("pick", order=bankid.orders()[0]["order"], person="maja")
    clock.advance(seconds)

    assert collect(order)["hintCode"] == hint


def test_order_of_another_relying_party_does_not_exist(call: Call) -> None:
    order = call("auth", AUTH).json()

    answer = call("collect", {"orderRef": order["orderRef"]}, party="other-rp")
    assert _error(answer) == (400, "invalidParameters")


def test_cancelled_order_is_gone(call: Call, collect: Collect) -> None:
    order = call("auth", AUTH).json()

    assert call("cancel", {"orderRef": order["orderRef"]}).json() == {}
    assert collect(order)["errorCode"] == "invalidParameters"


def test_second_order_for_a_person_ends_both(call: Call, collect: Collect) -> None:
    first = call("phone/auth", PHONE).json()

    assert _error(call("phone/auth", PHONE)) == (400, "alreadyInProgress")
    assert collect(first)["hintCode"] == "cancelled"
    assert call("phone/auth", PHONE).status_code == 200


def test_newer_order_in_the_persons_hand_replaces_the_older(call: Call, collect: Collect, bankid: RemoteBankId) -> None:
    first = call("auth", AUTH).json()
    bankid.phone("pick", order=bankid.orders()[0]["order"], person="samir")
    call("auth", AUTH)
    bankid.phone("pick", order=bankid.orders()[0]["order"], person="samir")

    assert collect(first)["hintCode"] == "cancelled"


def test_another_person_than_demanded_fails(call: Call, collect: Collect, bankid: RemoteBankId) -> None:
    order = call("auth", AUTH | {"requirement": {"personalNumber": "199002142389"}}).json()
    _identify(bankid, person="ture")

    assert collect(order)["status"] == "failed"


def test_risk_above_the_limit_is_blocked(call: Call, collect: Collect, bankid: RemoteBankId) -> None:
    bankid.phone("faults", risk="high")
    order = call("auth", AUTH | {"requirement": {"risk": "moderate"}}).json()
    _identify(bankid)

    assert collect(order)["hintCode"] == "transactionRiskBlocked"


def test_call_is_confirmed_before_identifying(call: Call, collect: Collect, bankid: RemoteBankId) -> None:
    order = call("phone/auth", PHONE).json()
    number = bankid.orders()[0]["order"]
    assert set(order) == {"orderRef"}
    bankid.phone("read", order=number, person="maja")
    assert collect(order)["hintCode"] == "userCallConfirm"
    bankid.phone("answer", order=number, in_call=True)
    assert collect(order)["hintCode"] == "userSign"
    bankid.phone("approve", order=number, person="maja")

    assert collect(order)["status"] == "complete"


def test_call_denied_ends_the_order(call: Call, collect: Collect, bankid: RemoteBankId) -> None:
    order = call("phone/auth", PHONE).json()
    number = bankid.orders()[0]["order"]
    bankid.phone("read", order=number, person="maja")
    bankid.phone("answer", order=number, in_call=False)

    assert collect(order)["hintCode"] == "userDeclinedCall"


def test_too_many_requests_says_how_many_and_until_when(call: Call, bankid: RemoteBankId) -> None:
    bankid.phone("faults", error="tooManyRequests", reset_seconds=9)
    answer = call("auth", AUTH)

    assert _error(answer) == (429, "tooManyRequests")
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert answer.headers["RateLimit-Reset"] == "9"
    assert "RateLimit-Limit" in answer.headers


def test_fault_at_one_endpoint_ends_after_its_times(call: Call, bankid: RemoteBankId) -> None:
    bankid.phone("faults", error="internalError", endpoint="auth", times=1)

    assert call("collect", {"orderRef": "x"}).status_code == 400
    assert call("auth", AUTH).status_code == 500
    assert call("auth", AUTH).status_code == 200


def test_certificates_survive_a_restart(bankid: RemoteBankId) -> None:
    before = (bankid.directory / "rp.pem").read_bytes()
    again = RemoteBankId.launch(bankid.directory)
    try:
        assert (bankid.directory / "rp.pem").read_bytes() == before
    finally:
        again.stop()
