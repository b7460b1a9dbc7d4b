"""Makes a sealed file last: PAdES B-LTA, and a new archive time-stamp before the last one's certificate ends.

Order: a time-stamp over the seal, in the room the seal left for it; then what proves the bank's certificate; then
an outsider's time around it all. Nothing else changes, and the original stays an exact prefix.
Source: ETSI EN 319 142-1 section 6.3 (B-T by a document time-stamp, B-LT, B-LTA), ISO 32000-2 section 12.8.4.3.
"""

import asyncio
import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import PdfTimeStamper
from pyhanko.sign.validation import EmbeddedPdfSignature, async_validate_pdf_signature, async_validate_pdf_timestamp
from pyhanko.sign.validation.dss import async_add_validation_info
from pyhanko.sign.validation.errors import SignatureValidationError, ValidationInfoReadingError
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, PathValidationError, ValidationError

from tillit_pades_signing.preserve.responders import Responders
from tillit_pades_signing.preserve.revocation import CrlSource, RevocationError
from tillit_pades_signing.preserve.stamps import Authority, StampError
from tillit_pades_signing.seal.der import CONTEXT_0, SEQUENCE, SET, wrap
from tillit_pades_signing.seal.keys import der_of

_FAILURES = (PdfError, SigningError, SignatureValidationError, ValidationInfoReadingError, ValidationError)


class PreserveError(Exception):
    """The file could not be preserved just now; it stays as it is. may_retry: whether time can help."""

    def __init__(self, words: str, *, may_retry: bool) -> None:
        super().__init__(words)
        self.may_retry = may_retry


@dataclass(frozen=True)
class Stamped:
    """A file with a new time-stamp. valid_until: when the certificate of that time-stamp ends, aware UTC."""

    data: bytes = field(repr=False)
    valid_until: datetime


