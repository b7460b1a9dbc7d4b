"""Moves a store from its SQLite file into an empty PostgreSQL database: every row, in order, checked before it counts.

The file is taken for this alone: while another process has it open nothing is moved. What was copied is read back
and compared by digest inside the one transaction that brings it, so a move that fails leaves an empty database and
an untouched file. Afterwards the file has another name, so that nobody goes on with it by mistake.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar.adapters.sql.opening import open_database
from sidecar.adapters.sql.postgres_address import PostgresAddress
from sidecar.adapters.sql.postgres_engine import PostgresConnection, PostgresEngine
from sidecar.domain.errors import ConfigurationError, ConflictError, InvalidInputError, StoreUnavailableError

_BATCH = 40  # rows a statement
_PAGE = 2000  # rows read back at once
_ASIDE = ".moved"  # what the file's name ends with afterwards


@dataclass(frozen=True)
class Table:
    """One table. numbered: its column that counts by itself, "" for none."""

    name: str
    columns: tuple[str, ...]
    numbered: str


@dataclass(frozen=True)
class Moved:
    """What was moved. rows: by table, in the order they were copied. aside: what the file is called now."""

    store: str
    rows: dict[str, int]
    file: Path

    @property
    def aside(self) -> Path:
        return self.file.with_name(self.file.name + _ASIDE)


def move_store(file: Path, place: PostgresAddress, migrations: Sequence[str], *, store: str) -> Moved:
    """Copy a store and put its file aside. store: its name, as "meetings".

    Raises ConflictError (the file is in use, or the database holds something), ConfigurationError (there is no
    file), StoreUnavailableError.
    """
    if not file.exists():
        raise ConfigurationError(f"There is no {file}, so there is nothing to move.")
    open_database(file, migrations, store=store).close()  # the file's tables may be of an older version
    engine = PostgresEngine(place, store=store)
    engine.migrate(migrations)
    with closing(_alone(file)) as source:
        rows = _copied(source, engine, place)
    moved = Moved(store, rows, file)
    file.rename(moved.aside)
    return moved


def _alone(file: Path) -> sqlite3.Connection:
    """Open the file for ourselves alone. In WAL mode whoever has it open holds a lock that stands in the way."""
    source = sqlite3.connect(file, isolation_level=None, timeout=0.5)
    source.row_factory = sqlite3.Row
    try:
        source.execute("PRAGMA journal_mode = DELETE")  # which also brings what lies in the log file into it
        source.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        source.close()
        raise ConflictError(f"{file.name} is in use. Stop web and worker, then move.") from error
    return source


def _copied(source: sqlite3.Connection, engine: PostgresEngine, place: PostgresAddress) -> dict[str, int]:
    tables = _tables(source)
    target = engine.begin(None)
    try:
        for table in tables:
            if _count(target, table):
                raise ConflictError(f"The database {place} holds rows in {table.name} already. Name an empty one.")
        for table in tables:
            _copy(source, target, table)
            if _digest(_rows_of(source, table)) != _digest(_rows_of(target, table)):
                raise StoreUnavailableError(f"{engine.name}: {table.name} did not arrive as it was; nothing was moved")
        rows = {table.name: _count(target, table) for table in tables}
        engine.commit(target)
    except InvalidInputError as error:
        engine.roll_back(target)
        words = f"{table.name} holds a text with a null character, which PostgreSQL keeps in no column."
        raise ConfigurationError(words) from error
    except engine.failures as error:
        engine.roll_back(target)
        raise StoreUnavailableError(f"{engine.name}: the database {place} did not take it ({error})") from error
    except BaseException:
        engine.roll_back(target)
        raise
    finally:
        target.close()
    return rows


def _tables(source: sqlite3.Connection) -> list[Table]:
    """Return the tables in the order they were made, which is the one their references need."""
    made = source.execute(
        "SELECT name, sql FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%' ORDER BY rowid"
    )
    found = []
    for row in made.fetchall():
        columns = tuple(each["name"] for each in source.execute(f"PRAGMA table_info({row['name']})"))
        found.append(Table(row["name"], columns, columns[0] if "AUTOINCREMENT" in row["sql"] else ""))
    return found


def _copy(source: sqlite3.Connection, target: PostgresConnection, table: Table) -> None:
    names, one = ", ".join(table.columns), f"({','.join('?' * len(table.columns))})"
    own = " OVERRIDING SYSTEM VALUE" if table.numbered else ""
    batch: list[Sequence[Any]] = []

    def send() -> None:
        if batch:
            every = ",".join([one] * len(batch))
            sql = f"INSERT INTO {table.name} ({names}){own} VALUES {every}"  # noqa: S608 - names of our own tables
            target.execute(sql, [value for row in batch for value in row])
            batch.clear()

    for row in _rows_of(source, table):
        batch.append(row)
        if len(batch) == _BATCH:
            send()
    send()
    if table.numbered:
        last = source.execute("SELECT seq FROM sqlite_sequence WHERE name=?", (table.name,)).fetchone()
        if last is not None:  # numbers go on where they were, also where the last rows are gone
            target.execute(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', '{table.numbered}'), {int(last['seq'])})"
            )


def _rows_of(connection: Any, table: Table) -> Iterable[Sequence[Any]]:
    """Yield a table's rows in the order they came, page by page."""
    after = 0
    while True:
        page = connection.execute(
            f"SELECT rowid AS place, {', '.join(table.columns)} FROM {table.name}"  # noqa: S608
            " WHERE rowid > ? ORDER BY rowid LIMIT ?",
            (after, _PAGE),
        ).fetchall()
        for row in page:
            yield [row[column] for column in table.columns]
        if len(page) < _PAGE:
            return
        after = page[-1]["place"]


def _count(target: PostgresConnection, table: Table) -> int:
    row = target.execute(f"SELECT count(*) AS many FROM {table.name}").fetchone()  # noqa: S608
    return int(row["many"]) if row else 0


def _digest(rows: Iterable[Sequence[Any]]) -> str:
    told = hashlib.sha256()
    for row in rows:
        for value in row:
            data = bytes(value) if isinstance(value, bytes | bytearray | memoryview) else str(value).encode()
            kind = b"n" if value is None else b"b" if isinstance(value, bytes | bytearray | memoryview) else b"t"
            told.update(kind + len(data).to_bytes(8, "big") + data)
        told.update(b"\n")
    return told.hexdigest()
