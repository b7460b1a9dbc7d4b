"""A file's way in: size, virus scanner, a process of its own that looks into it, and only then the archive."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sidecar.plugin_api import (
    ClauseView,
    Core,
    NotFoundError,
    PlaceView,
    PluginAct,
    PluginRefusedError,
    Records,
    new_id,
    to_text,
)
from tillit_document_room import converting, shelf
from tillit_document_room.finding import Index
from tillit_document_room.marking import carried_over, hidden_from_the_start
from tillit_document_room.model import Document, MaskRule, Origin, State, Version, may_see, with_version
from tillit_document_room.names import shown_name
from tillit_document_room.processes import Workshop
from tillit_document_room.sandbox.refusals import UnsafeFileError
from tillit_document_room.sandbox.sniff import OFFICE
from tillit_document_room.scanner import Scanner
from tillit_document_room.settings import RoomSettings

EXPIRE = "document_room.expire"


@dataclass(frozen=True)
class Sender:
    """Who brings a file. place: None for staff at the desk, a connected system and other plugins."""

    person: str
    place: PlaceView | None = None

    @property
    def participant(self) -> str:
        return self.place.participant if self.place else ""


@dataclass(frozen=True)
class Taken:
    """A file that was found harmless. pdf: what is kept."""

    pdf: bytes
    facts: dict[str, Any]
    received_sha256: str

    def version(self, number: int, *, by: str, at: datetime) -> Version:
        """Return the version without its object, which is stored once its coming is recorded."""
        return Version(
            number=number,
            object="",
            sha256=hashlib.sha256(self.pdf).hexdigest(),
            received_sha256=self.received_sha256,
            kind=str(self.facts["kind"]),
            bytes=len(self.pdf),
            sizes=tuple((width, height) for width, height in self.facts["sizes"]),
            by=by,
            at=at,
            removed=tuple(self.facts["removed"]),
            signed=bool(self.facts["signed"]),
        )


class Intake:
    """Takes files into a meeting."""

    def __init__(self, core: Core, workshop: Workshop, scanner: Scanner, index: Index, settings: RoomSettings) -> None:
        self._core, self._workshop, self._scanner, self._settings = core, workshop, scanner, settings
        self._index = index

    def add(
        self,
        meeting: str,
        name: str,
        data: bytes,
        *,
        sender: Sender,
        origin: Origin,
        now: datetime,
        state: State = "draft",
        released: bool = False,
        visible_to: Sequence[str] | None = None,
        critical: Sequence[ClauseView] = (),
        hidden: Sequence[str] = (),
        dated: str = "",
    ) -> Document:
        """Keep a file as a new document and return it; the same file of the same sender twice is one document.

        hidden: words to hide from whoever may not see unmasked values; every one has to stand in it.
        Raises PluginRefusedError with the sentence that says why not.
        """
        view = self._core.meeting(meeting)
        received = hashlib.sha256(data).hexdigest()
        present = shelf.of_meeting(self._core.records(), meeting)
        for each in present:
            known = each.latest.received_sha256 == received and each.by_participant == sender.participant
            if known and each.by == sender.person and each.origin == origin and each.state in ("draft", "ready"):
                return each
        if sum(each.state != "deleted" for each in present) >= self._settings.documents:
            raise refusal("full")
        taken = self._taken(meeting, data, sender, keep_bytes=origin in ("signed", "import"))
        _check_clauses(critical, len(taken.facts["sizes"]))
        version = taken.version(1, by=sender.person, at=now)
        masks = self._masks(lambda: hidden_from_the_start(self._workshop, meeting, taken.pdf, hidden))
        if not all(each.settled for each in masks):
            raise refusal("not_found")
        document = Document(
            id=new_id("d"),
            meeting=meeting,
            name=shown_name(name, fallback=self._core.t(view.language, "document_room.unnamed")),
            origin=origin,
            state=state,
            by=sender.person,
            by_participant=sender.participant,
            created_at=now,
            delete_at=view.retain_until,
            versions=(version,),
            visible_to=None if visible_to is None else tuple(visible_to),
            released=released,
            clauses=tuple(critical),
            masks=tuple(masks),
            case=view.case,
            dated=dated,
        )

        def keep(records: Records, kept: Document) -> None:
            shelf.save(records, kept, expected=0)
            self._index.add(records, kept)
            records.add_errand(EXPIRE, {"document": kept.id}, due_at=kept.delete_at)

        kind = "document_room.imported" if origin == "import" else "document_room.received"
        return self._perform(kind, document, taken.pdf, sender, keep)

    def add_version(self, document: Document, data: bytes, *, sender: Sender, now: datetime) -> Document:
        """Keep a file as the next version. What was hidden stays hidden; what was read must be read again."""
        taken = self._taken(document.meeting, data, sender, keep_bytes=document.origin in ("signed", "import"))
        current, expected = shelf.document(self._core.records(), document.id)
        if current.state in ("withdrawn", "deleted"):  # while the file was looked into
            raise refusal("withdrawn")
        version = taken.version(current.latest.number + 1, by=sender.person, at=now)
        masks = self._masks(lambda: carried_over(self._workshop, current, version, taken.pdf))
        clauses = tuple(each for each in current.clauses if each.page <= version.pages)
        state: State = "signed" if current.state == "signed" else "ready"
        changed = replace(with_version(current, version, masks), clauses=clauses, state=state)

        def keep(records: Records, kept: Document) -> None:
            shelf.save(records, kept, expected=expected)
            self._index.add(records, kept)

        return self._perform("document_room.received", changed, taken.pdf, sender, keep)

    def _perform(
        self, kind: str, document: Document, pdf: bytes, sender: Sender, keep: Callable[[Records, Document], None]
    ) -> Document:
        """Record that a version came, then keep its bytes and the document together; return it as kept."""
        version, objects = document.latest, list[str]()
        told = [each.participant for each in self._core.places(document.meeting) if may_see(document, each)]
        act = PluginAct(
            kind,
            data={
                "document": document.id,
                "version": version.number,
                "sha256": version.sha256,
                "received_sha256": version.received_sha256,
                "pages": version.pages,
                "file_kind": version.kind,
                "origin": document.origin,
                "removed": list(version.removed),
                "delete_at": to_text(document.delete_at),
                "scanner": self._scanner.name,
            },
            place=sender.place,
            meeting=document.meeting,
            actor=sender.person,
            public={"document": document.id} if told else None,
            announce_to=told,
        )

        def stored() -> Document:
            return replace(document, versions=(*document.versions[:-1], replace(version, object=objects[0])))

        try:
            self._core.perform(
                act,
                before=lambda: objects.append(self._core.objects.put(document.meeting, "document", pdf)),
                effect=lambda records: keep(records, stored()),
            )
        except BaseException:
            for each in objects:
                self._core.objects.drop(each)
            raise
        return stored()

    def _taken(self, meeting: str, data: bytes, sender: Sender, *, keep_bytes: bool) -> Taken:
        received = hashlib.sha256(data).hexdigest()
        try:
            return self._look_into(data, received, keep_bytes=keep_bytes)
        except UnsafeFileError as error:
            reason = error.reason
        act = PluginAct(
            "document_room.refused",
            data={"reason": reason, "received_sha256": received, "bytes": len(data), "scanner": self._scanner.name},
            place=sender.place,
            meeting=meeting,
            actor=sender.person,
        )
        self._core.perform(act, effect=lambda records: None)
        raise refusal(reason, **self._bounds())

    def _masks(self, look: Callable[[], list[MaskRule]]) -> list[MaskRule]:
        try:
            return look()
        except UnsafeFileError as error:
            raise refusal(error.reason, **self._bounds()) from error

    def _look_into(self, data: bytes, received: str, *, keep_bytes: bool) -> Taken:
        if len(data) > self._settings.limits.file_bytes:
            raise UnsafeFileError("size")
        self._scanner.check(data)
        facts, changed = self._workshop.once({"do": "inspect", "keep_bytes": keep_bytes}, data)
        if facts["kind"] in OFFICE:
            pdf = converting.convert(data, facts["kind"], soffice=self._settings.office, limits=self._settings.limits)
            kind = facts["kind"]
            facts, changed = self._workshop.once({"do": "inspect", "keep_bytes": False}, pdf)
            if facts["kind"] != "pdf":
                raise UnsafeFileError("broken", "office")
            return Taken(changed or pdf, facts | {"kind": kind}, received)
        return Taken(changed or data, facts, received)

    def _bounds(self) -> dict[str, object]:
        limits = self._settings.limits
        return {"megabytes": limits.file_bytes // (1024 * 1024), "pages": limits.pages}


def refusal(reason: str, **values: object) -> PluginRefusedError:
    """Return the refusal with the sentence of that reason."""
    return PluginRefusedError(f"The file is refused: {reason}.", sentence=f"document_room.refused.{reason}", **values)


def _check_clauses(clauses: Sequence[ClauseView], pages: int) -> None:
    if any(not 1 <= each.page <= pages for each in clauses):
        raise NotFoundError("A critical clause stands on a page the document does not have.")
