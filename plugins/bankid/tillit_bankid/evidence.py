"""What a verified answer leaves behind: the assertion or completion for the product, the proof for the bank."""

import hashlib
import json

from sidecar.plugin_api import EvidencePart, IdentityAssertion, LoA, SignCompletion, Subject, to_text
from tillit_bankid.flow import Answered
from tillit_bankid.model import Act
from tillit_bankid.orders import NUMBER_SCHEME
from tillit_bankid.state import SignIn

PROVIDER = "bankid"
LEVEL = LoA.SUBSTANTIAL  # the Swedish tillitsnivå 3


def assertion_of(answered: Answered) -> IdentityAssertion:
    """Return who somebody is."""
    return IdentityAssertion(
        provider=PROVIDER,
        method=_method(answered.sign_in),
        loa=LEVEL,
        subject=Subject(NUMBER_SCHEME, answered.verified.personal_number),
        name=answered.verified.name,
        asserted_at=answered.at,
        evidence=_evidence(answered, Act.IDENTIFY),
        factors=2,
    )


def completion_of(answered: Answered) -> SignCompletion:
    """Return what somebody signed. The time is the one at which BankID vouched for the certificate."""
    return SignCompletion(
        method=PROVIDER,
        provider=PROVIDER,
        loa=LEVEL,
        subject=Subject(NUMBER_SCHEME, answered.verified.personal_number),
        name=answered.verified.name,
        at=answered.verified.produced_at,
        evidence=_evidence(answered, Act.SIGN),
        # The verifier held the signed XML against these very texts, byte for byte.
        signed_text_sha256=hashlib.sha256(answered.sign_in.visible.encode()).hexdigest(),
        hidden_sha256=hashlib.sha256(answered.sign_in.non_visible.encode()).hexdigest(),
    )


def _method(sign_in: SignIn) -> str:
    return "bankid-same-device" if sign_in.same_device else "bankid-qr"


def _evidence(answered: Answered, act: Act) -> tuple[EvidencePart, ...]:
    """Return the signature, the certificate's status, and all that was asked and answered."""
    sign_in, verified = answered.sign_in, answered.verified
    record = {
        "asked": sign_in.body,
        "answered": answered.raw,
        "started_at": to_text(sign_in.started_at),
        "collected_at": to_text(answered.at),
        "same_device": sign_in.same_device,
        "same_ip": answered.same_ip,
        "restarts": sign_in.restarts,
        "verified": {
            "act": str(act),
            "policy": verified.policy,
            "produced_at": to_text(verified.produced_at),
            "certificate_sha256": verified.certificate_sha256,
        },
    }
    collect = json.dumps(record, ensure_ascii=False, sort_keys=True, indent=1).encode()
    return (
        EvidencePart("bankid-signature.xml", "application/xml", verified.signature_xml),
        EvidencePart("bankid-ocsp.der", "application/ocsp-response", verified.ocsp_der),
        EvidencePart("bankid-collect.json", "application/json", collect),
    )
