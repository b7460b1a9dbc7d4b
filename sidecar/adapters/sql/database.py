"""One store's database: durable writes that share their commit, on whichever engine keeps the data.

The engines (`sqlite_engine.py`, `postgres_engine.py`) know how one connects, takes the write lock and commits.
Everything above them speaks the SQL both understand, with `?` for values and columns by name.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from sidecar.domain.errors import StoreUnavailableError

T = TypeVar("T")
Row = Any  # row["column"]: sqlite3.Row or a dict

_BATCH = 64  # effects that share one commit at the most


class Connection(Protocol):
    """A connection inside a transaction, as an effect sees it: sqlite3.Connection, PostgresConnection."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Any:
        """Run one statement. What it returns has `rowcount`, `fetchone()` and `fetchall()`."""


class Engine(Protocol):
    """A place data is kept: sqlite_engine.SqliteEngine, postgres_engine.PostgresEngine.

    name: the store's in messages. fatal: after one of these nothing of a batch is certain.
    failures: all that its driver raises.
    """

    name: str
    fatal: tuple[type[Exception], ...]
    failures: tuple[type[Exception], ...]

    def migrate(self, migrations: Sequence[str]) -> None:
        """Bring the tables up to date, one process at a time. Raises StoreUnavailableError."""

    def read(self, sql: str, args: Sequence[object]) -> list[Row]:
        """Return all rows of one SELECT over what is committed. Raises StoreUnavailableError."""

    def begin(self, previous: Any | None) -> Any:
        """Return a connection in a transaction that is the store's only writer. previous: the last one used."""

    def commit(self, connection: Any) -> None:
        """Return once it is on disk, and raise only where it is not."""

    def roll_back(self, connection: Any) -> None:
        """Undo what was not committed. Never raises."""

    def close(self, connection: Any | None = None) -> None:
        """Close one connection, or all that this thread may close."""


class _Pending(Generic[T]):
    """One effect that waits for its commit."""

    def __init__(self, effect: Callable[[Any], T]) -> None:
        self.effect = effect
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None


class Database:
    """A store's database. `read` sees committed state; `write` is durable (fsynced) when it returns.

    Writes that arrive together are committed together: each in a savepoint of its own, so that one
    that fails is undone alone, with a single fsync for all of them.
    """

    def __init__(self, engine: Engine, migrations: Sequence[str]) -> None:
        self._engine = engine
        self._queue: list[_Pending[Any]] = []
        self._queue_lock = threading.Lock()
        self._writer_lock = threading.Lock()
        self._writer: Any | None = None  # used under its lock only
        engine.migrate(migrations)

    def read(self, sql: str, *args: object) -> list[Row]:
        """Return all rows of one SELECT. Raises StoreUnavailableError."""
        return self._engine.read(sql, args)

    def read_one(self, sql: str, *args: object) -> Row | None:
        rows = self.read(sql, *args)
        return rows[0] if rows else None

    def write(self, effect: Callable[[Any], T]) -> T:
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

    def close(self) -> None:
        """Close this thread's connections, and the one that writes."""
        self._engine.close()
        with self._writer_lock:
            self._drop_writer()

    def _commit_batch(self) -> None:
        with self._queue_lock:
            batch, self._queue = self._queue[:_BATCH], self._queue[_BATCH:]
        try:
            connection = self._writer = self._engine.begin(self._writer)
            try:
                if self._run(connection, batch):
                    self._engine.commit(connection)
                else:
                    self._engine.roll_back(connection)
            except BaseException:
                self._engine.roll_back(connection)
                raise
        except BaseException as error:
            self._drop_writer()
            # Nothing of the batch is on disk, so nobody in it may be told that it is.
            for pending in batch:
                pending.error = StoreUnavailableError(f"{self._engine.name}: {error}")
            if not isinstance(error, (*self._engine.failures, StoreUnavailableError)):
                raise
        finally:
            for pending in batch:
                pending.done = True

    def _run(self, connection: Any, batch: list[_Pending[Any]]) -> bool:
        """Run a batch's effects. Return whether there is anything to commit."""
        if len(batch) > 1:
            for pending in batch:
                self._run_guarded(connection, pending)
            return True
        # Alone in its transaction an effect needs no savepoint: two round trips less, where a network is between.
        [pending] = batch
        try:
            pending.result = pending.effect(connection)
        except self._engine.fatal:
            raise
        except Exception as error:
            pending.error = error
        return pending.error is None

    def _run_guarded(self, connection: Any, pending: _Pending[Any]) -> None:
        connection.execute("SAVEPOINT act")  # hides the one before; the commit releases them all
        try:
            pending.result = pending.effect(connection)
        except self._engine.fatal:
            raise  # disk full, locked, read-only, gone: nothing in this batch is certain
        except Exception as error:  # an effect's own failure: raised to its own caller, and the others go on
            connection.execute("ROLLBACK TO act")
            pending.error = error

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._engine.close(self._writer)
            self._writer = None
