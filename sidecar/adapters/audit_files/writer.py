"""Writes batches of entries at the end of the log, one process at a time, and syncs outside the lock."""

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from sidecar.adapters.audit_files.segments import (
    entries_path,
    has_line_after,
    leaves_path,
    line_of,
    lines,
    segment_starts,
)
from sidecar.adapters.audit_files.state import End, SharedEnd
from sidecar.domain.audit import AuditDamagedError, EntryRef
from sidecar.domain.audit.merkle import HASH_BYTES
from sidecar.domain.errors import AuditUnavailableError

log = logging.getLogger(__name__)

FILE_MODE = 0o600


@dataclass(frozen=True)
class Encoded:
    """A record's canonical bytes with their leaf hash, computed before any lock is taken."""

    canonical: bytes
    leaf: bytes


@dataclass(frozen=True)
class Repair:
    """A torn tail that was cut off: bytes that no caller had been told were written."""

    index: int
    cut_bytes: int


@dataclass
class _Open:
    """The last segment, open for writing. Files close when the last sync that needs them is done.

    spares: files to sync through, one for each sync at a time. Linux reports a lost write once per open
    file: through a shared one, the second of two syncs would be told that all is well.
    """

    path: Path
    first: int
    entries: FileIO
    leaves: FileIO
    inode: int
    spares: list[FileIO]

    def take_spare(self) -> FileIO:
        return self.spares.pop() if self.spares else FileIO(self.path, "r+")


