"""Finds what a PDF would do beyond showing pages: each object looked at, and the raw bytes between them.

Two looks, since readers disagree about damaged files: the objects as pypdf resolves them, and the names in the bytes
themselves, which also finds what an older revision or an object nobody refers to still carries.
Source: ISO 32000-2, sections 7.4 (filters), 7.11 (file specifications), 12.6 (actions), 12.7 (forms), 13 (media).
"""

import io
import re
import zlib
from collections.abc import Iterator
from typing import Any

from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from tillit_document_room.sandbox.limits import Limits
from tillit_document_room.sandbox.refusals import UnsafeFileError

_KEYS = {
    "/JS": "javascript",
    "/JavaScript": "javascript",
    "/XFA": "xfa",
    "/AA": "actions",
    "/EmbeddedFiles": "embedded",
    "/EF": "embedded",
    "/Collection": "embedded",
    "/RichMediaContent": "media",
    "/RichMediaSettings": "media",
    "/Requirements": "actions",
    "/Ref": "external",  # a page of another file, shown in place
}
_ACTIONS = {
    "/JavaScript": "javascript",
    "/Launch": "launch",
    "/SubmitForm": "external",
    "/ImportData": "external",
    "/GoToR": "external",
    "/GoToE": "external",
    "/Thread": "external",
    "/Rendition": "media",
    "/Movie": "media",
    "/Sound": "media",
    "/RichMediaExecute": "media",
    "/GoTo3DView": "media",
    "/Trans": "actions",
    "/SetOCGState": "actions",  # switches what is seen and what is printed
    "/ResetForm": "actions",
}
_ANNOTATIONS = {
    "/FileAttachment": "embedded",
    "/Screen": "media",
    "/Movie": "media",
    "/Sound": "media",
    "/RichMedia": "media",
    "/3D": "media",
}
_RAW = {
    b"JS": "javascript",
    b"JavaScript": "javascript",
    b"Launch": "launch",
    b"XFA": "xfa",
    b"EmbeddedFile": "embedded",
    b"EmbeddedFiles": "embedded",
    b"RichMedia": "media",
    b"GoToR": "external",
    b"GoToE": "external",
    b"SubmitForm": "external",
    b"ImportData": "external",
}
_RAW_NAME = re.compile(rb"/([A-Za-z#][A-Za-z0-9#]{1,40})(?=[\s/<\[(>\]]|$)")
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_FLATE = ("/FlateDecode", "/Fl")
_TAIL_BYTES = 1024  # after the last end mark: white space and what a mail program may have added


def findings(data: bytes, limits: Limits) -> tuple[set[str], bool]:
    """Return what is wrong but can be taken out, and whether the file carries a signature.

    Raises UnsafeFileError for what cannot be taken out.
    """
    reader = open_reader(data)
    found: set[str] = set()
    total = 0
    signed = False
    for each in _objects(reader, limits):
        for part in walk(each, limits):
            found |= judged(part)
            signed = signed or ("/ByteRange" in part and "/Contents" in part)
        if isinstance(each, StreamObject):
            _check_picture(each, limits)
            total += _unpacked(each, limits)
            if total > limits.unpacked_total_bytes:
                raise UnsafeFileError("bomb", "in all")
    if damaged(data):
        found.add("damaged")
    found |= {f"hidden_{each}" if each not in found else each for each in raw_findings(data)}
    return found, signed


def open_reader(data: bytes) -> PdfReader:
    """Return the document, or raise UnsafeFileError("broken") or ("encrypted")."""
    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted or "/Encrypt" in reader.trailer:
            raise UnsafeFileError("encrypted")
        if not isinstance(reader.trailer["/Root"].get_object(), DictionaryObject):
            raise UnsafeFileError("broken", "no catalogue")
    except UnsafeFileError:
        raise
    except NotImplementedError as error:
        raise UnsafeFileError("encrypted", "in an unknown way") from error
    except RecursionError as error:
        raise UnsafeFileError("nesting", "while opening") from error
    except MemoryError as error:
        raise UnsafeFileError("bomb", "memory") from error
    except Exception as error:  # pypdf raises whatever the bytes lead it to
        raise UnsafeFileError("broken", type(error).__name__) from error
    return reader


def _objects(reader: PdfReader, limits: Limits) -> Iterator[Any]:
    """Yield the trailer and each object that the cross-reference names."""
    numbers = {(number, generation) for generation, table in reader.xref.items() for number in table}
    numbers |= {(number, 0) for number in reader.xref_objStm}
    if len(numbers) > limits.objects:
        raise UnsafeFileError("bomb", "objects")
    yield reader.trailer
    for number, generation in sorted(numbers):
        try:
            found = reader.get_object(IndirectObject(number, generation, reader))
        except RecursionError as error:
            raise UnsafeFileError("nesting", "object") from error
        except MemoryError as error:
            raise UnsafeFileError("bomb", "memory") from error
        except Exception as error:  # as above
            if "limit" in type(error).__name__.lower():
                raise UnsafeFileError("bomb", type(error).__name__) from error
            continue  # a missing or broken object shows nothing; whether the page still draws is asked later
        if found is not None:
            yield found


