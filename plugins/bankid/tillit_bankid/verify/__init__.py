"""Whether a finished order proves what it says: signature, chain of certificates, status, content.

The answer over mutual TLS is BankID's word. What is checked here is the evidence, which holds without that
word and without ours. Nothing that fails a check opens a door.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tillit_bankid.config import BankIdSettings, load_roots
from tillit_bankid.model import Act, Completion
from tillit_bankid.verify.certificates import check_chain, personal_number_of, policies_of
from tillit_bankid.verify.document import SignedDocument, read_document
from tillit_bankid.verify.refusal import CompletionRefusedError, refusing, require
from tillit_bankid.verify.revocation import CertificateStatus, read_status

__all__ = ["CompletionRefusedError", "CompletionVerifier", "Expectation", "VerifiedCompletion"]


@dataclass(frozen=True)
class Expectation:
    """What we asked for. visible, non_visible: the bytes before base64; None means we sent none."""

    act: Act
    visible: bytes = field(repr=False)
    non_visible: bytes | None = field(repr=False)


@dataclass(frozen=True)
class VerifiedCompletion:
    """A finished order that proves itself.

    produced_at: when BankID vouched for the certificate, the time of the signature. certificate_sha256: hex,
    of the person's certificate. policy: the kind of BankID, an object identifier.
    """

    personal_number: str = field(repr=False)
    name: str = field(repr=False)
    policy: str
    produced_at: datetime
    certificate_sha256: str
    signature_xml: bytes = field(repr=False)
    ocsp_der: bytes = field(repr=False)


class CompletionVerifier:
    """Verifies completions against pinned roots and the kinds of BankID we accept."""

    def __init__(
        self,
        *,
        roots: Sequence[x509.Certificate],
        policy_oids: Sequence[str],
        clock_tolerance: timedelta,
    ) -> None:
        self._roots = tuple(roots)
        self._policy_oids = frozenset(policy_oids)
        self._clock_tolerance = clock_tolerance

    @classmethod
    def from_settings(cls, settings: BankIdSettings) -> "CompletionVerifier":
        return cls(
            roots=load_roots(settings.signature_root_file),
            policy_oids=settings.policy_oids,
            clock_tolerance=settings.clock_tolerance,
        )

    def verify_completion(
        self, unverified: Completion, *, expected: Expectation, collected_at: datetime
    ) -> VerifiedCompletion:
        """Return what the completion proves. collected_at: our clock when the answer came, aware UTC.

        Raises CompletionRefusedError.
        """
        signature_xml = _decode(unverified.signature, "signature-not-base64")
        ocsp_der = _decode(unverified.ocsp_response, "ocsp-not-base64")
        document = read_document(signature_xml)
        user, customer_ca, _ = document.certificates
        status = read_status(ocsp_der, certificate=user, issuer=customer_ca)
        self._check_time(status, collected_at)
        self._check_nonce(status, unverified.signature)
        check_chain(document.certificates, roots=self._roots, at=status.produced_at)
        policy = self._accepted_policy(user)
        document.check_signature()
        _check_content(document, expected)
        _check_person(user, unverified.personal_number)
        return VerifiedCompletion(
            personal_number=unverified.personal_number,
            name=unverified.name,
            policy=policy,
            produced_at=status.produced_at,
            certificate_sha256=hashlib.sha256(user.public_bytes(Encoding.DER)).hexdigest(),
            signature_xml=signature_xml,
            ocsp_der=ocsp_der,
        )

    def _check_time(self, status: CertificateStatus, collected_at: datetime) -> None:
        distance = abs(collected_at - status.produced_at)
        require(distance <= self._clock_tolerance, "ocsp-not-of-now")
        require(status.this_update <= status.produced_at + self._clock_tolerance, "ocsp-not-valid-yet")
        if status.next_update is not None:
            require(collected_at <= status.next_update + self._clock_tolerance, "ocsp-out-of-date")

    @staticmethod
    def _check_nonce(status: CertificateStatus, signature_text: str) -> None:
        """The nonce begins with SHA-1 of the signature's base64: the status was asked for this signature.

        SHA-1 is BankID's choice. A collision does not help: the person's own signature covers the content.
        """
        digest = hashlib.sha1(signature_text.encode("ascii"), usedforsecurity=False).digest()
        require(hmac.compare_digest(status.nonce[: len(digest)], digest), "ocsp-nonce")

    def _accepted_policy(self, user: x509.Certificate) -> str:
        accepted = sorted(policies_of(user) & self._policy_oids)
        require(bool(accepted), "policy-not-accepted")
        return accepted[0]


def _decode(text: str, reason: str) -> bytes:
    with refusing(reason):
        return base64.b64decode(text.encode("ascii"), validate=True)


def _check_content(document: SignedDocument, expected: Expectation) -> None:
    require(document.func_id == expected.act.func_id, "another-act")
    require(document.visible == expected.visible, "visible-text-differs")
    require(document.non_visible == expected.non_visible, "hidden-text-differs")


def _check_person(user: x509.Certificate, personal_number: str) -> None:
    certified = personal_number_of(user)
    require(hmac.compare_digest(certified.encode("utf-8"), personal_number.encode("utf-8")), "another-person")
