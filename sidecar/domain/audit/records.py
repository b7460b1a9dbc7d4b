"""An audit record and its exact bytes: what is hashed, kept, exported and checked by others."""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from sidecar.domain.audit.kinds import KINDS
from sidecar.domain.audit.merkle import leaf_hash
from sidecar.domain.audit.privacy import check_key, check_number, check_text
from sidecar.domain.clock import from_text, to_text
from sidecar.domain.errors import TillitError
from sidecar.domain.ids import MeetingId

SYSTEM = "system"  # the actor of what the product does by itself
RECORD_VERSION = 1
MAX_RECORD_BYTES = 16 * 1024  # an event is a few hundred bytes; more is content that strayed here
MAX_DEPTH = 6
MAX_INTEGER = 2**53 - 1  # larger whole numbers are read differently by other JSON readers (RFC 8259 section 6)

# A place (p_) acts where nobody knows yet who sits in it: an invitation opened, a call that comes in.
_ACTOR = re.compile(r"(?:per|st|sys|p)_[0-9a-z]{1,40}|system")
_MEETING = re.compile(r"m_[0-9a-z]{1,40}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")


class InvalidRecordError(TillitError):
    """An audit record is not of its form. params: field."""

    slug = "invalid-audit-record"


@dataclass(frozen=True)
class AuditRecord:
    """One thing that happened, ready to be written. Checked when it is encoded.

    kind: a key of KINDS or a plugin's. meeting: None for what concerns no single meeting. actor: a pseudonym
    (per_, st_, sys_, or p_ for a place nobody is identified in yet) or SYSTEM. at: aware UTC, kept to the
    millisecond. data: JSON values without floats; keys in lower case; no personal data, no content.
    """

    kind: str
    meeting: MeetingId | None
    actor: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EntryRef:
    """Where a record stands in the log: its index from 0, and its leaf hash (32 bytes)."""

    index: int
    leaf_hash: bytes


@dataclass(frozen=True)
class Entry:
    """A record as it stands in the log. canonical: the exact bytes the leaf hash is made of."""

    index: int
    record: AuditRecord
    canonical: bytes

    @property
    def leaf_hash(self) -> bytes:
        return leaf_hash(self.canonical)

    @classmethod
    def of(cls, index: int, canonical: bytes) -> Self:
        """Return the entry these bytes stand for. Raises InvalidRecordError."""
        return cls(index, decode(canonical), canonical)


def encode(record: AuditRecord, kinds: Mapping[str, str] = KINDS) -> bytes:
    """Return the record's canonical bytes: JSON, sorted keys, no spaces, UTF-8, NFC, no floats.

    Raises InvalidRecordError (form, size, unknown kind) and PersonalDataError.
    """
    if record.kind not in kinds:
        raise InvalidRecordError(f"unknown audit kind {record.kind!r}", field="kind")
    if not _ACTOR.fullmatch(record.actor):
        raise InvalidRecordError("an actor is a pseudonym or the system", field="actor")
    if record.meeting is not None and not _MEETING.fullmatch(record.meeting):
        raise InvalidRecordError("a meeting is named by its id", field="meeting")
    if record.at.tzinfo is None:
        raise InvalidRecordError("a time needs its offset", field="at")
    fields = {
        "actor": record.actor,
        "at": to_text(record.at),
        "data": _checked_object(record.data, "data", 1),
        "kind": record.kind,
        "meeting": record.meeting,
        "v": RECORD_VERSION,
    }
    canonical = canonical_json(fields)
    if len(canonical) > MAX_RECORD_BYTES:
        raise InvalidRecordError(f"an audit record of {len(canonical)} bytes is too large", field="data")
    return canonical


def decode(canonical: bytes) -> AuditRecord:
    """Return the record of canonical bytes. Raises InvalidRecordError unless they are exactly canonical."""
    try:
        fields = json.loads(canonical)
        record = AuditRecord(
            fields["kind"], fields["meeting"], fields["actor"], from_text(fields["at"]), fields["data"]
        )
        same = fields["v"] == RECORD_VERSION and len(fields) == 6 and canonical_json(fields) == canonical
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidRecordError("bytes that are no audit record") from error
    if not same:
        raise InvalidRecordError("bytes that are not in canonical form")
    return record


def canonical_json(value: Any) -> bytes:
    """Return JSON bytes with sorted keys and no spaces: one value, one sequence of bytes."""
    return _ENCODER.encode(value).encode()


def assert_no_personal_data(record: AuditRecord) -> None:
    """Raise PersonalDataError if a key or a value of the data looks like personal data or content."""
    _checked_object(record.data, "data", 1)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _checked_object(value: Mapping[str, Any], where: str, depth: int) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for key, inner in value.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise InvalidRecordError(f"{where} has a key that is not lower case a-z, 0-9, _", field=where)
        inside = f"{where}.{key}"
        check_key(key, inside)
        checked[key] = _checked(inner, inside, depth)
    return checked


def _checked(value: Any, where: str, depth: int) -> Any:
    """Return the value with its texts in NFC, or raise."""
    if isinstance(value, str):
        return _checked_text(value, where)
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise InvalidRecordError(f"{where} is too large a number", field=where)
        check_number(value, where)
        return int(value)
    if depth >= MAX_DEPTH:
        raise InvalidRecordError(f"{where} is nested too deeply", field=where)
    if isinstance(value, Mapping):
        return _checked_object(value, where, depth + 1)
    if isinstance(value, list | tuple):
        return [_checked(inner, where, depth + 1) for inner in value]
    # A float has no single way of being written; amounts and shares are texts or whole numbers.
    raise InvalidRecordError(f"{where} is a {type(value).__name__}, which a record cannot hold", field=where)


def _checked_text(value: str, where: str) -> str:
    if value.isascii():
        text = str(value)
    else:
        text = unicodedata.normalize("NFC", value)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidRecordError(f"{where} is not Unicode text", field=where) from error
    check_text(text, where)
    return text
