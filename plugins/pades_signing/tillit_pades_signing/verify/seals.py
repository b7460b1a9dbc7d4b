"""The bank's seal and the time-stamps around it, checked by pyHanko against the roots one named."""

import asyncio
from collections.abc import Sequence
from typing import Any

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import (
    EmbeddedPdfSignature,
    SignatureCoverageLevel,
    async_validate_pdf_signature,
    async_validate_pdf_timestamp,
)
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.policy_decl import PdfSignatureValidationSpec, SignatureValidationSpec
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.errors import ValidationError
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from tillit_pades_signing.seal.build import SEAL_FIELD
from tillit_pades_signing.seal.keys import der_of
from tillit_pades_signing.verify.findings import Finding, Verdict, judged

_PART = "The bank's seal"
_FAILURES = (PdfError, SignatureValidationError, ValidationError, ArithmeticError, ValueError, KeyError, TypeError)
_ACCEPTED = (ModificationLevel.NONE, ModificationLevel.LTA_UPDATES)


def check_seal(reader: PdfFileReader, seal: EmbeddedPdfSignature, *, roots: Sequence[x509.Certificate]) -> Finding:
    """Say whether the seal covers the file, is unbroken, and whose it is."""
    if seal.field_name != SEAL_FIELD:
        return judged(_PART, False, "It is not where this product puts it.")
    trusted = [asn1_x509.Certificate.load(der_of(each)) for each in roots]
    status = asyncio.run(async_validate_pdf_signature(seal, ValidationContext(trust_roots=trusted)))
    if not (status.intact and status.valid):
        return judged(_PART, False, "The file was changed after it was sealed, or the seal is not genuine.")
    if status.coverage < SignatureCoverageLevel.ENTIRE_REVISION or seal.byte_range[0] != 0:
        return judged(_PART, False, "The seal leaves parts of the file uncovered.")
    if not _room_is_empty(bytes(seal.pkcs7_content)):
        return judged(_PART, False, "Something was put into the room the seal leaves, which nothing vouches for.")
    if status.modification_level not in _ACCEPTED or status.docmdp_ok is False:
        return judged(_PART, False, "Something else than a time-stamp was added after the seal.")
    whose = status.signing_cert.subject.native.get("common_name", "?")
    said = [f"Set by {whose}, over every byte up to it. Claimed time: {_claimed(seal)}."]
    if not roots:
        said.append("Rests on: nothing yet. Name the seal's root with --roots.")
        return Finding(_PART, Verdict.OPEN, tuple(said))
    if not reader.embedded_timestamp_signatures:
        said.append("PAdES B-B: no outsider's time is around it yet, and revocation cannot be seen offline.")
        said.append("Rests on: the root you named, and the certificate being valid today.")
        return judged(_PART, bool(status.trusted), *said)
    return _long_term(reader, trusted, said)


def _long_term(reader: PdfFileReader, trusted: list[Any], said: list[str]) -> Finding:
    """Judge by the rules for archived signatures: valid then, proven by what is inside the file."""
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=trusted), revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO)
    )
    spec = PdfSignatureValidationSpec(SignatureValidationSpec(cert_validation_policy=policy))
    result = asyncio.run(ades_lta_validation(reader.embedded_regular_signatures[0], pdf_validation_spec=spec))
    passed = result.ades_subindic == AdESPassed.OK
    if passed:
        said.append(f"PAdES B-LTA: it existed at {result.best_signature_time:%Y-%m-%d %H:%M:%S} UTC at the latest.")
        said.append(
            "Rests on: the roots you named, the proof in the file that nothing was revoked, and the time-stamps."
        )
    else:
        said.append("It is unbroken, but its certificate or its time does not follow from the roots you named.")
    return judged(_PART, passed, *said)


def check_stamps(reader: PdfFileReader, *, roots: Sequence[x509.Certificate]) -> list[Finding]:
    """Say of each time-stamp around the file when and by whom it was set."""
    trusted = [asn1_x509.Certificate.load(der_of(each)) for each in roots]
    findings = []
    for number, stamp in enumerate(reader.embedded_timestamp_signatures, start=1):
        part = f"Time-stamp {number}"
        try:
            status = asyncio.run(async_validate_pdf_timestamp(stamp, ValidationContext(trust_roots=trusted)))
        except _FAILURES:
            findings.append(judged(part, False, "It cannot be read."))
            continue
        whose = status.signing_cert.subject.native.get("common_name", "?")
        said = (
            f"{whose}, {status.timestamp:%Y-%m-%d %H:%M:%S} UTC, over every byte up to it.",
            f"Its certificate ends {status.signing_cert.not_valid_after:%Y-%m-%d}; the bank renews before that.",
        )
        unbroken = status.intact and status.valid and status.coverage >= SignatureCoverageLevel.ENTIRE_REVISION
        if not unbroken:
            findings.append(judged(part, False, "It is broken, or of something else."))
        elif roots:
            findings.append(judged(part, bool(status.trusted), *said, "Rests on: the root you named."))
        else:
            findings.append(Finding(part, Verdict.OPEN, (*said, "Rests on: nothing yet.")))
    return findings


def _room_is_empty(contents: bytes) -> bool:
    """Whether nothing but zeros follows the seal in the one part of the file that it cannot cover."""
    if len(contents) < 4 or contents[:2] != b"\x30\x82":
        return False
    size = 4 + int.from_bytes(contents[2:4], "big")
    return size <= len(contents) and not any(contents[size:])


def _claimed(seal: EmbeddedPdfSignature) -> str:
    at = seal.self_reported_timestamp
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at is not None else "none"
