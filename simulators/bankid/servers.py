"""The two HTTP servers: one with mutual TLS for the API, one plain for the phone."""

import ssl
import sys
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer, WSGIRequestHandler

from simulators.bankid.certificates import CertificateStore

PEER_CERTIFICATE = "simulator.peer_certificate"  # DER, in the WSGI environment
_HANDSHAKE_SECONDS = 10.0


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: addresses hold order references and tokens."""


class _Server(ThreadedWSGIServer):
    tls: ssl.SSLContext | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client without our certificate is no news; anything else is."""
        if not isinstance(sys.exception(), ssl.SSLError | ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _TlsHandler(_Handler):
    """Shakes hands in the connection's own thread, so that a silent client holds up nobody else."""

    def setup(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        assert server.tls is not None
        self.request.settimeout(_HANDSHAKE_SECONDS)
        # wrap_socket takes the socket over, so finish() has to close what it returns.
        self.request = server.tls.wrap_socket(self.request, server_side=True)
        self.request.settimeout(None)
        super().setup()

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.request.close()

    def make_environ(self) -> dict[str, Any]:
        environ = super().make_environ()
        assert isinstance(self.connection, ssl.SSLSocket)
        environ[PEER_CERTIFICATE] = self.connection.getpeercert(binary_form=True)
        return environ


def plain_server(app: Flask, host: str, port: int) -> BaseWSGIServer:
    return _Server(host, port, app, handler=_Handler)


def tls_server(app: Flask, host: str, port: int, certificates: CertificateStore) -> BaseWSGIServer:
    """Return a server that shakes hands only with clients our relying-party CA certified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificates.server_certificate, certificates.server_key)
    context.load_verify_locations(cafile=certificates.relying_party_ca)
    server = _Server(host, port, app, handler=_TlsHandler)
    server.tls = context
    return server
