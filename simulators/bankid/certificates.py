"""The test certificates: BankID's tree for people, a CA for its server, and a CA for relying parties.

Made on the first start and kept in --dir, so that what a plugin was given stays valid over restarts.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from simulators.bankid.persons import Person

MOBILE_POLICY = "1.2.3.4.25"  # BankID's own number for mobile BankID in its test environment
_FAR, _NEAR = timedelta(days=3650), timedelta(days=730)
_DIGITAL_SIGNATURE = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
_CERT_SIGN = x509.KeyUsage(False, False, False, False, False, True, True, False, False)


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def write(self, directory: Path, name: str) -> None:
        """Write <name>.pem and <name>-key.pem, the key for its owner's eyes only."""
        pem = self.certificate.public_bytes(serialization.Encoding.PEM)
        (directory / f"{name}.pem").write_bytes(pem)
        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        handle = os.open(directory / f"{name}-key.pem", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key)

    @classmethod
    def read(cls, directory: Path, name: str) -> "Identity":
        certificate = x509.load_pem_x509_certificate((directory / f"{name}.pem").read_bytes())
        return cls(certificate, _read_key((directory / f"{name}-key.pem").read_bytes()))


@lru_cache(maxsize=64)
def _read_key(pem: bytes) -> rsa.RSAPrivateKey:
    """Return the key; one that many people share, in a measurement of load, is checked once."""
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def issue(
    subject: x509.Name,
    issuer: Identity | None,
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
    *,
    valid_for: timedelta = _FAR,
    valid_since: timedelta = timedelta(days=1),
    key_bits: int = 2048,
) -> Identity:
    """Return a new certificate. issuer: None for a root. valid_since: how long before now it begins."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=key_bits)
    start = datetime.now(UTC) - valid_since  # noqa: TID251, the simulators have no clock of the product
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + valid_for)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    authority = issuer.key.public_key() if issuer else key.public_key()
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Identity(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def name(common_name: str, *more: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tillit test certificates"),
        *(x509.NameAttribute(oid, value) for oid, value in more),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
    ]
    return x509.Name(attributes)


def issue_ca(common_name: str, issuer: Identity | None, *, path_length: int) -> Identity:
    constraints = x509.BasicConstraints(ca=True, path_length=path_length)
    return issue(name(common_name), issuer, [(constraints, True), (_CERT_SIGN, True)])


class BankIdTree:
    """Root, bank CA, customer CA, the responder for certificate status, and people's BankIDs."""

    def __init__(self, root: Identity, bank_ca: Identity, customer_ca: Identity, ocsp: Identity) -> None:
        self.root, self.bank_ca, self.customer_ca, self.ocsp = root, bank_ca, customer_ca, ocsp

    @classmethod
    def grow(cls) -> "BankIdTree":
        root = issue_ca("Test BankID root", None, path_length=2)
        bank_ca = issue_ca("Test bank CA", root, path_length=1)
        customer_ca = issue_ca("Test customer CA", bank_ca, path_length=0)
        return cls(root, bank_ca, customer_ca, issue_responder(customer_ca))

    def issue_person(
        self,
        person: Person,
        *,
        policy: str = MOBILE_POLICY,
        valid_for: timedelta = _NEAR,
        valid_since: timedelta = timedelta(days=1),
        key_bits: int = 2048,
    ) -> Identity:
        policies = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(policy), None)])
        subject = name(
            person.name,
            (NameOID.SURNAME, person.surname),
            (NameOID.GIVEN_NAME, person.given_name),
            (NameOID.SERIAL_NUMBER, person.personal_number),
        )
        return issue(
            subject,
            self.customer_ca,
            [
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (_DIGITAL_SIGNATURE, True),
                (policies, False),
            ],
            valid_for=valid_for,
            valid_since=valid_since,
            key_bits=key_bits,
        )


