"""PAdES B-LTA by a time-stamp authority with its real errors, and the renewal of the archive time-stamp."""

import asyncio
import io
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.policy_decl import PdfSignatureValidationSpec, SignatureValidationSpec
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from reportlab.pdfgen import canvas
from werkzeug import Request, Response
from werkzeug.serving import make_server

from sidecar.domain.clock import utc_now
from simulators.tsa.certificates import answer_ocsp, issue
from tillit_pades_signing.preserve import PreserveError, Preserver
from tillit_pades_signing.preserve.responders import Responders
from tillit_pades_signing.preserve.revocation import CrlSource
from tillit_pades_signing.preserve.stamps import Authority
from tillit_pades_signing.seal.build import SealWords, build_sealed
from tillit_pades_signing.seal.cms import SealMaker
from tillit_pades_signing.seal.keys import FileKey, certificates_in, der_of
from tillit_pades_signing.seal.page import SignaturePage

PAGE = SignaturePage("sv", "Banken", "Underskrifter", "Här.", (), "Av", (), (), "Sida {n} av {of}")


def original() -> bytes:
    buffer = io.BytesIO()
    paper = canvas.Canvas(buffer, invariant=1)
    paper.drawString(72, 720, "Avtal")
    paper.save()
    return buffer.getvalue()


@pytest.fixture
def sealed(trust: Any) -> bytes:
    key = FileKey.read(trust.directory / "seal-key.pem", trust.directory / "seal.pem")
    words = SealWords("Banken", "Förseglat")
    return build_sealed(original(), page=PAGE, attachments=[], words=words, at=utc_now(), maker=SealMaker(key))


def preserver(
    trust: Any,
    url: str = "",
    *,
    lists: Sequence[str] = ("seal", "tsa"),
    responders: Sequence[str] = (),
    roots: Sequence[x509.Certificate] = (),
) -> Preserver:
    places = [f"{trust.url}/crl/{each}.crl" for each in lists]
    return Preserver(
        roots=[*certificates_in(trust.directory / "roots.pem"), *roots],
        authority=Authority(url or f"{trust.url}/", answer_seconds=20),
        crls=CrlSource(places, answer_seconds=20, clock=utc_now),
        responders=Responders(responders, answer_seconds=20, clock=utc_now),
        clock=utc_now,
    )


def holds_for_pyhanko(file: bytes, trust: Any, *more: x509.Certificate) -> bool:
    named = [*certificates_in(trust.directory / "roots.pem"), *more]
    roots = [asn1_x509.Certificate.load(der_of(each)) for each in named]
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=roots), revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO)
    )
    (seal,) = PdfFileReader(io.BytesIO(file)).embedded_regular_signatures
    spec = PdfSignatureValidationSpec(SignatureValidationSpec(cert_validation_policy=policy))
    result = asyncio.run(ades_lta_validation(seal, pdf_validation_spec=spec))
    return bool(result.ades_subindic == AdESPassed.OK)


@pytest.mark.requirement("R083")
def test_preserved_and_renewed_files_hold_for_pyhanko_and_keep_the_original(trust: Any, sealed: bytes) -> None:
    first = preserver(trust).preserve(sealed)
    trust.switch(new_tsa_days=400)  # the authority has another key by the time of the renewal
    second = preserver(trust).renew(first.data)

    assert first.data.startswith(original())
    assert second.data.startswith(first.data)
    assert holds_for_pyhanko(first.data, trust)
    assert holds_for_pyhanko(second.data, trust)
    assert len(PdfFileReader(io.BytesIO(second.data)).embedded_timestamp_signatures) == 2
    assert second.valid_until < utc_now() + timedelta(days=401)
    trust.switch(new_tsa_days=730)


class Responder:
    """A certificate authority without lists: whether its seal is revoked, only this address says."""

    def __init__(self, directory: Path) -> None:
        self.revoked = self.silent = self.forged = False
        self.root = issue("Root without lists", None)
        self._signer = issue("Its responder", self.root, purpose=ExtendedKeyUsageOID.OCSP_SIGNING)
        self._stranger = issue("Another root", None)
        self._server = make_server("127.0.0.1", 0, Request.application(self._answer), threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self.seal = issue("Banken", self.root, responder=f"{self.url}seal")
        self.seal.write(directory, "seal")
        self.key = FileKey.read(directory / "seal-key.pem", directory / "seal.pem")
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, request: Request) -> Response:
        if self.silent:
            return Response(status=503)
        signer = issue("Its responder", self._stranger) if self.forged else self._signer
        gone = (self.seal.certificate,) if self.revoked else ()
        data = answer_ocsp(
            request.get_data(), known=(self.seal,), root=self.root, signer=signer, at=utc_now(), revoked=gone
        )
        return Response(data, content_type="application/ocsp-response")

    def close(self) -> None:
        self._server.shutdown()


@pytest.fixture
def responder(tmp_path: Path) -> Iterator[Responder]:
    made = Responder(tmp_path)
    yield made
    made.close()


@pytest.mark.requirement("R083")
def test_a_seal_whose_authority_has_no_lists_is_preserved_by_what_its_responder_says(
    trust: Any, responder: Responder
) -> None:
    words, maker = SealWords("Banken", "Förseglat"), SealMaker(responder.key)
    file = build_sealed(original(), page=PAGE, attachments=[], words=words, at=utc_now(), maker=maker)
    root = responder.root.certificate

    def asking(*allowed: str) -> Preserver:
        return preserver(trust, lists=["tsa"], responders=allowed, roots=[root])

    kept = asking(responder.url).preserve(file)
    assert holds_for_pyhanko(kept.data, trust, root)
    renewed = asking(responder.url).renew(kept.data)
    assert holds_for_pyhanko(renewed.data, trust, root)
    for wrong in ("revoked", "silent", "forged"):
        setattr(responder, wrong, True)
        with pytest.raises(PreserveError) as refused:
            asking(responder.url).preserve(file)
        assert refused.value.may_retry, wrong
        setattr(responder, wrong, False)
    with pytest.raises(PreserveError):
        asking("http://another.example/").preserve(file)  # an address the bank did not allow is not asked


@pytest.mark.parametrize(
    "wrong",
    [
        {"refuse": "time_not_available"},
        {"refuse": "unaccepted_policy"},
        {"refuse": "system_failure"},
        {"forge": "wrong-nonce"},
        {"forge": "no-nonce"},
        {"forge": "wrong-digest"},
        {"forge": "bad-signature"},
        {"forge": "other-key"},
        {"forge": "no-certificate"},
        {"forge": "old"},
        {"status": 503},
        {"status": 302},
        {"garbage": True},
        {"revoked": "seal"},
        {"revoked": "tsa"},
    ],
    ids=str,
)
def test_whatever_the_authority_does_wrong_leaves_the_file_for_later(
    trust: Any, sealed: bytes, wrong: dict[str, Any]
) -> None:
    trust.switch(**wrong)

    with pytest.raises(PreserveError) as refused:
        preserver(trust).preserve(sealed)
    assert refused.value.may_retry


def test_authority_that_does_not_answer_leaves_the_file_for_later(trust: Any, sealed: bytes) -> None:
    with pytest.raises(PreserveError) as refused:
        preserver(trust, "http://127.0.0.1:9/").preserve(sealed)
    assert refused.value.may_retry


def test_file_without_a_seal_is_not_preserved(trust: Any) -> None:
    with pytest.raises(PreserveError) as refused:
        preserver(trust).preserve(original())
    assert not refused.value.may_retry
