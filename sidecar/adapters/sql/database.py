"""One SQLite database: connections per thread, migrations, durable writes that share their fsync."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from sidecar.domain.errors import StoreUnavailableError

T = TypeVar("T")
Row = sqlite3.Row

_BUSY_S = 5.0  # another process holds the write lock for milliseconds; longer means trouble
_LOOK_S = 0.0003  # between looks while another process commits, which takes it about as long
_BATCH = 64  # effects that share one commit at the most


class _Pending(Generic[T]):
    """One effect that waits for its commit."""

    def __init__(self, effect: Callable[[sqlite3.Connection], T]) -> None:
        self.effect = effect
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None


class Database:
    """A store's database. `read` sees committed state; `write` is durable (fsynced) when it returns.

    Writes that arrive together are committed together: each in a savepoint of its own, so that one
    that fails is undone alone, with a single fsync for all of them.
    """

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        self._path = path
        self._local = threading.local()
        self._queue: list[_Pending[Any]] = []
        self._queue_lock = threading.Lock()
        self._writer_lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None  # used under its lock only
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._migrate(migrations)

    def read(self, sql: str, *args: object) -> list[Row]:
        """Return all rows of one SELECT."""
        try:
            return self._connection().execute(sql, args).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"{self._path.name}: {error}") from error

    def read_one(self, sql: str, *args: object) -> Row | None:
        rows = self.read(sql, *args)
        return rows[0] if rows else None

    def write(self, effect: Callable[[sqlite3.Connection], T]) -> T:
        """Run the effect in a transaction, return its result once it is on disk.

        What the effect raises is raised here, and nothing of it stays. Raises StoreUnavailableError.
        """
        pending = _Pending(effect)
        with self._queue_lock:
            self._queue.append(pending)
        with self._writer_lock:
            while not pending.done:  # a batch is bounded: ours may be the next one
                self._commit_batch()
        if pending.error is not None:
            raise pending.error
        return pending.result  # type: ignore[return-value]  # set by the batch when there is no error

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed. Cheap: no page is read."""
        return int(self._connection().execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close this thread's connection, and the one that writes."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None
        with self._writer_lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _commit_batch(self) -> None:
        with self._queue_lock:
            batch, self._queue = self._queue[:_BATCH], self._queue[_BATCH:]
        try:
            if self._writer is None:
                self._writer = self._connect(busy_s=0.0, check_same_thread=False)
            connection = self._writer
            _patiently(connection, "BEGIN IMMEDIATE")
            try:
                for pending in batch:
                    self._run_one(connection, pending)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has rolled back by itself
                    connection.execute("ROLLBACK")
                raise
        except BaseException as error:
            # Nothing of the batch is on disk, so nobody in it may be told that it is.
            for pending in batch:
                pending.error = StoreUnavailableError(f"{self._path.name}: {error}")
            if not isinstance(error, sqlite3.Error | StoreUnavailableError):
                raise
        finally:
            for pending in batch:
                pending.done = True

    @staticmethod
    def _run_one(connection: sqlite3.Connection, pending: _Pending[Any]) -> None:
        connection.execute("SAVEPOINT act")
        try:
            pending.result = pending.effect(connection)
            connection.execute("RELEASE act")
        except sqlite3.OperationalError:
            raise  # disk full, locked, read-only: nothing in this batch is certain
        except Exception as error:  # an effect's own failure: raised to its own caller, and the others go on
            connection.execute("ROLLBACK TO act")
            connection.execute("RELEASE act")
            pending.error = error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            try:
                connection = self._local.connection = self._connect(busy_s=_BUSY_S)
            except sqlite3.Error as error:
                raise StoreUnavailableError(f"{self._path.name}: {error}") from error
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

    def _migrate(self, migrations: Sequence[str]) -> None:
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
            raise StoreUnavailableError(f"{self._path.name}: {error}") from error


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
