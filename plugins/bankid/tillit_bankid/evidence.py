"""What a verified sign-in leaves behind: the assertion for the product, the proof for the bank."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sidecar.plugin_api import EvidencePart, IdentityAssertion, LoA, Subject, to_text
from tillit_bankid.model import Act
from tillit_bankid.state import SignIn
from tillit_bankid.verify import VerifiedCompletion

PROVIDER = "bankid"
LEVEL = LoA.SUBSTANTIAL  # the Swedish tillitsnivå 3


def assertion_of(
    sign_in: SignIn, verified: VerifiedCompletion, raw: Mapping[str, Any], *, at: datetime, same_ip: bool
) -> IdentityAssertion:
    """Return who somebody is. raw: BankID's whole answer. at: when it came.

    same_ip: the app and the browser share their address.
    """
    return IdentityAssertion(
        provider=PROVIDER,
        method="bankid-same-device" if sign_in.same_device else "bankid-qr",
        loa=LEVEL,
        subject=Subject("se-personnummer", verified.personal_number),
        name=verified.name,
        asserted_at=at,
        evidence=_evidence(sign_in, verified, raw, at=at, same_ip=same_ip),
        factors=2,
    )


def _evidence(
    sign_in: SignIn, verified: VerifiedCompletion, raw: Mapping[str, Any], *, at: datetime, same_ip: bool
) -> tuple[EvidencePart, ...]:
    """Return the signature, the certificate's status, and all that was asked and answered."""
    record = {
        "asked": sign_in.body,
        "answered": raw,
        "started_at": to_text(sign_in.started_at),
        "collected_at": to_text(at),
        "same_device": sign_in.same_device,
        "same_ip": same_ip,
        "restarts": sign_in.restarts,
        "verified": {
            "act": str(Act.IDENTIFY),
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
