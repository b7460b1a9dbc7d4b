"""BankID's proof that the person's certificate was good when it signed.

Source: RFC 6960.
"""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from tillit_bankid.verify.certificates import check_hash, check_issued
from tillit_bankid.verify.refusal import refuse, refusing, require


@dataclass(frozen=True)
class CertificateStatus:
    """A signed statement that a certificate was good. All times aware UTC."""

    produced_at: datetime
    this_update: datetime
    next_update: datetime | None
    nonce: bytes = field(repr=False)


def read_status(der: bytes, *, certificate: x509.Certificate, issuer: x509.Certificate) -> CertificateStatus:
    """Return the status, which is "good", of this certificate. Raises CompletionRefusedError.

    The issuer is not judged here: it is part of the chain, which the caller checks.
    """
    with refusing("ocsp-unreadable"):
        response = ocsp.load_der_ocsp_response(der)
        require(response.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL, "ocsp-unsuccessful")
        singles = list(response.responses)
        require(len(singles) == 1, "ocsp-of-several")
        _check_subject(singles[0], certificate, issuer)
        require(singles[0].certificate_status is ocsp.OCSPCertStatus.GOOD, "certificate-not-good")
        _check_responder(response, issuer)
        return CertificateStatus(
            produced_at=response.produced_at_utc,
            this_update=singles[0].this_update_utc,
            next_update=singles[0].next_update_utc,
            nonce=response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce,
        )


def _check_subject(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """The question we would have asked names the certificate in the same way."""
    question = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, single.hash_algorithm).build()
    same = (
        single.serial_number == question.serial_number
        and single.issuer_name_hash == question.issuer_name_hash
        and single.issuer_key_hash == question.issuer_key_hash
    )
    require(same, "ocsp-of-another-certificate")


def _check_responder(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> None:
    """The answer is signed by a responder the same issuer appointed (RFC 6960 section 4.2.2.2)."""
    responder = next((one for one in response.certificates if _is_named(one, response)), None)
    if responder is None:
        refuse("ocsp-without-responder")
    check_issued(responder, issuer=issuer, at=response.produced_at_utc)
    usages = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    require(ExtendedKeyUsageOID.OCSP_SIGNING in usages, "ocsp-responder-not-appointed")
    check_hash(response.signature_hash_algorithm)
    _check_signature(response, responder)


def _is_named(certificate: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    if response.responder_name is not None:
        return certificate.subject == response.responder_name
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest == response.responder_key_hash


def _check_signature(response: ocsp.OCSPResponse, responder: x509.Certificate) -> None:
    algorithm = response.signature_hash_algorithm
    key = responder.public_key()
    if algorithm is None:
        refuse("hash-not-accepted")
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
    else:
        refuse("ocsp-key-not-accepted")