class Preserver:
    """One per process. Talks to the time-stamp authority, the lists and the responders of the settings, nobody else."""

    def __init__(
        self,
        *,
        roots: Sequence[x509.Certificate],
        authority: Authority,
        crls: CrlSource,
        responders: Responders,
        clock: Callable[[], datetime],
    ) -> None:
        self._responders = responders
        self._roots = [asn1_x509.Certificate.load(der_of(each)) for each in roots]
        self._authority, self._crls, self._clock = authority, crls, clock

    def preserve(self, sealed: bytes) -> Stamped:
        """Return the file at PAdES B-LTA. Raises PreserveError, with nothing changed."""
        return self._run(self._preserve, sealed)

    def renew(self, preserved: bytes) -> Stamped:
        """Return the file with one more time-stamp around all before it. Raises PreserveError."""
        return self._run(self._renew, preserved)

    def _run(self, work: Callable[[bytes], Any], file: bytes) -> Stamped:
        async def run() -> Stamped:
            stamped: bytes = await work(file)
            return await self._checked(stamped)

        try:
            return asyncio.run(run())
        except (StampError, RevocationError) as error:
            raise PreserveError(str(error), may_retry=True) from error
        except (PathBuildingError, PathValidationError) as error:
            raise PreserveError("a certificate is not, or no longer, vouched for", may_retry=True) from error
        except _FAILURES as error:
            raise PreserveError(f"the file cannot be preserved: {type(error).__name__}", may_retry=False) from error

    def _context(self, certificates: Iterable[asn1_x509.Certificate]) -> ValidationContext:
        """Return what these certificates are judged by: our roots, the lists, and what their responders say."""
        return ValidationContext(
            trust_roots=self._roots,
            crls=self._crls.read(),
            ocsps=self._responders.ask(certificates, self._roots),
            revocation_mode="require",  # of every certificate, whether it names its list or not
            allow_fetching=False,
            moment=None,
        )

    async def _preserve(self, sealed: bytes) -> bytes:
        reader = PdfFileReader(io.BytesIO(sealed))
        seals = reader.embedded_regular_signatures
        if len(seals) != 1 or reader.embedded_timestamp_signatures:
            raise PreserveError("the file does not have one seal and nothing after it", may_retry=False)
        status = await async_validate_pdf_signature(seals[0], self._context(_certificates(seals[0])))
        if not status.bottom_line:
            raise PreserveError("the seal's certificate is not, or no longer, vouched for", may_retry=True)
        timed, stamping = await self._with_seal_time(sealed, seals[0])
        context = self._context([*_certificates(seals[0]), *stamping])
        proven = io.BytesIO()
        (seal,) = PdfFileReader(io.BytesIO(timed)).embedded_regular_signatures
        stamp = (await async_validate_pdf_signature(seal, context)).timestamp_validity
        if stamp is not None and not (stamp.intact and stamp.valid and stamp.trusted):
            raise PreserveError("the time-stamp over the seal does not hold", may_retry=True)
        await async_add_validation_info(seal, context, output=proven, force_write=True)
        stamped = await PdfTimeStamper(self._authority).async_timestamp_pdf(
            IncrementalPdfFileWriter(proven), "sha256", context, bytes_reserved=_RESERVED
        )
        return bytes(stamped.getbuffer())

    async def _with_seal_time(
        self, sealed: bytes, seal: EmbeddedPdfSignature
    ) -> tuple[bytes, list[asn1_x509.Certificate]]:
        """Return the file with a time-stamp over the seal, in the room the seal left for it, and its certificates.

        That room is the one part of the file which the seal does not cover. An authority whose token is too large
        for it is no obstacle: the document time-stamp, which comes next, says the same of the whole file.
        """
        content = cms.ContentInfo.load(bytes(seal.pkcs7_content), strict=False)
        signer = content["content"]["signer_infos"][0]
        token = await self._authority.async_timestamp(hashlib.sha256(signer["signature"].native).digest(), "sha256")
        filled = _with_stamp(content, signer, token.dump()).hex().encode()
        start, end_of_room = int(seal.byte_range[1]), int(seal.byte_range[2])
        room = end_of_room - start - 2
        if len(filled) > room:
            return sealed, _certificates_of(token)
        whole = b"".join((sealed[: start + 1], filled.ljust(room, b"0"), sealed[end_of_room - 1 :]))
        return whole, _certificates_of(token)

    async def _renew(self, preserved: bytes) -> bytes:
        reader, output = PdfFileReader(io.BytesIO(preserved)), io.BytesIO()
        signed = (*reader.embedded_regular_signatures, *reader.embedded_timestamp_signatures)
        known = [certificate for each in signed for certificate in _certificates(each)]
        if self._responders.allowed:  # the authority may have another certificate by now, and its responder is asked
            known += _certificates_of(await self._authority.async_timestamp(hashlib.sha256(b"").digest(), "sha256"))
        await PdfTimeStamper(self._authority).async_update_archival_timestamp_chain(
            reader, self._context(known), in_place=False, output=output
        )
        return output.getvalue()

    async def _checked(self, stamped: bytes) -> Stamped:
        """Hold the newest time-stamp against our own roots before the file is kept."""
        newest = PdfFileReader(io.BytesIO(stamped)).embedded_timestamp_signatures[-1]
        status = await async_validate_pdf_timestamp(newest, self._context(_certificates(newest)))
        if not (status.intact and status.valid and status.trusted):
            raise PreserveError("the time-stamp does not hold", may_retry=True)
        distance = abs((status.timestamp - self._clock()).total_seconds())
        if distance > _CLOCK_SECONDS:
            raise PreserveError("the time-stamp is not of now", may_retry=True)
        return Stamped(stamped, status.signing_cert.not_valid_after)


def _certificates(signature: EmbeddedPdfSignature) -> list[asn1_x509.Certificate]:
    return [signature.signer_cert, *signature.other_embedded_certs]


def _certificates_of(token: cms.ContentInfo) -> list[asn1_x509.Certificate]:
    return [each.chosen for each in token["content"]["certificates"] if each.name == "certificate"]


def _with_stamp(content: cms.ContentInfo, signer: cms.SignerInfo, token: bytes) -> bytes:
    """Return the seal with a time-stamp among its unsigned attributes, every other byte as it was.

    Put together here: asn1crypto encodes a changed structure anew at each of its levels, and again at the next.
    """
    stamp = wrap(SEQUENCE, cms.CMSAttributeType("signature_time_stamp_token").dump(), wrap(SET, token))
    signed = content["content"]
    parts = [signed[name].dump() for name in ("version", "digest_algorithms", "encap_content_info", "certificates")]
    stamped = wrap(SEQUENCE, signer.contents, wrap(_CONTEXT_1, stamp))
    return wrap(SEQUENCE, content["content_type"].dump(), wrap(CONTEXT_0, wrap(SEQUENCE, *parts, wrap(SET, stamped))))


_CONTEXT_1 = 0xA1
_RESERVED = 16_384  # hex signs: a token of up to 8 kB
_CLOCK_SECONDS = 600
