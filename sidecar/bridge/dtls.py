"""DTLS-SRTP over datagrams that somebody else receives and sends.

OpenSSL does the protocol; this file keeps datagram boundaries, timers and the fingerprint rule.
Source: RFC 5763 (fingerprints), RFC 5764 (use_srtp), RFC 6347 section 4.1.1 (record sizes).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from sidecar.bridge import srtp
from sidecar.domain import clock

_RECORD_HEADER_BYTES = 13
_DATAGRAM_BYTES = 1200  # fits every path that carries video
_HASHES = {"sha-256": hashes.SHA256(), "sha-384": hashes.SHA384(), "sha-512": hashes.SHA512()}
_CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
_CERTIFICATE_DAYS = 30


class DtlsFailure(Exception):  # a state of the connection, never shown to anyone
    """The handshake cannot end well: bad records, wrong fingerprint, no common SRTP profile."""


@dataclass(frozen=True)
class DtlsIdentity:
    """The bridge's certificate for this run of the process, and the contexts made from it."""

    context: SSL.Context
    fingerprint: str

    @staticmethod
    def generate() -> "DtlsIdentity":
        """Return a fresh P-256 identity. Its name says nothing."""
        signing_key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bridge")])
        now = clock.utc_now()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(signing_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=_CERTIFICATE_DAYS))
            .sign(signing_key, hashes.SHA256())
        )
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU)
        # WebRTC certificates are self-signed: the fingerprint in the offer is what counts.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(certificate)
        context.use_privatekey(signing_key)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(":".join(profile.name for profile in srtp.PROFILES).encode())
        return DtlsIdentity(context, digest_text(certificate.fingerprint(hashes.SHA256())))


def digest_text(digest: bytes) -> str:
    """Return a digest as SDP writes it: AB:CD:..."""
    return digest.hex(":").upper()


class DtlsEndpoint:
    """One DTLS connection. Datagrams go in through `feed`, out through `send`.

    send: called with each datagram to put on the wire. expected: the (algorithm, digest) pairs of the offer;
    each must match the certificate shown.
    """

    def __init__(
        self,
        identity: DtlsIdentity,
        expected: tuple[tuple[str, bytes], ...],
        send: Callable[[bytes], None],
        *,
        as_server: bool = True,
    ) -> None:
        self._connection = SSL.Connection(identity.context)
        self._connection.set_ciphertext_mtu(_DATAGRAM_BYTES)
        self._as_server = as_server
        if as_server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
        self._expected = expected
        self._send = send
        self.established = False
        self.closed = False
        self.profile: srtp.Profile | None = None
        self.client_fingerprint = ""

    def start(self) -> None:
        """Send the first flight of a client."""
        self._handshake()

    def feed(self, datagram: bytes) -> list[bytes]:
        """Take one datagram; return the application data in it. Raises DtlsFailure."""
        self._connection.bio_write(datagram)
        if not self.established:
            self._handshake()
            if not self.established:
                return []
        received: list[bytes] = []
        while True:
            try:
                received.append(self._connection.recv(4096))
            except SSL.ZeroReturnError:
                self.closed = True
                break
            except SSL.Error:
                break  # nothing more to read, or a record that did not verify: dropped (RFC 6347 4.1.2.7)
        self._flush()
        return received

    def write(self, data: bytes) -> None:
        """Send application data as one record."""
        if self.established and not self.closed:
            try:
                self._connection.send(data)
            except SSL.Error:
                self.closed = True
            self._flush()

    def shutdown(self) -> None:
        """Say goodbye. The other side needs no answer from us after it."""
        if self.established and not self.closed:
            self.closed = True
            try:
                self._connection.shutdown()
            except SSL.Error:
                return
            self._flush()

    def timeout_seconds(self) -> float | None:
        """Return when the last flight is due again, or None."""
        return self._connection.DTLSv1_get_timeout()

    def retransmit(self) -> None:
        """Send the last flight again, if it is due."""
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error:
            raise DtlsFailure("the peer never finished the handshake") from None
        self._flush()

    def srtp_sessions(self) -> tuple[srtp.SrtpSession, srtp.SrtpSession]:
        """Return (inbound, outbound). Only after the handshake."""
        assert self.profile is not None
        exported = self._connection.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (self.profile.key_bytes + self.profile.salt_bytes)
        )
        return srtp.sessions(self.profile, exported, as_server=self._as_server)

    def _handshake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return
        except SSL.Error as error:
            self._flush()  # the alert that tells the peer
            raise DtlsFailure("the handshake failed") from error
        self._flush()
        self._check_certificate()
        chosen = self._connection.get_selected_srtp_profile().decode()
        self.profile = next((p for p in srtp.PROFILES if p.name == chosen), None)
        if self.profile is None:
            raise DtlsFailure("no common SRTP profile")
        self.established = True

    def _check_certificate(self) -> None:
        """Every fingerprint of the offer must be the certificate's (RFC 8122 section 5)."""
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or not self._expected:
            raise DtlsFailure("no certificate was shown")
        for algorithm, digest in self._expected:
            if certificate.fingerprint(_HASHES[algorithm]) != digest:
                raise DtlsFailure("the certificate is not the one in the offer")
        self.client_fingerprint = digest_text(certificate.fingerprint(hashes.SHA256()))

    def _flush(self) -> None:
        try:
            data = self._connection.bio_read(65536)
        except SSL.Error:
            return
        for datagram in _datagrams(data):
            self._send(datagram)


def _datagrams(data: bytes) -> Iterator[bytes]:
    """Yield records joined into datagrams: OpenSSL's memory buffer has forgotten their boundaries."""
    start = position = 0
    while position + _RECORD_HEADER_BYTES <= len(data):
        end = position + _RECORD_HEADER_BYTES + int.from_bytes(data[position + 11 : position + 13], "big")
        if end - start > _DATAGRAM_BYTES and position > start:
            yield data[start:position]
            start = position
        position = end
    if start < len(data):
        yield data[start:]
