"""A page on its way to one person: may they see it, what is hidden from them, their mark, the record, the reading."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sidecar.plugin_api import ClauseView, ConflictError, Core, NotFoundError, PlaceView, PluginAct, Records
from tillit_document_room import reading, shelf
from tillit_document_room.intake import refusal
from tillit_document_room.marking import opened
from tillit_document_room.model import OVERSEERS, Document, Version, is_followed, may_see_pages
from tillit_document_room.processes import Keeper, Workshop
from tillit_document_room.reading import Change, Reading
from tillit_document_room.sandbox.refusals import UnsafeFileError
from tillit_document_room.settings import RoomSettings

DPI = 150.0
_TRIES = 5  # reports of one person's two windows may meet


class Viewing:
    """Hands out pages and follows what is read."""

    def __init__(self, core: Core, workshop: Workshop, settings: RoomSettings) -> None:
        self._core, self._workshop, self._settings = core, workshop, settings

    def page(self, place: PlaceView, id: str, number: int, page: int, now: datetime) -> bytes:
        """Return a page as PNG for this person alone, after recording that they saw it."""
        document, version = self.readable(place, id, number, page)
        masks = document.masks_for(place, version.number)
        job = {
            "do": "page",
            "page": page,
            "dpi": DPI,
            "masks": [vars(mask) for mask in masks],
            "mark": self.mark(place, now),
        }
        _, png = self._ask(document, version, job)
        data = {"page": page, "masks": sum(mask.page == page for mask in masks)}
        act = PluginAct(
            "document_room.page_viewed",
            data=self._facts(place, document, version) | data,
            place=place,
            public={"document": id, "participant": place.participant} if is_followed(place) else None,
            announce_to=self._advisers(place),
        )

        def change(read: Reading) -> Change:
            return reading.handed_out(read, page, _clauses(place, document), now)

        self._read(place, document, version, change, lambda made: [act])
        return png

    def text(self, place: PlaceView, id: str, number: int, page: int) -> str:
        """Return a page's words, for who listens to a page rather than looks at it. What is hidden stays so."""
        document, version = self.readable(place, id, number, page)
        rule = self._settings.page_text
        if rule == "nobody" or (rule == "unmasked" and "see_unmasked" not in place.permissions):
            raise refusal("no_text")
        read, _ = shelf.read_by(self._core.records(), id, number, place.participant)
        if page not in read.handed:
            raise NotFoundError("The page was not opened.")
        masks = [vars(mask) for mask in document.masks_for(place, version.number)]
        answer, _ = self._ask(document, version, {"do": "text", "page": page, "masks": masks})
        return str(answer["text"])

    def report(
        self,
        place: PlaceView,
        id: str,
        number: int,
        *,
        page: int,
        seconds: float,
        seen: Sequence[str],
        scrolled_past: Sequence[str],
        now: datetime,
    ) -> None:
        """Take a browser's word on what was in view, up to what can be true."""
        document, version = self.readable(place, id, number, page)

        def change(read: Reading) -> Change:
            return reading.reported(
                read,
                page=page,
                seconds=seconds,
                seen=seen,
                scrolled_past=scrolled_past,
                clauses=_clauses(place, document),
                needed_s=self._settings.clause_seconds,
                now=now,
            )

        def in_view(made: Change) -> list[PluginAct]:
            data = self._facts(place, document, version) | {"page": page, "seconds": round(made.spent)}
            return [PluginAct("document_room.page_read", data=data, place=place)] if made.spent >= 1 else []

        self._read(place, document, version, change, in_view)

    def acknowledge(self, place: PlaceView, id: str, number: int, clause: str) -> None:
        """Note that this person says they have read a clause."""
        found = next((each for each in self.document(place, id).clauses if each.id == clause), None)
        if found is None:
            raise NotFoundError("There is no such clause.")
        document, version = self.readable(place, id, number, found.page)

        def change(read: Reading) -> Change:
            try:
                return Change(reading.acknowledged(read, found))
            except KeyError as error:
                raise refusal("not_opened") from error

        act = self._clause_act("document_room.clause_acknowledged", place, document, version, clause)
        self._read(place, document, version, change, lambda made: [act])

    def file(self, place: PlaceView, id: str, number: int) -> tuple[Document, bytes]:
        """Return the PDF to keep, where meeting type, adviser and masks all let it go."""
        document, version = self.readable(place, id, number, 1)
        if "download_document" not in place.permissions or not document.downloadable:
            raise refusal("no_download")
        if document.masks_for(place, version.number):
            raise refusal("masked_download")
        data = self._core.objects.get(version.object)
        act = PluginAct(
            "document_room.downloaded",
            data={"document": id, "version": number, "sha256": version.sha256, "participant": place.participant},
            place=place,
        )
        self._core.perform(act, effect=lambda records: None)
        return document, data

    def archived_page(self, document: Document, version: Version, page: int, *, mark: str, person: str) -> bytes:
        """Return a page for staff outside the room, after recording that they saw it."""
        job = {"do": "page", "page": page, "dpi": DPI, "masks": [], "mark": mark}
        _, png = self._ask(document, version, job)
        data = {"document": document.id, "version": version.number, "sha256": version.sha256, "page": page, "masks": 0}
        act = PluginAct("document_room.page_viewed", data=data, meeting=document.meeting, actor=person)
        self._core.perform(act, effect=lambda records: None)
        return png

    def archived_file(self, document: Document, version: Version, *, person: str) -> bytes:
        """Return a kept PDF for staff outside the room, after recording that they took it."""
        kept = self._core.objects.get(version.object)
        data = {"document": document.id, "version": version.number, "sha256": version.sha256}
        act = PluginAct("document_room.downloaded", data=data, meeting=document.meeting, actor=person)
        self._core.perform(act, effect=lambda records: None)
        return kept

    def find(self, place: PlaceView, document: Document, version: Version, value: str) -> list[dict[str, Any]]:
        """Return where words stand, as boxes."""
        answer, _ = self._ask(document, version, {"do": "find", "value": value})
        return list(answer["masks"])

    def readable(self, place: PlaceView, id: str, number: int, page: int) -> tuple[Document, Version]:
        """Return what this person may see now. What they may not see and what is not there are answered alike.

        A version of which nobody knows where all stands that is hidden from them is not for them yet.
        """
        document = self.document(place, id)
        version = document.version(number)
        if version is None or not 1 <= page <= version.pages:
            raise NotFoundError("There is no such page.")
        if not document.is_settled_for(place, number):
            raise refusal("unsettled")
        return document, version

    def mark(self, place: PlaceView, now: datetime) -> str:
        """Return what stands across this person's pages: who, when, in which meeting."""
        meeting = self._core.meeting(place.meeting)
        here = now.astimezone(ZoneInfo(self._core.brand(place.brand).time_zone))
        return f"{place.name}  {here:%Y-%m-%d %H:%M}  {meeting.title(place.language)} {place.participant[-5:].upper()}"

    def document(self, place: PlaceView, id: str) -> Document:
        """Return a document this person may see the pages of, or raise NotFoundError."""
        document, _ = shelf.document(self._core.records(), id)
        if document.meeting != place.meeting or not may_see_pages(document, place):
            raise NotFoundError("There is no such document.")
        return document

    def _ask(self, document: Document, version: Version, job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        def work(keeper: Keeper) -> tuple[dict[str, Any], bytes]:
            opened(keeper, version.sha256, lambda: self._core.objects.get(version.object))
            answer, data = keeper.do(job | {"key": version.sha256})
            if answer.get("unknown"):
                keeper.documents.discard(version.sha256)
                opened(keeper, version.sha256, lambda: self._core.objects.get(version.object))
                answer, data = keeper.do(job | {"key": version.sha256})
            return answer, data

        try:
            with self._workshop.room(document.meeting) as keeper:
                return work(keeper)
        except UnsafeFileError as error:
            raise refusal(error.reason) from error

    def _read(
        self,
        place: PlaceView,
        document: Document,
        version: Version,
        change: Callable[[Reading], Change],
        acts: Callable[[Change], list[PluginAct]],
    ) -> None:
        """Change what is kept of this person's reading; another window's change in between is taken in first.

        What says nothing new is not kept: every change of a record has its act.
        """
        for left in reversed(range(_TRIES)):
            old, expected = shelf.read_by(self._core.records(), document.id, version.number, place.participant)
            made = change(old)
            told = [*acts(made), *self._told(place, document, version, made)]
            if not told:
                return
            try:
                self._core.perform(*told, effect=_saving(document, version, place, made.reading, expected))
                return
            except ConflictError:
                if not left:
                    raise

    def _facts(self, place: PlaceView, document: Document, version: Version) -> dict[str, Any]:
        """Return what every record about a version says."""
        return {
            "document": document.id,
            "version": version.number,
            "sha256": version.sha256,
            "participant": place.participant,
        }

    def _told(self, place: PlaceView, document: Document, version: Version, made: Change) -> list[PluginAct]:
        seen = [
            self._clause_act("document_room.clause_seen", place, document, version, each) for each in made.newly_seen
        ]
        if not is_followed(place):
            return []
        return seen + [
            self._clause_act("document_room.clause_passed", place, document, version, each)
            for each in made.newly_passed
        ]

    def _advisers(self, place: PlaceView) -> list[str]:
        """Return who answers for the meeting; themselves where nobody does, since an empty list tells everybody."""
        found = [each.participant for each in self._core.places(place.meeting) if each.capacity in OVERSEERS]
        return found or [place.participant]

    def _clause_act(self, kind: str, place: PlaceView, document: Document, version: Version, clause: str) -> PluginAct:
        """Return the act both sides hear of: the reader, and those who answer for the meeting."""
        data = self._facts(place, document, version) | {"clause": clause}
        advisers = self._advisers(place)
        public = {"document": document.id, "clause": clause, "participant": place.participant}
        return PluginAct(kind, data=data, place=place, public=public, announce_to=[*advisers, place.participant])


def _clauses(place: PlaceView, document: Document) -> tuple[ClauseView, ...]:
    return document.clauses if is_followed(place) else ()


def _saving(
    document: Document, version: Version, place: PlaceView, changed: Reading, expected: int
) -> Callable[[Records], None]:
    def effect(records: Records) -> None:
        shelf.save_reading(records, document, version.number, place.participant, changed, expected=expected)

    return effect
