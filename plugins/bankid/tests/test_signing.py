"""Signing with BankID: the text and what is bound beneath it come back signed, by the person asked, or nothing does."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sidecar.plugin_api import PluginContext, SigningMethod, SigningRequest, Subject
from simulators.bankid.remote import RemoteBankId
from tillit_bankid import load
from tillit_bankid.kept import explain

REQUEST = SigningRequest(
    id="sg1",
    meeting="m_23456789abcdefghjkmn",
    participant="p_23456789abcdefghjkmn",
    brand_name="Exempelbanken",
    language="sv",
    end_user_ip="192.0.2.7",
    user_agent="Mozilla/5.0 (X11; Linux x86_64)",
    referring_domain="exempelbanken.localhost",
    device="ab" * 32,
    same_device=False,
    return_url=None,
    visible_text="Exempelbanken: du skriver under Skuldebrev.\nKontrollkod: 7F3A 91C4 D20E",
    hidden_data=b'{"act":"sign","documents":["7f3a"]}',
    subject=Subject("se-personnummer", "199002142389"),
)


@pytest.fixture
def signing(bankid: RemoteBankId, clock: Any) -> SigningMethod:
    context = PluginContext("bankid", bankid.plugin_settings(), clock, lambda purpose: bytes(32))
    (method,) = load(context).provide_signing_methods()
    return method


@pytest.fixture
def signed(signing: SigningMethod, bankid: RemoteBankId, clock: Any) -> Callable[..., Any]:
    """Return a function that lets somebody answer, and asks for the result, perhaps for another request."""

    def make(person: str = "maja", *, asked: SigningRequest = REQUEST, **faults: Any) -> Any:
        bankid.phone("faults", reset=True, **faults)
        begun = signing.start(REQUEST)
        order = bankid.orders()[0]
        bankid.phone("scan", qr=order["qr"], person=person)
        bankid.phone("approve", order=order["order"], person=person)
        clock.advance(2)
        return signing.poll(asked, begun.state)

    return make


@pytest.mark.requirement("R079", "R205")
def test_both_texts_come_back_signed(signed: Callable[..., Any]) -> None:
    step = signed()

    assert (step.status, step.message) == ("complete", "bankid.signed")
    assert step.completion.subject == REQUEST.subject
    assert step.completion.signed_text_sha256 == hashlib.sha256(REQUEST.visible_text.encode()).hexdigest()
    assert step.completion.hidden_sha256 == hashlib.sha256(REQUEST.hidden_data).hexdigest()


@pytest.mark.requirement("R205")
@pytest.mark.parametrize(
    "changed",
    [
        {"visible_text": "Something else"},
        {"hidden_data": b"{}"},
        {"subject": Subject("se-personnummer", "198805071233")},
        {"meeting": "m_other"},
        {"participant": "p_other"},
    ],
    ids=str,
)
def test_answer_serves_no_other_request(signed: Callable[..., Any], changed: dict[str, Any]) -> None:
    step = signed(asked=replace(REQUEST, **changed))

    assert (step.status, step.completion) == ("failed", None)


@pytest.mark.requirement("R205")
def test_other_person_cannot_answer(signed: Callable[..., Any]) -> None:
    assert signed("samir").status == "failed"


@pytest.mark.parametrize("forge", ["other-visible", "other-hidden", "no-hidden", "bad-signature", "wrong-nonce"])
def test_forged_answer_is_refused(signed: Callable[..., Any], forge: str) -> None:
    assert signed(forge=forge).status == "failed"


def test_without_a_number_nobody_is_asked(signing: SigningMethod, bankid: RemoteBankId) -> None:
    assert signing.start(replace(REQUEST, subject=None)).message == "bankid.no_number"
    assert bankid.orders() == []


def test_same_answer_is_given_once(signed: Callable[..., Any], signing: SigningMethod, clock: Any) -> None:
    begun = signing.start(REQUEST)
    clock.advance(2)
    signing.cancel(REQUEST, begun.state)
    assert signing.poll(REQUEST, begun.state).status == "failed"


@pytest.mark.requirement("R083")
def test_kept_evidence_proves_itself_without_bankid(signed: Callable[..., Any], bankid: RemoteBankId) -> None:
    from cryptography import x509

    roots = x509.load_pem_x509_certificates((bankid.directory / "signature-root.pem").read_bytes())
    parts = {part.name: part.data for part in signed().completion.evidence}
    texts = {"visible": REQUEST.visible_text.encode(), "hidden": REQUEST.hidden_data}

    assert explain(parts, **texts, roots=roots)[0::2] == (True, "Maja Granlid")
    assert explain(parts, **texts, roots=[])[0]
    assert not explain(parts, visible=b"other", hidden=REQUEST.hidden_data, roots=roots)[0]
    assert not explain(parts, visible=b"other", hidden=REQUEST.hidden_data, roots=[])[0]
    assert not explain({}, **texts, roots=roots)[0]
    changed = {**parts, "bankid-signature.xml": parts["bankid-signature.xml"].replace(b"Signing", b"Signinh")}
    assert not explain(changed, **texts, roots=roots)[0]
