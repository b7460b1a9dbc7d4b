"""A store in a PostgreSQL database: a few connections for each process, one writer at a time, bounded waiting.

One writer at a time, over all processes, by an advisory lock that the commit releases: effects are then as alone
as on SQLite, and announcements become visible in the order of their numbers. Group commit keeps that cheap.
Messages of the server are never repeated: they quote what was written.
"""

import logging
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any

from pg8000 import dbapi
from pg8000.converters import make_params
from pg8000.core import CoreConnection

from sidecar.adapters.sql.database import Row
from sidecar.adapters.sql.postgres_address import PostgresAddress
from sidecar.domain.errors import ConfigurationError, InvalidInputError, StoreUnavailableError

log = logging.getLogger("tillit.store")

_CONNECT_S = 3.0
_STATEMENT_MS = 5_000  # a store that takes longer counts as down: somebody is waiting
_ANSWER_S = 8.0  # the server gives up first, so that it can say why
_ABANDONED_MS = 15_000  # a process that stands still inside a transaction loses the write lock
_READERS = 8  # connections to read with, for each process and store
_BREATH_S = 1.0  # after a failure to connect nobody tries again for this long: threads are not to pile up
_STATEMENTS = 200  # prepared for each connection
_SETTLE_S = 2.0  # for a server that was lost while it committed
_LOCK = 0x74696C6C  # "till": the one lock of a store's database

# SQLSTATE classes after which the connection or the server is not to be relied on: connection, resources,
# intervention (a timeout is one), system, internal; then lock timeout, read-only server, abandoned transaction,
# deadlock, and plans that a newer version's migration made stale.
_FATAL_CLASSES = frozenset({"08", "28", "3D", "53", "57", "58", "XX"})
_FATAL_STATES = frozenset({"55P03", "25006", "25P03", "40001", "40P01", "0A000", "26000"})

# The migrations are written in SQLite's words. COLLATE "C": text is compared byte by byte there, whatever the
# database's language; times and ids rely on it.
_WORDS = (
    (re.compile(r"\bINTEGER PRIMARY KEY AUTOINCREMENT\b"), "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    (re.compile(r"\bTEXT\b"), 'TEXT COLLATE "C"'),
    (re.compile(r"\bBLOB\b"), "BYTEA"),
)


class DatabaseDownError(Exception):
    """The database does not answer, or not in a way to rely on. Its text holds no data."""


class Rows:
    """What a statement brought. rowcount: rows it changed."""

    def __init__(self, columns: Sequence[Mapping[str, Any]] | None, rows: Sequence[Sequence[Any]] | None, count: int):
        names = [column["name"] for column in columns or ()]
        self._rows = [dict(zip(names, row, strict=True)) for row in rows or ()] if names else []
        self.rowcount = count

    def fetchone(self) -> Row | None:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Row]:
        return self._rows


class PostgresConnection:
    """One connection, spoken to as one speaks to sqlite3: `?` for values, columns by name."""

    def __init__(self, address: PostgresAddress) -> None:
        self.transaction = ""  # the number of the one that is running
        self._address = address
        self._prepared: dict[str, Any] = {}
        try:
            self._wire: CoreConnection = _connect(address)
        except (dbapi.Error, OSError, struct.error, ssl.SSLError) as error:
            raise DatabaseDownError(_why(error)) from error

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Rows:
        """Run one statement, or several without values.

        Raises DatabaseDownError, dbapi.DatabaseError, and InvalidInputError for a text no column can hold.
        """
        values = [each.value if isinstance(each, Enum) else each for each in parameters]
        if any(map(_holds_null, values)):
            raise InvalidInputError("A text holds a null character.", field="text")
        try:
            found = self._run_prepared(sql, values) if values else self._wire.execute_simple(sql)
        except dbapi.DatabaseError as error:
            state = _state(error)
            if state[:2] in _FATAL_CLASSES or state in _FATAL_STATES:
                raise DatabaseDownError(f"SQLSTATE {state}") from error
            raise
        except (dbapi.Error, OSError, struct.error, AttributeError) as error:  # what a cut line looks like here
            raise DatabaseDownError(_why(error)) from error
        return Rows(found.columns, found.rows, found.row_count)

    def close(self) -> None:
        try:
            self._wire.close()
        except (dbapi.Error, OSError, struct.error, AttributeError):
            return  # it was gone already

    def _run_prepared(self, sql: str, values: Sequence[object]) -> Any:
        """Run by a statement the server has parsed before: one round trip instead of three."""
        if sql not in self._prepared:
            if len(self._prepared) >= _STATEMENTS:
                self._wire.close_prepared_statement(self._prepared.pop(next(iter(self._prepared)))[0])
            self._prepared[sql] = self._wire.prepare_statement(_numbered(sql), ())
        name, columns, input_funcs = self._prepared[sql]
        params = make_params(self._wire.py_types, values)
        return self._wire.execute_named(name, params, columns, input_funcs, sql)


