"""The audit log in files: durable before it answers, one log for many threads and processes."""

import base64
import fcntl
import json
import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sidecar.adapters.audit_files.checkpoints import CheckpointFile, SegmentTree
from sidecar.adapters.audit_files.group_commit import MAX_SYNCS, GroupCommit
from sidecar.adapters.audit_files.index import MeetingIndex, Place
from sidecar.adapters.audit_files.segments import (
    Line,
    entries_path,
    parse_line,
    read_leaves,
    segment_starts,
    walk,
)
from sidecar.adapters.audit_files.verify import LogReport, verify_log
from sidecar.adapters.audit_files.writer import FILE_MODE, Encoded, Repair, Writer
from sidecar.domain.audit import (
    KINDS,
    AuditDamagedError,
    AuditRecord,
    Checkpoint,
    Entry,
    EntryRef,
    SignedCheckpoint,
    Signer,
    VerifyingKey,
    encode,
    leaf_hash,
    sign_checkpoint,
)
from sidecar.domain.audit.merkle import HASH_BYTES
from sidecar.domain.errors import AuditUnavailableError, ConfigurationError
from sidecar.domain.ids import MeetingId

# 64 tiles of 256: some 6 MB a file, about a tenth of a second to read through after a crash.
SEGMENT_ENTRIES = 16_384
_FORM = 1


@dataclass
class _Parts:
    """What one process holds open."""

    writer: Writer
    commits: GroupCommit[Encoded, EntryRef]
    index: MeetingIndex
    tree: SegmentTree
    checked: bool = False  # the kept checkpoints were held against the tree


