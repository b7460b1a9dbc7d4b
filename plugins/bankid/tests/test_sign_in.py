"""A person signs in by QR code: from the code on the screen to a verified identity."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sidecar.plugin_api import IdentityMethod, LoA, SignInStep, Subject
from simulators.bankid.remote import RemoteBankId


def _sign_in(scanned: Callable[..., Any], bankid: RemoteBankId, person: str = "maja", **changed: Any) -> Any:
    visit = scanned(person=None, **changed)
    order = bankid.orders()[0]["order"]
    bankid.phone("read", order=order, person=person)
    bankid.phone("approve", order=order, person=person)
    visit.poll()
    return visit


@pytest.mark.requirement("R001", "R002", "R003")
def test_person_who_confirms_in_the_app_is_identified(
    scanned: Callable[..., Any], bankid: RemoteBankId, clock: Any
) -> None:
    step = _sign_in(scanned, bankid).step

    assert (step.status, step.message) == ("complete", "bankid.done")
    assert step.state == {}
    assertion = step.assertion
    assert assertion.subject == Subject("se-personnummer", "199002142389")
    assert assertion.name == "Maja Granlid"
    assert (assertion.provider, assertion.method) == ("bankid", "bankid-qr")
    assert (assertion.loa, assertion.factors) == (LoA.SUBSTANTIAL, 2)
    assert assertion.asserted_at == clock.now


def test_proof_is_kept_whole(scanned: Callable[..., Any], bankid: RemoteBankId) -> None:
    step = _sign_in(scanned, bankid).step
    parts = {part.name: part for part in step.assertion.evidence}

    assert set(parts) == {"bankid-signature.xml", "bankid-ocsp.der", "bankid-collect.json"}
    record = json.loads(parts["bankid-collect.json"].data)
    assert record["answered"]["completionData"]["user"]["personalNumber"] == "199002142389"
    assert record["asked"]["endUserIp"] == "192.0.2.7"
    assert record["verified"]["policy"] == "1.2.3.4.25"
    assert b"bidSignedData" in parts["bankid-signature.xml"].data


def test_whoever_confirms_is_who_is_asserted(scanned: Callable[..., Any], bankid: RemoteBankId) -> None:
    """Whether that is the invited person is judged by the product; the method must not hide another one."""
    assert _sign_in(scanned, bankid, person="ture").step.assertion.subject.value == "196103182371"


@pytest.mark.requirement("R001")
def test_nobody_is_identified_before_the_app_confirmed(scanned: Callable[..., Any], bankid: RemoteBankId) -> None:
    visit = scanned()

    assert visit.step.assertion is None
    for _ in range(3):
        assert visit.poll().assertion is None


def test_app_shows_who_asks_and_why(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    step = visit().step

    shown = bankid.orders()[0]["purpose"]
    assert shown == ("Exempelbanken. Jag legitimerar mig för mitt möte med Elin Sjöhage 24 november kl. 14.00.")
    assert step.view["app_text"] == shown


@pytest.mark.requirement("R011")
def test_signature_is_bound_to_this_place_in_this_meeting(
    scanned: Callable[..., Any], bankid: RemoteBankId, method: IdentityMethod
) -> None:
    """A state from another sign-in is refused, and what is signed names the meeting and the place."""
    visit = scanned()
    assert "meeting=m_23456789abcdefghjkmn;participant=p_23456789abcdefghjkmn" in visit.sign_in.non_visible

    step = method.poll(visit.request, {**visit.step.state, "participant": "p_other"})

    assert (step.status, step.message) == ("failed", "bankid.failed")
    assert bankid.calls().get("collect") is None


@pytest.mark.parametrize("state", [{}, {"order_ref": "x"}, {"started_at": 7}])
def test_unreadable_state_ends_the_sign_in(
    visit: Callable[..., Any], method: IdentityMethod, state: Mapping[str, Any]
) -> None:
    step = method.poll(visit().request, state)

    assert (step.status, step.message) == ("failed", "bankid.failed")


def test_state_holds_json_values_only(visit: Callable[..., Any]) -> None:
    state = visit().step.state

    assert json.loads(json.dumps(state)) == state


def test_page_gets_neither_secret_nor_reference(visit: Callable[..., Any]) -> None:
    for same_device in (False, True):
        started = visit(same_device=same_device)
        shown = json.dumps(started.step.view) + started.step.message
        assert started.sign_in.qr_start_secret not in shown
        assert started.sign_in.order_ref not in shown
        assert started.sign_in.nonce not in shown
        assert started.sign_in.qr_start_secret not in repr(started.step)


def test_code_changes_each_second_and_is_right_each_time(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    started = visit()
    codes = [started.step.view["qr"]]
    for _ in range(3):
        codes.append(started.poll(after=1).view["qr"])

    assert len(set(codes)) == 4
    assert all('aria-label="QR-kod för BankID. Den byts varje sekund."' in code for code in codes)


def test_phone_accepts_the_text_the_code_is_drawn_from(
    visit: Callable[..., Any], bankid: RemoteBankId, clock: Any
) -> None:
    from tillit_bankid.qr import qr_svg, qr_text

    started = visit()
    step = started.poll(after=9)
    text = qr_text(token=started.sign_in.qr_start_token, secret=started.sign_in.qr_start_secret, seconds=9)
    assert step.view["qr"] == qr_svg(text, label="QR-kod för BankID. Den byts varje sekund.")

    assert bankid.phone("scan", qr=text, person="maja")["hint"] == "started"


def test_code_is_gone_once_a_phone_has_it(scanned: Callable[..., Any]) -> None:
    visit = scanned()
    assert "qr" in visit.step.view

    assert "qr" not in visit.poll().view


def test_label_is_in_the_readers_language(visit: Callable[..., Any]) -> None:
    assert 'aria-label="QR code for BankID. It changes every second."' in visit(language="en").step.view["qr"]


@pytest.mark.parametrize("step_ms", [100, 500, 1000])
def test_bankid_is_asked_at_most_every_other_second(
    visit: Callable[..., Any], bankid: RemoteBankId, step_ms: int
) -> None:
    started = visit()
    for _ in range(10_000 // step_ms):
        started.poll(after=step_ms / 1000)

    assert bankid.calls() == {"auth": 1, "collect": 5}


def test_clock_set_back_does_not_stop_the_asking(
    visit: Callable[..., Any], bankid: RemoteBankId, method: IdentityMethod, clock: Any
) -> None:
    started = visit()
    clock.advance(-60)
    started.poll(after=0)

    assert bankid.calls()["collect"] == 1


def test_request_carries_what_the_risk_is_computed_from(visit: Callable[..., Any]) -> None:
    body = visit(user_agent="U" * 500).sign_in.body

    assert body["web"] == {
        "referringDomain": "exempelbanken.localhost",
        "userAgent": "U" * 256,
        "deviceIdentifier": "ab" * 32,
    }
    assert body["returnRisk"] is True
    assert body["requirement"] == {"certificatePolicies": ["1.2.3.4.25"]}
    assert "returnUrl" not in body


def test_address_is_sent_in_its_plain_form(visit: Callable[..., Any]) -> None:
    assert visit(end_user_ip="::ffff:192.0.2.7").sign_in.body["endUserIp"] == "192.0.2.7"


@pytest.mark.parametrize("changed", [{"end_user_ip": "192.0.2.7:443"}, {"purpose": "a" * 1200}])
def test_request_bankid_would_refuse_is_not_sent(
    visit: Callable[..., Any], bankid: RemoteBankId, caplog: pytest.LogCaptureFixture, changed: dict[str, str]
) -> None:
    step = visit(**changed).step

    assert (step.status, step.message) == ("failed", "bankid.failed")
    assert bankid.calls() == {}
    (record,) = caplog.records
    assert record.getMessage() == "bankid order not sendable"
    assert "192.0.2.7" not in str(record.__dict__)


@pytest.mark.parametrize("risk", ["low", "moderate", None])
def test_acceptable_risk_opens(scanned: Callable[..., Any], bankid: RemoteBankId, risk: str | None) -> None:
    bankid.phone("faults", risk=risk)

    assert _sign_in(scanned, bankid).step.status == "complete"


@pytest.mark.parametrize("risk", ["high", "HIGH", "extreme"])
def test_high_or_unheard_of_risk_refuses(scanned: Callable[..., Any], bankid: RemoteBankId, risk: str) -> None:
    bankid.phone("faults", risk=risk)
    step = _sign_in(scanned, bankid).step

    assert (step.status, step.message, step.assertion) == ("failed", "bankid.failed", None)


def test_phone_on_another_network_is_fine_with_a_code(scanned: Callable[..., Any], bankid: RemoteBankId) -> None:
    bankid.phone("faults", device_ip="198.51.100.9")
    step = _sign_in(scanned, bankid).step

    assert step.status == "complete"
    record = json.loads(step.assertion.evidence[2].data)
    assert record["same_ip"] is False


def test_cancel_closes_the_order_at_bankid(
    visit: Callable[..., Any], method: IdentityMethod, bankid: RemoteBankId
) -> None:
    started = visit()
    method.cancel(started.request, started.step.state)

    assert bankid.calls() == {"auth": 1, "cancel": 1}
    assert bankid.orders()[0]["status"] == "failed"


@pytest.mark.parametrize("error", ["internalError", "invalidParameters", "notJson"])
def test_cancel_never_raises(
    visit: Callable[..., Any], method: IdentityMethod, bankid: RemoteBankId, error: str
) -> None:
    started = visit()
    bankid.phone("faults", error=error)
    method.cancel(started.request, started.step.state)
    method.cancel(started.request, {})

    assert bankid.calls()["cancel"] == 1


def _start_with(visit: Callable[..., Any], bankid: RemoteBankId, error: str) -> SignInStep:
    bankid.phone("faults", error=error)
    step: SignInStep = visit().step
    return step


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("alreadyInProgress", "bankid.already"),
        ("invalidParameters", "bankid.failed"),
        ("unauthorized", "bankid.failed"),
        ("forbiddenHtml", "bankid.failed"),
        ("requestTimeout", "bankid.failed"),
        ("tooManyRequests", "bankid.failed"),
        ("internalError", "bankid.failed"),
        ("maintenance", "bankid.failed"),
        ("brandNewError", "bankid.failed"),
        ("notJson", "bankid.failed"),
    ],
)
def test_each_error_at_the_start_has_its_sentence_and_is_not_repeated(
    visit: Callable[..., Any], bankid: RemoteBankId, error: str, message: str
) -> None:
    step = _start_with(visit, bankid, error)

    assert (step.status, step.message) == ("failed", message)
    assert bankid.calls() == {"auth": 1}


@pytest.mark.parametrize("error", ["requestTimeout", "tooManyRequests", "internalError", "unauthorized"])
def test_error_on_the_way_ends_the_sign_in(visit: Callable[..., Any], bankid: RemoteBankId, error: str) -> None:
    started = visit()
    bankid.phone("faults", error=error, endpoint="collect")
    step = started.poll()

    assert (step.status, step.message) == ("failed", "bankid.failed")
    assert bankid.calls()["collect"] == 1


@pytest.mark.parametrize("error", ["maintenance", "Maintenance"])
def test_short_maintenance_is_waited_out_quietly(visit: Callable[..., Any], bankid: RemoteBankId, error: str) -> None:
    started = visit()
    bankid.phone("faults", error=error, endpoint="collect", times=2)

    assert [started.poll().status for _ in range(4)] == ["pending"] * 4
    assert started.sign_in.trouble == 0


def test_long_maintenance_is_told(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    started = visit()
    bankid.phone("faults", error="maintenance", endpoint="collect")

    assert [started.poll().status for _ in range(3)] == ["pending", "pending", "failed"]
    assert started.step.message == "bankid.failed"


def test_log_of_a_whole_sign_in_names_no_person(
    scanned: Callable[..., Any], bankid: RemoteBankId, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="tillit_bankid")
    bankid.phone("faults", forge="other-visible")
    _sign_in(scanned, bankid)

    written = " ".join(str(record.__dict__) for record in caplog.records if record.name.startswith("tillit"))
    assert "visible-text-differs" in written
    for private in ("199002142389", "Granlid", "192.0.2.7"):
        assert private not in written
