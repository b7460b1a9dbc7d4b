"""Checks a whole log: every entry's length and hash, the order, the tree, every checkpoint's signature."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from sidecar.adapters.audit_files.checkpoints import CheckpointFile, KeptCheckpoint
from sidecar.adapters.audit_files.segments import entries_path, leaves_path, lines, segment_starts
from sidecar.domain.audit import (
    AuditDamagedError,
    BadCheckpointError,
    CompactRange,
    VerifyingKey,
    verify_checkpoint,
)
from sidecar.domain.audit.merkle import HASH_BYTES


@dataclass(frozen=True)
class LogReport:
    """What a check of the log found. problems: English sentences, the first bad entry first.

    entries: how many the log has. removed: of these, how many are hashes only, by the retention rule.
    """

    entries: int
    removed: int
    checkpoints: int
    first_bad_index: int | None = None
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass
class _Segment:
    """One segment, checked by itself. peaks: size within the segment -> roots of its perfect subtrees."""

    first: int
    count: int
    removed: bool = False
    bad: int | None = None
    peaks: dict[int, tuple[bytes, ...]] = field(default_factory=dict)


def verify_log(directory: Path, *, keys: Sequence[VerifyingKey], segment_entries: int, processes: int = 1) -> LogReport:
    """Check every entry and every checkpoint of a log that may be in use. Reads only; raises OSError."""
    kept, unreadable = _kept(directory)
    starts = segment_starts(directory)
    check = partial(_check_segment, directory, segment_entries, frozenset(one.size for one in kept))
    if processes > 1 and len(starts) > 1:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            segments = list(pool.map(check, starts))
    else:
        segments = [check(first) for first in starts]

    problems = list(_problems_of(segments, segment_entries))
    first_bad = next((index for index, _ in problems), None)
    size = segments[-1].first + segments[-1].count if segments else 0
    roots = _roots(segments, segment_entries)
    sentences = [sentence for _, sentence in problems] + unreadable
    for one in kept:
        if one.size > size:
            first_bad = size if first_bad is None else first_bad
            sentences.append(f"The log ends at entry {size}, but a checkpoint covers {one.size}: its tail is cut.")
            continue
        try:
            signed = verify_checkpoint(one.unverified_note, keys)
        except BadCheckpointError:
            sentences.append(f"The checkpoint of {one.size} entries is not signed by a key of this log.")
            continue
        if (signed.checkpoint.size, signed.checkpoint.root) != (one.size, roots.get(one.size)):
            sentences.append(f"The checkpoint of {one.size} entries does not match the entries.")
    removed = sum(segment.count for segment in segments if segment.removed)
    return LogReport(size, removed, len(kept), first_bad, tuple(sentences))


def _kept(directory: Path) -> tuple[list[KeptCheckpoint], list[str]]:
    kept = []
    try:
        for one in CheckpointFile(directory):
            kept.append(one)
    except AuditDamagedError as error:
        return kept, [f"{error.detail[:1].upper()}{error.detail[1:]}."]
    return kept, []


def _check_segment(directory: Path, full: int, sizes: frozenset[int], first: int) -> _Segment:
    # The hashes first: in a log in use they come after the entry, so there are never more than entries.
    beside = _hashes_beside(directory, first)
    path = entries_path(directory, first)
    segment = _Segment(first, 0, removed=not path.exists())
    if segment.removed:
        leaves = beside[:full]
    else:
        data = path.read_bytes()
        leaves = []
        end = 0
        for line in lines(data, index=first):
            leaves.append(line.leaf)
            end = line.offset + line.length
        # A line just being written has no line feed yet; anything else after the last good one is bad.
        if data.find(b"\n", end) != -1 or len(leaves) < len(beside) or len(leaves) > full:
            segment.bad = first + min(len(leaves), full)
    differs = next((i for i, (one, two) in enumerate(zip(leaves, beside, strict=False)) if one != two), None)
    if differs is not None:
        segment.bad = first + differs
    wanted = {size - first for size in sizes} | {full}
    tree = CompactRange()
    for leaf in leaves:
        tree.push(leaf)
        if tree.size in wanted:
            segment.peaks[tree.size] = tree.peaks
    segment.count = len(leaves)
    return segment


def _hashes_beside(directory: Path, first: int) -> list[bytes]:
    path = leaves_path(directory, first)
    data = path.read_bytes() if path.exists() else b""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data) - HASH_BYTES + 1, HASH_BYTES)]


def _problems_of(segments: Sequence[_Segment], full: int) -> Iterator[tuple[int, str]]:
    expected = 0
    for segment in segments:
        if segment.first != expected:
            yield expected, f"The segment from entry {expected} on is missing."
        if segment.bad is not None:
            yield segment.bad, f"Entry {segment.bad} is not what was written."
        elif segment.count != full and segment is not segments[-1]:
            at = segment.first + segment.count
            yield at, f"Entry {at} is missing."
        expected = segment.first + full


def _roots(segments: Sequence[_Segment], full: int) -> dict[int, bytes]:
    """Return the log's root at every size some checkpoint names, as far as the segments are whole."""
    outer = CompactRange()
    roots = {0: outer.root}
    for segment in segments:
        if segment.first != outer.size:
            break
        for size, peaks in segment.peaks.items():
            tree = outer.copy()
            for root, height in zip(peaks, _heights(size), strict=True):
                tree.push_perfect(root, height)
            roots[segment.first + size] = tree.root
        if segment.count == full:
            outer.push_perfect(segment.peaks[full][0], _heights(full)[0])
    return roots


def _heights(size: int) -> list[int]:
    return [bit for bit in range(size.bit_length() - 1, -1, -1) if size >> bit & 1]
