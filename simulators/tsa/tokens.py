"""Time-stamp tokens as RFC 3161 and RFC 5816 have them, and the same with one thing wrong."""

import hashlib
import secrets
from datetime import datetime

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from simulators.tsa.certificates import Identity

POLICY = "1.3.6.1.4.1.99999.1.1"
DIGESTS = {"sha256": 32, "sha384": 48, "sha512": 64}
# What the token says wrongly on demand.
FORGERIES = ("wrong-nonce", "no-nonce", "wrong-digest", "bad-signature", "other-key", "no-certificate", "old")


class RequestRefusedError(Exception):
    """The authority refuses. fail_info: as RFC 3161 section 2.4.2 names it."""

    def __init__(self, fail_info: str) -> None:
        super().__init__(fail_info)
        self.fail_info = fail_info


def granted(request: bytes, tsa: Identity, *, at: datetime, forge: str | None = None) -> bytes:
    """Return a granted response. Raises RequestRefusedError for a request that is not of its form."""
    asked = _read(request)
    nonce = asked["nonce"].native
    imprint = asked["message_imprint"]
    info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": imprint if forge != "wrong-digest" else _other(imprint),
            "serial_number": secrets.randbits(63),
            "gen_time": at.replace(microsecond=0),
            "accuracy": tsp.Accuracy({"seconds": 1}),
            "tsa": asn1_x509.GeneralName(name="directory_name", value=asn1_x509.Certificate.load(tsa.der).subject),
        }
    )
    if nonce is not None and forge != "no-nonce":
        info["nonce"] = nonce + 1 if forge == "wrong-nonce" else nonce
    token = _token(
        info.dump(), tsa, with_certificate=bool(asked["cert_req"].native) and forge != "no-certificate", forge=forge
    )
    return bytes(tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump())


def refused(fail_info: str) -> bytes:
    status = {"status": "rejection", "status_string": ["refused"], "fail_info": {fail_info}}
    info = tsp.PKIStatusInfo(status).dump()
    # asn1crypto holds the token for required; a refusal has none. A SEQUENCE of less than 128 bytes.
    return bytes((0x30, len(info))) + bytes(info)


def _read(request: bytes) -> tsp.TimeStampReq:
    try:
        asked = tsp.TimeStampReq.load(request, strict=True)
        algorithm = asked["message_imprint"]["hash_algorithm"]["algorithm"].native
        digest = asked["message_imprint"]["hashed_message"].native
        policy = asked["req_policy"].native
    except (ValueError, TypeError) as error:
        raise RequestRefusedError("bad_data_format") from error
    if algorithm not in DIGESTS:
        raise RequestRefusedError("bad_alg")
    if len(digest) != DIGESTS[algorithm]:
        raise RequestRefusedError("bad_data_format")
    if policy not in (None, POLICY):
        raise RequestRefusedError("unaccepted_policy")
    return asked


def _other(imprint: tsp.MessageImprint) -> tsp.MessageImprint:
    return tsp.MessageImprint(
        {"hash_algorithm": imprint["hash_algorithm"], "hashed_message": hashlib.sha256().digest()}
    )


def _token(info: bytes, tsa: Identity, *, with_certificate: bool, forge: str | None) -> cms.ContentInfo:
    certificate = asn1_x509.Certificate.load(tsa.der)
    sha256 = algos.DigestAlgorithm({"algorithm": "sha256"})
    identity = tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(tsa.der).digest()})
    attributes = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
            cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(info).digest()]}),
            cms.CMSAttribute(
                {"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2({"certs": [identity]})]}
            ),
        ]
    )
    key = ec.generate_private_key(ec.SECP256R1()) if forge == "other-key" else tsa.key
    signature = key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256()))
    if forge == "bad-signature":
        signature = tsa.key.sign(b"something else", ec.ECDSA(hashes.SHA256()))
    signer = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                {
                    "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                        {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
                    )
                }
            ),
            "digest_algorithm": sha256,
            "signed_attrs": attributes,
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
            "signature": signature,
        }
    )
    signed = {
        "version": "v3",
        "digest_algorithms": [sha256],
        "encap_content_info": cms.EncapsulatedContentInfo(
            {"content_type": "tst_info", "content": core.ParsableOctetString(info)}
        ),
        "signer_infos": [signer],
    }
    if with_certificate:
        signed["certificates"] = [certificate]
    return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})
