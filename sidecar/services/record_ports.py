"""The documents plugins keep, as the meetings store sees them: a name, a version, sealed bytes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sidecar.domain.ids import MeetingId


@dataclass(frozen=True)
class SealedRecord:
    """One document of a plugin's, as the meetings store keeps it: who may open it knows the key."""

    plugin: str
    collection: str
    id: str
    meeting: MeetingId | None
    version: int
    updated_at: datetime
    sealed: bytes = field(repr=False)


class PluginRecordReader(Protocol):
    """Reads plugins' documents: the store over what is committed, a transaction over its own changes too."""

    def find_record(self, plugin: str, collection: str, record: str) -> SealedRecord | None: ...

    def records(
        self, plugin: str, collection: str, *, meeting: MeetingId | None = None, limit: int = 500
    ) -> list[SealedRecord]:
        """Return a collection's documents, the oldest first; a meeting's where one is named."""
