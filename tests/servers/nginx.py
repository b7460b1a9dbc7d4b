"""An nginx of the machine's own package, with the configuration we render, for as long as a test run lasts."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_S = 60.0


def has_nginx() -> bool:
    return nginx_program() is not None


def nginx_program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@contextmanager
def running_nginx(config: Path, *, port: int, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run nginx with this file until it takes connections on the port. log: its access and error lines."""
    program = nginx_program()
    assert program is not None, "nginx is not installed"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [program, "-c", config, "-e", "stderr", "-g", "daemon off; master_process off;"],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(log.read_text()[-2000:]) from None
                time.sleep(0.02)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
