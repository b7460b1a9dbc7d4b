"""A store in one SQLite file: a connection for each read under way, WAL, and a writer that waits without sleeping long.

A connection holds three files open and a cache of pages. So there are as many as ever read at once, not as many as
threads, and the one used last is taken first: of 64 threads a few are busy, and its pages are still at hand.
"""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from sidecar.adapters.sql.database import Row
from sidecar.domain.errors import StoreUnavailableError

_BUSY_S = 5.0  # another process holds the write lock for milliseconds; longer means trouble
_LOOK_S = 0.0003  # between looks while another process commits, which takes it about as long


class SqliteEngine:
    """One file, made where it is missing. Processes of one machine may share it."""

    fatal: tuple[type[Exception], ...] = (sqlite3.OperationalError,)  # disk full, locked, read-only
    failures: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._idle: list[sqlite3.Connection] = []  # whoever reads takes one off the end: each list method is one step
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def migrate(self, migrations: Sequence[str]) -> None:
        connection = self._take()
        try:
            connection.execute("BEGIN IMMEDIATE")
            done = int(connection.execute("PRAGMA user_version").fetchone()[0])
            for number, script in enumerate(migrations[done:], start=done + 1):
                for statement in filter(str.strip, script.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            connection.close()
            raise StoreUnavailableError(f"{self.name}: {error}") from error
        self._idle.append(connection)

    def read(self, sql: str, args: Sequence[object]) -> list[Row]:
        connection = self._take()
        try:
            rows: list[Row] = connection.execute(sql, tuple(args)).fetchall()
        except sqlite3.Error as error:
            connection.close()
            raise StoreUnavailableError(f"{self.name}: {error}") from error
        self._idle.append(connection)
        return rows

    def begin(self, previous: sqlite3.Connection | None) -> sqlite3.Connection:
        connection = previous or self._connect(busy_s=0.0)
        _patiently(connection, "BEGIN IMMEDIATE")
        return connection

    def commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")

    def roll_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:  # a full disk has rolled back by itself
            connection.execute("ROLLBACK")

    def close(self, connection: sqlite3.Connection | None = None) -> None:
        if connection is not None:
            connection.close()
            return
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        """Return a connection nobody else uses. Raises StoreUnavailableError."""
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._connect(busy_s=_BUSY_S)
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"{self.name}: {error}") from error

    def _connect(self, *, busy_s: float) -> sqlite3.Connection:
        # One thread after another uses it, never two at once.
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        _patiently(connection, "PRAGMA journal_mode = WAL")  # SQLite does not wait here when others start too
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}")
        return connection


def _patiently(connection: sqlite3.Connection, sql: str) -> None:
    """Run what needs the database's lock. Raises sqlite3.OperationalError when others keep it too long.

    SQLite's own waiting sleeps longer from look to look, up to 100 ms, while a commit takes a fraction of one.
    """
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute(sql)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(_LOOK_S)
