"""OCSP: what the responder that a certificate names says of it just now. Source: RFC 6960, RFC 5019 section 2.1."""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import requests
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

log = logging.getLogger(__name__)

_LARGEST_ANSWER_BYTES = 64 * 1024
_HEADERS = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
_KEPT = timedelta(minutes=10)


class Responders:
    """Asks only where the settings allow it. allowed: what a responder's address begins with.

    An answer is not judged here: whoever uses it checks its signature, its certificate and its time. A responder
    that does not answer is no error here either: without a list in its place, nothing is preserved.
    """

    def __init__(self, allowed: Sequence[str], *, answer_seconds: float, clock: Callable[[], datetime]) -> None:
        self.allowed, self._timeout, self._clock = tuple(allowed), answer_seconds, clock
        self._lock = threading.Lock()
        self._kept: dict[bytes, tuple[datetime, asn1_ocsp.OCSPResponse]] = {}

    def ask(
        self, certificates: Iterable[asn1_x509.Certificate], issuers: Iterable[asn1_x509.Certificate]
    ) -> list[asn1_ocsp.OCSPResponse]:
        """Return an answer for each certificate that names a responder we may ask, once for each.

        issuers: where else than among the certificates an issuer may be found.
        """
        own = list({each.sha256: each for each in certificates}.values())
        known = [*own, *issuers]
        found = []
        for each in own:
            address = next((url for url in each.ocsp_urls if url.startswith(self.allowed)), None)
            issuer = next((other for other in known if _issued(other, each)), None)
            if self.allowed and address is not None and issuer is not None:
                answer = self._answer(address, each, issuer)
                if answer is not None:
                    found.append(answer)
        return found

    def _answer(
        self, address: str, certificate: asn1_x509.Certificate, issuer: asn1_x509.Certificate
    ) -> asn1_ocsp.OCSPResponse | None:
        with self._lock:
            now = self._clock()
            kept = self._kept.get(certificate.sha256)
            if kept is not None and timedelta(0) <= now - kept[0] < _KEPT:
                return kept[1]
            try:
                answer = asn1_ocsp.OCSPResponse.load(self._fetch(address, _question(certificate, issuer)), strict=True)
                if answer["response_status"].native != "successful":
                    raise ValueError(answer["response_status"].native)
            except (requests.RequestException, OSError, ValueError, TypeError) as error:
                serial = hashlib.sha256(certificate.sha256).hexdigest()[:12]
                log.warning("responder gave no answer", extra={"certificate": serial, "cause": type(error).__name__})
                return None
            self._kept = {key: value for key, value in self._kept.items() if now - value[0] < _KEPT}
            self._kept[certificate.sha256] = (now, answer)
            return answer

    def _fetch(self, address: str, question: bytes) -> bytes:
        with requests.Session() as http:
            http.trust_env = False
            with http.post(
                address, data=question, headers=_HEADERS, timeout=self._timeout, allow_redirects=False, stream=True
            ) as response:
                if response.status_code != 200:
                    raise ValueError("not there")
                data = response.raw.read(_LARGEST_ANSWER_BYTES + 1, decode_content=True)
        if len(data) > _LARGEST_ANSWER_BYTES:
            raise ValueError("too large")
        return bytes(data)


def _issued(issuer: asn1_x509.Certificate, certificate: asn1_x509.Certificate) -> bool:
    named = certificate.authority_key_identifier
    right_key = named is None or issuer.key_identifier is None or named == issuer.key_identifier
    return bool(issuer.subject == certificate.issuer and right_key and issuer.sha256 != certificate.sha256)


def _question(certificate: asn1_x509.Certificate, issuer: asn1_x509.Certificate) -> bytes:
    """SHA-1 only names the certificate here, and is what every responder understands (RFC 5019 section 2.1.1)."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(certificate.dump()),
        x509.load_der_x509_certificate(issuer.dump()),
        hashes.SHA1(),  # noqa: S303 - names, and proves nothing
    )
    return builder.build().public_bytes(serialization.Encoding.DER)
