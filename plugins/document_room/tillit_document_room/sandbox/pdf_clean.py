"""Writes a PDF anew without what it would do: the pages stay, scripts, actions and attachments go."""

import io
from typing import Any

from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NullObject, StreamObject

from tillit_document_room.sandbox.limits import Limits
from tillit_document_room.sandbox.pdf_check import judged, open_reader, value, walk
from tillit_document_room.sandbox.refusals import UnsafeFileError

_DROPPED = (
    *("/JS", "/JavaScript", "/XFA", "/AA", "/OpenAction", "/EmbeddedFiles", "/EF", "/AF", "/Collection"),
    *("/RichMediaContent", "/RichMediaSettings", "/Requirements", "/Ref", "/URI", "/OPI"),
)
_OF_ACTION = ("/S", "/F", "/Win", "/Unix", "/Mac", "/D", "/T", "/N", "/R", "/Fields", "/Next", "/O")


def cleaned(data: bytes, limits: Limits) -> bytes:
    """Return the document with a single revision that only shows. Raises UnsafeFileError."""
    reader: PdfReader = open_reader(data)
    try:
        writer = PdfWriter(clone_from=reader)
        kept: list[Any] = writer._objects
        for place, each in enumerate(kept):
            if isinstance(each, StreamObject) and value(each, "/Type") == "/EmbeddedFile":
                kept[place] = NullObject()
                continue
            for part in list(walk(each, limits)):
                _clean(part)
        out = io.BytesIO()
        writer.write(out)
    except UnsafeFileError:
        raise
    except RecursionError as error:
        raise UnsafeFileError("nesting", "while cleaning") from error
    except MemoryError as error:
        raise UnsafeFileError("bomb", "memory") from error
    except Exception as error:  # pypdf raises whatever the bytes lead it to
        raise UnsafeFileError("broken", type(error).__name__) from error
    return out.getvalue()


def _clean(part: DictionaryObject) -> None:
    is_bad = bool(judged(part))
    if isinstance(part, StreamObject):
        part.pop("/F", None)
        part.pop("/FFilter", None)
    for key in _DROPPED:
        part.pop(key, None)
    if is_bad and isinstance(value(part, "/S"), str) and value(part, "/Type") in (None, "/Action"):
        for key in _OF_ACTION:
            part.pop(key, None)
    notes = value(part, "/Annots")
    if isinstance(notes, ArrayObject):
        for place in range(len(notes) - 1, -1, -1):
            note = notes[place].get_object() if notes[place] is not None else None
            if isinstance(note, DictionaryObject) and judged(note) & {"embedded", "media"}:
                del notes[place]
    if is_bad and value(part, "/Subtype") in (
        *("/FileAttachment", "/Screen", "/Movie", "/Sound", "/RichMedia", "/3D"),
    ):
        part.pop("/Subtype", None)
