"""The test certificates of a trust service, made on the first start and kept in --dir.

What a plugin needs lies on top (roots.pem, seal.pem, seal-key.pem); the rest, in private/, is the simulator's own.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

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
) -> Identity:
    """Return a new certificate; a root without an issuer. purpose: its only one, critical."""
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
