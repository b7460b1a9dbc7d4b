"""What other plugins ask of documents: forms add them, signing freezes them and asks what was read."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from sidecar.plugin_api import (
    ClauseView,
    Core,
    DocumentView,
    InvalidInputError,
    NotFoundError,
    PlaceView,
    PluginRefusedError,
    SeenView,
    SignQuestion,
)
from tillit_document_room import reading, shelf
from tillit_document_room.intake import Intake, Sender
from tillit_document_room.model import Document, is_followed, may_see_pages
from tillit_document_room.staging import Staging


class Documents:
    """Implements DocumentsService."""

    def __init__(self, core: Core, intake: Intake, staging: Staging, clock: Callable[[], datetime]) -> None:
        self._core, self._intake, self._staging, self._clock = core, intake, staging, clock

    def add(
        self,
        meeting: str,
        name: str,
        data: bytes,
        *,
        by: str,
        origin: Literal["upload", "form", "signed", "import"],
        visible_to: Sequence[str] | None = None,
        critical: Sequence[ClauseView] = (),
        hidden: Sequence[str] = (),
    ) -> str:
        try:
            added = self._intake.add(
                meeting,
                name,
                data,
                sender=Sender(by),
                origin=origin,
                now=self._clock(),
                state="signed" if origin == "signed" else "ready",
                released=origin in ("form", "signed"),
                visible_to=visible_to,
                critical=critical,
                hidden=hidden,
            )
        except PluginRefusedError as error:
            raise InvalidInputError(error.detail, field="data") from error
        return added.id

    def extend(self, document: str, data: bytes, *, by: str) -> None:
        found, _ = shelf.document(self._core.records(), document)
        kept = self.content(document) if found.state == "signed" else None
        if found.state == "deleted" or data == kept:
            return
        if kept is None or not data.startswith(kept):
            raise InvalidInputError("A signed document stands: only what follows it may be added.", field="data")
        try:
            self._intake.add_version(found, data, sender=Sender(by), now=self._clock())
        except PluginRefusedError as error:
            raise InvalidInputError(error.detail, field="data") from error

    def get(self, document: str) -> DocumentView:
        found, _ = shelf.document(self._core.records(), document)
        return _view(found)

    def content(self, document: str) -> bytes:
        found, _ = shelf.document(self._core.records(), document)
        return self._core.objects.get(found.latest.object)

    def shown_to(self, document: str, participant: str) -> Literal["whole", "masked", "not"]:
        found, _ = shelf.document(self._core.records(), document)
        place = self._core.place(participant)
        if place.meeting != found.meeting or not may_see_pages(found, place):
            return "not"
        return "whole" if found.is_whole_for(place, found.latest.number) else "masked"

    def seen(self, document: str, participant: str) -> SeenView:
        found, _ = shelf.document(self._core.records(), document)
        read, _ = shelf.read_by(self._core.records(), document, found.latest.number, participant)
        clauses = found.clauses if is_followed(self._core.place(participant)) else ()
        missing = reading.missing(read, clauses)
        return SeenView(
            document=document,
            version=found.latest.number,
            participant=participant,
            pages=tuple(sorted(read.handed)),
            seconds=dict(read.seconds),
            acknowledged=tuple(sorted(read.done)),
            complete=bool(read.handed) and not missing,
            missing=missing,
        )

    def withdraw(self, document: str, *, place: PlaceView) -> None:
        """Take back a paper that another one replaces; nothing happens to one that is withdrawn already.

        Raises PluginRefusedError for a signed one: it stands.
        """
        found, _ = shelf.document(self._core.records(), document)
        if found.state in ("withdrawn", "deleted"):
            return
        self._staging.take_back(place, document, "replaced", self._clock())

    def held_back(self, question: SignQuestion) -> tuple[str, str] | None:
        """Return why a signing is held back and by which document, None when nothing does.

        It was taken back, it is another version than the one to be signed, it or a part of it is not for this
        person's eyes, or what must be read was not. Documents this room does not keep are others' business.
        """
        for id, sha256 in question.documents:
            try:
                document, _ = shelf.document(self._core.records(), id)
            except NotFoundError:
                continue
            if document.state in ("withdrawn", "deleted"):
                return "withdrawn", id
            if document.latest.sha256 != sha256:
                return "changed", id
            shown = self.shown_to(id, question.participant)
            if shown != "whole":
                return "masked" if shown == "masked" else "not-shown", id
            if self.seen(id, question.participant).missing:
                return "unread", id
        return None

    def of_meeting(self, meeting: str) -> list[DocumentView]:
        return [_view(each) for each in shelf.of_meeting(self._core.records(), meeting) if each.state != "deleted"]


def _view(document: Document) -> DocumentView:
    latest = document.latest
    return DocumentView(
        id=document.id,
        meeting=document.meeting,
        name=document.name,
        version=latest.number,
        sha256=latest.sha256,
        pages=latest.pages,
        state=document.state,
        critical=document.clauses,
    )