class Writer:
    """The end of the log in one process. Safe from many threads; other processes hold the same files.

    segment_entries: a power of two, the same for every process of one log.
    least_size: called when the end must be found anew; the log may not be shorter than what it answers.
    """

    def __init__(self, directory: Path, segment_entries: int, least_size: Callable[[], int]) -> None:
        self._directory = directory
        self._segment_entries = segment_entries
        self._least_size = least_size
        self._mutex = threading.Lock()
        self._lock_file = FileIO(os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE), "r+")
        self._shared = SharedEnd(directory / "end")
        self._open: _Open | None = None
        self._failed = False
        self.repairs: list[Repair] = []
        with self._locked():
            end = self._shared.read()
            if end is None or end.failed:
                self._find_end(generation=(end.generation if end else 0) + 1, rewrite=bool(end and end.failed))
            self._settle()

    def end(self) -> End:
        """Return where the log ends now, whoever wrote last."""
        end = self._shared.read()
        if end is None:  # another process is just writing it, or died there
            with self._locked():
                end = self._settle()
        return end

    def commit(self, batch: Sequence[Encoded]) -> list[EntryRef]:
        """Write and sync a batch. Raises AuditUnavailableError, AuditDamagedError."""
        if self._failed:
            raise AuditUnavailableError("an earlier sync failed; the log must be reopened")
        with self._unavailable_on_os_error("the audit log cannot be written"), self._locked():
            end = self._settle()
            index = end.size
            written = 0
            spare = self._spare()
            while written < len(batch):
                if end.count == self._segment_entries:
                    end = self._next_segment(end)
                    spare = self._spare()
                part = batch[written : written + self._segment_entries - end.count]
                end = self._write(end, part)
                written += len(part)
        self._sync(spare)
        return [EntryRef(index + place, encoded.leaf) for place, encoded in enumerate(batch)]

    def synced_end(self) -> End:
        """Return an end up to which everything is on disk."""
        with self._unavailable_on_os_error("the audit log cannot be read"), self._locked():
            end = self._settle()
            spare = self._spare()
        self._sync(spare)
        return end

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the log's lock, for the files beside the segments."""
        with self._unavailable_on_os_error("the audit log cannot be written"), self._locked():
            yield

    def close(self) -> None:
        self._open = None
        self._shared.close()
        self._lock_file.close()

    def _spare(self) -> tuple[_Open, FileIO]:
        """Return a file to sync through, opened before what it shall vouch for is written."""
        assert self._open is not None
        return self._open, self._open.take_spare()

    def _sync(self, spare: tuple[_Open, FileIO]) -> None:
        opened, file = spare
        try:
            os.fdatasync(file.fileno())
        except OSError as error:
            # After a failed sync the kernel may call the lost pages clean: a second sync would lie.
            self._failed = True
            with self._locked():
                end = self._shared.read()
                if end is not None:
                    self._shared.write(replace(end, failed=True))
            raise AuditUnavailableError("the audit log could not be synced") from error
        opened.spares.append(file)

    def _settle(self) -> End:
        """Return the end, believed, with its segment open. Called under the lock."""
        end = self._shared.read()
        if end is not None and end.failed:
            raise AuditUnavailableError("a sync failed; the log must be reopened")
        if end is None:
            end = self._find_end(generation=1)
        here = os.stat(entries_path(self._directory, end.first))
        if here.st_size != end.end_bytes:
            end = self._find_end(generation=end.generation)
            here = os.stat(entries_path(self._directory, end.first))
        opened = self._open
        if opened is None or opened.inode != here.st_ino or opened.first != end.first:
            self._open = self._open_segment(end)
        return end

    def _open_segment(self, end: End) -> _Open:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        path = entries_path(self._directory, end.first)
        entries = FileIO(os.open(path, flags, FILE_MODE), "r+")
        leaves = FileIO(os.open(leaves_path(self._directory, end.first), flags, FILE_MODE), "r+")
        return _Open(path, end.first, entries, leaves, os.fstat(entries.fileno()).st_ino, [])

    def _write(self, end: End, part: Sequence[Encoded]) -> End:
        assert self._open is not None
        data = b"".join(
            line_of(end.size + place, encoded.canonical, encoded.leaf) for place, encoded in enumerate(part)
        )
        try:
            _write_all(self._open.entries, data, end.end_bytes)
            _write_all(self._open.leaves, b"".join(encoded.leaf for encoded in part), end.count * HASH_BYTES)
        except OSError:
            # Nobody was told of these: take back what arrived, so that a full disk leaves no half line.
            os.ftruncate(self._open.entries.fileno(), end.end_bytes)
            os.ftruncate(self._open.leaves.fileno(), end.count * HASH_BYTES)
            raise
        grown = End(end.generation, end.first, end.count + len(part), end.end_bytes + len(data))
        self._shared.write(grown)
        return grown

    def _next_segment(self, end: End) -> End:
        """Close a full segment for good and begin the next; the full one is on disk before that."""
        assert self._open is not None
        self._sync_now(self._open.entries)
        self._sync_now(self._open.leaves)
        following = End(end.generation, end.size, 0, 0)
        self._open = self._open_segment(following)
        _sync_directory(self._directory)
        self._shared.write(following)
        return following

    def _sync_now(self, file: FileIO) -> None:
        """Sync while holding the lock."""
        try:
            os.fdatasync(file.fileno())
        except OSError:
            self._failed = True
            end = self._shared.read()
            if end is not None:
                self._shared.write(replace(end, failed=True))
            raise

    def _find_end(self, *, generation: int, rewrite: bool = False) -> End:
        """Read the last segment, cut a torn tail off, and write down where the log ends. Under the lock.

        rewrite: after a failed sync, copy the segment to fresh blocks first: what the cache shows may never
        have reached the old ones. Raises AuditDamagedError where lines are missing before others.
        """
        starts = segment_starts(self._directory)
        first = starts[-1] if starts else 0
        path = entries_path(self._directory, first)
        if first % self._segment_entries or (starts and not path.exists()):
            raise AuditDamagedError(f"the last segment, from entry {first} on, is missing", index=first)
        data = path.read_bytes() if starts else b""
        leaves = []
        end_bytes = 0
        for line in lines(data, index=first):
            leaves.append(line.leaf)
            end_bytes = line.offset + line.length
        size = first + len(leaves)
        torn = len(data) - end_bytes
        if torn and has_line_after(data, end_bytes):
            raise AuditDamagedError(f"entry {size} is damaged and others follow it", index=size)
        if size < self._least_size():
            raise AuditDamagedError(f"the log ends at entry {size}, its last checkpoint covers more", index=size)
        if rewrite or not starts:
            _replace(path, data[:end_bytes])
        elif torn:
            os.truncate(path, end_bytes)
        _replace(leaves_path(self._directory, first), b"".join(leaves))
        _sync_directory(self._directory)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        self._open = None
        if torn:
            self.repairs.append(Repair(size, torn))
            log.warning("torn tail of the audit log cut off", extra={"index": size, "cut_bytes": torn})
        end = End(generation, first, len(leaves), end_bytes)
        self._shared.write(end)
        return end

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._mutex:
            fcntl.flock(self._lock_file.fileno(), fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock_file.fileno(), fcntl.LOCK_UN)

    @contextmanager
    def _unavailable_on_os_error(self, detail: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise AuditUnavailableError(detail) from error


def _write_all(file: FileIO, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file.fileno(), view, offset)
        view = view[written:]
        offset += written


def _replace(path: Path, data: bytes) -> None:
    """Put data in the place of a file, durably, all or nothing."""
    temporary = path.with_suffix(".new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