def walk(thing: Any, limits: Limits) -> Iterator[DictionaryObject]:
    """Yield each dictionary within an object, without following references. Raises UnsafeFileError("nesting")."""
    waiting = [(thing, 0)]
    while waiting:
        each, depth = waiting.pop()
        if depth > limits.nesting:
            raise UnsafeFileError("nesting", "containers")
        if isinstance(each, DictionaryObject):
            yield each
            waiting += [(dict.__getitem__(each, key), depth + 1) for key in each]
        elif isinstance(each, ArrayObject):
            waiting += [(list.__getitem__(each, place), depth + 1) for place in range(len(each))]


def value(container: DictionaryObject, key: str) -> Any:
    """Return what stands at a key, a reference resolved; None where it is missing or broken."""
    try:
        return container[key].get_object() if key in container else None
    except Exception:  # as above: pypdf raises whatever the bytes lead it to
        return None


def judged(part: DictionaryObject) -> set[str]:
    """Return what one dictionary would do."""
    found = {word for key, word in _KEYS.items() if key in part}
    action = value(part, "/S")
    if isinstance(action, str) and action in _ACTIONS and ("/Type" not in part or value(part, "/Type") == "/Action"):
        found.add(_ACTIONS[action])
    kind = value(part, "/Subtype")
    if isinstance(kind, str) and kind in _ANNOTATIONS:
        found.add(_ANNOTATIONS[kind])
    if value(part, "/Type") == "/EmbeddedFile":
        found.add("embedded")
    if isinstance(part, StreamObject) and "/F" in part:
        found.add("external")  # its content would come from another file
    first = value(part, "/OpenAction")
    if isinstance(first, DictionaryObject) and value(first, "/S") not in ("/GoTo", "/Named"):
        found.add("actions")
    return found


def _check_picture(stream: StreamObject, limits: Limits) -> None:
    filters = stream_filters(stream)
    if len(filters) > limits.filters:
        raise UnsafeFileError("nesting", "filters")
    width, height = value(stream, "/Width"), value(stream, "/Height")
    if isinstance(width, int | float) and isinstance(height, int | float) and width * height > limits.image_pixels:
        raise UnsafeFileError("pixels", "picture")


def stream_filters(stream: DictionaryObject) -> list[str]:
    named = value(stream, "/Filter")
    if isinstance(named, ArrayObject):
        return [str(each) for each in named]
    return [] if named is None else [str(named)]


def _unpacked(stream: StreamObject, limits: Limits) -> int:
    """Return how many bytes a stream unpacks to, counted without keeping them. Raises UnsafeFileError("bomb")."""
    size = len(stream._data)
    if "/FlateDecode" not in (filters := stream_filters(stream)) and "/Fl" not in filters:
        return size
    if filters[0] not in _FLATE:
        return size  # another filter first: the drawing below has its own bound of time and memory
    packed: bytes = stream._data
    for step, _ in enumerate(each for each in filters if each in _FLATE):
        keep = step + 1 < len(filters) and filters[step + 1] in _FLATE
        total, parts = 0, []
        for part in _inflate(packed):
            total += len(part)
            if total > limits.unpacked_bytes:
                raise UnsafeFileError("bomb", "stream")
            if keep:
                parts.append(part)
        size = total
        if not keep:
            break
        packed = b"".join(parts)
    return size


def _inflate(packed: bytes) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    rest = packed
    try:
        while rest and not unpacker.eof:
            yield unpacker.decompress(rest, 1 << 20)
            rest = unpacker.unconsumed_tail
    except zlib.error:
        return  # what came before counts; a torn stream shows as little in the drawing


def raw_findings(data: bytes) -> set[str]:
    """Return what names in the bytes outside of streams ask for, spelled out or escaped (#4A)."""
    found = set()
    for match in _RAW_NAME.finditer(_without_streams(data)):
        name = _ESCAPED.sub(lambda escape: bytes((int(escape[1], 16),)), match[1])
        if name in _RAW:
            found.add(_RAW[name])
    return found


def _without_streams(data: bytes) -> bytes:
    """Return the bytes between streams, in one pass: a stream that never ends is searched as well."""
    parts, place = [], 0
    while (start := data.find(b"stream", place)) >= 0:
        end = data.find(b"endstream", start + 6)
        if end < 0:
            break
        parts.append(data[place:start])
        place = end + 9
    return b"".join((*parts, data[place:]))


def damaged(data: bytes) -> bool:
    """Return whether the cross-reference is not where the file says, or something follows the end."""
    end = data.rfind(b"%%EOF")
    if end < 0 or len(data[end + 5 :].strip()) > _TAIL_BYTES:
        return True
    pointer = re.search(rb"startxref\s+(\d{1,12})\s*$", data[max(0, end - 64) : end])
    if pointer is None:
        return True
    place = int(pointer[1])
    return re.match(rb"\s*(xref|\d{1,10}\s+\d{1,5}\s+obj)", data[place : place + 64]) is None
