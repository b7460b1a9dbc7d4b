"""The two HTTP servers: one with mutual TLS for the API, one plain for the phone."""

import io
import ssl
import sys
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from simulators.bankid.certificates import CertificateStore

PEER_CERTIFICATE = "simulator.peer_certificate"  # DER, in the WSGI environment
_HANDSHAKE_SECONDS = 10.0
_LARGEST_BODY_BYTES = 4 * 1024 * 1024


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

    # Head and body leave together: sent apart on a kept connection, the body waits 40 ms for the client's TCP.
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        assert server.tls is not None
        self.request.settimeout(_HANDSHAKE_SECONDS)
        # wrap_socket takes the socket over, so finish() has to close what it returns.
        self.request = server.tls.wrap_socket(self.request, server_side=True)
        self.request.settimeout(None)
        super().setup()

    def run_wsgi(self) -> None:
        """Answer, and keep the connection for the next request, as BankID does: a handshake is for many calls.

        Werkzeug's own closes it, since a body that was left unread would be taken for the next request.
        """
        size = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not size.isdecimal() or int(size) > _LARGEST_BODY_BYTES:
            super().run_wsgi()
            return
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(self.rfile.read(int(size)))
        parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        body = b"".join(parts)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        headers["Content-Length"] = str(len(body))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

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
