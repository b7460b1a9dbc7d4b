"""Looks into an office document before a converter may: packed size, macros, what it would fetch, what it carries."""

import io
import re
import zipfile

from tillit_document_room.sandbox.limits import Limits
from tillit_document_room.sandbox.refusals import UnsafeFileError

_MACROS = re.compile(r"(^|/)(vbaProject\.bin|vbaData\.xml|Basic/|Scripts/)", re.IGNORECASE)
_CARRIED = re.compile(r"(^|/)(embeddings|activeX|oleObject)", re.IGNORECASE)
_ARCHIVE = re.compile(
    r"\.(zip|jar|7z|rar|gz|bz2|xz|docx|xlsx|pptx|docm|xlsm|pptm|exe|dll|js|vbs|bat|cmd|ps1)$", re.IGNORECASE
)
_OUTSIDE = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*\bTargetMode\s*=\s*[\"']External[\"'][^>]*>", re.IGNORECASE)
_LINK = re.compile(rb"\bType\s*=\s*[\"'][^\"']*/hyperlink[\"']", re.IGNORECASE)
_ODF_OUTSIDE = re.compile(rb"xlink:href\s*=\s*[\"'](?:file:|https?:|ftp:|\\\\|/)", re.IGNORECASE)
_ENTITY = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_ODF_DRAWN = re.compile(rb"<(?:draw:image|draw:object|text:section-source|table:table-source)\b[^>]*", re.IGNORECASE)
_READ_BYTES = 64 * 1024 * 1024


def check(data: bytes, kind: str, limits: Limits) -> None:
    """Raise UnsafeFileError unless the document is one that only has content."""
    if kind == "doc":
        if b"V\x00B\x00A\x00" in data or b"_\x00V\x00B\x00A\x00" in data or b"M\x00a\x00c\x00r\x00o\x00s\x00" in data:
            raise UnsafeFileError("macros")
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if sum(each.file_size for each in entries) > limits.unpacked_bytes:
                raise UnsafeFileError("bomb", "archive")
            total = 0
            for each in entries:
                _check_name(each.filename)
                if each.flag_bits & 1:
                    raise UnsafeFileError("encrypted")
                total += _check_entry(archive, each, limits, left=limits.unpacked_bytes - total)
    except UnsafeFileError:
        raise
    except Exception as error:  # zipfile raises whatever the bytes lead it to
        raise UnsafeFileError("broken", type(error).__name__) from error


def _check_name(name: str) -> None:
    if _MACROS.search(name):
        raise UnsafeFileError("macros")
    if _CARRIED.search(name) or _ARCHIVE.search(name):
        raise UnsafeFileError("embedded")
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
        raise UnsafeFileError("broken", "path")


def _check_entry(archive: zipfile.ZipFile, each: zipfile.ZipInfo, limits: Limits, *, left: int) -> int:
    """Return how many bytes it really unpacks to: what the archive says of itself may be a lie."""
    size, text = 0, bytearray()
    is_text = each.filename.lower().endswith((".xml", ".rels"))
    with archive.open(each) as opened:
        while part := opened.read(1 << 20):
            size += len(part)
            if size > left:
                raise UnsafeFileError("bomb", "archive")
            if is_text and len(text) < _READ_BYTES:
                text += part
    if is_text:
        words = bytes(text).replace(b"\x00", b"")  # UTF-16 hides nothing from a search without its null bytes
        if _ENTITY.search(words):
            raise UnsafeFileError("external", "entity")
        if any(not _LINK.search(found[0]) for found in _OUTSIDE.finditer(words)):
            raise UnsafeFileError("external", "relationship")
        if any(_ODF_OUTSIDE.search(found[0]) for found in _ODF_DRAWN.finditer(words)):
            raise UnsafeFileError("external", "link")
    return size
