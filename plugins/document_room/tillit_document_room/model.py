"""What a document is in a meeting: its versions, who may see it, what is hidden, what must not be missed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from sidecar.plugin_api import Capacity, ClauseView, PlaceView, from_text, to_text
from tillit_document_room.sandbox.masks import Mask

Origin = Literal["upload", "form", "signed", "import"]
State = Literal["draft", "ready", "withdrawn", "signed", "deleted"]
OVERSEERS = frozenset({Capacity.ADVISER})  # who answers for a meeting's documents
_MARKERS = frozenset({Capacity.CUSTOMER, Capacity.REPRESENTATIVE})  # whose reading is followed


@dataclass(frozen=True)
class MaskRule:
    """What is hidden, and from whom. value: words to hide wherever they stand; else box, on one page.

    boxes: where it applies in each version, worked out once. settled: the versions of which it is known that these
    places are all; no other version is shown to whom the rule applies. instead: words shown in its place. Whoever
    lacks the permission see_unmasked never sees what is below; hide_from names capacities and participants beyond them.
    """

    id: str
    value: str = field(default="", repr=False)
    instead: str = field(default="", repr=False)
    hide_from: tuple[str, ...] = ()
    boxes: Mapping[str, tuple[Mask, ...]] = field(default_factory=dict, repr=False)
    settled: tuple[int, ...] = ()

    def applies_to(self, place: PlaceView) -> bool:
        if "see_unmasked" not in place.permissions:
            return True
        return place.participant in self.hide_from or place.capacity.value in self.hide_from


@dataclass(frozen=True)
class Version:
    """One version. sha256: of the PDF as kept, received_sha256: of the file as it came. sizes: in points.

    removed: what was taken out on the way in. signed: it carries a digital signature.
    """

    number: int
    object: str
    sha256: str
    received_sha256: str
    kind: str
    bytes: int
    sizes: tuple[tuple[float, float], ...]
    by: str
    at: datetime
    removed: tuple[str, ...] = ()
    signed: bool = False

    @property
    def pages(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class Document:
    """One document of one meeting.

    by: pseudonym; by_participant: their place, "" from outside the room. visible_to: capacities and participant
    ids, None for all who may view. released: others than the bank and who brought it may see it.
    dated: of a historic document, the day it is of.
    """

    id: str
    meeting: str
    name: str = field(repr=False)
    origin: Origin
    state: State
    by: str
    by_participant: str
    created_at: datetime
    delete_at: datetime
    versions: tuple[Version, ...]
    visible_to: tuple[str, ...] | None = None
    released: bool = False
    downloadable: bool = False
    clauses: tuple[ClauseView, ...] = ()
    masks: tuple[MaskRule, ...] = ()
    withdrawn_at: datetime | None = None
    withdrawn_for: str = ""
    case: str = ""
    dated: str = ""

    @property
    def latest(self) -> Version:
        return self.versions[-1]

    def version(self, number: int) -> Version | None:
        return next((each for each in self.versions if each.number == number), None)

    def masks_for(self, place: PlaceView, version: int) -> tuple[Mask, ...]:
        """Return what this person must not see of a version."""
        return tuple(mask for rule in self.masks if rule.applies_to(place) for mask in rule.boxes.get(str(version), ()))

    def is_settled_for(self, place: PlaceView, version: int) -> bool:
        """Return whether it is known where all stands that this person must not see of a version."""
        return all(version in rule.settled for rule in self.masks if rule.applies_to(place))

    def is_whole_for(self, place: PlaceView, version: int) -> bool:
        """Return whether nothing of a version is hidden from this person."""
        return self.is_settled_for(place, version) and not self.masks_for(place, version)


def may_see(document: Document, place: PlaceView) -> bool:
    """Return whether this person may know of the document at all. Withdrawn ones are kept for who oversees."""
    if document.state == "deleted" or "view_document" not in place.permissions:
        return False
    if place.capacity in OVERSEERS:
        return True
    if document.state == "withdrawn":
        return False
    if document.by_participant == place.participant:
        return True
    return document.released and _is_among(document.visible_to, place)


def may_see_pages(document: Document, place: PlaceView) -> bool:
    """Return whether this person may see its pages now: nobody sees a withdrawn one's."""
    return document.state != "withdrawn" and may_see(document, place)


def is_followed(place: PlaceView) -> bool:
    """Return whether this person's reading holds back a signing and raises the alarm."""
    return place.capacity in _MARKERS


def _is_among(visible_to: Sequence[str] | None, place: PlaceView) -> bool:
    return visible_to is None or place.participant in visible_to or place.capacity.value in visible_to


# To JSON and back


def to_body(document: Document) -> dict[str, Any]:
    """Return the document as JSON values."""
    body = asdict(document)
    body["created_at"], body["delete_at"] = to_text(document.created_at), to_text(document.delete_at)
    body["withdrawn_at"] = to_text(document.withdrawn_at) if document.withdrawn_at else None
    for each, version in zip(body["versions"], document.versions, strict=True):
        each["at"] = to_text(version.at)
    return body


def from_body(body: Mapping[str, Any]) -> Document:
    """Return the document of `to_body`."""
    given = dict(body)
    withdrawn_at = given.pop("withdrawn_at")
    return Document(
        **{
            **given,
            "created_at": from_text(given["created_at"]),
            "delete_at": from_text(given["delete_at"]),
            "withdrawn_at": from_text(withdrawn_at) if withdrawn_at else None,
            "versions": tuple(_version(each) for each in given["versions"]),
            "visible_to": None if given["visible_to"] is None else tuple(given["visible_to"]),
            "clauses": tuple(_clause(each) for each in given["clauses"]),
            "masks": tuple(_rule(each) for each in given["masks"]),
        }
    )


def _version(body: Mapping[str, Any]) -> Version:
    sizes = tuple((float(width), float(height)) for width, height in body["sizes"])
    return Version(**{**body, "at": from_text(body["at"]), "sizes": sizes, "removed": tuple(body["removed"])})


def _clause(body: Mapping[str, Any]) -> ClauseView:
    box = body["box"]
    return ClauseView(
        body["id"], body["page"], body["title"], None if box is None else (box[0], box[1], box[2], box[3])
    )


def _rule(body: Mapping[str, Any]) -> MaskRule:
    boxes = {number: tuple(Mask(**each) for each in masks) for number, masks in body["boxes"].items()}
    kept = {"hide_from": tuple(body["hide_from"]), "boxes": boxes, "settled": tuple(body.get("settled", ()))}
    return MaskRule(**{**body, **kept})


def with_version(document: Document, version: Version, masks: Sequence[MaskRule]) -> Document:
    """Return the document with a further version; what stood at a place of the old one stays there, to be checked."""
    return replace(document, versions=(*document.versions, version), masks=tuple(masks), state="ready")