def issue_responder(issuer: Identity, *, appointed: bool = True) -> Identity:
    purpose = ExtendedKeyUsageOID.OCSP_SIGNING if appointed else ExtendedKeyUsageOID.CLIENT_AUTH
    return issue(
        name("Test certificate status"),
        issuer,
        [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_DIGITAL_SIGNATURE, True),
            (x509.ExtendedKeyUsage([purpose]), False),
            (x509.OCSPNoCheck(), False),
        ],
    )


@dataclass(frozen=True)
class RelyingParty:
    """A registered relying party. certificate: DER. display_name: who the app says is asking."""

    certificate: bytes
    display_name: str
    distinguished_name: str


class CertificateStore:
    """Everything in --dir. What a plugin needs lies on top; the rest, in private/, is the simulator's own."""

    def __init__(self, directory: Path, *, persons: Sequence[Person], display_name: str) -> None:
        self._directory = directory
        private = directory / "private"
        self.server_certificate = private / "server.pem"
        self.server_key = private / "server-key.pem"
        self.relying_party_ca = private / "rp-ca.pem"
        self.tree = BankIdTree(*(Identity.read(private, part) for part in _TREE))
        self.people = {person.key: self._person(person) for person in persons}
        self.relying_parties = [
            _relying_party(Identity.read(directory, "rp"), display_name),
            _relying_party(Identity.read(directory, "other-rp"), "Another bank"),
        ]

    @classmethod
    def open(
        cls, directory: Path, *, persons: Sequence[Person], hosts: Sequence[str], display_name: str
    ) -> "CertificateStore":
        """Return what lies in the directory, after making it where nothing complete lies there."""
        done = directory / "private" / "complete"
        if not done.exists():
            _make(directory, hosts)
            done.write_text("made\n", "utf-8")
        return cls(directory, persons=persons, display_name=display_name)

    def find_relying_party(self, certificate: bytes) -> RelyingParty | None:
        return next((party for party in self.relying_parties if party.certificate == certificate), None)

    def _person(self, person: Person) -> Identity:
        private, file = self._directory / "private", f"person-{person.key}"
        if (private / f"{file}-key.pem").exists():
            identity = Identity.read(private, file)
            numbers = identity.certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
            if numbers[0].value == person.personal_number:
                return identity
        identity = self.tree.issue_person(person)
        identity.write(private, file)
        return identity


_TREE = ("root", "bank-ca", "customer-ca", "ocsp")


def _relying_party(identity: Identity, display_name: str) -> RelyingParty:
    return RelyingParty(identity.der, display_name, identity.certificate.subject.rfc4514_string())


def _make(directory: Path, hosts: Sequence[str]) -> None:
    private = directory / "private"
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    tree = BankIdTree.grow()
    for part, identity in zip(_TREE, (tree.root, tree.bank_ca, tree.customer_ca, tree.ocsp), strict=True):
        identity.write(private, part)
    _publish(tree.root, directory / "signature-root.pem")

    server_ca = issue_ca("Test server CA", None, path_length=0)
    _publish(server_ca, directory / "server-ca.pem")
    _issue_server(server_ca, hosts).write(private, "server")

    party_ca = issue_ca("Test relying-party CA", None, path_length=0)
    _publish(party_ca, private / "rp-ca.pem")
    # The stranger is certified but not registered, as a relying party whose agreement has ended.
    for file in ("rp", "other-rp", "stranger-rp"):
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        issue(name(f"Test {file}"), party_ca, [(_DIGITAL_SIGNATURE, True), (purpose, False)]).write(directory, file)


def _issue_server(issuer: Identity, hosts: Sequence[str]) -> Identity:
    names = dict.fromkeys(["localhost", "127.0.0.1", "::1", *hosts])
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectAlternativeName([_general_name(host) for host in names]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_DIGITAL_SIGNATURE, True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ]
    return issue(name("Test BankID server"), issuer, extensions, valid_for=_NEAR)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _publish(identity: Identity, path: Path) -> None:
    path.write_bytes(identity.certificate.public_bytes(serialization.Encoding.PEM))
