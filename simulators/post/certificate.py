"""The mail server's certificate: self-signed, for localhost, made at first use."""

import datetime
import ipaddress
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from simulators.common.files import keep_ec_key, write_private

_DAYS = 365


def keep_certificate(folder: Path) -> tuple[Path, Path]:
    """Return the paths of certificate and key, both PEM."""
    certificate_path, key_path = folder / "smtp-certificate.pem", folder / "smtp-key.pem"
    key = keep_ec_key(key_path)
    if certificate_path.exists():
        left = x509.load_pem_x509_certificate(certificate_path.read_bytes()).not_valid_after_utc.timestamp()
        if left > time.time() + 24 * 3600:
            return certificate_path, key_path
    start = datetime.datetime.fromtimestamp(time.time() - 3600, datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_private(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate_path, key_path