class PostgresEngine:
    """One database of a server, version 13 or newer."""

    fatal: tuple[type[Exception], ...] = (DatabaseDownError,)
    failures: tuple[type[Exception], ...] = (DatabaseDownError, dbapi.Error)

    def __init__(self, address: PostgresAddress, *, store: str) -> None:
        self.name = store
        self._address = address
        self._free: list[PostgresConnection] = []
        self._free_lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_READERS)
        self._down_until = 0.0
        self._is_down = False

    def migrate(self, migrations: Sequence[str]) -> None:
        connection: PostgresConnection | None = None
        try:
            connection = self.begin(None)
            connection.execute("CREATE TABLE IF NOT EXISTS tillit_store (name TEXT NOT NULL, version INTEGER NOT NULL)")
            row = connection.execute("SELECT name, version FROM tillit_store").fetchone()
            if row is None:
                connection.execute("INSERT INTO tillit_store VALUES (?,0)", (self.name,))
            elif row["name"] != self.name:
                raise ConfigurationError(
                    f"The database {self._address} holds the store {row['name']}, so {self.name} cannot lie there."
                )
            done = int(row["version"]) if row else 0
            for script in migrations[done:]:
                for statement in filter(None, map(str.strip, script.split(";"))):
                    connection.execute(in_postgres_words(statement))
            if len(migrations) > done:  # a newer version's are left as they are
                connection.execute("UPDATE tillit_store SET version=?", (len(migrations),))
            self.commit(connection)
        except (DatabaseDownError, dbapi.Error) as error:
            raise StoreUnavailableError(f"{self.name}: {self._address} {_why(error)}") from error
        finally:
            if connection is not None:
                connection.close()

    def read(self, sql: str, args: Sequence[object]) -> list[Row]:
        if any(map(_holds_null, args)):
            return []  # somebody's odd link: there is no such row, and the server would call it an error
        if not self._places.acquire(timeout=_ANSWER_S):
            raise StoreUnavailableError(f"{self.name}: every connection is busy")
        try:
            return self._read(sql, args)
        except (DatabaseDownError, dbapi.Error) as error:
            raise StoreUnavailableError(f"{self.name}: {_why(error)}") from error
        finally:
            self._places.release()

    def begin(self, previous: PostgresConnection | None) -> PostgresConnection:
        if previous is not None:
            try:
                return _begin(previous)
            except DatabaseDownError:
                previous.close()  # a server that was restarted since: what follows says whether it is back
        return _begin(self._connect())

    def commit(self, connection: PostgresConnection) -> None:
        try:
            connection.execute("COMMIT")
        except DatabaseDownError:
            # The line broke before the answer. Only the server knows whether it committed, so it is asked.
            if not self._was_committed(connection.transaction):
                raise

    def roll_back(self, connection: PostgresConnection) -> None:
        try:
            connection.execute("ROLLBACK")
        except (DatabaseDownError, dbapi.Error):
            connection.close()  # the server rolls back by itself

    def close(self, connection: PostgresConnection | None = None) -> None:
        if connection is not None:
            connection.close()
            return
        with self._free_lock:
            free, self._free = self._free, []
        for each in free:
            each.close()

    def _read(self, sql: str, args: Sequence[object]) -> list[Row]:
        with self._free_lock:
            connection = self._free.pop() if self._free else None
        if connection is not None:
            try:
                return self._read_with(connection, sql, args)
            except DatabaseDownError:
                self.close()  # the others are as old: a server that was restarted cut them all
        return self._read_with(self._connect(), sql, args)

    def _read_with(self, connection: PostgresConnection, sql: str, args: Sequence[object]) -> list[Row]:
        try:
            found = connection.execute(sql, args).fetchall()
        except BaseException:
            connection.close()
            raise
        with self._free_lock:
            self._free.append(connection)
        return found

    def _connect(self) -> PostgresConnection:
        if time.monotonic() < self._down_until:
            raise DatabaseDownError("could not be reached a moment ago")
        try:
            connection = PostgresConnection(self._address)
        except DatabaseDownError as error:
            self._down_until = time.monotonic() + _BREATH_S
            if not self._is_down:
                self._is_down = True
                log.error("database cannot be reached", extra={"store": self.name, "reason": str(error)})
            raise
        if self._is_down:
            self._is_down = False
            log.info("database is back", extra={"store": self.name})
        return connection

    def _was_committed(self, transaction: str) -> bool:
        until = time.monotonic() + _SETTLE_S
        while time.monotonic() < until:
            try:
                outcome = self._outcome(transaction)
            except DatabaseDownError:  # it may be recovering from what cut us off
                outcome = "in progress"
            if outcome != "in progress":
                return outcome == "committed"
            time.sleep(_SETTLE_S / 40)
        return False

    def _outcome(self, transaction: str) -> str:
        connection = PostgresConnection(self._address)
        try:
            row = connection.execute("SELECT pg_xact_status(CAST(? AS xid8)) AS outcome", (transaction,)).fetchone()
        finally:
            connection.close()
        return str(row["outcome"]) if row else ""


