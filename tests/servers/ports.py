"""Ports that nobody listens on just now, and that the system gives to no connection before they are used."""

import secrets
import socket

_FIRST, _LAST = 15_000, 32_000  # below those of outgoing connections and of whoever binds port 0
_given: set[int] = set()


def free_port() -> int:
    while True:
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if port in _given:
            continue
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(type=kind) as probe:
                    probe.bind(("", port))
        except OSError:
            continue
        _given.add(port)
        return port
