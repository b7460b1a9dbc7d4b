"""A PostgreSQL server of the machine's own package, in a private folder, for as long as a test run lasts."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pg8000 import dbapi

from tests.servers.ports import free_port

_START_S = 90.0


def postgres_folder() -> Path | None:
    """Return the folder of the server's programs, the newest version's; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    here = shutil.which("postgres")
    return Path(here).resolve().parent if here else None


@dataclass
class Postgres:
    """One server, on loopback, with a password. `stop` and `start` keep its data."""

    folder: Path
    programs: Path
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_hex(12))
    process: subprocess.Popen[bytes] | None = None
    settings: Sequence[str] = ()

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    def make(self) -> None:
        self.password_file.write_text(self.password)
        self.password_file.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(self.password_file, "nobody")
        subprocess.run(
            [
                *(self.programs / "initdb", "-D", self.folder / "data", "-U", "tillit", "--auth=scram-sha-256"),
                *("--pwfile", self.password_file, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            **self._as_nobody(),
        )

    def start(self) -> None:
        """Start and wait until it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "off",  # a test's data may go with the machine
            "max_connections": "60",
            "shared_buffers": "16MB",
            **dict(each.split("=", 1) for each in self.settings),
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen(
            [self.programs / "postgres", "-D", self.folder / "data", *arguments],
            stdout=(self.folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
            **self._as_nobody(),
        )
        deadline = time.monotonic() + _START_S
        while True:
            try:
                self.connect("postgres").close()
                return
            except dbapi.Error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()[-2000:]) from None
                time.sleep(0.05)

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stop: at once, cutting everybody off, but in order (SIGINT), or as after a crash (SIGQUIT)."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(90)
            self.process = None

    def connect(self, database: str) -> Any:
        connection = dbapi.connect(
            "tillit", host="127.0.0.1", port=self.port, password=self.password, database=database, ssl_context=False
        )
        connection.autocommit = True
        return connection

    def run(self, database: str, sql: str, *values: object) -> list[Any]:
        """Run one statement past the product and return its rows."""
        connection = self.connect(database)
        try:
            cursor = connection.cursor()
            cursor.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def new_database(self) -> str:
        """Return the name of an empty database."""
        name = f"t{secrets.token_hex(6)}"

        self.run("postgres", f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
        return name

    def url(self, database: str) -> str:
        return f"postgresql://tillit@127.0.0.1:{self.port}/{database}?password_file={self.password_file}"

    def take_certificate(self, key: Path, certificate: Path) -> None:
        """Speak TLS from now on."""
        for source, name in ((key, "server.key"), (certificate, "server.crt")):
            target = self.folder / "data" / name
            target.write_bytes(source.read_bytes())
            target.chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(target, "nobody", "nogroup")
        self.settings = [*self.settings, "ssl=on"]
        self.stop()
        self.start()

    @staticmethod
    def _as_nobody() -> dict[str, Any]:
        """The server refuses to run as root."""
        return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


@contextmanager
def running_postgres(*settings: str) -> Iterator[Postgres]:
    """A server with these settings ("name=value") and nothing in it."""
    programs = postgres_folder()
    assert programs is not None, "PostgreSQL is not installed"
    folder = Path(tempfile.mkdtemp(prefix="tillit-pg-"))  # not pytest's own, which nobody but root may enter
    server = Postgres(folder, programs, settings=settings)
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody", "nogroup")
        server.make()
        server.start()
        yield server
    finally:
        with suppress(subprocess.TimeoutExpired):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
