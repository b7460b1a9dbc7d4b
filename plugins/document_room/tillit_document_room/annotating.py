"""What the adviser marks in a document: values nobody else may see, clauses nobody may miss."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sidecar.plugin_api import (
    ClauseView,
    ConflictError,
    Core,
    InvalidInputError,
    NotFoundError,
    PlaceView,
    PluginAct,
    new_id,
)
from tillit_document_room import shelf
from tillit_document_room.intake import refusal
from tillit_document_room.model import OVERSEERS, Document, MaskRule
from tillit_document_room.sandbox.masks import Mask
from tillit_document_room.staging import Staging
from tillit_document_room.viewing import Viewing

_MOST = 200
Box = tuple[float, float, float, float]


class Annotating:
    """Adds and removes masks and critical clauses."""

    def __init__(self, core: Core, viewing: Viewing, staging: Staging) -> None:
        self._core, self._viewing, self._staging = core, viewing, staging

    def hide(
        self,
        place: PlaceView,
        id: str,
        *,
        value: str,
        page: int,
        box: Box | None,
        instead: str,
        hide_from: Sequence[str],
    ) -> int:
        """Hide a value wherever it stands in the latest version, or a box on one page; return how many places.

        From then on older versions, where nobody looked for it, are closed to whom it is hidden from.
        Raises PluginRefusedError for a value that is not found: a scanned page has no words to find.
        """
        document, expected = self._with_room(place, id)
        latest = document.latest
        if value:
            boxes = [Mask(**each) for each in self._viewing.find(place, document, latest, value)]
            if not boxes:
                raise refusal("not_found")
        elif box is not None and 1 <= page <= latest.pages:
            left, top, width, height = box
            boxes = [Mask(page, left, top, left + width, top + height)]
        else:
            raise InvalidInputError("Say which words to hide, or where.", field="value")
        known = {each.participant for each in self._core.places(place.meeting)} | {"specialist", "representative"}
        if not set(hide_from) <= known:
            raise NotFoundError("There is no such reader in this meeting.")
        rule = MaskRule(
            id=new_id("k"),
            value=value,
            instead=instead,
            hide_from=tuple(hide_from),
            boxes={str(latest.number): tuple(replace(each, instead=instead) for each in boxes)},
            settled=(latest.number,),
        )
        changed = replace(document, masks=(*document.masks, rule))
        self._change(place, changed, "hidden", len(boxes), expected=expected)
        return len(boxes)

    def settle(self, place: PlaceView, id: str, mask: str, version: int) -> None:
        """Take the adviser's word that a mask covers all it should in the newest version, which shows it from now on.

        version: the one the adviser looked at.
        """
        document, expected = self._overseen(place, id)
        rule = next((each for each in document.masks if each.id == mask), None)
        if rule is None:
            raise NotFoundError("There is no such mask.")
        if version != document.latest.number:
            raise ConflictError("There is a newer version.")
        if version in rule.settled:
            return
        settled = replace(rule, settled=(*rule.settled, version))
        masks = tuple(settled if each is rule else each for each in document.masks)
        count = len(rule.boxes.get(str(version), ()))
        self._change(place, replace(document, masks=masks), "settled", count, expected=expected)

    def unhide(self, place: PlaceView, id: str, mask: str) -> None:
        document, expected = self._overseen(place, id)
        kept = tuple(each for each in document.masks if each.id != mask)
        if len(kept) == len(document.masks):
            raise NotFoundError("There is no such mask.")
        self._change(place, replace(document, masks=kept), "unhidden", 1, expected=expected)

    def mark(self, place: PlaceView, id: str, *, title: str, words: str, page: int, box: Box | None) -> ClauseView:
        """Mark a clause that must not be missed: where some words begin, in a box, or a whole page."""
        document, expected = self._with_room(place, id)
        if words:
            found = self._viewing.find(place, document, document.latest, words)
            if not found:
                raise refusal("not_found")
            page, box = int(found[0]["page"]), _paragraph(found[0])
        if not 1 <= page <= document.latest.pages:
            raise NotFoundError("The document has no such page.")
        clause = ClauseView(new_id("c"), page, title, box)
        kept = sorted((*document.clauses, clause), key=lambda each: (each.page, each.box[1] if each.box else 0.0))
        self._change(place, replace(document, clauses=tuple(kept)), "clause_added", 1, expected=expected)
        return clause

    def unmark(self, place: PlaceView, id: str, clause: str) -> None:
        document, expected = self._overseen(place, id)
        kept = tuple(each for each in document.clauses if each.id != clause)
        if len(kept) == len(document.clauses):
            raise NotFoundError("There is no such clause.")
        self._change(place, replace(document, clauses=kept), "clause_removed", 1, expected=expected)

    def _overseen(self, place: PlaceView, id: str) -> tuple[Document, int]:
        """Return a document to be changed, and the version its change takes the place of."""
        document, expected = shelf.document(self._core.records(), id)
        if document.meeting != place.meeting or document.state == "deleted":
            raise NotFoundError("There is no such document.")
        if place.capacity not in OVERSEERS:
            raise refusal("not_yours")
        if document.state in ("withdrawn", "signed"):
            raise refusal("withdrawn" if document.state == "withdrawn" else "signed")
        return document, expected

    def _with_room(self, place: PlaceView, id: str) -> tuple[Document, int]:
        document, expected = self._overseen(place, id)
        if len(document.masks) + len(document.clauses) >= _MOST:
            raise refusal("full")
        return document, expected

    def _change(self, place: PlaceView, changed: Document, what: str, count: int, *, expected: int) -> None:
        act = PluginAct(
            "document_room.marked",
            data={
                "document": changed.id,
                "version": changed.latest.number,
                "sha256": changed.latest.sha256,
                "what": what,
                "count": count,
            },
            place=place,
            public={"document": changed.id, "redraw": what in ("hidden", "settled", "unhidden")},
            announce_to=self._staging.audience(changed),
        )
        self._core.perform(act, effect=lambda records: shelf.save(records, changed, expected=expected))


def box_of(given: Any) -> Box | None:
    """Return a box of a request: x, y, width, height as shares of the page. Raises InvalidInputError."""
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != 4 or not all(isinstance(each, int | float) for each in given):
        raise InvalidInputError("A box is four shares of the page.", field="box")
    x, y, width, height = (float(each) for each in given)
    if not all(math.isfinite(each) and 0 <= each <= 1 for each in (x, y, width, height)) or width <= 0 or height <= 0:
        raise InvalidInputError("A box is four shares of the page.", field="box")
    return x, y, min(width, 1 - x) or width, min(height, 1 - y) or height


def _paragraph(line: dict[str, Any]) -> Box:
    """Return a box the width of the text from a line on, about five lines high: a clause follows its heading."""
    height = line["bottom"] - line["top"]
    top = max(0.0, line["top"] - height * 0.5)
    return 0.05, top, 0.9, min(height * 6, 1 - top)
