"""Our verifier beside another one, and against documents nobody thought of."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest
import xmlsec
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from simulators.bankid.remote import RemoteBankId
from tillit_bankid.client import BankIdClient
from tillit_bankid.config import read_settings
from tillit_bankid.model import Act, Completion, OrderRequest, read_completion
from tillit_bankid.verify import CompletionRefusedError, CompletionVerifier, Expectation
from tillit_bankid.verify.document import read_document

VISIBLE, HIDDEN = b"Exempelbanken. Jag legitimerar mig.", b"tillit-auth:v1;order=1"
MUTATIONS = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Signed:
    """A genuine completion, and all it takes to verify it."""

    completion: Completion
    verifier: CompletionVerifier
    collected_at: datetime
    act: Act = Act.IDENTIFY

    @property
    def xml(self) -> bytes:
        return base64.b64decode(self.completion.signature)

    def verify(self, **changed: Any) -> Any:
        return self.verifier.verify_completion(
            replace(self.completion, **changed),
            expected=Expectation(self.act, VISIBLE, HIDDEN),
            collected_at=self.collected_at,
        )


@pytest.fixture
def sign(bankid: RemoteBankId, clock: Any) -> Callable[..., Signed]:
    """Return a function that lets Maja identify, or sign, and returns what BankID says of it."""

    def make(act: Act = Act.IDENTIFY, **faults: Any) -> Signed:
        bankid.phone("faults", reset=True, **faults)
        configured = read_settings(bankid.plugin_settings())
        client = BankIdClient(configured, clock=clock)
        order = client.start(OrderRequest(act, "192.0.2.7", VISIBLE, HIDDEN, configured.policy_oids))
        number = bankid.orders()[0]["order"]
        bankid.phone("pick", order=number, person="maja")
        bankid.phone("approve", order=number, person="maja")
        completion = read_completion(client.collect(order.order_ref).raw)
        return Signed(completion, CompletionVerifier.from_settings(configured), clock.now, act)

    return make


@pytest.fixture
def genuine(sign: Callable[..., Signed]) -> Signed:
    return sign()


def _verify_with_xmlsec(xml: bytes) -> None:
    """Raise xmlsec.Error unless libxmlsec finds both digests and the signature right."""
    root = etree.fromstring(xml)
    xmlsec.tree.add_ids(root, ["Id"])
    (first, *_) = root.iter("{http://www.w3.org/2000/09/xmldsig#}X509Certificate")
    certificate = base64.b64decode(first.text or "")
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(certificate, xmlsec.constants.KeyDataFormatCertDer)
    context.verify(root)


def test_genuine_completion_verifies_here_and_with_xmlsec(genuine: Signed) -> None:
    verified = genuine.verify()
    _verify_with_xmlsec(genuine.xml)

    assert verified.personal_number == "199002142389"
    assert verified.signature_xml == genuine.xml


def test_signing_is_told_from_identifying(sign: Callable[..., Signed]) -> None:
    signed = sign(Act.SIGN)

    assert signed.verify().policy == "1.2.3.4.25"
    with pytest.raises(CompletionRefusedError, match="another-act"):
        replace(signed, act=Act.IDENTIFY).verify()


@pytest.mark.parametrize("forgery", ["tampered-visible", "bad-signature"])
def test_xmlsec_refuses_what_we_refuse(sign: Callable[..., Signed], forgery: str) -> None:
    forged = sign(forge=forgery)

    with pytest.raises(CompletionRefusedError):
        forged.verify()
    with pytest.raises(xmlsec.Error):
        _verify_with_xmlsec(forged.xml)


def test_inherited_namespace_does_not_disturb_the_digest(genuine: Signed) -> None:
    """The trap of lxml's inclusive C14N: without declarations of their own, parts inherit the root's."""
    xml = genuine.xml.replace(b'<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#">', b"<SignedInfo>").replace(
        b'<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#" Id', b"<KeyInfo Id"
    )
    assert xml != genuine.xml

    _verify_with_xmlsec(xml)
    read_document(xml).check_signature()


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        (Expectation(Act.SIGN, VISIBLE, HIDDEN), "another-act"),
        (Expectation(Act.IDENTIFY, VISIBLE + b" ", HIDDEN), "visible-text-differs"),
        (Expectation(Act.IDENTIFY, VISIBLE, HIDDEN + b"2"), "hidden-text-differs"),
        (Expectation(Act.IDENTIFY, VISIBLE, None), "hidden-text-differs"),
    ],
)
def test_content_must_be_what_was_asked(genuine: Signed, expected: Expectation, reason: str) -> None:
    with pytest.raises(CompletionRefusedError, match=reason):
        genuine.verifier.verify_completion(genuine.completion, expected=expected, collected_at=genuine.collected_at)


def test_proof_of_another_sign_in_does_not_fit(sign: Callable[..., Signed]) -> None:
    one, other = sign(), sign()

    with pytest.raises(CompletionRefusedError, match="ocsp-nonce"):
        one.verify(ocsp_response=other.completion.ocsp_response)


def test_own_root_of_the_attacker_is_not_the_pinned_one(genuine: Signed, bankid: RemoteBankId) -> None:
    server_ca = x509.load_pem_x509_certificate((bankid.directory / "server-ca.pem").read_bytes())
    settings_ = read_settings(bankid.plugin_settings())
    verifier = CompletionVerifier(
        roots=[server_ca], policy_oids=settings_.policy_oids, clock_tolerance=settings_.clock_tolerance
    )

    with pytest.raises(CompletionRefusedError, match="chain-to-another-root"):
        replace(genuine, verifier=verifier).verify()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda xml: xml.replace(b"<Object>", b"<Object> "), "text-between-elements"),
        (lambda xml: xml.replace(b"<Object>", b'<Object Id="x">'), "structure"),
        (lambda xml: xml.replace(b"<Object>", b'<Object xmlns:a="urn:a">'), "namespace"),
        (lambda xml: xml.replace(b"</Signature>", b"<?pi x?></Signature>"), "document-has-markup"),
        (lambda xml: xml + b"<!-- -->", "document-has-markup"),
        (lambda xml: xml + b"<?pi x?>", "document-has-markup"),
        (lambda xml: xml.decode().replace("UTF-8", "UTF-16").encode("utf-16"), "document-has-markup"),
        (lambda xml: xml.replace(b"UTF-8", b"ISO-8859-1", 1), "document-not-utf-8"),
        (lambda xml: b" " * (2 * 1024 * 1024) + xml, "document-too-large"),
        (lambda xml: xml[:-1], "document-unreadable"),
        (lambda xml: b"", "document-has-markup"),
        (lambda xml: xml.replace(b'URI="#bidKeyInfo"', b'URI=""'), "references"),
        (lambda xml: xml.replace(b'URI="#bidKeyInfo"', b'URI="#bidSignedData"'), "references"),
        (lambda xml: xml.replace(b"rsa-sha256", b"hmac-sha256"), "algorithm"),
        (lambda xml: xml.replace(b"REC-xml-c14n-20010315", b"REC-xml-c14n-20010315#WithComments"), "algorithm"),
        (lambda xml: xml.replace(b"<srvInfo>", b'<srvInfo Id="bidSignedData">'), "ids"),
        (lambda xml: xml.replace(b"<srvInfo>", b'<srvInfo ID="x">'), "ids"),
    ],
)
def test_document_of_another_form_is_refused(genuine: Signed, change: Callable[[bytes], bytes], reason: str) -> None:
    changed = change(genuine.xml)
    assert changed != genuine.xml

    with pytest.raises(CompletionRefusedError, match=reason):
        read_document(changed)


@pytest.fixture(scope="module")
def _kept() -> dict[str, Signed]:
    return {}


@pytest.fixture
def sample(_kept: dict[str, Signed], sign: Callable[..., Signed]) -> Signed:
    """One genuine completion for all mutations: only its bytes matter."""
    if "sample" not in _kept:
        _kept["sample"] = sign()
    return _kept["sample"]


@st.composite
def _mutated(draw: st.DrawFn, original: bytes) -> bytes:
    """Return the bytes with a part replaced, left out or doubled."""
    start = draw(st.integers(0, len(original) - 1))
    end = draw(st.integers(start, min(len(original), start + 40)))
    middle = draw(
        st.one_of(
            st.binary(max_size=4),
            st.sampled_from([b"", b" ", b"<!-- -->", b"&#65;", b'xmlns=""', b"<Object/>", b"="]),
            st.just(original[start:end] * 2),
        )
    )
    return original[:start] + middle + original[end:]


@pytest.mark.requirement("R001")
@MUTATIONS
@given(data=st.data())
def test_changed_signature_never_verifies(sample: Signed, data: st.DataObject) -> None:
    """The proof of time is bound to the very text of the signature, so even a harmless change is refused."""
    xml = data.draw(_mutated(sample.xml))
    if xml == sample.xml:
        return

    with pytest.raises(CompletionRefusedError):
        sample.verify(signature=base64.b64encode(xml).decode())


@MUTATIONS
@given(data=st.data())
def test_changed_document_is_refused_or_says_the_same(sample: Signed, data: st.DataObject) -> None:
    """The document by itself, without the proof of time: no change may alter what is read from it."""
    genuine = read_document(sample.xml)
    try:
        changed = read_document(data.draw(_mutated(sample.xml)))
        changed.check_signature()
    except CompletionRefusedError:
        return

    assert changed == genuine


@pytest.mark.requirement("R001")
@MUTATIONS
@given(data=st.data())
def test_changed_proof_of_time_never_verifies(sample: Signed, data: st.DataObject) -> None:
    der = base64.b64decode(sample.completion.ocsp_response)
    changed = data.draw(_mutated(der))
    if changed == der:
        return

    with pytest.raises(CompletionRefusedError):
        sample.verify(ocsp_response=base64.b64encode(changed).decode())
