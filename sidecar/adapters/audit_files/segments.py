"""The files of the log: their names, the form of a line, and reading lines with every check.

A segment is `<first index>.jsonl`, one line per entry, beside `<first index>.leaves`, 32 bytes per entry.
A line is JSON: {"index":57,"leaf":"<sha256>","size":182,"record":{<exactly 182 bytes>}}.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sidecar.domain.audit import AuditDamagedError, leaf_hash
from sidecar.domain.audit.merkle import HASH_BYTES

_CHUNK_BYTES = 4 * 1024 * 1024  # many times the longest line
_LINE = re.compile(rb'\{"index":(0|[1-9]\d{0,17}),"leaf":"([0-9a-f]{64})","size":([1-9]\d{0,5}),"record":')
_MEETING = re.compile(rb'"meeting":"(m_[0-9a-z]{1,40})","v":1\}\Z')


@dataclass(frozen=True, slots=True)
class Line:
    """One checked line of a segment. offset, length: bytes in its file, the line feed included."""

    index: int
    leaf: bytes
    canonical: bytes
    offset: int
    length: int


@lru_cache(maxsize=1024)  # asked for at each write, and putting a path together takes longer than the write
def entries_path(directory: Path, first: int) -> Path:
    return directory / f"{first:012d}.jsonl"


def leaves_path(directory: Path, first: int) -> Path:
    return directory / f"{first:012d}.leaves"


def segment_starts(directory: Path) -> list[int]:
    """Return the first index of every segment, ascending. Removed segments still have their leaf file."""
    names = [*directory.glob("*.leaves"), *directory.glob("*.jsonl")]
    return sorted({int(path.stem) for path in names if path.stem.isdecimal()})


def line_of(index: int, canonical: bytes, leaf: bytes) -> bytes:
    return b'{"index":%d,"leaf":"%s","size":%d,"record":%s}\n' % (
        index,
        leaf.hex().encode(),
        len(canonical),
        canonical,
    )


def parse_line(data: bytes, at: int, *, index: int, offset: int) -> Line | None:
    """Return the checked line that begins at data[at], or None if it is not whole and right.

    index: where it must stand in the log. offset: of data[0] in the file.
    """
    match = _LINE.match(data, at)
    if match is None or int(match[1]) != index:
        return None
    start = match.end()
    end = start + int(match[3])
    canonical = data[start:end]
    if data[end : end + 2] != b"}\n" or len(canonical) != end - start:
        return None
    leaf = leaf_hash(canonical)
    if leaf.hex().encode() != match[2]:
        return None
    return Line(index, leaf, canonical, offset + at, end + 2 - at)


def lines(data: bytes, *, index: int, offset: int = 0) -> Iterator[Line]:
    """Yield the lines of a stretch of a segment; stops before the first that is not whole and right."""
    at = 0
    while at < len(data):
        line = parse_line(data, at, index=index, offset=offset)
        if line is None:
            return
        yield line
        at += line.length
        index += 1


def walk(directory: Path, first: int, *, index: int, offset: int, stop: int) -> Iterator[Line]:
    """Yield the entries index .. stop - 1 of one segment, the first of them at `offset` in its file.

    Yields nothing for a segment that the retention rule removed. Raises AuditDamagedError at the first
    entry that is not whole and right.
    """
    path = entries_path(directory, first)
    if not path.exists() and leaves_path(directory, first).exists():
        return
    try:
        with path.open("rb") as file:
            while index < stop:
                file.seek(offset)
                before = index
                for line in lines(file.read(_CHUNK_BYTES), index=index, offset=offset):
                    yield line
                    index, offset = line.index + 1, line.offset + line.length
                    if index == stop:
                        return
                if index == before:
                    raise AuditDamagedError(f"entry {index} is not what was written", index=index)
    except OSError as error:
        raise AuditDamagedError(f"the segment from entry {first} on cannot be read", index=index) from error


def meeting_of(line: Line) -> str | None:
    """Return the meeting of a line from its canonical bytes: "meeting" stands last but one in them."""
    match = _MEETING.search(line.canonical, max(0, len(line.canonical) - 80))
    return match[1].decode() if match else None


def has_line_after(data: bytes, at: int) -> bool:
    """Say whether any line that reads right begins after data[at]: then the damage is no torn tail."""
    position = data.find(b'\n{"index":', at)
    while position != -1:
        match = _LINE.match(data, position + 1)
        if match is not None and parse_line(data, position + 1, index=int(match[1]), offset=0) is not None:
            return True
        position = data.find(b'\n{"index":', position + 1)
    return False


def read_leaves(directory: Path, first: int, count: int) -> list[bytes]:
    """Return the first `count` leaf hashes of a segment. Raises AuditDamagedError if there are fewer."""
    try:
        with leaves_path(directory, first).open("rb") as file:
            data = file.read(count * HASH_BYTES)
    except OSError as error:
        raise AuditDamagedError(f"the leaf hashes from {first} on cannot be read", index=first) from error
    if len(data) != count * HASH_BYTES:
        raise AuditDamagedError(f"leaf hashes are missing in the segment from {first} on", index=first)
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
