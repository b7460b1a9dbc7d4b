"""How a document ends, and what remains to be asked: deletion by the rule, the archive, who saw what."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sidecar.plugin_api import Core, ErrandView, NotFoundError, PluginAct, Records, to_text
from tillit_document_room import shelf
from tillit_document_room.finding import Index
from tillit_document_room.intake import EXPIRE
from tillit_document_room.model import Document
from tillit_document_room.processes import Workshop

MOST_FOUND = 50  # on one page of the archive
VIEW_KINDS = (
    *("document_room.received", "document_room.imported", "document_room.presented", "document_room.page_viewed"),
    *("document_room.clause_seen", "document_room.clause_acknowledged", "document_room.clause_passed"),
    *("document_room.withdrawn", "document_room.restored", "document_room.downloaded", "document_room.deleted"),
)


@dataclass(frozen=True)
class Viewed:
    """A line of "what was shown to whom": person is a pseudonym."""

    kind: str
    person: str
    at: datetime
    version: int
    sha256: str
    page: int | None


class Keeping:
    """Deletes by the rule and answers for the archive."""

    def __init__(self, core: Core, workshop: Workshop, index: Index, clock: Callable[[], datetime]) -> None:
        self._core, self._workshop, self._index, self._clock = core, workshop, index, clock

    def expire(self, errand: ErrandView) -> None:
        """Delete a document whose day has come; one whose meeting was moved gets a new day. Twice does nothing."""
        try:
            document, expected = shelf.document(self._core.records(), str(errand.body["document"]))
        except NotFoundError:
            return  # gone with its meeting
        if document.state == "deleted":
            return
        now = self._clock()
        try:
            due = self._core.meeting(document.meeting).retain_until
        except NotFoundError:
            due = document.delete_at
        if due > max(now, errand.due_at):
            act = PluginAct(
                "document_room.rescheduled",
                data={"document": document.id, "delete_at": to_text(due)},
                meeting=document.meeting,
            )
            self._core.perform(act, effect=lambda records: self._postpone(records, document.id, due))
            return
        self.delete(document, expected=expected, reason="retention", actor="system")

    def delete(self, document: Document, *, expected: int, reason: str, actor: str) -> None:
        """Destroy every version; what remains is that there was one, and its digests in the log."""
        participants = [each.participant for each in self._core.places(document.meeting)]
        bare = replace(document, state="deleted", name="", masks=(), clauses=(), case="")
        act = PluginAct(
            "document_room.deleted",
            data={
                "document": document.id,
                "versions": len(document.versions),
                "sha256": document.latest.sha256,
                "reason": reason,
            },
            meeting=document.meeting,
            actor=actor,
            public={"document": document.id},
        )

        def effect(records: Records) -> None:
            self._index.remove(records, document)
            shelf.save(records, bare, expected=expected)
            shelf.drop_readings(records, document, participants)

        def destroy() -> None:
            for version in document.versions:
                self._core.objects.drop(version.object)

        self._core.perform(act, before=destroy, effect=effect)
        self._workshop.close_room(document.meeting)

    def search(self, words: str, *, may_find: Callable[[str], bool]) -> list[Document]:
        """Return the newest documents that have all the words, deleted ones never.

        may_find: whether who asks may find a meeting's documents; what they may not find takes nobody's place.
        """
        meetings: dict[str, bool] = {}

        def counts(document: Document) -> bool:
            if document.meeting not in meetings:
                meetings[document.meeting] = may_find(document.meeting)
            return document.state != "deleted" and meetings[document.meeting]

        return self._index.search(self._core.records(), words, may_find=counts, limit=MOST_FOUND)

    def viewed(self, document: Document) -> list[Viewed]:
        """Return who saw which page of which version, when, in the order it happened."""
        out = []
        for entry in self._core.audit_entries(document.meeting, VIEW_KINDS):
            if entry.data.get("document") != document.id:
                continue
            page = entry.data.get("page")
            out.append(
                Viewed(
                    kind=entry.kind.partition(".")[2],
                    person=entry.actor,
                    at=entry.at,
                    version=int(entry.data.get("version", document.latest.number)),
                    sha256=str(entry.data.get("sha256", "")),
                    page=page if isinstance(page, int) else None,
                )
            )
        return out

    def report(self, document: Document) -> dict[str, Any]:
        """Return the document's history for a program: pseudonyms, digests, times."""
        return {
            "document": document.id,
            "meeting": document.meeting,
            "state": document.state,
            "delete_at": to_text(document.delete_at),
            "versions": [
                {"version": each.number, "sha256": each.sha256, "pages": each.pages, "at": to_text(each.at)}
                for each in document.versions
            ],
            "events": [
                {
                    "kind": each.kind,
                    "person": each.person,
                    "at": to_text(each.at),
                    "version": each.version,
                    "sha256": each.sha256,
                    "page": each.page,
                }
                for each in self.viewed(document)
            ],
        }

    def _postpone(self, records: Records, id: str, due: datetime) -> None:
        document, expected = shelf.document(records, id)
        shelf.save(records, replace(document, delete_at=due), expected=expected)
        records.add_errand(EXPIRE, {"document": document.id}, due_at=due)