class FileAuditLog:
    """sidecar.domain.audit.AuditLog over a directory of its own on a local disk (flock, fdatasync).

    signer: signs checkpoints. origin: the log's name in them, for good. kinds: what may be written.
    create: begin a new log in an empty or missing directory. Without it a missing log is an error, so that
    a disk that was not mounted does not quietly start a second log.
    Raises AuditUnavailableError, AuditDamagedError, ConfigurationError (another log, another form).
    """

    def __init__(
        self,
        directory: Path,
        signer: Signer,
        *,
        origin: str,
        kinds: Mapping[str, str] = KINDS,
        create: bool = False,
        segment_entries: int = SEGMENT_ENTRIES,
        max_syncs: int = MAX_SYNCS,
    ) -> None:
        self._directory = directory
        self._signer = signer
        self._origin = origin
        self._kinds = kinds
        self._max_syncs = max_syncs
        self._mutex = threading.Lock()
        self._open: _Parts | None = None
        try:
            if create:
                _create(directory, origin, segment_entries)
            form = json.loads((directory / "format.json").read_text())
        except OSError as error:
            raise AuditUnavailableError("the audit log's directory cannot be used") from error
        except ValueError as error:
            raise AuditDamagedError("the audit log's format.json cannot be read") from error
        if form.get("form") != _FORM or form.get("origin") != origin:
            raise ConfigurationError(f"the audit log in use is {form.get('origin')!r}, not {origin!r}")
        self._segment_entries = int(form["segment_entries"])
        self._checkpoints = CheckpointFile(directory)
        _reopen_after_fork(self)
        self._parts()

    def append(self, *records: AuditRecord) -> tuple[EntryRef, ...]:
        encoded = []
        for record in records:
            canonical = encode(record, self._kinds)
            encoded.append(Encoded(canonical, leaf_hash(canonical)))
        if not encoded:
            return ()
        return tuple(self._parts().commits.submit(encoded))

    def read(self, meeting: MeetingId) -> list[Entry]:
        parts = self._parts()
        try:
            return self._read_places(meeting, parts.index.places(meeting, parts.writer.end))
        except AuditDamagedError:
            parts.index.forget()  # perhaps only the index was wrong
            return self._read_places(meeting, parts.index.places(meeting, parts.writer.end))

    def read_all(self, after_index: int = -1) -> Iterator[Entry]:
        end = self._parts().writer.end()
        for first in segment_starts(self._directory):
            stop = min(end.size, first + self._segment_entries)
            if stop <= after_index + 1:
                continue
            leaves = read_leaves(self._directory, first, max(0, stop - first))
            for line in walk(self._directory, first, index=first, offset=0, stop=stop):
                if line.leaf != leaves[line.index - first]:
                    raise AuditDamagedError(f"entry {line.index} is not what was written", index=line.index)
                if line.index > after_index:
                    yield Entry.of(line.index, line.canonical)

    def prove(self, indexes: Sequence[int], size: int) -> list[tuple[bytes, ...]]:
        if size > self.size:
            raise IndexError(size)
        return self._parts().tree.inclusion(indexes, size)

    def prove_growth(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        if new_size > self.size:
            raise IndexError(new_size)
        return self._parts().tree.growth(old_size, new_size)

    def checkpoint(self, now: datetime) -> SignedCheckpoint:
        parts = self._parts()
        end = parts.writer.synced_end()
        if not parts.checked:
            self._check_kept(parts.tree)
            parts.checked = True
        root = parts.tree.root(end.size)
        signed = sign_checkpoint(Checkpoint(self._origin, end.size, root, now), self._signer)
        with parts.writer.exclusive():
            self._checkpoints.append(signed)
        return signed

    @property
    def size(self) -> int:
        return self._parts().writer.end().size

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """The torn tails this process cut off since it opened the log."""
        return tuple(self._parts().writer.repairs)

    def verify(self, keys: Sequence[VerifyingKey] = (), *, processes: int = 1) -> LogReport:
        """Check every entry and checkpoint. keys: earlier keys of this log, beside the present one."""
        known = (VerifyingKey.of(self._signer), *keys)
        return verify_log(self._directory, keys=known, segment_entries=self._segment_entries, processes=processes)

    def remove_before(self, index: int) -> int:
        """Remove the entries of every full segment that ends before `index`, for the retention rule.

        Their hashes stay, so every proof still holds. Returns how many entries were removed.
        Raises AuditDamagedError where the hashes beside the entries do not match them.
        """
        parts = self._parts()
        removed = 0
        with parts.writer.exclusive():
            last = parts.writer.end().first
            for first in segment_starts(self._directory):
                path = entries_path(self._directory, first)
                if first + self._segment_entries > index or first == last or not path.exists():
                    continue
                stop = first + self._segment_entries
                kept = [line.leaf for line in walk(self._directory, first, index=first, offset=0, stop=stop)]
                if kept != read_leaves(self._directory, first, self._segment_entries):
                    raise AuditDamagedError("the hashes do not match the entries to be removed", index=first)
                path.unlink()
                removed += len(kept)
        return removed

    def reopen(self) -> None:
        """Open the files anew, after a failed sync was looked into. Raises as the constructor does."""
        with self._mutex:
            self._open = None
        self._parts()

    def close(self) -> None:
        """Let go of the files. A later call opens them again."""
        with self._mutex:
            if self._open is not None:
                self._open.writer.close()
                self._open.index.close()
            self._open = None

    def _parts(self) -> _Parts:
        parts = self._open
        if parts is not None:
            return parts
        with self._mutex:
            if self._open is None:
                self._open = self._opened()
            return self._open

    def _opened(self) -> _Parts:
        try:
            writer = Writer(self._directory, self._segment_entries, self._checkpoints.largest_size)
        except OSError as error:
            raise AuditUnavailableError("the audit log's files cannot be opened") from error
        return _Parts(
            writer,
            GroupCommit(writer.commit, max_syncs=self._max_syncs),
            MeetingIndex(self._directory, self._segment_entries),
            SegmentTree(self._directory, self._segment_entries),
        )

    def _read_places(self, meeting: MeetingId, places: Sequence[Place]) -> list[Entry]:
        entries = []
        for place in places:
            line = self._line_at(place)
            if line is None:
                continue
            entry = Entry.of(line.index, line.canonical)
            if entry.record.meeting != meeting:
                raise AuditDamagedError(f"entry {line.index} belongs to another meeting", index=line.index)
            entries.append(entry)
        return entries

    def _line_at(self, place: Place) -> Line | None:
        """Return the checked line at a place, or None where the retention rule removed it."""
        try:
            with entries_path(self._directory, place.segment).open("rb") as file:
                data = os.pread(file.fileno(), place.length, place.offset)
            with (self._directory / f"{place.segment:012d}.leaves").open("rb") as file:
                leaf = os.pread(file.fileno(), HASH_BYTES, (place.index - place.segment) * HASH_BYTES)
        except FileNotFoundError:
            if place.segment in segment_starts(self._directory):
                return None
            raise AuditDamagedError(f"entry {place.index} is gone", index=place.index) from None
        except OSError as error:
            raise AuditUnavailableError("the audit log cannot be read") from error
        line = parse_line(data, 0, index=place.index, offset=place.offset)
        if line is None or line.leaf != leaf or line.length != place.length:
            raise AuditDamagedError(f"entry {place.index} is not what was written", index=place.index)
        return line

    def _check_kept(self, tree: SegmentTree) -> None:
        """Sign nothing that contradicts what was signed before."""
        kept = self._checkpoints.largest()
        if kept is None:
            return
        origin, size, root, *_ = [*kept.unverified_note.split("\n"), "", ""]
        ours = base64.b64encode(tree.root(kept.size)).decode()
        if (origin, size, root) != (self._origin, str(kept.size), ours):
            raise AuditDamagedError("the log is not the one its last checkpoint covers")


def _create(directory: Path, origin: str, segment_entries: int) -> None:
    """Begin a log, once, whoever of several processes comes first."""
    if segment_entries < 2 or segment_entries & (segment_entries - 1):
        raise ConfigurationError("a segment holds a power of two of entries")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = directory / "format.json"
        if not path.exists():
            if segment_starts(directory):
                raise AuditDamagedError("there are entries, but format.json is missing")
            form = {"form": _FORM, "origin": origin, "segment_entries": segment_entries}
            temporary = path.with_suffix(".new")
            with temporary.open("w") as file:
                file.write(json.dumps(form) + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        os.close(lock)


def _reopen_after_fork(log: FileAuditLog) -> None:
    """A forked child shares its parent's lock and could hold it twice: it opens files of its own."""
    reference = weakref.ref(log)

    def in_child() -> None:
        inherited = reference()
        if inherited is not None:
            inherited._open = None
            inherited._mutex = threading.Lock()

    os.register_at_fork(after_in_child=in_child)
