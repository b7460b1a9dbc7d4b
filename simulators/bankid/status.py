"""What the bank's responder says of a person's certificate: OCSP (RFC 6960), honest or forged."""

import hashlib
import os
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from simulators.bankid.certificates import BankIdTree, Identity, issue_responder

_SEQUENCE, _GENERALIZED_TIME = 0x30, 0x18


def make_status(identity: Identity, tree: BankIdTree, signature: str, *, at: datetime, forge: str | None) -> bytes:
    """Return the DER of an OCSP response. Its nonce begins with SHA-1 of the signature's base64 text."""
    if forge == "ocsp-unsuccessful":
        unsuccessful = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
        return unsuccessful.public_bytes(Encoding.DER)
    if forge == "old-ocsp":
        at -= timedelta(days=1)
    responder = _responder(tree, forge)
    builder = (
        _builder(identity, tree, at, forge)
        .responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
        .certificates([responder.certificate])
    )
    if forge != "no-nonce":
        text = "another signature" if forge == "wrong-nonce" else signature
        nonce = hashlib.sha1(text.encode()).digest() + os.urandom(10)
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    der = _produced(builder.sign(responder.key, hashes.SHA256()), responder, at, twice=forge == "ocsp-of-several")
    if forge == "ocsp-tampered":
        spot = der.index(hashlib.sha1(signature.encode()).digest()) + 25
        der = der[:spot] + bytes([der[spot] ^ 1]) + der[spot + 1 :]
    return der


def _responder(tree: BankIdTree, forge: str | None) -> Identity:
    if forge == "ocsp-other-issuer":
        return issue_responder(tree.bank_ca)
    if forge == "ocsp-not-appointed":
        return issue_responder(tree.customer_ca, appointed=False)
    return tree.ocsp


def _builder(identity: Identity, tree: BankIdTree, at: datetime, forge: str | None) -> ocsp.OCSPResponseBuilder:
    subject = tree.ocsp if forge == "ocsp-other-serial" else identity
    status, revoked_at = ocsp.OCSPCertStatus.GOOD, None
    if forge == "revoked":
        status, revoked_at = ocsp.OCSPCertStatus.REVOKED, at - timedelta(days=2)
    elif forge == "unknown-status":
        status = ocsp.OCSPCertStatus.UNKNOWN
    since, until = at, at + timedelta(minutes=5)
    if forge == "ocsp-out-of-date":
        since, until = at - timedelta(days=2), at - timedelta(days=1)
    elif forge == "ocsp-not-valid-yet":
        since, until = at + timedelta(days=1), at + timedelta(days=2)
    return ocsp.OCSPResponseBuilder().add_response(
        cert=subject.certificate,
        issuer=tree.customer_ca.certificate,
        algorithm=hashes.SHA1(),  # how certificates are named in OCSP, by habit; no security hangs on it
        cert_status=status,
        this_update=since,
        next_update=until,
        revocation_time=revoked_at,
        revocation_reason=None,
    )


def _produced(response: ocsp.OCSPResponse, responder: Identity, at: datetime, *, twice: bool) -> bytes:
    """Return the response as if produced at that time, signed anew: the library's own is always the present.

    twice: it answers for two certificates, which the library cannot write.
    """
    responder_id, _, answers, *extensions = _parts(_parts(response.tbs_response_bytes)[0], inside=True)
    produced_at = _tlv(_GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%SZ").encode())
    if twice:
        answers = _tlv(_SEQUENCE, b"".join(_parts(answers, inside=True) * 2))
    signed = _tlv(_SEQUENCE, b"".join([responder_id, produced_at, answers, *extensions]))
    value = responder.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())

    # OCSPResponse: status, [0] { type, OCTET STRING { BasicOCSPResponse } }
    status, wrapped = _parts(response.public_bytes(Encoding.DER), inside=True)
    kind, octets = _parts(_parts(wrapped, inside=True)[0], inside=True)
    _, algorithm, _, certificates = _parts(_parts(octets, inside=True)[0], inside=True)
    basic = _tlv(_SEQUENCE, signed + algorithm + _tlv(0x03, b"\0" + value) + certificates)
    return _tlv(_SEQUENCE, status + _tlv(0xA0, _tlv(_SEQUENCE, kind + _tlv(0x04, basic))))


def _tlv(tag: int, content: bytes) -> bytes:
    """Return an element of DER."""
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def _parts(der: bytes, *, inside: bool = False) -> list[bytes]:
    """Return the elements of DER one after the other. inside: those within the one element it is."""
    parts = []
    while der:
        head, length = 2, der[1]
        if length & 0x80:
            head += length & 0x7F
            length = int.from_bytes(der[2:head], "big")
        if inside:
            return _parts(der[head : head + length])
        parts.append(der[: head + length])
        der = der[head + length :]
    return parts
