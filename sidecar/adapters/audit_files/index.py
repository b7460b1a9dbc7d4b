"""Finds a meeting's entries: a derived side file, caught up when it is read and made anew when in doubt."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sidecar.adapters.audit_files.segments import meeting_of, walk
from sidecar.adapters.audit_files.state import End

_FORM = 1
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)  # primary codes: the low byte of an extended one
_WAIT_S = 1.0  # for another process that is catching up; after that the log's tail is read without the index
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

    def places(self, meeting: str, end: Callable[[], End]) -> list[Place]:
        """Return where the meeting's entries lie, in the order of the log. end: says where the log ends now.

        An index that is busy or cannot be written costs time, never an answer: the log itself is read then.
        """
        with self._mutex:
            for _ in range(2):
                try:
                    return self._places(meeting, end)
                except sqlite3.DatabaseError as error:
                    if _is_busy(error):  # another process's index is good, and not ours to remove
                        self._close()
                        break
                    self._remove()
            return [place for place, of in self._walk((0, 0, 0), end()) if of == meeting]

    def forget(self) -> None:
        """Make the index anew at the next look: what it pointed at was not there."""
        with self._mutex:
            self._remove()

    def close(self) -> None:
        with self._mutex:
            self._close()

    def _places(self, meeting: str, end: Callable[[], End]) -> list[Place]:
        database = self._opened()
        # The end is asked for after the progress: other threads and processes move both on meanwhile, and an index
        # that seems to be ahead of the log because the log was looked at too early is not one to throw away.
        progress = self._progress(database)
        now = end()
        if progress[0] > now.size:  # the log was restored from a copy, or this file was not
            self._remove()
            database = self._opened()
        tail: list[Place] = []
        try:
            self._catch_up(database, now)
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            tail = [place for place, of in self._walk(self._progress(database), now) if of == meeting]
        rows = database.execute(
            "select at, segment, offset, length from entries where meeting = ? order by at", (meeting,)
        )
        found = {place.index: place for place in (*(Place(*row) for row in rows), *tail)}
        return [found[index] for index in sorted(found)]

    def _catch_up(self, database: sqlite3.Connection, end: End) -> None:
        if self._progress(database)[0] >= end.size:
            return
        with _transaction(database):
            done = self._progress(database)  # another process may have been faster
            for place, meeting in self._walk(done, end):
                if meeting is not None:
                    row = (meeting, place.index, place.segment, place.offset, place.length)
                    database.execute("insert or replace into entries values (?, ?, ?, ?, ?)", row)
                done = self._after(place)
            database.execute("update progress set next = ?, segment = ?, offset = ?", done)

    def _walk(self, done: tuple[int, int, int], end: End) -> Iterator[tuple[Place, str | None]]:
        """Yield each entry after `done` (next index, its segment, its offset) and the meeting it is about."""
        index, segment, offset = done
        while index < end.size:
            stop = min(end.size, segment + self._segment_entries)
            for line in walk(self._directory, segment, index=index, offset=offset, stop=stop):
                yield Place(line.index, segment, line.offset, line.length), meeting_of(line)
            index = stop
            segment, offset = index, 0

    def _after(self, place: Place) -> tuple[int, int, int]:
        following = place.index + 1
        if following == place.segment + self._segment_entries:
            return following, following, 0
        return following, place.segment, place.offset + place.length

    @staticmethod
    def _progress(database: sqlite3.Connection) -> tuple[int, int, int]:
        index, segment, offset = database.execute("select next, segment, offset from progress").fetchone()
        return index, segment, offset

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
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
        database.execute("commit")  # which a reader can hold up: then nothing of it may stay open
    except BaseException:
        if database.in_transaction:
            database.execute("rollback")
        raise


def _is_busy(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY
