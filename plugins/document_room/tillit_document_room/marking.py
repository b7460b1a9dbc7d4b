"""Where hidden values stand in a version. What cannot be found is said: a mask that covers nothing protects nothing."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from tillit_document_room.model import Document, MaskRule, Version
from tillit_document_room.processes import Keeper, Workshop
from tillit_document_room.sandbox.masks import Mask


def opened(keeper: Keeper, key: str, load: Callable[[], bytes]) -> None:
    """Give the meeting's process the document, unless it has it."""
    if key not in keeper.documents:
        keeper.do({"do": "open", "key": key}, load())
        keeper.documents.add(key)


def found(workshop: Workshop, meeting: str, key: str, load: Callable[[], bytes], value: str) -> tuple[Mask, ...]:
    """Return where the words stand in a document, as boxes by line."""
    with workshop.room(meeting) as keeper:
        opened(keeper, key, load)
        answer, _ = keeper.do({"do": "find", "key": key, "value": value})
    return tuple(Mask(**each) for each in answer["masks"])


def carried_over(workshop: Workshop, document: Document, version: Version, pdf: bytes) -> list[MaskRule]:
    """Return the masks for a further version: values looked for anew, drawn boxes where they were."""
    before, after = str(document.latest.number), str(version.number)
    rules = []
    for rule in document.masks:
        boxes = rule.boxes.get(before, ())
        if rule.value:
            key = hashlib.sha256(pdf).hexdigest()
            boxes = found(workshop, document.meeting, key, lambda: pdf, rule.value)
        kept = tuple(replace(each, instead=rule.instead) for each in boxes if each.page <= version.pages)
        rules.append(replace(rule, boxes={**rule.boxes, after: kept}))
    return rules
