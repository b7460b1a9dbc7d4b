"""The chain of certificates, from a person's to a pinned root.

Source: RFC 5280 section 6, for the one shape BankID uses: person, customer CA, bank CA, root.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from tillit_bankid.verify.refusal import refuse, refusing, require

ACCEPTED_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def check_chain(certificates: Sequence[x509.Certificate], *, roots: Iterable[x509.Certificate], at: datetime) -> None:
    """Raise CompletionRefusedError unless the chain leads to a pinned root and was valid at that time.

    certificates: the person's first, each followed by its issuer, without the root.
    """
    with refusing("chain"):
        top = certificates[-1]
        root = next((root for root in roots if _issued_by(top, root)), None)
        if root is None:
            refuse("chain-to-another-root")
        chain = (*certificates, root)
        for below, issuer in pairwise(chain):
            below.verify_directly_issued_by(issuer)
            check_hash(below.signature_hash_algorithm)
        for depth, certificate in enumerate(chain):
            _check_valid(certificate, at)
            _check_extensions(certificate)
            if depth == 0:
                _check_person(certificate)
            else:
                _check_issuer(certificate, below=depth - 1)


def check_hash(algorithm: hashes.HashAlgorithm | None) -> None:
    """Raise CompletionRefusedError for a digest too weak to carry a signature."""
    require(isinstance(algorithm, ACCEPTED_HASHES), "hash-not-accepted")


def check_issued(certificate: x509.Certificate, *, issuer: x509.Certificate, at: datetime) -> None:
    """Raise CompletionRefusedError unless this is of that issuer, with an accepted digest, valid then."""
    with refusing("certificate-of-another-issuer"):
        certificate.verify_directly_issued_by(issuer)
    check_hash(certificate.signature_hash_algorithm)
    _check_valid(certificate, at)


def policies_of(certificate: x509.Certificate) -> frozenset[str]:
    """Return the policies of a person's certificate: which kind of BankID it is."""
    with refusing("certificate-without-policy"):
        extension = certificate.extensions.get_extension_for_class(x509.CertificatePolicies)
        return frozenset(policy.policy_identifier.dotted_string for policy in extension.value)


def personal_number_of(certificate: x509.Certificate) -> str:
    """Return the personal number a certificate is for, its subject's serialNumber."""
    with refusing("certificate-unreadable"):
        numbers = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    require(len(numbers) == 1, "certificate-without-number")
    return str(numbers[0].value)


def _issued_by(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    return certificate.issuer == root.subject


def _check_valid(certificate: x509.Certificate, at: datetime) -> None:
    require(certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc, "certificate-not-valid")


def _check_extensions(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        unknown = isinstance(extension.value, x509.UnrecognizedExtension)
        require(not (extension.critical and unknown), "certificate-has-unknown-demand")


def _check_person(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.BasicConstraints):
            require(not extension.value.ca, "person-is-an-issuer")
        if isinstance(extension.value, x509.KeyUsage):
            usage = extension.value
            require(usage.digital_signature or usage.content_commitment, "key-not-for-signing")


def _check_issuer(certificate: x509.Certificate, *, below: int) -> None:
    """below: how many issuers lie between this one and the person."""
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    require(constraints.ca, "issuer-is-no-issuer")
    require(constraints.path_length is None or constraints.path_length >= below, "chain-too-long")
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    require(usage.key_cert_sign, "issuer-may-not-certify")
