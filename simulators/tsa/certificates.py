"""The test certificates of a trust service, made on the first start and kept in --dir.

What a plugin needs lies on top (roots.pem, seal.pem, seal-key.pem); the rest, in private/, is the simulator's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from simulators.common.files import ec_pem, write_private

_TEN_YEARS, _TWO_YEARS = timedelta(days=3650), timedelta(days=730)
_SIGNS = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
_CERTIFIES = x509.KeyUsage(False, False, False, False, False, True, True, False, False)


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def write(self, directory: Path, name: str) -> None:
        (directory / f"{name}.pem").write_bytes(self.pem)
        write_private(directory / f"{name}-key.pem", ec_pem(self.key))

    @classmethod
    def read(cls, directory: Path, name: str) -> "Identity":
        key = serialization.load_pem_private_key((directory / f"{name}-key.pem").read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(x509.load_pem_x509_certificate((directory / f"{name}.pem").read_bytes()), key)


def now_utc() -> datetime:
    return datetime.now(UTC)  # noqa: TID251, the simulators have no clock of the product


def issue(
    common_name: str,
    issuer: Identity | None,
    *,
    purpose: x509.ObjectIdentifier | None = None,
    valid_for: timedelta = _TWO_YEARS,
    valid_since: datetime | None = None,
    responder: str = "",
) -> Identity:
    """Return a new certificate; a root without an issuer. purpose: its only one, critical.

    responder: the address of the OCSP responder it names.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    start = valid_since or now_utc() - timedelta(days=1)
    subject = _name(common_name)
    authority = issuer.key if issuer is not None else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + (valid_for if issuer is not None else _TEN_YEARS))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=0 if issuer is None else None), True)
        .add_extension(_CERTIFIES if issuer is None else _SIGNS, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False)
    )
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    if purpose == ExtendedKeyUsageOID.OCSP_SIGNING:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    if responder:
        named = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(responder))
        builder = builder.add_extension(x509.AuthorityInformationAccess([named]), critical=False)
    return Identity(builder.sign(authority, hashes.SHA256()), key)


def issue_tsa(root: Identity, *, valid_for: timedelta = _TWO_YEARS, valid_since: datetime | None = None) -> Identity:
    return issue(
        "Test time-stamp authority",
        root,
        purpose=ExtendedKeyUsageOID.TIME_STAMPING,
        valid_for=valid_for,
        valid_since=valid_since,
    )


def make_crl(root: Identity, *, at: datetime, revoked: tuple[x509.Certificate, ...] = ()) -> bytes:
    """Return a revocation list of that root, DER, good for a week."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.certificate.subject)
        .last_update(at - timedelta(minutes=5))
        .next_update(at + timedelta(days=7))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()), False)
        .add_extension(x509.CRLNumber(int(at.timestamp())), False)
    )
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(at - timedelta(minutes=5)).build())
    return builder.sign(root.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def answer_ocsp(
    question: bytes,
    *,
    known: Iterable[Identity],
    root: Identity,
    signer: Identity,
    at: datetime,
    revoked: tuple[x509.Certificate, ...] = (),
) -> bytes:
    """Return the answer to one OCSP question about a certificate of that root, DER, good for an hour.

    signer: a responder the root certified. Raises ValueError for what is no question.
    """
    serial = ocsp.load_der_ocsp_request(question).serial_number
    asked = next((each.certificate for each in known if each.certificate.serial_number == serial), None)
    if asked is None:
        refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        return refusal.public_bytes(serialization.Encoding.DER)
    gone = asked in revoked
    answer = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=asked,
            issuer=root.certificate,
            algorithm=hashes.SHA1(),  # only names the certificate
            cert_status=ocsp.OCSPCertStatus.REVOKED if gone else ocsp.OCSPCertStatus.GOOD,
            this_update=at - timedelta(minutes=5),
            next_update=at + timedelta(hours=1),
            revocation_time=at - timedelta(minutes=5) if gone else None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        .certificates([signer.certificate])
        .sign(signer.key, hashes.SHA256())
    )
    return answer.public_bytes(serialization.Encoding.DER)


class TrustService:
    """Everything in --dir: two roots, the bank's seal, the time-stamp authority."""

    def __init__(self, directory: Path) -> None:
        private = directory / "private"
        self.seal_root, self.tsa_root = Identity.read(private, "seal-root"), Identity.read(private, "tsa-root")
        self.tsa = Identity.read(private, "tsa")
        self.seal = Identity.read(directory, "seal")

    @classmethod
    def open(cls, directory: Path, *, bank: str) -> "TrustService":
        """Return what lies in the directory, after making it where nothing complete lies there."""
        done = directory / "private" / "complete"
        if not done.exists():
            private = directory / "private"
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
            seal_root, tsa_root = issue("Test seal root", None), issue("Test time-stamp root", None)
            seal_root.write(private, "seal-root")
            tsa_root.write(private, "tsa-root")
            issue_tsa(tsa_root).write(private, "tsa")
            issue(bank, seal_root).write(directory, "seal")
            (directory / "roots.pem").write_bytes(seal_root.pem + tsa_root.pem)
            done.write_text("made\n", "utf-8")
        return cls(directory)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tillit test certificates"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
