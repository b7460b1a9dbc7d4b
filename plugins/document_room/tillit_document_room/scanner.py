"""Asks a virus scanner: clamd's INSTREAM over TCP or a Unix socket. No answer means no file.

Source: clamd(8), commands zINSTREAM and zPING: chunks of a four-byte length in network order and that many bytes, a
chunk of length 0 at the end; the answer is "stream: OK" or "stream: <name> FOUND", ended by a null byte.
"""

import socket
import struct
import time
from typing import Protocol

from tillit_document_room.sandbox.refusals import UnsafeFileError

_CHUNK = 64 * 1024
_ANSWER_BYTES = 4096
_TIMEOUT_S = 20.0


class Scanner(Protocol):
    """Looks for malicious content: Clamd, NoScanner."""

    name: str

    def check(self, data: bytes) -> None:
        """Raise UnsafeFileError("infected") for a find, ("scanner") where there is no clear answer."""

    def is_ready(self) -> bool: ...


class NoScanner:
    """No scanner is configured. The readiness page says so."""

    name = "none"

    def check(self, data: bytes) -> None:
        return None

    def is_ready(self) -> bool:
        return True


class Clamd:
    """A clamd at "unix:/path" or "tcp:host:port"."""

    name = "clamd"

    def __init__(self, address: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        self._address, self._timeout_s = address, timeout_s

    def check(self, data: bytes) -> None:
        try:
            answer = self._ask(b"zINSTREAM\x00", data)
        except OSError as error:
            raise UnsafeFileError("scanner", type(error).__name__) from error
        if answer == "stream: OK":
            return
        if answer.startswith("stream: ") and answer.endswith(" FOUND"):
            raise UnsafeFileError("infected", answer.removeprefix("stream: ").removesuffix(" FOUND")[:60])
        raise UnsafeFileError("scanner", "no clear answer")

    def is_ready(self) -> bool:
        try:
            return self._ask(b"zPING\x00", None) == "PONG"
        except OSError:
            return False

    def _ask(self, command: bytes, data: bytes | None) -> str:
        """Return the answer. Raises OSError, also for one that takes too long in all."""
        until = time.monotonic() + self._timeout_s
        with self._connect() as link:
            link.sendall(command)
            if data is not None:
                for start in range(0, len(data), _CHUNK):
                    part = data[start : start + _CHUNK]
                    link.settimeout(_left(until))
                    link.sendall(struct.pack(">I", len(part)) + part)
                link.sendall(struct.pack(">I", 0))
            answer = b""
            while not answer.endswith(b"\x00"):
                link.settimeout(_left(until))
                part = link.recv(_ANSWER_BYTES)
                if not part or len(answer) > _ANSWER_BYTES:
                    raise OSError("cut short")
                answer += part
        return answer[:-1].decode("utf-8", "replace").strip()

    def _connect(self) -> socket.socket:
        kind, _, rest = self._address.partition(":")
        if kind == "unix":
            link = socket.socket(socket.AF_UNIX)
            link.settimeout(self._timeout_s)
            try:
                link.connect(rest)
            except OSError:
                link.close()
                raise
            return link
        host, _, port = rest.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=self._timeout_s)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def scanner_at(address: str) -> Scanner:
    """Return the scanner of that setting."""
    return Clamd(address) if address else NoScanner()
