"""Finds a meeting's entries: a derived side file, caught up when it is read and made anew when in doubt."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sidecar.adapters.audit_files.segments import meeting_of, walk
from sidecar.adapters.audit_files.state import End

_FORM = 1
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_SCHEMA = """
create table entries (
  meeting text not null, at integer not null,
  segment integer not null, offset integer not null, length integer not null,
  primary key (meeting, at)
) without rowid;
create table progress (
  one integer primary key check (one = 1),
  next integer not null, segment integer not null, offset integer not null
);
insert into progress values (1, 0, 0, 0);
"""


@dataclass(frozen=True)
class Place:
    """Where an entry lies: its index, its segment's first index, offset and length in bytes."""

    index: int
    segment: int
    offset: int
    length: int


class MeetingIndex:
    """Index by meeting, in SQLite without any syncing: what a crash takes from it is read again."""

    def __init__(self, directory: Path, segment_entries: int) -> None:
        self._directory = directory
        self._segment_entries = segment_entries
        self._path = directory / "index.sqlite"
        self._mutex = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def places(self, meeting: str, end: End) -> list[Place]:
        """Return where the meeting's entries lie, up to `end`, in the order of the log."""
        with self._mutex:
            try:
                return self._places(meeting, end)
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) in _BUSY:
                    raise  # another process is catching up: its index is good, and not ours to remove
                self._remove()
                return self._places(meeting, end)

    def forget(self) -> None:
        """Make the index anew at the next look: what it pointed at was not there."""
        with self._mutex:
            self._remove()

    def close(self) -> None:
        with self._mutex:
            self._close()

    def _places(self, meeting: str, end: End) -> list[Place]:
        database = self._opened()
        if self._progress(database)[0] > end.size:  # the log was restored from a copy, or this file was not
            self._remove()
            database = self._opened()
        self._catch_up(database, end)
        rows = database.execute(
            "select at, segment, offset, length from entries where meeting = ? order by at", (meeting,)
        )
        return [Place(*row) for row in rows]

    def _catch_up(self, database: sqlite3.Connection, end: End) -> None:
        if self._progress(database)[0] == end.size:
            return
        with _transaction(database):
            index, segment, offset = self._progress(database)  # another process may have been faster
            while index < end.size:
                stop = min(end.size, segment + self._segment_entries)
                for line in walk(self._directory, segment, index=index, offset=offset, stop=stop):
                    offset = line.offset + line.length
                    meeting = meeting_of(line)
                    if meeting is not None:
                        row = (meeting, line.index, segment, line.offset, line.length)
                        database.execute("insert or replace into entries values (?, ?, ?, ?, ?)", row)
                index = stop
                if index == segment + self._segment_entries:
                    segment, offset = index, 0
            database.execute("update progress set next = ?, segment = ?, offset = ?", (index, segment, offset))

    @staticmethod
    def _progress(database: sqlite3.Connection) -> tuple[int, int, int]:
        index, segment, offset = database.execute("select next, segment, offset from progress").fetchone()
        return index, segment, offset

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = sqlite3.connect(self._path, timeout=10, isolation_level=None, check_same_thread=False)
            self._database.execute("pragma synchronous = off")
            if self._form() == _FORM:
                return self._database  # without a lock: every process opens it, and one makes it
            with _transaction(self._database):
                if self._form() != _FORM:
                    for statement in _SCHEMA.split(";\n"):
                        self._database.execute(statement)
                    self._database.execute(f"pragma user_version = {_FORM}")
        return self._database

    def _form(self) -> int:
        assert self._database is not None
        return int(self._database.execute("pragma user_version").fetchone()[0])

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _remove(self) -> None:
        with suppress(sqlite3.Error):
            self._close()
        self._database = None
        for ending in ("", "-wal", "-shm", "-journal"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("begin immediate")
    try:
        yield
    except BaseException:
        database.execute("rollback")
        raise
    database.execute("commit")
