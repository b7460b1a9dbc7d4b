"""The log's signed checkpoints: one JSON line each, and the tree they are made from."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidecar.adapters.audit_files.segments import read_leaves
from sidecar.domain.audit import AuditDamagedError, SignedCheckpoint, Tree
from sidecar.domain.errors import AuditUnavailableError


@dataclass(frozen=True)
class KeptCheckpoint:
    """A checkpoint as kept, unverified: the size it names, and the signed note."""

    size: int
    unverified_note: str


class CheckpointFile:
    """`checkpoints.jsonl`: appended to under the log's lock, durably."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "checkpoints.jsonl"

    def largest(self) -> KeptCheckpoint | None:
        """Return the checkpoint that covers most. Raises AuditDamagedError."""
        return max(self, key=lambda kept: kept.size, default=None)

    def largest_size(self) -> int:
        """Return the number of entries the log has at least."""
        largest = self.largest()
        return largest.size if largest else 0

    def append(self, signed: SignedCheckpoint) -> None:
        """Keep a checkpoint. A torn line of a crash is cut off first: its caller never saw it."""
        line = json.dumps({"size": signed.checkpoint.size, "note": signed.note}, ensure_ascii=False) + "\n"
        try:
            new = not self._path.exists()
            with self._path.open("ab+") as file:
                _cut_torn_line(file.fileno())
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
            if new:
                descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
                os.fsync(descriptor)
                os.close(descriptor)
        except OSError as error:
            raise AuditUnavailableError("the checkpoint cannot be kept") from error

    def __iter__(self) -> Iterator[KeptCheckpoint]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        whole, _, _ = data.rpartition(b"\n")
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                fields = json.loads(line)
                yield KeptCheckpoint(int(fields["size"]), str(fields["note"]))
            except (ValueError, KeyError, TypeError) as error:
                raise AuditDamagedError(f"checkpoint {number} cannot be read") from error


class SegmentTree:
    """The tree over the whole log, one root per full segment kept; leaves are read for proofs."""

    def __init__(self, directory: Path, segment_entries: int) -> None:
        self._directory = directory
        self._entries = segment_entries
        self._roots: list[bytes] = []  # of the full segments, from the first on

    def root(self, size: int) -> bytes:
        """Return the root over the first `size` entries."""
        return self._upper(size)[0].root

    def inclusion(self, indexes: Sequence[int], size: int) -> list[tuple[bytes, ...]]:
        """Return each index's path in the tree of `size` entries. Raises IndexError."""
        if any(not 0 <= index < size for index in indexes):
            raise IndexError(size)
        upper, last = self._upper(size)
        lower: dict[int, Tree] = {len(self._full(size)): last}
        paths = []
        for index in indexes:
            segment, place = divmod(index, self._entries)
            if segment not in lower:
                lower[segment] = self._tree(segment, self._entries)
            paths.append(lower[segment].inclusion(place) + upper.inclusion(segment))
        return paths

    def growth(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """Return the consistency proof between two sizes. Raises IndexError."""
        if not 0 < old_size <= new_size:
            raise IndexError(old_size)
        leaves: list[bytes] = []
        for segment in range(-(-new_size // self._entries)):
            count = min(self._entries, new_size - segment * self._entries)
            leaves += read_leaves(self._directory, segment * self._entries, count)
        return Tree(leaves).consistency(old_size)

    def _upper(self, size: int) -> tuple[Tree, Tree]:
        """Return the tree over the segments' roots, and the tree of the last, unfilled segment."""
        full = self._full(size)
        last = self._tree(len(full), size - len(full) * self._entries)
        return Tree([*full, last.root] if last.size else full), last

    def _full(self, size: int) -> list[bytes]:
        wanted = size // self._entries
        while len(self._roots) < wanted:
            self._roots.append(self._tree(len(self._roots), self._entries).root)
        return self._roots[:wanted]

    def _tree(self, segment: int, count: int) -> Tree:
        if not count:
            return Tree([])
        return Tree(read_leaves(self._directory, segment * self._entries, count))


def _cut_torn_line(descriptor: int) -> None:
    end = os.fstat(descriptor).st_size
    data = os.pread(descriptor, end, 0)
    whole = data.rfind(b"\n") + 1
    if whole != end:
        os.ftruncate(descriptor, whole)
