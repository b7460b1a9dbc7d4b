"""Checks a signature that was kept, years later and without BankID: for `tillit verify-document`."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta

from cryptography import x509

from tillit_bankid.model import Act, Completion
from tillit_bankid.verify import CompletionRefusedError, CompletionVerifier, Expectation
from tillit_bankid.verify.certificates import personal_number_of, policies_of
from tillit_bankid.verify.document import read_document
from tillit_bankid.verify.revocation import read_status


def explain(
    parts: Mapping[str, bytes], *, visible: bytes, hidden: bytes, roots: Sequence[x509.Certificate]
) -> tuple[bool, tuple[str, ...], str]:
    """Say whether kept evidence proves that a person signed these texts.

    parts: "bankid-signature.xml" and "bankid-ocsp.der". roots: those trusted; without any, the person's own chain
    is followed to its top and not anchored. Returns (holds, sentences, the signer's name as certified).
    """
    try:
        xml, ocsp = parts["bankid-signature.xml"], parts["bankid-ocsp.der"]
        document = read_document(xml)
        user, customer_ca, _ = document.certificates
        status = read_status(ocsp, certificate=user, issuer=customer_ca)
        if roots:
            verifier = CompletionVerifier(
                roots=roots, policy_oids=sorted(policies_of(user)), clock_tolerance=timedelta(minutes=5)
            )
            name = _name(user)
            completion = Completion(
                personal_number=personal_number_of(user),
                name=name,
                device_ip="",
                risk=None,
                signature=base64.b64encode(xml).decode(),
                ocsp_response=base64.b64encode(ocsp).decode(),
            )
            verifier.verify_completion(
                completion, expected=Expectation(Act.SIGN, visible, hidden), collected_at=status.produced_at
            )
        else:
            document.check_signature()
            if (document.func_id, document.visible, document.non_visible) != ("Signing", visible, hidden):
                return False, ("The person signed something else than what this file says.",), ""
            nonce = hashlib.sha1(base64.b64encode(xml), usedforsecurity=False).digest()
            if not status.nonce.startswith(nonce):
                return False, ("The proof of time is of another signature.",), ""
    except CompletionRefusedError as error:
        return False, (f"The check {error.params['reason']} failed.",), ""
    except KeyError:
        return False, ("A part of the BankID evidence is missing.",), ""
    said = (
        f"BankID vouched for the certificate at {status.produced_at:%Y-%m-%d %H:%M:%S} UTC.",
        "The text shown and the digests beneath it are inside what was signed.",
    )
    return True, said, _name(user)


def _name(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(x509.oid.NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""
