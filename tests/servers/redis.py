"""A Redis of the machine's own package, in a private folder, for as long as a test run lasts."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from tests.servers.ports import free_port

_START_S = 60.0


def has_redis() -> bool:
    return shutil.which("redis-server") is not None


@dataclass
class Redis:
    """One server, on loopback, with a password. `stop` and `start` keep its port."""

    folder: Path
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_hex(12))
    settings: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def password_file(self) -> Path:
        return self.folder / "redis-password"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0?password_file={self.password_file}"

    def start(self) -> None:
        """Start and wait until it answers."""
        self.password_file.write_text(self.password)
        self.password_file.chmod(0o600)
        config = self.folder / "redis.conf"
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"requirepass {self.password}",
            'save ""',
            "appendonly no",
            f"dir {self.folder}",
            *self.settings,
        ]
        config.write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen(
            ["redis-server", config], stdout=(self.folder / "redis.log").open("ab"), stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + _START_S
        while True:
            try:
                self.client().ping()
                return
            except redis.RedisError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "redis.log").read_text()[-2000:]) from None
                time.sleep(0.02)

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            if how != signal.SIGSTOP:
                self.process.wait(60)
                self.process = None

    def go_on(self) -> None:
        """Let one that was stopped with SIGSTOP go on."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, password=self.password, socket_timeout=30)


@contextmanager
def running_redis(folder: Path, *settings: str) -> Iterator[Redis]:
    server = Redis(folder, settings=settings)
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGKILL)