def in_postgres_words(statement: str) -> str:
    """Return a statement of the migrations as PostgreSQL spells it.

    Each table gets a last column `rowid`, which SQLite has of itself: the order in which rows came.
    """
    for pattern, word in _WORDS:
        statement = pattern.sub(word, statement)
    if statement.startswith("CREATE TABLE") and statement.endswith(")"):
        return f"{statement[:-1]}, rowid BIGINT GENERATED ALWAYS AS IDENTITY)"
    return statement


def _begin(connection: PostgresConnection) -> PostgresConnection:
    # One round trip: begin, wait for one's turn, and learn the transaction's number.
    found = connection.execute(
        f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK})::text || pg_current_xact_id()::text AS number"
    ).fetchone()
    connection.transaction = str(found["number"]) if found else ""
    return connection


def _connect(address: PostgresAddress) -> CoreConnection:
    password = address.password_file.read_text("utf-8").strip() if address.password_file else None
    if address.socket:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(_CONNECT_S)
        line.connect(address.socket)
    else:
        line = socket.create_connection((address.host, address.port), _CONNECT_S)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        line.settimeout(_ANSWER_S)
        context = ssl.create_default_context(cafile=address.ca_file) if address.verified else False
        return CoreConnection(
            address.user,
            host=address.host,
            database=address.database,
            password=password,
            ssl_context=context,
            sock=line,
            application_name="tillit",
            startup_params={
                "statement_timeout": str(_STATEMENT_MS),
                "idle_in_transaction_session_timeout": str(_ABANDONED_MS),
                "synchronous_commit": "on",
                "default_transaction_isolation": "read committed",
                "TimeZone": "UTC",
            },
        )
    except BaseException:
        line.close()
        raise


@cache
def _numbered(sql: str) -> str:
    """Return the statement with $1, $2 for each `?`. None of ours has a question mark in a text."""
    first, *rest = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, start=1))


def _holds_null(value: object) -> bool:
    return isinstance(value, str) and "\0" in value


def _state(error: dbapi.Error) -> str:
    told = error.args[0] if error.args else None
    return str(told.get("C", "")) if isinstance(told, dict) else ""


def _why(error: Exception) -> str:
    """Return what is wrong in words of our own, or the server's five signs for it."""
    if isinstance(error, DatabaseDownError):
        return str(error)
    state = _state(error) if isinstance(error, dbapi.Error) else ""
    return f"SQLSTATE {state}" if state else f"does not answer ({type(error.__cause__ or error).__name__})"
