"""What the meeting looks at together: presenting, turning pages, taking a document back, deciding who may see it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sidecar.plugin_api import ConflictError, Core, NotFoundError, PlaceView, PluginAct, Records
from tillit_document_room import shelf
from tillit_document_room.intake import refusal
from tillit_document_room.model import OVERSEERS, Document, may_see, may_see_pages
from tillit_document_room.processes import Workshop
from tillit_document_room.settings import RoomSettings
from tillit_document_room.shelf import Shown

REASONS = ("outdated", "mistake", "misaddressed")
_FOR_GOOD = ("misaddressed", "replaced")
_TRIES = 5  # of a withdrawal that meets another change


class Staging:
    """Changes what is shown, and to whom."""

    def __init__(self, core: Core, workshop: Workshop, settings: RoomSettings) -> None:
        self._core, self._workshop, self._settings = core, workshop, settings

    def present(self, place: PlaceView, id: str, page: int, now: datetime) -> None:
        """Show a page to everybody who may see the document; who brought it, and others, see it from now on."""
        document, expected = self._visible(place, id)
        if document.state == "withdrawn":
            raise refusal("withdrawn")
        if not 1 <= page <= document.latest.pages:
            raise NotFoundError("The document has no such page.")
        current, seen = shelf.stage(self._core.records(), place.meeting)
        old = current.shown
        is_turn = old is not None and old.document == id and old.version == document.latest.number
        if is_turn and old is not None and old.page == page:
            return
        changed = current.showing(Shown(id, document.latest.number, page, now, place.participant))
        released = replace(document, released=True, state="ready" if document.state == "draft" else document.state)

        def effect(records: Records) -> None:
            shelf.save_stage(records, place.meeting, changed, expected=seen)
            if released != document:
                shelf.save(records, released, expected=expected)

        act = PluginAct(
            "document_room.turned" if is_turn else "document_room.presented",
            data={
                "document": id,
                "version": document.latest.number,
                "sha256": document.latest.sha256,
                "page": page,
                "participant": place.participant,
            },
            place=place,
            public={"document": id, "version": document.latest.number, "page": page, "seq": changed.seq},
            announce_to=self.audience(released),
        )
        self._core.perform(act, effect=effect)

    def stop(self, place: PlaceView) -> None:
        """Show nothing any longer."""
        current, seen = shelf.stage(self._core.records(), place.meeting)
        if current.shown is None:
            return
        changed = current.showing(None)
        act = PluginAct(
            "document_room.put_away",
            data={"document": current.shown.document, "participant": place.participant},
            place=place,
            public={"document": current.shown.document, "seq": changed.seq},
        )
        self._core.perform(act, effect=lambda records: shelf.save_stage(records, place.meeting, changed, expected=seen))

    def withdraw(self, place: PlaceView, id: str, reason: str, now: datetime) -> None:
        """Take a document from every screen at once. misaddressed: it was meant for somebody else."""
        if reason not in REASONS:
            raise NotFoundError("There is no such reason.")
        document, _ = self._visible(place, id)
        if place.capacity not in OVERSEERS and document.by_participant != place.participant:
            raise refusal("not_yours")
        self.take_back(place, id, reason, now)

    def take_back(self, place: PlaceView, id: str, reason: str, now: datetime) -> None:
        """Withdraw without asking who may: for another plugin whose paper it is, for the reason "replaced".

        It comes before whatever else is done to the document meanwhile, which is taken in first.
        """
        for left in reversed(range(_TRIES)):
            document, expected = shelf.document(self._core.records(), id)
            if document.state in ("withdrawn", "deleted", "signed"):
                raise refusal("signed" if document.state == "signed" else "withdrawn")
            try:
                self._take_back(place, document, reason, now, expected=expected)
                break
            except ConflictError:
                if not left:
                    raise
        self._workshop.close_room(place.meeting)  # what was drawn of it is gone from memory too

    def _take_back(self, place: PlaceView, document: Document, reason: str, now: datetime, *, expected: int) -> None:
        id = document.id
        current, seen = shelf.stage(self._core.records(), place.meeting)
        clears = current.shown is not None and current.shown.document == id
        changed = replace(document, state="withdrawn", withdrawn_at=now, withdrawn_for=reason)

        def effect(records: Records) -> None:
            shelf.save(records, changed, expected=expected)
            if clears:
                shelf.save_stage(records, place.meeting, current.showing(None), expected=seen)

        data = {
            "document": id,
            "version": document.latest.number,
            "sha256": document.latest.sha256,
            "reason": reason,
            "was_seen_by": len(self._viewers(document)),
        }
        act = PluginAct("document_room.withdrawn", data=data, place=place, public={"document": id})
        acts = [act]
        if reason == "misaddressed":
            acts.append(PluginAct("document_room.misaddressed", data=data, place=place))
        self._core.perform(*acts, effect=effect)

    def restore(self, place: PlaceView, id: str, now: datetime) -> None:
        """Take a withdrawal back, within the time the settings leave, and never a misaddressed document's."""
        document, expected = self._visible(place, id)
        if place.capacity not in OVERSEERS or not self.can_restore(document, now):
            raise refusal("too_late")
        changed = replace(document, state="ready", withdrawn_at=None, withdrawn_for="")
        act = PluginAct(
            "document_room.restored",
            data={"document": id, "version": document.latest.number, "sha256": document.latest.sha256},
            place=place,
            public={"document": id},
            announce_to=self.audience(changed),
        )
        self._core.perform(act, effect=lambda records: shelf.save(records, changed, expected=expected))

    def can_restore(self, document: Document, now: datetime) -> bool:
        if document.state != "withdrawn" or document.withdrawn_at is None or document.withdrawn_for in _FOR_GOOD:
            return False
        return now - document.withdrawn_at < timedelta(minutes=self._settings.undo_minutes)

    def share(
        self, place: PlaceView, id: str, *, visible_to: Sequence[str] | None, released: bool, downloadable: bool
    ) -> None:
        """Decide who may see a document, and whether they may take it with them."""
        document, expected = self._visible(place, id)
        if place.capacity not in OVERSEERS:
            raise refusal("not_yours")
        known = {each.participant for each in self._core.places(place.meeting)}
        known |= {"adviser", "specialist", "customer", "representative", "observer"}
        if visible_to is not None and not set(visible_to) <= known:
            raise NotFoundError("There is no such reader in this meeting.")
        changed = replace(
            document,
            visible_to=None if visible_to is None else tuple(visible_to),
            released=released,
            downloadable=downloadable,
        )
        act = PluginAct(
            "document_room.shared",
            data={
                "document": id,
                "sha256": document.latest.sha256,
                "visible_to": "all" if visible_to is None else sorted(visible_to),
                "released": released,
                "downloadable": downloadable,
            },
            place=place,
            public={"document": id},
        )
        self._core.perform(act, effect=lambda records: shelf.save(records, changed, expected=expected))

    def audience(self, document: Document) -> list[str]:
        """Return the places whose pages may hear of a document; an adviser always may, so it is never empty."""
        return [each.participant for each in self._core.places(document.meeting) if may_see_pages(document, each)]

    def _visible(self, place: PlaceView, id: str) -> tuple[Document, int]:
        """Return a document to be changed, and the version its change takes the place of."""
        document, expected = shelf.document(self._core.records(), id)
        if document.meeting != place.meeting or not may_see(document, place):
            raise NotFoundError("There is no such document.")
        return document, expected

    def _viewers(self, document: Document) -> set[str]:
        seen = self._core.audit_entries(document.meeting, ["document_room.page_viewed"])
        return {each.actor for each in seen if each.data.get("document") == document.id and each.actor != document.by}
