"""A store in one SQLite file: a connection for each thread, WAL, and a writer that does not sleep while it waits."""

import sqlite3
import threading
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
        self._local = threading.local()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def migrate(self, migrations: Sequence[str]) -> None:
        connection = self._connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            done = int(connection.execute("PRAGMA user_version").fetchone()[0])
            for number, script in enumerate(migrations[done:], start=done + 1):
                for statement in filter(str.strip, script.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"{self.name}: {error}") from error

    def read(self, sql: str, args: Sequence[object]) -> list[Row]:
        try:
            return self._connection().execute(sql, tuple(args)).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"{self.name}: {error}") from error

    def begin(self, previous: sqlite3.Connection | None) -> sqlite3.Connection:
        connection = previous or self._connect(busy_s=0.0, check_same_thread=False)
        _patiently(connection, "BEGIN IMMEDIATE")
        return connection

    def commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")

    def roll_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:  # a full disk has rolled back by itself
            connection.execute("ROLLBACK")

    def close(self, connection: sqlite3.Connection | None = None) -> None:
        if connection is None:
            connection, self._local.connection = getattr(self._local, "connection", None), None
        if connection is not None:
            connection.close()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            try:
                connection = self._local.connection = self._connect(busy_s=_BUSY_S)
            except sqlite3.Error as error:
                raise StoreUnavailableError(f"{self.name}: {error}") from error
        return connection

    def _connect(self, *, busy_s: float, check_same_thread: bool = True) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=check_same_thread
        )
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
