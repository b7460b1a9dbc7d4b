"""Where documents, the stage and what was read are kept: the plugin's records, read and written as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sidecar.plugin_api import NotFoundError, Records, from_text, to_text
from tillit_document_room import model, reading
from tillit_document_room.model import Document
from tillit_document_room.reading import Reading

DOCUMENTS, STAGES, READINGS = "document", "stage", "reading"
_HISTORY = 60


@dataclass(frozen=True)
class Shown:
    """A moment on the stage. by: the presenter's place."""

    document: str
    version: int
    page: int
    at: datetime
    by: str


@dataclass(frozen=True)
class Stage:
    """What a meeting looks at together. seq: rises with each change. shown: None when nothing is; history: earlier."""

    seq: int = 0
    shown: Shown | None = None
    history: tuple[Shown, ...] = ()

    def showing(self, shown: Shown | None) -> "Stage":
        """Return the stage after a change; the same document shown on is one line of history."""
        history = self.history
        if self.shown is not None and (shown is None or shown.document != self.shown.document):
            history = (*(each for each in history if each.document != self.shown.document), self.shown)[-_HISTORY:]
        return Stage(self.seq + 1, shown, history)


def document(records: Records, id: str) -> tuple[Document, int]:
    """Return a document and its record's version. Raises NotFoundError."""
    if not id.startswith("d_") or len(id) > 40:
        raise NotFoundError("There is no such document.")
    record = records.get(DOCUMENTS, id)
    return model.from_body(record.body), record.version


def of_meeting(records: Records, meeting: str) -> list[Document]:
    return [model.from_body(each.body) for each in records.find(DOCUMENTS, meeting=meeting, limit=1000)]


def save(records: Records, changed: Document, *, expected: int) -> None:
    records.put(DOCUMENTS, changed.id, model.to_body(changed), meeting=changed.meeting, expected=expected)


def stage(records: Records, meeting: str) -> tuple[Stage, int]:
    """Return a meeting's stage and its record's version, 0 where nothing was ever shown."""
    try:
        record = records.get(STAGES, meeting)
    except NotFoundError:
        return Stage(), 0
    shown = record.body["shown"]
    history = tuple(_shown(each) for each in record.body["history"])
    return Stage(record.body["seq"], _shown(shown) if shown else None, history), record.version


def save_stage(records: Records, meeting: str, changed: Stage, *, expected: int) -> None:
    body = {
        "seq": changed.seq,
        "shown": _body(changed.shown) if changed.shown else None,
        "history": [_body(each) for each in changed.history],
    }
    records.put(STAGES, meeting, body, meeting=meeting, expected=expected)


def read_by(records: Records, document: str, version: int, participant: str) -> tuple[Reading, int]:
    """Return what somebody has read of a version, and the record's version."""
    try:
        record = records.get(READINGS, _reading_id(document, version, participant))
    except NotFoundError:
        return Reading(), 0
    return reading.from_body(record.body), record.version


def save_reading(
    records: Records, of: Document, version: int, participant: str, changed: Reading, *, expected: int
) -> None:
    id = _reading_id(of.id, version, participant)
    records.put(READINGS, id, reading.to_body(changed), meeting=of.meeting, expected=expected)


def drop_readings(records: Records, of: Document, participants: Sequence[str]) -> None:
    for version in of.versions:
        for participant in participants:
            records.drop(READINGS, _reading_id(of.id, version.number, participant))


def _reading_id(document: str, version: int, participant: str) -> str:
    return f"{document}.{version}.{participant}"


def _shown(body: Mapping[str, Any]) -> Shown:
    return Shown(body["document"], body["version"], body["page"], from_text(body["at"]), body["by"])


def _body(shown: Shown) -> dict[str, Any]:
    return {
        "document": shown.document,
        "version": shown.version,
        "page": shown.page,
        "at": to_text(shown.at),
        "by": shown.by,
    }
