"""Where the time of one request goes: the web application called in process, under the standard profiler."""

import cProfile
import io
import pstats
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sidecar.bootstrap import build
from sidecar.settings import load_settings
from sidecar.web.app import create_app

_REQUESTS = 400


def profile(settings: Path, requests: Sequence[bytes]) -> None:
    """Send requests through the application without a server around it, and print what took the time."""
    app = create_app(build(load_settings(settings)))
    environs = [_environ(request) for request in requests]

    def send(count: int) -> None:
        for number in range(count):
            status: list[str] = []
            environ = environs[number % len(environs)] | {"wsgi.input": io.BytesIO(b"{}")}
            answer = app(environ, lambda said, _headers, _error=None, status=status: status.append(said))
            b"".join(answer)
            assert status == ["200 OK"], status

    send(len(environs))
    began, used = time.perf_counter(), time.thread_time()
    send(_REQUESTS)
    wall, cpu = time.perf_counter() - began, time.thread_time() - used
    print(f"{wall / _REQUESTS * 1000:.2f} ms a request, of it {cpu / _REQUESTS * 1000:.2f} ms on the processor\n")
    profiler = cProfile.Profile()
    profiler.runcall(send, _REQUESTS)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats("sidecar|fdatasync|sqlite3", 60)


def _environ(request: bytes) -> dict[str, Any]:
    """Return the WSGI environment of a raw request (PEP 3333)."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, protocol = first.split(" ")
    headers = {name.upper().replace("-", "_"): value for name, _, value in (line.partition(": ") for line in lines)}
    plain: dict[str, Any] = {name: headers.pop(name) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if name in headers}
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": protocol,
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **plain,
        **{f"HTTP_{name}": value for name, value in headers.items()},
    }
