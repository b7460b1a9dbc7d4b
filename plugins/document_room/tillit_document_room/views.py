"""What a page is told: only what its reader may know. Titles, names and boxes of others' documents are not in it."""

from datetime import datetime, timedelta
from typing import Any

from sidecar.plugin_api import ClauseView, Core, PlaceView, to_text
from tillit_document_room import reading, shelf
from tillit_document_room.model import OVERSEERS, Document, is_followed, may_see, may_see_pages
from tillit_document_room.reading import Reading
from tillit_document_room.settings import RoomSettings
from tillit_document_room.shelf import Shown, Stage
from tillit_document_room.staging import Staging


class Views:
    """Makes the panel's state."""

    def __init__(self, core: Core, staging: Staging, settings: RoomSettings) -> None:
        self._core, self._staging, self._settings = core, staging, settings

    def state(self, place: PlaceView, now: datetime) -> dict[str, Any]:
        records = self._core.records()
        documents = {each.id: each for each in shelf.of_meeting(records, place.meeting) if may_see(each, place)}
        stage, _ = shelf.stage(records, place.meeting)
        oversees = place.capacity in OVERSEERS
        return {
            "may": {
                "present": "present_document" in place.permissions,
                "upload": "upload_document" in place.permissions,
                "oversee": oversees,
                "text": self._may_read_text(place),
            },
            "limits": {
                "megabytes": self._settings.limits.file_bytes // (1024 * 1024),
                "clause_seconds": self._settings.clause_seconds,
            },
            "stage": self._stage(place, stage, documents),
            "documents": [self.document(place, each, now) for each in documents.values()],
            "history": [
                {"document": each.document, "version": each.version, "page": each.page, "at": to_text(each.at)}
                for each in reversed(stage.history)
                if (known := documents.get(each.document)) is not None and may_see_pages(known, place)
            ],
            "readers": self._readers(place, stage.shown, documents) if oversees else [],
            "people": self._people(place) if oversees else [],
        }

    def document(self, place: PlaceView, document: Document, now: datetime) -> dict[str, Any]:
        latest = document.latest
        read, _ = shelf.read_by(self._core.records(), document.id, latest.number, place.participant)
        oversees = place.capacity in OVERSEERS
        masked = not document.is_whole_for(place, latest.number)
        told: dict[str, Any] = {
            "id": document.id,
            "name": document.name,
            "version": latest.number,
            "versions": [
                {"version": each.number, "pages": each.pages, "at": to_text(each.at)} for each in document.versions
            ],
            "pages": latest.pages,
            "sizes": [list(size) for size in latest.sizes],
            "sha256": latest.sha256,
            "state": document.state,
            "origin": document.origin,
            "mine": document.by_participant == place.participant,
            "released": document.released,
            "removed": list(latest.removed),
            "delete_at": to_text(document.delete_at),
            "masked": masked,
            "may_download": document.downloadable and "download_document" in place.permissions and not masked,
            "may_withdraw": (oversees or document.by_participant == place.participant)
            and document.state in ("draft", "ready"),
            "may_restore": oversees and self._staging.can_restore(document, now),
            "clauses": [_clause(each, read, place) for each in document.clauses],
        }
        if oversees:
            told["downloadable"] = document.downloadable
            told["visible_to"] = None if document.visible_to is None else list(document.visible_to)
            told["masks"] = [
                {
                    "id": each.id,
                    "places": len(each.boxes.get(str(latest.number), ())),
                    "instead": each.instead,
                    "settled": latest.number in each.settled,
                }
                for each in document.masks
            ]
            if document.withdrawn_at is not None:
                until = document.withdrawn_at + timedelta(minutes=self._settings.undo_minutes)
                told["undo_until"] = to_text(until)
        return told

    def _may_read_text(self, place: PlaceView) -> bool:
        rule = self._settings.page_text
        return rule == "everyone" or (rule == "unmasked" and "see_unmasked" in place.permissions)

    def _stage(self, place: PlaceView, stage: Stage, documents: dict[str, Document]) -> dict[str, Any] | None:
        shown = stage.shown
        if shown is None or shown.document not in documents or not may_see_pages(documents[shown.document], place):
            return None
        return {
            "document": shown.document,
            "version": shown.version,
            "page": shown.page,
            "seq": stage.seq,
            "mine": shown.by == place.participant,
            "by": self._core.place(shown.by).name,
        }

    def _readers(self, place: PlaceView, shown: Shown | None, documents: dict[str, Document]) -> list[dict[str, Any]]:
        """Return how far each person whose reading counts has come with what is shown."""
        document = documents.get(shown.document) if shown else None
        if document is None:
            return []
        titles = {clause.id: clause.title for clause in document.clauses}
        out = []
        for each in self._core.places(place.meeting):
            if not is_followed(each) or not may_see_pages(document, each):
                continue
            read, _ = shelf.read_by(self._core.records(), document.id, document.latest.number, each.participant)
            out.append(
                {
                    "participant": each.participant,
                    "person": each.name,
                    "page": read.page,
                    "passed": [titles[clause] for clause in sorted(read.passed) if clause in titles],
                    "left": len(reading.missing(read, document.clauses)),
                }
            )
        return out

    def _people(self, place: PlaceView) -> list[dict[str, str]]:
        return [
            {"participant": each.participant, "person": each.name, "capacity": each.capacity.value}
            for each in self._core.places(place.meeting)
            if "view_document" in each.permissions and each.participant != place.participant
        ]


def _clause(clause: ClauseView, read: Reading, place: PlaceView) -> dict[str, Any]:
    state = read.done.get(clause.id) or ("passed" if clause.id in read.passed else "open")
    return {
        "id": clause.id,
        "page": clause.page,
        "title": clause.title,
        "box": None if clause.box is None else list(clause.box),
        "state": state if is_followed(place) else "none",
    }
