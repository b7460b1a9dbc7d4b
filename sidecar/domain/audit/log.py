"""The audit log as the acts see it, and one that lives in memory."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from sidecar.domain.audit.checkpoints import Checkpoint, SignedCheckpoint, Signer, sign_checkpoint
from sidecar.domain.audit.kinds import KINDS
from sidecar.domain.audit.merkle import Tree, leaf_hash
from sidecar.domain.audit.records import AuditRecord, Entry, EntryRef, encode
from sidecar.domain.errors import AuditUnavailableError
from sidecar.domain.ids import MeetingId


class AuditLog(Protocol):
    """Where audit records are kept: adapters.audit_files.FileAuditLog, MemoryAuditLog.

    Nothing is ever changed or taken out; a retention rule removes whole segments and leaves their hashes.
    """

    def append(self, *records: AuditRecord) -> tuple[EntryRef, ...]:
        """Write records together, in this order, durably, and say where they stand.

        Raises InvalidRecordError or PersonalDataError before anything is written, AuditUnavailableError if it
        cannot be made durable; the caller's act then does not happen.
        """

    def read(self, meeting: MeetingId) -> list[Entry]:
        """Return a meeting's entries in the order of the log, each one verified. Raises AuditDamagedError."""

    def read_all(self, after_index: int = -1) -> Iterator[Entry]:
        """Yield every entry above `after_index`, each one verified. Raises AuditDamagedError."""

    def prove(self, indexes: Sequence[int], size: int) -> list[tuple[bytes, ...]]:
        """Return inclusion paths of entries in the tree of the first `size` entries. Raises IndexError."""

    def prove_growth(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """Return the consistency proof between two sizes of the log. Raises IndexError."""

    def checkpoint(self, now: datetime) -> SignedCheckpoint:
        """Sign the log as it stands, keep the checkpoint, and return it. Covers only what is durable."""

    @property
    def size(self) -> int:
        """The number of entries."""


class AuditDamagedError(AuditUnavailableError):
    """What is kept is not what was written. params: index, the first bad entry, where known."""

    slug = "audit-damaged"


class MemoryAuditLog:
    """An audit log for tests: the same answers as the files, nothing durable."""

    def __init__(self, signer: Signer, *, origin: str, kinds: Mapping[str, str] = KINDS) -> None:
        self._signer = signer
        self._origin = origin
        self._kinds = kinds
        self._entries: list[bytes] = []
        self._lock = threading.Lock()
        self.checkpoints: list[SignedCheckpoint] = []
        self.unavailable = False  # set by a test: every append then fails

    def append(self, *records: AuditRecord) -> tuple[EntryRef, ...]:
        encoded = [encode(record, self._kinds) for record in records]
        if self.unavailable:
            raise AuditUnavailableError()
        with self._lock:
            first = len(self._entries)
            self._entries.extend(encoded)
        return tuple(EntryRef(first + place, leaf_hash(data)) for place, data in enumerate(encoded))

    def read(self, meeting: MeetingId) -> list[Entry]:
        return [entry for entry in self.read_all() if entry.record.meeting == meeting]

    def read_all(self, after_index: int = -1) -> Iterator[Entry]:
        for index in range(after_index + 1, self.size):
            yield Entry.of(index, self._entries[index])

    def prove(self, indexes: Sequence[int], size: int) -> list[tuple[bytes, ...]]:
        tree = self._tree(size)
        return [tree.inclusion(index) for index in indexes]

    def prove_growth(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        return self._tree(new_size).consistency(old_size)

    def checkpoint(self, now: datetime) -> SignedCheckpoint:
        tree = self._tree(self.size)
        signed = sign_checkpoint(Checkpoint(self._origin, tree.size, tree.root, now), self._signer)
        self.checkpoints.append(signed)
        return signed

    @property
    def size(self) -> int:
        return len(self._entries)

    def _tree(self, size: int) -> Tree:
        if not 0 <= size <= self.size:
            raise IndexError(size)
        return Tree([leaf_hash(data) for data in self._entries[:size]])
