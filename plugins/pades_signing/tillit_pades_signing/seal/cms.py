"""The bank's seal as a CMS structure of which all but the digest and the signature is made once.

Sources: RFC 5652 section 5, RFC 5035 (signing-certificate-v2), RFC 6211, ETSI EN 319 122-1 section 5,
ETSI EN 319 142-1 section 6 (no signing-time attribute: the time claimed stands in the signature dictionary).
"""

import hashlib

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509

from tillit_pades_signing.seal.der import CONTEXT_0, OCTETS, SEQUENCE, SET, wrap
from tillit_pades_signing.seal.keys import SealingKey, signature_algorithm

_SHA256 = algos.DigestAlgorithm({"algorithm": "sha256"})


class SealMaker:
    """Makes seals with one key. `reserved`: the most bytes a seal can have."""

    def __init__(self, key: SealingKey) -> None:
        self._key = key
        leaf = asn1_x509.Certificate.load(key.chain[0])
        algorithm = signature_algorithm(x509.load_der_x509_certificate(key.chain[0]))
        self._attributes = sorted((_content_type(), _signing_certificate(leaf), _protection(algorithm)))
        identity = cms.SignerIdentifier(
            {
                "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                    {"issuer": leaf.issuer, "serial_number": leaf.serial_number}
                )
            }
        )
        digest = _SHA256.dump()
        self._signer_head = core.Integer(1).dump() + identity.dump() + digest
        self._signature_algorithm = algorithm.dump()
        data = cms.ContentInfo({"content_type": "data"}).dump()
        certificates = wrap(CONTEXT_0, *sorted(key.chain))
        self._head = core.Integer(1).dump() + wrap(SET, digest) + data + certificates
        self._type = cms.ContentType("signed_data").dump()
        self.reserved = len(self._filled(bytes(32), bytes(600)))

    def seal(self, digest: bytes) -> bytes:
        """Return the CMS signature over content of this SHA-256 digest, DER."""
        signed = self._signed_attributes(digest)
        # What is signed is the attributes as a SET; in the structure they stand under the tag [0].
        return self._filled(digest, self._key.sign(wrap(SET, signed)), signed)

    def _signed_attributes(self, digest: bytes) -> bytes:
        message_digest = wrap(SEQUENCE, _MESSAGE_DIGEST, wrap(SET, wrap(OCTETS, digest)))
        # DER orders a SET OF by its members' encodings.
        return b"".join(sorted((*self._attributes, message_digest)))

    def _filled(self, digest: bytes, signature: bytes, signed: bytes | None = None) -> bytes:
        signer = wrap(
            SEQUENCE,
            self._signer_head,
            wrap(CONTEXT_0, signed if signed is not None else self._signed_attributes(digest)),
            self._signature_algorithm,
            wrap(OCTETS, signature),
        )
        return wrap(SEQUENCE, self._type, wrap(CONTEXT_0, wrap(SEQUENCE, self._head, wrap(SET, signer))))


_MESSAGE_DIGEST = cms.CMSAttributeType("message_digest").dump()


def _attribute(name: str, value: core.Asn1Value) -> bytes:
    return wrap(SEQUENCE, cms.CMSAttributeType(name).dump(), wrap(SET, value.dump()))


def _content_type() -> bytes:
    return _attribute("content_type", cms.ContentType("data"))


def _signing_certificate(leaf: asn1_x509.Certificate) -> bytes:
    """Tie the seal to this very certificate. SHA-256 is the default of the field and so is left out."""
    identity = tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(leaf.dump()).digest()})
    return _attribute("signing_certificate_v2", tsp.SigningCertificateV2({"certs": [identity]}))


def _protection(algorithm: algos.SignedDigestAlgorithm) -> bytes:
    protection = cms.CMSAlgorithmProtection({"digest_algorithm": _SHA256, "signature_algorithm": algorithm})
    return _attribute("cms_algorithm_protection", protection)
