"""A recording's file: sealed records, one after the other, readable up to where writing broke off.

    "TILLREC1", 16 bytes that tell the recording (SHA-256 of its id, cut), 4 random bytes: the nonces' beginning
    then records: kind (1 byte), length (4), AES-256-GCM ciphertext of so many bytes, tag included

The nonce is the file's 4 bytes and the record's index (8 bytes), so a record cannot be moved, repeated or left out;
the head and the kind are authenticated with it. The last record says that it is the last, so a cut end is noticed.
The DEK is used for this one file and lies elsewhere, wrapped.
"""

import hashlib
import json
import os
import secrets
import struct
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"TILLREC1"
HEAD_BYTES = 28
MAX_RECORD_BYTES = 16 << 20
_TAG_BYTES = 16
_record = struct.Struct(">BI")
_index = struct.Struct(">Q")
_position = struct.Struct(">Q")


class Kind(IntEnum):
    """What a record holds."""

    MEDIA = 1  # Matroska bytes that follow the ones before
    PATCH = 2  # a position (8 bytes) and the bytes that replace those written there
    NOTE = 3  # JSON: what happened, and when on the recording's time line
    END = 4  # JSON: the recording is complete


_KINDS = frozenset(int(kind) for kind in Kind)


class DamagedError(ValueError):
    """A record was changed, moved or left out; or the key is not this file's."""


class Record(NamedTuple):
    """One opened record. number: from 0. offset: where it begins in the file."""

    number: int
    offset: int
    kind: Kind
    data: bytes

    @property
    def note(self) -> dict[str, Any]:
        """Return a note's or the end's values."""
        found: dict[str, Any] = json.loads(self.data)
        return found

    @property
    def patch(self) -> tuple[int, bytes]:
        return _position.unpack_from(self.data)[0], self.data[8:]


def _head(recording: str, prefix: bytes) -> bytes:
    return MAGIC + hashlib.sha256(recording.encode()).digest()[:16] + prefix


class SealedWriter:
    """Appends to a new file. Raises OSError as the disk does; FileExistsError for a recording that has a file."""

    def __init__(self, path: Path, *, recording: str, dek: bytes) -> None:
        self._aead = AESGCM(dek)
        self._prefix = secrets.token_bytes(4)
        self._about = _head(recording, self._prefix)
        self._next = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self._write(self._about)
            self.sync()
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # else a crash could take the file's name with it
            finally:
                os.close(folder)
        except OSError:
            self.close()
            path.unlink(missing_ok=True)  # half a file would stand in the way of the next attempt
            raise

    def append(self, kind: Kind, data: bytes) -> None:
        """Seal and write one record, at most MAX_RECORD_BYTES long."""
        length = len(data) + _TAG_BYTES
        nonce = self._prefix + _index.pack(self._next)
        head = _record.pack(kind, length)
        self._write(head + self._aead.encrypt(nonce, data, self._about + head))
        self._next += 1

    def sync(self) -> None:
        """Return when everything appended so far is on disk."""
        os.fdatasync(self._file)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]


class SealedReader:
    """Reads a file that is whole, still growing, or was broken off. Use as a context manager."""

    def __init__(self, path: Path, *, recording: str, dek: bytes) -> None:
        self._file = path.open("rb")
        self._aead = AESGCM(dek)
        self._size = path.stat().st_size
        about = self._file.read(HEAD_BYTES)
        self._prefix = about[24:]
        self._about = _head(recording, self._prefix)
        if about != self._about:
            self._file.close()
            raise DamagedError("this file is of another recording")

    def __enter__(self) -> "SealedReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def records(self, *, index: int = 0, offset: int = HEAD_BYTES) -> Iterator[Record]:
        """Yield records from one on, up to the last whole one.

        A record that is cut short, whose head is none, or that is the last and does not open, is where writing
        broke off. Raises DamagedError for one in the middle that does not open.
        """
        while True:
            self._file.seek(offset)
            head = self._file.read(_record.size)
            if len(head) < _record.size:
                return
            kind, length = _record.unpack(head)
            if length > MAX_RECORD_BYTES + _TAG_BYTES or length < _TAG_BYTES or kind not in _KINDS:
                return
            sealed = self._file.read(length)
            if len(sealed) < length:
                return
            following = offset + _record.size + length
            try:
                data = self._aead.decrypt(self._prefix + _index.pack(index), sealed, self._about + head)
            except InvalidTag as error:
                if following >= self._size and index:
                    return
                raise DamagedError(f"record {index} does not open") from error
            yield Record(index, offset, Kind(kind), data)
            index, offset = index + 1, following
