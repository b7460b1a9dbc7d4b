"""Where hidden values stand in a version. What cannot be found is said: a mask that covers nothing protects nothing."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sidecar.plugin_api import new_id
from tillit_document_room.model import Document, MaskRule, Version
from tillit_document_room.processes import Keeper, Workshop
from tillit_document_room.sandbox.masks import Mask


@dataclass(frozen=True)
class Found:
    """Where words stand, as boxes by line. is_all: no page is without words, so that none can show them unfound."""

    boxes: tuple[Mask, ...]
    is_all: bool


def opened(keeper: Keeper, key: str, load: Callable[[], bytes]) -> None:
    """Give the meeting's process the document, unless it has it."""
    if key not in keeper.documents:
        keeper.do({"do": "open", "key": key}, load())
        keeper.documents.add(key)


def found(workshop: Workshop, meeting: str, pdf: bytes, value: str) -> Found:
    """Return where the words stand in a document that is not kept yet."""
    key = hashlib.sha256(pdf).hexdigest()
    with workshop.room(meeting) as keeper:
        keeper.documents.discard(key)  # it may have been put out for others since
        opened(keeper, key, lambda: pdf)
        answer, _ = keeper.do({"do": "find", "key": key, "value": value})
    return Found(tuple(Mask(**each) for each in answer["masks"]), not answer["wordless"])


def hidden_from_the_start(workshop: Workshop, meeting: str, pdf: bytes, values: Sequence[str]) -> list[MaskRule]:
    """Return the masks of a new document; that of a value which stands nowhere is not settled."""
    rules = []
    for value in dict.fromkeys(values):
        boxes = found(workshop, meeting, pdf, value).boxes
        rules.append(MaskRule(id=new_id("k"), value=value, boxes={"1": boxes}, settled=(1,) if boxes else ()))
    return rules


def carried_over(workshop: Workshop, document: Document, version: Version, pdf: bytes) -> list[MaskRule]:
    """Return the masks for a further version: values looked for anew, drawn boxes where they were.

    Settled is only a value that is found at least as often as before, with words on every page: written otherwise,
    moved or scanned, it stands where nothing covers it. The adviser looks at the rest before the version is shown.
    """
    before, after = str(document.latest.number), str(version.number)
    rules = []
    for rule in document.masks:
        boxes, settled = rule.boxes.get(before, ()), rule.settled
        if rule.value:
            places = found(workshop, document.meeting, pdf, rule.value)
            if places.is_all and len(places.boxes) >= max(1, len(boxes)):
                settled = (*settled, version.number)
            boxes = places.boxes
        kept = tuple(replace(each, instead=rule.instead) for each in boxes if each.page <= version.pages)
        rules.append(replace(rule, boxes={**rule.boxes, after: kept}, settled=settled))
    return rules
